/* test_url.c: each rule of the canonical form, and each text that is refused, with a twin that is
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/url.h"
#include "src/util.h"

struct url_case {
    const char *in;
    const char *out; /* NULL: refused, */
    const char *why; /* with these words */
};

static const struct url_case authorities[] = {
    {"https://h/", "https://h/", NULL},
    {"HTTPS://Example.COM/", "https://example.com/", NULL},
    {"http://h", "http://h/", NULL},
    {"http://h?x", "http://h/?x", NULL},
    {"http://h:80/", "http://h/", NULL},
    {"https://h:443/", "https://h/", NULL},
    {"http://h:443/", "http://h:443/", NULL},
    {"https://h:80/", "https://h:80/", NULL},
    {"https://h:65535/", "https://h:65535/", NULL},
    {"https://h:1/", "https://h:1/", NULL},
    {"https://h./", "https://h/", NULL},
    {"https://h.:444/", "https://h:444/", NULL},
    {"https://b\xc3\xbc"
     "cher.example/",
     "https://xn--bcher-kva.example/", NULL},
    {"https://_x.example/", "https://_x.example/", NULL},
    {"https://1.2.3.4/", "https://1.2.3.4/", NULL},
    {"https://255.255.255.255:444/", "https://255.255.255.255:444/", NULL},
    {"https://1.2.3.4.example/", "https://1.2.3.4.example/", NULL},
    {"https://[::1]/", "https://[::1]/", NULL},
    {"https://[::1]:443/", "https://[::1]/", NULL},
    {"https://[::1]:8443/a", "https://[::1]:8443/a", NULL},
    {"https://[2001:DB8:0:0:1:0:0:1]/", "https://[2001:db8::1:0:0:1]/", NULL},
    {"https://[2001:0db8::0001]/", "https://[2001:db8::1]/", NULL},
    {"https://[2001:db8:0:1:1:1:1:1]/", "https://[2001:db8:0:1:1:1:1:1]/", NULL},
    {"https://[::ffff:1.2.3.4]/", "https://[::ffff:1.2.3.4]/", NULL},
    {"https://[::ffff:102:304]/", "https://[::ffff:1.2.3.4]/", NULL},
    {"https://[64:ff9b::1.2.3.4]/", "https://[64:ff9b::102:304]/", NULL},
    /* not an absolute http or https URL */
    {"", NULL, "no scheme"},
    {"h", NULL, "no scheme"},
    {"/path", NULL, "no scheme"},
    {"//h/", NULL, "no scheme"},
    {"://h/", NULL, "no scheme"},
    {" https://h/", NULL, "no scheme"},
    {"ftp://h/", NULL, "neither http nor https"},
    {"httpss://h/", NULL, "neither http nor https"},
    {"h:443", NULL, "neither http nor https"},
    {"https:", NULL, "'//' is missing"},
    {"https:/", NULL, "'//' is missing"},
    {"https:/h", NULL, "'//' is missing"},
    {"https:h", NULL, "'//' is missing"},
    {"https:\\\\h/", NULL, "'//' is missing"},
    {"https://", NULL, "host is empty"},
    {"https:///", NULL, "host is empty"},
    {"https:///h/", NULL, "host is empty"},
    {"https://?x", NULL, "host is empty"},
    {"https://:443/", NULL, "host is empty"},
    {"https://[]/", NULL, "host is empty"},
    /* userinfo, backslashes and what else makes two parsers see two hosts */
    {"https://u@h/", NULL, "userinfo"},
    {"https://u:p@h/", NULL, "userinfo"},
    {"https://@h/", NULL, "userinfo"},
    {"https://h@evil.example/", NULL, "userinfo"},
    {"https://h:443@evil.example/", NULL, "userinfo"},
    {"https://h\\@evil.example/", NULL, "userinfo"},
    {"https://h/@x", "https://h/@x", NULL},
    {"https://h\\evil.example/", NULL, "backslash in the host"},
    {"https://evil.example\\.h/", NULL, "backslash in the host"},
    {"https://h#@evil.example/", NULL, "fragment"},
    {"https://h;evil.example/", NULL, "';'"},
    {"https://h,evil.example/", NULL, "','"},
    {"https://h%2eexample/", NULL, "'%'"},
    {"https://%68/", NULL, "'%'"},
    {"https://h%00.evil/", NULL, "'%'"},
    {"https://h evil/", NULL, "\\x20"},
    {"https://h\t/", NULL, "\\x09"},
    {"https://h\r\nHost:x/", NULL, "port"},
    {"https://h../", NULL, "empty label"},
    {"https://.h/", NULL, "empty label"},
    {"https://./", NULL, "empty"},
    {"https://*/", NULL, "'*'"},
    {"https://\xff/", NULL, "not UTF-8"},
    /* ports */
    {"https://h:/", NULL, "port is empty"},
    {"https://[::1]:/", NULL, "port is empty"},
    {"https://h:0/", NULL, "1 to 65535"},
    {"https://h:65536/", NULL, "1 to 65535"},
    {"https://h:99999999999999999999/", NULL, "1 to 65535"},
    {"https://h:0443/", NULL, "leading zero"},
    {"https://h:+443/", NULL, "decimal"},
    {"https://h:-1/", NULL, "decimal"},
    {"https://h:44a/", NULL, "decimal"},
    {"https://h: 443/", NULL, "decimal"},
    {"https://h:443:443/", NULL, "more than one ':'"},
    {"https://::1/", NULL, "more than one ':'"},
    /* IPv4 in one spelling */
    {"https://01.2.3.4/", NULL, "octal"},
    {"https://0x7f.0.0.1/", NULL, "octal"},
    {"https://0x7f000001/", NULL, "octal"},
    {"https://2130706433/", NULL, "octal"},
    {"https://127.1/", NULL, "octal"},
    {"https://127.0.0.1.1/", NULL, "octal"},
    {"https://127.0.0.256/", NULL, "octal"},
    {"https://127.0.0.1./", NULL, "octal"},
    {"https://h.1/", NULL, "octal"},
    {"https://1.2.3.0x4/", NULL, "octal"},
    {"https://\xef\xbc\x91.2.3.\xef\xbc\x94/", NULL,
     "number"}, /* full-width digits: last is not ASCII */
    /* IPv6 */
    {"https://[::1/", NULL, "without ']'"},
    {"https://::1]/", NULL, "more than one ':'"},
    {"https://[::1]x/", NULL, "may follow"},
    {"https://[::1]443/", NULL, "may follow"},
    {"https://[::1%25eth0]/", NULL, "zone id"},
    {"https://[fe80::1%eth0]/", NULL, "zone id"},
    {"https://[1.2.3.4]/", NULL, "not an IPv6 address"},
    {"https://[v1.x]/", NULL, "not an IPv6 address"},
    {"https://[h]/", NULL, "not an IPv6 address"},
    {"https://[::1::]/", NULL, "not an IPv6 address"},
    {"https://[:::]/", NULL, "not an IPv6 address"},
    {"https://[12345::]/", NULL, "not an IPv6 address"},
    {"https://[::ffff:1.2.3.04]/", NULL, "not an IPv6 address"},
    {"https://[[::1]]/", NULL, "may follow"},
    {"https://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/", NULL, "not an IPv6 address"},
};

