/* test_policy_words.c: one word of the endpoint language at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/policy.h"
#include "src/util.h"
#include "tests/unit/policy_words.h"

static void parse(const char *word, struct endpoint *ep)
{
    struct error e = {""};

    if (policy_parse_word(word, strlen(word), ep, &e) != 0)
        fail_msg("%s: %s", word, e.text);
    assert_string_equal(ep->word, word);
}

void test_words_url(void **state)
{
    static const struct {
        const char *word;
        enum url_scheme scheme;
        enum url_host_kind kind;
        const char *host;
        uint16_t port;
        const char *prefix;
    } cases[] = {
        {"https://h", URL_HTTPS, URL_HOST_NAME, "h", 443, "/"},
        {"http://h", URL_HTTP, URL_HOST_NAME, "h", 80, "/"},
        {"HTTPS://Registry.Example.:8443/Lib", URL_HTTPS, URL_HOST_NAME, "registry.example", 8443,
         "/Lib"},
        {"https://h/a/", URL_HTTPS, URL_HOST_NAME, "h", 443, "/a/"},
        {"https://h/a/../b", URL_HTTPS, URL_HOST_NAME, "h", 443, "/b"},
        {"https://h/a/./b/%2e%2e/c/", URL_HTTPS, URL_HOST_NAME, "h", 443, "/a/c/"},
        {"https://h/%61%2d%c3%bc", URL_HTTPS, URL_HOST_NAME, "h", 443, "/a-%C3%BC"},
        {"https://h//a", URL_HTTPS, URL_HOST_NAME, "h", 443, "//a"},
        {"https://h/a?b=c", URL_HTTPS, URL_HOST_NAME, "h", 443, "/a?b=c"},
        {"https://h?b", URL_HTTPS, URL_HOST_NAME, "h", 443, "/?b"},
        {"https://h/a/..?b", URL_HTTPS, URL_HOST_NAME, "h", 443, "/?b"},
        {"https://h/.well", URL_HTTPS, URL_HOST_NAME, "h", 443, "/.well"},
        {"https://h/a..", URL_HTTPS, URL_HOST_NAME, "h", 443, "/a.."},
        {"https://h/*", URL_HTTPS, URL_HOST_NAME, "h", 443, "/*"}, /* literal in a path */
        {"https://*.Staex.io/", URL_HTTPS, URL_HOST_NAME, "*.staex.io", 443, "/"},
        {"https://*:8443/", URL_HTTPS, URL_HOST_NAME, "*", 8443, "/"},
        {"https://*.b\xc3\xbc"
         "cher.example",
         URL_HTTPS, URL_HOST_NAME, "*.xn--bcher-kva.example", 443, "/"},
        {"https://h/@scope%2fname", URL_HTTPS, URL_HOST_NAME, "h", 443, "/@scope%2Fname"},
        {"https://h/@scope%2f", URL_HTTPS, URL_HOST_NAME, "h", 443, "/@scope%2F"},
        {"https://h/a/../@scope%2F", URL_HTTPS, URL_HOST_NAME, "h", 443, "/@scope%2F"},
        {"https://1.2.3.4/", URL_HTTPS, URL_HOST_IPV4, "1.2.3.4", 443, "/"},
        {"http://[2001:DB8::0]:81/x", URL_HTTP, URL_HOST_IPV6, "2001:db8::", 81, "/x"},
        {"http://[::ffff:1.2.3.4]/", URL_HTTP, URL_HOST_IPV6, "::ffff:1.2.3.4", 80, "/"},
        {"https://h/go?u=http://x/", URL_HTTPS, URL_HOST_NAME, "h", 443, "/go?u=http://x/"},
        {"https://h/http://x/", URL_HTTPS, URL_HOST_NAME, "h", 443, "/http://x/"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct endpoint ep;

        parse(cases[i].word, &ep);
        assert_int_equal(ep.kind, ENDPOINT_URL);
        assert_int_equal(ep.scheme, cases[i].scheme);
        assert_int_equal(ep.host_kind, cases[i].kind);
        assert_string_equal(ep.host, cases[i].host);
        assert_int_equal(ep.port, cases[i].port);
        assert_string_equal(ep.prefix, cases[i].prefix);
        assert_int_equal(ep.method_count, 0);
        policy_free_endpoint(&ep);
        assert_null(ep.word);
    }
}

