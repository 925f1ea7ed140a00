/* test_head_request->c: where a head ends, what a request head may hold, and the URL that it means.
 *
 * Heads are tested in pairs: one that must be refused, with the status and a word of the reason,
 * and beside it the nearest one that must be taken, so that no refusal can come from something
 * else. */
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
#include "tests/unit/request_cases.h"

#define X10(s) s s s s s s s s s s

static struct request_case at;
static const struct head_request *const request = &at.request;

/* --- head_find_end --- */

/* The end is found at the same place however the bytes come in. */
static void expect_end(const char *head, size_t len, size_t end)
{
    for (size_t n = 0; n < end; n++) {
        cleanup_free char *part = xmalloc(len);
        memcpy(part, head, n);
        for (size_t from = 0; from <= n; from++)
            assert_int_equal(head_find_end(part, n, from), 0);
        memcpy(part, head, len);
        assert_int_equal(head_find_end(part, len, n), end);
    }
    for (size_t n = 1, from = 0; n < end; from = n++)
        assert_int_equal(head_find_end(head, n, from), 0);
}

static void test_end(void **state)
{
    (void)state;
    expect_end(TEXT(GET "\r\n"), sizeof(GET "\r\n") - 1);
    expect_end(TEXT(GET "\r\nbody\r\n\r\n"), sizeof(GET "\r\n") - 1);
    expect_end(TEXT("\r\n" GET "\r\n"), sizeof("\r\n" GET "\r\n") - 1);
    expect_end(TEXT("\r\n\r\n" GET "\r\n"), sizeof("\r\n\r\n" GET "\r\n") - 1);
    expect_end(TEXT(LINE "\r\n"), sizeof(LINE "\r\n") - 1);
}

/* What cannot be right is handed to the parser at once, which refuses it. */
static void test_end_of_bad_heads(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        int end;
    } bad[] = {
        {TEXT("\n" GET "\r\n"), 1},
        {TEXT("\r\n\n" GET "\r\n"), 3},
        {TEXT("\r\n\r\n\n" GET "\r\n"), 5},
        {TEXT("\r\n\r\n\r\n" GET "\r\n"), 6},
        {TEXT("GET / HTTP/1.1\n\n"), 16},
        {TEXT(GET "\nGET /2 HTTP/1.1\r\n" HOST "\r\n"), sizeof(GET "\n") - 1},
        {TEXT("GET / HTTP/1.1\nHost: h\n\r\n"), 25},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(head_find_end(bad[i].text, bad[i].len, 0), bad[i].end);
        case_refused(&at, bad[i].text, (size_t)bad[i].end, 400, "");
    }
}

/* A CR alone, and CRs before an LF, end nothing. */
static void test_no_end(void **state)
{
    static const char cr[] = "GET / HTTP/1.1\r\rHost: h\r\r";
    static const char crs[] = GET "\r\r\n";

    (void)state;
    assert_int_equal(head_find_end(TEXT(cr), 0), 0);
    assert_int_equal(head_find_end(TEXT(crs), 0), 0);
    assert_int_equal(head_find_end(TEXT(GET "\r\n"), 0), sizeof(GET "\r\n") - 1);
}

/* What an earlier call has seen is not looked at again: an end that lies there is not found. */
static void test_end_is_linear(void **state)
{
    static const char text[] = GET "\r\n" X10("0123456789");

    (void)state;
    assert_int_equal(head_find_end(TEXT(text), sizeof(text) - 20), 0);
    assert_int_equal(head_find_end(TEXT(text), sizeof(GET) - 1), sizeof(GET "\r\n") - 1);
}

/* A head of exactly len bytes with one long field. */
static char *long_head(size_t len)
{
    static const char format[] = GET "X: %0*d\r\n\r\n";

    return xasprintf(format, (int)(len - (sizeof(GET "X: \r\n\r\n") - 1)), 0);
}

