/* dialer.c: MSG_DIAL in, a connected socket out.
 *
 * The request's fields are typed and bounded; the policy is asked again here, so that a proxy that
 * was taken over gets no further than the hosts of the policy. A name is resolved here, by the
 * host's own means, and its addresses are looked at before anything is sent to them: an allowed
 * name is no way to the host's loopback or to a cloud's metadata service, nor, without TLS to prove
 * the server's name, into a private network or to an address of this host. An address that the
 * policy itself names is connected to as it is.
 *
 * A tunnel (MSG_DIAL_RAW) is made to the port of a NAME:PORT endpoint's name, to an ADDRESS:PORT
 * endpoint, or to an address that the jail has been told for such a name (learned.c), and logged
 * here, where the address is known that it leads to.
 *
 * In a dry run any host is dialled, at any address but those of this host's loopback.
 *
 * Where the caller's network has a proxy (parent.h), that is connected to instead, once the policy
 * has been asked. It is also who resolves the name, so the addresses are not seen here. For a
 * tunnel and for https the request (CONNECT) is written here, before httpproxy has the socket: it
 * cannot ask for another host, and does not know the credentials. Only where the proxy is spoken to
 * by TLS, or takes URLs (http), is that httpproxy's to write. */
#include "src/dialer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/address.h"
#include "src/connector.h"
#include "src/parent_dial.h"
#include "src/util.h"

#define DIALS_MAX 1024    /* at once; more wait in line */
#define WAITING_MAX 65536 /* in line; what comes on top is refused at once */

struct dial {
    struct dialer *dialer;
    struct channel *channel; /* NULL: nobody waits any more */
    uint64_t id;
    bool listed;     /* in the policy; always, but for dry runs */
    uint32_t scheme; /* enum url_scheme, or MSG_DIAL_RAW */
    struct url_authority authority;
    const struct parent *parent; /* NULL: directly */
    uint32_t endpoint;           /* index of the word that allows it */
    char name[NAME_SIZE];        /* MSG_DIAL_RAW: the endpoint's name that it is for, or "" */
    struct dial *next, **at;     /* in active or waiting */
};

struct dialer {
    struct dialer_setup setup;
    struct dial *active, *waiting, **waiting_end;
    size_t active_count, waiting_count;
    bool starting; /* those in line, further up the stack */
};

static void reply_via(struct channel *c, uint64_t id, int fd, enum msg_via via, const char *text)
{
    struct msg_dialed m = {.id = id, .via = via};

    msg_init(&m, MSG_DIALED, sizeof(m));
    copy_string(m.text, sizeof(m.text), text);
    (void)channel_send(c, &m, fd);
}

static void reply(struct channel *c, uint64_t id, int fd, int err, const char *text)
{
    struct msg_dialed m = {.id = id, .error = err};

    msg_init(&m, MSG_DIALED, sizeof(m));
    copy_string(m.text, sizeof(m.text), text);
    (void)channel_send(c, &m, fd);
}

static void link_active(struct dialer *d, struct dial *dial)
{
    dial->next = d->active;
    if (dial->next)
        dial->next->at = &dial->next;
    dial->at = &d->active;
    d->active = dial;
    d->active_count++;
}

static void begin(struct dial *dial);

/* One after the other: what fails at once comes back here. */
static void start_waiting(struct dialer *d)
{
    if (d->starting)
        return;
    d->starting = true;
    while (d->waiting && d->active_count < DIALS_MAX) {
        struct dial *next = d->waiting;

        d->waiting = next->next;
        d->waiting_count--;
        if (!d->waiting)
            d->waiting_end = &d->waiting;
        link_active(d, next);
        begin(next);
    }
    d->starting = false;
}

/* Frees a dial that has been answered, and starts the next one in line. */
static void end(struct dial *dial)
{
    struct dialer *d = dial->dialer;

    *dial->at = dial->next;
    if (dial->next)
        dial->next->at = dial->at;
    free(dial);
    d->active_count--;
    start_waiting(d);
}

/* Answers. */
static void finish(struct dial *dial, int fd, int err, const char *text)
{
    if (dial->channel)
        reply(dial->channel, dial->id, fd, err, text);
    else if (fd >= 0)
        (void)close(fd);
    end(dial);
}

