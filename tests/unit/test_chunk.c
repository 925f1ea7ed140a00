/* test_chunk.c: the chunked coding: what is taken, what is refused, and that it makes no difference
 * how the bytes come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "httpproxy/head.h"
#include "src/util.h"

#define TEXT(s) (s), sizeof(s) - 1

struct result {
    int r; /* 1: ended, 0: more is needed, or negative */
    size_t consumed;
    size_t len;
    char *data; /* len bytes; the caller frees */
    struct error e;
};

/* A reproducible sequence (a linear congruential generator). */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Feeds the input in pieces: of that size, or of random ones of 1 to 9 bytes if piece is 0. */
static struct result feed(const char *in, size_t len, size_t piece, uint32_t seed)
{
    struct result out = {.data = xmalloc(len + 1)};
    struct chunk_reader c;
    bool end = false;

    chunk_init(&c);
    while (out.consumed < len && !end) {
        size_t n = piece ? piece : next_random(&seed) % 9 + 1;
        if (n > len - out.consumed)
            n = len - out.consumed;
        cleanup_free char *exact = xmalloc(n);
        const char *data = NULL;
        size_t data_len = 99;
        memcpy(exact, in + out.consumed, n);
        long r = chunk_read(&c, exact, n, &data, &data_len, &end, &out.e);
        if (r < 0) {
            out.r = (int)r;
            return out;
        }
        assert_true(r > 0 && (size_t)r <= n);
        if (data_len > 0) {
            assert_true(data >= exact && data + data_len <= exact + r);
            memcpy(out.data + out.len, data, data_len);
        }
        out.len += data_len;
        out.consumed += (size_t)r;
    }
    out.r = end;
    return out;
}

static void check_data(const char *in, size_t len, const char *data, size_t data_len, size_t end)
{
    for (size_t piece = 1; piece <= len; piece++) {
        struct result got = feed(in, len, piece, 0);
        if (got.r != 1)
            fail_msg("%d: %s", got.r, in);
        assert_int_equal(got.consumed, end);
        assert_int_equal(got.len, data_len);
        assert_memory_equal(got.data, data, data_len);
        free(got.data);
    }
}

struct chunk_case {
    const char *in;
    size_t len;
    const char *data;
    size_t data_len;
};

static const struct chunk_case taken[] = {
    {TEXT("0\r\n\r\n"), TEXT("")},
    {TEXT("000000000000000\r\n\r\n"), TEXT("")},
    {TEXT("5\r\nhello\r\n0\r\n\r\n"), TEXT("hello")},
    {TEXT("000000000000005\r\nhello\r\n0\r\n\r\n"), TEXT("hello")},
    {TEXT("3\r\nabc\r\na\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
     TEXT("abc01234567890123456789")},
    {TEXT("4\r\n\r\n\0\xff\r\n0\r\n\r\n"), TEXT("\r\n\0\xff")},
    {TEXT("5;\r\nhello\r\n0;\r\n\r\n"), TEXT("hello")},
    {TEXT("5;a\r\nhello\r\n0\r\n\r\n"), TEXT("hello")},
    {TEXT("5;a=b;c=\"d\t \xff\"\r\nhello\r\n0;z\r\n\r\n"), TEXT("hello")},
    {TEXT("1\r\na\r\n0\r\nA: b\r\n\r\n"), TEXT("a")},
    {TEXT("1\r\na\r\n0\r\nA: b\r\nContent-Length: 5\r\nC:\t\xff\r\n\r\n"), TEXT("a")},
};

static void test_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        check_data(taken[i].in, taken[i].len, taken[i].data, taken[i].data_len, taken[i].len);
}

/* What follows belongs to the next message. */
static void test_end(void **state)
{
    static const char in[] = "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
    const char *data;
    size_t len;
    bool end;
    struct chunk_reader c;
    struct error e;

    (void)state;
    check_data(in, sizeof(in) - 1, "a", 1, 11);
    chunk_init(&c);
    assert_int_equal(chunk_read(&c, TEXT("0\r\n\r\nX"), &data, &len, &end, &e), 5);
    assert_true(end);
    assert_int_equal(chunk_read(&c, TEXT("X"), &data, &len, &end, &e), 0);
    assert_true(end);
    assert_int_equal(len, 0);
}

