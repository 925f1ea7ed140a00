/* parent_dial.c: see parent_dial.h. What the proxy answers is not read here. */
#include "src/parent_dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/connector.h"
#include "src/util.h"

struct parent_call {
    struct event_base *base;
    const struct parent *parent;
    parent_dial_cb *cb;
    void *arg;
};

static void finish(struct parent_call *c, int fd, int err, const char *text)
{
    parent_dial_cb *cb = c->cb;
    void *arg = c->arg;

    free(c);
    cb(arg, fd, err, text);
}

static void on_connected(void *arg, int fd, int err)
{
    struct parent_call *c = arg;
    const struct url_authority *a = &c->parent->authority;
    char text[MSG_TEXT_SIZE] = "";

    if (fd < 0)
        (void)snprintf(text, sizeof(text), "cannot connect to this host's proxy %s port %u: %s",
                       a->host, a->port, strerror(err));
    finish(c, fd, err, text);
}

static void on_resolved(void *arg, const union resolver_address *addresses, size_t n,
                        const char *why)
{
    struct parent_call *c = arg;
    union resolver_address to[RESOLVER_ADDRESSES];
    char text[MSG_TEXT_SIZE];

    if (n == 0) {
        (void)snprintf(text, sizeof(text), "cannot resolve this host's proxy %s: %s",
                       c->parent->authority.host, why);
        finish(c, -1, EHOSTUNREACH, text);
        return;
    }
    if (n > RESOLVER_ADDRESSES)
        n = RESOLVER_ADDRESSES;
    for (size_t i = 0; i < n; i++) {
        to[i] = addresses[i];
        resolver_set_port(&to[i], c->parent->authority.port);
    }
    connector_start(c->base, to, n, on_connected, c);
}

void parent_dial(struct event_base *base, struct resolver *resolver, const struct parent *parent,
                 parent_dial_cb *cb, void *arg)
{
    struct parent_call *c = xcalloc(1, sizeof(*c));
    const struct url_authority *a = &parent->authority;
    union resolver_address literal;

    *c = (struct parent_call){.base = base, .parent = parent, .cb = cb, .arg = arg};
    if (a->kind == URL_HOST_NAME)
        resolver_lookup(resolver, a->host, on_resolved, c);
    else if (resolver_literal(a, &literal))
        on_resolved(c, &literal, 1, NULL);
    else
        finish(c, -1, EINVAL, "not an address");
}

int parent_send_connect(int fd, const struct parent *parent, const char *target)
{
    char request[PARENT_CONNECT_SIZE];
    int len = parent_write_connect(target, parent->authorization, request, sizeof(request));
    ssize_t r;

    if (len < 0)
        return len;
    r = send(fd, request, (size_t)len, MSG_NOSIGNAL);
    explicit_bzero(request, sizeof(request));
    if (r < 0)
        return -errno;
    return r == len ? 0 : -EAGAIN; /* a new connection has room for it */
}