static const struct url_case targets[] = {
    {"/", "/", NULL},
    {"/a/b", "/a/b", NULL},
    {"/A", "/A", NULL}, /* the path's case counts */
    /* empty segments stay */
    {"//", "//", NULL},
    {"//a", "//a", NULL},
    {"/a//b", "/a//b", NULL},
    {"/a///", "/a///", NULL},
    /* dot segments */
    {"/.", "/", NULL},
    {"/./", "/", NULL},
    {"/..", "/", NULL},
    {"/../", "/", NULL},
    {"/a/.", "/a/", NULL},
    {"/a/./b", "/a/b", NULL},
    {"/a/..", "/", NULL},
    {"/a/../b", "/b", NULL},
    {"/a/b/..", "/a/", NULL},
    {"/a/b/../../c", "/c", NULL},
    {"/../../../etc", "/etc", NULL},
    {"/a//../b", "/a/b", NULL},
    {"/a/..//b", "//b", NULL},
    {"//..", "/", NULL},
    {"/a/%2e%2E/b", "/b", NULL},
    {"/a/.%2e/b", "/b", NULL},
    {"/a/%2e/b", "/a/b", NULL},
    {"/a/%2e%2e", "/", NULL},
    {"/...", "/...", NULL},
    {"/.a/..b/c..", "/.a/..b/c..", NULL},
    {"/%252e%252e/", "/%252e%252e/", NULL}, /* decoded once, never twice */
    {"/a/../b?x=/../y", "/b?x=/../y", NULL},
    /* percent-encodings */
    {"/%61%7e%2D%5f", "/a~-_", NULL},
    {"/%3a%3A%2b", "/%3A%3A%2B", NULL},
    {"/%c3%bc", "/%C3%BC", NULL},
    {"/\xc3\xbc", "/%C3%BC", NULL},
    {"/%25", "/%25", NULL},
    {"/%2525", "/%2525", NULL},
    {"/%0a", "/%0A", NULL},
    {"/\"<>^`{|}[]", "/%22%3C%3E%5E%60%7B%7C%7D%5B%5D", NULL},
    {"/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~", NULL},
    {"/a;b=c/d", "/a;b=c/d", NULL},
    {"/%20", "/%20", NULL},
    {"/%", NULL, "two hex digits"},
    {"/%a", NULL, "two hex digits"},
    {"/%g0", NULL, "two hex digits"},
    {"/%0g", NULL, "two hex digits"},
    {"/%%20", NULL, "two hex digits"},
    {"/%2/", NULL, "two hex digits"},
    {"/%u0041", NULL, "two hex digits"},
    /* the encoded slash */
    {"/@scope%2fname", "/@scope%2Fname", NULL},
    {"/@scope%2Fname/x", "/@scope%2Fname/x", NULL},
    {"/a%2Fb%2Fc", "/a%2Fb%2Fc", NULL},
    {"/a%2F.b", "/a%2F.b", NULL},
    {"/a%2F...", "/a%2F...", NULL},
    {"/a%252Fb", "/a%252Fb", NULL},
    {"/%2F", NULL, "empty segment"},
    {"/%2Fa", NULL, "empty segment"},
    {"/a%2F", NULL, "empty segment"},
    {"/a%2F/b", NULL, "empty segment"},
    {"/a/%2Fb", NULL, "empty segment"},
    {"/a%2F%2Fb", NULL, "empty segment"},
    {"/a%2F?x", NULL, "empty segment"},
    {"/..%2Fb", NULL, "dot segment"},
    {"/a%2F..", NULL, "dot segment"},
    {"/a%2f..%2fb", NULL, "dot segment"},
    {"/a%2F%2e%2E/b", NULL, "dot segment"},
    {"/a%2F.", NULL, "dot segment"},
    {"/.%2Fa", NULL, "dot segment"},
    {"/a%2F../../b", NULL, "dot segment"}, /* refused before it could be removed */
    {"/%2e%2e%2f", NULL, "dot segment"},
    /* a dot segment with a parameter */
    {"/a/..;/b", NULL, "parameter"},
    {"/a/..;x=y/b", NULL, "parameter"},
    {"/a/.;/b", NULL, "parameter"},
    {"/a/%2e%2e;/b", NULL, "parameter"},
    {"/a/..%3b/b", NULL, "parameter"},
    {"/a%2F..;x", NULL, "parameter"},
    {"/a/..;", NULL, "parameter"},
    {"/a/...;/b", "/a/...;/b", NULL},
    {"/a;../b", "/a;../b", NULL},
    /* backslash, NUL, controls */
    {"/a\\b", NULL, "backslash"},
    {"/a%5cb", NULL, "backslash"},
    {"/a%5Cb", NULL, "backslash"},
    {"/..\\b", NULL, "backslash"},
    {"/a%00", NULL, "NUL"},
    {"/a%00?b", NULL, "NUL"},
    {"/a b", NULL, "space"},
    {"/a ", NULL, "space"},
    {"/a\tb", NULL, "control character (\\x09)"},
    {"/a\nb", NULL, "control character (\\x0a)"},
    {"/a\r\nb", NULL, "control character (\\x0d)"},
    {"/a\x7f", NULL, "control character (\\x7f)"},
    {"/a\x1b[0m", NULL, "control character (\\x1b)"},
    {"/#", NULL, "fragment"},
    {"/a#b", NULL, "fragment"},
    {"/a?b#c", NULL, "fragment"},
    {"/a%23b", "/a%23b", NULL},
    /* the query */
    {"/?", "/?", NULL},
    {"/a?", "/a?", NULL},
    {"/a?b?c", "/a?b?c", NULL},
    {"/a?x=%2F%2f%61", "/a?x=%2F%2Fa", NULL},
    {"/a?x=%5c%00", "/a?x=%5C%00", NULL},
    {"/a?x=\\", "/a?x=%5C", NULL},
    {"/a?x[]={\"|\"}", "/a?x%5B%5D=%7B%22%7C%22%7D", NULL},
    {"/a?x=https://h/../b", "/a?x=https://h/../b", NULL},
    {"/a?\xc3\xbc+y&z", "/a?%C3%BC+y&z", NULL},
    {"/a?%3f", "/a?%3F", NULL},
    {"/a%3fb", "/a%3Fb", NULL},
    {"/a?b c", NULL, "space"},
    {"/a?b\n", NULL, "control"},
    {"/a?%zz", NULL, "two hex digits"},
    {"/a?%", NULL, "two hex digits"},
    /* other forms of a target */
    {"", NULL, "does not begin with '/'"},
    {"*", NULL, "does not begin with '/'"},
    {"a", NULL, "does not begin with '/'"},
    {"?a", NULL, "does not begin with '/'"},
    {"http://h/", NULL, "does not begin with '/'"},
};

