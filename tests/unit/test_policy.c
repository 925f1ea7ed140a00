/* test_policy.c: texts of many words, and the questions that a policy answers. */
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

static void parse_text(struct policy *p, const char *text)
{
    struct error e = {""};

    policy_init(p);
    if (policy_parse(p, "-e", text, strlen(text), &e) != 0)
        fail_msg("%s: %s", text, e.text);
}

static void test_split(void **state)
{
    static const struct {
        const char *text;
        unsigned count;
        const char *words[3];
        unsigned lines[3];
    } cases[] = {
        {"", 0, {NULL}, {0}},
        {" \t\r\n\v\f\n", 0, {NULL}, {0}},
        {"a", 1, {"a"}, {1}},
        {"a b\tc", 3, {"a", "b", "c"}, {1, 1, 1}},
        {"a\nb\r\n\nc\n", 3, {"a", "b", "c"}, {1, 2, 4}},
        {"# a\nb # c d\n#\nc", 2, {"b", "c"}, {2, 4}},
        {"a #", 1, {"a"}, {1}},
        {"#a b c", 0, {NULL}, {0}},
        {"a\n#b\x80\x1b\nc", 2, {"a", "c"}, {1, 3}}, /* a comment is for people */
        {"/a#b c", 2, {"/a#b", "c"}, {1, 1}},        /* '#' inside of a word is part of it */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy p;

        parse_text(&p, cases[i].text);
        assert_int_equal(p.count, cases[i].count);
        for (size_t k = 0; k < p.count; k++) {
            assert_string_equal(p.endpoints[k].word, cases[i].words[k]);
            assert_int_equal(p.endpoints[k].line, cases[i].lines[k]);
            assert_string_equal(p.endpoints[k].source, "-e");
        }
        policy_free(&p);
        assert_int_equal(p.count, 0);
    }
}

static void test_sources_add_up(void **state)
{
    struct policy p;

    (void)state;
    policy_init(&p);
    assert_int_equal(policy_parse(&p, "CIJAIL_ENDPOINTS", "a b", 3, NULL), 0);
    assert_int_equal(policy_parse(&p, "-e", "", 0, NULL), 0);
    assert_int_equal(policy_parse(&p, "ci.policy", "\nc", 2, NULL), 0);
    assert_int_equal(p.count, 3);
    assert_string_equal(p.endpoints[1].source, "CIJAIL_ENDPOINTS");
    assert_string_equal(p.endpoints[2].source, "ci.policy");
    assert_int_equal(p.endpoints[2].line, 2);
    policy_free(&p);
}