static const void *address_data(const union resolver_address *a)
{
    if (a->sa.sa_family == AF_INET)
        return &((const struct sockaddr_in *)(const void *)&a->sa)->sin_addr;
    return &((const struct sockaddr_in6 *)(const void *)&a->sa)->sin6_addr;
}

/* A tunnel is there, or the proxy is that makes it: says where to. */
static void log_made(const struct dial *dial, int fd)
{
    const struct dialer_setup *setup = &dial->dialer->setup;
    union resolver_address peer = {.storage = {.ss_family = AF_UNSPEC}};
    socklen_t len = sizeof(peer);
    struct msg_log_connect m = {.decision = dial->listed ? MSG_ALLOW : MSG_WOULD_DENY,
                                .endpoint = dial->endpoint,
                                .count = 1,
                                .port = dial->authority.port,
                                .protocol = IPPROTO_TCP};
    const char *name = dial->name;

    if (!name[0] && dial->authority.kind == URL_HOST_NAME)
        name = dial->authority.host;
    if (dial->parent && name[0]) {
        log_connect_by_name(setup->log, m.decision, m.endpoint, name, m.port);
        return;
    }
    if (dial->parent ? !resolver_literal(&dial->authority, &peer)
                     : getpeername(fd, &peer.sa, &len) < 0)
        return;
    msg_init(&m, MSG_LOG_CONNECT, sizeof(m));
    m.family = (uint8_t)peer.sa.sa_family;
    memcpy(m.address, address_data(&peer), m.family == AF_INET ? 4 : 16);
    log_named_connect(setup->log, &m, name, "");
}

/* A name is no way to what listens at an address of this host, where no firewall stands between:
 * only its own address is, or https, which proves the name. */
static bool leads_astray(const struct dial *dial, int fd)
{
    const struct policy *p = dial->dialer->setup.policy;
    const struct url_authority *a = &dial->authority;
    union resolver_address peer = {.storage = {.ss_family = AF_UNSPEC}};
    socklen_t len = sizeof(peer);

    if (dial->scheme == URL_HTTPS || p->dry_run || !address_leads_here(fd) ||
        (dial->scheme == URL_HTTP && a->kind != URL_HOST_NAME))
        return false;
    return getpeername(fd, &peer.sa, &len) < 0 ||
           !policy_match_address(p, peer.sa.sa_family, address_data(&peer), a->port);
}

static void on_connected(void *arg, int fd, int err)
{
    struct dial *dial = arg;
    char text[MSG_TEXT_SIZE] = "";

    if (fd >= 0 && leads_astray(dial, fd)) {
        (void)close(fd);
        (void)snprintf(text, sizeof(text),
                       "%s is an address of this host itself, which is withheld (DNS rebinding)",
                       dial->authority.host);
        finish(dial, -1, EACCES, text);
        return;
    }
    if (fd >= 0 && dial->scheme == MSG_DIAL_RAW)
        log_made(dial, fd);
    if (fd < 0)
        (void)snprintf(text, sizeof(text), "cannot connect to %s port %u: %s", dial->authority.host,
                       dial->authority.port, strerror(err));
    finish(dial, fd, err, text);
}

/* https proves the server's name to the proxy, so that an address in a private network is as good
 * as any; plain http proves nothing, and neither does a tunnel, to this side: there the policy must
 * name the address and port as well, or say that the name may be private (NAME!private). */
static bool may_connect(const struct dial *dial, const union resolver_address *a)
{
    const struct policy *p = dial->dialer->setup.policy;

    if (p->dry_run)
        return !address_is_loopback(a->sa.sa_family, address_data(a));
    if (policy_match_address(p, a->sa.sa_family, address_data(a), dial->authority.port))
        return true;
    switch (address_classify_sockaddr(&a->sa)) {
    case ADDRESS_PUBLIC:
        return true;
    case ADDRESS_PRIVATE:
        return dial->scheme == URL_HTTPS || (dial->authority.kind == URL_HOST_NAME &&
                                             policy_allows_private(p, dial->authority.host));
    default:
        return false;
    }
}

