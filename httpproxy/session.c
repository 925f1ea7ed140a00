/* session.c: one client connection, a state machine.
 *
 *   HEAD -> EXCHANGE -> HEAD ...            allowed requests
 *   HEAD -> REPLY -> HEAD or LINGER         denied and bad ones, failed upstreams
 *   HEAD -> REPLY -> FIRST -> HANDSHAKE -> HEAD ...     CONNECT
 *   HANDSHAKE -> H2                         streams, each of them a session that begins with HEAD
 *   FIRST -> ...                            as there, but of a client that was intercepted
 *   RAW -> a relay                          NAME:PORT and ADDRESS:PORT, by CONNECT or intercepted
 *
 * session_run takes steps until none moves anything, so that a pipeline of requests is a loop and
 * no recursion; after LIMIT_STEPS it yields to the other sessions and goes on in the next turn.
 * Steps set state and never free: a session is freed at the end of session_run only, when nothing
 * of it is on the stack. The same holds for the exchange and its upstream connection.
 *
 * Everything is called from the event loop: readiness of the client, readiness of the upstream
 * connection, the dialer's answer, the clock, the run queue. Each sets a fact and calls
 * session_run. */
#include "httpproxy/session.h"

#include <errno.h>
#include <string.h>

#include "httpproxy/exchange.h"
#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "httpproxy/pipeline.h"
#include "httpproxy/raw.h"
#include "httpproxy/reply.h"
#include "src/util.h"

void session_ready(void *arg)
{
    session_run(arg);
}

static struct session *make(struct proxy *p, enum session_mode mode)
{
    struct session *s = xcalloc(1, sizeof(*s));

    s->proxy = p;
    s->scheme = URL_HTTP;
    s->mode = mode;
    TAILQ_INIT(&s->ahead);
    return s;
}

static void begin(struct session *s)
{
    struct proxy *p = s->proxy;

    TAILQ_INSERT_TAIL(&p->sessions, s, all);
    p->session_count++;
    session_enter(s, SESSION_HEAD);
    proxy_changed(p);
}

static struct session *start(struct proxy *p, int fd, enum session_mode mode)
{
    struct session *s = make(p, mode);

    if (stream_open(&s->client, p->base, fd, session_ready, s) < 0) {
        free(s);
        return NULL;
    }
    begin(s);
    return s;
}

struct session *session_new_inner(const struct session *parent)
{
    struct session *s = make(parent->proxy, parent->mode);

    s->scheme = parent->scheme;
    s->authority = parent->authority;
    s->client_port = parent->client_port;
    begin(s);
    return s;
}

void session_new(struct proxy *p, int fd)
{
    (void)start(p, fd, SESSION_PROXY);
}

void session_new_transparent(struct proxy *p, int fd, const struct url_authority *dialled,
                             unsigned port)
{
    struct session *s = start(p, fd, SESSION_TRANSPARENT);

    if (!s)
        return;
    s->authority = *dialled;
    s->client_port = port;
    transparent_begin(s);
}

void session_free(struct session *s, const char *why)
{
    struct proxy *p = s->proxy;

    if (s->exchange) {
        if (why)
            exchange_interrupted(s->exchange, why);
        exchange_free(s->exchange);
    }
    pipeline_free(s);
    upstream_drop(s->own);
    raw_free(s);
    if (s->queued) {
        TAILQ_REMOVE(&p->queue, s, waiting);
        p->queue_len--;
    }
    TAILQ_REMOVE(&p->sessions, s, all);
    p->session_count--;
    h2_conn_free(s->h2);
    stream_close(&s->client);
    free(s->hello);
    buf_free(&s->in);
    buf_free(&s->out);
    free(s);
    proxy_changed(p);
}

int session_fill(struct session *s)
{
    if (s->eof)
        return 0;
    if (buf_room(&s->in) == 0) {
        if (s->in.start == 0 && s->in.size >= LIMIT_BUFFER)
            return 0;
        buf_reserve(&s->in, s->in.start > 0 ? s->in.start : LIMIT_BUFFER);
    }
    ssize_t n = stream_read(&s->client, buf_tail(&s->in), buf_room(&s->in));
    if (n == -EAGAIN)
        return 0;
    if (n < 0)
        return (int)n;
    if (n == 0) {
        s->eof = true;
        return 0;
    }
    buf_added(&s->in, (size_t)n);
    return 1;
}