void test_words_methods(void **state)
{
    struct endpoint ep;

    (void)state;
    parse("GET:https://h/a", &ep);
    assert_int_equal(ep.method_count, 1);
    assert_string_equal(ep.methods[0], "GET");
    assert_string_equal(ep.prefix, "/a");
    policy_free_endpoint(&ep);
    parse("GET,HEAD,M-SEARCH:http://*.h:81/", &ep);
    assert_int_equal(ep.method_count, 3);
    assert_string_equal(ep.methods[1], "HEAD");
    assert_string_equal(ep.methods[2], "M-SEARCH");
    assert_int_equal(ep.scheme, URL_HTTP);
    assert_string_equal(ep.host, "*.h");
    assert_int_equal(ep.port, 81);
    policy_free_endpoint(&ep);
    parse("A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P:https://h/", &ep); /* as many as allowed */
    assert_int_equal(ep.method_count, POLICY_METHODS_MAX);
    assert_string_equal(ep.methods[15], "P");
    policy_free_endpoint(&ep);
    parse("ABCDEFGHIJKLMNOPQRSTUVW:https://h/", &ep); /* as long as allowed */
    assert_int_equal(strlen(ep.methods[0]), POLICY_METHOD_SIZE - 1);
    policy_free_endpoint(&ep);
}

void test_words_name(void **state)
{
    static const struct {
        const char *word, *host;
        uint16_t port; /* 0: NAME alone */
    } cases[] = {
        {"staex.io", "staex.io", 0},
        {"Staex.IO.", "staex.io", 0},
        {"*.staex.io", "*.staex.io", 0},
        {"*", "*", 0},
        {"localhost", "localhost", 0},
        {"_dmarc.example", "_dmarc.example", 0},
        {"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example", 0},
        {"http", "http", 0},
        {"https", "https", 0},
        {"netlink", "netlink", 0},
        {"a.b.1.c", "a.b.1.c", 0},
        {"github.com:22", "github.com", 22},
        {"GitHub.com.:22", "github.com", 22},
        {"*:65535", "*", 65535},
        {"*.x:1", "*.x", 1},
        {"localhost:5432", "localhost", 5432},
        {"http:80", "http", 80},
        {"b\xc3\xbc"
         "cher.example:443",
         "xn--bcher-kva.example", 443},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct endpoint ep;

        parse(cases[i].word, &ep);
        assert_int_equal(ep.kind, cases[i].port ? ENDPOINT_NAME_PORT : ENDPOINT_NAME);
        assert_int_equal(ep.host_kind, URL_HOST_NAME);
        assert_string_equal(ep.host, cases[i].host);
        assert_int_equal(ep.port, cases[i].port);
        policy_free_endpoint(&ep);
    }
}

void test_words_address(void **state)
{
    static const struct {
        const char *word;
        int family;
        const char *address;
        unsigned prefix_len;
        uint16_t port;
    } cases[] = {
        {"1.1.1.1:53", AF_INET, "1.1.1.1", 32, 53},
        {"127.0.0.1:5432", AF_INET, "127.0.0.1", 32, 5432},
        {"10.0.0.0/8:443", AF_INET, "10.0.0.0", 8, 443},
        {"192.0.2.128/25:443", AF_INET, "192.0.2.128", 25, 443},
        {"192.0.2.1/32:443", AF_INET, "192.0.2.1", 32, 443},
        {"0.0.0.0/0:443", AF_INET, "0.0.0.0", 0, 443},
        {"[::1]:80", AF_INET6, "::1", 128, 80},
        {"[2001:DB8:0::1]:65535", AF_INET6, "2001:db8::1", 128, 65535},
        {"[2001:db8::/32]:443", AF_INET6, "2001:db8::", 32, 443},
        {"[2001:db8::]/32:443", AF_INET6, "2001:db8::", 32, 443},
        {"[2001:db8:8000::/33]:443", AF_INET6, "2001:db8:8000::", 33, 443},
        {"[::]/0:443", AF_INET6, "::", 0, 443},
        {"[::1/128]:443", AF_INET6, "::1", 128, 443},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[INET6_ADDRSTRLEN];
        struct endpoint ep;

        parse(cases[i].word, &ep);
        assert_int_equal(ep.kind, ENDPOINT_ADDRESS);
        assert_int_equal(ep.family, cases[i].family);
        assert_non_null(inet_ntop(ep.family, &ep.address, text, sizeof(text)));
        assert_string_equal(text, cases[i].address);
        assert_int_equal(ep.prefix_len, cases[i].prefix_len);
        assert_int_equal(ep.port, cases[i].port);
        policy_free_endpoint(&ep);
    }
}