static void on_resolved(void *arg, const union resolver_address *addresses, size_t n,
                        const char *why)
{
    struct dial *dial = arg;
    union resolver_address good[RESOLVER_ADDRESSES];
    char text[MSG_TEXT_SIZE], shown[ADDRESS_TEXT_SIZE];
    size_t count = 0;

    if (n == 0) {
        (void)snprintf(text, sizeof(text), "cannot resolve %s: %s", dial->authority.host, why);
        finish(dial, -1, EHOSTUNREACH, text);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!may_connect(dial, &addresses[i]))
            continue;
        good[count] = addresses[i];
        resolver_set_port(&good[count++], dial->authority.port);
    }
    if (count == 0) {
        address_format(addresses[0].sa.sa_family, address_data(&addresses[0]), 0, shown);
        (void)snprintf(
            text, sizeof(text),
            "%s resolves to %s, a local or private address, which is withheld (DNS rebinding)",
            dial->authority.host, shown);
        finish(dial, -1, EACCES, text);
        return;
    }
    connector_start(dial->dialer->setup.base, good, count, on_connected, dial);
}

/* What the proxy is asked to connect to: a name rather than an address of it. */
static void format_target(const struct dial *dial, char *buf, size_t size)
{
    const struct url_authority *a = &dial->authority;
    const char *host = dial->name[0] ? dial->name : a->host;

    (void)snprintf(buf, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, a->port);
}

static enum msg_via via(const struct dial *dial)
{
    if (dial->scheme == URL_HTTP)
        return dial->parent->tls ? MSG_VIA_TLS_HTTP : MSG_VIA_HTTP;
    return dial->parent->tls ? MSG_VIA_TLS_CONNECT : MSG_VIA_CONNECT;
}

/* The proxy of the host's network is connected, or not. */
static void on_parent(void *arg, int fd, int err, const char *text)
{
    struct dial *dial = arg;
    cleanup_close int owned = fd;
    char target[NAME_SIZE + 16];
    int r;

    if (fd < 0) {
        finish(dial, -1, err, text);
        return;
    }
    format_target(dial, target, sizeof(target));
    if (via(dial) == MSG_VIA_CONNECT && (r = parent_send_connect(fd, dial->parent, target)) < 0) {
        finish(dial, -1, -r, "this host's proxy cannot be asked");
        return;
    }
    if (dial->scheme == MSG_DIAL_RAW)
        log_made(dial, fd);
    if (dial->channel)
        reply_via(dial->channel, dial->id, steal_fd(&owned), via(dial), target);
    end(dial);
}

static void begin(struct dial *dial)
{
    const struct url_authority *a = &dial->authority;
    union resolver_address literal;

    if (dial->parent) {
        parent_dial(dial->dialer->setup.base, dial->dialer->setup.resolver, dial->parent, on_parent,
                    dial);
        return;
    }
    if (a->kind == URL_HOST_NAME) {
        resolver_lookup(dial->dialer->setup.resolver, a->host, on_resolved, dial);
        return;
    }
    if (!resolver_literal(a, &literal)) {
        finish(dial, -1, EINVAL, "not an address");
        return;
    }
    if (!dial->listed && !may_connect(dial, &literal)) {
        finish(dial, -1, EACCES, "the loopback of the host is not reached, in a dry run neither");
        return;
    }
    resolver_set_port(&literal, a->port);
    connector_start(dial->dialer->setup.base, &literal, 1, on_connected, dial);
}

struct dialer *dialer_new(const struct dialer_setup *setup)
{
    struct dialer *d = xcalloc(1, sizeof(*d));

    d->setup = *setup;
    d->waiting_end = &d->waiting;
    return d;
}

/* The typed fields to a canonical authority; nothing but the canonical form itself is taken. */
static bool read_authority(const struct msg_dial *m, struct url_authority *a)
{
    char text[NAME_SIZE + 16];
    bool v6 = strchr(m->host, ':') != NULL;
    int n = snprintf(text, sizeof(text), v6 ? "[%s]:%u" : "%s:%u", m->host, m->port);

    return n > 0 && (size_t)n < sizeof(text) &&
           url_parse_authority(text, (size_t)n, 0, a, NULL) == 0 && !strcmp(a->host, m->host) &&
           a->port == m->port;
}

/* An address that the jail was told for a name of the policy. */
static const struct endpoint *match_learned(struct dialer *d, const struct url_authority *a,
                                            const char **name)
{
    int family = a->kind == URL_HOST_IPV4 ? AF_INET : AF_INET6;
    uint8_t address[16];

    if (a->kind == URL_HOST_NAME || inet_pton(family, a->host, address) != 1)
        return NULL;
    return learned_match_latest(d->setup.learned, family, address, a->port, name);
}

