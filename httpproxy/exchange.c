/* exchange.c: one request that may be made and its response: how it begins, the way of the request,
 * how it ends. The way of the response is in response.c.
 *
 *   client -> session.in -> exchange.send -> server
 *   client <- session.out <- exchange.recv <- server
 *
 * Both ways run at the same time. Each queue holds about LIMIT_BUFFER bytes, more is read only once
 * there is room, so the slower side sets the pace (backpressure) and a body of any length needs the
 * same memory.
 *
 * The server is sent nothing before the request has been judged; the connection may have been begun
 * by then (opening.h). A kept connection may turn out to be dead: then the request is sent once
 * more on a fresh one, if the first attempt cannot have had an effect: nothing of a response has
 * come, and nothing of the body has been sent, or there is none and the method is idempotent (RFC
 * 9112, 9.3.1). A server that speaks HTTP/2 can say that it has done nothing (RFC 9113, 8.7), or
 * that it wants HTTP/1.1 for it (7): then any request is sent again, with its body, if that fits
 * the queue, up to LIMIT_REFUSALS times. Until then what was written stays in exchange.send
 * (pinned).
 *
 * An early response (413 in the middle of an upload) is passed on at once with "Connection: close".
 * The body goes on as long as the server takes it; when the response is over, so is the exchange.
 *
 * A request that offers another protocol (Upgrade) gets a connection of its own. If the server
 * takes the offer, the rest is in upgrade.c. */
#include "httpproxy/exchange.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "httpproxy/h2.h"
#include "httpproxy/head_internal.h"
#include "httpproxy/limits.h"
#include "httpproxy/log.h"
#include "httpproxy/opening.h"
#include "httpproxy/pipeline.h"
#include "httpproxy/reply.h"
#include "httpproxy/via.h"
#include "src/quota.h"
#include "src/util.h"

void exchange_ready(void *arg)
{
    struct exchange *x = arg;

    session_run(x->session);
}

/* --- ends --- */

/* The first end counts: true if this is it. */
static bool set_end(struct exchange *x, enum exchange_end end)
{
    if (x->end != EXCHANGE_GOES_ON)
        return false;
    x->end = end;
    return true;
}

void exchange_fail(struct exchange *x, int status, const char *fmt, ...)
{
    va_list ap;

    if (!set_end(x, x->responded ? EXCHANGE_CUT : EXCHANGE_FAILED))
        return;
    x->fail_status = status;
    va_start(ap, fmt);
    (void)vsnprintf(x->reason, sizeof(x->reason), fmt, ap);
    va_end(ap);
}

void exchange_cut(struct exchange *x, const char *fmt, ...)
{
    va_list ap;

    if (!set_end(x, EXCHANGE_CUT))
        return;
    va_start(ap, fmt);
    (void)vsnprintf(x->reason, sizeof(x->reason), fmt, ap);
    va_end(ap);
}

void exchange_over(struct exchange *x)
{
    x->over = true;
    exchange_fail(x, 403, "%s", QUOTA_REASON);
}

/* Without an endpoint this is a dry run; what the dialer refused even so was denied. */
static enum msg_decision decision_of(const struct exchange *x)
{
    if (x->over)
        return MSG_DENY;
    if (x->endpoint)
        return MSG_ALLOW;
    return x->refused ? MSG_DENY : MSG_WOULD_DENY;
}

/* Bytes of the body that went to the server; where it has chunks, a few less. */
static uint64_t body_sent(const struct exchange *x)
{
    uint64_t waits = buf_len(&x->send);

    return x->written >= x->head_len && waits < x->request.bytes ? x->request.bytes - waits : 0;
}

static void report(const struct exchange *x, const char *reason)
{
    struct log_entry l = {.decision = decision_of(x),
                          .endpoint = x->over ? NULL : x->endpoint,
                          .status = x->over ? 0 : x->status,
                          .sent = body_sent(x),
                          .received = x->response.bytes,
                          .method = x->method,
                          .url = x->url,
                          .reason = reason};

    log_request(x->session->proxy, &l);
}

