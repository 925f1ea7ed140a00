/* test_head_url.c: the URL that a request means: of a proxy request and inside of a tunnel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "httpproxy/head.h"
#include "src/util.h"
#include "tests/unit/request_cases.h"

static struct request_case at;

struct url_row {
    const char *method, *target, *version;
    const char *host;      /* NULL: no Host field */
    const char *authority; /* of the connection, with a port; NULL: a proxy request */
    enum url_scheme scheme;
    const char *url; /* NULL: refused with status and word */
    int status;
    const char *word;
};

static void expect_url(const struct url_row *row)
{
    static struct url url;
    static char head[1024], text[URL_TEXT_SIZE];
    struct url_authority a;
    struct error e = {.text = ""};
    int n = snprintf(head, sizeof(head), "%s %s HTTP/%s\r\n%s%s%s\r\n", row->method, row->target,
                     row->version, row->host ? "Host: " : "", row->host ? row->host : "",
                     row->host ? "\r\n" : "");
    case_taken(&at, head, (size_t)n);

    if (row->authority)
        assert_int_equal(url_parse_authority(row->authority, strlen(row->authority), 0, &a, &e), 0);
    int r = head_request_url(&at.request, row->scheme, row->authority ? &a : NULL, &url, &e);
    if (!row->url) {
        if (r != -row->status || !strstr(e.text, row->word))
            fail_msg("%s%d %s; expected %d %s", head, -r, e.text, row->status, row->word);
        return;
    }
    if (r != 0)
        fail_msg("%srefused: %s", head, e.text);
    assert_true(url_format(&url, text, sizeof(text)) > 0);
    assert_string_equal(text, row->url);
}

#define TAKEN(method, target, version, host, authority, scheme, url)                               \
    {                                                                                              \
        method, target, version, host, authority, scheme, url, 0, NULL                             \
    }
#define REFUSED(method, target, version, host, authority, scheme, word)                            \
    {                                                                                              \
        method, target, version, host, authority, scheme, NULL, 400, word                          \
    }