void test_words_unix(void **state)
{
    static const struct {
        const char *word;
        enum endpoint_kind kind;
        const char *path;
    } cases[] = {
        {"/run/docker.sock", ENDPOINT_UNIX, "/run/docker.sock"},
        {"/s", ENDPOINT_UNIX, "/s"},
        {"/tmp/.X11-unix/X0", ENDPOINT_UNIX, "/tmp/.X11-unix/X0"},
        {"/a/..b/c.../...", ENDPOINT_UNIX, "/a/..b/c.../..."},
        {"/tmp/\xc3\xbc:80#1", ENDPOINT_UNIX, "/tmp/\xc3\xbc:80#1"},
        {"/a://b", ENDPOINT_UNIX, NULL}, /* an empty component, not a URL */
        {"@abstract", ENDPOINT_ABSTRACT, "abstract"},
        {"@/tmp/.X11-unix/X0", ENDPOINT_ABSTRACT, "/tmp/.X11-unix/X0"},
        {"@a/../b/", ENDPOINT_ABSTRACT, "a/../b/"}, /* a name, not a path */
        {"@@", ENDPOINT_ABSTRACT, "@"},
        {"[netlink]", ENDPOINT_NETLINK, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct endpoint ep;

        if (cases[i].kind == ENDPOINT_UNIX && !cases[i].path) {
            assert_int_equal(policy_parse_word(cases[i].word, strlen(cases[i].word), &ep, NULL),
                             -EINVAL);
            continue;
        }
        parse(cases[i].word, &ep);
        assert_int_equal(ep.kind, cases[i].kind);
        if (cases[i].path)
            assert_string_equal(ep.path, cases[i].path);
        else
            assert_null(ep.path);
        policy_free_endpoint(&ep);
    }
}

#define FORM_URL "; expected [METHOD,...:]https://HOST[:PORT]/PREFIX"
#define FORM_UNIX "; expected /path/to/socket"
#define FORM_ABSTRACT "; expected @abstract"
#define FORM_IPV6 "; expected [ADDRESS6]:PORT"
#define FORM_ANY "; expected a URL (https://HOST[:PORT]/PREFIX), NAME, NAME!private, NAME:PORT"

static const struct {
    const char *word, *why, *expected;
} refused[] = {
    /* URLs: scheme and methods */
    {"http:/x", "'://' after its scheme", FORM_URL},
    {"https:/x", "'://' after its scheme", FORM_URL},
    {"https//x", "'://' after its scheme", FORM_URL},
    {"HTTP//x", "'://' after its scheme", FORM_URL},
    {"GET:https:/x", "'://' after its scheme", FORM_URL},
    {"://h/", "no scheme", FORM_URL},
    {"GET:://h/", "no scheme", FORM_URL},
    {"ftp://h/", "only http and https URLs; for other protocols write NAME:PORT", FORM_URL},
    {"git+ssh://h/", "only http and https URLs", FORM_URL},
    {"GET:ftp://h/", "only http and https URLs", FORM_URL},
    {"GET.https://h/", "only http and https URLs", FORM_URL},
    {"htttps://h/", "only http and https URLs", FORM_URL},
    {"s://h/", "only http and https URLs", FORM_URL},
    {"get:https://h/", "upper case", FORM_URL},
    {"GET,Head:https://h/", "upper case", FORM_URL},
    {":https://h/", "list of methods is empty", FORM_URL},
    {"GET,:https://h/", "has an empty one", FORM_URL},
    {",GET:https://h/", "has an empty one", FORM_URL},
    {"GET,,PUT:https://h/", "has an empty one", FORM_URL},
    {"GET,https://h/", "ends in ':'", FORM_URL},
    {"*:https://h/", "'*' is no method", FORM_URL},
    {"GET:PUT:https://h/", "not a list of methods", FORM_URL},
    {"GET/PUT:https://h/", "not a list of methods", FORM_URL},
    {"\"https://h/\"", "only a list of methods may stand before", FORM_URL},
    {"<https://h/>", "only a list of methods may stand before", FORM_URL},
    {"ABCDEFGHIJKLMNOPQRSTUVWX:https://h/", "longer than 23", FORM_URL},
    {"A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q:https://h/", "more than 16 methods", FORM_URL},
    /* URLs: host */
    {"https://", "host is empty", FORM_URL},
    {"https:///x", "host is empty", FORM_URL},
    {"https://u:p@h/", "userinfo", FORM_URL},
    {"https://*@h/", "userinfo", FORM_URL},
    {"https://h:0/", "1 to 65535", FORM_URL},
    {"https://h:65536/", "1 to 65535", FORM_URL},
    {"https://h:/", "port is empty", FORM_URL},
    {"https://h:*/", "decimal", FORM_URL},
    {"https://*:0443/", "leading zero", FORM_URL},
    {"https://h\\x/", "backslash", FORM_URL},
    {"https://::1/", "needs brackets", FORM_URL},
    {"https://[::1/", "without ']'", FORM_URL},
    {"https://[*]/", "not an IPv6 address", FORM_URL},
    {"https://[::1%eth0]/", "zone id", FORM_URL},
    {"https://[2001:db8::/32]/", "without ']'", FORM_URL}, /* the '/' ends the authority */
    {"https://127.1/", "octal", FORM_URL},
    {"https://0177.0.0.1/", "octal", FORM_URL},
    {"https://*.1/", "number", FORM_URL},
    {"https://a..b/", "empty label", FORM_URL},
    {"https://*..b/", "empty label", FORM_URL},
    {"https://h,i/", "','", FORM_URL},
    /* URLs: path */
    {"https://h/a#b", "fragment", FORM_URL},
    {"https://h#b", "fragment", FORM_URL},
    {"https://h/a\\b", "backslash", FORM_URL},
    {"https://h/%5c", "backslash", FORM_URL},
    {"https://h/%00", "NUL", FORM_URL},
    {"https://h/%", "two hex digits", FORM_URL},
    {"https://h/a%2", "two hex digits", FORM_URL},
    {"https://h/%zz", "two hex digits", FORM_URL},
    {"https://h/.", "ends in a dot segment", FORM_URL},
    {"https://h/..", "ends in a dot segment", FORM_URL},
    {"https://h/a/.", "ends in a dot segment", FORM_URL},
    {"https://h/a/b/%2e%2E", "ends in a dot segment", FORM_URL},
    {"https://h/a/..;/b", "parameter", FORM_URL},
    {"https://h/%2F", "empty segment", FORM_URL},
    {"https://h/a%2F?b", "empty segment", FORM_URL},
    {"https://h/a%2F..", "dot segment", FORM_URL},
    {"https://h/..%2F", "dot segment", FORM_URL},
    /* names */
    {"example.com/path", "a path belongs to a URL", FORM_ANY},
    {"example.com:443/path", "a path belongs to a URL", FORM_ANY},
    {"GET:example.com/path", "a path belongs to a URL", FORM_ANY},
    {"a/b", "a path belongs to a URL", FORM_ANY},
    {"./sock", "a socket is named by its absolute path", FORM_ANY},
    {"../x.sock", "a socket is named by its absolute path", FORM_ANY},
    {"~/x.sock", "a socket is named by its absolute path", FORM_ANY},
    {"~user/x.sock", "a socket is named by its absolute path", FORM_ANY},
    {"a..b", "empty label", FORM_ANY},
    {".", "empty", FORM_ANY},
    {":80", "empty", FORM_ANY},
    {":", "empty", FORM_ANY},
    {"#c", "'#'", FORM_ANY},
    {"u@h:22", "'@'", FORM_ANY},
    {"a,b", "','", FORM_ANY},
    {"-e=x", "'='", FORM_ANY},
    {"GET,", "','", FORM_ANY},
    {"h:", "port is empty", FORM_ANY},
    {"h:0", "1 to 65535", FORM_ANY},
    {"h:65536", "1 to 65535", FORM_ANY},
    {"h:080", "leading zero", FORM_ANY},
    {"h:http", "decimal", FORM_ANY},
    {"h:*", "decimal", FORM_ANY},
    {"h:80-90", "decimal", FORM_ANY},
    {"h:80:90", "more than one ':'", FORM_ANY},
    {"*\xc3\xbc.example", "must otherwise be ASCII", FORM_ANY},
    {"\xff\xfd", "not UTF-8", FORM_ANY},
    {"\xef\xbb\xbf"
     "example.org:443",
     "begins with a byte order mark", "expected plain UTF-8"},
    {"netlink]", "']'", FORM_ANY},
    /* addresses */
    {"1.1.1.1", "an address needs a port", FORM_ANY},
    {"10.0.0.0/8", "an address needs a port", FORM_ANY},
    {"1.1.1.1:", "port is empty", FORM_ANY},
    {"1.1.1.1:0", "1 to 65535", FORM_ANY},
    {"1.1.1.1:65536", "1 to 65535", FORM_ANY},
    {"1.1.1.1:x", "decimal", FORM_ANY},
    {"1.1.1:53", "octal", FORM_ANY},
    {"1.1.1.01:53", "octal", FORM_ANY},
    {"0x1010101:53", "octal", FORM_ANY},
    {"1.1.1.256:53", "octal", FORM_ANY},
    {"443", "octal", FORM_ANY},
    {"h.1:53", "octal", FORM_ANY},
    {"10.0.0.0/33:443", "0 to 32", FORM_ANY},
    {"10.0.0.0/:443", "0 to 32", FORM_ANY},
    {"10.0.0.0/08:443", "0 to 32", FORM_ANY},
    {"10.0.0.0/-1:443", "0 to 32", FORM_ANY},
    {"10.0.0.0/8/8:443", "0 to 32", FORM_ANY},
    {"10.0.0.0/255.0.0.0:443", "0 to 32", FORM_ANY},
    {"10.0.0.0:443/8", "stands before its port", FORM_ANY},
    {"10.0.0.1/8:443", "bits beyond /8: the network is 10.0.0.0/8", FORM_ANY},
    {"192.0.2.129/25:443", "the network is 192.0.2.128/25", FORM_ANY},
    {"1.2.3.4/0:443", "the network is 0.0.0.0/0", FORM_ANY},
    {"::1", "stands in brackets", FORM_ANY},
    {"2001:db8::1:443", "stands in brackets", FORM_ANY},
    {"fe80::/10", "stands in brackets", FORM_ANY},
    {"[::1]", "an address needs a port", FORM_IPV6},
    {"[::1/128]", "an address needs a port", FORM_IPV6},
    {"[::1]/128", "an address needs a port", FORM_IPV6},
    {"[::1]:", "port is empty", FORM_IPV6},
    {"[::1]:0", "1 to 65535", FORM_IPV6},
    {"[::1]80", "may follow", FORM_IPV6},
    {"[::1]x:80", "may follow", FORM_IPV6},
    {"[::1:80", "without ']'", FORM_IPV6},
    {"[", "without ']'", FORM_IPV6},
    {"[]", "not an IPv6 address", FORM_IPV6},
    {"[]:80", "not an IPv6 address", FORM_IPV6},
    {"[1.1.1.1]:80", "not an IPv6 address", FORM_IPV6},
    {"[h]:80", "not an IPv6 address", FORM_IPV6},
    {"[Netlink]", "not an IPv6 address", FORM_IPV6},
    {"[netlink]:1", "not an IPv6 address", FORM_IPV6},
    {"[fe80::1%eth0]:80", "zone id", FORM_IPV6},
    {"[2001:db8::/129]:80", "0 to 128", FORM_IPV6},
    {"[2001:db8::/]:80", "0 to 128", FORM_IPV6},
    {"[2001:db8::]/:80", "0 to 128", FORM_IPV6},
    {"[2001:db8::/32]/32:80", "two prefix lengths", FORM_IPV6},
    {"[2001:db8::1/32]:80", "bits beyond /32: the network is [2001:db8::/32]", FORM_IPV6},
    {"[2001:db8::1]/32:80", "the network is [2001:db8::/32]", FORM_IPV6},
    {"[2001:db8:8000::/32]:80", "the network is [2001:db8::/32]", FORM_IPV6},
    /* unix sockets */
    {"/", "does not end in '/'", FORM_UNIX},
    {"/run/", "does not end in '/'", FORM_UNIX},
    {"//run/x", "empty component", FORM_UNIX},
    {"/run//x", "empty component", FORM_UNIX},
    {"/run/../x", "'.' or '..'", FORM_UNIX},
    {"/run/./x", "'.' or '..'", FORM_UNIX},
    {"/..", "'.' or '..'", FORM_UNIX},
    {"/run/.", "'.' or '..'", FORM_UNIX},
    {"@", "empty", FORM_ABSTRACT},
};

void test_words_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        static const struct endpoint none;
        struct endpoint ep;
        struct error e = {""};
        int r = policy_parse_word(refused[i].word, strlen(refused[i].word), &ep, &e);

        if (r != -EINVAL || !strstr(e.text, refused[i].why) || !strstr(e.text, refused[i].expected))
            fail_msg("%s: %d, %s instead of %s%s", refused[i].word, r, e.text, refused[i].why,
                     refused[i].expected);
        assert_memory_equal(&ep, &none, sizeof(ep)); /* nothing to free */
    }
}

