/* h2_upstream.c: connections to servers that speak HTTP/2: shared; see h2.h.
 *
 * Which version a server speaks is known once its handshake is done (ALPN). Its connection is then
 * one of the pool, and every request to that scheme, host and port takes a stream of it, up to what
 * the server allows at once. The certificate was verified for that host alone, and for no other is
 * the connection ever used.
 *
 * A connection that was idle for LIMIT_POOL_MS is closed; one on which nothing has come since a
 * request was sent that nobody waits for any more is used for no new one. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "httpproxy/upstream.h"
#include "src/util.h"

struct link {
    TAILQ_ENTRY(link) all;
    struct h2_pool *pool;
    struct upstream *carrier; /* the connection itself */
    struct h2_conn *conn;
    struct event kick;
    uint64_t used_at;  /* now_ms() when the last stream was taken, or the count fell to none */
    uint64_t ended_at; /* 0: it goes on; else now_ms() when it was to end */
    bool used;
};

struct h2_pool {
    struct proxy *proxy;
    TAILQ_HEAD(links, link) links;
    size_t count;
};

struct h2_pool *h2_pool_new(struct proxy *p)
{
    struct h2_pool *pool = xcalloc(1, sizeof(*pool));

    pool->proxy = p;
    TAILQ_INIT(&pool->links);
    return pool;
}

size_t h2_pool_count(const struct h2_pool *pool)
{
    return pool ? pool->count : 0;
}

/* Streams break; their users run, and may take other connections of the pool. */
static void drop(struct link *l)
{
    struct h2_pool *pool = l->pool;

    TAILQ_REMOVE(&pool->links, l, all);
    pool->count--;
    (void)event_del(&l->kick);
    stream_shutdown(&l->carrier->stream);
    h2_conn_free(l->conn);
    upstream_drop(l->carrier);
    free(l);
    proxy_changed(pool->proxy);
}

void h2_pool_free(struct h2_pool *pool)
{
    struct link *l, *next;

    if (!pool)
        return;
    for (l = TAILQ_FIRST(&pool->links); l; l = next) {
        next = TAILQ_NEXT(l, all);
        drop(l);
    }
    free(pool);
}

static void run(struct link *l)
{
    size_t before = l->conn->count;

    (void)h2_run(l->conn);
    if (l->conn->count == 0 && before > 0)
        l->used_at = now_ms();
    if (h2_conn_over(l->conn))
        drop(l);
}

static void on_carrier_ready(void *arg)
{
    run(arg);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    run(arg);
}

static void on_notify(struct h2_stream *st)
{
    st->user->ready(st->user->arg);
}

static void on_wake(struct h2_conn *c)
{
    static const struct timeval now = {0};
    struct link *l = c->owner;

    if (!event_pending(&l->kick, EV_TIMEOUT, NULL))
        (void)event_add(&l->kick, &now);
}

static const struct h2_side side = {.notify = on_notify, .wake = on_wake};

/* Ends, in order, those that no request has used for too long, the oldest ones beyond
 * LIMIT_H2_CONNECTIONS too. */
void h2_pool_expire(struct h2_pool *pool, uint64_t now)
{
    struct link *l = TAILQ_FIRST(&pool->links);
    size_t max = pool->proxy->session_max < LIMIT_H2_CONNECTIONS ? pool->proxy->session_max
                                                                 : LIMIT_H2_CONNECTIONS;
    size_t over = pool->count > max ? pool->count - max : 0;

    while (l) {
        struct link *next = TAILQ_NEXT(l, all);
        if (l->ended_at && l->conn->count == 0 && now - l->ended_at > LIMIT_LINGER_MS) {
            drop(l); /* what it is to be told finds no way out; no stream has a user */
        } else if (l->conn->count == 0 && (over > 0 || now - l->used_at > LIMIT_POOL_MS)) {
            over -= over > 0;
            l->ended_at = l->ended_at ? l->ended_at : now;
            h2_conn_end(l->conn, NGHTTP2_NO_ERROR);
            on_wake(l->conn);
        }
        l = next;
    }
}

/* Can it take one more? A server that does not answer on it may be gone. */
static bool has_room(const struct link *l)
{
    nghttp2_session *ng = l->conn->ng;
    uint32_t max = nghttp2_session_get_remote_settings(ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

    if (max > LIMIT_H2_STREAMS)
        max = LIMIT_H2_STREAMS;
    return !h2_conn_over(l->conn) && !l->conn->doubtful && l->conn->count < max &&
           nghttp2_session_check_request_allowed(ng);
}

static struct upstream *new_stream(struct link *l)
{
    const struct upstream *carrier = l->carrier;
    struct upstream *up = xcalloc(1, sizeof(*up));
    struct h2_stream *st = h2_stream_new(l->conn);

    up->proxy = carrier->proxy;
    up->scheme = carrier->scheme;
    up->authority = carrier->authority;
    up->shared = true;
    up->reused = l->used;
    stream_open_inner(&up->stream, &h2_stream_ops, st, NULL, NULL);
    st->user = &up->stream;
    l->conn->count++;
    l->used = true;
    l->used_at = now_ms();
    return up;
}

static struct link *find(const struct proxy *p, enum url_scheme scheme,
                         const struct url_authority *a)
{
    struct link *l;

    TAILQ_FOREACH (l, &p->h2->links, all)
        if (l->carrier->scheme == scheme && url_authority_equal(&l->carrier->authority, a) &&
            has_room(l))
            return l;
    return NULL;
}

bool h2_upstream_has(const struct proxy *p, enum url_scheme scheme, const struct url_authority *a)
{
    return find(p, scheme, a) != NULL;
}

struct upstream *h2_upstream_take(struct proxy *p, enum url_scheme scheme,
                                  const struct url_authority *a)
{
    struct link *l = find(p, scheme, a);

    return l ? new_stream(l) : NULL;
}

/* A request is not to wait behind all of an upload that the kernel would take. */
static void keep_unsent_short(int fd)
{
    const int bytes = LIMIT_H2_UNSENT;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

struct upstream *h2_upstream_adopt(struct upstream *up)
{
    struct h2_pool *pool = up->proxy->h2;
    struct upstream *other = h2_upstream_take(up->proxy, up->scheme, &up->authority);

    if (other) { /* several requests dialled at once: one connection is enough */
        stream_shutdown(&up->stream);
        upstream_drop(up);
        return other;
    }
    struct link *l = xcalloc(1, sizeof(*l));
    l->conn = h2_conn_new(up->proxy, &up->stream, false, &side, l);
    if (!l->conn) {
        free(l);
        upstream_drop(up);
        return NULL;
    }
    keep_unsent_short(up->stream.fd);
    l->pool = pool;
    l->carrier = up;
    (void)evtimer_assign(&l->kick, up->proxy->base, on_kick, l);
    stream_set_owner(&up->stream, on_carrier_ready, l);
    TAILQ_INSERT_HEAD(&pool->links, l, all);
    pool->count++;
    on_wake(l->conn);
    proxy_changed(up->proxy);
    return new_stream(l);
}