static void test_url_of_proxy_request(void **state)
{
    static const struct url_row rows[] = {
        TAKEN("GET", "http://h/a", "1.1", "h", NULL, URL_HTTP, "http://h/a"),
        TAKEN("GET", "HTTP://H.:80/a/../b", "1.1", "h:80", NULL, URL_HTTP, "http://h/b"),
        TAKEN("GET", "http://h", "1.1", "H.", NULL, URL_HTTP, "http://h/"),
        TAKEN("GET", "http://h?q", "1.1", "h", NULL, URL_HTTP, "http://h/?q"),
        TAKEN("GET", "http://h:8080/", "1.1", "h:8080", NULL, URL_HTTP, "http://h:8080/"),
        TAKEN("GET", "http://[::1]:81/", "1.1", "[0::1]:81", NULL, URL_HTTP, "http://[::1]:81/"),
        TAKEN("GET", "https://h/", "1.1", "h", NULL, URL_HTTP, "https://h/"),
        TAKEN("GET", "http://h/a", "1.0", NULL, NULL, URL_HTTP, "http://h/a"),
        TAKEN("OPTIONS", "http://h", "1.1", "h", NULL, URL_HTTP, "http://h/"),
        REFUSED("GET", "http://h/a", "1.1", "other", NULL, URL_HTTP, "Host is not"),
        REFUSED("GET", "http://h/a", "1.0", "other", NULL, URL_HTTP, "Host is not"),
        REFUSED("GET", "http://h/a", "1.1", "h:81", NULL, URL_HTTP, "Host is not"),
        REFUSED("GET", "http://h:8080/", "1.1", "h", NULL, URL_HTTP, "Host is not"),
        REFUSED("GET", "https://h/", "1.1", "h:80", NULL, URL_HTTP, "Host is not"),
        REFUSED("GET", "http://h/", "1.1", "h, h", NULL, URL_HTTP, "Host: "),
        REFUSED("GET", "http://h/", "1.1", "h,other", NULL, URL_HTTP, "Host: "),
        REFUSED("GET", "http://h/", "1.1", "h h", NULL, URL_HTTP, "Host: "),
        REFUSED("GET", "http://h/", "1.1", "u@h", NULL, URL_HTTP, "Host: "),
        REFUSED("GET", "http://h/", "1.1", "h:", NULL, URL_HTTP, "Host: "),
        REFUSED("GET", "http://h/", "1.1", "h/", NULL, URL_HTTP, "Host: "),
        REFUSED("GET", "http://h/", "1.1", "http://h", NULL, URL_HTTP, "Host: "),
        REFUSED("GET", "http://u@h/", "1.1", "h", NULL, URL_HTTP, "userinfo"),
        REFUSED("GET", "http://h/#f", "1.1", "h", NULL, URL_HTTP, "fragment"),
        REFUSED("GET", "http:///a", "1.1", "h", NULL, URL_HTTP, "host is empty"),
        REFUSED("GET", "ftp://h/", "1.1", "h", NULL, URL_HTTP, "scheme"),
        REFUSED("GET", "/a", "1.1", "h", NULL, URL_HTTP, "not a URL"),
        REFUSED("OPTIONS", "*", "1.1", "h", NULL, URL_HTTP, "not a URL"),
        REFUSED("CONNECT", "h:443", "1.1", "h", NULL, URL_HTTP, "CONNECT alone"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_url(&rows[i]);
}

static void test_url_in_tunnel(void **state)
{
    static const struct url_row rows[] = {
        TAKEN("GET", "/a", "1.1", "h", "h:443", URL_HTTPS, "https://h/a"),
        TAKEN("GET", "/a", "1.1", "H.:443", "h:443", URL_HTTPS, "https://h/a"),
        TAKEN("GET", "/%7Ea/./b", "1.1", "h:8443", "h:8443", URL_HTTPS, "https://h:8443/~a/b"),
        TAKEN("GET", "//other/a", "1.1", "h", "h:80", URL_HTTP, "http://h//other/a"),
        TAKEN("GET", "/a", "1.0", NULL, "h:80", URL_HTTP, "http://h/a"),
        TAKEN("GET", "https://h/a", "1.1", "h", "h:443", URL_HTTPS, "https://h/a"),
        TAKEN("OPTIONS", "*", "1.1", "h", "h:443", URL_HTTPS, "https://h/"),
        TAKEN("GET", "/", "1.1", "192.0.2.1", "192.0.2.1:443", URL_HTTPS, "https://192.0.2.1/"),
        REFUSED("GET", "/a", "1.1", "other", "h:443", URL_HTTPS, "Host is not"),
        REFUSED("GET", "/a", "1.1", "h.h", "h:443", URL_HTTPS, "Host is not"),
        REFUSED("GET", "/a", "1.1", "h:80", "h:443", URL_HTTPS, "Host is not"),
        REFUSED("GET", "/a", "1.1", "h", "h:8443", URL_HTTPS, "Host is not"),
        REFUSED("OPTIONS", "*", "1.1", "other", "h:443", URL_HTTPS, "Host is not"),
        REFUSED("GET", "https://other/a", "1.1", "other", "h:443", URL_HTTPS, "another host"),
        REFUSED("GET", "https://h/a", "1.1", "other", "h:443", URL_HTTPS, "Host is not"),
        REFUSED("GET", "http://h/a", "1.1", "h", "h:443", URL_HTTPS, "another host"),
        REFUSED("GET", "http://h:443/a", "1.1", "h", "h:443", URL_HTTPS, "another host"),
        REFUSED("GET", "/a%00", "1.1", "h", "h:443", URL_HTTPS, "NUL"),
        REFUSED("GET", "/a\\b", "1.1", "h", "h:443", URL_HTTPS, "backslash"),
        REFUSED("GET", "/", "1.1", "0xc0000201", "192.0.2.1:443", URL_HTTPS, "Host: "),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_url(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_of_proxy_request),
        cmocka_unit_test(test_url_in_tunnel),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    case_free(&at);
    return failed;
}
