/* log.c: what the supervisor is told: names allowed, names denied, packets rejected.
 *
 * Each of the three is folded apart (fold.h), so that a flood of one kind does not hide another.
 * What found no slot is told in sum: as the name "*", or as the address 0.0.0.0 of protocol 0.
 *
 * When the supervisor has shut down its sending side, the counts that still wait are sent straight
 * on the socket; it may read until the end of file. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "dnsproxy/dnsproxy.h"
#include "dnsproxy/hash.h"
#include "src/net.h"
#include "src/util.h"

static void send_draining(struct dnsproxy *p, const void *msg)
{
    for (int tries = 0; tries < 2 && !p->mute; tries++) {
        ssize_t n = send(PROXY_FD_CHANNEL, msg, msg_length(msg), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            return;
        struct pollfd pfd = {.fd = PROXY_FD_CHANNEL, .events = POLLOUT};
        if (errno != EAGAIN || poll(&pfd, 1, DRAIN_MS) != 1 || !(pfd.revents & POLLOUT))
            p->mute = true;
    }
}

/* A full queue means that the supervisor hangs; the channel's end follows. */
static void send_message(void *arg, const void *msg)
{
    struct dnsproxy *p = arg;
    if (p->draining)
        send_draining(p, msg);
    else
        (void)channel_send_soon(p->channel, msg);
}

static struct msg_log_resolve resolve_message(enum msg_decision decision, const char *name,
                                              uint16_t qtype, uint32_t endpoint, const char *reason)
{
    struct msg_log_resolve m = {.decision = decision, .endpoint = endpoint, .qtype = qtype};
    msg_init(&m, MSG_LOG_RESOLVE, sizeof(m));
    copy_string(m.name, sizeof(m.name), name);
    copy_string(m.reason, sizeof(m.reason), reason);
    return m;
}

/* Of the name as it is, and not of the room for one. */
static uint32_t hash_resolve(uint32_t seed, const void *msg)
{
    const struct msg_log_resolve *m = msg;
    return hash_words(seed ^ m->qtype, m->name, strlen(m->name));
}

static uint32_t hash_connect(uint32_t seed, const void *msg)
{
    const struct msg_log_connect *m = msg;
    return hash_words(seed ^ (uint32_t)(m->port << 8 | m->protocol), m->address,
                      sizeof(m->address));
}

static struct fold *open_resolve(struct dnsproxy *p, enum msg_decision decision)
{
    struct msg_log_resolve others = resolve_message(decision, "*", 0, POLICY_INDEX_NONE,
                                                    "too many different names to log each");
    return fold_new(p->base, sizeof(others), offsetof(struct msg_log_resolve, count), &others,
                    hash_resolve, send_message, p);
}

static void tell_hits(struct dnsproxy *p, struct cached *e)
{
    uint32_t hits = e->hits;
    e->hits = 0;
    if (hits == 0)
        return;
    if (e->endpoint == POLICY_INDEX_NONE)
        log_would_deny(p, e->key.name, e->key.qtype, "", hits);
    else
        log_allow(p, e->key.name, e->key.qtype, e->endpoint, "", hits);
}

static void on_dropped(void *arg, struct cached *e)
{
    tell_hits(arg, e);
}

void log_hit(struct dnsproxy *p, struct cached *e, uint64_t now)
{
    e->hits++;
    if (now - e->told_ms < FOLD_WINDOW_MS)
        return;
    e->told_ms = now;
    tell_hits(p, e);
}

void log_open(struct dnsproxy *p)
{
    p->cache = cache_new(CACHE_BYTES, on_dropped, p);
    struct msg_log_connect others = {
        .decision = MSG_DENY, .endpoint = POLICY_INDEX_NONE, .family = AF_INET};
    msg_init(&others, MSG_LOG_CONNECT, sizeof(others));
    p->allowed = open_resolve(p, MSG_ALLOW);
    p->denied = open_resolve(p, p->policy.dry_run ? MSG_WOULD_DENY : MSG_DENY);
    p->rejected = fold_new(p->base, sizeof(others), offsetof(struct msg_log_connect, count),
                           &others, hash_connect, send_message, p);
}

void log_close(struct dnsproxy *p)
{
    cache_free(p->cache);
    p->cache = NULL;
    fold_free(p->allowed);
    fold_free(p->denied);
    fold_free(p->rejected);
    p->allowed = p->denied = p->rejected = NULL;
}

void log_flush(struct dnsproxy *p)
{
    cache_each(p->cache, on_dropped, p);
    fold_flush(p->denied);
    fold_flush(p->rejected);
    fold_flush(p->allowed);
}

void log_finish(struct dnsproxy *p)
{
    struct msg_finish m;
    msg_init(&m, MSG_FINISH, sizeof(m));
    send_message(p, &m);
}

void log_allow(struct dnsproxy *p, const char *name, uint16_t qtype, uint32_t endpoint,
               const char *reason, uint32_t count)
{
    struct msg_log_resolve m = resolve_message(MSG_ALLOW, name, qtype, endpoint, reason);
    fold_add(p->allowed, &m, count);
}

void log_deny(struct dnsproxy *p, const char *name, uint16_t qtype, const char *reason,
              uint32_t count)
{
    struct msg_log_resolve m = resolve_message(MSG_DENY, name, qtype, POLICY_INDEX_NONE, reason);
    fold_add(p->denied, &m, count);
}

void log_would_deny(struct dnsproxy *p, const char *name, uint16_t qtype, const char *reason,
                    uint32_t count)
{
    struct msg_log_resolve m =
        resolve_message(MSG_WOULD_DENY, name, qtype, POLICY_INDEX_NONE, reason);
    fold_add(p->denied, &m, count);
}

void log_server(struct dnsproxy *p, uint8_t protocol, const struct msg_server *server)
{
    struct msg_log_connect m = {.port = DNS_PORT, .family = server->family, .protocol = protocol};
    const struct endpoint *ep;

    if (server->family == 0 || !p->policy.dry_run)
        return;
    ep = policy_match_dns_server(&p->policy, server->family, server->address);
    m.decision = ep ? MSG_ALLOW : MSG_WOULD_DENY;
    m.endpoint = policy_index(&p->policy, ep);
    msg_init(&m, MSG_LOG_CONNECT, sizeof(m));
    memcpy(m.address, server->address, sizeof(m.address));
    fold_add(p->rejected, &m, 1);
}

void log_reject(struct dnsproxy *p, const struct nflog_packet *packet)
{
    struct msg_log_connect m = {.decision = MSG_DENY,
                                .endpoint = POLICY_INDEX_NONE,
                                .port = packet->port,
                                .family = (uint8_t)packet->family,
                                .protocol = packet->protocol};
    msg_init(&m, MSG_LOG_CONNECT, sizeof(m));
    memcpy(m.address, packet->destination, sizeof(m.address));
    fold_add(p->rejected, &m, 1);
}
