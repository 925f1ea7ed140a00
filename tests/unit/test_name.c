/* test_name.c: canonical names, patterns, matching. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/name.h"
#include "src/search_list.h"
#include "src/util.h"

#define L63 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"
#define N253                                                                                       \
    L63 "." L63 "." L63 "."                                                                        \
        "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghija"

struct canon_case {
    const char *in;
    const char *out; /* NULL: refused, */
    const char *why; /* with these words */
};

static const struct canon_case names[] = {
    {"example.com", "example.com", NULL},
    {"Example.COM", "example.com", NULL},
    {"example.com.", "example.com", NULL},
    {"localhost", "localhost", NULL},
    {"a", "a", NULL},
    {"_dmarc.example.com", "_dmarc.example.com", NULL},
    {"_a-b_.x", "_a-b_.x", NULL},
    {"-a-.b", "-a-.b", NULL}, /* the DNS has such names */
    {"r3---sn-x.example", "r3---sn-x.example", NULL},
    {"3com.com", "3com.com", NULL},
    {"1.2.3.example", "1.2.3.example", NULL},
    {"4.3.2.1.in-addr.arpa", "4.3.2.1.in-addr.arpa", NULL},
    {"b\xc3\xbc"
     "cher.example",
     "xn--bcher-kva.example", NULL},
    {"B\xc3\x9c"
     "CHER.Example.",
     "xn--bcher-kva.example", NULL},
    {"bu\xcc\x88"
     "cher.example",
     "xn--bcher-kva.example", NULL},                    /* not yet composed: NFC */
    {"fa\xc3\x9f.example", "xn--fa-hia.example", NULL}, /* non-transitional: not fass */
    {"fass.example", "fass.example", NULL},
    {"xn--bcher-kva.example", "xn--bcher-kva.example", NULL},
    {"XN--BCHER-KVA.example", "xn--bcher-kva.example", NULL},
    {"xn--i-7iq.example", "xn--i-7iq.example", NULL}, /* an A-label passes as it is */
    {"_x.b\xc3\xbc"
     "cher.example",
     "_x.xn--bcher-kva.example", NULL},
    {"a\xe3\x80\x82"
     "b",
     "a.b", NULL}, /* ideographic full stop */
    {"b\xc3\xbc"
     "cher\xe3\x80\x82",
     "xn--bcher-kva", NULL},
    {"\xef\xbd\x85xample.com", "example.com", NULL}, /* full-width e */
    {"a\xc2\xad"
     "b.com",
     "ab.com", NULL}, /* soft hyphen: mapped to nothing */
    {L63 ".com", L63 ".com", NULL},
    {N253, N253, NULL},
    {N253 ".", N253, NULL},
    {"", NULL, "empty"},
    {".", NULL, "empty"},
    {"..", NULL, "empty label"},
    {"a..", NULL, "empty label"},
    {"a..b", NULL, "empty label"},
    {".a", NULL, "empty label"},
    {"b\xc3\xbc..a", NULL, "empty label"},
    {"\xc2\xad", NULL, "empty"},
    {L63 "d.com", NULL, "more than 63"},
    {N253 "b", NULL, "longer than 253"},
    {N253 "b.", NULL, "longer than 253"},
    {N253 N253 N253 N253 N253, NULL, "longer than 253"},
    {"\xc3\xbc." N253, NULL, "longer"},
    {"a b", NULL, "\\x20"},
    {"a\tb", NULL, "\\x09"},
    {"a\x7f", NULL, "\\x7f"},
    {"a/b", NULL, "'/'"},
    {"a@b", NULL, "'@'"},
    {"a:80", NULL, "':'"},
    {"a%2eb", NULL, "'%'"},
    {"a\\b", NULL, "\\x5c"},
    {"*.a", NULL, "'*'"},
    {"[::1]", NULL, "'['"},
    {"a\xef\xbc\x8f"
     "b",
     NULL, "'/'"}, /* full-width slash becomes a slash: refused after mapping */
    {"a\xef\xbc\xa0"
     "b",
     NULL, "'@'"},
    {"\xc3\xbc. b", NULL, "\\x20"},
    {"\xff", NULL, "not UTF-8"},
    {"a\xc3", NULL, "not UTF-8"},
    {"i\xe2\x9d\xa4.example", NULL, "internationalised"}, /* IDNA2008 does not allow symbols */
    {"\xd7\x90"
     "a.\xc3\xbc",
     NULL, "internationalised"}, /* Bidi rule */
    {"1.2.3.4", NULL, "number"},
    {"1.2.3.4.", NULL, "number"},
    {"example.1", NULL, "number"},
    {"0x7f000001", NULL, "number"},
    {"a.0X", NULL, "number"},
    {"\xef\xbc\x91.\xef\xbc\x92.\xef\xbc\x93.\xef\xbc\x94", NULL, "number"}, /* full-width digits */
};

