/* listen.c: clients come in.
 *
 * No client is refused: with session_max of them (relays, and dials that nobody waits for any more,
 * counted in)
 * accepting stops, and the rest wait in the kernel's backlog until one goes. So it is when
 * descriptors run out for another reason, after a short pause. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "httpproxy/limits.h"
#include "httpproxy/proxy.h"
#include "httpproxy/session.h"
#include "httpproxy/upstream.h"
#include "src/relay.h"
#include "src/util.h"

static bool full(const struct proxy *p)
{
    return p->session_count + relays_count(p->relays) + upstreams_orphans(p->upstreams) >=
           p->session_max;
}

static void stop(struct proxy *p)
{
    for (size_t i = 0; i < ARRAY_LEN(p->listeners); i++)
        if (p->listeners[i].fd >= 0)
            (void)event_del(&p->listeners[i].event);
    p->accepting = false;
}

static void start(struct proxy *p)
{
    for (size_t i = 0; i < ARRAY_LEN(p->listeners); i++)
        if (p->listeners[i].fd >= 0)
            (void)event_add(&p->listeners[i].event, NULL);
    p->accepting = true;
}

void listen_update(struct proxy *p)
{
    if (event_pending(&p->accept_again, EV_TIMEOUT, NULL))
        return;
    if (full(p) == p->accepting) {
        if (p->accepting)
            stop(p);
        else
            start(p);
    }
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    listen_update(arg);
}

static void pause_accepting(struct proxy *p)
{
    static const struct timeval t = {.tv_usec = LIMIT_ACCEPT_PAUSE_MS * 1000};

    stop(p);
    (void)event_add(&p->accept_again, &t);
}

union address {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static uint16_t port_of(const union address *a)
{
    return ntohs(a->sa.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

/* The address that an intercepted client dialled: it is that of our own socket. */
static bool find_dialled(int fd, struct url_authority *a)
{
    union address local = {.v6 = {0}};
    socklen_t len = sizeof(local);
    const void *address = &local.v4.sin_addr;

    memset(a, 0, sizeof(*a));
    if (getsockname(fd, &local.sa, &len) < 0)
        return false;
    if (local.sa.sa_family == AF_INET6)
        address = &local.v6.sin6_addr;
    a->kind = local.sa.sa_family == AF_INET6 ? URL_HOST_IPV6 : URL_HOST_IPV4;
    a->port = port_of(&local);
    return inet_ntop(local.sa.sa_family, address, a->host, sizeof(a->host)) != NULL;
}

static void begin(const struct listener *l, int fd, const union address *client)
{
    struct url_authority dialled;

    if (!l->transparent)
        session_new(l->proxy, fd);
    else if (find_dialled(fd, &dialled))
        session_new_transparent(l->proxy, fd, &dialled, port_of(client));
    else
        (void)close(fd);
}

static void on_accept(evutil_socket_t listening, short what, void *arg)
{
    struct listener *l = arg;
    struct proxy *p = l->proxy;
    int one = 1;

    (void)listening;
    (void)what;
    for (int i = 0; i < LIMIT_ACCEPTS && p->accepting; i++) {
        union address client = {.v6 = {0}};
        socklen_t len = sizeof(client);
        int fd = accept4(l->fd, &client.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                pause_accepting(p); /* descriptors or memory are short, or the link is down */
            return;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        begin(l, fd, &client);
    }
}

void listen_init(struct proxy *p)
{
    for (size_t i = 0; i < ARRAY_LEN(p->listeners); i++)
        p->listeners[i].fd = -1;
    (void)evtimer_assign(&p->accept_again, p->base, on_accept_again, p);
}

int listen_add(struct proxy *p, int fd, bool transparent, struct error *e)
{
    for (size_t i = 0; i < ARRAY_LEN(p->listeners); i++) {
        struct listener *l = &p->listeners[i];
        if (l->fd >= 0)
            continue;
        int r = set_nonblocking(fd);
        if (r < 0)
            return error_errno(e, -r, "the listening socket");
        l->fd = fd;
        l->proxy = p;
        l->transparent = transparent;
        (void)event_assign(&l->event, p->base, fd, EV_READ | EV_PERSIST, on_accept, l);
        stop(p);
        listen_update(p);
        return 0;
    }
    return error_set(e, ENOSPC, "too many listening sockets");
}

void listen_take_rest(struct proxy *p)
{
    size_t before;

    do {
        before = p->session_count;
        for (size_t i = 0; i < ARRAY_LEN(p->listeners); i++)
            if (p->listeners[i].fd >= 0)
                on_accept(p->listeners[i].fd, EV_READ, &p->listeners[i]);
    } while (p->session_count > before && p->session_count < p->session_max);
}

void listen_close(struct proxy *p)
{
    (void)event_del(&p->accept_again);
    stop(p);
    for (size_t i = 0; i < ARRAY_LEN(p->listeners); i++) {
        if (p->listeners[i].fd >= 0)
            (void)close(p->listeners[i].fd);
        p->listeners[i].fd = -1;
    }
}