void exchange_interrupted(struct exchange *x, const char *why)
{
    report(x, why);
}

void exchange_free(struct exchange *x)
{
    if (!x)
        return;
    if (x->opening)
        opening_leave(x);
    else if (x->phase == EXCHANGE_DIALING)
        upstream_cancel(x->session->proxy, x->dial);
    upstream_drop(x->upstream);
    buf_free(&x->send);
    buf_free(&x->recv);
    body_free(&x->request);
    body_free(&x->response);
    free(x->url);
    free(x);
}

/* The server says that it has done nothing of the request (HTTP/2; upstream_error tells why). */
static bool is_refused(const struct exchange *x)
{
    return x->upstream && x->upstream->shared &&
           (x->upstream_error == -ECONNREFUSED || x->upstream_error == -EPROTONOSUPPORT);
}

/* Answers for a server that did not. */
static void answer_failure(struct session *s, const struct exchange *x)
{
    char *text = s->proxy->scratch.text;
    bool waits = x->expect_continue && x->request.bytes == 0; /* the body may never come */
    enum head_body left = x->request.done ? BODY_NONE : x->request.in;
    uint64_t skip;
    enum session_state next =
        session_after(left, x->request.left, x->keep_alive && !(waits && left != BODY_NONE), &skip);

    if (x->fail_status == 400 || x->fail_status == 408 || s->eof)
        next = SESSION_LINGER;
    reply_failed(text, sizeof(s->proxy->scratch.text), x->reason, x->method, x->url);
    session_reply(s, x->fail_status, text, strcmp(x->method, "HEAD") == 0,
                  next == SESSION_HEAD ? skip : 0, next);
}

/* A server that has reset the request's stream (HTTP/2) tells something by the code: gRPC makes its
 * status of it, and tries again after a 502 what it would not after a reset. */
static bool passes_reset_on(struct session *s, const struct exchange *x)
{
    const struct stream *from = x->upstream ? &x->upstream->stream : NULL;

    if (!from || !from->was_reset || is_refused(x) || s->client.ops != &h2_stream_ops)
        return false;
    s->client.was_reset = true;
    s->client.reset_code = from->reset_code;
    return true;
}

/* Reports, frees, and moves the session on. */
static void finish(struct session *s)
{
    struct exchange *x = s->exchange;
    bool upgraded = x->phase == EXCHANGE_UPGRADED;
    bool whole = x->request.done && x->keep_alive;

    report(x, x->reason);
    s->exchange = NULL;
    if (x->upstream)
        pipeline_lost(s);
    switch (x->end) {
    case EXCHANGE_GOES_ON:
    case EXCHANGE_DONE:
        if (upgraded) /* both sides have ended */
            session_enter(s, SESSION_DEAD);
        else
            session_enter(s, whole ? SESSION_HEAD : SESSION_LINGER);
        break;
    case EXCHANGE_FAILED:
        if (passes_reset_on(s, x))
            session_enter(s, SESSION_DEAD);
        else
            answer_failure(s, x);
        break;
    case EXCHANGE_CUT:
        (void)passes_reset_on(s, x);
        if (x->responded)
            (void)session_flush(s);
        /* Without a length or chunks only a reset tells the client that this is not the end. */
        if (upgraded ? x->reset : x->responded && x->response.out == BODY_CLOSE)
            stream_reset(&s->client);
        if (upgraded && x->reset)
            stream_reset(&x->upstream->stream);
        session_enter(s, SESSION_DEAD);
        break;
    }
    exchange_free(x);
}

/* A client that expects 100 Continue and does not wait for it is made to. A server that refuses may
 * leave the body unread, and take what came of it for the next request, which nobody has judged
 * (RFC 9110, 10.1.1, forbids that). One that says nothing may not know the field: it gets the body
 * after a time. */
static bool awaits_word(const struct exchange *x)
{
    return x->expect_continue && !x->continued && x->request.bytes == 0 && !x->request.done;
}

