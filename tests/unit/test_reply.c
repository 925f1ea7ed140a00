/* test_reply.c: the proxy's own answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "httpproxy/head.h"
#include "httpproxy/reply.h"
#include "src/policy.h"

static struct url parse(const char *text)
{
    struct url u;
    struct error e;

    assert_int_equal(url_parse(text, strlen(text), &u, &e), 0);
    return u;
}

static void expect_endpoint(const char *method, const char *url, const char *word)
{
    struct url u = parse(url);
    char got[2048];

    reply_endpoint(got, sizeof(got), method, &u);
    assert_string_equal(got, word);
}

static void test_endpoint(void **state)
{
    (void)state;
    expect_endpoint("PUT", "https://h.example/a/b", "PUT:https://h.example/a/");
    expect_endpoint("GET", "https://h.example/a/b?q=/x/", "GET,HEAD:https://h.example/a/");
    expect_endpoint("HEAD", "http://h.example:81/", "GET,HEAD:http://h.example:81/");
    expect_endpoint("POST", "https://h.example/a/", "POST:https://h.example/a/");
    expect_endpoint("DELETE", "https://[2001:db8::1]:444/x", "DELETE:https://[2001:db8::1]:444/");
    expect_endpoint("lower", "https://h.example/x", "https://h.example/");
}

/* The word that a 403 suggests is one that the policy takes, and that allows the request. */
static void expect_helps(const char *method, const char *url)
{
    struct url u = parse(url);
    struct policy p;
    struct error e;
    char word[2048];

    policy_init(&p);
    assert_null(policy_match_request(&p, method, &u));
    reply_endpoint(word, sizeof(word), method, &u);
    assert_int_equal(policy_parse(&p, "test", word, strlen(word), &e), 0);
    assert_non_null(policy_match_request(&p, method, &u));
    policy_free(&p);
}

static void test_endpoint_helps(void **state)
{
    (void)state;
    expect_helps("PUT", "https://h.example/a/b?c");
    expect_helps("GET", "http://192.0.2.1:8080/");
    expect_helps("HEAD", "https://[2001:db8::1]/x/y/z");
    expect_helps("weird-method", "https://h.example/%7Euser/@scope%2fname");
}

static void test_endpoint_of_long_path(void **state)
{
    char url[4096] = "https://h.example/";

    (void)state;
    memset(url + 18, 'a', 3000);
    memcpy(url + 3018, "/b", 3);
    expect_endpoint("PUT", url, "PUT:https://h.example/");
}

static void test_put(void **state)
{
    struct buf b = {0};

    (void)state;
    reply_put(&b, 403, "no\n", false, true);
    buf_append(&b, "", 1);
    assert_string_equal(b.data, "HTTP/1.1 403 Forbidden\r\n"
                                "Content-Type: text/plain; charset=utf-8\r\n"
                                "Content-Length: 3\r\n"
                                "Cache-Control: no-store\r\n"
                                "Connection: close\r\n"
                                "\r\n"
                                "no\n");
    buf_free(&b);
    reply_put(&b, 502, "no\n", true, false);
    buf_append(&b, "", 1);
    assert_string_equal(b.data, "HTTP/1.1 502 Bad Gateway\r\n"
                                "Content-Type: text/plain; charset=utf-8\r\n"
                                "Content-Length: 3\r\n"
                                "Cache-Control: no-store\r\n"
                                "\r\n");
    buf_free(&b);
}

static void test_denied(void **state)
{
    struct url u = parse("https://h.example/a/b");
    struct url_authority a = u.authority;
    char text[1024];

    (void)state;
    reply_denied(text, sizeof(text), "PUT", &u);
    assert_string_equal(text, "cijail: this request is not allowed by the policy.\n\n"
                              "  PUT https://h.example/a/b\n\n"
                              "To allow it, add this endpoint:\n\n"
                              "  PUT:https://h.example/a/\n");
    reply_denied_connect(text, sizeof(text), &a);
    assert_non_null(strstr(text, "CONNECT h.example port 443"));
    assert_non_null(strstr(text, "  https://h.example/\n"));
    a.port = 80;
    reply_denied_connect(text, sizeof(text), &a);
    assert_non_null(strstr(text, "  http://h.example/\n"));
    a.port = 8443;
    reply_denied_connect(text, sizeof(text), &a);
    assert_non_null(strstr(text, "  https://h.example:8443/\n"));
}

/* No byte that can drive a terminal gets through, and nothing overflows. */
static void test_failed_escapes(void **state)
{
    char text[8192];
    char small[16];

    (void)state;
    reply_failed(text, sizeof(text), "bad \x1b[31m", "GET", "http://h/\x07");
    assert_string_equal(text, "cijail: bad \\x1b[31m\n\n  GET http://h/\\x07\n");
    reply_failed(text, sizeof(text), "plain", NULL, NULL);
    assert_string_equal(text, "cijail: plain\n");
    reply_failed(small, sizeof(small), "a long reason indeed", NULL, NULL);
    assert_string_equal(small, "cijail: a long ");
}

static void test_phrases(void **state)
{
    static const int statuses[] = {400, 403, 408, 414, 431, 501, 502, 503, 504, 505};

    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        assert_string_not_equal(head_phrase(statuses[i]), "");
    assert_string_equal(head_phrase(200), "OK");
    assert_string_equal(head_phrase(599), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoint), cmocka_unit_test(test_endpoint_helps),
        cmocka_unit_test(test_put),      cmocka_unit_test(test_endpoint_of_long_path),
        cmocka_unit_test(test_denied),   cmocka_unit_test(test_failed_escapes),
        cmocka_unit_test(test_phrases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