int session_flush(struct session *s)
{
    if (buf_len(&s->out) == 0)
        return 0;
    ssize_t n = stream_write(&s->client, buf_begin(&s->out), buf_len(&s->out));
    if (n == -EAGAIN)
        return 0;
    if (n < 0)
        return (int)n;
    buf_consume(&s->out, (size_t)n);
    return 1;
}

static uint64_t time_for(const struct session *s, enum session_state state)
{
    switch (state) {
    case SESSION_HEAD:
        return buf_len(&s->in) > 0 ? LIMIT_HEAD_MS : LIMIT_IDLE_MS;
    case SESSION_FIRST:
        return connect_may_be_raw(s) ? LIMIT_SILENT_MS : LIMIT_IDLE_MS;
    case SESSION_LINGER:
        return LIMIT_LINGER_MS;
    case SESSION_HANDSHAKE:
        return LIMIT_HANDSHAKE_MS;
    case SESSION_REPLY:
        return LIMIT_HEAD_MS;
    case SESSION_RAW:
    case SESSION_H2:
    case SESSION_EXCHANGE:
    case SESSION_DEAD:
        break;
    }
    return LIMIT_STALL_MS;
}

void session_enter(struct session *s, enum session_state state)
{
    s->state = state;
    s->deadline = now_ms() + time_for(s, state);
    if (state == SESSION_HEAD || state == SESSION_EXCHANGE) {
        s->scanned = 0;
        s->ahead_ends = false;
    }
    if (state != SESSION_LINGER)
        return;
    s->skip = LIMIT_LINGER;
    buf_free(&s->in);
    if (s->eof && s->client.closing) { /* nothing more can come */
        (void)stream_close_notify(&s->client);
        s->state = SESSION_DEAD;
    } else {
        stream_shutdown(&s->client);
    }
}

void session_reply(struct session *s, int status, const char *text, bool head, uint64_t skip,
                   enum session_state next)
{
    reply_put(&s->out, status, text, head, next != SESSION_HEAD);
    s->skip = skip;
    s->next = next;
    session_enter(s, SESSION_REPLY);
}

enum session_state session_after(enum head_body in, uint64_t left, bool keep, uint64_t *skip)
{
    *skip = 0;
    if (!keep)
        return SESSION_LINGER;
    if (in == BODY_NONE)
        return SESSION_HEAD;
    if (in != BODY_LENGTH || left > LIMIT_SKIP)
        return SESSION_LINGER;
    *skip = left;
    return SESSION_HEAD;
}

/* A head came in part, and its buffer is full: a longer one, up to what a head may have. */
static void make_room(struct session *s)
{
    if (buf_room(&s->in) > 0 || s->in.start > 0 || s->in.size < LIMIT_BUFFER)
        return;
    size_t more = s->in.size < HEAD_MAX / 2 ? s->in.size : HEAD_MAX - s->in.size;
    buf_reserve(&s->in, more);
}

static bool step_head(struct session *s)
{
    size_t len = buf_len(&s->in);

    if (pipeline_next(s))
        return true;
    if (len > s->scanned) {
        if (proxy_congested(s->proxy)) {
            proxy_run_later(s->proxy, s);
            return false;
        }
        if (buf_begin(&s->in)[0] == TLS_HANDSHAKE_RECORD) { /* a head would never come */
            request_refuse(s, buf_begin(&s->in), len, 400, "TLS began where a request was to come");
            return true;
        }
        int end = head_find_end(buf_begin(&s->in), len, s->scanned);
        if (end < 0)
            request_too_long(s);
        else if (end > 0)
            request_begin(s, (size_t)end);
        if (end != 0)
            return true;
        s->scanned = len;
        make_room(s);
    }
    int r = session_fill(s);
    if (r < 0 || (r == 0 && s->eof)) {
        session_enter(s, r < 0 ? SESSION_DEAD : SESSION_LINGER);
        return true;
    }
    if (r > 0 && len == 0)
        s->deadline = now_ms() + LIMIT_HEAD_MS;
    return r > 0;
}