static void test_errors_name_the_place(void **state)
{
    static const struct {
        const char *source, *text, *start;
    } cases[] = {
        {"-e", "http:/x",
         "-e:1: 'http:/x': a URL has '://' after its scheme; expected [METHOD,...:]https://HOST"},
        {"CIJAIL_ENDPOINTS", "a b\n c ftp://h/ d",
         "CIJAIL_ENDPOINTS:2: 'ftp://h/': only http and https URLs; for other protocols write "
         "NAME:PORT; expected "},
        {"/etc/ci.policy", "# x y:z:\n\n\nh:70000",
         "/etc/ci.policy:4: 'h:70000': the port is not from 1 to 65535; expected a URL "},
        {"-e", "10.1.0.0/8:443",
         "-e:1: '10.1.0.0/8:443': the address has bits beyond /8: the network is 10.0.0.0/8; "
         "expected "},
        {"-e", "@\x1b[2J", "-e:1: '@\\x1b[2J': the word has white space or a control character"},
        {"-e", "\xc3\xbc!\\", "-e:1: '\\xc3\\xbc!\\x5c': "},
        {"a\nb\x1b", "!", "a\\x0ab\\x1b:1: '!': '!' may not stand in a name; expected "},
        {"-e", "h\n\xef\xbb\xbfly",
         "-e:2: '\\xef\\xbb\\xbfly': the text begins with a byte order mark"},
        {"-e", "\xef\xbb\xbfhttps://h/",
         "-e:1: '\\xef\\xbb\\xbfhttps://h/': the text begins with a byte order mark"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy p;
        struct error e = {""};

        policy_init(&p);
        assert_int_equal(
            policy_parse(&p, cases[i].source, cases[i].text, strlen(cases[i].text), &e), -EINVAL);
        if (strncmp(e.text, cases[i].start, strlen(cases[i].start)) != 0)
            fail_msg("%s instead of %s", e.text, cases[i].start);
        policy_free(&p);
    }
}

/* A word of any length is cut, and reason and form are still there. */
static void test_errors_are_cut(void **state)
{
    static char text[10000], source[5000];
    struct policy p;
    struct error e = {""};

    (void)state;
    policy_init(&p);
    memset(text, '\x01', sizeof(text));
    memset(source, 's', sizeof(source) - 1);
    assert_int_equal(policy_parse(&p, source, text, sizeof(text), &e), -EINVAL);
    assert_true(strlen(e.text) < 600);
    assert_non_null(strstr(e.text, "\\x01..."));
    assert_non_null(strstr(e.text, "sss...:1: '"));
    assert_non_null(strstr(e.text, "longer than 4096 bytes; expected "));
    policy_free(&p);
}

static void test_nul(void **state)
{
    struct policy p;
    struct error e = {""};

    (void)state;
    policy_init(&p);
    assert_int_equal(policy_parse(&p, "f", "a\nb\0c", 5, &e), -EINVAL);
    assert_non_null(strstr(e.text, "f:2: 'b\\x00c': the word has a NUL byte; expected "));
    assert_int_equal(policy_parse(&p, "f", "\0", 1, &e), -EINVAL);
    assert_int_equal(policy_parse(&p, "f", "a\n#b\0c\n", 7, &e), -EINVAL);
    assert_non_null(strstr(e.text, "f:2: '#b\\x00c': a NUL byte in a comment"));
    assert_int_equal(policy_parse(&p, "f", "a\n#bc\n", 6, &e), 0);
    policy_free(&p);
}

static void test_text_bound(void **state)
{
    char *text = xmalloc(POLICY_TEXT_MAX + 1);
    struct policy p;
    struct error e = {""};

    (void)state;
    memset(text, ' ', POLICY_TEXT_MAX + 1);
    policy_init(&p);
    assert_int_equal(policy_parse(&p, "f", text, POLICY_TEXT_MAX + 1, &e), -E2BIG);
    assert_non_null(strstr(e.text, "f: the policy is longer than 4194304 bytes; expected "));
    assert_int_equal(policy_parse(&p, "f", text, POLICY_TEXT_MAX, &e), 0);
    assert_int_equal(policy_parse(&p, "f", text, 1, &e), -E2BIG); /* all sources together */
    policy_free(&p);
    text[POLICY_TEXT_MAX - 1] = 'a'; /* without a newline after it */
    assert_int_equal(policy_parse(&p, "f", text, POLICY_TEXT_MAX, &e), -E2BIG);
    assert_int_equal(policy_parse(&p, "f", text + 1, POLICY_TEXT_MAX - 1, &e), 0);
    policy_free(&p);
    free(text);
}

/* Sources that are together just as long as allowed come out as a text that is not too long. */
static void test_text_bound_round_trip(void **state)
{
    static char word[POLICY_WORD_MAX];
    struct policy p, again;
    struct error e = {""};
    char *out;
    size_t len;

    (void)state;
    memset(word, 'a', sizeof(word));
    memcpy(word, "https://h/", 10);
    policy_init(&p);
    policy_init(&again);
    while (p.text_len + sizeof(word) <= POLICY_TEXT_MAX)
        assert_int_equal(policy_parse(&p, "-e", word, sizeof(word) - 1, &e), 0);
    assert_int_equal(p.text_len, POLICY_TEXT_MAX);
    assert_int_equal(policy_parse(&p, "-e", "b", 1, &e), -E2BIG);
    out = policy_to_text(&p, &len);
    assert_int_equal(len, POLICY_TEXT_MAX);
    assert_int_equal(policy_parse(&again, "f", out, len, &e), 0);
    assert_int_equal(again.count, p.count);
    policy_free(&p);
    policy_free(&again);
    free(out);
}

static void test_count_bound(void **state)
{
    size_t len = 2 * (size_t)POLICY_ENDPOINTS_MAX;
    char *text = xmalloc(len + 1);
    struct policy p;
    struct error e = {""};

    (void)state;
    for (size_t i = 0; i < len; i += 2)
        memcpy(text + i, "a\n", 2);
    text[len] = 'b';
    policy_init(&p);
    assert_int_equal(policy_parse(&p, "f", text, len, &e), 0);
    assert_int_equal(p.count, POLICY_ENDPOINTS_MAX);
    policy_free(&p);
    assert_int_equal(policy_parse(&p, "f", text, len + 1, &e), -E2BIG);
    assert_non_null(strstr(e.text, "f:100001: 'b': the policy has more than 100000 endpoints"));
    policy_free(&p);
    free(text);
}

static void test_to_text(void **state)
{
    static const char text[] =
        "# all forms\n GET,HEAD:HTTPS://H.:8443/a%2fb?c *.x  b\xc3\xbc.y:22\t1.1.1.1:53 "
        "10.0.0.0/8:1 [::1]:80 [fd00::]/8:1 /run/s#1 @a#b [netlink] # end\nhttp://[::1]/\n";
    static const char want[] = "GET,HEAD:HTTPS://H.:8443/a%2fb?c\n*.x\nb\xc3\xbc.y:22\n1.1.1.1:53\n"
                               "10.0.0.0/8:1\n[::1]:80\n[fd00::]/8:1\n/run/s#1\n@a#b\n[netlink]\n"
                               "http://[::1]/\n";
    struct policy p, again;
    char *out, *out_again;
    size_t len;

    (void)state;
    parse_text(&p, text);
    out = policy_to_text(&p, &len);
    assert_int_equal(len, sizeof(want) - 1);
    assert_string_equal(out, want);
    parse_text(&again, out);
    assert_int_equal(again.count, p.count);
    for (size_t i = 0; i < p.count; i++) {
        const struct endpoint *a = &p.endpoints[i], *b = &again.endpoints[i];

        assert_int_equal(a->kind, b->kind);
        assert_string_equal(a->word, b->word);
        assert_string_equal(a->host, b->host);
        assert_int_equal(a->port, b->port);
        assert_memory_equal(&a->address, &b->address, sizeof(a->address));
    }
    out_again = policy_to_text(&again, &len);
    assert_string_equal(out_again, out);
    free(out);
    free(out_again);
    policy_free(&p);
    policy_free(&again);
    out = policy_to_text(&p, &len); /* of none */
    assert_string_equal(out, "");
    assert_int_equal(len, 0);
    free(out);
}

static void test_config(void **state)
{
    struct policy p, again;
    char *text;
    size_t len;

    (void)state;
    for (int dry = 0; dry < 2; dry++) {
        parse_text(&p, "a.example #dry-run\nb.example");
        p.dry_run = dry;
        text = policy_to_config(&p, &len);
        assert_int_equal(len, strlen(text));
        policy_init(&again);
        assert_int_equal(policy_from_config(&again, text, len, NULL), 0);
        assert_int_equal(again.dry_run, dry);
        assert_int_equal(again.count, 2);
        assert_string_equal(again.endpoints[0].word, "a.example");
        policy_free(&again);
        policy_free(&p);
        free(text);
    }
}

/* A dry run asks any DNS server, but none of this host's. */
static void test_dry_servers(void **state)
{
    struct in_addr server = {htonl(0xcb007105)}, loopback = {htonl(0x7f000035)};
    struct policy p;

    (void)state;
    parse_text(&p, "name.example");
    assert_false(policy_passes_dns_server(&p, AF_INET, &server));
    p.dry_run = true;
    assert_true(policy_passes_dns_server(&p, AF_INET, &server));
    assert_null(policy_match_dns_server(&p, AF_INET, &server));
    assert_false(policy_passes_dns_server(&p, AF_INET, &loopback));
    assert_false(policy_passes_dns_server(&p, AF_INET6, &in6addr_loopback));
    policy_free(&p);
}

static void test_enforced(void **state)
{
    static const struct {
        const char *text, *start; /* NULL: enforced */
    } cases[] = {
        {"", NULL},
        {"https://h/ http://h GET,PUT:https://*.h:8443/a https://1.2.3.4/ https://[::1]/", NULL},
        {"h *.h *", NULL},
        {"h h:22 *.h:443 *:1 h:54", NULL},
        {"h\nh:53", "-e:2: 'h:53': a DNS server is named by its address, "},
        {"*:53", "-e:1: '*:53': a DNS server"},
        {"1.1.1.1:53 10.0.0.0/8:53 [2001:db8::1]:53 [2001:db8::]/32:53 0.0.0.0/0:53 [::]/0:53",
         NULL},
        {"1.1.1.1:54 10.0.0.0/8:1 [2001:db8::1]:22 [2001:db8::]/32:22 0.0.0.0/0:80 [::]/0:80 "
         "126.0.0.0/7:80 0.0.0.0/8:80 [::]/126:80",
         NULL},
        {"[::1]:53", "-e:1: '[::1]:53': port 53 of the host's loopback "},
        {"127.0.0.1:53", "-e:1: '127.0.0.1:53': port 53 of the host's loopback "},
        {"127.0.0.0/8:53", "-e:1: '127.0.0.0/8:53': port 53 of the host's loopback "},
        {"0.0.0.0:80", "-e:1: '0.0.0.0:80': another spelling of the host's loopback, "},
        {"[::]:80", "-e:1: '[::]:80': another spelling of the host's loopback, "},
        {"[::]/127:80", "-e:1: '[::]/127:80': another spelling of the host's loopback, "},
        {"[::ffff:127.0.0.1]:80",
         "-e:1: '[::ffff:127.0.0.1]:80': another spelling of the host's loopback, "},
        {"[::ffff:0.0.0.0]/96:80",
         "-e:1: '[::ffff:0.0.0.0]/96:80': another spelling of the host's loopback, "},
        {"h /run/s\n[::]:80", "-e:2: '[::]:80': another spelling of the host's loopback, "},
        {"127.0.0.1:80 [::1]:80 127.0.0.0/8:80 127.4.0.0/16:1 127.255.255.255:65535", NULL},
        {"https://h/ /run/s @a [netlink]", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy p;
        struct error e = {""};
        int r;

        parse_text(&p, cases[i].text);
        r = policy_check_enforced(&p, &e);
        assert_int_equal(r, cases[i].start ? -ENOTSUP : 0);
        if (cases[i].start && strncmp(e.text, cases[i].start, strlen(cases[i].start)) != 0)
            fail_msg("%s instead of %s", e.text, cases[i].start);
        policy_free(&p);
    }
}

static void test_address(void **state)
{
    static const char text[] = "10.1.0.0/16:80 10.1.2.3:80 10.1.2.3:22 [2001:db8:1::]/48:80 "
                               "0.0.0.0/0:8080 [::]/0:8080 192.0.2.1:53 127.0.0.1:99 https://h:81/ "
                               "h:82 169.254.0.0/16:83 [ff00::]/8:83 169.254.169.254:84 "
                               "128.0.0.0/1:85 192.0.0.0/16:86 [64:ff9b::]/96:87 "
                               "[64:ff9b::a9fe:0]/112:88 [64:ff9b::a9fe:a9fe]:89 "
                               "[2002:a9fe::]/32:90 [2002::]/16:91";
    static const struct {
        const char *address;
        uint16_t port;
        const char *word; /* NULL: not allowed */
    } cases[] = {
        {"10.1.2.3", 80, "10.1.0.0/16:80"},
        {"10.1.255.255", 80, "10.1.0.0/16:80"},
        {"10.2.0.0", 80, NULL},
        {"10.0.255.255", 80, NULL},
        {"10.1.2.3", 22, "10.1.2.3:22"},
        {"10.1.2.4", 22, NULL},
        {"10.1.2.3", 81, NULL},
        {"10.1.2.3", 82, NULL},
        {"2001:db8:1::7", 80, "[2001:db8:1::]/48:80"},
        {"2001:db8:2::7", 80, NULL},
        {"2001:db8:1::7", 22, NULL},
        {"203.0.113.1", 8080, "0.0.0.0/0:8080"},
        {"2001:db8::1", 8080, "[::]/0:8080"},
        {"127.0.0.1", 8080, NULL}, /* the host itself, in each spelling */
        {"127.255.0.1", 8080, NULL},
        {"0.0.0.0", 8080, NULL},
        {"::1", 8080, NULL},
        {"::", 8080, NULL},
        {"::ffff:127.0.0.1", 8080, NULL},
        {"::ffff:10.1.2.3", 8080, NULL},
        {"169.254.169.254", 8080, NULL}, /* local, and not what a network around it means */
        {"100.100.100.200", 8080, NULL},
        {"192.0.0.1", 8080, NULL},
        {"224.0.0.1", 8080, NULL},
        {"255.255.255.255", 8080, NULL},
        {"fe80::1", 8080, NULL},
        {"ff02::1", 8080, NULL},
        {"fd00:ec2::254", 8080, NULL},
        {"224.0.0.1", 85, NULL},
        {"200.0.0.1", 85, "128.0.0.0/1:85"},
        {"192.0.0.1", 86, NULL},
        {"192.0.1.1", 86, "192.0.0.0/16:86"},
        {"169.254.169.254", 83, "169.254.0.0/16:83"},
        {"169.254.169.254", 84, "169.254.169.254:84"},
        {"ff02::1", 83, "[ff00::]/8:83"},
        {"64:ff9b::a9fe:a9fe", 87, NULL}, /* though both ends of all NAT64 are local */
        {"64:ff9b::c000:201", 87, "[64:ff9b::]/96:87"},
        {"64:ff9b::a9fe:a9fe", 88, "[64:ff9b::a9fe:0]/112:88"},
        {"64:ff9b::a9fe:a9fe", 89, "[64:ff9b::a9fe:a9fe]:89"},
        {"2002:a9fe:a9fe::1", 90, "[2002:a9fe::]/32:90"},
        {"2002:a9fe:a9fe::1", 91, NULL},
        {"2002:808:808::1", 91, "[2002::]/16:91"},
        {"10.0.0.1", 8080, "0.0.0.0/0:8080"},
        {"fd00::1", 8080, "[::]/0:8080"},
        {"192.0.2.1", 53, NULL},
        {"127.0.0.1", 99, NULL},
    };
    struct policy p;

    (void)state;
    parse_text(&p, text);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int family = strchr(cases[i].address, ':') ? AF_INET6 : AF_INET;
        struct in6_addr address;
        const struct endpoint *ep;

        assert_int_equal(inet_pton(family, cases[i].address, &address), 1);
        ep = policy_match_address(&p, family, &address, cases[i].port);
        if (!ep != !cases[i].word || (ep && strcmp(ep->word, cases[i].word) != 0))
            fail_msg("%s %u: %s", cases[i].address, cases[i].port, ep ? ep->word : "-");
    }
    policy_free(&p);
}

static void test_dns_server(void **state)
{
    static const struct {
        const char *policy, *address;
        int which; /* index of the endpoint, or -1 */
    } cases[] = {
        {"1.1.1.1:53", "1.1.1.1", 0},
        {"1.1.1.1:53", "1.1.1.2", -1},
        {"1.1.1.1:54 h:53 https://1.1.1.1:53/", "1.1.1.1", -1},
        {"h 10.0.0.0/8:53 10.1.0.0/16:53", "10.1.2.3", 1},
        {"198.51.100.128/25:53", "198.51.100.128", 0},
        {"198.51.100.128/25:53", "198.51.100.255", 0},
        {"198.51.100.128/25:53", "198.51.100.127", -1},
        {"0.0.0.0/0:53", "255.255.255.255", 0},
        {"0.0.0.0/0:53", "127.0.0.53", -1}, /* the host's own */
        {"0.0.0.0/0:53", "0.0.0.0", -1},
        {"0.0.0.0/0:53", "2001:db8::1", -1},
        {"[2001:db8::1]:53", "2001:db8::1", 0},
        {"[2001:db8::1]:53", "2001:db8::2", -1},
        {"[2001:db8::]/33:53", "2001:db8:7fff::1", 0},
        {"[2001:db8::]/33:53", "2001:db8:8000::1", -1},
        {"[::]/0:53", "2001:db8::1", 0},
        {"[::]/0:53", "::1", -1},
        {"[::]/0:53", "::", -1},
        {"[::]/0:53", "::ffff:127.0.0.1", -1},
        {"[::]/0:53", "1.1.1.1", -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int family = strchr(cases[i].address, ':') ? AF_INET6 : AF_INET;
        const struct endpoint *ep;
        struct in6_addr address;
        struct policy p;

        parse_text(&p, cases[i].policy);
        assert_int_equal(inet_pton(family, cases[i].address, &address), 1);
        ep = policy_match_dns_server(&p, family, &address);
        if ((ep ? (int)policy_index(&p, ep) : -1) != cases[i].which)
            fail_msg("%s in %s", cases[i].address, cases[i].policy);
        policy_free(&p);
    }
}

static void test_loopback(void **state)
{
    static const struct {
        const char *text, *address;
        uint16_t port;
        bool allowed;
    } cases[] = {
        {"127.0.0.1:80", "127.0.0.1", 80, true},
        {"127.0.0.1:80", "127.0.0.1", 81, false},
        {"127.0.0.1:80", "127.0.0.2", 80, false},
        {"127.0.0.1:80", "::1", 80, false},
        {"[::1]:80", "::1", 80, true},
        {"[::1]:80", "::2", 80, false},
        {"[::1]:80", "127.0.0.1", 80, false},
        {"127.0.0.0/8:80", "127.255.0.1", 80, true},
        {"127.0.0.0/8:80", "128.0.0.1", 80, false},
        {"127.0.0.4/30:80", "127.0.0.7", 80, true},
        {"127.0.0.4/30:80", "127.0.0.8", 80, false},
        {"127.0.0.4/30:80", "127.0.0.3", 80, false},
        {"0.0.0.0/0:80 [::]/0:80", "127.0.0.1", 80, false}, /* not of the loopback */
        {"0.0.0.0/0:80 [::]/0:80", "::1", 80, false},
        {"127.0.0.0/8:53", "127.0.0.1", 53, false},
        {"h:80 https://127.0.0.1:80/", "127.0.0.1", 80, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int family = strchr(cases[i].address, ':') ? AF_INET6 : AF_INET;
        unsigned char address[16];
        struct policy p;

        parse_text(&p, cases[i].text);
        assert_int_equal(inet_pton(family, cases[i].address, address), 1);
        if (!!policy_match_loopback(&p, family, address, cases[i].port) != cases[i].allowed)
            fail_msg("%s: %s %u", cases[i].text, cases[i].address, cases[i].port);
        policy_free(&p);
    }
}

static void test_abstract(void **state)
{
    struct policy p;

    (void)state;
    parse_text(&p, "@a /b @c");
    assert_ptr_equal(policy_match_abstract(&p, "a"), &p.endpoints[0]);
    assert_ptr_equal(policy_match_abstract(&p, "c"), &p.endpoints[2]);
    assert_null(policy_match_abstract(&p, "b"));
    assert_null(policy_match_abstract(&p, "/b"));
    assert_null(policy_match_abstract(&p, ""));
    assert_null(policy_match_abstract(&p, "aa"));
    assert_true(policy_has_kind(&p, ENDPOINT_UNIX));
    assert_false(policy_has_kind(&p, ENDPOINT_NETLINK));
    policy_free(&p);
}

struct request_case {
    const char *policy, *method, *url;
    bool allowed;
};

static const struct request_case requests[] = {
    {"", "GET", "https://h/", false},
    {"https://h/", "GET", "https://h/", true},
    {"https://h", "GET", "https://h/a?b", true},
    {"https://h", "DELETE", "https://h/", true}, /* no list: all methods */
    /* scheme, host and port */
    {"https://h/", "GET", "http://h/", false},
    {"http://h/", "GET", "https://h/", false},
    {"http://h:443/", "GET", "https://h/", false},
    {"https://h/", "GET", "https://h:8443/", false},
    {"https://h:8443/", "GET", "https://h:8443/", true},
    {"https://h:8443/", "GET", "https://h/", false},
    {"https://h:443/", "GET", "https://H./", true},
    {"https://h/", "GET", "https://i/", false},
    {"https://h/", "GET", "https://h.i/", false},
    {"https://h/", "GET", "https://i.h/", false},
    {"https://b\xc3\xbc"
     "cher.x/",
     "GET", "https://xn--bcher-kva.x/", true},
    /* patterns */
    {"https://*.h/", "GET", "https://a.b.h/", true},
    {"https://*.h/", "GET", "https://h/", false},
    {"https://*.h/", "GET", "https://ah/", false},
    {"https://*/", "GET", "https://anything.example/", true},
    {"https://*/", "GET", "https://1.2.3.4/", false},
    {"https://*/", "GET", "https://[::1]/", false},
    {"https://1.*/", "GET", "https://1.2.3.4/", false},
    {"https://*/", "GET", "https://h:8443/", false},
    /* addresses: the same literal only */
    {"https://1.2.3.4/", "GET", "https://1.2.3.4/", true},
    {"https://1.2.3.4/", "GET", "https://1.2.3.5/", false},
    {"https://1.2.3.4/", "GET", "https://[::ffff:1.2.3.4]/", false},
    {"https://[::ffff:1.2.3.4]/", "GET", "https://[::ffff:102:304]/", true},
    {"https://[2001:DB8::0:1]/", "GET", "https://[2001:db8::1]/", true},
    {"https://[2001:db8::1]/", "GET", "https://[2001:db8::2]/", false},
    /* the prefix */
    {"https://h/a", "GET", "https://h/a", true},
    {"https://h/a", "GET", "https://h/ab", true},
    {"https://h/a", "GET", "https://h/a/b?c", true},
    {"https://h/a", "GET", "https://h/", false},
    {"https://h/a", "GET", "https://h/A", false},
    {"https://h/a", "GET", "https://h/b", false},
    {"https://h/a/", "GET", "https://h/a/", true},
    {"https://h/a/", "GET", "https://h/a", false},
    {"https://h/a/", "GET", "https://h/a/../b", false},
    {"https://h/a/", "GET", "https://h/a/%2e%2e/b", false},
    {"https://h/a/", "GET", "https://h/b/../a/c", true},
    {"https://h/a/", "GET", "https://h//a/", false},
    {"https://h/%61/", "GET", "https://h/a/", true},
    {"https://h/a/", "GET", "https://h/%61/", true},
    {"https://h/x/../b", "GET", "https://h/b", true},
    {"https://h/x/../b", "GET", "https://h/x/", false},
    {"https://h/*", "GET", "https://h/a", false}, /* '*' is literal in a path */
    {"https://h/*", "GET", "https://h/*", true},
    {"https://h/a?b=", "GET", "https://h/a?b=c", true},
    {"https://h/a?b=", "GET", "https://h/a?c", false},
    {"https://h/a?b=", "GET", "https://h/a", false},
    {"https://h/.w", "GET", "https://h/.well-known/x", true},
    {"https://h/.w", "GET", "https://h/x", false},
    /* an encoded slash: allowed as it stands and decoded, by the same endpoint */
    {"https://h/", "GET", "https://h/@scope%2fname", true},
    {"https://h/@scope", "GET", "https://h/@scope%2fname", true},
    {"https://h/@scope", "GET", "https://h/@scope/name", true},
    {"https://h/@scope/", "GET", "https://h/@scope%2fname", false},
    {"https://h/@scope%2f", "GET", "https://h/@scope%2Fname", true},
    {"https://h/@scope%2f", "GET", "https://h/@scope/name", false},
    {"https://h/@scope%2f", "GET", "https://h/@scope2%2fname", false},
    {"https://h/@scope%2fname", "GET", "https://h/@scope%2Fname", true},
    {"https://h/@scope%2fname", "GET", "https://h/@scope%2Fother", false},
    {"https://h/a https://h/b", "GET", "https://h/b%2Fa", true},
    {"https://h/a/b https://h/a%2Fc", "GET", "https://h/a%2Fb", false},
    /* methods */
    {"GET:https://h/", "GET", "https://h/", true},
    {"GET:https://h/", "PUT", "https://h/", false},
    {"GET:https://h/", "HEAD", "https://h/", false},
    {"GET:https://h/", "get", "https://h/", false},
    {"GET:https://h/", "GETX", "https://h/", false},
    {"GET:https://h/", "GE", "https://h/", false},
    {"GET:https://h/", "", "https://h/", false},
    {"GET,HEAD:https://h/", "HEAD", "https://h/", true},
    {"GET,HEAD:https://h/", "GET,HEAD", "https://h/", false},
    {"GET:https://h/ PUT:https://h/up/", "PUT", "https://h/up/x", true},
    {"GET:https://h/ PUT:https://h/up/", "PUT", "https://h/x", false},
    /* endpoints of other kinds allow no request */
    {"h", "GET", "https://h/", false},
    {"h:443", "GET", "https://h/", false},
    {"*", "GET", "https://h/", false},
    {"1.2.3.4:443", "GET", "https://1.2.3.4/", false},
    {"[::1]:443", "GET", "https://[::1]/", false},
    {"0.0.0.0/0:443", "GET", "https://1.2.3.4/", false},
    {"/run/s @a [netlink]", "GET", "https://h/", false},
};

static void test_match_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        static struct url u;
        struct error e = {""};
        struct policy p;
        const struct request_case *c = &requests[i];

        parse_text(&p, c->policy);
        if (url_parse(c->url, strlen(c->url), &u, &e) != 0)
            fail_msg("%s: %s", c->url, e.text);
        if ((policy_match_request(&p, c->method, &u) != NULL) != c->allowed)
            fail_msg("%s: %s %s: not %d", c->policy, c->method, c->url, c->allowed);
        policy_free(&p);
    }
}

/* A body is not for methods that have none, if the endpoint lists only such. */
static void test_match_upload(void **state)
{
    static const struct {
        const char *policy, *method;
        long plain, upload; /* index of the endpoint, or -1 */
    } rows[] = {
        {"https://h/", "GET", 0, 0},
        {"https://h/", "POST", 0, 0},
        {"GET:https://h/", "GET", 0, -1},
        {"GET,HEAD:https://h/", "GET", 0, -1},
        {"GET,HEAD,OPTIONS,TRACE,DELETE:https://h/", "DELETE", 0, -1},
        {"GET,POST:https://h/", "GET", 0, 0},
        {"POST:https://h/", "POST", 0, 0},
        {"GET,PROPFIND:https://h/", "PROPFIND", 0, 0},
        {"GET:https://h/ POST:https://h/", "GET", 0, -1},
        {"GET:https://h/ https://h/", "GET", 0, 1},
        {"GET:https://h/ https://h/b/", "GET", 0, -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct url u;
        struct policy p;

        parse_text(&p, rows[i].policy);
        assert_int_equal(url_parse("https://h/a", 11, &u, NULL), 0);
        const struct endpoint *plain = policy_match_request(&p, rows[i].method, &u);
        const struct endpoint *upload = policy_match_upload(&p, rows[i].method, &u);
        assert_int_equal(plain ? plain - p.endpoints : -1, rows[i].plain);
        assert_int_equal(upload ? upload - p.endpoints : -1, rows[i].upload);
        policy_free(&p);
    }
}

/* The first that allows, in the order of the text. */
static void test_match_order(void **state)
{
    static struct url u;
    struct policy p;

    (void)state;
    parse_text(&p, "h PUT:https://h/ https://h/a https://h/ GET:https://h/");
    assert_int_equal(url_parse("https://h/b", 11, &u, NULL), 0);
    assert_int_equal(policy_index(&p, policy_match_request(&p, "GET", &u)), 3);
    assert_int_equal(policy_index(&p, policy_match_request(&p, "PUT", &u)), 1);
    assert_int_equal(url_parse("https://h/a", 11, &u, NULL), 0);
    assert_int_equal(policy_index(&p, policy_match_request(&p, "GET", &u)), 2);
    assert_int_equal(policy_index(&p, policy_match_authority(&p, URL_HTTPS, &u.authority)), 1);
    assert_int_equal(policy_index(&p, policy_match_resolve(&p, "h")), 0);
    assert_int_equal(policy_index(&p, policy_match_resolve(&p, "i")), POLICY_INDEX_NONE);
    policy_free(&p);
}

static void test_match_authority(void **state)
{
    static const struct {
        const char *policy;
        enum url_scheme scheme;
        const char *authority;
        bool allowed;
    } cases[] = {
        {"https://h/a", URL_HTTPS, "h:443", true},
        {"PUT:https://h/a", URL_HTTPS, "h:443", true},
        {"https://h/a", URL_HTTP, "h:443", false},
        {"https://h/a", URL_HTTPS, "h:444", false},
        {"https://h/a", URL_HTTPS, "i:443", false},
        {"http://h/", URL_HTTP, "h:80", true},
        {"https://*.h/", URL_HTTPS, "a.h:443", true},
        {"https://*.h/", URL_HTTPS, "h:443", false},
        {"https://*/", URL_HTTPS, "1.2.3.4:443", false},
        {"https://1.2.3.4/", URL_HTTPS, "1.2.3.4:443", true},
        {"https://[::1]/", URL_HTTPS, "[::1]:443", true},
        {"https://[::1]/", URL_HTTPS, "[::2]:443", false},
        {"h:443", URL_HTTPS, "h:443", false},
        {"h", URL_HTTPS, "h:443", false},
        {"1.2.3.4:443", URL_HTTPS, "1.2.3.4:443", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct url_authority a;
        struct policy p;

        parse_text(&p, cases[i].policy);
        assert_int_equal(
            url_parse_authority(cases[i].authority, strlen(cases[i].authority), 0, &a, NULL), 0);
        if ((policy_match_authority(&p, cases[i].scheme, &a) != NULL) != cases[i].allowed)
            fail_msg("%s: %s: not %d", cases[i].policy, cases[i].authority, cases[i].allowed);
        policy_free(&p);
    }
}

/* NAME:PORT and ADDRESS:PORT: connections for whatever use, plain http to the proxy among them. */
static void test_match_raw(void **state)
{
    static const struct {
        const char *authority;
        uint32_t raw, request; /* indices; the request is GET http://AUTHORITY/x */
    } cases[] = {
        {"h:22", 1, 1},
        {"a.w:443", 2, 2},
        {"w:443", POLICY_INDEX_NONE, POLICY_INDEX_NONE},
        {"h:443", POLICY_INDEX_NONE, POLICY_INDEX_NONE},
        {"h:8080", 4, 0}, /* the URL comes first */
        {"n:80", POLICY_INDEX_NONE, POLICY_INDEX_NONE},
        {"10.1.2.3:22", 5, 5},
        {"10.2.2.3:22", POLICY_INDEX_NONE, POLICY_INDEX_NONE},
        {"[2001:db8::1]:22", 6, 6},
        {"127.0.0.1:80", POLICY_INDEX_NONE, POLICY_INDEX_NONE},
        {"0.0.0.0:80", POLICY_INDEX_NONE, POLICY_INDEX_NONE},
        {"10.1.2.3:53", POLICY_INDEX_NONE, POLICY_INDEX_NONE},
    };
    static struct url u;
    struct policy p;

    (void)state;
    parse_text(&p, "http://h:8080/ h:22 *.w:443 n h:8080 10.1.0.0/16:22 [2001:db8::1]:22 "
                   "127.0.0.1:80 10.1.2.3:53 0.0.0.0/0:80");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct url_authority a;
        char text[64];
        int n = snprintf(text, sizeof(text), "http://%s/x", cases[i].authority);

        assert_int_equal(
            url_parse_authority(cases[i].authority, strlen(cases[i].authority), 0, &a, NULL), 0);
        assert_int_equal(url_parse(text, (size_t)n, &u, NULL), 0);
        if (policy_index(&p, policy_match_raw(&p, &a)) != cases[i].raw ||
            policy_index(&p, policy_match_request(&p, "GET", &u)) != cases[i].request)
            fail_msg("%s", cases[i].authority);
        assert_int_equal(policy_index(&p, policy_match_authority(&p, URL_HTTP, &a)),
                         cases[i].request);
        assert_null(policy_match_authority(&p, URL_HTTPS, &a));
    }
    assert_true(policy_has_name_port(&p, 22) && policy_has_name_port(&p, 443));
    assert_false(policy_has_name_port(&p, 80) || policy_has_name_port(&p, 53));
    assert_int_equal(policy_index(&p, policy_match_resolve(&p, "x.w")), 2);
    policy_free(&p);
}

static void test_match_resolve(void **state)
{
    static const struct {
        const char *policy, *name;
        bool allowed;
    } cases[] = {
        {"", "h", false},
        {"h", "h", true},
        {"h", "a.h", false},
        {"*.h", "a.b.h", true},
        {"*.h", "h", false},
        {"h:22", "h", true},
        {"h:22", "i", false},
        {"https://h/a", "h", true},
        {"GET:http://*.h:81/", "a.h", true},
        {"https://h/a", "i", false},
        {"https://1.2.3.4/", "1.2.3.4", false},
        {"https://[::1]/", "::1", false},
        {"1.2.3.4:53", "1.2.3.4", false},
        {"/h @h [netlink]", "h", false},
        {"/h @h [netlink]", "", false}, /* the host of these is empty, and no name */
        {"*", "h", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy p;

        parse_text(&p, cases[i].policy);
        if ((policy_match_resolve(&p, cases[i].name) != NULL) != cases[i].allowed)
            fail_msg("%s: %s: not %d", cases[i].policy, cases[i].name, cases[i].allowed);
        policy_free(&p);
    }
}

static void test_has_scheme(void **state)
{
    struct policy p;

    (void)state;
    parse_text(&p, "h h:80 https://h/");
    assert_true(policy_has_scheme(&p, URL_HTTPS));
    assert_false(policy_has_scheme(&p, URL_HTTP));
    policy_free(&p);
    parse_text(&p, "GET:http://h/");
    assert_false(policy_has_scheme(&p, URL_HTTPS));
    assert_true(policy_has_scheme(&p, URL_HTTP));
    policy_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_url),
        cmocka_unit_test(test_words_methods),
        cmocka_unit_test(test_words_name),
        cmocka_unit_test(test_words_address),
        cmocka_unit_test(test_words_unix),
        cmocka_unit_test(test_words_refused),
        cmocka_unit_test(test_words_bytes),
        cmocka_unit_test(test_words_bounds),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_sources_add_up),
        cmocka_unit_test(test_errors_name_the_place),
        cmocka_unit_test(test_errors_are_cut),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_text_bound),
        cmocka_unit_test(test_text_bound_round_trip),
        cmocka_unit_test(test_count_bound),
        cmocka_unit_test(test_to_text),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_dry_servers),
        cmocka_unit_test(test_enforced),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_dns_server),
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_abstract),
        cmocka_unit_test(test_match_request),
        cmocka_unit_test(test_match_upload),
        cmocka_unit_test(test_match_order),
        cmocka_unit_test(test_match_authority),
        cmocka_unit_test(test_match_raw),
        cmocka_unit_test(test_match_resolve),
        cmocka_unit_test(test_has_scheme),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
