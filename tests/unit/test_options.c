/* The command line and the environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
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
    assert_int_equal(p.policy.count, 0);
    PARSE(&p, "--", "-v");
    assert_int_equal(p.r, 0);
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
    expect_error((char *[]){"--nope", "true", NULL}, "--nope");
    expect_error((char *[]){"-e", NULL}, "needs an argument");
    expect_error((char *[]){"-Z", "true", NULL}, "-Z");
    expect_error((char *[]){"--log-format", "xml", "true", NULL}, "text or json");
    expect_error((char *[]){"-e", "ok.example ftp://x/", "true", NULL}, "-e:1: 'ftp://x/'");
    expect_error((char *[]){"-e", "ns.example:53", "true", NULL}, "ns.example:53");
    expect_error((char *[]){"--summary", NULL}, "needs an argument");
    expect_error((char *[]){"--learn", NULL}, "needs an argument");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_command_begins_at_first_word, clear_environment),
        cmocka_unit_test_setup(test_endpoints_add_up, clear_environment),
        cmocka_unit_test_setup(test_policy_file, clear_environment),
        cmocka_unit_test_setup(test_errors, clear_environment),
        cmocka_unit_test_setup(test_switch_variables, clear_environment),
        cmocka_unit_test_setup(test_loopback, clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