static void check_url(const struct url_case *c)
{
    static struct url u, again;
    static char text[URL_TEXT_SIZE], text_again[URL_TEXT_SIZE];
    struct error e = {""};
    int r = url_parse(c->in, strlen(c->in), &u, &e);

    if (!c->out) {
        if (r != -EINVAL || !strstr(e.text, c->why))
            fail_msg("%s: %d, %s instead of %s", c->in, r, e.text, c->why);
        return;
    }
    if (r != 0)
        fail_msg("%s: %s", c->in, e.text);
    assert_int_equal(url_format(&u, text, sizeof(text)), strlen(c->out));
    assert_string_equal(text, c->out);
    assert_int_equal(u.target_len, strlen(u.target));
    assert_int_equal(url_parse(text, strlen(text), &again, &e), 0);
    assert_int_equal(url_format(&again, text_again, sizeof(text_again)), strlen(text));
    assert_string_equal(text_again, text);
    assert_true(url_authority_equal(&u.authority, &again.authority));
}

static void test_authorities(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(authorities); i++)
        check_url(&authorities[i]);
}

static void check_target(const struct url_case *c)
{
    static struct url u;
    struct error e = {""};
    int r = url_parse_target(c->in, strlen(c->in), &u, &e);

    if (!c->out) {
        if (r != -EINVAL || !strstr(e.text, c->why))
            fail_msg("%s: %d, %s instead of %s", c->in, r, e.text, c->why);
        assert_int_equal(u.target_len, 0); /* nothing half done is left */
        assert_string_equal(u.target, "");
        return;
    }
    if (r != 0)
        fail_msg("%s: %s", c->in, e.text);
    assert_string_equal(u.target, c->out);
    assert_int_equal(u.target_len, strlen(c->out));
}

