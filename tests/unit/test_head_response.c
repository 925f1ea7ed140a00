/* test_head_response.c: the reader of response heads. Each text that is refused has a twin that is
 * taken. */
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

static struct head_response response;

/* From a copy of exactly that size; kept until the next call. */
static int parse(const char *text, size_t len, const char *method, struct error *e)
{
    static char *copy;

    free(copy);
    copy = xmalloc(len);
    memcpy(copy, text, len);
    memset(&response, 0xa5, sizeof(response));
    e->text[0] = '\0';
    return head_parse_response(copy, len, method, &response, e);
}

static void take(const char *method, const char *text)
{
    struct error e;

    assert_int_equal(head_find_end(text, strlen(text), 0), strlen(text));
    if (parse(text, strlen(text), method, &e) != 0)
        fail_msg("refused: %s: %s", e.text, text);
}

struct head_case {
    const char *text;
    size_t len;
    const char *why; /* words of the reason; NULL: taken */
};

static void check_cases(const struct head_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct head_case *c = &cases[i];
        struct error e;
        int r = parse(c->text, c->len, "GET", &e);

        if (r != (c->why ? -EPROTO : 0))
            fail_msg("case %zu: %d (%s): %s", i, r, e.text, c->text);
        if (c->why && !strstr(e.text, c->why))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, e.text, c->why);
    }
}

static const struct head_case status_lines[] = {
    {TEXT("HTTP/1.1 200 OK\r\n\r\n"), NULL},
    {TEXT("HTTP/1.0 200 OK\r\n\r\n"), NULL},
    {TEXT("HTTP/1.1 200 \r\n\r\n"), NULL},
    {TEXT("HTTP/1.1 200\r\n\r\n"), NULL},
    {TEXT("HTTP/1.1 404 Nicht gefunden: \xc3\xa4\t!\r\n\r\n"), NULL},
    {TEXT("HTTP/1.1 100 Continue\r\n\r\n"), NULL},
    {TEXT("HTTP/1.1 599 x\r\n\r\n"), NULL},
    {TEXT("HTTP/1.1 099 x\r\n\r\n"), "status"},
    {TEXT("HTTP/1.1 600 x\r\n\r\n"), NULL},
    {TEXT("HTTP/1.1 999 x\r\n\r\n"), NULL},
    {TEXT("HTTP/1.1 20 OK\r\n\r\n"), "status line"},
    {TEXT("HTTP/1.1 2000 OK\r\n\r\n"), "status line"},
    {TEXT("HTTP/1.1 2x0 OK\r\n\r\n"), "status line"},
    {TEXT("HTTP/1.1 +20 OK\r\n\r\n"), "status line"},
    {TEXT("HTTP/1.1  200 OK\r\n\r\n"), "status line"},
    {TEXT("HTTP/1.1\t200 OK\r\n\r\n"), "status line"},
    {TEXT("HTTP/1.1 200\tOK\r\n\r\n"), "status line"},
    {TEXT("HTTP/1.1 200OK\r\n\r\n"), "status line"},
    {TEXT("HTTP/1.1\r\n\r\n"), "status line"},
    {TEXT("HTTP/1.2 200 OK\r\n\r\n"), "status line"},
    {TEXT("HTTP/2 200 OK\r\n\r\n"), "status line"},
    {TEXT("HTTP/2.0 200 OK\r\n\r\n"), "status line"},
    {TEXT("http/1.1 200 OK\r\n\r\n"), "status line"},
    {TEXT(" HTTP/1.1 200 OK\r\n\r\n"), "status line"},
    {TEXT("ICY 200 OK\r\n\r\n"), "status line"},
    {TEXT("\r\nHTTP/1.1 200 OK\r\n\r\n"), "status line"},
    {TEXT("\r\n\r\n\r\n"), "status line"},
    {TEXT("\n"), "bare CR or LF"},
    {TEXT("HTTP/1.1 200 O\0K\r\n\r\n"), "control character"},
    {TEXT("HTTP/1.1 200 OK\x1b[2J\r\n\r\n"), "control character"},
    {TEXT("HTTP/1.1 200 OK\x7f\r\n\r\n"), "control character"},
    {TEXT("HTTP/1.1 200 OK\n\r\n"), "bare CR or LF"},
    {TEXT("HTTP/1.1 200 OK\n\n"), "bare CR or LF"},
    {TEXT("HTTP/1.1 200 O\rK\r\n\r\n"), "bare CR or LF"},
    {TEXT(""), "bare CR or LF"},
    {TEXT("HTTP/1.1 200 OK\r\n"), "bare CR or LF"},
    {TEXT("HTTP/1.1 200 OK\r\n\r\nX"), "does not end"},
};

static void test_status_line(void **state)
{
    (void)state;
    check_cases(status_lines, ARRAY_LEN(status_lines));
}