static bool holds_body(const struct exchange *x)
{
    return awaits_word(x) && (x->status >= 300 || now_ms() < x->held_until);
}

/* There is a body to be sent when the time is up, though nothing may move till then. */
static bool has_held_body(const struct exchange *x)
{
    return x->phase == EXCHANGE_ACTIVE && awaits_word(x) && x->status == 0 && x->held_until != 0 &&
           buf_len(&x->session->in) > 0;
}

void exchange_timeout(struct exchange *x)
{
    if (has_held_body(x)) {
        x->held_until = 0;
        x->session->deadline = now_ms() + LIMIT_STALL_MS;
        return;
    }
    if (x->phase == EXCHANGE_DIALING)
        exchange_fail(x, 504, "no connection to %s in time", x->authority.host);
    else if (x->phase == EXCHANGE_HANDSHAKE)
        exchange_fail(x, 504, "the TLS handshake with %s took too long", x->authority.host);
    else if (x->phase == EXCHANGE_UPGRADED)
        exchange_cut(x, "nothing was said for too long");
    else if (x->request.done)
        exchange_fail(x, 504, "%s sent nothing for too long", x->authority.host);
    else
        exchange_fail(x, 408, "the request's body stalled");
}

/* --- getting a connection --- */

/* What sending twice does no harm to (RFC 9110, 9.2.2). */
static bool idempotent(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};

    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

static void become_active(struct exchange *x)
{
    x->phase = EXCHANGE_ACTIVE;
    x->session->deadline = now_ms() + LIMIT_STALL_MS;
    x->held_until = now_ms() + LIMIT_CONTINUE_MS;
}

static void dial(struct exchange *x)
{
    struct error e;

    if (upstream_dial(x->session, x->scheme, &x->authority, &x->dial, &e) < 0) {
        exchange_fail(x, 503, "%s", e.text);
        return;
    }
    x->phase = EXCHANGE_DIALING;
    x->session->deadline = now_ms() + LIMIT_DIAL_MS;
}

/* HTTP/1.1 servers may take trailers for fields of the head. Those of a request that HTTP/2 has
 * refused may be in the queue already. */
static void settle_trailers(struct exchange *x, bool h2)
{
    struct buf *trailers = &x->request.trailers;

    x->request.keep_trailers = h2;
    if (h2)
        return;
    if (buf_len(trailers) > strlen("\r\n"))
        exchange_fail(x, 502, "%s has changed to HTTP/1.1, which takes no trailers",
                      x->authority.host);
    buf_free(trailers);
}

/* A connection that is ready, and may refuse the request: what is written stays for a retry. */
static void use(struct exchange *x, struct upstream *up)
{
    stream_set_owner(&up->stream, exchange_ready, x);
    x->upstream = up;
    x->pinned = true;
    become_active(x);
    settle_trailers(x, up->shared);
    via_rewrite(x);
}

/* A new connection, or what is on its way to be one. */
static void connect_anew(struct exchange *x)
{
    if (x->scheme != URL_HTTPS || x->http1_only || !opening_join(x)) {
        dial(x);
        return;
    }
    x->phase = EXCHANGE_DIALING;
    x->session->deadline = now_ms() + LIMIT_DIAL_MS + LIMIT_SERVER_TLS_MS;
}

void exchange_connected(struct exchange *x, struct upstream *up)
{
    if (up->shared) {
        use(x, up);
        return;
    }
    stream_set_owner(&up->stream, exchange_ready, x);
    x->upstream = up;
    become_active(x);
    settle_trailers(x, false);
}

void exchange_connect(struct exchange *x)
{
    uint64_t max_idle = idempotent(x->method) ? LIMIT_POOL_MS : LIMIT_POOL_FRESH_MS;
    struct upstream *up = NULL;

    if (!x->upgrade[0]) {
        up = upstream_take_own(x->session, x->scheme, &x->authority, max_idle);
        if (!up)
            up = upstream_take(x->session->proxy, x->scheme, &x->authority, max_idle);
    }
    if (!up && !x->http1_only)
        up = h2_upstream_take(x->session->proxy, x->scheme, &x->authority);
    if (up)
        use(x, up);
    else
        connect_anew(x);
}

