/* mirror.c: 127.0.0.1:PORT, [::1]:PORT and @NAME of the host, in the jail.
 *
 *   every 250 ms   what listens on the host (host_listeners.h) and the policy names is asked for in
 *                  the jail: init makes a socket that listens at the same address there
 *                  (jail_listen.h) and passes it here. What listens on the host no more is closed,
 *                  so a client in the jail is refused just as one outside is.
 *   connection     accepted here, judged again, connected to the host's socket (mirror_dial.h) and
 *                  relayed (relay.h, packet_relay.h)
 *   datagram       likewise, by a socket of the host's that is connected for its client
 *                  (mirror_udp.h)
 *
 * In a dry run every abstract name that the host has is there.
 *
 * A port that a server of the jail has taken stays that server's: init cannot bind it, and tries
 * again later. One request is under way at a time, so that neither side ever waits for the other
 * with a full socket. A socket of the host that listens at the wildcard address is mirrored at
 * 127.0.0.1 and ::1, and at each single address of 127.0.0.0/8 that the policy names. An abstract
 * name may be that of a stream and of a SOCK_SEQPACKET socket at once; each is mirrored as such.
 *
 * A UDP socket of the host listens if it is bound and not connected. One that a server has
 * connected to a client keeps what is mirrored, but begins nothing. The kernel's table of these,
 * unlike that of those that listen for TCP, is long and changes while it is read, which can pass
 * over a row: a port is gone when two scans have not seen it.
 *
 * Nothing that the jail sends is read here. */
#include "src/mirror.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/host_listeners.h"
#include "src/launch.h"
#include "src/mirror_dial.h"
#include "src/mirror_udp.h"
#include "src/udp_flows.h"
#include "src/util.h"

#define SCAN_MS 250
#define RETRY_MS 1000 /* after the bind failed or the host's end refused */
#define SOCKETS_MAX 2048
#define BUCKETS 1024
#define ACCEPT_MAX 64 /* in one turn */
#define DRAIN_MAX 256 /* batches of datagrams */

/* One address, on both sides. */
struct mirrored {
    struct mirror *mirror;
    struct launch_listen at;
    uint64_t scan;       /* the last one that saw it on the host */
    uint64_t not_before; /* ms */
    int listener;        /* in the jail; -1 */
    struct event *event;
    struct mirrored *next; /* in its bucket */
};

struct mirror {
    struct mirror_setup what;
    struct mirror_dialer dialer;
    const struct endpoint **endpoints; /* those of the loopback */
    size_t endpoint_count;
    struct mirror_udp *udp;
    bool with_tcp, with_udp, with_abstract;
    bool paused; /* some do not accept at the moment */
    struct mirrored *buckets[BUCKETS];
    size_t count;
    uint64_t scan;
    struct mirrored *pending; /* what init has been asked for */
    struct event *timer;
    void (*ready)(void *); /* NULL: was called */
    void *arg;
};

/* --- addresses --- */

static struct launch_listen address_v4(int type, struct in_addr address, uint16_t port)
{
    struct launch_listen at = {.len = sizeof(struct sockaddr_in), .type = type};
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&at.address;

    in->sin_family = AF_INET;
    in->sin_addr = address;
    in->sin_port = htons(port);
    return at;
}

static struct launch_listen address_v6(int type, const struct in6_addr *address, uint16_t port)
{
    struct launch_listen at = {.len = sizeof(struct sockaddr_in6), .type = type};
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&at.address;

    in6->sin6_family = AF_INET6;
    in6->sin6_addr = *address;
    in6->sin6_port = htons(port);
    return at;
}

/* name: shorter than sun_path. */
static struct launch_listen address_abstract(const char *name, int type)
{
    struct launch_listen at = {.type = type};
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&at.address;

    un->sun_family = AF_UNIX;
    memcpy(un->sun_path + 1, name, strlen(name));
    at.len = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    return at;
}