static void test_status_line_parts(void **state)
{
    (void)state;
    take("GET", "HTTP/1.0 404 Not  Found \r\n\r\n");
    assert_int_equal(response.status, 404);
    assert_int_equal(response.minor, 0);
    assert_int_equal(response.reason_len, 11);
    assert_memory_equal(response.reason, "Not  Found ", 11);
    take("GET", "HTTP/1.1 204\r\n\r\n");
    assert_int_equal(response.minor, 1);
    assert_int_equal(response.reason_len, 0);
    take("GET", "HTTP/1.1 204 \r\n\r\n");
    assert_int_equal(response.reason_len, 0);
}

#define FIELD(s) TEXT("HTTP/1.1 200 OK\r\n" s "\r\n\r\n")

static const struct head_case fields[] = {
    {FIELD("A: b"), NULL},
    {FIELD("Set-Cookie: a\r\nSet-Cookie: b\r\nSet-Cookie: a"), NULL},
    {FIELD("A: \xff\t b"), NULL},
    {FIELD("A : b"), "colon"},
    {FIELD(": b"), "field name"},
    {FIELD("A"), "colon"},
    {FIELD("A: b\r\n c"), "obs-fold"},
    {FIELD("A: \0"), "control character"},
    {FIELD("A: b\nB: c"), "bare CR or LF"},
    {FIELD("Content-Length: 5"), NULL},
    {FIELD("Content-Length: 5, 5"), NULL},
    {FIELD("Content-Length: 5 ,5,\t5"), NULL},
    {FIELD("Content-Length: 5, 5\r\nContent-Length: 5"), NULL},
    {FIELD("Content-Length: 5, 6"), "plain decimal"},
    {FIELD("Content-Length: 5, 05"), "plain decimal"},
    {FIELD("Content-Length: 5,"), "plain decimal"},
    {FIELD("Content-Length: ,5"), "plain decimal"},
    {FIELD("Content-Length: 5,,5"), "plain decimal"},
    {FIELD("Content-Length: ,"), "plain decimal"},
    {FIELD("Content-Length: x, x"), "plain decimal"},
    {FIELD("Content-Length: 5 5"), "plain decimal"},
    {FIELD("Content-Length: 5, 5\r\nContent-Length: 6"), "more than once"},
    {FIELD("Content-Length: -1"), "plain decimal"},
    {FIELD("Content-Length: 9223372036854775808"), "below 2^63"},
    {FIELD("Content-Length: 5\r\ncontent-length: 5\r\nContent-Length: 5"), NULL},
    {FIELD("Content-Length: 5\r\nContent-Length: 05"), "more than once"},
    {FIELD("Content-Length: 5\r\nContent-Length: 6"), "more than once"},
    {FIELD("Transfer-Encoding: chunked"), NULL},
    {FIELD("Transfer-Encoding: gzip, chunked"), "not exactly chunked"},
    {FIELD("Transfer-Encoding: identity"), "not exactly chunked"},
    {FIELD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), "not exactly chunked"},
    {FIELD("Transfer-Encoding: chunked\r\nContent-Length: 5"), NULL},
    {FIELD("Content-Length: 5, 5\r\nTransfer-Encoding: chunked"), NULL},
    {FIELD("Transfer-Encoding: chunked\r\nContent-Length: 5\r\nContent-Length: 6"), "both"},
    {FIELD("Transfer-Encoding: chunked\r\nContent-Length: -5"), "plain decimal"},
    {FIELD("Transfer-Encoding: gzip, chunked\r\nContent-Length: 5"), "not exactly chunked"},
    {TEXT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), "both"},
    {TEXT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "HTTP/1.0"},
    {FIELD("Connection: close, x"), NULL},
    {FIELD("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked"), NULL},
    {FIELD("Connection: content-length"), "Connection names content-length"},
    {FIELD("Connection: a b"), "not a token"},
    /* nothing says where an interim response ends but its head */
    {TEXT("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), NULL},
    {TEXT("HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n"), NULL},
    {TEXT("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n"), "announces a body"},
    {TEXT("HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n"), "announces a body"},
    {TEXT("HTTP/1.1 100 Go\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"),
     "announces a body"},
};

static void test_fields(void **state)
{
    (void)state;
    check_cases(fields, ARRAY_LEN(fields));
}

static void test_field_order(void **state)
{
    static const char expected[] = "abcd";

    (void)state;
    take("GET", "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX: b\r\nSet-Cookie: c\r\nX: d\r\n\r\n");
    assert_int_equal(response.field_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_false(response.fields[i].hop);
        assert_int_equal(response.fields[i].value[0], expected[i]);
    }
}

struct body_case {
    const char *method;
    const char *head;
    enum head_body body;
    uint64_t length;
    bool keep_alive;
};

static const struct body_case bodies[] = {
    {"GET", "HTTP/1.1 200 OK\r\n\r\n", BODY_CLOSE, 0, false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", BODY_LENGTH, 0, true},
    {"POST", "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n", BODY_CHUNKED, 0, true},
    {"GET", "HTTP/1.1 205 OK\r\nContent-Length: 0\r\n\r\n", BODY_LENGTH, 0, true},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", BODY_LENGTH, 5, true},
    /* chunks count, and nothing is read behind them */
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     BODY_CHUNKED, 0, false},
    {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
     BODY_NONE, 0, false},
    /* never a body */
    {"HEAD", "HTTP/1.1 200 OK\r\n\r\n", BODY_NONE, 0, true},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BODY_NONE, 0, true},
    {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", BODY_NONE, 0, true},
    {"head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true},
    {"GET", "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", BODY_NONE, 0, true},
    {"GET", "HTTP/1.1 304 Same\r\n\r\n", BODY_NONE, 0, true},
    {"GET", "HTTP/1.1 204 None\r\n\r\n", BODY_NONE, 0, true},
    {"GET", "HTTP/1.1 204 None\r\nContent-Length: 0\r\n\r\n", BODY_NONE, 0, true},
    {"GET", "HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n", BODY_NONE, 0, false},
    {"GET", "HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n", BODY_NONE, 0, false},
    {"GET", "HTTP/1.1 100 Go\r\n\r\n", BODY_NONE, 0, true},
    {"GET", "HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", BODY_NONE, 0, true},
    /* whether the connection goes on */
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", BODY_LENGTH, 5,
     false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: a, Close\r\n\r\n", BODY_LENGTH, 5,
     false},
    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, false},
    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n", BODY_LENGTH,
     5, true},
    {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", BODY_CLOSE, 0, false},
    {"GET", "HTTP/1.0 204 OK\r\nConnection: keep-alive\r\n\r\n", BODY_NONE, 0, true},
    /* a server's Proxy-Connection is for nobody */
    {"GET", "HTTP/1.0 204 OK\r\nProxy-Connection: keep-alive\r\n\r\n", BODY_NONE, 0, false},
    {"GET", "HTTP/1.1 204 OK\r\nProxy-Connection: close, host\r\n\r\n", BODY_NONE, 0, true},
};