/* Reads all of in, at most piece bytes at once. Returns what chunk_read did last. */
static long read_all(struct chunk_reader *c, const char *in, size_t piece, char *text)
{
    size_t at = 0, all = strlen(in);
    bool end = false;
    long r = 0;

    *text = '\0';
    while (!end && at < all) {
        const char *data;
        size_t len;
        struct error e;
        r = chunk_read(c, in + at, all - at < piece ? all - at : piece, &data, &len, &end, &e);
        if (r < 0)
            return r;
        (void)strncat(text, data, len);
        at += (size_t)r;
    }
    assert_true(end && at == all);
    return r;
}

/* What servers write, and clients take; from clients it is refused. */
static void test_lenient(void **state)
{
    static const struct {
        const char *in;
        bool odd;
    } good[] = {
        {"5  \r\nhello\r\n1 \t;x=y\r\n!\r\n0 \r\n\r\n", false},
        {"5\nhello\n1;x=y\n!\n0\n\n", true},
        {"5 \nhello\r\n1\r\n!\r\n0\r\n\r\n", true},
        {"5\r\nhello\r\n1\r\n!\n0\r\n\r\n", true},
        {"6\r\nhello!\r\n0\r\n\n", true},
        {"6\r\nhello!\r\n0\r\nA: b\n\r\n", true},
        {"6\r\nhello!\r\n0\r\nA: b\r\n c\r\n\td\r\nE: f\r\n\r\n", true},
    };
    struct chunk_reader c;
    char text[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        for (size_t piece = 1; piece < 40; piece++) {
            chunk_init(&c);
            c.lenient = true;
            assert_true(read_all(&c, good[i].in, piece, text) > 0);
            assert_string_equal(text, "hello!");
            assert_int_equal(c.odd, good[i].odd);
        }
        chunk_init(&c);
        assert_int_equal(read_all(&c, good[i].in, 40, text), -EPROTO);
    }
}

/* Nobody can know what these mean. */
static void test_lenient_refuses(void **state)
{
    static const char *const bad[] = {
        " 5\r\n",         "5 5\r\n",      "5 \x0b\r\n",         "\n",
        "5\rhello\r\n",   "5\r\rhello",   "5\r\nhello\r0\r\n",  "5\r\nhello!",
        "0\r\n A: b\r\n", "0\n\tA: b\n",  "0\r\nA\n",           "0\r\nA: b\rC: d\r\n",
        "0\r\nA\r\n : b", "0\r\n: b\r\n", "5;x\x0b\nhello\r\n",
    };
    struct chunk_reader c;
    char text[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        chunk_init(&c);
        c.lenient = true;
        assert_int_equal(read_all(&c, bad[i], 40, text), -EPROTO);
    }
}

/* No proper prefix of a body is a whole body, or an error. */
static void test_prefix(void **state)
{
    static const char in[] = "3;x\r\nabc\r\n1\r\nd\r\n0\r\nT: v\r\n\r\n";

    (void)state;
    for (size_t n = 0; n < sizeof(in) - 1; n++) {
        struct result got = feed(in, n, 7, 0);
        assert_int_equal(got.r, 0);
        assert_int_equal(got.consumed, n);
        free(got.data);
    }
}

struct refused_case {
    const char *in;
    size_t len;
    const char *data; /* what comes out before the error is seen */
    const char *why;
};

