/* The command line and the environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "src/options.h"
#include "src/util.h"

struct parsed {
    struct options options;
    struct policy policy;
    enum options_result result;
    struct error e;
    int r;
};

static void parsed_free(struct parsed *p)
{
    policy_free(&p->policy);
}

/* All zero at first, freed at the end of its block. */
#define PARSED __attribute__((cleanup(parsed_free))) struct parsed

/* words: NULL-terminated, without argv[0]. What p held is freed. */
static void parse(struct parsed *p, char **words)
{
    char *argv[32] = {(char *)(uintptr_t) "cijail"};
    int argc = 1;

    while (words[argc - 1] && argc < 31) {
        argv[argc] = words[argc - 1];
        argc++;
    }
    policy_free(&p->policy);
    memset(p, 0, sizeof(*p));
    policy_init(&p->policy);
    p->r = options_parse(argc, argv, &p->options, &p->policy, &p->result, &p->e);
    if (p->r == 0 && p->result == OPTIONS_RUN) /* argv is this function's */
        p->options.command = words + (p->options.command - argv) - 1;
}

#define PARSE(p, ...) parse(p, (char *[]){__VA_ARGS__, NULL})

static int clear_environment(void **state)
{
    (void)state;
    (void)unsetenv("CIJAIL_ENDPOINTS");
    (void)unsetenv("CIJAIL_DRY_RUN");
    (void)unsetenv("CIJAIL_ALLOW_LOOPBACK");
    return 0;
}

static void test_command_begins_at_first_word(void **state)
{
    PARSED p = {0};

    (void)state;
    PARSE(&p, "-v", "dig", "-e", "staex.io");
    assert_int_equal(p.r, 0);
    assert_string_equal(p.options.command[0], "dig");
    assert_string_equal(p.options.command[1], "-e");
    assert_true(p.options.verbose);
    assert_false(p.options.progress);
    assert_int_equal(p.policy.count, 0);
    PARSE(&p, "--progress", "--", "-v");
    assert_int_equal(p.r, 0);
    assert_true(p.options.progress);
    assert_string_equal(p.options.command[0], "-v");
    assert_false(p.options.verbose);
}

static void test_endpoints_add_up(void **state)
{
    PARSED p = {0};

    (void)state;
    (void)setenv("CIJAIL_ENDPOINTS", "one.example # comment\ntwo.example", 1);
    PARSE(&p, "-e", "three.example", "--endpoint", "https://four.example/ five.example", "true");
    assert_int_equal(p.r, 0);
    assert_int_equal(p.policy.count, 5);
    assert_string_equal(p.policy.endpoints[0].source, "CIJAIL_ENDPOINTS");
    assert_string_equal(p.policy.endpoints[1].word, "two.example");
    assert_int_equal(p.policy.endpoints[1].line, 2);
    assert_string_equal(p.policy.endpoints[4].word, "five.example");
}

static void test_policy_file(void **state)
{
    char path[] = "/tmp/cijail-test-policy.XXXXXX";
    int fd = mkstemp(path);
    PARSED p = {0};

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, "# first\none.example\n", 20), 0);
    (void)close(fd);
    PARSE(&p, "-p", path, "true");
    assert_int_equal(p.r, 0);
    assert_int_equal(p.policy.count, 1);
    assert_string_equal(p.policy.endpoints[0].source, path);
    assert_int_equal(p.policy.endpoints[0].line, 2);
    (void)unlink(path);
    PARSE(&p, "-p", path, "true");
    assert_int_equal(p.r, -ENOENT);
    PARSE(&p, "-p", "nosuch", "true");
    assert_true(p.r < 0);
    assert_non_null(strstr(p.e.text, "no preset"));
}

static void expect_error(char **words, const char *needle)
{
    PARSED p = {0};

    parse(&p, words);
    if (p.r >= 0 || !strstr(p.e.text, needle))
        fail_msg("expected an error with '%s', got %d '%s'", needle, p.r, p.r < 0 ? p.e.text : "");
}

