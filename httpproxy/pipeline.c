/* pipeline.c: the requests behind the one whose response is read.
 *
 * A client that pipelines would have to wait for a round trip to the server for each request, if
 * one were only sent on after the response to the one before. So what is a plain GET or HEAD to the
 * same server, and allowed, is sent behind it on the same connection. Each is an exchange of its
 * own, in s->ahead, until its turn comes: then the connection is its own, with what has been read
 * of its response. As long as nothing has been read of that it may be sent once more, since GET and
 * HEAD are idempotent (RFC 9112, 9.3.2), as any request on a kept connection.
 *
 * Whatever else comes next in the client's bytes (what is denied, malformed, has a body) waits for
 * its turn, and so does all behind it. Nothing is sent ahead on a connection of which it is not
 * known that the server keeps it (the same section), and nothing after one was lost on which
 * something had been, before another has served two requests. */
#include "httpproxy/pipeline.h"

#include <string.h>

#include "httpproxy/limits.h"

bool pipeline_has_method(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* Has x been sent, on a connection on which more can be sent? */
static bool may_follow(const struct exchange *x)
{
    const struct upstream *up = x->upstream;

    return up && x->end == EXCHANGE_GOES_ON && x->phase == EXCHANGE_ACTIVE && !up->shared &&
           !up->absolute && !x->session->ahead_off &&
           (x->responded ? x->upstream_keep_alive : up->reused) && x->request.done &&
           buf_len(&x->send) == 0 && !x->send_failed && !x->upstream_end && x->keep_alive &&
           !x->upgrade[0] && pipeline_has_method(x->method);
}

/* The next request of the client, if it may go ahead. */
static bool take(struct exchange *x)
{
    struct session *s = x->session;
    size_t len = buf_len(&s->in);
    struct exchange *next;
    int end;

    if (s->ahead_ends || s->ahead_count >= LIMIT_PIPELINE ||
        s->proxy->ahead_count >= LIMIT_PIPELINED || len <= s->scanned || proxy_congested(s->proxy))
        return false;
    end = head_find_end(buf_begin(&s->in), len, s->scanned);
    s->scanned = end == 0 ? len : 0;
    next = end > 0 ? request_ahead(s, x, (size_t)end) : NULL;
    s->ahead_ends = end != 0 && !next;
    if (!next)
        return false;
    TAILQ_INSERT_TAIL(&s->ahead, next, ahead);
    s->ahead_count++;
    s->proxy->ahead_count++;
    return true;
}

static bool send_some(struct exchange *x, struct exchange *next)
{
    ssize_t n = proxy_send(x->session->proxy, &x->upstream->stream, buf_begin(&next->send),
                           buf_len(&next->send));

    if (n <= 0) /* what is wrong is found in its turn */
        return false;
    next->written += (uint64_t)n;
    next->pinned = next->went_ahead = true;
    buf_consume_keep(&next->send, (size_t)n);
    return true;
}

bool pipeline_step(struct exchange *x)
{
    struct session *s = x->session;
    struct exchange *next;
    bool moved = false;

    if (!may_follow(x))
        return false;
    while (take(x))
        moved = true;
    TAILQ_FOREACH (next, &s->ahead, ahead) {
        while (buf_len(&next->send) > 0)
            if (!send_some(x, next))
                return moved;
    }
    return moved;
}

bool pipeline_pass(struct exchange *x, struct upstream *up)
{
    struct exchange *next = TAILQ_FIRST(&x->session->ahead);

    if (!next || up->shared || up->absolute ||
        (buf_len(&x->recv) > 0 && next->written < next->head_len)) /* nobody asked for it */
        return false;
    x->session->ahead_off = false;
    up->reused = true;
    stream_set_owner(&up->stream, exchange_ready, next);
    next->upstream = up;
    next->recv = x->recv;
    memset(&x->recv, 0, sizeof(x->recv));
    next->got_bytes = buf_len(&next->recv) > 0;
    next->pinned = true;
    if (next->got_bytes)
        exchange_unpin(next);
    return true;
}

void pipeline_lost(struct session *s)
{
    struct exchange *next;

    TAILQ_FOREACH (next, &s->ahead, ahead) {
        s->ahead_off |= next->written > 0;
        buf_rewind(&next->send);
        next->written = 0;
        next->pinned = false;
    }
}

/* The first, out of the list; NULL: there is none. */
static struct exchange *shift(struct session *s)
{
    struct exchange *next = TAILQ_FIRST(&s->ahead);

    if (!next)
        return NULL;
    TAILQ_REMOVE(&s->ahead, next, ahead);
    s->ahead_count--;
    s->proxy->ahead_count--;
    return next;
}

bool pipeline_next(struct session *s)
{
    struct exchange *next = shift(s);

    if (next)
        exchange_resume(next);
    return next;
}

void pipeline_free(struct session *s)
{
    struct exchange *next;

    while ((next = shift(s))) {
        if (next->went_ahead)
            exchange_interrupted(next, "the connection ended before its response");
        exchange_free(next);
    }
}
