/* response.c: the way of a response: from the server to the client.
 *
 * The head is mended where that is safe (head_mend.c), parsed strictly and written anew. The body
 * keeps its framing if that is a length; chunks are made anew; a body that ends with the connection
 * becomes chunks for an HTTP/1.1 client, so that its end can be told from a connection that broke.
 * What the server cut off is cut off for the client, too (no last chunk, fewer bytes than the
 * length, or a reset): a proxy that ended such a body properly would make a broken download look
 * whole.
 *
 * If both connections are TLS, though, a body that ends with the server's ends with the client's.
 * Many servers close TCP without close_notify; whether the body is whole then, clients judge
 * differently (RFC 9112, 9.8), and each sees the end that the server has made. HTTP/2 has no such
 * end: the stream is reset, since what may be half a download must not look whole.
 *
 * The server's connection is given back as soon as the response has been read, whatever the
 * client's pace. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "httpproxy/exchange.h"
#include "httpproxy/limits.h"
#include "httpproxy/pipeline.h"
#include "httpproxy/secret.h"
#include "httpproxy/via.h"

bool response_pull(struct exchange *x)
{
    if (!x->upstream || x->upstream_end)
        return false;
    if (buf_room(&x->recv) == 0) {
        size_t len = buf_len(&x->recv);
        if (x->recv.start > 0)
            buf_reserve(&x->recv, x->recv.start);
        else if (len == 0)
            buf_reserve(&x->recv, LIMIT_BUFFER);
        else if (!x->responded && len < HEAD_MAX)
            buf_reserve(&x->recv, len < HEAD_MAX / 2 ? len : HEAD_MAX - len);
        else
            return false;
    }
    ssize_t n = stream_read(&x->upstream->stream, buf_tail(&x->recv), buf_room(&x->recv));
    if (n == -EAGAIN)
        return false;
    if (n > 0) {
        buf_added(&x->recv, (size_t)n);
        x->got_bytes = true;
        exchange_unpin(x);
        return true;
    }
    x->upstream_end = true;
    x->upstream_error = (int)n;
    return true;
}

/* Gives the connection to the next request, or back to the pool, or closes it if anything about it
 * is not as it should be. One on which another protocol was offered is not used again: some gateway
 * on the way may have taken it for switched without looking at the answer. */
static void release(struct exchange *x)
{
    struct upstream *up = x->upstream;
    bool clean = !x->upgrade[0] && x->upstream_keep_alive && !x->mended && !x->upstream_end &&
                 !x->send_failed && x->request.done && buf_len(&x->send) == 0 &&
                 x->response.in != BODY_CLOSE;

    x->upstream = NULL;
    up->personal |= x->personal;
    if (clean && pipeline_pass(x, up))
        return;
    pipeline_lost(x->session);
    clean = clean && !up->shared && buf_len(&x->recv) == 0;
    if (clean && up->personal)
        upstream_keep_for(x->session, up);
    else if (clean)
        upstream_keep(up);
    else
        upstream_drop(up);
}

static enum head_body framing(const struct exchange *x, const struct head_response *r)
{
    if (r->body == BODY_NONE || r->body == BODY_LENGTH)
        return r->body;
    if (r->body == BODY_CLOSE && x->upstream->stream.ssl && x->session->client.ssl)
        return BODY_CLOSE;
    return x->minor >= 1 ? BODY_CHUNKED : BODY_CLOSE;
}

/* Writes the head to the client's queue, with room for the beginning of the body behind it. */
static bool put_head(struct exchange *x, const struct head_response *r, enum head_body body,
                     bool close)
{
    struct scratch *t = &x->session->proxy->scratch;
    int n = head_write_response(r, body, close, false, t->head, sizeof(t->head));

    if (n < 0) {
        exchange_fail(x, 502, "the response head of %s is too long", x->authority.host);
        return false;
    }
    buf_reserve(&x->session->out, (size_t)n + LIMIT_BUFFER);
    buf_append(&x->session->out, t->head, (size_t)n);
    return true;
}

/* 100 Continue, 103 Early Hints: on to a client that can know them (RFC 9110, 15.2). */
static void take_informational(struct exchange *x, const struct head_response *r, size_t len)
{
    x->interim += len;
    x->continued |= r->status == 100;
    if (r->status == 101)
        upgrade_begin(x, r);
    else if (++x->informational > LIMIT_INFORMATIONAL || x->interim > LIMIT_INTERIM_HEADS)
        exchange_fail(x, 502, "%s sent too many interim responses", x->authority.host);
    else if (x->minor >= 1)
        (void)put_head(x, r, BODY_NONE, false);
}

/* Secrets stay out of the jail (secret.h). */
static int hide_secrets(const struct exchange *x, struct head_response *r)
{
    struct proxy *p = x->session->proxy;

    if (x->scheme != URL_HTTPS)
        return 0;
    return secrets_hide(p->secrets, &x->authority, r, &p->scratch.secrets);
}

