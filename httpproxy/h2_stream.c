/* h2_stream.c: one stream of an HTTP/2 connection, as a struct stream that speaks HTTP/1.1; see
 * h2.h.
 *
 * From the peer: a head becomes text (h2_fields.c), content goes on as it is where Content-Length
 * frames it, else in chunks, trailers stand behind the last chunk. To the peer: the head is taken
 * out of the text and handed to libnghttp2 as fields, the content is taken out of its framing
 * (body.c) and waits in data until there is a window for it.
 *
 * Exactly one message is read from a stream and one is written to it, whatever is said in it: the
 * server's side reads an end once the answer is whole, and what comes behind an extended CONNECT is
 * kept back until its 101.
 *
 * What was not sent to its end is reset when the user closes, a response once what there is of it
 * was sent: the peer must be able to tell it from a whole message. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "src/util.h"

struct h2_stream *h2_stream_new(struct h2_conn *c)
{
    struct h2_stream *st = xcalloc(1, sizeof(*st));

    st->proxy = c->proxy;
    st->conn = c;
    TAILQ_INSERT_TAIL(&c->streams, st, all);
    return st;
}

static void free_fields(struct h2_stream *st)
{
    if (st->fields)
        h2_fields_free(st->fields);
    free(st->fields);
    st->fields = NULL;
}

static void leave(struct h2_stream *st)
{
    if (!st->conn)
        return;
    if (st->is_ready)
        TAILQ_REMOVE(&st->conn->ready, st, ready);
    st->is_ready = false;
    TAILQ_REMOVE(&st->conn->streams, st, all);
    st->conn = NULL;
}

void h2_stream_free(struct h2_stream *st)
{
    if (st->conn && st->id > 0)
        (void)nghttp2_session_set_stream_user_data(st->conn->ng, st->id, NULL);
    leave(st);
    st->proxy->h2_wider -= st->wider;
    free_fields(st);
    buf_free(&st->in);
    buf_free(&st->head);
    buf_free(&st->data);
    body_free(&st->body);
    free(st);
}

void h2_stream_wake(struct h2_stream *st)
{
    if (!st->conn || !st->user || st->is_ready)
        return;
    TAILQ_INSERT_TAIL(&st->conn->ready, st, ready);
    st->is_ready = true;
}

void h2_stream_orphan(struct h2_stream *st)
{
    const struct h2_side *side = st->conn->side;

    st->conn->count -= st->user ? 1 : 0;
    leave(st);
    if (!st->user) {
        h2_stream_free(st);
        return;
    }
    if (!st->error)
        st->error = -ECONNRESET;
    side->notify(st);
}

/* -ECONNREFUSED and -EPROTONOSUPPORT: the peer has done nothing of it. */
static int error_of(const struct h2_stream *st, uint32_t code)
{
    bool refused = code == NGHTTP2_REFUSED_STREAM;

    if (code == NGHTTP2_HTTP_1_1_REQUIRED || (refused && st->conn->wants_http1))
        return -EPROTONOSUPPORT;
    return refused ? -ECONNREFUSED : -ECONNRESET;
}

void h2_stream_closed(struct h2_stream *st, uint32_t code)
{
    st->closed = true;
    if (!st->user) {
        h2_stream_free(st);
        return;
    }
    if (!st->in_done || !st->ended)
        st->error = error_of(st, code);
    h2_stream_wake(st);
}

/* --- from the peer --- */

static bool body_follows(const struct h2_stream *st, bool end)
{
    return !end && st->tunnel == H2_NO_TUNNEL;
}

static int request_head(struct h2_stream *st, bool end)
{
    const struct h2_fields *f = st->fields;

    st->in_begun = true;
    st->in_done = end;
    if (f->seen[H2_PROTOCOL])
        st->tunnel = H2_TUNNEL_ASKED;
    st->in_chunked = body_follows(st, end) && !f->length;
    st->grpc = f->grpc;
    st->conn->side->request(st);
    free_fields(st);
    return 0;
}

static int response_head(struct h2_stream *st, bool end, struct error *e)
{
    bool length = st->fields->length;
    size_t before = buf_len(&st->in);
    int status;
    int r = h2_fields_response(st->fields, !end, st->head_only, &status, &st->in, e);

    free_fields(st);
    if (r < 0)
        return r;
    st->head_left += buf_len(&st->in) - before;
    if (status < 200) /* bounded, since they come without a window */
        return end || buf_len(&st->in) > HEAD_MAX ? -EPROTO : 0;
    st->in_begun = true;
    st->in_done = end;
    st->in_chunked = !end && !length && !st->head_only && status != 204 && status != 304;
    return 0;
}

