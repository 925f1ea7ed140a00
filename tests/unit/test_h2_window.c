/* test_h2_window.c: how wide the window of a server's stream becomes, and what all of them may
 * hold. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "src/util.h"

#define PIECE 4096 /* of content in a frame */

static struct proxy proxy;

/* --- a connection that says nothing by itself --- */

static ssize_t io_read(void *impl, void *data, size_t size)
{
    (void)impl;
    (void)data;
    (void)size;
    return -EAGAIN;
}

static ssize_t io_write(void *impl, const void *data, size_t len)
{
    (void)impl;
    (void)data;
    return (ssize_t)len;
}

static void io_close(void *impl, bool reset)
{
    (void)impl;
    (void)reset;
}

static const struct stream_ops io_ops = {.read = io_read, .write = io_write, .close = io_close};

static void ignore_stream(struct h2_stream *st)
{
    (void)st;
}

static void ignore_conn(struct h2_conn *c)
{
    (void)c;
}

static const struct h2_side side = {.notify = ignore_stream, .wake = ignore_conn};

struct download {
    struct stream io, user;
    struct h2_conn *conn;
    struct h2_stream *h2;
};

static void frame(struct h2_conn *c, size_t len, uint8_t type, int32_t id, const char *payload)
{
    char head[9] = {(char)(len >> 16), (char)(len >> 8), (char)len, (char)type, type == 1 ? 4 : 0};

    head[8] = (char)id;
    h2_conn_feed(c, head, sizeof(head));
    h2_conn_feed(c, payload, len);
    (void)h2_run(c);
}

/* A request that was sent, whose answer has begun. */
static void begin(struct download *d)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: h.example\r\n\r\n";

    stream_open_inner(&d->io, &io_ops, d, NULL, NULL);
    d->conn = h2_conn_new(&proxy, &d->io, false, &side, d);
    assert_non_null(d->conn);
    frame(d->conn, 0, NGHTTP2_SETTINGS, 0, "");
    d->h2 = h2_stream_new(d->conn);
    stream_open_inner(&d->user, &h2_stream_ops, d->h2, NULL, NULL);
    d->h2->user = &d->user;
    d->conn->count++;
    assert_int_equal(stream_write(&d->user, request, strlen(request)), strlen(request));
    (void)h2_run(d->conn);
    frame(d->conn, 1, NGHTTP2_HEADERS, d->h2->id, "\x88");
}

static void end(struct download *d)
{
    stream_close(&d->user);
    h2_conn_free(d->conn);
}

static void come(struct download *d)
{
    static const char content[PIECE];

    frame(d->conn, sizeof(content), NGHTTP2_DATA, d->h2->id, content);
    assert_null(d->conn->failed);
}

static void read_all(struct download *d)
{
    char data[PIECE];

    while (stream_read(&d->user, data, sizeof(data)) > 0)
        ;
}

static void download(struct download *d, int pieces)
{
    for (int i = 0; i < pieces; i++) {
        come(d);
        read_all(d);
    }
}

/* --- tests --- */

static void test_keeps_up(void **state)
{
    struct download d;
    size_t before = 0;

    (void)state;
    begin(&d);
    assert_int_equal(d.h2->wider, 0);
    download(&d, 4); /* a quarter of a window */
    assert_int_equal(d.h2->wider, 0);
    for (int i = 0; i < 40; i++) { /* it grows, and to an end */
        before = d.h2->wider;
        download(&d, 256);
        assert_true(d.h2->wider >= before);
        assert_int_equal(proxy.h2_wider, d.h2->wider);
    }
    assert_int_equal(d.h2->wider, before);
    assert_true(LIMIT_H2_WINDOW + before > LIMIT_H2_WINDOW_MAX / 4);
    assert_true(LIMIT_H2_WINDOW + before <= LIMIT_H2_WINDOW_MAX);
    end(&d);
    assert_int_equal(proxy.h2_wider, 0);
}

static void test_does_not_read(void **state)
{
    struct download d;

    (void)state;
    begin(&d);
    for (int i = 0; i < LIMIT_H2_WINDOW / PIECE; i++)
        come(&d);
    assert_int_equal(d.h2->wider, 0);
    end(&d);
}

/* Reading, but slower than it comes. */
static void test_does_not_keep_up(void **state)
{
    struct download d;
    char data[PIECE];

    (void)state;
    begin(&d);
    for (int i = 0; i < 6; i++) /* more than a quarter of a window is never read */
        come(&d);
    for (int i = 0; i < 400; i++) {
        assert_true(stream_read(&d.user, data, sizeof(data)) > 0);
        come(&d);
    }
    assert_int_equal(d.h2->wider, 0);
    end(&d);
}

static void test_all_together(void **state)
{
    struct download d[12];
    size_t sum = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        begin(&d[i]);
        download(&d[i], 4000);
        sum += d[i].h2->wider;
    }
    assert_int_equal(proxy.h2_wider, sum);
    assert_true(sum <= LIMIT_H2_WIDER);
    assert_true(sum > LIMIT_H2_WIDER / 2);
    assert_true(d[11].h2->wider < d[0].h2->wider);
    for (size_t i = 0; i < ARRAY_LEN(d); i++)
        end(&d[i]);
    assert_int_equal(proxy.h2_wider, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_up),
        cmocka_unit_test(test_does_not_read),
        cmocka_unit_test(test_does_not_keep_up),
        cmocka_unit_test(test_all_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
