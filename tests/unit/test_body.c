/* test_body.c: bodies from one framing into another, in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "httpproxy/body.h"
#include "src/util.h"

#define ROOM 64

/* Feeds input in pieces of n bytes through a queue with little room; returns what came out,
 * NUL-terminated. */
static char *run(struct body *b, const char *input, size_t piece, size_t *rest, int *result)
{
    struct buf src = {0};
    struct buf dst = {0};
    struct buf all = {0};
    struct error e;
    size_t len = strlen(input);
    size_t at = 0;

    *result = 0;
    while (!b->done && *result >= 0) {
        if (buf_len(&src) == 0 && at == len)
            break;
        if (buf_len(&src) == 0) {
            size_t n = len - at < piece ? len - at : piece;
            buf_append(&src, input + at, n);
            at += n;
        }
        buf_reserve(&dst, ROOM);
        *result = body_move(b, &src, &dst, &e);
        assert_true(buf_len(&dst) <= ROOM);
        buf_append(&all, buf_begin(&dst), buf_len(&dst));
        buf_consume(&dst, buf_len(&dst));
    }
    *rest = buf_len(&src) + (len - at);
    buf_append(&all, "", 1);
    buf_free(&src);
    buf_free(&dst);
    return all.data;
}

static void expect(enum head_body in, uint64_t length, enum head_body out, const char *input,
                   size_t piece, const char *output, size_t left_over)
{
    struct body b;
    size_t rest;
    int result;

    body_init(&b, in, length, out);
    char *got = run(&b, input, piece, &rest, &result);
    assert_true(result >= 0);
    assert_true(b.done);
    assert_string_equal(got, output);
    assert_int_equal(rest, left_over);
    free(got);
}

static void test_length(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 12; piece++)
        expect(BODY_LENGTH, 5, BODY_LENGTH, "helloGET /", piece, "hello", 5);
    expect(BODY_LENGTH, 5, BODY_CHUNKED, "hello", 5, "5\r\nhello\r\n0\r\n\r\n", 0);
}

/* A source that is someone else's stays where it is, though the queue is empty. */
static void test_lent(void **state)
{
    char text[] = "hello";
    struct buf src = {.data = text, .end = 5, .size = 5};
    struct buf dst = {0};
    struct body b;
    struct error e;

    (void)state;
    body_init(&b, BODY_LENGTH, 5, BODY_LENGTH);
    buf_reserve(&dst, ROOM);
    assert_int_equal(body_copy(&b, &src, &dst, &e), 1);
    assert_ptr_equal(src.data, text);
    assert_true(b.done && dst.data != text && buf_len(&dst) == 5);
    assert_memory_equal(buf_begin(&dst), "hello", 5);
    buf_free(&dst);
}

static void test_nothing(void **state)
{
    (void)state;
    expect(BODY_NONE, 0, BODY_NONE, "next", 4, "", 4);
    expect(BODY_LENGTH, 0, BODY_LENGTH, "next", 4, "", 4);
}

static void test_chunked_to_bare(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece++)
        expect(BODY_CHUNKED, 0, BODY_CLOSE,
               "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: v\r\n\r\nnext", piece, "hello world", 4);
}

static void test_chunked_to_chunked(void **state)
{
    (void)state;
    expect(BODY_CHUNKED, 0, BODY_CHUNKED, "5;ext\r\nhello\r\n0\r\nTrailer: x\r\n\r\n", 99,
           "5\r\nhello\r\n0\r\n\r\n", 0);
    for (size_t piece = 1; piece < 40; piece++) {
        /* the output, whatever its chunks, is the same body again */
        struct body b;
        struct body c;
        size_t rest;
        int result;
        body_init(&b, BODY_CHUNKED, 0, BODY_CHUNKED);
        char *got = run(&b, "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", piece, &rest, &result);
        assert_true(b.done && b.bytes == 11);
        body_init(&c, BODY_CHUNKED, 0, BODY_CLOSE);
        char *plain = run(&c, got, 7, &rest, &result);
        assert_true(c.done);
        assert_string_equal(plain, "hello world");
        free(got);
        free(plain);
    }
}

