/* opening.c: https connections on their way that no request owns; see opening.h.
 *
 * Early ones: while a client is at its handshake, the connection to the server that it named is
 * begun, if that is a host and port of an https endpoint and nothing is kept that could serve. The
 * first request that wants one takes it; where none comes it is kept like any other (upstream.c,
 * h2_upstream.c), for as long. Nothing is said on it but TLS, so that nothing leaves that was not
 * judged.
 *
 * Shared ones: a server that speaks HTTP/2 needs one connection for many requests, which is not
 * known before the first handshake with it is done. Where it is known of the last one, requests
 * wait for the connection that is on its way; where nothing is known, those of clients do that
 * speak HTTP/2 themselves, since they ask for many things at once. If it turns out to be HTTP/1.1,
 * the first of those that wait has it, and the others dial.
 *
 * The error of such a connection is that of all who wait for it; without any it is nobody's: the
 * request that comes later dials, and sees for itself. */
#include "httpproxy/opening.h"

#include <errno.h>
#include <stdio.h>

#include "httpproxy/cache.h"
#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "httpproxy/upstream.h"
#include "src/util.h"

struct opening {
    TAILQ_ENTRY(opening) all;
    struct openings *list;
    struct url_authority authority;
    uint64_t dial;       /* while up is NULL: its id */
    struct upstream *up; /* at its handshake */
    uint64_t deadline;   /* of now_ms() */
    TAILQ_HEAD(waiters, exchange) waiters;
};

struct openings {
    struct proxy *proxy;
    TAILQ_HEAD(opening_list, opening) all;
    size_t count;
    struct cache *spoken; /* by authority: &speaks[h2] */
};

static const bool speaks[] = {false, true};

static void release_nothing(void *value)
{
    (void)value;
}

struct openings *openings_new(struct proxy *p)
{
    struct openings *os = xcalloc(1, sizeof(*os));

    os->proxy = p;
    os->spoken = cache_new(LIMIT_TLS_SESSIONS, release_nothing);
    TAILQ_INIT(&os->all);
    return os;
}

size_t openings_count(const struct openings *os)
{
    return os ? os->count : 0;
}

/* --- what a server speaks --- */

void openings_learn(struct openings *os, const struct url_authority *a, bool h2)
{
    char key[CACHE_AUTHORITY_SIZE];

    cache_authority(a, key);
    cache_put(os->spoken, key, (void *)(uintptr_t)&speaks[h2]);
}

/* NULL: not known. */
static const bool *speaks_h2(const struct openings *os, const struct url_authority *a)
{
    char key[CACHE_AUTHORITY_SIZE];

    cache_authority(a, key);
    return cache_get(os->spoken, key);
}

/* --- beginning --- */

static struct opening *begin(struct openings *os, const struct url_authority *a)
{
    struct opening *o = xcalloc(1, sizeof(*o));
    struct error e;

    o->list = os;
    o->authority = *a;
    o->deadline = now_ms() + LIMIT_DIAL_MS;
    TAILQ_INIT(&o->waiters);
    if (upstream_dial_opening(os->proxy, o, a, &o->dial, &e) < 0) {
        free(o);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&os->all, o, all);
    os->count++;
    proxy_changed(os->proxy);
    return o;
}

/* One on its way to a; unclaimed: that nobody waits for. */
static struct opening *find(const struct openings *os, const struct url_authority *a,
                            bool unclaimed)
{
    struct opening *o;

    TAILQ_FOREACH (o, &os->all, all)
        if (url_authority_equal(&o->authority, a) && !(unclaimed && !TAILQ_EMPTY(&o->waiters)))
            return o;
    return NULL;
}

static size_t count_to(const struct openings *os, const struct url_authority *a)
{
    struct opening *o;
    size_t n = 0;

    TAILQ_FOREACH (o, &os->all, all)
        n += url_authority_equal(&o->authority, a);
    return n;
}

void opening_early(struct proxy *p, const struct url_authority *a)
{
    struct openings *os = p->openings;
    const bool *h2 = speaks_h2(os, a);
    size_t max = h2 && !*h2 ? LIMIT_EARLY_PER_AUTHORITY : 1;

    if (proxy_congested(p) || os->count >= LIMIT_OPENINGS / 2 || count_to(os, a) >= max ||
        !policy_match_authority(&p->policy, URL_HTTPS, a) || upstream_has_kept(p, URL_HTTPS, a) ||
        h2_upstream_has(p, URL_HTTPS, a))
        return;
    (void)begin(os, a);
}