/* Reads and drops what is left of an unwanted body. 1: moved, 0: not, or a negative errno. */
static int skip_body(struct session *s)
{
    int r = session_fill(s);
    size_t n = buf_len(&s->in);

    if (r < 0)
        return r;
    if (n > s->skip)
        n = (size_t)s->skip;
    buf_consume(&s->in, n);
    s->skip -= n;
    if (s->skip > 0 && n == 0 && s->eof) {
        s->skip = 0;
        s->next = SESSION_LINGER;
        return 1;
    }
    return r > 0 || n > 0;
}

static bool step_reply(struct session *s)
{
    int flushed = session_flush(s);
    int skipped = s->skip > 0 && flushed >= 0 ? skip_body(s) : 0;

    if (flushed < 0 || skipped < 0) {
        session_enter(s, SESSION_DEAD);
        return true;
    }
    if (buf_len(&s->out) == 0 && s->skip == 0) {
        session_enter(s, s->next);
        return true;
    }
    return flushed > 0 || skipped > 0;
}

static bool step_first(struct session *s)
{
    int r = buf_len(&s->in) > 0 ? 1 : session_fill(s);

    if (r > 0)
        connect_first(s);
    else if (r == 0 && s->eof && connect_may_be_raw(s))
        raw_begin_answered(s); /* it listens */
    else if (r < 0 || s->eof)
        session_enter(s, r < 0 ? SESSION_DEAD : SESSION_LINGER);
    else
        return false;
    return true;
}

static bool step_linger(struct session *s)
{
    ssize_t n = stream_discard(&s->client, (size_t)s->skip);

    if (n == -EAGAIN)
        return false;
    if (n > 0)
        s->skip -= (uint64_t)n;
    if (n <= 0 || s->skip == 0)
        session_enter(s, SESSION_DEAD);
    return true;
}

static bool session_step(struct session *s)
{
    switch (s->state) {
    case SESSION_HEAD:
        return step_head(s);
    case SESSION_REPLY:
        return step_reply(s);
    case SESSION_FIRST:
        return step_first(s);
    case SESSION_HANDSHAKE:
        return connect_handshake(s);
    case SESSION_RAW:
        return raw_step(s);
    case SESSION_H2:
        return h2_client_step(s);
    case SESSION_EXCHANGE:
        return exchange_run(s);
    case SESSION_LINGER:
        return step_linger(s);
    case SESSION_DEAD:
        break;
    }
    return false;
}

void session_run(struct session *s)
{
    int steps = 0;

    while (s->state != SESSION_DEAD && steps < LIMIT_STEPS && session_step(s))
        steps++;
    if (s->state == SESSION_DEAD) {
        session_free(s, NULL);
        return;
    }
    if (steps == LIMIT_STEPS)
        proxy_run_later(s->proxy, s);
    if (s->exchange)
        exchange_rest(s->exchange, steps > 0);
    else
        stream_flush(&s->client);
    buf_tidy(&s->in);
    buf_tidy(&s->out);
}

void session_timeout(struct session *s)
{
    if (s->state == SESSION_EXCHANGE) {
        exchange_timeout(s->exchange);
    } else if (s->state == SESSION_RAW) {
        raw_timeout(s);
    } else if (s->state == SESSION_H2) {
        h2_client_timeout(s);
    } else if (s->state == SESSION_FIRST && connect_may_be_raw(s)) {
        raw_begin_answered(s);
    } else if (s->state == SESSION_HEAD && buf_len(&s->in) > 0) {
        session_reply(s, 408, "cijail: the request head did not come in time.\n", false, 0,
                      SESSION_LINGER);
    } else {
        if (s->state == SESSION_FIRST && s->mode == SESSION_TRANSPARENT)
            transparent_silent(s);
        session_free(s, NULL);
        return;
    }
    session_run(s);
}
