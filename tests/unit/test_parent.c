/* test_parent.c: the variables that name a proxy of the host's network, and what goes by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/parent.h"
#include "src/util.h"

static void test_urls(void **state)
{
    static const struct {
        const char *text, *host, *authorization;
        uint16_t port;
        bool tls;
    } cases[] = {
        {"http://proxy.example:3128", "proxy.example", "", 3128, false},
        {"http://Proxy.Example./", "proxy.example", "", 80, false},
        {"HTTPS://proxy.example", "proxy.example", "", 443, true},
        {"proxy.example:8080", "proxy.example", "", 8080, false},
        {"192.0.2.1:8080", "192.0.2.1", "", 8080, false},
        {"http://[2001:db8::1]:8080/x?y", "2001:db8::1", "", 8080, false},
        {"http://user:password@proxy.example", "proxy.example", "Basic dXNlcjpwYXNzd29yZA==", 80,
         false},
        {"http://user@proxy.example", "proxy.example", "Basic dXNlcjo=", 80, false},
        {"user:a%40b%3ac%@proxy.example:1", "proxy.example", "Basic dXNlcjphQGI6YyU=", 1, false},
        {"http://u:p@q@proxy.example:1", "proxy.example", "Basic dTpwQHE=", 1, false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct parent p;
        struct error e;
        assert_int_equal(parent_parse("http_proxy", cases[i].text, &p, &e), 0);
        assert_true(p.set && p.tls == cases[i].tls);
        assert_string_equal(p.authority.host, cases[i].host);
        assert_int_equal(p.authority.port, cases[i].port);
        assert_string_equal(p.authorization, cases[i].authorization);
    }
}

/* The reason names the variable, and nothing of the value. */
static void test_bad_urls(void **state)
{
    static const char *const cases[] = {
        "socks5://s3cret@proxy.example",
        "ftp://s3cret@proxy.example",
        "s3cret://proxy.example",
        "http://user:s3cret@",
        "http://user:s3cret@a b",
        "http://user:s3cret%0a@proxy.example",
        "http://user:s3cret@h:0",
        "http://user:s3cret@h:65536",
        "http://u:p:s3cret",
        "http://",
    };
    char longer[2048];
    struct parent p;
    struct error e;
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(parent_parse("https_proxy", cases[i], &p, &e) < 0);
        assert_non_null(strstr(e.text, "https_proxy"));
        assert_null(strstr(e.text, "s3cret"));
    }
    memset(longer, 'a', sizeof(longer));
    memcpy(longer + sizeof(longer) - 3, "@h", 3);
    assert_true(parent_parse("https_proxy", longer, &p, &e) < 0);
    assert_int_equal(parent_parse("https_proxy", longer + sizeof(longer) - 515, &p, &e), 0);
    assert_true(parent_parse("https_proxy", longer + sizeof(longer) - 516, &p, &e) < 0);
}

static bool goes(struct parents *p, uint32_t scheme, const char *text)
{
    struct url_authority a;

    assert_int_equal(url_parse_authority(text, strlen(text), 0, &a, NULL), 0);
    return parents_choose(p, scheme, &a) != NULL;
}