static const struct refused_case refused[] = {
    {TEXT("\r\n"), "", "without a size"},
    {TEXT("\n"), "", "without a size"},
    {TEXT(";a\r\n"), "", "without a size"},
    {TEXT(" 5\r\n"), "", "without a size"},
    {TEXT("+5\r\n"), "", "without a size"},
    {TEXT("-5\r\n"), "", "without a size"},
    {TEXT("g\r\n"), "", "without a size"},
    {TEXT("5 \r\n"), "", "something after it"},
    {TEXT("5\t;a\r\n"), "", "something after it"},
    {TEXT("0x5\r\n"), "", "something after it"},
    {TEXT("5g\r\n"), "", "something after it"},
    {TEXT("5,5\r\n"), "", "something after it"},
    {TEXT("5\0\r\n"), "", "something after it"},
    {TEXT("5\n"), "", "something after it"},
    {TEXT("5_0\r\n"), "", "something after it"},
    {TEXT("0000000000000005\r\n"), "", "more than 15 digits"},
    {TEXT("1000000000000000\r\n"), "", "more than 15 digits"},
    {TEXT("ffffffffffffffff5\r\n"), "", "more than 15 digits"},
    {TEXT("5\rhello"), "", "no CRLF"},
    {TEXT("5\r\r\nhello"), "", "no CRLF"},
    {TEXT("5;a\nhello"), "", "bare LF"},
    {TEXT("5;a\n\r\n"), "", "bare LF"},
    {TEXT("5;a=\"\n\"\r\n"), "", "bare LF"},
    {TEXT("5;a\rb\r\n"), "", "no CRLF"},
    {TEXT("5;a\0\r\n"), "", "control character"},
    {TEXT("5;a\x7f\r\n"), "", "control character"},
    {TEXT("5\r\nhello\n"), "hello", "no CRLF"},
    {TEXT("5\r\nhello0\r\n\r\n"), "hello", "no CRLF"},
    {TEXT("5\r\nhello\r\r\n"), "hello", "no CRLF"},
    {TEXT("5\r\nhello\r0"), "hello", "no CRLF"},
    {TEXT("5\r\nhello\r\n\r\n"), "hello", "without a size"},
    {TEXT("1\r\na\r\n0\n\r\n"), "a", "something after it"},
    {TEXT("1\r\na\r\n0\r\n\n"), "a", "no field name"},
    {TEXT("1\r\na\r\n0\r\n\rX"), "a", "no CRLF"},
    {TEXT("1\r\na\r\n0\r\n A: b\r\n"), "a", "no field name"},
    {TEXT("1\r\na\r\n0\r\n: b\r\n"), "a", "no field name"},
    {TEXT("1\r\na\r\n0\r\nA\r\n\r\n"), "a", "without a colon"},
    {TEXT("1\r\na\r\n0\r\nA : b\r\n"), "a", "without a colon"},
    {TEXT("1\r\na\r\n0\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), "a", "without a colon"},
    {TEXT("1\r\na\r\n0\r\nA: b\r\n c\r\n"), "a", "no field name"},
    {TEXT("1\r\na\r\n0\r\nA: b\n\r\n"), "a", "bare LF"},
    {TEXT("1\r\na\r\n0\r\nA: b\rc\r\n"), "a", "no CRLF"},
    {TEXT("1\r\na\r\n0\r\nA: \0\r\n"), "a", "control character"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        for (size_t piece = 1; piece <= refused[i].len; piece++) {
            struct result got = feed(refused[i].in, refused[i].len, piece, 0);
            if (got.r != -EPROTO || !strstr(got.e.text, refused[i].why))
                fail_msg("case %zu: %d, %s", i, got.r, got.e.text);
            assert_int_equal(got.len, strlen(refused[i].data));
            assert_memory_equal(got.data, refused[i].data, got.len);
            free(got.data);
        }
}

/* An error is final. */
static void test_broken(void **state)
{
    struct chunk_reader c;
    const char *data;
    size_t len;
    bool end;
    struct error e;

    (void)state;
    chunk_init(&c);
    assert_int_equal(chunk_read(&c, TEXT("5\n"), &data, &len, &end, &e), -EPROTO);
    assert_int_equal(chunk_read(&c, TEXT("\r\nhello\r\n"), &data, &len, &end, &e), -EPROTO);
    assert_false(end);
    chunk_init(&c);
    assert_int_equal(chunk_read(&c, TEXT("5\r\n"), &data, &len, &end, &e), 3);
}

/* The largest size there is: not one byte of it is taken for something else. */
static void test_large_size(void **state)
{
    struct chunk_reader c;
    const char *data;
    size_t len;
    bool end;
    struct error e;

    (void)state;
    chunk_init(&c);
    assert_int_equal(chunk_read(&c, TEXT("fffffffffffffff\r\n"), &data, &len, &end, &e), 17);
    assert_int_equal(chunk_read(&c, TEXT("0\r\n\r\n"), &data, &len, &end, &e), 5);
    assert_int_equal(len, 5);
    assert_false(end);
    assert_true(c.left == 0xfffffffffffffffu - 5);
}

/* A line of that length, CRLF included, in front of "0\r\n\r\n" or as the last chunk's trailers. */
static int bounded(const char *before, size_t line, const char *after)
{
    cleanup_free char *in = xasprintf("%sa:%0*d\r\n%s", before, (int)line - 4, 0, after);
    struct result got = feed(in, strlen(in), 100, 0);

    free(got.data);
    return got.r;
}

static void test_bounds(void **state)
{
    (void)state;
    assert_int_equal(bounded("1;", CHUNK_LINE_MAX - 2, "x\r\n0\r\n\r\n"), 1);
    assert_int_equal(bounded("1;", CHUNK_LINE_MAX - 1, "x\r\n0\r\n\r\n"), -EPROTO);
    /* each line has its own bound */
    assert_int_equal(bounded("1;xxxxxxx\r\nx\r\n0;", CHUNK_LINE_MAX - 2, "\r\n"), 1);
    /* the trailer section has one for all its lines */
    assert_int_equal(bounded("0\r\n", CHUNK_TRAILER_MAX - 2, "\r\n"), 1);
    assert_int_equal(bounded("0\r\n", CHUNK_TRAILER_MAX - 1, "\r\n"), -EPROTO);
    assert_int_equal(bounded("0\r\n", CHUNK_TRAILER_MAX - 6, "a:\r\n\r\n"), 1);
    assert_int_equal(bounded("0\r\n", CHUNK_TRAILER_MAX - 5, "a:\r\n\r\n"), -EPROTO);
}

/* A random body in random chunks with extensions and trailers. Returns the length on the wire. */
static size_t encode(const char *body, size_t len, char *wire, uint32_t *seed)
{
    static const char *const extensions[] = {"", "", ";", ";a", ";a=b", ";a=\"\t\xff;5\""};
    static const char *const trailers[] = {"", "A: b\r\n", "A:\r\nContent-Length: 5\r\n"};
    size_t n = 0;

    for (size_t at = 0; at < len;) {
        size_t chunk = next_random(seed) % 40 + 1;
        if (chunk > len - at)
            chunk = len - at;
        n += (size_t)sprintf(wire + n, next_random(seed) % 2 ? "%zx%s\r\n" : "0%zX%s\r\n", chunk,
                             extensions[next_random(seed) % ARRAY_LEN(extensions)]);
        memcpy(wire + n, body + at, chunk);
        n += chunk;
        n += (size_t)sprintf(wire + n, "\r\n");
        at += chunk;
    }
    return n + (size_t)sprintf(wire + n, "0%s\r\n%s\r\n",
                               extensions[next_random(seed) % ARRAY_LEN(extensions)],
                               trailers[next_random(seed) % ARRAY_LEN(trailers)]);
}

static void test_random(void **state)
{
    static char body[500], wire[500 * 40];
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        size_t len = next_random(&seed) % sizeof(body);
        for (size_t i = 0; i < len; i++)
            body[i] = "\r\n0;\xff"[next_random(&seed) % 5];
        size_t wire_len = encode(body, len, wire, &seed);
        for (int split = 0; split < 3; split++) {
            struct result got = feed(wire, wire_len, split == 0 ? wire_len : 0, next_random(&seed));
            assert_int_equal(got.r, 1);
            assert_int_equal(got.consumed, wire_len);
            assert_int_equal(got.len, len);
            assert_memory_equal(got.data, body, len);
            free(got.data);
        }
    }
}

/* One byte of a good body changed: whatever comes of it, every split gives the same. */
static void test_random_damage(void **state)
{
    static char body[60], wire[60 * 40];
    uint32_t seed = 2;
    int errors = 0;

    (void)state;
    for (int round = 0; round < 5000; round++) {
        size_t len = next_random(&seed) % sizeof(body);
        memset(body, 'x', len);
        size_t wire_len = encode(body, len, wire, &seed);
        wire[next_random(&seed) % wire_len] = "\r\n0f; \0\xff"[next_random(&seed) % 8];
        struct result whole = feed(wire, wire_len, wire_len, next_random(&seed));
        struct result split = feed(wire, wire_len, 0, next_random(&seed));
        assert_int_equal(whole.r, split.r);
        assert_int_equal(whole.len, split.len);
        assert_memory_equal(whole.data, split.data, whole.len);
        if (whole.r >= 0)
            assert_int_equal(whole.consumed, split.consumed);
        errors += whole.r < 0;
        free(whole.data);
        free(split.data);
    }
    assert_in_range(errors, 500, 4500); /* both outcomes were tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),         cmocka_unit_test(test_end),
        cmocka_unit_test(test_lenient),       cmocka_unit_test(test_lenient_refuses),
        cmocka_unit_test(test_prefix),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_broken),        cmocka_unit_test(test_large_size),
        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_random),
        cmocka_unit_test(test_random_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