static void test_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++)
        check_target(&targets[i]);
}

/* The same as a part of a URL. */
static void test_targets_in_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        cleanup_free char *in = xasprintf("https://h%s", targets[i].in);
        cleanup_free char *out = xasprintf("https://h%s", targets[i].out ? targets[i].out : "");
        struct url_case c = {in, targets[i].out ? out : NULL, targets[i].why};

        if (targets[i].in[0] == '/')
            check_url(&c);
    }
}

static void test_nul(void **state)
{
    struct url u;
    struct error e;

    (void)state;
    assert_int_equal(url_parse_target("/a\0b", 4, &u, &e), -EINVAL);
    assert_non_null(strstr(e.text, "\\x00"));
    assert_int_equal(url_parse_target("/a?\0", 4, &u, &e), -EINVAL);
    assert_int_equal(url_parse("https://h\0.evil/", 16, &u, &e), -EINVAL);
    assert_int_equal(url_parse("https://1.2.3.4\0/", 17, &u, &e), -EINVAL);
    assert_int_equal(url_parse("https://1.2.3.4\0.5/", 19, &u, &e), -EINVAL);
    assert_int_equal(url_parse("https://[::1\0]/", 15, &u, &e), -EINVAL);
    assert_int_equal(url_parse("https://h:44\0/", 14, &u, &e), -EINVAL);
    assert_int_equal(url_parse("https://h/", 10, &u, &e), 0);
    assert_int_equal(url_parse_target("/abc", 2, &u, &e), 0); /* len counts, not a NUL */
    assert_string_equal(u.target, "/a");
}