static void test_exceptions(void **state)
{
    static const struct {
        const char *no_proxy, *target;
        bool by_proxy;
    } cases[] = {
        {"", "a.example:443", true},
        {"*", "a.example:443", false},
        {" , *,", "192.0.2.1:443", false},
        {"a.example", "a.example:443", false},
        {"a.example", "b.a.example:443", false},
        {"a.example", "ba.example:443", true},
        {"b.a.example", "a.example:443", true},
        {".A.Example", "b.a.example:443", false},
        {"*.a.example", "b.a.example:443", false},
        {"a.example:8443", "a.example:443", true},
        {"a.example:8443", "a.example:8443", false},
        {"192.0.2.1", "192.0.2.1:443", false},
        {"192.0.2.1", "192.0.2.2:443", true},
        {"192.0.2.0/31", "192.0.2.1:443", false},
        {"192.0.2.0/31", "192.0.2.2:443", true},
        {"0.0.0.0/0", "192.0.2.2:443", false},
        {"0.0.0.0/0", "[2001:db8::1]:443", true},
        {"192.0.2.0/33", "192.0.2.1:443", true},
        {"192.0.2.1:80", "192.0.2.1:443", true},
        {"192.0.2.1:443", "192.0.2.1:443", false},
        {"2001:db8::/33", "[2001:db8:7fff::1]:443", false},
        {"2001:db8::/33", "[2001:db8:8000::1]:443", true},
        {"[2001:db8::1]:443", "[2001:db8::1]:443", false},
        {"[2001:db8::1]:80", "[2001:db8::1]:443", true},
        {"192.0.2.1", "1.192.0.2.1.example:443", true},
        {"localhost", "a.example:443", true},
        {"", "localhost:443", false},
        {"", "127.0.0.5:443", false},
        {"", "[::1]:443", false},
        {"\x01 . .. ] [ /8 :80 a..b 1.2.3.4/x", "a.example:443", true},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct parents *p = xcalloc(1, sizeof(*p));
        p->of[MSG_PARENT_TUNNEL].set = true;
        parent_parse_exceptions(cases[i].no_proxy, p);
        assert_int_equal(goes(p, URL_HTTPS, cases[i].target), cases[i].by_proxy);
        assert_int_equal(goes(p, MSG_DIAL_RAW, cases[i].target), cases[i].by_proxy);
        assert_false(goes(p, URL_HTTP, cases[i].target)); /* that has no proxy */
        free(p);
    }
    assert_false(goes(NULL, URL_HTTPS, "a.example:443"));
}

static void test_too_many_exceptions(void **state)
{
    struct parents *p = xcalloc(1, sizeof(*p));
    char text[PARENT_EXCEPTIONS_MAX * 4];
    (void)state;

    for (size_t i = 0; i + 1 < sizeof(text); i++)
        text[i] = i % 2 ? ',' : 'x';
    text[sizeof(text) - 1] = '\0';
    parent_parse_exceptions(text, p);
    assert_int_equal(p->exception_count, PARENT_EXCEPTIONS_MAX);
    free(p);
}

static void test_environment(void **state)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "no_proxy",
                                        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"};
    struct parents *p = xcalloc(1, sizeof(*p));
    struct error e;
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unsetenv(names[i]);
    (void)setenv("HTTP_PROXY", "http://upper.example", 1);
    assert_int_equal(parents_from_environment(p, &e), 0);
    assert_false(p->of[MSG_PARENT_HTTP].set || p->of[MSG_PARENT_TUNNEL].set);
    (void)setenv("ALL_PROXY", "http://u:s3cret@all.example", 1);
    (void)setenv("https_proxy", "", 1);
    (void)setenv("HTTPS_PROXY", "u:s3cret@secure.example", 1);
    (void)setenv("NO_PROXY", "a.example", 1);
    assert_int_equal(parents_from_environment(p, &e), 0);
    assert_string_equal(p->of[MSG_PARENT_HTTP].authority.host, "all.example");
    assert_string_equal(p->of[MSG_PARENT_TUNNEL].authority.host, "secure.example");
    assert_false(goes(p, URL_HTTP, "a.example:80"));
    (void)setenv("no_proxy", "b.example", 1);
    assert_int_equal(parents_from_environment(p, &e), 0);
    assert_true(goes(p, URL_HTTP, "a.example:80"));
    parents_hide_environment();
    assert_string_equal(getenv("ALL_PROXY"), "http://********@all.example");
    assert_string_equal(getenv("HTTPS_PROXY"), "********@secure.example");
    parents_forget(p);
    assert_false(p->of[MSG_PARENT_HTTP].set);
    free(p);
}

static void test_connect(void **state)
{
    char buf[PARENT_CONNECT_SIZE];
    (void)state;

    int n = parent_write_connect("a.example:443", "Basic eA==", buf, sizeof(buf));
    assert_int_equal(n, strlen(buf));
    assert_string_equal(buf, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n"
                             "Proxy-Authorization: Basic eA==\r\nConnection: close\r\n\r\n");
    n = parent_write_connect("a.example:443", "", buf, sizeof(buf));
    assert_string_equal(
        buf, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nConnection: close\r\n\r\n");
    assert_true(parent_write_connect("a.example:443", "", buf, (size_t)n) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),        cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_exceptions),  cmocka_unit_test(test_too_many_exceptions),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