/* May it be reached? *endpoint: by which word. */
static bool is_allowed(const struct mirror *m, const struct launch_listen *at, uint32_t *endpoint)
{
    const struct policy *p = m->what.policy;
    const struct endpoint *ep = NULL;

    if (at->address.ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&at->address;
        ep = policy_match_abstract(p, un->sun_path + 1);
    } else if (at->address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&at->address;
        ep = policy_match_loopback(p, AF_INET, &in->sin_addr, ntohs(in->sin_port));
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)&at->address;
        ep = policy_match_loopback(p, AF_INET6, &in6->sin6_addr, ntohs(in6->sin6_port));
    }
    *endpoint = policy_index(p, ep);
    if (at->address.ss_family == AF_UNIX)
        return ep || p->dry_run;
    return ep || (m->what.allow_loopback && at->type == SOCK_STREAM);
}

/* --- the table --- */

static struct mirrored **bucket_of(struct mirror *m, const struct launch_listen *at)
{
    return &m->buckets[hash_bytes(HASH_START, &at->address, at->len) % BUCKETS];
}

static struct mirrored *find(struct mirror *m, const struct launch_listen *at)
{
    struct mirrored *e = *bucket_of(m, at);

    while (e && (e->at.len != at->len || e->at.type != at->type ||
                 memcmp(&e->at.address, &at->address, at->len) != 0))
        e = e->next;
    return e;
}

static void stop_listening(struct mirrored *e)
{
    if (e->listener < 0)
        return;
    if (e->at.type == SOCK_DGRAM)
        mirror_udp_forget(e->mirror->udp, &e->at);
    event_free(e->event);
    (void)close(e->listener);
    e->event = NULL;
    e->listener = -1;
}

/* The host listens there; or is connected, which only keeps what is mirrored. */
static void see(struct mirror *m, const struct launch_listen *at, bool connected)
{
    struct mirrored *e = find(m, at), **bucket = bucket_of(m, at);
    uint32_t endpoint;

    if (connected && (!e || e->listener < 0))
        return;
    if (!e) {
        if (m->count >= SOCKETS_MAX || !is_allowed(m, at, &endpoint))
            return;
        m->count++;
        e = xcalloc(1, sizeof(*e));
        *e = (struct mirrored){.mirror = m, .at = *at, .listener = -1, .next = *bucket};
        *bucket = e;
    }
    e->scan = m->scan;
}

static bool is_gone(const struct mirrored *e)
{
    return e->mirror->scan - e->scan > (e->at.type == SOCK_DGRAM ? 1 : 0);
}

static void forget_unseen(struct mirror *m)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct mirrored **at = &m->buckets[i], *e; (e = *at) != NULL;) {
            if (!is_gone(e) || e == m->pending) {
                at = &e->next;
                continue;
            }
            *at = e->next;
            stop_listening(e);
            m->count--;
            free(e);
        }
}

/* --- connections --- */

static void pause_listening(struct mirrored *e)
{
    (void)event_del(e->event);
    e->mirror->paused = true;
}

static void resume_listening(void *arg)
{
    struct mirror *m = arg;

    if (!m->paused)
        return;
    m->paused = false;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct mirrored *e = m->buckets[i]; e; e = e->next)
            if (e->event)
                (void)event_add(e->event, NULL);
}

static bool is_full(const struct mirror *m)
{
    return relays_room(m->what.relays) <= m->dialer.count + packet_relays_count(m->dialer.packets);
}

/* What cannot be taken now waits in the backlog, until a relay ends or the next scan. */
static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct mirrored *e = arg;
    struct mirror *m = e->mirror;
    struct launch_listen at = e->at; /* a dial that is refused at once closes the listener */
    uint32_t endpoint;

    (void)what;
    for (int i = 0; i < ACCEPT_MAX && e && e->listener >= 0; i++, e = find(m, &at)) {
        int client = is_full(m) ? -1 : accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0) {
            if (is_full(m) || (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR))
                pause_listening(e);
            return;
        }
        if (is_allowed(m, &at, &endpoint))
            mirror_dial(&m->dialer, &at, endpoint, client);
        else
            relay_reset(client);
    }
}

