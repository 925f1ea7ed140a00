/* upstream.c: connections to origin servers; see upstream.h.
 *
 * This process cannot connect anywhere: it asks (MSG_DIAL) and gets a connected socket
 * (MSG_DIALED). A dial has a slot in a table; its id is the slot and the slot's generation, so that
 * an answer that nobody waits for, or that was never asked for, is recognised and its socket
 * closed. A dial whose session is gone keeps its slot until the answer comes (an orphan), and
 * counts like a client: whoever opens connections only to drop them again fills his own quota.
 *
 * Kept connections stand in one list, the one used last first; few enough to be searched. While
 * idle they are watched: a byte or an end means that the server is done with them. */
#include "httpproxy/upstream.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "httpproxy/exchange.h"
#include "httpproxy/limits.h"
#include "httpproxy/opening.h"
#include "httpproxy/raw.h"
#include "httpproxy/session.h"
#include "httpproxy/via.h"
#include "src/util.h"

#define NO_SLOT UINT32_MAX

struct dial {
    uint32_t generation;
    bool busy;
    uint32_t next_free;
    struct session *session; /* both NULL: an orphan */
    struct opening *opening;
};

struct upstreams {
    struct proxy *proxy;
    struct upstream_tls *tls;
    TAILQ_HEAD(idle_list, upstream) idle;
    size_t idle_count;
    struct dial *dials;
    uint32_t dial_count; /* slots */
    uint32_t free_slot;
    size_t orphans;
};

struct upstreams *upstreams_new(struct proxy *p, char *roots, size_t roots_len)
{
    struct upstreams *u = xcalloc(1, sizeof(*u));

    u->proxy = p;
    u->tls = upstream_tls_new(roots, roots_len);
    u->free_slot = NO_SLOT;
    TAILQ_INIT(&u->idle);
    return u;
}

void upstreams_free(struct upstreams *u)
{
    struct upstream *up;

    if (!u)
        return;
    while ((up = TAILQ_FIRST(&u->idle))) {
        TAILQ_REMOVE(&u->idle, up, idle);
        upstream_drop(up);
    }
    upstream_tls_free(u->tls);
    free(u->dials);
    free(u);
}

struct upstream_tls *upstreams_tls(struct upstreams *u)
{
    return u->tls;
}

size_t upstreams_idle(const struct upstreams *u)
{
    return u->idle_count;
}

size_t upstreams_orphans(const struct upstreams *u)
{
    return u->orphans;
}

/* --- one connection --- */

struct upstream *upstream_new(struct proxy *p, int fd, enum url_scheme scheme,
                              const struct url_authority *a, stream_ready_cb *ready, void *arg,
                              struct error *e)
{
    struct upstream *up = xcalloc(1, sizeof(*up));

    up->proxy = p;
    up->scheme = scheme;
    up->authority = *a;
    (void)set_nonblocking(fd);
    set_tcp_options(fd);
    if (stream_open(&up->stream, p->base, fd, ready, arg) < 0) {
        free(up);
        (void)error_set(e, EIO, "the connection cannot be watched");
        return NULL;
    }
    return up;
}

void upstream_drop(struct upstream *up)
{
    if (!up)
        return;
    stream_close(&up->stream);
    free(up);
}

/* --- kept connections --- */

static void unlink_idle(struct upstreams *u, struct upstream *up)
{
    TAILQ_REMOVE(&u->idle, up, idle);
    u->idle_count--;
    proxy_changed(u->proxy);
}

static void drop_idle(struct upstreams *u, struct upstream *up)
{
    unlink_idle(u, up);
    if (!up->stream.broken)
        stream_shutdown(&up->stream);
    upstream_drop(up);
}

static void on_idle_ready(void *arg)
{
    struct upstream *up = arg;

    if (!stream_is_quiet(&up->stream))
        drop_idle(up->proxy->upstreams, up);
}

static bool serves(const struct upstream *up, enum url_scheme scheme, const struct url_authority *a)
{
    return up->scheme == scheme && url_authority_equal(&up->authority, a);
}