static void test_errors(void **state)
{
    (void)state;
    expect_error((char *[]){"-v", NULL}, "no command");
    expect_error((char *[]){"-v", "-q", "true", NULL}, "exclude each other");
    expect_error((char *[]){"--nope", "true", NULL}, "option --nope is not known;");
    expect_error((char *[]){"--nope=1", "true", NULL}, "option --nope is not known;");
    expect_error((char *[]){"--verbose=3", "true", NULL}, "option --verbose takes no argument;");
    expect_error((char *[]){"--dry-run=1", "true", NULL}, "option --dry-run takes no argument;");
    expect_error((char *[]){"--endpoint", NULL}, "option --endpoint needs an argument;");
    expect_error((char *[]){"-v", "-e", NULL}, "option -e needs an argument;");
    expect_error((char *[]){"--verbose", "-qZ", "true", NULL}, "option -Z is not known;");
    expect_error((char *[]){"--verbose", "-\x1b", "true", NULL}, "option -\\x1b is not known;");
    expect_error((char *[]){"-e", NULL}, "needs an argument");
    expect_error((char *[]){"-Z", "true", NULL}, "-Z");
    expect_error((char *[]){"--log-format", "xml", "true", NULL}, "text or json");
    expect_error((char *[]){"-e", "ok.example ftp://x/", "true", NULL}, "-e:1: 'ftp://x/'");
    expect_error((char *[]){"-e", "ns.example:53", "true", NULL}, "ns.example:53");
    expect_error((char *[]){"--summary", NULL}, "needs an argument");
    expect_error((char *[]){"--learn", NULL}, "needs an argument");
    expect_error((char *[]){"--upstream", NULL}, "needs an argument");
    expect_error((char *[]){"--log", "-", "true", NULL}, "--log -: standard output is /dev/stdout");
    expect_error((char *[]){"--learn=-", "true", NULL},
                 "--learn -: standard output is /dev/stdout");
}

static void test_no_abbreviations(void **state)
{
    static const char *const words[] = {"--end", "--lo", "--ver", "--log-f", "--qui", "--e"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        cleanup_free char *why = xasprintf("option %s is not known;", words[i]);
        cleanup_free char *joined = xasprintf("%s=one.example", words[i]);
        expect_error((char *[]){(char *)(uintptr_t)words[i], "one.example", "true", NULL}, why);
        expect_error((char *[]){joined, "true", NULL}, why);
        expect_error((char *[]){(char *)(uintptr_t)words[i], NULL}, why);
    }
}

static void test_switch_variables(void **state)
{
    PARSED p = {0};

    (void)state;
    (void)setenv("CIJAIL_DRY_RUN", "0", 1);
    PARSE(&p, "true");
    assert_int_equal(p.r, 0);
    assert_false(p.options.dry_run);
    assert_false(p.policy.dry_run);
    PARSE(&p, "--dry-run", "--learn", "file", "true"); /* they add up */
    assert_true(p.options.dry_run && p.policy.dry_run);
    assert_string_equal(p.options.learn_path, "file");
    (void)setenv("CIJAIL_DRY_RUN", "1", 1);
    PARSE(&p, "true");
    assert_int_equal(p.r, 0);
    assert_true(p.options.dry_run && p.policy.dry_run);
    assert_null(p.options.learn_path);
    (void)setenv("CIJAIL_DRY_RUN", "yes", 1);
    expect_error((char *[]){"true", NULL}, "expected 1, 0 or unset");
    (void)unsetenv("CIJAIL_DRY_RUN");
    (void)setenv("CIJAIL_ALLOW_LOOPBACK", "\x1b", 1);
    expect_error((char *[]){"true", NULL}, "'\\x1b'");
}