static int change(const void *arg, struct buf *trailers, struct error *e)
{
    buf_append(trailers, arg, 0);
    if (buf_len(trailers) == 2)
        return error_set(e, EPROTO, "there are none");
    *(char *)memchr(buf_begin(trailers), 'b', buf_len(trailers)) = 'x';
    return 0;
}

/* Lines of a server's trailers are written as they should be, filtered, and then changed. */
static void test_server_trailers(void **state)
{
    static const char wanted[] = "0\r\nA: x  c\r\n\r\n";
    struct body b;
    size_t rest;
    int result;

    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        body_init(&b, BODY_CHUNKED, 0, BODY_CHUNKED);
        b.keep_trailers = b.chunk.lenient = true;
        b.change_trailers = change;
        char *got = run(&b, "0\nA: b \n c\r\nHost: a\n\n", piece, &rest, &result);
        assert_true(b.done);
        assert_string_equal(got, wanted);
        free(got);
        body_free(&b);
    }
    body_init(&b, BODY_CHUNKED, 0, BODY_CHUNKED);
    b.keep_trailers = true;
    b.change_trailers = change;
    free(run(&b, "0\r\n\r\n", 40, &rest, &result));
    assert_int_equal(result, -EPROTO);
    body_free(&b);
}

/* A run longer than the room comes in several chunks. */
static void test_room(void **state)
{
    char input[1001];
    struct body b;
    struct body c;
    size_t rest;
    int result;

    (void)state;
    memset(input, 'x', 1000);
    input[1000] = '\0';
    body_init(&b, BODY_LENGTH, 1000, BODY_CHUNKED);
    char *got = run(&b, input, 1000, &rest, &result);
    assert_true(b.done);
    body_init(&c, BODY_CHUNKED, 0, BODY_CLOSE);
    char *plain = run(&c, got, 13, &rest, &result);
    assert_true(c.done);
    assert_string_equal(plain, input);
    free(got);
    free(plain);
}

static void test_until_close(void **state)
{
    struct body b;
    struct buf dst = {0};
    size_t rest;
    int result;

    (void)state;
    body_init(&b, BODY_CLOSE, 0, BODY_CHUNKED);
    char *got = run(&b, "hello", 5, &rest, &result);
    assert_false(b.done);
    assert_string_equal(got, "5\r\nhello\r\n");
    assert_false(body_end(&b, &dst)); /* no room */
    buf_reserve(&dst, BODY_OVERHEAD);
    assert_true(body_end(&b, &dst));
    assert_true(b.done);
    assert_memory_equal(buf_begin(&dst), "0\r\n\r\n", 5);
    free(got);
    buf_free(&dst);
}

/* An end before the end is never a complete body. */
static void test_cut_off(void **state)
{
    struct body b;
    struct buf dst = {0};
    size_t rest;
    int result;

    (void)state;
    buf_reserve(&dst, BODY_OVERHEAD);
    body_init(&b, BODY_LENGTH, 10, BODY_LENGTH);
    free(run(&b, "hello", 5, &rest, &result));
    assert_false(b.done || body_end(&b, &dst));
    body_init(&b, BODY_CHUNKED, 0, BODY_CHUNKED);
    free(run(&b, "5\r\nhello\r\n", 5, &rest, &result));
    assert_false(b.done || body_end(&b, &dst));
    assert_int_equal(buf_len(&dst), 0);
    buf_free(&dst);
}

static void test_broken_chunks(void **state)
{
    static const char *const bad[] = {
        "x\r\n",   "5\nhello", "5\r\nhelloX\r\n",      "-1\r\n", " 5\r\n",
        "0x5\r\n", "\r\n",     "fffffffffffffffff\r\n"};
    struct body b;
    size_t rest;
    int result;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        body_init(&b, BODY_CHUNKED, 0, BODY_CHUNKED);
        free(run(&b, bad[i], 64, &rest, &result));
        assert_true(result < 0);
        assert_false(b.done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_lent),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_chunked_to_bare),
        cmocka_unit_test(test_chunked_to_chunked),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_server_trailers),
        cmocka_unit_test(test_until_close),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_broken_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