struct upstream *upstream_take(struct proxy *p, enum url_scheme scheme,
                               const struct url_authority *a, uint64_t max_idle)
{
    struct upstreams *u = p->upstreams;
    uint64_t now = now_ms();
    struct upstream *up = TAILQ_FIRST(&u->idle);

    while (up && now - up->idle_since <= max_idle) {
        struct upstream *next = TAILQ_NEXT(up, idle);
        if (serves(up, scheme, a)) {
            if (stream_is_quiet(&up->stream)) {
                unlink_idle(u, up);
                return up;
            }
            drop_idle(u, up);
        }
        up = next;
    }
    return NULL;
}

bool upstream_has_kept(const struct proxy *p, enum url_scheme scheme, const struct url_authority *a)
{
    const struct upstream *up;

    TAILQ_FOREACH (up, &p->upstreams->idle, idle)
        if (serves(up, scheme, a))
            return true;
    return false;
}

/* Makes room for one more connection to the same authority. */
static void make_room(struct upstreams *u, const struct upstream *like)
{
    struct upstream *oldest = NULL;
    size_t same = 0;

    for (struct upstream *up = TAILQ_FIRST(&u->idle); up; up = TAILQ_NEXT(up, idle)) {
        if (serves(up, like->scheme, &like->authority)) {
            same++;
            oldest = up;
        }
    }
    if (same >= LIMIT_IDLE_PER_AUTHORITY)
        drop_idle(u, oldest);
    else if (u->idle_count >= LIMIT_IDLE_UPSTREAMS || u->idle_count >= u->proxy->session_max)
        drop_idle(u, TAILQ_LAST(&u->idle, idle_list));
}

void upstream_keep(struct upstream *up)
{
    struct upstreams *u = up->proxy->upstreams;
    char byte;

    stream_set_owner(&up->stream, on_idle_ready, up);
    stream_settle(&up->stream);
    if (stream_read(&up->stream, &byte, 1) != -EAGAIN) {
        upstream_drop(up);
        return;
    }
    make_room(u, up);
    up->reused = true;
    up->idle_since = now_ms();
    TAILQ_INSERT_HEAD(&u->idle, up, idle);
    u->idle_count++;
    proxy_changed(u->proxy);
}

static void on_own_ready(void *arg)
{
    struct session *s = arg;

    if (!s->own || stream_is_quiet(&s->own->stream))
        return;
    upstream_drop(s->own);
    s->own = NULL;
}

void upstream_keep_for(struct session *s, struct upstream *up)
{
    upstream_drop(s->own);
    up->reused = true;
    up->idle_since = now_ms();
    s->own = up;
    stream_set_owner(&up->stream, on_own_ready, s);
}

struct upstream *upstream_take_own(struct session *s, enum url_scheme scheme,
                                   const struct url_authority *a, uint64_t max_idle)
{
    struct upstream *up = s->own;

    if (!up)
        return NULL;
    s->own = NULL;
    if (serves(up, scheme, a) && now_ms() - up->idle_since <= max_idle &&
        stream_is_quiet(&up->stream))
        return up;
    upstream_drop(up);
    return NULL;
}

void upstreams_expire(struct upstreams *u, uint64_t now)
{
    struct upstream *up = TAILQ_LAST(&u->idle, idle_list);

    while (up && now - up->idle_since > LIMIT_POOL_MS) {
        struct upstream *newer = TAILQ_PREV(up, idle_list, idle);
        drop_idle(u, up);
        up = newer;
    }
}

/* --- dials --- */

/* A free slot, or NO_SLOT when there are twice as many dials as clients may be. */
static uint32_t take_slot(struct upstreams *u)
{
    if (u->free_slot == NO_SLOT) {
        size_t max = u->proxy->session_max * 2;
        size_t count = u->dial_count ? u->dial_count * (size_t)2 : 64;
        if (count > max)
            count = max;
        if (count <= u->dial_count)
            return NO_SLOT;
        u->dials = xrealloc(u->dials, count * sizeof(u->dials[0]));
        for (uint32_t i = u->dial_count; i < count; i++) {
            u->dials[i] = (struct dial){.next_free = u->free_slot};
            u->free_slot = i;
        }
        u->dial_count = (uint32_t)count;
    }
    uint32_t slot = u->free_slot;
    u->free_slot = u->dials[slot].next_free;
    return slot;
}