static void test_body(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        const struct body_case *c = &bodies[i];
        take(c->method, c->head);
        if (response.body != c->body || response.content_length != c->length ||
            response.keep_alive != c->keep_alive)
            fail_msg("case %zu: body %d, keep_alive %d: %s", i, (int)response.body,
                     response.keep_alive, c->head);
    }
}

static void test_both(void **state)
{
    (void)state;
    take("GET", "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
                "C: d\r\n\r\n");
    assert_true(response.mended);
    assert_int_equal(response.field_count, 3);
    assert_memory_equal(response.fields[0].name, "A", 1);
    assert_memory_equal(response.fields[1].name, "Transfer-Encoding", 17);
    assert_memory_equal(response.fields[2].name, "C", 1);
    take("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n");
    assert_false(response.mended);
    assert_int_equal(response.fields[0].value_len, 1);
}

#define OK "HTTP/1.1 200 OK\r\n"

struct mend_case {
    const char *in;
    const char *out; /* NULL: as it was; for what cannot be mended, words of the reason */
    bool refused;
};

static const struct mend_case mends[] = {
    {OK "A: b\r\n\r\n", NULL, false},
    {"HTTP/1.1 200 OK\n\n", OK "\r\n", false},
    {"HTTP/1.1 200 OK\nA: b\nC: d\n\n", OK "A: b\r\nC: d\r\n\r\n", false},
    {OK "A: b\nC: d\r\n\n", OK "A: b\r\nC: d\r\n\r\n", false},
    {OK "A: b\r\n c\r\n\r\n", OK "A: b c\r\n\r\n", false},
    {OK "A: b \r\n \t c\n\td\r\nE: f\r\n\r\n", OK "A: b  c d\r\nE: f\r\n\r\n", false},
    {OK "A:\r\n b\r\n\r\n", OK "A: b\r\n\r\n", false},
    {OK "A: b\r\n \r\n\r\n", OK "A: b \r\n\r\n", false},
    {OK "Connection: a,\r\n close\r\n\r\n", OK "Connection: a, close\r\n\r\n", false},
    /* these are mended, but stay malformed */
    {OK " A: b\n\n", OK " A: b\r\n\r\n", false},
    {OK "A\r\n : b\r\n\r\n", OK "A : b\r\n\r\n", false},
    {OK "A: b\rC: d\n\n", OK "A: b\rC: d\r\n\r\n", false},
    {OK "A: b\r\r\n\n", OK "A: b\r\r\n\r\n", false},
    {OK "\r\n a\r\n\r\n", OK "\r\n a\r\n\r\n", false},
    /* where the message ends */
    {OK "Content-Length:\r\n 5\r\n\r\n", "is folded", true},
    {OK "content-length: 5\n 5\n\n", "is folded", true},
    {OK "Transfer-Encoding: chunked\r\n \r\n\r\n", "is folded", true},
};

