/* h2_conn.c: an HTTP/2 connection: frames in and out by libnghttp2; see h2.h.
 *
 * libnghttp2 keeps the state of RFC 9113: framing, HPACK, windows, states of streams, and of each
 * message that its fields and its length are as they must be. What it leaves to its user is here:
 * how much of a head is kept (h2_fields.c), how many frames a peer may send that cost and bring
 * nothing (h2_budget.c), and that nothing is read from a client that does not read what it is sent.
 *
 * Its callbacks set facts and never run a user of a stream: those run after it has returned. */
#include <errno.h>
#include <string.h>

#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "httpproxy/log.h"
#include "src/util.h"

static void fail(struct h2_conn *c, const char *why)
{
    if (!c->failed)
        c->failed = why;
}

void h2_conn_end(struct h2_conn *c, uint32_t code)
{
    (void)nghttp2_session_terminate_session(c->ng, code);
}

static void calm(struct h2_conn *c)
{
    h2_conn_end(c, NGHTTP2_ENHANCE_YOUR_CALM);
}

static struct h2_stream *find(struct h2_conn *c, int32_t id)
{
    return id > 0 ? nghttp2_session_get_stream_user_data(c->ng, id) : NULL;
}

static void reset(struct h2_conn *c, int32_t id, uint32_t code)
{
    (void)nghttp2_submit_rst_stream(c->ng, NGHTTP2_FLAG_NONE, id, code);
}

/* --- callbacks --- */

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
    struct h2_conn *c = arg;

    (void)ng;
    c->continuations = hd->type == NGHTTP2_CONTINUATION ? c->continuations + 1 : 0;
    if (!h2_budget_frame(&c->budget, hd) || c->continuations > LIMIT_H2_CONTINUATIONS)
        calm(c);
    return 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_conn *c = arg;
    struct h2_stream *st = find(c, frame->hd.stream_id);

    if (!st && c->server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        st = h2_stream_new(c);
        st->id = frame->hd.stream_id;
        (void)nghttp2_session_set_stream_user_data(ng, st->id, st);
    }
    if (!st)
        return 0;
    if (!st->fields)
        st->fields = xcalloc(1, sizeof(*st->fields));
    h2_fields_free(st->fields);
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct h2_stream *st = find(arg, frame->hd.stream_id);

    (void)ng;
    (void)flags;
    if (st && st->fields)
        h2_fields_add(st->fields, name, name_len, value, value_len);
    return 0;
}

/* A field that libnghttp2 would leave out: the message is malformed. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *arg)
{
    struct h2_stream *st = find(arg, frame->hd.stream_id);

    (void)ng;
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    if (st && st->fields && !st->fields->bad)
        st->fields->bad = "a field name or a value holds what may not stand there";
    return 0;
}

/* A frame that libnghttp2 refuses, after which it resets the stream or ends the connection. A
 * request that was refused so has been seen by no judge: it is logged here, and counted, since it
 * may never have become a stream. */
static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int code, void *arg)
{
    struct h2_conn *c = arg;

    (void)ng;
    if (!c->server || frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    log_deny(c->proxy, "-", "-", nghttp2_strerror(code));
    if (!h2_budget_reset(&c->budget))
        calm(c);
    return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_conn *c = arg;
    struct h2_stream *st = find(c, frame->hd.stream_id);
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct error e;

    (void)ng;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        c->wants_http1 = frame->goaway.error_code == NGHTTP2_HTTP_1_1_REQUIRED;
    if (!st)
        return 0;
    if (frame->hd.type == NGHTTP2_RST_STREAM && st->user) {
        st->user->was_reset = true;
        st->user->reset_code = frame->rst_stream.error_code;
    }
    if (frame->hd.type == NGHTTP2_HEADERS) {
        if (h2_stream_section(st, end, &e) < 0)
            reset(c, frame->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
    } else if (frame->hd.type == NGHTTP2_DATA && end) {
        h2_stream_end(st);
    }
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *arg)
{
    struct h2_stream *st = find(arg, id);

    (void)flags;
    (void)nghttp2_session_consume_connection(ng, len);
    if (st)
        h2_stream_content(st, data, len);
    else
        (void)nghttp2_session_consume_stream(ng, id, len);
    return 0;
}

static int on_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_conn *c = arg;
    struct h2_stream *st = find(c, frame->hd.stream_id);

    if (st && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
        (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)) {
        st->ended = true;
        /* RFC 9113, 8.1: no more of it is wanted. Behind an extended CONNECT the client has nothing
         * to send, and no reason to end its side; gRPC's C core, in the middle of sending, would
         * wait for ever, whatever its deadline. */
        if (c->server && (st->tunnel == H2_TUNNEL_ASKED || st->grpc) && !st->in_done)
            (void)nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
    }
    return 0;
}

/* Whether a stream ended well is what was sent, not the peer's code: it may reset with NO_ERROR. */
static int on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    struct h2_conn *c = arg;
    struct h2_stream *st = find(c, id);

    (void)ng;
    if (!st)
        return 0;
    if (st->ended)
        h2_budget_done(&c->budget);
    else if (c->server && !h2_budget_reset(&c->budget))
        calm(c);
    h2_stream_closed(st, code);
    return 0;
}

/* A frame of a type that RFC 9113 does not know (5.5): nothing is made of it. */
static int on_unknown(nghttp2_session *ng, void **payload, const nghttp2_frame_hd *hd, void *arg)
{
    (void)ng;
    (void)payload;
    (void)hd;
    (void)arg;
    return NGHTTP2_ERR_CANCEL;
}

/* --- the beginning and the end --- */

/* libnghttp2 tells nothing of a frame of an unknown type, which is to be counted, unless someone
 * wants to have that type. */