void exchange_dialed(struct exchange *x, int fd, int err, const char *text)
{
    struct session *s = x->session;
    struct error e;

    become_active(x); /* the dial is over, whatever follows */
    if (fd < 0) {
        x->refused = err == EACCES && !x->endpoint;
        exchange_fail(x, err == ETIMEDOUT ? 504 : 502, "%s",
                      text && text[0] ? text : strerror(err));
        return;
    }
    x->upstream = upstream_new(s->proxy, fd, x->scheme, &x->authority, exchange_ready, x, &e);
    if (!x->upstream) {
        exchange_fail(x, 502, "%s", e.text);
        return;
    }
    x->upstream->absolute = x->absolute;
    via_rewrite(x);
    if (x->scheme != URL_HTTPS)
        return;
    x->upstream->http1_only = x->http1_only;
    if (upstream_start_tls(x->upstream, &e) < 0) {
        exchange_fail(x, 502, "%s", e.text);
        return;
    }
    x->phase = EXCHANGE_HANDSHAKE;
    s->deadline = now_ms() + LIMIT_SERVER_TLS_MS;
}

static void after_handshake(struct exchange *x)
{
    struct upstream *up = x->upstream;
    bool h2 = mitm_chose_h2(up->stream.ssl);

    if (!up->http1_only)
        openings_learn(x->session->proxy->openings, &x->authority, h2);
    if (!h2) {
        become_active(x);
        settle_trailers(x, false);
        return;
    }
    x->upstream = NULL;
    up = h2_upstream_adopt(up);
    if (up)
        use(x, up);
    else
        exchange_fail(x, 502, "no HTTP/2 connection to %s can be made", x->authority.host);
}

static bool handshake(struct exchange *x)
{
    struct error e;
    int r = stream_handshake(&x->upstream->stream, &e);

    if (r == -EAGAIN)
        return false;
    if (r == 0) {
        after_handshake(x);
    } else {
        upstream_tls_failed(x->upstream);
        exchange_fail(x, 502, "TLS with %s failed: %s", x->authority.host, e.text);
    }
    return true;
}

/* --- the way of the request --- */

bool exchange_may_retry(const struct exchange *x)
{
    if (!x->upstream || x->got_bytes || !x->pinned)
        return false;
    if (is_refused(x))
        return x->refusals < LIMIT_REFUSALS;
    if (x->retried || !x->upstream->reused)
        return false;
    if (x->written == 0)
        return true;
    return x->has_body ? x->written <= x->head_len : idempotent(x->method);
}

void exchange_retry(struct exchange *x)
{
    bool refused = is_refused(x);

    x->http1_only |= refused && x->upstream_error == -EPROTONOSUPPORT;
    x->refusals += refused;
    x->retried |= !refused;
    upstream_drop(x->upstream);
    x->upstream = NULL;
    pipeline_lost(x->session);
    buf_rewind(&x->send);
    x->pinned = false;
    x->written = 0;
    x->send_failed = false;
    x->upstream_end = false;
    x->upstream_error = 0;
    buf_free(&x->recv);
    x->scanned = 0;
    if (refused)
        exchange_connect(x);
    else
        connect_anew(x);
}

void exchange_unpin(struct exchange *x)
{
    if (!x->pinned)
        return;
    x->pinned = false;
    buf_consume(&x->send, 0);
}