void test_words_bytes(void **state)
{
    static const struct {
        const char *word;
        size_t len;
        const char *why;
    } cases[] = {
        {"", 0, "empty"},
        {"a\0b", 3, "NUL byte"},
        {"https://h/\0", 11, "NUL byte"},
        {"/run/x\0y", 8, "NUL byte"},
        {"@\0", 2, "NUL byte"},
        {"a b", 3, "white space"},
        {"/run/a b", 8, "white space"},
        {"a\nb", 3, "white space"},
        {"@\x1b[31m", 6, "control character"},
        {"/run/\x7f", 6, "control character"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct endpoint ep;
        struct error e = {""};

        assert_int_equal(policy_parse_word(cases[i].word, cases[i].len, &ep, &e), -EINVAL);
        if (!strstr(e.text, cases[i].why) || !strstr(e.text, "; expected "))
            fail_msg("%zu: %s", i, e.text);
    }
}

/* A word of that many bytes: start, then as many 'a'. */
static int parse_long(const char *start, size_t len, struct error *e)
{
    cleanup_free char *word = xmalloc(len + 1);
    struct endpoint ep;
    int r;

    memset(word, 'a', len);
    memcpy(word, start, strlen(start));
    r = policy_parse_word(word, len, &ep, e);
    policy_free_endpoint(&ep);
    return r;
}

void test_words_bounds(void **state)
{
    struct error e;

    (void)state;
    assert_int_equal(parse_long("https://h/", POLICY_WORD_MAX, &e), 0);
    assert_int_equal(parse_long("https://h/", POLICY_WORD_MAX + 1, &e), -EINVAL);
    assert_non_null(strstr(e.text, "longer than 4096 bytes"));
    assert_int_equal(parse_long("/", 107, &e), 0);
    assert_int_equal(parse_long("/", 108, &e), -EINVAL);
    assert_non_null(strstr(e.text, "longer than 107 bytes"));
    assert_int_equal(parse_long("@", 108, &e), 0);
    assert_int_equal(parse_long("@", 109, &e), -EINVAL);
    assert_non_null(strstr(e.text, "longer than 107 bytes"));
    assert_int_equal(parse_long("", 63, &e), 0);
    assert_int_equal(parse_long("", 64, &e), -EINVAL);
    assert_int_equal(parse_long("*", 63, &e), 0);
    assert_int_equal(parse_long("*", 64, &e), -EINVAL);
}