static void test_upstream_errors(void **state)
{
    static const struct {
        const char *word, *error;
    } rows[] = {
        {"", "expected ADDRESS[:PORT]"},
        {"dns.example", "expected ADDRESS[:PORT]"},
        {"tls://", "expected ADDRESS[:PORT]"},
        {"tls://dns.example", "expected ADDRESS[:PORT]"},
        {"https://192.0.2.53", "expected ADDRESS[:PORT]"},
        {"TLS://192.0.2.53", "expected ADDRESS[:PORT]"},
        {"192.0.2.53:", "expected ADDRESS[:PORT]"},
        {"192.0.2.53:0", "expected ADDRESS[:PORT]"},
        {"192.0.2.53:65536", "expected ADDRESS[:PORT]"},
        {"192.0.2.53:053000", "expected ADDRESS[:PORT]"},
        {"192.0.2.53:+53", "expected ADDRESS[:PORT]"},
        {"192.0.2.53/32", "expected ADDRESS[:PORT]"},
        {"192.0.2.053.1", "expected ADDRESS[:PORT]"},
        {"[192.0.2.53]:53", "expected ADDRESS[:PORT]"},
        {"[2001:db8::53", "expected ADDRESS[:PORT]"},
        {"[2001:db8::53]53", "expected ADDRESS[:PORT]"},
        {"2001:db8::53%nosuchlink", "expected ADDRESS[:PORT]"},
        {"192.0.2.53#dns.example", "needs tls://"},
        {"tls://192.0.2.53#", "not a host name"},
        {"tls://192.0.2.53#192.0.2.53", "not a host name"},
        {"tls://192.0.2.53#*.example", "not a host name"},
        {"tls://192.0.2.53#dns.example/dns-query", "not a host name"},
        {"\x1b", "'\\x1b'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_error((char *[]){"--upstream", (char *)(uintptr_t)rows[i].word, "true", NULL},
                     rows[i].error);
    expect_error(
        (char *[]){"--upstream", "tls://192.0.2.53", "--upstream", "192.0.2.53", "true", NULL},
        "exclude each other");
    expect_error((char *[]){"--upstream=192.0.2.53", "--upstream=tls://192.0.2.53", "true", NULL},
                 "exclude each other");
    expect_error((char *[]){"--upstream=127.0.0.1", "--upstream=127.0.0.2", "--upstream=127.0.0.3",
                            "--upstream=127.0.0.4", "--upstream=127.0.0.5", "--upstream=127.0.0.6",
                            "--upstream=127.0.0.7", "--upstream=127.0.0.8", "--upstream=127.0.0.9",
                            "true", NULL},
                 "too many");
}

static void expect_server(const struct parsed *p, size_t i, const char *text, uint16_t port,
                          const char *name)
{
    const union resolver_address *a = &p->options.upstream.at[i].address;

    assert_string_equal(p->options.upstream.at[i].text, text);
    assert_string_equal(p->options.upstream.at[i].name, name);
    assert_int_equal(a->sa.sa_family, strchr(text, ':') ? AF_INET6 : AF_INET);
    assert_int_equal(ntohs(a->sa.sa_family == AF_INET
                               ? ((const struct sockaddr_in *)(const void *)a)->sin_port
                               : ((const struct sockaddr_in6 *)(const void *)a)->sin6_port),
                     port);
}

static void test_upstream(void **state)
{
    PARSED p = {0};

    (void)state;
    PARSE(&p, "true");
    assert_int_equal(p.options.upstream.count, 0);
    PARSE(&p, "--upstream", "192.0.2.53", "--upstream=[2001:DB8::53]:5353", "--upstream",
          "2001:db8::54", "--upstream", "192.0.2.53:1053", "true");
    assert_int_equal(p.r, 0);
    assert_false(p.options.upstream.tls);
    assert_int_equal(p.options.upstream.count, 4);
    expect_server(&p, 0, "192.0.2.53", 53, "");
    expect_server(&p, 1, "2001:db8::53", 5353, "");
    expect_server(&p, 2, "2001:db8::54", 53, "");
    expect_server(&p, 3, "192.0.2.53", 1053, "");
    PARSE(&p, "--upstream", "tls://192.0.2.53", "--upstream", "tls://[2001:db8::53]#DNS.example.",
          "--upstream", "tls://192.0.2.54:8853#b\303\274cher.example", "true");
    assert_int_equal(p.r, 0);
    assert_true(p.options.upstream.tls);
    expect_server(&p, 0, "192.0.2.53", 853, "");
    expect_server(&p, 1, "2001:db8::53", 853, "dns.example");
    expect_server(&p, 2, "192.0.2.54", 8853, "xn--bcher-kva.example");
}

static void test_loopback(void **state)
{
    PARSED p = {0};

    (void)state;
    PARSE(&p, "true");
    assert_int_equal(p.r, 0);
    assert_false(p.options.allow_loopback);
    PARSE(&p, "--allow-loopback", "true");
    assert_int_equal(p.r, 0);
    assert_true(p.options.allow_loopback);
    (void)setenv("CIJAIL_ALLOW_LOOPBACK", "1", 1);
    PARSE(&p, "true");
    assert_int_equal(p.r, 0);
    assert_true(p.options.allow_loopback);
    (void)setenv("CIJAIL_ALLOW_LOOPBACK", "0", 1);
    PARSE(&p, "true");
    assert_false(p.options.allow_loopback);
    PARSE(&p, "--allow-loopback", "true"); /* they add up */
    assert_true(p.options.allow_loopback);
}

static void test_limit_upload(void **state)
{
    static const struct {
        const char *size;
        uint64_t bytes;
    } rows[] = {{"1", 1},
                {"4096", 4096},
                {"10k", 10240},
                {"10M", 10485760},
                {"2G", 2147483648},
                {"1T", 1099511627776},
                {"18446744073709551615", UINT64_MAX}};
    PARSED p = {0};

    (void)state;
    PARSE(&p, "true");
    assert_true(p.options.upload_limit == 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        PARSE(&p, "--limit-upload", (char *)(uintptr_t)rows[i].size, "true");
        assert_int_equal(p.r, 0);
        assert_true(p.options.upload_limit == rows[i].bytes);
    }
    expect_error((char *[]){"--limit-upload", "18446744073709551616", "true", NULL},
                 "expected a number of bytes");
    expect_error((char *[]){"--limit-upload", "16777216T", "true", NULL}, "'16777216T'");
    expect_error((char *[]){"--limit-upload", "\x1b", "true", NULL}, "'\\x1b'");
    expect_error((char *[]){"--limit-upload", NULL}, "needs an argument");
}

static void test_secret_errors(void **state)
{
    static const struct {
        const char *arg, *error;
    } bad[] = {
        {"", "no host is named"},
        {"NAME", "no host is named"},
        {"=h.test", "no name of a variable"},
        {"1A=h.test", "no name of a variable"},
        {"A-B=h.test", "no name of a variable"},
        {"\x1b=h.test", "--secret \\x1b: "},
        {"N=", "a host is missing"},
        {"N=h.test,", "a host is missing"},
        {"N=,h.test", "a host is missing"},
        {"N=*.w.test", "a pattern would name"},
        {"N=http://h.test/", "https alone"},
        {"N=GET:https://h.test/", "https alone"},
        {"N=h.test:0", "port"},
        {"N=h..test", "--secret N: "},
        {"N=h.test i.test", "a space"},
        {"N:=h.test", "no name of a header field"},
        {"N:A B=h.test", "no name of a header field"},
        {"N:Host=h.test", "cannot stand in this field"},
        {"N:Proxy-Authorization=h.test", "cannot stand in this field"},
        {"N=other.test", "no https endpoint of the policy has other.test:443"},
        {"N=h.test:8443", "no https endpoint of the policy has h.test:8443"},
    };
    char words[] = "https://h.test/ plain.test", both[] = "https://h.test/ h.test:443";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        expect_error(
            (char *[]){"-e", words, "--secret", (char *)(uintptr_t)bad[i].arg, "true", NULL},
            bad[i].error);
    expect_error((char *[]){"-e", both, "--secret", "N=h.test", "true", NULL},
                 "leave that one out");
    expect_error((char *[]){"--secret", NULL}, "needs an argument");
}

static void test_secret(void **state)
{
    const struct secret *s;
    PARSED p = {0};

    (void)state;
    PARSE(&p, "-e", "https://h.test/ https://*.w.test:8443/ https://192.0.2.1/", "--secret",
          "NPM_TOKEN=H.test.,https://a.W.test:8443/x/../y", "--secret=B_2:X-My-Key=192.0.2.1/p",
          "true");
    assert_int_equal(p.r, 0);
    assert_int_equal(p.options.secrets.count, 2);
    s = p.options.secrets.at;
    assert_string_equal(s[0].name, "NPM_TOKEN");
    assert_string_equal(s[0].field, "");
    assert_string_equal(s[0].places, "https://h.test/ https://a.w.test:8443/y");
    assert_string_equal(s[1].name, "B_2");
    assert_string_equal(s[1].field, "x-my-key");
    assert_string_equal(s[1].places, "https://192.0.2.1/p");
    PARSE(&p, "--dry-run", "--secret", "N=any.test", "true"); /* where everything passes */
    assert_int_equal(p.r, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_command_begins_at_first_word, clear_environment),
        cmocka_unit_test_setup(test_endpoints_add_up, clear_environment),
        cmocka_unit_test_setup(test_policy_file, clear_environment),
        cmocka_unit_test_setup(test_errors, clear_environment),
        cmocka_unit_test_setup(test_no_abbreviations, clear_environment),
        cmocka_unit_test_setup(test_switch_variables, clear_environment),
        cmocka_unit_test_setup(test_loopback, clear_environment),
        cmocka_unit_test_setup(test_upstream, clear_environment),
        cmocka_unit_test_setup(test_upstream_errors, clear_environment),
        cmocka_unit_test_setup(test_limit_upload, clear_environment),
        cmocka_unit_test_setup(test_secret_errors, clear_environment),
        cmocka_unit_test_setup(test_secret, clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
