/* proxy.c: the process as a whole: what it is made of, its clock, its end.
 *
 * The clock ticks once a second, and only while there are connections: each tick looks at the
 * deadline of each session and at the age of each kept connection. Deadlines are then plain numbers
 * that cost nothing to move, which they are with every read and write; the times are long enough
 * for a second more not to matter. */
#include "httpproxy/proxy.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "httpproxy/log.h"
#include "httpproxy/opening.h"
#include "httpproxy/secret.h"
#include "httpproxy/session.h"
#include "httpproxy/stream.h"
#include "httpproxy/upstream.h"
#include "httpproxy/via.h"
#include "src/quota.h"
#include "src/relay.h"
#include "src/util.h"

/* A handshake takes some times what its connection needs afterwards. Where there were many at once,
 * what they took lies between what is still needed, where free(3) alone gives nothing back. */
static void give_memory_back(struct proxy *p)
{
    if (p->handshakes >= LIMIT_HANDSHAKES_KEPT && p->handshakes == p->handshakes_before) {
        (void)malloc_trim(LIMIT_KEPT_MEMORY);
        p->handshakes = 0;
    }
    p->handshakes_before = p->handshakes;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct proxy *p = arg;
    uint64_t now = now_ms();
    struct session *s = TAILQ_FIRST(&p->sessions);

    (void)fd;
    (void)what;
    while (s) {
        struct session *next = TAILQ_NEXT(s, all);
        if (now >= s->deadline)
            session_timeout(s); /* frees s, perhaps, but no other session */
        s = next;
    }
    openings_expire(p->openings, now);
    upstreams_expire(p->upstreams, now);
    h2_pool_expire(p->h2, now);
    give_memory_back(p);
    proxy_changed(p);
}

void proxy_changed(struct proxy *p)
{
    static const struct timeval second = {.tv_sec = LIMIT_TICK_MS / 1000};
    bool needed;

    if (p->ending)
        return;
    needed = p->session_count > 0 || upstreams_idle(p->upstreams) > 0 || h2_pool_count(p->h2) > 0 ||
             openings_count(p->openings) > 0;
    listen_update(p);
    if (!needed)
        (void)event_del(&p->tick);
    else if (!event_pending(&p->tick, EV_TIMEOUT, NULL))
        (void)event_add(&p->tick, &second);
}

bool proxy_congested(const struct proxy *p)
{
    return channel_queued(p->channel) > LIMIT_QUEUED;
}

void proxy_limit(struct proxy *p, struct quota *quota)
{
    p->quota = quota;
    relays_limit(p->relays, quota);
}

ssize_t proxy_send(struct proxy *p, struct stream *server, const void *data, size_t len)
{
    uint64_t left = quota_left(p->quota);

    if (left == 0)
        return -EDQUOT;
    ssize_t n = stream_write(server, data, len < left ? len : (size_t)left);
    if (n > 0)
        quota_count(p->quota, (uint64_t)n);
    return n;
}

/* A timer, if of no time, and not event_active: that would run before the next look at the sockets.
 */
static void arm_run(struct proxy *p)
{
    bool wait = proxy_congested(p) || p->finishing;
    struct timeval t = {.tv_usec = wait ? LIMIT_CONGESTED_MS * 1000 : 0};

    if (!event_pending(&p->run, EV_TIMEOUT, NULL))
        (void)event_add(&p->run, &t);
}

void proxy_run_later(struct proxy *p, struct session *s)
{
    if (!s->queued) {
        TAILQ_INSERT_TAIL(&p->queue, s, waiting);
        p->queue_len++;
        s->queued = true;
    }
    arm_run(p);
}

static bool is_drained(const struct proxy *p)
{
    return now_ms() >= p->finish_deadline ||
           (p->session_count == 0 && relays_undelivered(p->relays) == 0 &&
            vias_undelivered(p->vias) == 0);
}

/* What the command said last in its tunnels, and the last messages have gone. */
static bool all_said(struct proxy *p)
{
    log_flush(p);
    if (channel_queued(p->channel) > 0 || !is_drained(p))
        return false;
    if (!p->answered) {
        struct msg_finish m;
        msg_init(&m, MSG_FINISH, sizeof(m));
        (void)channel_send(p->channel, &m, -1);
        p->answered = true;
    }
    return channel_queued(p->channel) == 0;
}

static void finish_or_wait(struct proxy *p)
{
    if (all_said(p))
        (void)event_base_loopbreak(p->base);
    else
        arm_run(p);
}

/* but_raw: tunnels are not ended. */
static void end_all(struct proxy *p, const char *why, bool but_raw)
{
    struct session *s = TAILQ_FIRST(&p->sessions);

    while (s) {
        struct session *next = TAILQ_NEXT(s, all);
        if (!but_raw || s->state != SESSION_RAW)
            session_free(s, why);
        s = next;
    }
}

/* Runs those that wait now; who queues again meanwhile waits for the next turn. */
static void on_run(evutil_socket_t fd, short what, void *arg)
{
    struct proxy *p = arg;

    (void)fd;
    (void)what;
    for (size_t n = p->queue_len; n > 0 && p->queue_len > 0; n--) {
        struct session *s = TAILQ_FIRST(&p->queue);
        TAILQ_REMOVE(&p->queue, s, waiting);
        p->queue_len--;
        s->queued = false;
        session_run(s);
    }
    if (p->finishing && !p->ended_all)
        end_all(p, "the command ended first", true);
    p->ended_all = p->finishing;
    if (p->finishing)
        finish_or_wait(p);
    else if (p->queue_len > 0)
        arm_run(p);
}