/* Body bytes that are in: on to the send queue. */
static bool move_body(struct exchange *x)
{
    struct session *s = x->session;
    struct error e;

    if (x->phase != EXCHANGE_ACTIVE || x->request.done || x->send_failed || !x->upstream ||
        holds_body(x))
        return false;
    if (buf_len(&s->in) > 0 && buf_len(&x->send) == 0 && !x->pinned)
        buf_reserve(&x->send, LIMIT_BUFFER);
    size_t start = x->send.start;
    int r = body_move(&x->request, &s->in, &x->send, &e);
    if (x->send.start != start) /* long trailers: what was written had to make room */
        x->pinned = false;
    if (r < 0)
        exchange_fail(x, 400, "the request's body is malformed: %s", e.text);
    else if (!x->request.done && s->eof && buf_len(&s->in) == 0)
        exchange_cut(x, "the client went away in the middle of the request's body");
    return r != 0;
}

static bool pull_request(struct exchange *x)
{
    int r = session_fill(x->session);

    if (r < 0) {
        exchange_cut(x, "the client went away: %s", stream_error(r));
        return true;
    }
    return move_body(x) || r > 0;
}

/* Of a request that may be refused by HTTP/2 the body, too, stays as long as there is room for more
 * of it. */
static bool keeps_body(const struct exchange *x)
{
    return x->upstream->shared && (x->request.done || buf_room(&x->send) > BODY_OVERHEAD);
}

static bool push_request(struct exchange *x)
{
    if (!x->upstream || x->send_failed || buf_len(&x->send) == 0)
        return false;
    ssize_t n =
        proxy_send(x->session->proxy, &x->upstream->stream, buf_begin(&x->send), buf_len(&x->send));
    if (n == -EAGAIN)
        return false;
    if (n == -EDQUOT) {
        exchange_over(x);
        return true;
    }
    if (n < 0) { /* what it has to say may still be there to be read */
        x->send_failed = true;
        x->upstream->stream.readable = true;
        return true;
    }
    x->written += (uint64_t)n;
    if (x->pinned)
        buf_consume_keep(&x->send, (size_t)n);
    else
        buf_consume(&x->send, (size_t)n);
    if (x->written > x->head_len && !keeps_body(x))
        exchange_unpin(x);
    return true;
}

static bool push_response(struct exchange *x)
{
    int r = session_flush(x->session);

    if (r < 0)
        exchange_cut(x, "the client went away: %s", stream_error(r));
    return r != 0;
}

/* --- steps --- */

static bool step(struct exchange *x)
{
    bool moved;

    if (x->phase == EXCHANGE_UPGRADED)
        return upgrade_step(x);
    moved = pull_request(x);
    if (x->end != EXCHANGE_GOES_ON || x->phase == EXCHANGE_DIALING)
        return moved;
    if (x->phase == EXCHANGE_HANDSHAKE)
        return handshake(x) || moved;
    moved = push_request(x) || moved;
    moved = pipeline_step(x) || moved;
    moved = response_pull(x) || moved;
    moved = response_process(x) || moved;
    if (x->end != EXCHANGE_GOES_ON)
        return true;
    moved = push_response(x) || moved;
    if (x->end == EXCHANGE_GOES_ON && x->responded && x->response.done &&
        buf_len(&x->session->out) == 0)
        x->end = EXCHANGE_DONE;
    return moved;
}

bool exchange_run(struct session *s)
{
    struct exchange *x = s->exchange;
    bool moved = x->end == EXCHANGE_GOES_ON && step(x);

    if (x->end == EXCHANGE_GOES_ON)
        return moved;
    finish(s);
    return true;
}

/* How long nothing may move. A client that has ended its side may still read, but most that do so
 * are gone. A server that has all that came of the request may take its time, as it may without us,
 * and so may a client that has more of it: a server that is gone answers no keepalive. */
static uint64_t patience(const struct exchange *x)
{
    bool eof = x->session->eof;

    if (x->phase == EXCHANGE_UPGRADED)
        return eof || x->upstream_end ? LIMIT_STALL_MS : LIMIT_SILENCE_MS;
    if (eof)
        return LIMIT_HALF_CLOSED_MS;
    return buf_len(&x->send) == 0 ? LIMIT_SILENCE_MS : LIMIT_STALL_MS;
}

