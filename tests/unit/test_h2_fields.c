/* test_h2_fields.c: heads of HTTP/2 as text, what is refused before it is text, and budgets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "src/util.h"

static void add(struct h2_fields *f, const char *name, const char *value, size_t value_len)
{
    h2_fields_add(f, (const uint8_t *)name, strlen(name), (const uint8_t *)value, value_len);
}

/* "name value\n" each; the text that it becomes, or the reason why it becomes none. */
static char *request(const char *lines, bool body, int *status)
{
    static const struct h2_request_form bodyless = {.scheme = "https", .key = "KEY"};
    static const struct h2_request_form bodied = {.scheme = "https", .body = true, .key = "KEY"};
    struct h2_fields f = {0};
    struct buf out = {0};
    struct error e;
    char name[64];

    while (*lines) {
        const char *space = strchr(lines, ' '), *end = strchr(lines, '\n');
        size_t len = (size_t)(space - lines);
        memcpy(name, lines, len);
        name[len] = '\0';
        add(&f, name, space + 1, (size_t)(end - space) - 1);
        lines = end + 1;
    }
    *status = h2_fields_request(&f, body ? &bodied : &bodyless, &out, &e);
    h2_fields_free(&f);
    if (*status < 0) {
        buf_free(&out);
        return xstrdup(e.text);
    }
    buf_append(&out, "", 1);
    return out.data;
}

static void expect(const char *lines, bool body, const char *text)
{
    int status;
    char *got = request(lines, body, &status);

    assert_int_equal(status, 0);
    assert_string_equal(got, text);
    free(got);
}

static void refuse(const char *lines)
{
    int status;

    free(request(lines, false, &status));
    assert_int_equal(status, -400);
}

#define GET ":method GET\n:scheme https\n:authority a.test\n:path /x\n"
#define TEXT "GET /x HTTP/1.1\r\nhost: a.test\r\n"

static void test_requests(void **state)
{
    (void)state;
    expect(GET, false, TEXT "\r\n");
    expect(GET "a b\ncookie x=1\nc d\ncookie y=2\n", false,
           TEXT "a: b\r\nc: d\r\ncookie: x=1; y=2\r\n\r\n");
    expect(GET "te trailers\n", false, TEXT "te: trailers\r\n\r\n");
    expect(GET, true, TEXT "transfer-encoding: chunked\r\n\r\n");
    expect(GET "content-length 5\n", true, TEXT "content-length: 5\r\n\r\n");
    expect(GET "host a.test\n", false, TEXT "\r\n");
    /* two that differ are both there, for the parser to refuse */
    expect(GET "host b.test\n", false, TEXT "host: b.test\r\n\r\n");
    expect(":method GET\n:scheme http\n:authority a.test\n:path /x\n", false,
           "GET http://a.test/x HTTP/1.1\r\nhost: a.test\r\n\r\n");
    expect(":method CONNECT\n:authority a.test:443\n", false,
           "CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n");
    expect(":method CONNECT\n:protocol websocket\n:scheme https\n:authority a.test\n:path /x\n",
           true,
           TEXT "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: KEY\r\n\r\n");
}

static void test_refused(void **state)
{
    static const char *const more[] = {
        "A b\n",
        "a:b c\n",
        "a b\rc\n",
        "a b\x7f\n",
        "connection x\n",
        "keep-alive x\n",
        "proxy-connection x\n",
        "upgrade x\n",
        "te gzip\n",
        "te trailers, x\n",
        "transfer-encoding chunked\n",
        ":path /y\n",
        ":other x\n",
        ":status 200\n",
        "a b\n:protocol websocket\n",
        ":protocol websocket\n",
    };
    char lines[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        (void)snprintf(lines, sizeof(lines), GET "%s", more[i]);
        refuse(lines);
    }
    refuse(":method GET\n:authority a.test\n:path /x\n");
    refuse(":method GET\n:scheme https\n:authority a.test\n");
    refuse(":scheme https\n:authority a.test\n:path /x\n");
    refuse(":method G T\n:scheme https\n:authority a.test\n:path /x\n");
    refuse(":method GET\n:scheme https\n:authority a.test\n:path /x y\n");
    refuse(":method GET\n:scheme https\n:authority a.test\n:path \n");
    refuse(":method CONNECT\n:authority a.test\n:path /x\n");
    refuse(":method CONNECT\n:authority a.test\ncontent-length 5\n");
    refuse(":method CONNECT\n:scheme https\n:authority a.test\n:path /x\n"
           ":protocol websocket\ncontent-length 5\n");
}