/* --- the channel --- */

/* What cannot be understood is not served without. */
static void take_secret(struct proxy *p, const struct msg_secret *m)
{
    struct error e;

    if (secrets_add(p->secrets, m, &e) < 0)
        die("the supervisor broke the protocol: %s", e.text);
}

/* The command has ended: what it said last waits at the sockets, and is read once, so that it is
 * judged and logged. The loop may not have begun yet (proxy_take_configuration). */
static void begin_end(struct proxy *p)
{
    struct session *s;

    listen_take_rest(p);
    listen_close(p);
    TAILQ_FOREACH (s, &p->sessions, all)
        proxy_run_later(p, s);
    p->finish_deadline = now_ms() + LIMIT_DRAIN_MS;
    arm_run(p);
    p->finishing = true;
}

static void on_message(struct channel *c, const struct msg_head *m, int fd, void *arg)
{
    struct proxy *p = arg;

    (void)c;
    if (m->type == MSG_DIALED) {
        upstream_on_dialed(p, (const struct msg_dialed *)(const void *)m, fd);
        return;
    }
    if (fd >= 0)
        (void)close(fd);
    if (m->type == MSG_PARENT)
        vias_told(p->vias, (const struct msg_parent *)(const void *)m);
    if (m->type == MSG_SECRET)
        take_secret(p, (const struct msg_secret *)(const void *)m);
    if (m->type == MSG_FINISH)
        begin_end(p);
}

static void on_closed(struct channel *c, const char *reason, void *arg)
{
    struct proxy *p = arg;

    (void)c;
    if (reason)
        warn_text("the supervisor broke the protocol: %s", reason);
    (void)event_base_loopbreak(p->base);
}

/* --- the parts --- */

static int make_ca(struct proxy *p, struct error *e)
{
    p->ca = ca_new(e);
    if (!p->ca)
        return -EIO;
    p->mitm = mitm_new(p->ca, e);
    return p->mitm ? 0 : -EIO;
}

void proxy_take_configuration(struct proxy *p)
{
    channel_catch_up(p->channel);
}

int proxy_send_ca(struct proxy *p, struct error *e)
{
    struct msg_ca m;
    size_t len;

    if (!p->ca)
        return 0;
    const char *pem = ca_pem(p->ca, &len);
    if (len >= sizeof(m.pem))
        return error_set(e, EMSGSIZE, "the certificate of the CA is too long");
    memset(&m, 0, sizeof(m));
    msg_init(&m, MSG_CA, sizeof(m));
    m.pem_len = (uint32_t)len;
    memcpy(m.pem, pem, len);
    int r = channel_send(p->channel, &m, -1);
    return r < 0 ? error_errno(e, -r, "send the CA to the supervisor") : 0;
}

/* epoll, or nothing: the streams count on edges. */
static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config &&
        event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_O1 |
                                                  EV_FEATURE_EARLY_CLOSE) == 0 &&
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    return base;
}

struct proxy *proxy_new(struct policy *policy, char *roots, size_t roots_len, int channel_fd,
                        size_t session_max, struct error *e)
{
    struct proxy *p = xcalloc(1, sizeof(*p));

    p->base = make_base();
    p->bio = stream_bio_method();
    if (!p->base || !p->bio)
        die("cannot make the event loop");
    p->policy = *policy;
    memset(policy, 0, sizeof(*policy));
    p->session_max = session_max;
    TAILQ_INIT(&p->sessions);
    TAILQ_INIT(&p->queue);
    (void)event_assign(&p->tick, p->base, -1, EV_PERSIST, on_tick, p);
    (void)evtimer_assign(&p->run, p->base, on_run, p);
    log_init(p);
    listen_init(p);
    p->upstreams = upstreams_new(p, roots, roots_len);
    p->h2 = h2_pool_new(p);
    p->openings = openings_new(p);
    p->vias = vias_new(p);
    p->secrets = secrets_new();
    p->relays = relays_new(p->base, (session_max + LIMIT_RELAYS_PART - 1) / LIMIT_RELAYS_PART);
    unsigned types = 1u << MSG_DIALED | 1u << MSG_FINISH | 1u << MSG_PARENT | 1u << MSG_SECRET;
    p->channel =
        channel_new(p->base, channel_fd, types, 1u << MSG_DIALED, on_message, on_closed, p);
    if (policy_needs_ca(&p->policy) && make_ca(p, e) < 0) {
        proxy_free(p, NULL);
        return NULL;
    }
    return p;
}

void proxy_free(struct proxy *p, const char *why)
{
    if (!p)
        return;
    p->ending = true;
    listen_close(p);
    end_all(p, why, false);
    openings_free(p->openings);
    p->openings = NULL;
    relays_free(p->relays);
    h2_pool_free(p->h2);
    vias_free(p->vias);
    upstreams_free(p->upstreams);
    (void)event_del(&p->tick);
    (void)event_del(&p->run);
    log_flush(p);
    log_end(p);
    channel_free(p->channel);
    secrets_free(p->secrets);
    mitm_free(p->mitm);
    ca_free(p->ca);
    BIO_meth_free(p->bio);
    policy_free(&p->policy);
    event_base_free(p->base);
    free(p);
}