static void free_slot(struct upstreams *u, uint32_t slot)
{
    struct dial *d = &u->dials[slot];

    d->busy = false;
    d->session = NULL;
    d->opening = NULL;
    d->generation++;
    d->next_free = u->free_slot;
    u->free_slot = slot;
}

/* The dial under way that has this id, or NULL. */
static struct dial *find_dial(struct upstreams *u, uint64_t id)
{
    uint32_t slot = (uint32_t)id;

    if (slot >= u->dial_count || !u->dials[slot].busy || u->dials[slot].generation != id >> 32)
        return NULL;
    return &u->dials[slot];
}

static bool is_orphan(const struct dial *d)
{
    return !d->session && !d->opening;
}

/* whose: for whom. */
static int dial(struct proxy *p, struct dial whose, uint32_t scheme, const struct url_authority *a,
                unsigned client_port, uint64_t *id, struct error *e)
{
    struct upstreams *u = p->upstreams;
    uint32_t slot = take_slot(u);
    struct msg_dial m;

    if (slot == NO_SLOT)
        return error_set(e, EAGAIN, "too many connections are being made");
    struct dial *d = &u->dials[slot];
    d->busy = true;
    d->session = whose.session;
    d->opening = whose.opening;
    *id = (uint64_t)d->generation << 32 | slot;
    memset(&m, 0, sizeof(m));
    msg_init(&m, MSG_DIAL, sizeof(m));
    m.id = *id;
    m.scheme = scheme;
    m.port = a->port;
    m.client_port = client_port;
    copy_string(m.host, sizeof(m.host), a->host);
    int r = channel_send(p->channel, &m, -1);
    if (r < 0) {
        free_slot(u, slot);
        return error_set(e, -r, "the dialer cannot be asked");
    }
    return 0;
}

int upstream_dial(struct session *s, enum url_scheme scheme, const struct url_authority *a,
                  uint64_t *id, struct error *e)
{
    return dial(s->proxy, (struct dial){.session = s}, scheme, a, 0, id, e);
}

int upstream_dial_raw(struct session *s, const struct url_authority *a, unsigned client_port,
                      uint64_t *id, struct error *e)
{
    return dial(s->proxy, (struct dial){.session = s}, MSG_DIAL_RAW, a, client_port, id, e);
}

int upstream_dial_opening(struct proxy *p, struct opening *o, const struct url_authority *a,
                          uint64_t *id, struct error *e)
{
    return dial(p, (struct dial){.opening = o}, URL_HTTPS, a, 0, id, e);
}

void upstream_cancel(struct proxy *p, uint64_t id)
{
    struct dial *d = find_dial(p->upstreams, id);

    if (!d || is_orphan(d))
        return;
    d->session = NULL;
    d->opening = NULL;
    p->upstreams->orphans++;
}

void upstream_on_dialed(struct proxy *p, const struct msg_dialed *m, int fd)
{
    struct dial *d = find_dial(p->upstreams, m->id);

    if (!d || is_orphan(d) || fd < 0 || m->error || m->via == MSG_VIA_NOTHING) {
        upstream_dialed(p, m->id, fd, m->error, m->text, false);
        return;
    }
    if (d->session && d->session->raw)
        d->session->raw->via = true;
    via_begin(p->vias, m, fd);
}

void upstream_dialed(struct proxy *p, uint64_t id, int fd, int error, const char *text,
                     bool absolute)
{
    struct upstreams *u = p->upstreams;
    cleanup_close int owned = fd;
    struct dial *d = find_dial(u, id);
    struct session *s = d ? d->session : NULL;
    struct opening *o = d ? d->opening : NULL;

    if (!d)
        return;
    free_slot(u, (uint32_t)id);
    if (!s && !o) {
        u->orphans--;
        proxy_changed(p);
        return;
    }
    int err = fd >= 0 ? error : error ? error : EMFILE; /* channel.h */
    int given = err ? -1 : steal_fd(&owned);
    if (o) {
        opening_dialed(o, given, err, text);
        return;
    }
    if (s->raw) {
        raw_dialed(s, given, err, text);
    } else {
        s->exchange->absolute = absolute;
        exchange_dialed(s->exchange, given, err, text);
    }
    session_run(s);
}