/* The last chunk, and trailers. If these are no good, the message never ends. */
static int finish_in(struct h2_stream *st, struct error *e)
{
    struct buf lines = {0};
    int r = st->in_chunked && st->fields ? h2_fields_trailers(st->fields, &lines, e) : 0;

    free_fields(st);
    st->in_done = r == 0;
    if (r == 0 && st->in_chunked) {
        buf_append(&st->in, "0\r\n", 3);
        buf_append(&st->in, buf_begin(&lines), buf_len(&lines));
        buf_append(&st->in, "\r\n", 2);
    }
    buf_free(&lines);
    return r;
}

int h2_stream_section(struct h2_stream *st, bool end, struct error *e)
{
    int r;

    if (!st->user && st->in_begun) {
        free_fields(st);
        st->in_done |= end;
        return 0;
    }
    if (st->in_begun)
        r = end ? finish_in(st, e) : -EPROTO;
    else
        r = st->conn->server ? request_head(st, end) : response_head(st, end, e);
    h2_stream_wake(st);
    return r;
}

#define CHUNK_LINE 10 /* "0000000a" and CRLF */
#define CHUNK_OVERHEAD (CHUNK_LINE + 2)

/* The rest of what was answered already. RFC 9113, 8.1 would have it reset at once, but then some
 * clients (curl 7.88) take the answer for a failed one. */