static void want_unknown(nghttp2_option *option)
{
    for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
        nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
}

static nghttp2_session *make_session(struct h2_conn *c)
{
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_option *option = NULL;
    nghttp2_session *ng = NULL;

    if (nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&option) == 0) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
        nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
        nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
        nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
        nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
        nghttp2_session_callbacks_set_unpack_extension_callback(cb, on_unknown);
        want_unknown(option);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_peer_max_concurrent_streams(option, LIMIT_H2_UNSETTLED);
        int r = c->server ? nghttp2_session_server_new2(&ng, cb, c, option)
                          : nghttp2_session_client_new2(&ng, cb, c, option);
        if (r != 0)
            ng = NULL;
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    return ng;
}

static int send_settings(struct h2_conn *c)
{
    const nghttp2_settings_entry of_server[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, LIMIT_H2_STREAMS},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LIMIT_H2_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEAD_MAX},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };
    const nghttp2_settings_entry of_client[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LIMIT_H2_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEAD_MAX},
    };
    int r =
        c->server
            ? nghttp2_submit_settings(c->ng, NGHTTP2_FLAG_NONE, of_server, ARRAY_LEN(of_server))
            : nghttp2_submit_settings(c->ng, NGHTTP2_FLAG_NONE, of_client, ARRAY_LEN(of_client));

    if (r == 0)
        r = nghttp2_session_set_local_window_size(c->ng, NGHTTP2_FLAG_NONE, 0,
                                                  LIMIT_H2_CONNECTION_WINDOW);
    return r;
}

struct h2_conn *h2_conn_new(struct proxy *p, struct stream *io, bool server,
                            const struct h2_side *side, void *owner)
{
    struct h2_conn *c = xcalloc(1, sizeof(*c));

    c->proxy = p;
    c->io = io;
    c->server = server;
    c->side = side;
    c->owner = owner;
    c->read_at = now_ms();
    TAILQ_INIT(&c->streams);
    TAILQ_INIT(&c->ready);
    h2_budget_init(&c->budget);
    c->ng = make_session(c);
    if (!c->ng || send_settings(c) != 0) {
        h2_conn_free(c);
        return NULL;
    }
    return c;
}

void h2_conn_free(struct h2_conn *c)
{
    struct h2_stream *st;

    if (!c)
        return;
    nghttp2_session_del(c->ng);
    c->ng = NULL;
    while ((st = TAILQ_FIRST(&c->streams)))
        h2_stream_orphan(st);
    buf_free(&c->out);
    free(c);
}

bool h2_conn_over(const struct h2_conn *c)
{
    if (c->failed)
        return true;
    if (buf_len(&c->out) > 0)
        return false;
    return c->read_end || (!nghttp2_session_want_read(c->ng) && !nghttp2_session_want_write(c->ng));
}

/* --- bytes --- */

void h2_conn_feed(struct h2_conn *c, const char *data, size_t len)
{
    ssize_t n = nghttp2_session_mem_recv(c->ng, (const uint8_t *)data, len);

    c->read_at = now_ms();
    /* A GOAWAY with the reason may wait, but what this peer says is not to be read on. */
    if (n < 0)
        fail(c, nghttp2_strerror((int)n));
}

/* Frames into out, as long as they fit about LIMIT_BUFFER. */
static bool fill_out(struct h2_conn *c)
{
    bool moved = false;

    while (buf_len(&c->out) < LIMIT_BUFFER) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(c->ng, &data);
        if (n < 0)
            fail(c, nghttp2_strerror((int)n));
        if (n <= 0)
            break;
        if (buf_room(&c->out) < (size_t)n)
            buf_reserve(&c->out, (size_t)n > LIMIT_BUFFER ? (size_t)n : 2 * LIMIT_BUFFER);
        buf_append(&c->out, data, (size_t)n);
        moved = true;
    }
    return moved;
}

static bool write_out(struct h2_conn *c)
{
    if (buf_len(&c->out) == 0)
        return false;
    ssize_t n = stream_write(c->io, buf_begin(&c->out), buf_len(&c->out));
    if (n == -EAGAIN)
        return false;
    if (n < 0)
        fail(c, stream_error((int)n));
    else
        buf_consume(&c->out, (size_t)n);
    return true;
}

/* From a client nothing is read while its answers find no way out. A server is read even so: it
 * takes no requests then, but its answers go on; and what it makes us say is bounded by its budget
 * and by its windows. */
static bool read_in(struct h2_conn *c)
{
    UNINITIALIZED char data[LIMIT_BUFFER];

    if (c->read_end || (c->server && buf_len(&c->out) >= LIMIT_BUFFER) ||
        !nghttp2_session_want_read(c->ng))
        return false;
    ssize_t n = stream_read(c->io, data, sizeof(data));
    if (n == -EAGAIN)
        return false;
    if (n < 0)
        fail(c, stream_error((int)n));
    else if (n == 0)
        c->read_end = true;
    else
        h2_conn_feed(c, data, (size_t)n);
    return true;
}

static void notify_ready(struct h2_conn *c)
{
    struct h2_stream *st;

    while ((st = TAILQ_FIRST(&c->ready))) {
        TAILQ_REMOVE(&c->ready, st, ready);
        st->is_ready = false;
        c->side->notify(st);
    }
}

bool h2_run(struct h2_conn *c)
{
    int steps = 0;
    bool moved = true;

    while (moved && !h2_conn_over(c) && steps < LIMIT_STEPS) {
        moved = fill_out(c);
        moved = write_out(c) || moved;
        if (!c->failed)
            moved = read_in(c) || moved;
        steps += moved;
    }
    buf_tidy(&c->out);
    notify_ready(c);
    if (steps == LIMIT_STEPS)
        c->side->wake(c);
    return steps > 0;
}