static int hide_in_trailers(const void *arg, struct buf *trailers, struct error *e)
{
    const struct exchange *x = arg;
    struct proxy *p = x->session->proxy;

    if (x->scheme != URL_HTTPS)
        return 0;
    if (secrets_hide_trailers(p->secrets, &x->authority, trailers, &p->scratch.secrets) < 0)
        return error_set(e, EPROTO, "the trailers are too long");
    return 0;
}

static void take_final(struct exchange *x, const struct head_response *r)
{
    enum head_body out = framing(x, r);

    if (via_withholds(x, r->status))
        return;
    if (!x->request.done || out == BODY_CLOSE)
        x->keep_alive = false;
    if (!put_head(x, r, out, !x->keep_alive))
        return;
    x->status = r->status;
    x->upstream_keep_alive = r->keep_alive && !x->mended;
    x->personal |=
        r->status == 401 && exchange_is_personal(r->fields, r->field_count, "www-authenticate");
    x->responded = true;
    body_init(&x->response, r->body, r->content_length, out);
    x->response.keep_trailers = true;
    x->response.change_trailers = hide_in_trailers;
    x->response.change_arg = x;
    x->response.chunk.lenient = true;
}

/* The server has ended its side before a whole response head came. */
static void ended_early(struct exchange *x)
{
    if (exchange_may_retry(x))
        exchange_retry(x);
    else if (x->got_bytes)
        exchange_fail(x, 502, "%s ended the connection in the middle of its response head",
                      x->authority.host);
    else
        exchange_fail(x, 502, "%s gave no response: %s", x->authority.host,
                      stream_error(x->upstream_error));
}

/* A whole head is at the beginning of recv. */
static void take_head(struct exchange *x, size_t len)
{
    struct scratch *t = &x->session->proxy->scratch;
    struct head_response *r = &t->response;
    struct error e;

    if (head_read_response(buf_begin(&x->recv), len, x->method, t->mended, r, &e) < 0) {
        exchange_fail(x, 502, "the response head of %s is malformed: %s", x->authority.host,
                      e.text);
        return;
    }
    if (hide_secrets(x, r) < 0) {
        exchange_fail(x, 502, "the response head of %s is too long", x->authority.host);
        return;
    }
    x->mended |= r->mended;
    if (r->status < 200)
        take_informational(x, r, len);
    else
        take_final(x, r);
}

static bool process_head(struct exchange *x)
{
    size_t len = buf_len(&x->recv);
    int end = len > x->scanned ? head_find_end(buf_begin(&x->recv), len, x->scanned) : 0;

    if (buf_len(&x->session->out) > LIMIT_BUFFER)
        return false; /* interim responses that the client does not read */
    if (end < 0) {
        exchange_fail(x, 502, "the response head of %s is too long", x->authority.host);
        return true;
    }
    if (end == 0) {
        bool moved = len > x->scanned;
        x->scanned = len;
        if (!x->upstream_end)
            return moved;
        ended_early(x);
        return true;
    }
    take_head(x, (size_t)end);
    buf_consume(&x->recv, (size_t)end);
    x->scanned = 0;
    return true;
}

/* The server has ended TCP, but not TLS, and the client can be shown the same. */
static bool ends_unsaid(const struct exchange *x)
{
    return x->upstream_error == -ECONNABORTED && !x->send_failed && x->response.out == BODY_CLOSE &&
           x->session->client.ssl;
}

/* recv is empty and no more comes. */
static bool end_body(struct exchange *x)
{
    struct session *s = x->session;

    if (x->response.in == BODY_CLOSE && ends_unsaid(x)) {
        s->client.no_notify = true;
        (void)snprintf(x->reason, sizeof(x->reason),
                       "%s ended the response without close_notify: it may be cut off",
                       x->authority.host);
    } else if (x->response.in != BODY_CLOSE || x->upstream_error != 0) {
        exchange_cut(x, "%s ended the response too early: %s", x->authority.host,
                     stream_error(x->upstream_error));
        return true;
    }
    return buf_len(&s->out) == 0 && body_end(&x->response, &s->out);
}

static bool process_body(struct exchange *x)
{
    struct session *s = x->session;
    struct error e;

    if (buf_len(&s->out) == 0)
        buf_reserve(&s->out, LIMIT_BUFFER);
    int r = body_move(&x->response, &x->recv, &s->out, &e);
    x->mended |= x->response.chunk.odd;
    if (r < 0)
        exchange_cut(x, "the response body of %s is malformed: %s", x->authority.host, e.text);
    else if (!x->response.done && x->upstream_end && buf_len(&x->recv) == 0)
        return end_body(x) || r != 0;
    return r != 0;
}

bool response_process(struct exchange *x)
{
    bool moved = false;

    if (x->phase != EXCHANGE_ACTIVE || x->end != EXCHANGE_GOES_ON)
        return false;
    if (!x->responded)
        moved = process_head(x);
    if (x->responded && !x->response.done)
        moved = process_body(x) || moved;
    if (x->responded && x->response.done && x->upstream && x->end == EXCHANGE_GOES_ON)
        release(x);
    return moved;
}