static void discard(struct h2_stream *st, size_t len)
{
    st->discarded += len;
    if (st->discarded > LIMIT_LINGER)
        (void)nghttp2_submit_rst_stream(st->conn->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
    else
        (void)nghttp2_session_consume_stream(st->conn->ng, st->id, len);
}

/* Makes room for n bytes more, in steps that double, so that many small ones cost linear time. */
static void make_room(struct buf *b, size_t n)
{
    if (buf_room(b) < n)
        buf_reserve(b, n > buf_len(b) ? n : buf_len(b));
}

/* Adds a chunk, or makes the last one longer as long as nothing was read of it: the text stays as
 * short as the content, into however small frames a peer may cut that. */
static void put_chunk(struct h2_stream *st, const uint8_t *data, size_t len)
{
    char line[CHUNK_LINE + 1];

    make_room(&st->in, len + CHUNK_OVERHEAD);
    if (st->chunk > 0 && buf_len(&st->in) >= st->chunk + CHUNK_OVERHEAD) {
        st->in.end -= 2;
    } else {
        st->chunk = 0;
        buf_append(&st->in, "00000000\r\n", CHUNK_LINE);
    }
    buf_append(&st->in, data, len);
    st->chunk += len;
    (void)snprintf(line, sizeof(line), "%08zx\r\n", st->chunk);
    memcpy(buf_tail(&st->in) - st->chunk - CHUNK_LINE, line, CHUNK_LINE);
    buf_append(&st->in, "\r\n", 2);
}

void h2_stream_content(struct h2_stream *st, const uint8_t *data, size_t len)
{
    if (!st->user) {
        discard(st, len);
        return;
    }
    if (st->in_chunked) {
        put_chunk(st, data, len);
    } else {
        make_room(&st->in, len);
        buf_append(&st->in, data, len);
    }
    st->held += len;
    h2_stream_wake(st);
}

void h2_stream_end(struct h2_stream *st)
{
    struct error e;

    (void)finish_in(st, &e);
    h2_stream_wake(st);
}

/* A user that has read half a window and keeps up with the server gets one four times as wide. */
static void widen(struct h2_stream *st, size_t read)
{
    size_t window = LIMIT_H2_WINDOW + st->wider;

    st->read += read;
    if (!st->user || st->conn->server || st->in_done || st->read < window / 2 ||
        st->held > window / 4 || window > LIMIT_H2_WINDOW_MAX / 4 ||
        3 * window > LIMIT_H2_WIDER - st->proxy->h2_wider)
        return;
    if (nghttp2_session_set_local_window_size(st->conn->ng, NGHTTP2_FLAG_NONE, st->id,
                                              (int32_t)(4 * window)) != 0)
        return;
    st->read = 0;
    st->wider += 3 * window;
    st->proxy->h2_wider += 3 * window;
}

/* Gives back to the window what is not held any more. What is left of the text is no less than the
 * content in it, so never more is given back than was read, chunk lines or not. */
static void give_back(struct h2_stream *st)
{
    size_t left = buf_len(&st->in) - st->head_left;
    size_t n = st->held > left ? st->held - left : 0;

    if (n == 0 || !st->conn)
        return;
    st->held -= n;
    if (st->closed || nghttp2_session_consume_stream(st->conn->ng, st->id, n) != 0)
        return;
    widen(st, n);
    if (nghttp2_session_want_write(st->conn->ng))
        st->conn->side->wake(st->conn);
}

static ssize_t nothing_more(const struct h2_stream *st)
{
    bool whole = st->conn && st->conn->server ? st->body.done && st->out_begun : st->in_done;

    if (st->tunnel == H2_TUNNEL_OPEN)
        whole = st->in_done;
    if (whole)
        return 0;
    return st->error ? st->error : -EAGAIN;
}

static ssize_t do_read(void *impl, void *data, size_t size)
{
    struct h2_stream *st = impl;
    size_t n = st->tunnel == H2_TUNNEL_ASKED ? st->head_left : buf_len(&st->in);

    if (n == 0)
        return nothing_more(st);
    if (n > size)
        n = size;
    memcpy(data, buf_begin(&st->in), n);
    buf_consume(&st->in, n);
    buf_tidy(&st->in);
    st->head_left -= n < st->head_left ? n : st->head_left;
    give_back(st);
    return (ssize_t)n;
}

/* --- to the peer --- */

/* True if there are trailers, which end the stream then. */
static bool add_trailers(struct h2_stream *st)
{
    UNINITIALIZED struct h2_list list;

    return buf_len(&st->body.trailers) > 2 &&
           h2_list_trailers(&list, buf_begin(&st->body.trailers), buf_len(&st->body.trailers)) &&
           nghttp2_submit_trailer(st->conn->ng, st->id, list.nv, list.count) == 0;
}

static ssize_t on_content_wanted(nghttp2_session *ng, int32_t id, uint8_t *data, size_t size,
                                 uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct h2_stream *st = source->ptr;
    size_t n = buf_len(&st->data) < size ? buf_len(&st->data) : size;

    (void)ng;
    (void)id;
    (void)arg;
    if (n > 0) {
        h2_budget_sent(&st->conn->budget, n, n < buf_len(&st->data));
        memcpy(data, buf_begin(&st->data), n);
        buf_consume(&st->data, n);
        h2_stream_wake(st);
    }
    if (st->body.done && buf_len(&st->data) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        buf_free(&st->data);
        if (add_trailers(st))
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    } else if (n == 0 && st->cut) {
        (void)nghttp2_submit_rst_stream(st->conn->ng, NGHTTP2_FLAG_NONE, st->id, st->cut_code);
        return NGHTTP2_ERR_DEFERRED;
    } else if (n == 0) {
        st->waiting = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}

static void resume(struct h2_stream *st)
{
    if (st->waiting)
        (void)nghttp2_session_resume_data(st->conn->ng, st->id);
    st->waiting = false;
    st->conn->side->wake(st->conn);
}

static int submit_request(struct h2_stream *st, size_t len)
{
    struct head_request *r = &st->conn->proxy->scratch.request;
    nghttp2_data_provider content = {.source.ptr = st, .read_callback = on_content_wanted};
    UNINITIALIZED struct h2_list list;
    struct error e;

    if (head_parse_request(buf_begin(&st->head), len, r, &e) < 0)
        return -EPROTO;
    st->head_only = strcmp(r->method, "HEAD") == 0;
    body_init(&st->body, r->body, r->content_length, BODY_LENGTH);
    st->body.keep_trailers = true;
    h2_list_request(&list, r, "https");
    int32_t id = nghttp2_submit_request(st->conn->ng, NULL, list.nv, list.count,
                                        st->body.done ? NULL : &content, st);
    if (id < 0)
        return -ECONNREFUSED;
    st->id = id;
    st->begun_at = now_ms();
    st->out_begun = true;
    return 0;
}

/* An interim response, unless it is the answer to an extended CONNECT. These wait for no window:
 * what is too much for a peer that does not read is left out. */
static int submit_interim(struct h2_stream *st, const struct h2_list *list, size_t len)
{
    st->interim += len;
    if (st->interim > HEAD_MAX)
        return 0;
    return nghttp2_submit_headers(st->conn->ng, NGHTTP2_FLAG_NONE, st->id, NULL, list->nv,
                                  list->count, NULL) < 0
               ? -ECONNRESET
               : 0;
}

static int submit_response(struct h2_stream *st, size_t len)
{
    struct head_response *r = &st->conn->proxy->scratch.response;
    nghttp2_data_provider content = {.source.ptr = st, .read_callback = on_content_wanted};
    UNINITIALIZED struct h2_list list;
    struct error e;

    if (head_parse_response(buf_begin(&st->head), len, st->head_only ? "HEAD" : "GET", r, &e) < 0)
        return -EPROTO;
    bool tunnel = r->status == 101 && st->tunnel == H2_TUNNEL_ASKED;
    if (r->status == 101 && !tunnel)
        return -EPROTO;
    if (st->tunnel == H2_TUNNEL_ASKED && r->status >= 200 && r->status < 300)
        r->status = 501; /* success would say that the tunnel is there (RFC 8441, 5) */
    h2_list_response(&list, r, tunnel);
    if (r->status < 200 && !tunnel)
        return submit_interim(st, &list, len);
    body_init(&st->body, tunnel ? BODY_CLOSE : r->body, r->content_length, BODY_LENGTH);
    st->body.keep_trailers = true;
    if (tunnel)
        st->tunnel = H2_TUNNEL_OPEN;
    if (nghttp2_submit_response(st->conn->ng, st->id, list.nv, list.count,
                                st->body.done ? NULL : &content) < 0)
        return -ECONNRESET;
    st->out_begun = true;
    return 0;
}

/* Returns how many bytes of data belong to the head: all, if it is not whole yet. */
static ssize_t write_head(struct h2_stream *st, const char *data, size_t len)
{
    size_t before = buf_len(&st->head);

    buf_append(&st->head, data, len);
    int end = head_find_end(buf_begin(&st->head), before + len, before);
    if (end < 0)
        return -EPROTO;
    if (end == 0)
        return (ssize_t)len;
    int r = st->conn->server ? submit_response(st, (size_t)end) : submit_request(st, (size_t)end);
    buf_free(&st->head);
    return r < 0 ? r : (ssize_t)((size_t)end - before);
}

static ssize_t write_content(struct h2_stream *st, const char *data, size_t len)
{
    struct buf from = {.data = (char *)(uintptr_t)data, .end = len, .size = len};
    struct error e;

    if (buf_len(&st->data) == 0)
        buf_reserve(&st->data, LIMIT_BUFFER + BODY_OVERHEAD);
    if (st->body.done) /* more than one message */
        return -EPROTO;
    int r = body_copy(&st->body, &from, &st->data, &e);
    if (r < 0)
        return -EPROTO;
    return r == 0 ? -EAGAIN : (ssize_t)(len - buf_len(&from));
}

static ssize_t do_write(void *impl, const void *data, size_t len)
{
    struct h2_stream *st = impl;

    if (!st->conn || st->error || st->closed)
        return st->error ? st->error : -EPIPE;
    ssize_t n = st->out_begun ? write_content(st, data, len) : write_head(st, data, len);
    if (n > 0)
        resume(st);
    else if (n != -EAGAIN && !st->conn->server)
        st->error = (int)n; /* nothing comes of it */
    return n;
}

static int do_end(void *impl)
{
    struct h2_stream *st = impl;

    if (!st->conn || st->tunnel != H2_TUNNEL_OPEN || st->body.done)
        return 0;
    st->body.done = true;
    resume(st);
    return 0;
}

/* Was all said that was to be said, and heard? */
static bool is_whole(const struct h2_stream *st)
{
    if (st->conn->server)
        return st->out_begun && st->body.done;
    return st->in_done && st->out_begun && st->body.done;
}

static void do_close(void *impl, bool broken)
{
    struct h2_stream *st = impl;
    struct h2_conn *c = st->conn;
    uint32_t code = st->user->was_reset ? st->user->reset_code : NGHTTP2_INTERNAL_ERROR;

    st->user = NULL;
    st->cut_code = code;
    if (c)
        c->count--;
    if (!c || st->closed || st->id == 0) {
        h2_stream_free(st);
        return;
    }
    if (st->is_ready)
        TAILQ_REMOVE(&c->ready, st, ready);
    st->is_ready = false;
    if (!c->server && !st->in_begun && c->read_at < st->begun_at)
        c->doubtful = true;
    buf_free(&st->in);
    st->head_left = 0;
    give_back(st);
    buf_free(&st->head);
    st->cut = c->server && st->out_begun && !st->body.done && !broken;
    if (st->cut)
        resume(st);
    else if (!is_whole(st) || broken)
        (void)nghttp2_submit_rst_stream(c->ng, NGHTTP2_FLAG_NONE, st->id,
                                        c->server && !broken ? code : NGHTTP2_CANCEL);
    c->side->wake(c);
}

const struct stream_ops h2_stream_ops = {
    .read = do_read, .write = do_write, .end = do_end, .close = do_close};
