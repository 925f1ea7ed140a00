/* test_head_write.c: what is written, byte for byte, and what never is. */
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

static struct head_request request;
static struct head_response response;
static struct url url;

static void parse_request(const char *text, const char *tunnel)
{
    struct error e;
    static struct url u;

    if (head_parse_request(text, strlen(text), &request, &e) != 0)
        fail_msg("%s: %s", e.text, text);
    if (tunnel)
        assert_int_equal(url_parse(tunnel, strlen(tunnel), &u, &e), 0);
    if (head_request_url(&request, tunnel ? u.scheme : URL_HTTP, tunnel ? &u.authority : NULL, &url,
                         &e) != 0)
        fail_msg("%s: %s", e.text, text);
}

struct request_case {
    const char *tunnel; /* NULL: a proxy request */
    bool with_upgrade;
    const char *in;
    const char *out;
};

static const struct request_case requests[] = {
    {NULL, false, "GET http://H:80/a/../b%7e?c HTTP/1.1\r\nHost: h\r\n\r\n",
     "GET /b~?c HTTP/1.1\r\nHost: h\r\n\r\n"},
    {NULL, false, "GET http://h:81/ HTTP/1.0\r\nA: b\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h:81\r\nA: b\r\n\r\n"},
    {NULL, false, "GET http://[0::1]/ HTTP/1.1\r\nHost: [::1]\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n"},
    {"https://h", false, "GET /a HTTP/1.1\r\nHost: H:443\r\n\r\n",
     "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"https://h", false, "GET https://h/a HTTP/1.1\r\nHost: h\r\n\r\n",
     "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
    /* fields: names as they came, values trimmed, in order; Host in its place */
    {"https://h", false,
     "GET / HTTP/1.1\r\nx-a: \t1 \r\nCookie: a\r\nhOST: h\r\ncookie:b\r\nX-A:\r\nZ: \xff\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\nx-a: 1\r\nCookie: a\r\ncookie: b\r\nX-A: \r\nZ: \xff\r\n\r\n"},
    /* hop-by-hop */
    {"https://h", false,
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Hop\r\nX-Hop: a\r\nX-Hop: b\r\n"
     "Keep-Alive: c\r\nTE: trailers\r\nTrailer: d\r\nProxy-Authorization: e\r\n"
     "Proxy-Connection: keep-alive\r\nProxy-Anything: f\r\nUpgrade: h2c\r\nX-Kept: g\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\nX-Kept: g\r\n\r\n"},
    /* framing */
    {"https://h", false, "POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 0017\r\nA: b\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\nA: b\r\n\r\n"},
    {"https://h", false, "POST / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: CHUNKED\r\nA: b\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n"},
    {"https://h", false, "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
    {"https://h", false, "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n",
     "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"https://h", false, "POST / HTTP/1.1\r\nHost: h\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
    {"https://h", false, "PUT / HTTP/1.1\r\nHost: h\r\n\r\n",
     "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
    {"https://h", false, "PATCH / HTTP/1.1\r\nHost: h\r\n\r\n",
     "PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
    {"https://h", false, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775807\r\n\r\n",
     "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775807\r\n\r\n"},
    /* Expect */
    {"https://h", false,
     "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
     "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"},
    {"https://h", false,
     "PUT / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
     "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"},
    /* OPTIONS */
    {"https://h", false, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
     "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
    {NULL, false, "OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n",
     "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
    {NULL, false, "OPTIONS http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
     "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {NULL, false, "OPTIONS http://h?x HTTP/1.1\r\nHost: h\r\n\r\n",
     "OPTIONS /?x HTTP/1.1\r\nHost: h\r\n\r\n"},
    {NULL, false, "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
    /* an upgrade, kept only if it is wanted here and asked for there */
    {"https://h", true,
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Upgrade\r\nUpgrade: websocket\r\nX: y\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
    {"https://h", false,
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX: y\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"},
    {"https://h", true, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"https://h", true, "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
};

/* Into a buffer of exactly that size; every shorter one is -ENOSPC. */
static void check_request(bool with_upgrade, const char *expected)
{
    size_t len = strlen(expected);

    for (size_t size = 0; size <= len; size++) {
        cleanup_free char *buf = xmalloc(size);
        int n = head_write_request(&request, &url, with_upgrade, buf, size);
        assert_int_equal(n, size < len ? -ENOSPC : (int)len);
        if (n > 0)
            assert_memory_equal(buf, expected, len);
    }
}

static void test_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        const struct request_case *c = &requests[i];
        char buf[1024];

        parse_request(c->in, c->tunnel);
        int n = head_write_request(&request, &url, c->with_upgrade, buf, sizeof(buf) - 1);
        assert_true(n > 0);
        buf[n] = '\0';
        assert_string_equal(buf, c->out);
        check_request(c->with_upgrade, c->out);
    }
}

/* Parts that no reader made: HTTP/2 will bring its own. */
static void test_request_illegal(void **state)
{
    static const struct head_field bad[] = {
        {"A", "b\r\nX: y", 1, 7, false}, {"A", "b\n", 1, 2, false}, {"A", "b\0c", 1, 3, false},
        {"A\r\nB", "c", 4, 1, false},    {"A:", "c", 2, 1, false},  {"A ", "c", 2, 1, false},
        {"", "c", 0, 1, false},
    };
    static const struct head_field good = {"A", "b", 1, 1, false};
    static const char *const methods[] = {"G T", "G\r\nT", "G:T", ""};
    char buf[256];

    (void)state;
    parse_request("GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n", "https://h");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        request.fields[1] = good;
        assert_true(head_write_request(&request, &url, false, buf, sizeof(buf)) > 0);
        request.fields[1] = bad[i];
        assert_int_equal(head_write_request(&request, &url, false, buf, sizeof(buf)), -EINVAL);
    }
    request.fields[1] = good;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        copy_string(request.method, sizeof(request.method), methods[i]);
        assert_int_equal(head_write_request(&request, &url, false, buf, sizeof(buf)), -EINVAL);
    }
    copy_string(request.method, sizeof(request.method), "GET");
    assert_true(head_write_request(&request, &url, false, buf, sizeof(buf)) > 0);
    static const char *const targets[] = {"/ ", "/\n", "/\x7f", "/\xff", "*", "http://h/", ""};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        copy_string(url.target, sizeof(url.target), targets[i]);
        url.target_len = strlen(targets[i]);
        assert_int_equal(head_write_request(&request, &url, false, buf, sizeof(buf)), -EINVAL);
    }
    copy_string(url.target, sizeof(url.target), "/a");
    url.target_len = 0;
    assert_int_equal(head_write_request(&request, &url, false, buf, sizeof(buf)), -EINVAL);
    url.target_len = 2;
    assert_true(head_write_request(&request, &url, false, buf, sizeof(buf)) > 0);
    request.body = BODY_CLOSE; /* a request cannot end so */
    assert_int_equal(head_write_request(&request, &url, false, buf, sizeof(buf)), -EINVAL);
    request.body = BODY_NONE;
    assert_true(head_write_request(&request, &url, false, buf, sizeof(buf)) > 0);
    copy_string(request.method, sizeof(request.method), "CONNECT"); /* never goes upstream */
    assert_int_equal(head_write_request(&request, &url, false, buf, sizeof(buf)), -EINVAL);
}

/* Fields that frame or are for one hop stay here, even if nobody marked them. */
static void test_request_unmarked(void **state)
{
    static const struct head_field unmarked[] = {
        {"Connection", "close", 10, 5, false}, {"transfer-encoding", "chunked", 17, 7, false},
        {"CONTENT-LENGTH", "7", 14, 1, false}, {"Upgrade", "h2c", 7, 3, false},
        {"Host", "other", 4, 5, false},        {"A", "b", 1, 1, false},
    };
    static const char expected[] = "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
    char buf[256];

    (void)state;
    parse_request("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "https://h");
    memcpy(request.fields, unmarked, sizeof(unmarked));
    request.field_count = ARRAY_LEN(unmarked);
    assert_int_equal(head_write_request(&request, &url, true, buf, sizeof(buf)), strlen(expected));
    assert_memory_equal(buf, expected, strlen(expected));
}

/* --- responses --- */

struct response_case {
    const char *method;
    enum head_body body;
    bool close, with_upgrade;
    const char *in;
    const char *out;
};

static const struct response_case responses[] = {
    {"GET", BODY_LENGTH, false, false,
     "HTTP/1.1 200 OK\r\ncontent-length: 05\r\nDate: d\r\nServer: s\r\n\r\n",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: d\r\nServer: s\r\n\r\n"},
    {"GET", BODY_LENGTH, true, false, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
    {"GET", BODY_CHUNKED, false, false,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"GET", BODY_CHUNKED, false, false, "HTTP/1.1 200 OK\r\nA: b\r\n\r\n",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n"},
    {"GET", BODY_CLOSE, true, false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
    {"GET", BODY_CLOSE, false, false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
    /* the reason phrase */
    {"GET", BODY_LENGTH, false, false, "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n",
     "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\n"},
    {"GET", BODY_LENGTH, false, false, "HTTP/1.1 404 Not\tF\xff \r\nContent-Length: 1\r\n\r\n",
     "HTTP/1.1 404 Not\tF\xff \r\nContent-Length: 1\r\n\r\n"},
    /* without a body: the server's own Content-Length */
    {"HEAD", BODY_NONE, false, false, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nA: b\r\n\r\n",
     "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nA: b\r\n\r\n"},
    {"HEAD", BODY_NONE, false, false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "HTTP/1.1 200 OK\r\n\r\n"},
    {"GET", BODY_NONE, false, false, "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n",
     "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n"},
    {"GET", BODY_NONE, false, false, "HTTP/1.1 204 None\r\nContent-Length: 0\r\n\r\n",
     "HTTP/1.1 204 None\r\n\r\n"},
    {"GET", BODY_NONE, false, false, "HTTP/1.1 103 Hints\r\nLink: a\r\nContent-Length: 0\r\n\r\n",
     "HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"},
    /* fields */
    {"GET", BODY_NONE, false, false,
     "HTTP/1.1 204 None\r\nset-cookie: a\r\nConnection: X-Hop\r\nX-Hop: a\r\nSet-Cookie: b\r\n"
     "Keep-Alive: c\r\nProxy-Authenticate: d\r\nUpgrade: h2c\r\nVia: e\r\nHost: f\r\n\r\n",
     "HTTP/1.1 204 None\r\nset-cookie: a\r\nSet-Cookie: b\r\nVia: e\r\nHost: f\r\n\r\n"},
    /* not a field: "Connection: close" would name it */
    {"GET", BODY_NONE, true, false, "HTTP/1.1 204 None\r\nClose: a\r\nClosed: b\r\n\r\n",
     "HTTP/1.1 204 None\r\nClosed: b\r\nConnection: close\r\n\r\n"},
    /* 101 */
    {"GET", BODY_NONE, false, true,
     "HTTP/1.1 101 Switch\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nA: b\r\n\r\n",
     "HTTP/1.1 101 Switch\r\nA: b\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
};

static void test_response(void **state)
{
    struct error e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
        const struct response_case *c = &responses[i];
        size_t len = strlen(c->out);
        char buf[1024];

        assert_int_equal(head_parse_response(c->in, strlen(c->in), c->method, &response, &e), 0);
        int n = head_write_response(&response, c->body, c->close, c->with_upgrade, buf,
                                    sizeof(buf) - 1);
        assert_true(n > 0);
        buf[n] = '\0';
        assert_string_equal(buf, c->out);
        for (size_t size = 0; size <= len; size++) {
            cleanup_free char *exact = xmalloc(size);
            assert_int_equal(
                head_write_response(&response, c->body, c->close, c->with_upgrade, exact, size),
                size < len ? -ENOSPC : n);
        }
    }
}

static int write_response(void)
{
    char buf[256];

    return head_write_response(&response, BODY_NONE, false, false, buf, sizeof(buf));
}

static void test_response_illegal(void **state)
{
    static const char text[] = "HTTP/1.1 204 None\r\nA: b\r\n\r\n";
    struct error e;

    (void)state;
    assert_int_equal(head_parse_response(text, strlen(text), "GET", &response, &e), 0);
    assert_true(write_response() > 0);
    response.reason = "x\r\nX: y";
    response.reason_len = 7;
    assert_int_equal(write_response(), -EINVAL);
    response.reason_len = 1;
    assert_true(write_response() > 0);
    response.fields[0].value = "\r\n";
    response.fields[0].value_len = 2;
    assert_int_equal(write_response(), -EINVAL);
    response.fields[0].value_len = 0;
    assert_true(write_response() > 0);
    response.status = 1000;
    assert_int_equal(write_response(), -EINVAL);
    response.status = 200;
    for (size_t i = 0; i < 2; i++) { /* one length, then two */
        response.fields[i] = (struct head_field){"Content-Length", "5", 14, 1, false};
        response.field_count = i + 1;
        assert_int_equal(write_response() < 0 ? -EINVAL : 0, i == 0 ? 0 : -EINVAL);
    }
}

/* No framing for a response that has no body whatever its head says. */
static void test_response_framing(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    static const int statuses[] = {101, 204, 304};
    struct error e;
    char buf[256];

    (void)state;
    assert_int_equal(head_parse_response(text, strlen(text), "GET", &response, &e), 0);
    assert_true(head_write_response(&response, BODY_LENGTH, false, false, buf, sizeof(buf)) > 0);
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        response.status = statuses[i];
        for (enum head_body body = BODY_LENGTH; body <= BODY_CLOSE; body++)
            assert_int_equal(head_write_response(&response, body, false, false, buf, sizeof(buf)),
                             -EINVAL);
        assert_true(write_response() > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),          cmocka_unit_test(test_request_illegal),
        cmocka_unit_test(test_request_unmarked), cmocka_unit_test(test_response),
        cmocka_unit_test(test_response_illegal), cmocka_unit_test(test_response_framing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