/* Whether more may wait. */
static bool take_datagrams(struct mirrored *e)
{
    uint32_t endpoint;

    return is_allowed(e->mirror, &e->at, &endpoint) &&
           mirror_udp_receive(e->mirror->udp, e->listener, &e->at, endpoint);
}

static void on_datagrams(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)take_datagrams(arg);
}

static void on_refused(const struct launch_listen *at, void *arg)
{
    struct mirrored *e = find(arg, at);

    if (!e)
        return;
    stop_listening(e);
    e->not_before = now_ms() + RETRY_MS;
}

/* --- asking init --- */

static struct mirrored *next_wanted(struct mirror *m)
{
    uint64_t now = now_ms();

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct mirrored *e = m->buckets[i]; e; e = e->next)
            if (e->listener < 0 && e->scan == m->scan && e->not_before <= now)
                return e;
    return NULL;
}

static void ask_next(struct mirror *m)
{
    void (*ready)(void *) = m->ready;

    if (m->pending)
        return;
    m->pending = next_wanted(m);
    if (m->pending && launch_send_listen(m->what.init, &m->pending->at) < 0)
        m->pending = NULL; /* init has gone, which is noticed elsewhere */
    if (!m->pending && ready) {
        m->ready = NULL;
        ready(m->arg);
    }
}

void mirror_on_listening(struct mirror *m, int fd, int err)
{
    struct mirrored *e = m->pending;

    if (!e) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    m->pending = NULL;
    (void)err; /* mostly EADDRINUSE: a server of the jail has it */
    if (fd < 0) {
        e->not_before = now_ms() + RETRY_MS;
    } else {
        bool datagrams = e->at.type == SOCK_DGRAM;

        if (datagrams)
            udp_set_buffers(fd);
        e->listener = fd;
        e->event = event_new(m->what.base, fd, EV_READ | EV_PERSIST,
                             datagrams ? on_datagrams : on_accept, e);
        if (!e->event || event_add(e->event, NULL) < 0)
            die("cannot watch a descriptor");
    }
    ask_next(m);
}

/* --- looking --- */

static bool in_loopback_v4(struct in_addr a)
{
    return (ntohl(a.s_addr) >> 24) == 127;
}

/* The addresses at which a client of the host reaches a socket that listens at 0.0.0.0. */
static void see_any_v4(struct mirror *m, const struct host_listener *l)
{
    struct launch_listen at =
        address_v4(l->type, (struct in_addr){htonl(INADDR_LOOPBACK)}, l->port);

    see(m, &at, l->connected);
    for (size_t i = 0; i < m->endpoint_count; i++) {
        const struct endpoint *ep = m->endpoints[i];
        if (ep->family != AF_INET || ep->port != l->port || ep->prefix_len != 32)
            continue;
        at = address_v4(l->type, ep->address.v4, l->port);
        see(m, &at, l->connected);
    }
}

static void on_inet(const struct host_listener *l, void *arg)
{
    struct mirror *m = arg;
    struct launch_listen at;

    if (l->port == LOOPBACK_PORT_NEVER)
        return;
    if (l->family == AF_INET && l->v4.s_addr == htonl(INADDR_ANY)) {
        see_any_v4(m, l);
    } else if (l->family == AF_INET && in_loopback_v4(l->v4)) {
        at = address_v4(l->type, l->v4, l->port);
        see(m, &at, l->connected);
    } else if (l->family == AF_INET6 &&
               (IN6_IS_ADDR_LOOPBACK(&l->v6) || IN6_IS_ADDR_UNSPECIFIED(&l->v6))) {
        at = address_v6(l->type, &in6addr_loopback, l->port);
        see(m, &at, l->connected);
        if (IN6_IS_ADDR_UNSPECIFIED(&l->v6)) /* unless it is IPV6_V6ONLY: then it will refuse */
            see_any_v4(m, l);
    }
}

