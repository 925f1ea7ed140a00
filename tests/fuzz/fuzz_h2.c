/* fuzz_h2.c: a client's bytes into the server's side of an HTTP/2 connection. Each request that
 * comes out as text is read as a session would read it: it must be one request and no more, its
 * body must be well-formed, and what is kept of it bounded; then it is answered and closed in
 * different ways.
 *
 * The first byte tells how the bytes are cut and how the answers look; the client's preface and an
 * empty SETTINGS frame go before the rest. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#define TURNS_MAX 100000
#define TEXT_MAX (HEAD_MAX + LIMIT_H2_WINDOW + 4096)

/* Who reads a stream. */
struct user {
    TAILQ_ENTRY(user) all;
    struct stream stream;
    struct h2_stream *h2;
    struct buf text, content;
    struct body body;
    bool head_read, refused, answered;
    size_t sent; /* of the answer */
};

TAILQ_HEAD(users, user);

/* One run. */
struct run {
    const uint8_t *data;
    size_t left, piece;
    unsigned how;
    bool woken, blocked;
    struct users users;
};

static struct proxy proxy;

/* --- the socket --- */

static ssize_t io_read(void *impl, void *data, size_t size)
{
    struct run *r = impl;
    size_t n = r->left < r->piece ? r->left : r->piece;

    if (n > size)
        n = size;
    memcpy(data, r->data, n);
    r->data += n;
    r->left -= n;
    return (ssize_t)n;
}

/* Now and then the client does not read. */
static ssize_t io_write(void *impl, const void *data, size_t len)
{
    struct run *r = impl;

    (void)data;
    r->blocked = (r->how & 8) && !r->blocked;
    r->woken |= r->blocked;
    return r->blocked ? -EAGAIN : (ssize_t)len;
}

static int io_end(void *impl)
{
    (void)impl;
    return 0;
}

static void io_close(void *impl, bool reset)
{
    (void)impl;
    (void)reset;
}

static const struct stream_ops io_ops = {
    .read = io_read, .write = io_write, .end = io_end, .close = io_close};

/* --- the streams --- */

static void on_request(struct h2_stream *st)
{
    struct run *r = st->conn->owner;
    struct h2_request_form form = {
        .scheme = "https", .body = !st->in_done && !st->tunnel, .key = st->key};
    struct user *u = xcalloc(1, sizeof(*u));
    struct error e;

    memcpy(st->key, "AAAAAAAAAAAAAAAAAAAAAA==", sizeof("AAAAAAAAAAAAAAAAAAAAAA=="));
    u->h2 = st;
    stream_open_inner(&u->stream, &h2_stream_ops, st, NULL, NULL);
    st->user = &u->stream;
    st->conn->count++;
    TAILQ_INSERT_TAIL(&r->users, u, all);
    if (h2_fields_request(st->fields, &form, &st->in, &e) < 0) {
        u->refused = true;
        buf_free(&st->in);
    }
    st->head_left = buf_len(&st->in);
}

static void on_notify(struct h2_stream *st)
{
    (void)st;
}

static void on_wake(struct h2_conn *c)
{
    struct run *r = c->owner;

    r->woken = true;
}

static const struct h2_side side = {.request = on_request, .notify = on_notify, .wake = on_wake};

static void leave(struct run *r, struct user *u, bool reset)
{
    TAILQ_REMOVE(&r->users, u, all);
    if (reset)
        stream_reset(&u->stream);
    else
        stream_close(&u->stream);
    buf_free(&u->text);
    buf_free(&u->content);
    body_free(&u->body);
    free(u);
}

/* The head, once it is whole; false: it is not, or is none. */
static bool read_head(struct user *u)
{
    struct head_request *head = &proxy.scratch.request;
    struct error e;
    int end = head_find_end(buf_begin(&u->text), buf_len(&u->text), 0);

    if (end == 0)
        return false;
    u->head_read = true;
    if (end < 0 || head_parse_request(buf_begin(&u->text), (size_t)end, head, &e) < 0) {
        u->refused = true;
        return false;
    }
    CHECK(head->minor == 1 && head->host && head->keep_alive);
    CHECK(!u->h2->tunnel || head->body == BODY_NONE);
    body_init(&u->body, head->body, head->content_length, BODY_LENGTH);
    u->body.keep_trailers = true;
    buf_consume(&u->text, (size_t)end);
    return true;
}