static const struct canon_case patterns[] = {
    {"*", "*", NULL},
    {"*.", "*", NULL},
    {"*.Example.com.", "*.example.com", NULL},
    {"a*b.C", "a*b.c", NULL},
    {"**", "**", NULL},
    {"*.*", "*.*", NULL},
    {"example.com", "example.com", NULL},
    {"b\xc3\xbc"
     "cher.example",
     "xn--bcher-kva.example", NULL},
    {"*.b\xc3\xbc"
     "cher.example",
     "*.xn--bcher-kva.example", NULL},
    {"*.b\xc3\xbc"
     "cher\xe3\x80\x82",
     "*.xn--bcher-kva", NULL},
    {"*._tcp.Example", "*._tcp.example", NULL},
    {"10.*", "10.*", NULL},
    {"xn--*", "xn--*", NULL},
    {"", NULL, "empty"},
    {".*", NULL, "empty label"},
    {"*..a", NULL, "empty label"},
    {"*..", NULL, "empty label"},
    {"*\xc3\xbc.example", NULL, "must otherwise be ASCII"},
    {"* .a", NULL, "\\x20"},
    {"*/a", NULL, "'/'"},
    {"*?", NULL, "'?'"},
    {"*.1", NULL, "number"},
    {"*.a\xff", NULL, "not UTF-8"},
    {"*." N253, NULL, "longer than 253"},
    {"*.a\xef\xbc\x8f"
     "b",
     NULL, "'/'"},
};

typedef int canon_function(const char *, size_t, char[NAME_SIZE], struct error *);

static void check_cases(canon_function *canon, const struct canon_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct canon_case *c = &cases[i];
        char out[NAME_SIZE], again[NAME_SIZE];
        struct error e = {""};
        int r = canon(c->in, strlen(c->in), out, &e);

        if (!c->out) {
            if (r != -EINVAL || !strstr(e.text, c->why))
                fail_msg("%s: %d, %s instead of %s", c->in, r, e.text, c->why);
            continue;
        }
        if (r != 0 || strcmp(out, c->out) != 0)
            fail_msg("%s: %d, %s instead of %s", c->in, r, r ? e.text : out, c->out);
        assert_int_equal(canon(out, strlen(out), again, &e), 0);
        assert_string_equal(again, out);
    }
}

static void test_canon(void **state)
{
    (void)state;
    check_cases(name_canon, names, ARRAY_LEN(names));
}

static void test_canon_pattern(void **state)
{
    (void)state;
    check_cases(name_canon_pattern, patterns, ARRAY_LEN(patterns));
}

/* Each name without '*' is the same as a pattern. */
static void test_canon_pattern_of_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strchr(names[i].in, '*'))
            check_cases(name_canon_pattern, &names[i], 1);
}

static void test_canon_nul(void **state)
{
    char out[NAME_SIZE];
    struct error e;

    (void)state;
    assert_int_equal(name_canon("a\0b", 3, out, &e), -EINVAL);
    assert_non_null(strstr(e.text, "\\x00"));
    assert_int_equal(name_canon("\xc3\xbc\0b", 4, out, &e), -EINVAL);
    assert_non_null(strstr(e.text, "NUL"));
    assert_int_equal(name_canon_pattern("*.\xc3\xbc\0b", 6, out, NULL), -EINVAL);
    assert_int_equal(name_canon("abc", 1, out, &e), 0); /* len counts, not a NUL */
    assert_string_equal(out, "a");
}