static void test_longest_head(void **state)
{
    cleanup_free char *longest = long_head(HEAD_MAX);
    cleanup_free char *longer = long_head(HEAD_MAX + 1);

    (void)state;
    assert_int_equal(head_find_end(longest, HEAD_MAX - 1, 0), 0);
    assert_int_equal(head_find_end(longest, HEAD_MAX, HEAD_MAX - 1), HEAD_MAX);
    case_taken(&at, longest, HEAD_MAX);
    assert_int_equal(request->fields[1].value_len, HEAD_MAX - sizeof(GET "X: \r\n\r\n") + 1);

    assert_int_equal(head_find_end(longer, HEAD_MAX - 1, 0), 0);
    assert_int_equal(head_find_end(longer, HEAD_MAX, HEAD_MAX - 1), -EMSGSIZE);
    assert_int_equal(head_find_end(longer, HEAD_MAX + 1, 0), -EMSGSIZE);
    case_refused(&at, longer, HEAD_MAX + 1, 431, "longer than");
}

/* --- refusals and their twins --- */

struct pair {
    int status;
    const char *word; /* of the reason */
    const char *bad;
    size_t bad_len;
    const char *good;
    size_t good_len;
};

static void expect_pairs(const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        case_refused(&at, pairs[i].bad, pairs[i].bad_len, pairs[i].status, pairs[i].word);
        case_taken(&at, pairs[i].good, pairs[i].good_len);
    }
}

#define BAD(status, word, bad, good)                                                               \
    {                                                                                              \
        status, word, TEXT(bad), TEXT(good)                                                        \
    }