static void read_body(struct user *u)
{
    struct error e;

    do {
        buf_consume(&u->content, buf_len(&u->content));
        buf_reserve(&u->content, LIMIT_BUFFER);
        int r = body_move(&u->body, &u->text, &u->content, &e);
        CHECK(r >= 0);
        if (r == 0)
            break;
    } while (true);
    CHECK(!u->body.done || buf_len(&u->text) == 0 || u->h2->tunnel == H2_TUNNEL_OPEN);
}

static const char *answer(const struct run *r, const struct user *u)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        /* an interim one, and trailers */
        "HTTP/1.1 103 \r\n\r\nHTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: b\r\n\r\n",
        "HTTP/1.1 204 No\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut",
    };

    if (u->h2->tunnel)
        return "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello";
    return answers[((unsigned)u->h2->id / 2 + r->how) % ARRAY_LEN(answers)];
}

/* False: the stream is broken. */
static bool say(const struct run *r, struct user *u)
{
    const char *text = answer(r, u);
    size_t len = strlen(text);

    while (u->sent < len) {
        ssize_t n = stream_write(&u->stream, text + u->sent, len - u->sent);
        if (n == -EAGAIN)
            return true;
        if (n <= 0)
            return false;
        u->sent += (size_t)n;
    }
    u->answered = true;
    return true;
}

/* It may leave. */
static void step(struct run *r, struct user *u)
{
    char data[4096];
    size_t size = r->how & 16 ? 7 : sizeof(data);

    CHECK(buf_len(&u->h2->in) <= TEXT_MAX && buf_len(&u->h2->data) <= 2 * LIMIT_BUFFER);
    CHECK(u->h2->held <= LIMIT_H2_WINDOW);
    ssize_t n = u->refused ? 0 : stream_read(&u->stream, data, size);
    if (n > 0)
        buf_append(&u->text, data, (size_t)n);
    if (n > 0 && (u->head_read || read_head(u)))
        read_body(u);
    bool ready = u->head_read && (u->body.done || (r->how & 32));
    bool broken = n < 0 && n != -EAGAIN;
    if (!u->refused && !broken && ready && !u->answered)
        broken = !say(r, u);
    if (u->refused || broken || u->answered) {
        leave(r, u, r->how & 64);
        return;
    }
    r->woken |= n > 0;
}

static void turn(struct run *r)
{
    struct user *u = TAILQ_FIRST(&r->users);

    while (u) {
        struct user *next = TAILQ_NEXT(u, all);
        step(r, u);
        u = next;
    }
}

static void leave_all(struct run *r)
{
    struct user *u = TAILQ_FIRST(&r->users);

    while (u) {
        struct user *next = TAILQ_NEXT(u, all);
        leave(r, u, false);
        u = next;
    }
}

/* What the log wants; its other end is closed, so nothing is kept. */
static void make_proxy(void)
{
    int fds[2];

    if (proxy.base)
        return;
    proxy.base = event_base_new();
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    (void)close(fds[1]);
    proxy.channel = channel_new(proxy.base, fds[0], 0, 0, NULL, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char begin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    struct stream io;
    struct run r = {0};
    int turns = 0;

    if (size < 1)
        return 0;
    make_proxy();
    r.how = data[0];
    r.data = data + 1;
    r.left = size - 1;
    r.piece = r.how & 4 ? LIMIT_BUFFER : 1 + (r.how & 3) * 11;
    TAILQ_INIT(&r.users);
    stream_open_inner(&io, &io_ops, &r, NULL, NULL);
    struct h2_conn *c = h2_conn_new(&proxy, &io, true, &side, &r);
    CHECK(c);
    h2_conn_feed(c, begin, sizeof(begin)); /* with the NUL, the last byte of the frame's head */
    do {
        r.woken = false;
        (void)h2_run(c);
        turn(&r);
    } while (!h2_conn_over(c) && (r.woken || r.left > 0) && turns++ < TURNS_MAX);
    CHECK(turns < TURNS_MAX);
    h2_conn_free(c);
    leave_all(&r);
    return 0;
}