static void test_match(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool match;
    } cases[] = {
        {"staex.io", "staex.io", true},
        {"staex.io", "a.staex.io", false},
        {"staex.io", "staex.io.evil", false},
        {"staex.io", "xstaex.io", false},
        {"staex.io", "staex.i", false},
        {"*.staex.io", "b.staex.io", true},
        {"*.staex.io", "a.b.staex.io", true},
        {"*.staex.io", "staex.io", false},
        {"*.staex.io", "evilstaex.io", false},
        {"*.staex.io", "a.staex.io.evil", false},
        {"*staex.io", "staex.io", true},
        {"*staex.io", "evilstaex.io", true},
        {"*", "a", true},
        {"*", "a.b.c", true},
        {"a*c", "ac", true},
        {"a*c", "abbbc", true},
        {"a*c", "abcd", false},
        {"a*b*c", "a.b.b.c", true},
        {"a*b*c", "a.c.c", false},
        {"a.*", "a.", true},
        {"a.*", "a", false},
        {"**a", "a", true},
        {"*a*", "bab", true},
        {"*a*", "bbb", false},
        {"*.a.*.b", "x.a.y.a.b", true},
        {"*.a.*.b", "x.a.b", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (name_match(cases[i].pattern, cases[i].name) != cases[i].match)
            fail_msg("%s %s", cases[i].pattern, cases[i].name);
}

/* The definition itself, to compare with. */
static bool slow_match(const char *p, const char *s)
{
    if (*p == '*')
        return slow_match(p + 1, s) || (*s && slow_match(p, s + 1));
    return *p == *s && (!*p || slow_match(p + 1, s + 1));
}

/* The n-th text over the letters, shortest first. */
static void nth_text(unsigned n, const char *letters, unsigned base, char *out)
{
    for (; n > 0; n = (n - 1) / base)
        *out++ = letters[(n - 1) % base];
    *out = '\0';
}

/* All patterns of up to 5 characters of "ab*" with all names of up to 5 of "ab". */
static void test_match_all(void **state)
{
    char pattern[16], name[16];
    unsigned matched = 0;

    (void)state;
    for (unsigned i = 0; i < 364; i++) {
        nth_text(i, "ab*", 3, pattern);
        for (unsigned k = 0; k < 63; k++) {
            bool want;
            nth_text(k, "ab", 2, name);
            want = slow_match(pattern, name);
            matched += want;
            if (name_match(pattern, name) != want)
                fail_msg("%s %s: not %d", pattern, name, want);
        }
    }
    assert_true(matched > 1000);
}

/* The worst case is the product of the lengths, not a power of the number of stars. */
static void test_match_time(void **state)
{
    char pattern[NAME_SIZE], name[NAME_SIZE];
    uint64_t start = now_ms();

    (void)state;
    for (size_t i = 0; i < 252; i += 2)
        memcpy(pattern + i, "*a", 2);
    memcpy(pattern + 252, "b", 2);
    memset(name, 'a', 253);
    name[253] = '\0';
    for (int i = 0; i < 1000; i++)
        assert_false(name_match(pattern, name));
    assert_true(now_ms() - start < 20000);
}

static void test_ends_in_number(void **state)
{
    static const char *const yes[] = {"1",      "1.2.3.4", "1.2.3.4.",       "a.1",   "0x",
                                      "0xff",   "0XfF.",   "a.0x1",          "127.1", "017",
                                      "1.0x7f", "00",      "256.256.256.256"};
    static const char *const no[] = {"",   ".",       "a",     "1.a", "0xg",  "x",  "1x",
                                     "a1", "1.2.3.a", "0x1.a", "1..", "a.-1", "1_", "x0x1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (!name_ends_in_number(yes[i], strlen(yes[i])))
            fail_msg("%s", yes[i]);
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (name_ends_in_number(no[i], strlen(no[i])))
            fail_msg("%s", no[i]);
}

static void parse_search(struct search_list *s, const char *text, const char *hostname)
{
    char *copy = xstrdup(text);

    search_list_parse(s, copy, hostname);
    free(copy);
}

/* resolv.conf(5) */
static void test_search_list(void **state)
{
    static struct search_list s;
    char many[SEARCH_DOMAINS_MAX * 8 + 64] = "search";

    (void)state;
    parse_search(
        &s, "domain old.test\nsearch\tNS.svc.Test.  svc.test\toptions ndots:5\r\n#search no\n", "");
    assert_int_equal(s.count, 3); /* "ndots:5" is no name */
    assert_string_equal(s.domains[0], "ns.svc.test");
    assert_string_equal(s.domains[1], "svc.test");
    assert_string_equal(s.domains[2], "options");
    parse_search(&s, "searching a.test\n search b.test\n", "host.corp.test");
    assert_int_equal(s.count, 1);
    assert_string_equal(s.domains[0], "corp.test");
    parse_search(&s, "search .\n", "host.corp.test");
    assert_int_equal(s.count, 0);
    parse_search(&s, "", "host");
    assert_int_equal(s.count, 0);
    for (unsigned i = 0; i < SEARCH_DOMAINS_MAX + 8; i++)
        (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), " a%u.b", i % 10);
    parse_search(&s, many, "");
    assert_int_equal(s.count, SEARCH_DOMAINS_MAX);
}

static void test_search_list_base(void **state)
{
    static struct search_list s;
    char base[NAME_SIZE];

    (void)state;
    parse_search(&s, "search ns.svc.test svc.test\n", "");
    assert_true(search_list_base(&s, 0, "a.example.ns.svc.test", base));
    assert_string_equal(base, "a.example");
    assert_true(search_list_base(&s, 1, "a.example.ns.svc.test", base));
    assert_string_equal(base, "a.example.ns");
    assert_false(search_list_base(&s, 0, "a.example.svc.test", base));
    assert_false(search_list_base(&s, 0, "short.ns.svc.test", base));
    assert_false(search_list_base(&s, 0, "ns.svc.test", base));
    assert_false(search_list_base(&s, 0, "a.example.xns.svc.test", base));
    assert_false(search_list_base(&s, 0, "", base));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canon),
        cmocka_unit_test(test_canon_pattern),
        cmocka_unit_test(test_canon_pattern_of_names),
        cmocka_unit_test(test_canon_nul),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_match_all),
        cmocka_unit_test(test_match_time),
        cmocka_unit_test(test_ends_in_number),
        cmocka_unit_test(test_search_list),
        cmocka_unit_test(test_search_list_base),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