bool opening_join(struct exchange *x)
{
    struct openings *os = x->session->proxy->openings;
    struct opening *o = find(os, &x->authority, true);
    const bool *h2 = o ? NULL : speaks_h2(os, &x->authority);

    if (!o && (h2 ? *h2 : x->session->client.ops != NULL)) {
        o = find(os, &x->authority, false);
        if (!o && os->count < LIMIT_OPENINGS)
            o = begin(os, &x->authority);
    }
    if (!o)
        return false;
    TAILQ_INSERT_TAIL(&o->waiters, x, waiting);
    x->opening = o;
    return true;
}

void opening_leave(struct exchange *x)
{
    TAILQ_REMOVE(&x->opening->waiters, x, waiting);
    x->opening = NULL;
}

/* --- the end --- */

/* Out of the list: nobody can join any more. */
static void unlink_opening(struct opening *o)
{
    TAILQ_REMOVE(&o->list->all, o, all);
    o->list->count--;
    proxy_changed(o->list->proxy);
}

static struct exchange *next_waiter(struct opening *o)
{
    struct exchange *x = TAILQ_FIRST(&o->waiters);

    if (x)
        opening_leave(x);
    return x;
}

/* Not connected (err, a positive errno, and text), or, with err being 0, this answer to all. */
static void fail(struct opening *o, int err, int status, const char *text)
{
    struct exchange *x;

    unlink_opening(o);
    upstream_drop(o->up);
    while ((x = next_waiter(o))) {
        struct session *s = x->session;
        if (err) {
            exchange_dialed(x, -1, err, text);
        } else {
            x->phase = EXCHANGE_ACTIVE;
            exchange_fail(x, status, "%s", text);
        }
        session_run(s);
    }
    free(o);
}

/* Ready: for the first that waits, or for the pool. */
static void give(struct opening *o)
{
    struct upstream *up = o->up;
    bool h2 = mitm_chose_h2(up->stream.ssl);
    struct exchange *x;

    unlink_opening(o);
    openings_learn(o->list, &o->authority, h2);
    if (h2)
        up = h2_upstream_adopt(up);
    x = next_waiter(o);
    if (!x && up && !h2)
        upstream_keep(up);
    else if (!x)
        upstream_drop(up); /* a stream of it */
    for (; x; x = next_waiter(o)) {
        struct session *s = x->session;
        if (up)
            exchange_connected(x, up);
        else
            exchange_connect(x);
        up = NULL;
        session_run(s);
    }
    free(o);
}

static void handshake(struct opening *o)
{
    char text[URL_HOST_SIZE + ERROR_TEXT_MAX + 32];
    struct error e;
    int r = stream_handshake(&o->up->stream, &e);

    if (r == -EAGAIN)
        return;
    if (r == 0) {
        give(o);
        return;
    }
    upstream_tls_failed(o->up);
    (void)snprintf(text, sizeof(text), "TLS with %s failed: %s", o->authority.host, e.text);
    fail(o, 0, 502, text);
}

static void on_ready(void *arg)
{
    handshake(arg);
}

void opening_dialed(struct opening *o, int fd, int err, const char *text)
{
    struct proxy *p = o->list->proxy;
    struct error e;

    o->dial = 0;
    if (fd < 0) {
        fail(o, err, 0, text);
        return;
    }
    o->up = upstream_new(p, fd, URL_HTTPS, &o->authority, on_ready, o, &e);
    if (!o->up || upstream_start_tls(o->up, &e) < 0) {
        fail(o, 0, 502, e.text);
        return;
    }
    o->deadline = now_ms() + LIMIT_SERVER_TLS_MS;
    handshake(o);
}

static void time_out(struct opening *o)
{
    char text[MSG_TEXT_SIZE];

    if (!o->up)
        upstream_cancel(o->list->proxy, o->dial);
    (void)snprintf(text, sizeof(text),
                   o->up ? "the TLS handshake with %s took too long"
                         : "no connection to %s in time",
                   o->authority.host);
    fail(o, 0, 504, text);
}

static struct opening *find_late(const struct openings *os, uint64_t now)
{
    struct opening *o = TAILQ_FIRST(&os->all);

    while (o && now < o->deadline)
        o = TAILQ_NEXT(o, all);
    return o;
}

void openings_expire(struct openings *os, uint64_t now)
{
    struct opening *o;

    while ((o = find_late(os, now)))
        time_out(o); /* runs sessions, which may change the list */
}

void openings_free(struct openings *os)
{
    struct opening *o, *next;

    if (!os)
        return;
    for (o = TAILQ_FIRST(&os->all); o; o = next) { /* no session is left to run */
        next = TAILQ_NEXT(o, all);
        if (!o->up)
            upstream_cancel(os->proxy, o->dial);
        fail(o, 0, 503, "the proxy ends");
    }
    cache_free(os->spoken);
    free(os);
}