/* url_parse_target() touches the target alone, and url_parse() fills all. */
static void test_fields(void **state)
{
    struct url u;

    (void)state;
    assert_int_equal(url_parse("http://H:8080/a", 15, &u, NULL), 0);
    assert_int_equal(u.scheme, URL_HTTP);
    assert_int_equal(u.authority.kind, URL_HOST_NAME);
    assert_int_equal(u.authority.port, 8080);
    assert_string_equal(u.authority.host, "h");
    assert_int_equal(url_parse_target("/b?c", 4, &u, NULL), 0);
    assert_int_equal(u.scheme, URL_HTTP);
    assert_int_equal(u.authority.port, 8080);
    assert_string_equal(u.authority.host, "h");
    assert_string_equal(u.target, "/b?c");
    assert_int_equal(url_parse("https://[::1]", 13, &u, NULL), 0);
    assert_int_equal(u.scheme, URL_HTTPS);
    assert_int_equal(u.authority.kind, URL_HOST_IPV6);
    assert_int_equal(u.authority.port, 443);
    assert_string_equal(u.authority.host, "::1");
    assert_int_equal(url_parse("https://1.2.3.4", 15, &u, NULL), 0);
    assert_int_equal(u.authority.kind, URL_HOST_IPV4);
}

static void test_bounds(void **state)
{
    static char text[URL_TEXT_SIZE + 100];
    static struct url u;
    struct error e;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[0] = '/';
    assert_int_equal(url_parse_target(text, URL_TARGET_MAX, &u, &e), 0);
    assert_int_equal(u.target_len, URL_TARGET_MAX);
    assert_int_equal(url_parse_target(text, URL_TARGET_MAX + 1, &u, &e), -ENAMETOOLONG);
    text[100] = '"'; /* is three bytes in canonical form */
    assert_int_equal(url_parse_target(text, URL_TARGET_MAX, &u, &e), -ENAMETOOLONG);
    assert_int_equal(url_parse_target(text, URL_TARGET_MAX - 2, &u, &e), 0);
    assert_int_equal(u.target_len, URL_TARGET_MAX);
    text[100] = '?';
    assert_int_equal(url_parse_target(text, URL_TARGET_MAX, &u, &e), 0);
    text[URL_TARGET_MAX - 1] = '{';
    assert_int_equal(url_parse_target(text, URL_TARGET_MAX, &u, &e), -ENAMETOOLONG);
    text[100] = '{';
    text[URL_TARGET_MAX - 1] = '?';
    assert_int_equal(url_parse_target(text, URL_TARGET_MAX, &u, &e), -ENAMETOOLONG);
    memcpy(text, "https://h/", 10);
    text[100] = 'a';
    assert_int_equal(url_parse(text, URL_TARGET_MAX, &u, &e), 0);
    assert_int_equal(url_parse(text, URL_TEXT_SIZE - 1, &u, &e), -ENAMETOOLONG);
    assert_int_equal(url_parse(text, sizeof(text), &u, &e), -ENAMETOOLONG);
}

static const struct {
    const char *in;
    uint16_t default_port;
    const char *host; /* NULL: refused */
    uint16_t port;
    enum url_host_kind kind;
} authority_fields[] = {
    {"Example.com.", 80, "example.com", 80, URL_HOST_NAME},
    {"h:443", 0, "h", 443, URL_HOST_NAME},
    {"h", 0, NULL, 0, 0},
    {"[::1]", 0, NULL, 0, 0},
    {"[::1]", 443, "::1", 443, URL_HOST_IPV6},
    {"[::0:1]:80", 0, "::1", 80, URL_HOST_IPV6},
    {"1.2.3.4", 80, "1.2.3.4", 80, URL_HOST_IPV4},
    {"1.2.3.4:81", 80, "1.2.3.4", 81, URL_HOST_IPV4},
    {"", 80, NULL, 0, 0},
    {":80", 80, NULL, 0, 0},
    {"h:", 80, NULL, 0, 0},
    {"u@h", 80, NULL, 0, 0},
    {"h/", 80, NULL, 0, 0},
    {"h/a:80", 0, NULL, 0, 0},
    {"http://h", 80, NULL, 0, 0},
    {"h?x", 80, NULL, 0, 0},
    {"h ", 80, NULL, 0, 0},
    {" h", 80, NULL, 0, 0},
    {"h:80 ", 80, NULL, 0, 0},
    {"h, h", 80, NULL, 0, 0},
    {"h:80,h:80", 80, NULL, 0, 0},
};

static void test_parse_authority(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(authority_fields); i++) {
        const char *in = authority_fields[i].in;
        struct url_authority a;
        struct error e = {""};
        int r = url_parse_authority(in, strlen(in), authority_fields[i].default_port, &a, &e);

        if (!authority_fields[i].host) {
            if (r != -EINVAL || e.text[0] == '\0')
                fail_msg("%s: %d", in, r);
            continue;
        }
        if (r != 0)
            fail_msg("%s: %s", in, e.text);
        assert_string_equal(a.host, authority_fields[i].host);
        assert_int_equal(a.port, authority_fields[i].port);
        assert_int_equal(a.kind, authority_fields[i].kind);
    }
}

