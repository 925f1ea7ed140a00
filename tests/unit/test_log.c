/* The log's two forms, folding, and that no byte of the jail reaches it unescaped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "src/log.h"
#include "src/util.h"

struct fixture {
    char path[64];
    struct options options;
    struct policy policy;
    struct log *log;
};

static void open_log(struct fixture *f)
{
    struct error e;
    int fd;

    copy_string(f->path, sizeof(f->path), "/tmp/cijail-test-log.XXXXXX");
    fd = mkstemp(f->path);
    assert_true(fd >= 0);
    (void)close(fd);
    f->options.log_path = f->path;
    policy_init(&f->policy);
    assert_int_equal(policy_parse(&f->policy, "-e", "https://a.example/", 18, &e), 0);
    assert_int_equal(log_open(&f->log, &f->options, &f->policy, &e), 0);
}

/* Everything that was written; the log is closed by it. */
static char *close_log(struct fixture *f)
{
    char *text;
    size_t len;

    log_close(f->log);
    assert_int_equal(read_file(f->path, 1u << 20, &text, &len, NULL), 0);
    (void)unlink(f->path);
    policy_free(&f->policy);
    return text;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static void deny_connect(struct log *l, const char *address, uint16_t port, uint32_t times)
{
    struct msg_log_connect m = {.decision = MSG_DENY,
                                .endpoint = POLICY_INDEX_NONE,
                                .count = times,
                                .port = port,
                                .family = AF_INET,
                                .protocol = IPPROTO_TCP};

    assert_int_equal(inet_pton(AF_INET, address, m.address), 1);
    log_connect(l, &m);
}

static void allow_connect(struct log *l, const char *address, uint16_t port, uint32_t endpoint)
{
    struct msg_log_connect m = {.decision = MSG_ALLOW,
                                .endpoint = endpoint,
                                .count = 1,
                                .port = port,
                                .family = AF_INET6,
                                .protocol = IPPROTO_TCP};

    assert_int_equal(inet_pton(AF_INET6, address, m.address), 1);
    log_connect(l, &m);
}

static void request(struct log *l, uint32_t decision, int status, const char *method,
                    const char *url)
{
    struct msg_log_request m = {
        .decision = decision, .status = status, .endpoint = POLICY_INDEX_NONE};

    if (decision == MSG_ALLOW)
        m.endpoint = 0;
    copy_string(m.method, sizeof(m.method), method);
    copy_string(m.url, sizeof(m.url), url);
    log_request(l, &m);
}

static void test_denials_are_folded(void **state)
{
    struct fixture f = {0};
    char *text;

    (void)state;
    open_log(&f);
    deny_connect(f.log, "1.1.1.1", 53, 1);
    deny_connect(f.log, "1.1.1.1", 53, 4);
    deny_connect(f.log, "1.1.1.1", 54, 1);
    request(f.log, MSG_ALLOW, 200, "GET", "https://a.example/x");
    assert_int_equal(log_denials(f.log), 6);
    text = close_log(&f);
    assert_int_equal(count(text, "] cijail: deny connect 1.1.1.1:53\n"), 1);
    assert_int_equal(count(text, "] cijail: deny connect 1.1.1.1:53 (5 times)\n"), 1);
    assert_int_equal(count(text, "] cijail: deny connect 1.1.1.1:54\n"), 1);
    assert_int_equal(count(text, "allow 200"), 0);
    assert_int_equal(count(text, "] cijail: 1 allowed, 6 denied\n"), 1);
    free(text);
}

static void test_verbose_writes_all(void **state)
{
    struct fixture f = {.options.verbose = true};
    char *text;

    (void)state;
    open_log(&f);
    deny_connect(f.log, "1.1.1.1", 53, 1);
    deny_connect(f.log, "1.1.1.1", 53, 1);
    request(f.log, MSG_ALLOW, 200, "GET", "https://a.example/x");
    request(f.log, MSG_DENY, 0, "PUT", "https://a.example/evil");
    text = close_log(&f);
    assert_int_equal(count(text, "cijail: deny connect 1.1.1.1:53\n"), 2);
    assert_int_equal(count(text, "cijail: allow 200 GET https://a.example/x\n"), 1);
    assert_int_equal(count(text, "cijail: deny - PUT https://a.example/evil\n"), 1);
    free(text);
}

static void test_quiet_writes_nothing(void **state)
{
    struct fixture f = {.options.quiet = true};
    char *text;

    (void)state;
    open_log(&f);
    deny_connect(f.log, "1.1.1.1", 53, 1);
    assert_int_equal(log_denials(f.log), 1);
    text = close_log(&f);
    assert_string_equal(text, "");
    free(text);
}

static void test_nothing_happened(void **state)
{
    struct fixture f = {0};
    char *text;

    (void)state;
    open_log(&f);
    text = close_log(&f);
    assert_string_equal(text, "");
    free(text);
}

static void test_bytes_are_escaped(void **state)
{
    struct fixture f = {.options.verbose = true};
    struct msg_log_resolve r = {
        .decision = MSG_DENY, .endpoint = POLICY_INDEX_NONE, .count = 1, .qtype = 16};
    char *text;

    (void)state;
    open_log(&f);
    request(f.log, MSG_DENY, 0, "GET", "https://x/\x1b[31m\n[forged] cijail: allow \xc3\xa4");
    copy_string(r.name, sizeof(r.name), "a\rb\x07.test");
    log_resolve(f.log, &r);
    text = close_log(&f);
    assert_int_equal(
        count(text, "deny - GET https://x/\\x1b[31m\\x0a[forged] cijail: allow \\xc3\\xa4\n"), 1);
    assert_int_equal(count(text, "deny resolve a\\x0db\\x07.test TXT\n"), 1);
    for (const char *p = text; *p; p++)
        assert_true((*p >= 0x20 && *p < 0x7f) || *p == '\n');
    assert_int_equal(count(text, "\n"), 3);
    free(text);
}

static void test_json(void **state)
{
    struct fixture f = {.options = {.verbose = true, .log_format = LOG_JSON}};
    char *text;

    (void)state;
    open_log(&f);
    request(f.log, MSG_ALLOW, 200, "GET", "https://a.example/\"q\"\x1b");
    deny_connect(f.log, "1.1.1.1", 53, 1);
    text = close_log(&f);
    assert_int_equal(
        count(text,
              "\"decision\":\"allow\",\"dry_run\":false,\"kind\":\"request\",\"method\":\"GET\","
              "\"url\":\"https://a.example/\\\"q\\\"\\u001b\",\"status\":200,\"bytes_sent\":0,"
              "\"bytes_received\":0,\"endpoint\":\"https://a.example/\"}\n"),
        1);
    assert_int_equal(
        count(
            text,
            "\"decision\":\"deny\",\"dry_run\":false,\"kind\":\"connect\",\"address\":\"1.1.1.1\","
            "\"port\":53,\"protocol\":\"tcp\"}\n"),
        1);
    assert_int_equal(count(text, "{\"time\":\"20"), 2);
    free(text);
}

static void would_deny(struct log *l, const char *name)
{
    struct msg_log_resolve r = {
        .decision = MSG_WOULD_DENY, .endpoint = POLICY_INDEX_NONE, .count = 1, .qtype = 1};

    copy_string(r.name, sizeof(r.name), name);
    log_resolve(l, &r);
}

static void test_dry_run(void **state)
{
    struct fixture f = {.options.dry_run = true};
    char *text;

    (void)state;
    open_log(&f);
    would_deny(f.log, "x.test");
    would_deny(f.log, "x.test");
    request(f.log, MSG_ALLOW, 200, "GET", "https://a.example/x");
    request(f.log, MSG_WOULD_DENY, 200, "GET", "https://b.example/x");
    deny_connect(f.log, "1.1.1.1", 0, 1); /* not let through either */
    log_unix(f.log, MSG_WOULD_DENY, "run/x", "/run/x", POLICY_INDEX_NONE);
    assert_int_equal(log_denials(f.log), 5);
    text = close_log(&f);
    assert_int_equal(count(text, "cijail: DRYRUN deny resolve x.test A\n"), 1);
    assert_int_equal(count(text, "cijail: DRYRUN deny resolve x.test A (2 times)\n"), 1);
    assert_int_equal(count(text, "cijail: DRYRUN deny 200 GET https://b.example/x\n"), 1);
    assert_int_equal(count(text, "cijail: DRYRUN deny unix run/x\n"), 1);
    assert_int_equal(count(text, "cijail: deny connect 1.1.1.1\n"), 1);
    assert_int_equal(count(text, "a.example"), 0);
    assert_int_equal(count(text, "cijail: dry run: 1 allowed, 5 denied\n"), 1);
    free(text);
}

static void test_dry_run_verbose(void **state)
{
    struct fixture f = {.options = {.dry_run = true, .verbose = true}};
    struct fixture json = {.options = {.dry_run = true, .verbose = true, .log_format = LOG_JSON}};
    char *text;

    (void)state;
    open_log(&f);
    request(f.log, MSG_ALLOW, 200, "GET", "https://a.example/x");
    would_deny(f.log, "x.test");
    would_deny(f.log, "x.test");
    text = close_log(&f);
    assert_int_equal(count(text, "cijail: DRYRUN allow 200 GET https://a.example/x\n"), 1);
    assert_int_equal(count(text, "cijail: DRYRUN deny resolve x.test A\n"), 2);
    free(text);
    open_log(&json);
    would_deny(json.log, "x.test");
    request(json.log, MSG_ALLOW, 200, "GET", "https://a.example/x");
    deny_connect(json.log, "1.1.1.1", 0, 1);
    text = close_log(&json);
    assert_int_equal(count(text, "\"decision\":\"deny\",\"dry_run\":true,\"kind\":\"resolve\""), 1);
    assert_int_equal(count(text, "\"decision\":\"allow\",\"dry_run\":true,"), 1);
    assert_int_equal(count(text, "\"decision\":\"deny\",\"dry_run\":false,\"kind\":\"connect\""),
                     1);
    free(text);
}

static void test_dry_run_of_nothing(void **state)
{
    struct fixture f = {.options.dry_run = true};
    char *text;

    (void)state;
    open_log(&f);
    text = close_log(&f);
    assert_int_equal(count(text, "cijail: dry run: 0 allowed, 0 denied\n"), 1);
    free(text);
}

static void test_flood_is_bounded(void **state)
{
    struct fixture f = {0};
    char *text;

    (void)state;
    open_log(&f);
    for (uint16_t port = 1; port <= 20000; port++)
        deny_connect(f.log, "1.1.1.1", port, 1);
    assert_int_equal(log_denials(f.log), 20000);
    text = close_log(&f);
    assert_int_equal(count(text, "deny connect"), 2048);
    assert_int_equal(count(text, "cijail: 17952 more denials, of which each is not listed\n"), 1);
    free(text);
}

static void test_allowed_connections(void **state)
{
    struct fixture f = {.options.verbose = true};
    struct fixture quiet = {0};
    char *text;

    (void)state;
    open_log(&f);
    allow_connect(f.log, "::1", 8080, POLICY_INDEX_NONE);
    text = close_log(&f);
    assert_int_equal(count(text, "] cijail: allow connect [::1]:8080\n"), 1);
    assert_int_equal(count(text, "] cijail: 1 allowed, 0 denied\n"), 1);
    free(text);
    open_log(&quiet);
    allow_connect(quiet.log, "::1", 8080, POLICY_INDEX_NONE);
    assert_int_equal(log_denials(quiet.log), 0);
    text = close_log(&quiet);
    assert_int_equal(count(text, "connect"), 0);
    free(text);
}

/* The longest strings that a message can carry, all of bytes that are escaped, are not cut. */
static void test_long_strings_are_whole(void **state)
{
    static const enum log_format formats[] = {LOG_TEXT, LOG_JSON};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        struct fixture f = {.options = {.verbose = true, .log_format = formats[i]}};
        const char *byte = formats[i] == LOG_JSON ? "\\u00e4" : "\\xe4";
        struct msg_log_request m = {.decision = MSG_ALLOW, .endpoint = 0};
        struct msg_log_resolve r = {
            .decision = MSG_DENY, .endpoint = POLICY_INDEX_NONE, .count = 1};
        size_t request_bytes, resolve_bytes = sizeof(r.name) - 1;
        char *text;

        memset(m.method, 0xe4, sizeof(m.method) - 1);
        memset(m.url, 0xe4, sizeof(m.url) - 1);
        memset(m.reason, 0xe4, sizeof(m.reason) - 1);
        memset(r.name, 0xe4, sizeof(r.name) - 1);
        memset(r.reason, 0xe4, sizeof(r.reason) - 1);
        request_bytes = sizeof(m.method) + sizeof(m.url) + sizeof(m.reason) - 3;
        if (formats[i] == LOG_JSON)
            resolve_bytes += sizeof(r.reason) - 1;
        open_log(&f);
        log_request(f.log, &m);
        log_resolve(f.log, &r);
        text = close_log(&f);
        assert_int_equal(count(text, byte), request_bytes + resolve_bytes);
        if (formats[i] == LOG_JSON) {
            assert_int_equal(count(text, "\"endpoint\":\"https://a.example/\""), 1);
            assert_int_equal(count(text, "\"}\n"), 2);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_denials_are_folded),     cmocka_unit_test(test_verbose_writes_all),
        cmocka_unit_test(test_quiet_writes_nothing),   cmocka_unit_test(test_nothing_happened),
        cmocka_unit_test(test_bytes_are_escaped),      cmocka_unit_test(test_json),
        cmocka_unit_test(test_flood_is_bounded),       cmocka_unit_test(test_allowed_connections),
        cmocka_unit_test(test_long_strings_are_whole), cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_dry_run_verbose),        cmocka_unit_test(test_dry_run_of_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