static void test_mend(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mends); i++) {
        const struct mend_case *c = &mends[i];
        char out[256];
        struct error e;
        int n = head_mend(c->in, strlen(c->in), true, out, sizeof(out), &e);

        if (c->refused) {
            assert_int_equal(n, -EPROTO);
            assert_non_null(strstr(e.text, c->out));
            continue;
        }
        assert_int_equal(n, c->out ? strlen(c->out) : 0);
        if (n > 0)
            assert_memory_equal(out, c->out, (size_t)n);
        if (n > 0)
            assert_int_equal(head_mend(c->in, strlen(c->in), true, out, (size_t)n - 1, &e),
                             -EMSGSIZE);
    }
}

/* Trailers have no line before them that cannot go on. */
static void test_mend_trailers(void **state)
{
    static const char in[] = "A: b\n c\n\n", wanted[] = "A: b c\r\n\r\n";
    char out[32];
    struct error e;

    (void)state;
    assert_int_equal(head_mend(TEXT(in), false, out, sizeof(out), &e), sizeof(wanted) - 1);
    assert_memory_equal(out, wanted, sizeof(wanted) - 1);
}

static int read_head(const char *text)
{
    static char room[HEAD_MAX];
    struct error e;

    memset(&response, 0xa5, sizeof(response));
    return head_read_response(text, strlen(text), "GET", room, &response, &e);
}

static void test_read(void **state)
{
    (void)state;
    assert_int_equal(read_head(OK "Content-Length: 5\r\nA: b\r\n\r\n"), 0);
    assert_true(response.keep_alive && !response.mended);
    assert_int_equal(read_head(OK "Content-Length: 5\r\nA: b\r\n c\r\n\r\n"), 0);
    assert_true(!response.keep_alive && response.mended);
    assert_int_equal(response.body, BODY_LENGTH);
    assert_int_equal(response.fields[1].value_len, 3);
    assert_memory_equal(response.fields[1].value, "b c", 3);
    assert_int_equal(read_head("HTTP/1.1 200 OK\nContent-Length: 5\n\n"), 0);
    assert_true(!response.keep_alive && response.mended);
    for (size_t i = 9; i < ARRAY_LEN(mends); i++)
        assert_int_equal(read_head(mends[i].in), -EPROTO);
}

static void test_hop(void **state)
{
    (void)state;
    take("GET", "HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nx-hop: a\r\nKeep-Alive: b\r\n"
                "Proxy-Authenticate: c\r\nTrailer: d\r\nTransfer-Encoding: chunked\r\n"
                "Date: e\r\nServer: f\r\nVia: g\r\nWWW-Authenticate: h\r\n\r\n");
    assert_int_equal(response.field_count, 10);
    for (size_t i = 0; i < response.field_count; i++)
        assert_int_equal(response.fields[i].hop, i < 6);
}

static void test_field_count(void **state)
{
    cleanup_free char *text = xmalloc(HEAD_MAX);

    (void)state;
    for (int count = HEAD_FIELDS_MAX; count <= HEAD_FIELDS_MAX + 1; count++) {
        struct error e;
        size_t n = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < count; i++)
            n += (size_t)sprintf(text + n, "A%d: b\r\n", i);
        n += (size_t)sprintf(text + n, "\r\n");
        assert_int_equal(parse(text, n, "GET", &e), count > HEAD_FIELDS_MAX ? -EPROTO : 0);
    }
}

static void test_head_bound(void **state)
{
    (void)state;
    for (size_t len = HEAD_MAX; len <= HEAD_MAX + 1; len++) {
        cleanup_free char *text = xasprintf("HTTP/1.1 200 OK\r\nA: %0*d\r\n\r\n", (int)len - 24, 0);
        struct error e;
        assert_int_equal(strlen(text), len);
        assert_int_equal(parse(text, len, "GET", &e), len > HEAD_MAX ? -EPROTO : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_line),   cmocka_unit_test(test_status_line_parts),
        cmocka_unit_test(test_fields),        cmocka_unit_test(test_field_order),
        cmocka_unit_test(test_body),          cmocka_unit_test(test_hop),
        cmocka_unit_test(test_field_count),   cmocka_unit_test(test_head_bound),
        cmocka_unit_test(test_both),          cmocka_unit_test(test_mend),
        cmocka_unit_test(test_mend_trailers), cmocka_unit_test(test_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