static void test_too_long(void **state)
{
    static char value[40000];
    struct h2_request_form form = {.scheme = "https"};
    struct h2_fields f = {0};
    struct buf out = {0};
    struct error e;

    (void)state;
    memset(value, 'x', sizeof(value));
    add(&f, ":method", "GET", 3);
    add(&f, ":scheme", "https", 5);
    add(&f, ":path", "/", 1);
    add(&f, "a", value, sizeof(value));
    assert_false(f.too_long);
    for (int i = 0; i < 1000; i++)
        add(&f, "b", value, sizeof(value));
    assert_true(f.too_long);
    assert_true(f.size <= HEAD_MAX);
    assert_int_equal(h2_fields_request(&f, &form, &out, &e), -431);
    h2_fields_free(&f);
    buf_free(&out);
}

static void test_responses(void **state)
{
    static const struct {
        const char *status;
        bool body, bodyless;
        const char *text;
    } cases[] = {
        {"200", true, false, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"},
        {"200", false, false, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"},
        {"200", false, true, "HTTP/1.1 200 OK\r\n\r\n"},
        {"304", false, false, "HTTP/1.1 304 Not Modified\r\n\r\n"},
        {"103", true, false, "HTTP/1.1 103 Early Hints\r\n\r\n"},
        {"101", true, false, NULL},
        {"20", true, false, NULL},
        {"2000", true, false, NULL},
        {"abc", true, false, NULL},
        {"099", true, false, NULL},
        {"1000", true, false, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct h2_fields f = {0};
        struct buf out = {0};
        struct error e;
        int status;
        add(&f, ":status", cases[i].status, strlen(cases[i].status));
        int r = h2_fields_response(&f, cases[i].body, cases[i].bodyless, &status, &out, &e);
        assert_int_equal(r, cases[i].text ? 0 : -EPROTO);
        if (cases[i].text) {
            buf_append(&out, "", 1);
            assert_string_equal(out.data, cases[i].text);
        }
        h2_fields_free(&f);
        buf_free(&out);
    }
}

/* How many frames of this kind there may be at once. */
static int frames(uint8_t type, size_t len, uint8_t flags)
{
    nghttp2_frame_hd hd = {.type = type, .length = len, .flags = flags};
    struct h2_budget b;
    int n = 0;

    h2_budget_init(&b);
    while (n < 100000 && h2_budget_frame(&b, &hd))
        n++;
    return n;
}

static void test_budgets(void **state)
{
    struct h2_budget b;
    int n = 0;

    (void)state;
    assert_in_range(frames(NGHTTP2_PING, 8, 0), LIMIT_H2_FRAMES / 2, 99999);
    assert_in_range(frames(NGHTTP2_DATA, 0, 0), LIMIT_H2_FRAMES / 2, 99999);
    assert_int_equal(frames(NGHTTP2_DATA, 1, 0), 100000);
    assert_int_equal(frames(NGHTTP2_HEADERS, 10, 0), 100000);
    h2_budget_init(&b);
    while (n < 100000 && h2_budget_reset(&b))
        n++;
    assert_in_range(n, LIMIT_H2_RESETS / 2, 99999);

    nghttp2_frame_hd update = {.type = NGHTTP2_WINDOW_UPDATE, .length = 4};
    h2_budget_init(&b);
    for (n = 0; n < 100000 && h2_budget_frame(&b, &update); n++)
        h2_budget_sent(&b, 1, true);
    assert_true(n < 100000); /* a window of a byte earns nothing */
    h2_budget_init(&b);
    for (n = 0; n < 100000 && h2_budget_frame(&b, &update); n++)
        h2_budget_sent(&b, 1, false);
    assert_int_equal(n, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_responses),
        cmocka_unit_test(test_budgets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