/* What allows it, or NULL; *name: the name that a tunnel is for. */
static const struct endpoint *judge(struct dialer *d, uint32_t scheme,
                                    const struct url_authority *a, const char **name)
{
    const struct endpoint *ep;

    if (scheme != MSG_DIAL_RAW)
        return policy_match_authority(d->setup.policy, (enum url_scheme)scheme, a);
    ep = policy_match_raw(d->setup.policy, a);
    if (ep && a->kind == URL_HOST_NAME)
        *name = a->host;
    return ep ? ep : match_learned(d, a, name);
}

/* The connection of a client that was held until it was there (raw_tcp.c). False: there is none. */
static bool claim(struct dialer *d, struct channel *c, const struct msg_dial *m,
                  const struct url_authority *a)
{
    struct msg_tuple t = {.source_port = (uint16_t)m->client_port, .port = a->port};
    struct dial dial = {.dialer = d, .listed = true, .authority = *a};
    const char *name = "";
    int fd;

    t.family = a->kind == URL_HOST_IPV4 ? AF_INET : AF_INET6;
    if (m->client_port == 0 || a->kind == URL_HOST_NAME ||
        inet_pton(t.family, a->host, t.address) != 1 ||
        (fd = raw_claim(d->setup.raw, &t, &dial.endpoint)) < 0)
        return false;
    (void)learned_match(d->setup.learned, t.family, t.address, t.port, &name);
    copy_string(dial.name, sizeof(dial.name), name);
    log_made(&dial, fd);
    reply(c, m->id, fd, 0, "");
    return true;
}

/* The proxy that it goes by; a tunnel to an address of a name goes by the name's. */
static const struct parent *choose_parent(const struct dialer *d, uint32_t scheme,
                                          const struct url_authority *a, const char *name)
{
    struct url_authority named = {.kind = URL_HOST_NAME, .port = a->port};

    if (!name[0] || a->kind == URL_HOST_NAME)
        return parents_choose(d->setup.parents, scheme, a);
    copy_string(named.host, sizeof(named.host), name);
    return parents_choose(d->setup.parents, scheme, &named);
}

static const char *why_not(const struct msg_dial *m, const struct url_authority *a)
{
    if (m->scheme == MSG_DIAL_RAW && a->kind != URL_HOST_NAME)
        return "the policy does not name this address and port, nor has a name that it does been "
               "resolved to it";
    return "the policy does not name this host";
}

void dialer_dial(struct dialer *d, struct channel *c, const struct msg_dial *m)
{
    const struct endpoint *ep;
    const char *name = "";
    struct url_authority a;
    struct dial *dial;

    if (!read_authority(m, &a)) {
        reply(c, m->id, -1, EINVAL, "not a canonical authority");
        return;
    }
    if (claim(d, c, m, &a))
        return;
    ep = judge(d, m->scheme, &a, &name);
    if (channel_is_over(c)) /* since what the other proxy had said was taken in */
        return;
    if (!ep && !d->setup.policy->dry_run) {
        reply(c, m->id, -1, EACCES, why_not(m, &a));
        return;
    }
    if (d->waiting_count >= WAITING_MAX) {
        reply(c, m->id, -1, EAGAIN, "too many connections are being made");
        return;
    }
    dial = xcalloc(1, sizeof(*dial));
    *dial = (struct dial){.dialer = d,
                          .channel = c,
                          .id = m->id,
                          .listed = ep != NULL,
                          .scheme = m->scheme,
                          .authority = a,
                          .parent = choose_parent(d, m->scheme, &a, name),
                          .endpoint = policy_index(d->setup.policy, ep)};
    copy_string(dial->name, sizeof(dial->name), name);
    if (d->active_count >= DIALS_MAX) {
        *d->waiting_end = dial;
        d->waiting_end = &dial->next;
        d->waiting_count++;
        return;
    }
    link_active(d, dial);
    begin(dial);
}

void dialer_forget(struct dialer *d, struct channel *c)
{
    for (struct dial *dial = d->active; dial; dial = dial->next)
        if (dial->channel == c)
            dial->channel = NULL;
    for (struct dial *dial = d->waiting; dial; dial = dial->next)
        if (dial->channel == c)
            dial->channel = NULL;
}