void exchange_rest(struct exchange *x, bool moved)
{
    struct session *s = x->session;
    bool upgraded = x->phase == EXCHANGE_UPGRADED;
    uint64_t stall = now_ms() + patience(x);

    if ((moved && (x->phase == EXCHANGE_ACTIVE || upgraded)) || (s->eof && s->deadline > stall))
        s->deadline = stall;
    if (has_held_body(x) && s->deadline > x->held_until)
        s->deadline = x->held_until;
    if (!x->pinned)
        buf_tidy(&x->send);
    buf_tidy(&x->recv);
}

/* --- the beginning --- */

bool exchange_is_personal(const struct head_field *fields, size_t count, const char *name)
{
    static const char *const schemes[] = {"ntlm", "negotiate"};

    for (size_t i = 0; i < count; i++) {
        if (!head_equal_word(fields[i].name, fields[i].name_len, name))
            continue;
        for (size_t k = 0; k < ARRAY_LEN(schemes); k++)
            if (fields[i].value_len >= strlen(schemes[k]) &&
                strncasecmp(fields[i].value, schemes[k], strlen(schemes[k])) == 0)
                return true;
    }
    return false;
}

/* What the scratch's request comes to; head_len: of t->head, which is the server's, or negative. */
static struct exchange *make(struct session *s, const struct head_request *r, const struct url *url,
                             const struct endpoint *ep, int *head_len)
{
    struct scratch *t = &s->proxy->scratch;
    struct exchange *x = xcalloc(1, sizeof(*x));

    *head_len = head_write_request(r, url, true, t->head, sizeof(t->head));
    x->session = s;
    x->phase = EXCHANGE_ACTIVE;
    copy_string(x->method, sizeof(x->method), r->method);
    x->url = xstrdup(t->url_text);
    x->endpoint = ep;
    x->scheme = url->scheme;
    x->authority = url->authority;
    x->minor = r->minor;
    x->keep_alive = r->keep_alive && r->minor >= 1;
    x->expect_continue = r->expect_continue;
    copy_string(x->upgrade, sizeof(x->upgrade), r->upgrade);
    x->http1_only = x->upgrade[0]; /* 101 is HTTP/1.1's */
    body_init(&x->request, r->body, r->content_length,
              r->body == BODY_CHUNKED ? BODY_CHUNKED : BODY_LENGTH);
    x->has_body = !x->request.done;
    x->personal = exchange_is_personal(r->fields, r->field_count, "authorization");
    return x;
}

static void queue_head(struct exchange *x, size_t len)
{
    x->head_len = len;
    buf_reserve(&x->send, len + (x->has_body ? LIMIT_BUFFER : 0));
    buf_append(&x->send, x->session->proxy->scratch.head, len);
}

void exchange_begin(struct session *s, const struct head_request *r, const struct url *url,
                    const struct endpoint *ep, size_t len)
{
    int head_len;
    struct exchange *x = make(s, r, url, ep, &head_len);

    if (!x->has_body)
        stream_settle(&s->client);
    buf_consume(&s->in, len);
    s->exchange = x;
    session_enter(s, SESSION_EXCHANGE);
    if (head_len < 0) {
        exchange_fail(x, 431, "the request head is too long");
        return;
    }
    queue_head(x, (size_t)head_len);
    exchange_connect(x);
}

struct exchange *exchange_make_ahead(struct session *s, const struct head_request *r,
                                     const struct url *url, const struct endpoint *ep, size_t len)
{
    int head_len;
    struct exchange *x = make(s, r, url, ep, &head_len);

    if (head_len < 0) {
        exchange_free(x);
        return NULL;
    }
    buf_consume(&s->in, len);
    queue_head(x, (size_t)head_len);
    return x;
}

void exchange_resume(struct exchange *x)
{
    x->session->exchange = x;
    session_enter(x->session, SESSION_EXCHANGE);
    if (x->upstream)
        become_active(x);
    else
        exchange_connect(x);
}