static void on_abstract(const struct host_listener *l, void *arg)
{
    struct mirror *m = arg;

    size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

    if (strlen(l->name) <= room &&
        (m->what.policy->dry_run || policy_match_abstract(m->what.policy, l->name))) {
        struct launch_listen at = address_abstract(l->name, l->type);
        see(m, &at, false);
    }
}

static void scan(struct mirror *m)
{
    m->scan++;
    if (m->with_tcp)
        host_listeners_tcp(on_inet, m);
    if (m->with_udp)
        host_listeners_udp(on_inet, m);
    if (m->with_abstract)
        host_listeners_abstract(on_abstract, m);
    forget_unseen(m);
    resume_listening(m);
    ask_next(m);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    scan(arg);
}

/* --- public --- */

bool mirror_is_wanted(const struct policy *policy, bool allow_loopback)
{
    for (size_t i = 0; i < policy->count && !allow_loopback; i++)
        if (policy_is_loopback(&policy->endpoints[i]) ||
            policy->endpoints[i].kind == ENDPOINT_ABSTRACT)
            return true;
    return allow_loopback || policy->dry_run;
}

static void collect_endpoints(struct mirror *m)
{
    const struct policy *p = m->what.policy;

    m->endpoints = xcalloc(p->count + 1, sizeof(const struct endpoint *));
    for (size_t i = 0; i < p->count; i++)
        if (policy_is_loopback(&p->endpoints[i]))
            m->endpoints[m->endpoint_count++] = &p->endpoints[i];
}

struct mirror *mirror_start(const struct mirror_setup *what, void (*ready)(void *), void *arg)
{
    static const struct timeval period = {0, SCAN_MS * 1000};
    struct mirror *m = xcalloc(1, sizeof(*m));

    *m = (struct mirror){.what = *what, .ready = ready, .arg = arg};
    m->dialer = (struct mirror_dialer){.base = what->base,
                                       .relays = what->relays,
                                       .packets = packet_relays_new(what->base),
                                       .log = what->log,
                                       .refused = on_refused,
                                       .ended = resume_listening,
                                       .arg = m};
    packet_relays_limit(m->dialer.packets, what->quota);
    collect_endpoints(m);
    m->with_udp = m->endpoint_count > 0;
    m->with_tcp = what->allow_loopback || m->with_udp;
    m->udp = mirror_udp_new(&(struct mirror_udp_setup){.base = what->base,
                                                       .log = what->log,
                                                       .quota = what->quota,
                                                       .max = what->flows,
                                                       .refused = on_refused,
                                                       .arg = m});
    m->with_abstract = what->policy->dry_run || policy_has_kind(what->policy, ENDPOINT_ABSTRACT);
    m->timer = event_new(what->base, -1, EV_PERSIST, on_timer, m);
    if (!m->timer || event_add(m->timer, &period) < 0)
        die("cannot start a timer");
    scan(m);
    return m;
}

static void drain_datagrams(struct mirrored *e)
{
    for (int i = 0; i < DRAIN_MAX && e->listener >= 0 && take_datagrams(e); i++)
        ;
}

bool mirror_is_drained(struct mirror *m)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct mirrored *e = m->buckets[i], *next; e; e = next) {
            next = e->next; /* on_accept frees none */
            if (e->at.type == SOCK_DGRAM)
                drain_datagrams(e);
            else if (e->listener >= 0)
                on_accept(e->listener, EV_READ, e);
        }
    return m->dialer.count == 0 && relays_undelivered(m->what.relays) == 0 &&
           packet_relays_undelivered(m->dialer.packets) == 0;
}