static void test_authority_equal(void **state)
{
    struct url_authority a, b;

    (void)state;
    assert_int_equal(url_parse_authority("h", 1, 80, &a, NULL), 0);
    assert_int_equal(url_parse_authority("H.:80", 5, 443, &b, NULL), 0);
    assert_true(url_authority_equal(&a, &b));
    assert_int_equal(url_parse_authority("h:81", 4, 80, &b, NULL), 0);
    assert_false(url_authority_equal(&a, &b));
    assert_int_equal(url_parse_authority("i", 1, 80, &b, NULL), 0);
    assert_false(url_authority_equal(&a, &b));
    assert_int_equal(url_parse_authority("1.2.3.4", 7, 80, &a, NULL), 0);
    assert_int_equal(url_parse_authority("[::ffff:1.2.3.4]", 16, 80, &b, NULL), 0);
    assert_false(url_authority_equal(&a, &b));
    assert_int_equal(url_parse_authority("1.2.3.4:80", 10, 443, &b, NULL), 0);
    assert_true(url_authority_equal(&a, &b));
}

static void test_format(void **state)
{
    struct url u;
    char buf[64];

    (void)state;
    assert_string_equal(url_scheme_name(URL_HTTP), "http");
    assert_string_equal(url_scheme_name(URL_HTTPS), "https");
    assert_int_equal(url_default_port(URL_HTTP), 80);
    assert_int_equal(url_default_port(URL_HTTPS), 443);
    assert_int_equal(url_parse("https://[::1]:80/a", 18, &u, NULL), 0);
    assert_int_equal(url_format_host(&u.authority, URL_HTTPS, buf, sizeof(buf)), 8);
    assert_string_equal(buf, "[::1]:80");
    assert_int_equal(url_format_host(&u.authority, URL_HTTP, buf, sizeof(buf)), 5);
    assert_string_equal(buf, "[::1]");
    assert_int_equal(url_format_host(&u.authority, URL_HTTPS, buf, 9), 8); /* just enough */
    assert_int_equal(url_format_host(&u.authority, URL_HTTPS, buf, 8), -ENOSPC);
    assert_int_equal(url_format(&u, buf, 19), 18);
    assert_string_equal(buf, "https://[::1]:80/a");
    assert_int_equal(url_format(&u, buf, 18), -ENOSPC);
    assert_int_equal(url_format(&u, buf, 0), -ENOSPC);
}

/* The longest of everything fits a buffer of URL_TEXT_SIZE. */
static void test_format_longest(void **state)
{
    static struct url u;
    static char buf[URL_TEXT_SIZE];

    (void)state;
    u.scheme = URL_HTTPS;
    u.authority.kind = URL_HOST_NAME;
    u.authority.port = 65535;
    memset(u.authority.host, 'h', NAME_MAX_LEN);
    memset(u.target, 'a', URL_TARGET_MAX);
    u.target_len = URL_TARGET_MAX;
    assert_int_equal(url_format(&u, buf, sizeof(buf)), 8 + NAME_MAX_LEN + 6 + URL_TARGET_MAX);
}

static void test_decoded_slashes(void **state)
{
    static const char *const cases[][2] = {
        {"/@scope%2fname", "/@scope/name"},
        {"/a%2Fb%2Fc/d?x=%2F", "/a/b/c/d?x=%2F"},
        {"/a/b%2Fc", "/a/b/c"},
        {"/a/b", NULL},
        {"/a?x=%2F", NULL},
        {"/a%252Fb", NULL},
    };
    static struct url u;
    static char buf[URL_TARGET_MAX + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(url_parse_target(cases[i][0], strlen(cases[i][0]), &u, NULL), 0);
        assert_int_equal(url_decoded_slashes(&u, buf), cases[i][1] != NULL);
        if (cases[i][1])
            assert_string_equal(buf, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authorities),     cmocka_unit_test(test_targets),
        cmocka_unit_test(test_targets_in_urls), cmocka_unit_test(test_nul),
        cmocka_unit_test(test_fields),          cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_parse_authority), cmocka_unit_test(test_authority_equal),
        cmocka_unit_test(test_format),          cmocka_unit_test(test_format_longest),
        cmocka_unit_test(test_decoded_slashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