static void test_lines(void **state)
{
    static const struct pair pairs[] = {
        BAD(400, "bare", LINE "Host: h\n\r\n", GET "\r\n"),
        BAD(400, "bare", LINE "Host: h\r\nX: a\rb\r\n\r\n", GET "X: a b\r\n\r\n"),
        BAD(400, "bare", LINE "Host: h\r\nX: a\nb: c\r\n\r\n", GET "X: a\r\nb: c\r\n\r\n"),
        BAD(400, "bare", LINE "Host: h\r\r\n\r\n", GET "\r\n"),
        BAD(400, "bare", "GET / HTTP/1.1\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "bare", "GET /\r HTTP/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "bare", "GET / HTTP/1.1\r\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "bare", GET "\n", GET "\r\n"),
        BAD(400, "bare", GET, GET "\r\n"),
        BAD(400, "bare", "GET / HTTP/1.1", GET "\r\n"),
        BAD(400, "bare", "", GET "\r\n"),
        BAD(400, "does not end", GET "\r\nX", GET "\r\n"),
        BAD(400, "does not end", GET "\r\n\r\n", GET "\r\n"),
        BAD(400, "request line", "\r\n\r\n\r\n" GET "\r\n", "\r\n\r\n" GET "\r\n"),
        BAD(400, "bare", "\n" GET "\r\n", "\r\n" GET "\r\n"),
        BAD(400, "bare", "\r" GET "\r\n", "\r\n" GET "\r\n"),
    };

    (void)state;
    expect_pairs(pairs, ARRAY_LEN(pairs));
}

static void test_fields(void **state)
{
    static const struct pair pairs[] = {
        BAD(400, "folded", GET "X: a\r\n b\r\n\r\n", GET "X: a b\r\n\r\n"),
        BAD(400, "folded", GET "X: a\r\n\tb\r\n\r\n", GET "X: a\tb\r\n\r\n"),
        BAD(400, "folded", GET "X: a\r\n \r\n\r\n", GET "X: a \r\n\r\n"),
        BAD(400, "folded", LINE " " HOST "\r\n", GET "\r\n"),
        BAD(400, "field name", GET "X : a\r\n\r\n", GET "X: a\r\n\r\n"),
        BAD(400, "field name", GET "X\t: a\r\n\r\n", GET "X:\ta\r\n\r\n"),
        BAD(400, "field name", GET ": a\r\n\r\n", GET "a: \r\n\r\n"),
        BAD(400, "field name", GET "X a: b\r\n\r\n", GET "X-a: b\r\n\r\n"),
        BAD(400, "field name", GET "X\r\n\r\n", GET "X:\r\n\r\n"),
        BAD(400, "field name", GET "X\xc3\xa9: a\r\n\r\n", GET "X: \xc3\xa9\r\n\r\n"),
        BAD(400, "field name", GET "X(): a\r\n\r\n", GET "!#$%&'*+-.^_`|~09azAZ: ()\r\n\r\n"),
        BAD(400, "field name", GET "X\0: a\r\n\r\n", GET "X: a\r\n\r\n"),
        BAD(400, "control", GET "X: a\0b\r\n\r\n", GET "X: a b\r\n\r\n"),
        BAD(400, "control", GET "X: a\x01\r\n\r\n", GET "X: a\r\n\r\n"),
        BAD(400, "control",
            GET "X: a\x0b"
                "b\r\n\r\n",
            GET "X: a\tb\r\n\r\n"),
        BAD(400, "control", GET "X: \x7f\r\n\r\n", GET "X: \x7e\x80\xff\r\n\r\n"),
        BAD(400, "control", GET "X: \x1f\r\n\r\n", GET "X: \x20\r\n\r\n"),
    };

    (void)state;
    expect_pairs(pairs, ARRAY_LEN(pairs));
}

static void test_request_line(void **state)
{
    static const struct pair pairs[] = {
        BAD(400, "request line", "GET\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "request line", "GET /\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "target holds", "GET  / HTTP/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "target holds", "GET /  HTTP/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "target holds", "GET /a b HTTP/1.1\r\n" HOST "\r\n",
            "GET /a%20b HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "target holds", "GET /\tHTTP/1.1 HTTP/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "target holds", "GET /\0 HTTP/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "target holds", "GET /\x7f HTTP/1.1\r\n" HOST "\r\n",
            "GET /\x80 HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "no target", "GET  HTTP/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "version", "GET / HTTP/1.1 \r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "method", " GET / HTTP/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "method", "GET\t/ HTTP/1.1 HTTP/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "method", "G(T / HTTP/1.1\r\n" HOST "\r\n", "G-T / HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "method", "G\0T / HTTP/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "method", "G\xc3\x89T / HTTP/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(501, "method", X10("ABC") "DE / HTTP/1.1\r\n" HOST "\r\n",
            X10("ABC") "D / HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "version", "GET / HTTP/11\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "version", "GET / http/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "version", "GET / HTTP/1.10\r\n" HOST "\r\n", "GET / HTTP/1.0\r\n" HOST "\r\n"),
        BAD(400, "version", "GET / HTTP/1,1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "version", "GET / HTTP/1.a\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "version", "GET / HTTP/ .1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(400, "version", "GET / XTTP/1.1\r\n" HOST "\r\n", GET "\r\n"),
        BAD(505, "HTTP/1.1", "GET / HTTP/1.2\r\n" HOST "\r\n", GET "\r\n"),
        BAD(505, "HTTP/1.1", "GET / HTTP/0.9\r\n" HOST "\r\n", GET "\r\n"),
        BAD(505, "HTTP/1.1", "PRI * HTTP/2.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
    };

    (void)state;
    expect_pairs(pairs, ARRAY_LEN(pairs));
}

static void test_targets(void **state)
{
    static const struct pair pairs[] = {
        BAD(400, "OPTIONS alone", "GET * HTTP/1.1\r\n" HOST "\r\n",
            "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "neither", "OPTIONS *a HTTP/1.1\r\n" HOST "\r\n",
            "OPTIONS /a HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "neither", "GET h:80 HTTP/1.1\r\n" HOST "\r\n",
            "CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "neither", "GET a HTTP/1.1\r\n" HOST "\r\n", "GET /a HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "neither", "GET ?a HTTP/1.1\r\n" HOST "\r\n", "GET /?a HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "neither", "GET http:/h/ HTTP/1.1\r\n" HOST "\r\n",
            "GET http://h/ HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "neither", "GET ://h/ HTTP/1.1\r\n" HOST "\r\n",
            "GET a://h/ HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "neither", "GET http:/ HTTP/1.1\r\n" HOST "\r\n",
            "GET http:// HTTP/1.1\r\n" HOST "\r\n"),
    };

    (void)state;
    expect_pairs(pairs, ARRAY_LEN(pairs));
}

static void test_target_forms(void **state)
{
    static const struct {
        const char *head;
        size_t len;
        enum head_target form;
        const char *target;
    } forms[] = {
        {TEXT("GET /a?b HTTP/1.1\r\n" HOST "\r\n"), TARGET_ORIGIN, "/a?b"},
        {TEXT("GET //h/a HTTP/1.1\r\n" HOST "\r\n"), TARGET_ORIGIN, "//h/a"},
        {TEXT("GET /http://h/ HTTP/1.1\r\n" HOST "\r\n"), TARGET_ORIGIN, "/http://h/"},
        {TEXT("GET HTTP://h HTTP/1.1\r\n" HOST "\r\n"), TARGET_ABSOLUTE, "HTTP://h"},
        {TEXT("OPTIONS http://h HTTP/1.1\r\n" HOST "\r\n"), TARGET_ABSOLUTE, "http://h"},
        {TEXT("CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n"), TARGET_AUTHORITY, "h:443"},
        {TEXT("CONNECT /a HTTP/1.1\r\n" HOST "\r\n"), TARGET_AUTHORITY, "/a"},
        {TEXT("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), TARGET_ASTERISK, "*"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        case_taken(&at, forms[i].head, forms[i].len);
        assert_int_equal(request->form, forms[i].form);
        assert_int_equal(request->target_len, strlen(forms[i].target));
        assert_memory_equal(request->target, forms[i].target, request->target_len);
    }
}

static void test_long_target(void **state)
{
    static char head[HEAD_MAX];
    static struct url url;
    struct url_authority h = {.kind = URL_HOST_NAME, .port = 80, .host = "h"};
    struct error e;

    (void)state;
    for (size_t len = URL_TEXT_SIZE; len <= URL_TEXT_SIZE + 1; len++) {
        int n = snprintf(head, sizeof(head), "GET /%0*d HTTP/1.1\r\n" HOST "\r\n", (int)len - 1, 0);
        if (len > URL_TEXT_SIZE)
            case_refused(&at, head, (size_t)n, 414, "longer than");
        else
            case_taken(&at, head, (size_t)n);
    }
    for (size_t len = URL_TARGET_MAX; len <= URL_TARGET_MAX + 1; len++) {
        int n = snprintf(head, sizeof(head), "GET /%0*d HTTP/1.1\r\n" HOST "\r\n", (int)len - 1, 0);
        case_taken(&at, head, (size_t)n);
        assert_int_equal(head_request_url(request, URL_HTTP, &h, &url, &e),
                         len > URL_TARGET_MAX ? -414 : 0);
    }
}

static void test_host(void **state)
{
    static const struct pair pairs[] = {
        BAD(400, "missing", LINE "\r\n", "GET / HTTP/1.0\r\n\r\n"),
        BAD(400, "missing", LINE "X-Hostname: h\r\n\r\n", GET "X-Hostname: h\r\n\r\n"),
        BAD(400, "empty", LINE "Host:\r\n\r\n", GET "\r\n"),
        BAD(400, "empty", LINE "Host: \t \r\n\r\n", LINE "Host: \t h \r\n\r\n"),
        BAD(400, "empty", "GET / HTTP/1.0\r\nHost:\r\n\r\n", "GET / HTTP/1.0\r\n" HOST "\r\n"),
        BAD(400, "more than once", GET "Host: other\r\n\r\n", GET "Hosts: other\r\n\r\n"),
        BAD(400, "more than once", GET HOST "\r\n", GET "\r\n"),
        BAD(400, "more than once", GET "X: y\r\nhOsT: h\r\n\r\n", LINE "X: y\r\nhOsT: h\r\n\r\n"),
        BAD(400, "more than once", "GET / HTTP/1.0\r\n" HOST HOST "\r\n",
            "GET / HTTP/1.0\r\n" HOST "\r\n"),
    };

    (void)state;
    expect_pairs(pairs, ARRAY_LEN(pairs));
    case_taken(&at, TEXT("GET / HTTP/1.0\r\n\r\n"));
    assert_null(request->host);
    assert_int_equal(request->minor, 0);
    case_taken(&at, TEXT(LINE "Host:\t h:80 \r\n\r\n"));
    assert_int_equal(request->minor, 1);
    assert_int_equal(request->host_len, 4);
    assert_memory_equal(request->host, "h:80", 4);
}

static void test_framing(void **state)
{
    static const struct pair pairs[] = {
        BAD(400, "both", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            POST "Content-Length: 5\r\n\r\n"),
        BAD(400, "both", POST "transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n",
            POST "transfer-encoding: chunked\r\n\r\n"),
        BAD(400, "both", POST "Transfer-Encoding: x\r\nContent-Length: 5\r\n\r\n",
            POST "X-Transfer-Encoding: x\r\nContent-Length: 5\r\n\r\n"),
        BAD(400, "more than once", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
            POST "Content-Length: 5\r\n\r\n"),
        BAD(400, "more than once", POST "Content-Length: 5\r\nCONTENT-LENGTH: 6\r\n\r\n",
            POST "Content-Length: 5\r\nContent-Lengthy: 6\r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length: 5, 5\r\n\r\n",
            POST "Content-Length: 5\r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length: 5 5\r\n\r\n",
            POST "Content-Length: 55\r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length: +5\r\n\r\n",
            POST "Content-Length:5\r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length: -5\r\n\r\n",
            POST "Content-Length: \t5 \r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length: 0x5\r\n\r\n",
            POST "Content-Length: 05\r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length: 5a\r\n\r\n",
            POST "Content-Length: 50\r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length: 5.0\r\n\r\n",
            POST "Content-Length: 50\r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length: \xd9\xa5\r\n\r\n",
            POST "Content-Length: 5\r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length:\r\n\r\n", POST "Content-Length: 0\r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length: 9223372036854775808\r\n\r\n",
            POST "Content-Length: 9223372036854775807\r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length: 18446744073709551621\r\n\r\n",
            POST "Content-Length: 1844674407370955162\r\n\r\n"),
        BAD(400, "plain decimal", POST "Content-Length: 00000000000000000005\r\n\r\n",
            POST "Content-Length: 0000000000000000005\r\n\r\n"),
        BAD(400, "exactly chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n",
            POST "Transfer-Encoding: chunked\r\n\r\n"),
        BAD(400, "exactly chunked", POST "Transfer-Encoding: chunked, identity\r\n\r\n",
            POST "Transfer-Encoding: CHUNKED\r\n\r\n"),
        BAD(400, "exactly chunked", POST "Transfer-Encoding: chunked,\r\n\r\n",
            POST "Transfer-Encoding:\tchunked\t\r\n\r\n"),
        BAD(400, "exactly chunked", POST "Transfer-Encoding: \"chunked\"\r\n\r\n",
            POST "Transfer-Encoding:chunked\r\n\r\n"),
        BAD(400, "exactly chunked", POST "Transfer-Encoding: xchunked\r\n\r\n",
            POST "Transfer-Encoding: chunked\r\n\r\n"),
        BAD(400, "exactly chunked", POST "Transfer-Encoding: chunked;a=b\r\n\r\n",
            POST "Transfer-Encoding: chunked\r\n\r\n"),
        BAD(400, "exactly chunked", POST "Transfer-Encoding: identity\r\n\r\n",
            POST "Content-Encoding: identity\r\n\r\n"),
        BAD(400, "exactly chunked", POST "Transfer-Encoding:\r\n\r\n", POST "\r\n"),
        BAD(400, "exactly chunked",
            POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            POST "Transfer-Encoding: chunked\r\n\r\n"),
        BAD(400, "exactly chunked",
            POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
            POST "Transfer-Encoding: chunked\r\nX: x\r\n\r\n"),
        BAD(400, "HTTP/1.0", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.0\r\n" HOST "Content-Length: 5\r\n\r\n"),
        BAD(400, "with '_'", POST "Content_Length: 5\r\n\r\n", POST "Content_Type: 5\r\n\r\n"),
        BAD(400, "with '_'", POST "Content-Length: 5\r\ntransfer_encoding: chunked\r\n\r\n",
            POST "Content-Length: 5\r\ntransfer__encoding: chunked\r\n\r\n"),
        BAD(400, "TRACE", "TRACE / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n",
            "TRACE / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"),
        BAD(400, "TRACE", "TRACE / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
            "TRACE / HTTP/1.1\r\n" HOST "\r\n"),
    };

    (void)state;
    expect_pairs(pairs, ARRAY_LEN(pairs));
}

static void test_bodies(void **state)
{
    static const struct {
        const char *head;
        size_t len;
        enum head_body body;
        uint64_t length;
    } bodies[] = {
        {TEXT(GET "\r\n"), BODY_NONE, 0},
        {TEXT(POST "\r\n"), BODY_NONE, 0},
        {TEXT(POST "Content-Length: 0\r\n\r\n"), BODY_LENGTH, 0},
        {TEXT(POST "Content-Length: 010\r\n\r\n"), BODY_LENGTH, 10},
        {TEXT(GET "Content-Length: 5\r\n\r\n"), BODY_LENGTH, 5},
        {TEXT(POST "Content-Length: 9223372036854775807\r\n\r\n"), BODY_LENGTH, INT64_MAX},
        {TEXT(POST "Transfer-Encoding: chunked\r\n\r\n"), BODY_CHUNKED, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        case_taken(&at, bodies[i].head, bodies[i].len);
        assert_int_equal(request->body, bodies[i].body);
        assert_int_equal(request->content_length, bodies[i].length);
    }
}

static void test_connection(void **state)
{
    static const struct pair pairs[] = {
        BAD(400, "names host", GET "Connection: host\r\n\r\n", GET "Connection: hosts\r\n\r\n"),
        BAD(400, "names Content-Length",
            POST "Content-Length: 5\r\nConnection: close, Content-Length\r\n\r\n",
            POST "Content-Length: 5\r\nConnection: close, Content-Type\r\n\r\n"),
        BAD(400, "names transfer-encoding",
            POST "Transfer-Encoding: chunked\r\nConnection: transfer-encoding\r\n\r\n",
            POST "Transfer-Encoding: chunked\r\nConnection: transfer\r\n\r\n"),
        BAD(400, "names HOST", GET "Proxy-Connection: HOST\r\n\r\n",
            GET "Proxy-Connection: keep-alive\r\n\r\n"),
        BAD(400, "names host", GET "Connection: a\r\nConnection: ,,host \t,\r\n\r\n",
            GET "Connection: a\r\nConnection: ,,b \t,\r\n\r\n"),
        BAD(400, "names expect",
            POST "Content-Length: 5\r\nExpect: 100-continue\r\nConnection: expect\r\n\r\n",
            POST "Content-Length: 5\r\nExpect: 100-continue\r\nConnection: expected\r\n\r\n"),
        BAD(400, "not a token", GET "Connection: a b\r\n\r\n", GET "Connection: a,b\r\n\r\n"),
        BAD(400, "not a token", GET "Connection: \"close\"\r\n\r\n",
            GET "Connection: close\r\n\r\n"),
        BAD(400, "not a token", GET "Connection: close;a\r\n\r\n",
            GET "Connection: close,a\r\n\r\n"),
        BAD(431, "elements", GET "Connection: " X10("a,b,c,d,e,f,") "a,b,c,d,e\r\n\r\n",
            GET "Connection: " X10("a,b,c,d,e,f,") "a,b,c,d,,,,\r\n\r\n"),
        BAD(431, "elements",
            GET "Connection: " X10("a,b,c,d,e,f,") "\r\nConnection: a,b,c,d,e\r\n\r\n",
            GET "Connection: " X10("a,b,c,d,e,f,") "\r\nConnection: a,b,c,d\r\n\r\n"),
    };

    (void)state;
    expect_pairs(pairs, ARRAY_LEN(pairs));
}

static void test_overrides(void **state)
{
    static const struct pair pairs[] = {
        BAD(400, "override", GET "X-HTTP-Method-Override: PUT\r\n\r\n", GET "X-HTTP: PUT\r\n\r\n"),
        BAD(400, "override", GET "x-http-method: PUT\r\n\r\n", GET "x-method: PUT\r\n\r\n"),
        BAD(400, "override", GET "X_Method_Override: a\r\n\r\n", GET "X-Override: a\r\n\r\n"),
        BAD(400, "override", GET "X_HTTP-METHOD_Override:\r\n\r\n", GET "XHTTPMethod:\r\n\r\n"),
        BAD(400, "override", GET "X-Original-URL: /b\r\n\r\n", GET "X-Original: /b\r\n\r\n"),
        BAD(400, "override", GET "X_Original_URL: /b\r\n\r\n", GET "Original-URL: /b\r\n\r\n"),
        BAD(400, "override", GET "X-Rewrite-Url: /b\r\n\r\n", GET "X-Rewrite-URLs: /b\r\n\r\n"),
        BAD(400, "override", GET "X-Forwarded-Host: b\r\n\r\n", GET "X-Forwarded-For: b\r\n\r\n"),
        BAD(400, "override", GET "X-Original-Host: b\r\n\r\n", GET "Forwarded: by=b\r\n\r\n"),
        BAD(400, "override", GET "Forwarded: for=a;Host=b\r\n\r\n", GET "Forwarded: for=a\r\n\r\n"),
        BAD(400, "override", GET "X-Host: b\r\n\r\n", GET "X-Hosts: b\r\n\r\n"),
        BAD(400, "override", GET "X-Original-URI: /b\r\n\r\n", GET "X-URI: /b\r\n\r\n"),
        BAD(400, "override", GET "X-Envoy-Original-Path: /b\r\n\r\n", GET "X-Path: /b\r\n\r\n"),
        BAD(400, "override", GET "Connection: X-HTTP-Method\r\nX-HTTP-Method: PUT\r\n\r\n",
            GET "Connection: X-HTTP-Method\r\n\r\n"),
    };

    (void)state;
    expect_pairs(pairs, ARRAY_LEN(pairs));
}

static void test_keep_alive(void **state)
{
#define GET10 "GET / HTTP/1.0\r\n"
    static const struct {
        const char *head;
        size_t len;
        bool keep_alive, upgrade;
    } rows[] = {
        {TEXT(GET "\r\n"), true, false},
        {TEXT(GET "Connection: close\r\n\r\n"), false, false},
        {TEXT(GET "Connection: x,\tCLOSE ,y\r\n\r\n"), false, false},
        {TEXT(GET "Connection: keep-alive, close\r\n\r\n"), false, false},
        {TEXT(GET "Connection: keep-alive\r\nConnection: close\r\n\r\n"), false, false},
        {TEXT(GET "Connection: closed\r\n\r\n"), true, false},
        {TEXT(GET "Proxy-Connection: close\r\n\r\n"), false, false},
        {TEXT(GET10 "\r\n"), false, false},
        {TEXT(GET10 "Connection: Keep-Alive\r\n\r\n"), true, false},
        {TEXT(GET10 "Proxy-Connection: Keep-Alive\r\n\r\n"), true, false},
        {TEXT(GET10 "Keep-Alive: 5\r\n\r\n"), false, false},
        {TEXT(GET "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"), true, true},
        {TEXT(GET "Connection: upgrade\r\n\r\n"), true, false},
        {TEXT(GET "Upgrade: websocket\r\n\r\n"), true, false},
        {TEXT(GET10 "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"), false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        case_taken(&at, rows[i].head, rows[i].len);
        if (request->keep_alive != rows[i].keep_alive ||
            (request->upgrade[0] != 0) != rows[i].upgrade)
            fail_msg("%s", rows[i].head);
    }
}

static void test_hop_by_hop(void **state)
{
    static const char head[] =
        GET "Connection: X-Drop, close ,, x-drop2,Upgrade,Authorization\r\n"
            "X-Drop: 1\r\nX-Dropped: end\r\nX-DROP2: 1\r\nX-Drop: 2\r\nClose: 1\r\n"
            "Keep-Alive: 5\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\n"
            "HTTP2-Settings: AA\r\nProxy-Connection: x-drop3\r\nX-Drop3: 1\r\n"
            "Proxy-Authorization: a\r\nProxy-Anything: a\r\nProxy: end\r\nProxy-: end\r\n"
            "Authorization: a\r\nCookie: end\r\nAccept: end\r\nTransfer-Encoding: chunked\r\n\r\n";
    size_t kept = 0;

    (void)state;
    case_taken(&at, TEXT(head));
    for (size_t i = 0; i < request->field_count; i++) {
        const struct head_field *f = &request->fields[i];
        bool stays = (f->value_len == 3 && memcmp(f->value, "end", 3) == 0) || i == 0;
        if (f->hop == stays)
            fail_msg("%.*s", f->name_len, f->name);
        kept += stays;
    }
    assert_int_equal(kept, 6);
    assert_int_equal(request->field_count, 22);
}

/* Connection may come after or before what it names. */
static void test_named_before(void **state)
{
    (void)state;
    case_taken(&at, TEXT(GET "X-A: 1\r\nConnection: x-b\r\nX-B: 1\r\nConnection: x-a\r\n\r\n"));
    assert_false(request->fields[0].hop);
    for (size_t i = 1; i < request->field_count; i++)
        assert_true(request->fields[i].hop);
}

static void test_expect(void **state)
{
    static const struct pair pairs[] = {
        BAD(400, "Expect", POST "Content-Length: 5\r\nExpect: 200-ok\r\n\r\n",
            POST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n"),
        BAD(400, "Expect", POST "Content-Length: 5\r\nExpect: 100-continue, x\r\n\r\n",
            POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
        BAD(400, "Expect",
            POST "Content-Length: 5\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n",
            POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
        BAD(400, "Expect", POST "Content-Length: 5\r\nExpect:\r\n\r\n",
            POST "Content-Length: 5\r\n\r\n"),
    };
    static const struct {
        const char *head;
        size_t len;
        bool expect, hop;
    } rows[] = {
        {TEXT(POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"), true, false},
        {TEXT(POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"), true, false},
        {TEXT(POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"), false, true},
        {TEXT(POST "Expect: 100-continue\r\n\r\n"), false, true},
        {TEXT("POST / HTTP/1.0\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
         false, true},
    };

    (void)state;
    expect_pairs(pairs, ARRAY_LEN(pairs));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        case_taken(&at, rows[i].head, rows[i].len);
        assert_int_equal(request->expect_continue, rows[i].expect);
        assert_int_equal(request->fields[1].hop, rows[i].hop);
    }
}

static void test_most_fields(void **state)
{
    static char head[HEAD_MAX];

    (void)state;
    for (int count = HEAD_FIELDS_MAX; count <= HEAD_FIELDS_MAX + 1; count++) {
        int n = snprintf(head, sizeof(head), GET);
        for (int i = 1; i < count; i++)
            n += snprintf(head + n, sizeof(head) - (size_t)n, "X-%d: %d\r\n", i, i);
        n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
        if (count > HEAD_FIELDS_MAX) {
            case_refused(&at, head, (size_t)n, 431, "more than");
            continue;
        }
        case_taken(&at, head, (size_t)n);
        assert_int_equal(request->field_count, count);
        assert_memory_equal(request->fields[count - 1].name, "X-199", 5);
        assert_memory_equal(request->fields[count - 1].value, "199", 3);
    }
}

static void test_field_values(void **state)
{
    (void)state;
    case_taken(&at, TEXT(GET "A:\r\nB: \t b : c\t \r\nC:c\r\nD: \t\r\n\r\n"));
    static const char *const values[] = {"h", "", "b : c", "c", ""};

    assert_int_equal(request->field_count, ARRAY_LEN(values));
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        assert_int_equal(request->fields[i].value_len, strlen(values[i]));
        assert_memory_equal(request->fields[i].value, values[i], strlen(values[i]));
        assert_int_equal(request->fields[i].name_len, i == 0 ? 4 : 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end),          cmocka_unit_test(test_end_of_bad_heads),
        cmocka_unit_test(test_no_end),       cmocka_unit_test(test_end_is_linear),
        cmocka_unit_test(test_longest_head), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_fields),       cmocka_unit_test(test_request_line),
        cmocka_unit_test(test_targets),      cmocka_unit_test(test_target_forms),
        cmocka_unit_test(test_long_target),  cmocka_unit_test(test_host),
        cmocka_unit_test(test_framing),      cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_connection),   cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_keep_alive),   cmocka_unit_test(test_hop_by_hop),
        cmocka_unit_test(test_named_before), cmocka_unit_test(test_expect),
        cmocka_unit_test(test_most_fields),  cmocka_unit_test(test_field_values),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    case_free(&at);
    return failed;
}
