/* test_policy_index.c: the index of a policy decides as going through the list does, for random
 * policies and questions, and does not do more work for more endpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/policy.h"
#include "src/util.h"

#define POLICIES 400
#define WORDS 60
#define QUESTIONS 100

static uint32_t seed = 1;

static unsigned below(unsigned n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* Few letters, so that much matches. */
static void random_name(char *out, size_t labels, bool pattern)
{
    static const char *const plain[] = {"a", "b", "aa", "ab", "example"};
    static const char *const stars[] = {"*", "*a", "a*", "*-b", "a*b", "**"};
    size_t n = 0;

    for (size_t i = 0; i < labels; i++) {
        bool star = pattern && below(4) == 0;
        const char *label = star ? stars[below(ARRAY_LEN(stars))] : plain[below(ARRAY_LEN(plain))];
        n += (size_t)sprintf(out + n, "%s%s", i ? "." : "", label);
    }
}

static void random_path(char *out)
{
    static const char *const parts[] = {"", "/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/b?x=1"};

    (void)sprintf(out, "%s", parts[below(ARRAY_LEN(parts))]);
}

static void random_url(char *out, bool pattern)
{
    static const char *const ports[] = {"", ":80", ":443", ":8080"};
    char name[64], path[16];

    random_name(name, 1 + below(3), pattern);
    random_path(path);
    (void)sprintf(out, "http%s://%s%s%s", below(2) ? "s" : "", below(8) ? name : "192.0.2.1",
                  ports[below(ARRAY_LEN(ports))], path);
}

static void random_word(char *out)
{
    static const char *const methods[] = {"", "", "GET,HEAD:", "PUT:", "GET,PUT:"};
    char text[128];

    switch (below(5)) {
    case 0:
        random_name(text, 1 + below(3), true);
        (void)sprintf(out, "%s%s", text, below(3) ? "" : "!private");
        break;
    case 1:
        random_name(text, 1 + below(3), true);
        (void)sprintf(out, "%s:%u", text, 80 + below(2));
        break;
    case 2:
        (void)sprintf(out, "192.0.2.%u:%u", below(3), below(2) ? 80u : 53u);
        break;
    default:
        random_url(text, true);
        (void)sprintf(out, "%s%s", methods[below(ARRAY_LEN(methods))], text);
        break;
    }
}

/* Two of one text: with an index, and without. */
static void random_policies(struct policy *with, struct policy *without)
{
    char text[WORDS * 160] = "";
    size_t n = 0;

    for (unsigned i = below(WORDS); i > 0; i--) {
        random_word(text + n);
        n += strlen(text + n);
        text[n++] = '\n';
    }
    policy_init(with);
    policy_init(without);
    assert_int_equal(policy_parse(with, "t", text, n, NULL), 0);
    assert_int_equal(policy_parse(without, "t", text, n, NULL), 0);
    policy_seal(with);
}

/* The same word of the text. */
static void expect_same(const struct policy *a, const struct endpoint *x, const struct policy *b,
                        const struct endpoint *y, const char *what)
{
    if (policy_index(a, x) != policy_index(b, y))
        fail_msg("%s: %s, without an index %s", what, x ? x->word : "-", y ? y->word : "-");
}

static void compare_names(const struct policy *a, const struct policy *b)
{
    const struct endpoint *x[WORDS], *y[WORDS];
    char name[64];

    random_name(name, 1 + below(4), false);
    expect_same(a, policy_match_resolve(a, name), b, policy_match_resolve(b, name), name);
    expect_same(a, policy_match_name_port(a, name, 80), b, policy_match_name_port(b, name, 80),
                name);
    assert_int_equal(policy_allows_private(a, name), policy_allows_private(b, name));
    assert_int_equal(policy_has_ports(a, name), policy_has_ports(b, name));
    size_t n = policy_name_ports(a, name, x, WORDS);
    assert_int_equal(n, policy_name_ports(b, name, y, WORDS));
    for (size_t i = 0; i < n; i++)
        expect_same(a, x[i], b, y[i], name);
}

static void compare_urls(const struct policy *a, const struct policy *b)
{
    static const char *const methods[] = {"GET", "PUT", "DELETE"};
    static struct url u;
    const char *m = methods[below(ARRAY_LEN(methods))];
    char text[128];

    random_url(text, false);
    if (url_parse(text, strlen(text), &u, NULL) < 0)
        return;
    expect_same(a, policy_match_request(a, m, &u), b, policy_match_request(b, m, &u), text);
    expect_same(a, policy_match_upload(a, m, &u), b, policy_match_upload(b, m, &u), text);
    expect_same(a, policy_match_authority(a, u.scheme, &u.authority), b,
                policy_match_authority(b, u.scheme, &u.authority), text);
}

static void compare_addresses(const struct policy *a, const struct policy *b)
{
    const uint8_t address[4] = {192, 0, 2, (uint8_t)below(4)};

    expect_same(a, policy_match_address(a, AF_INET, address, 80), b,
                policy_match_address(b, AF_INET, address, 80), "address");
    expect_same(a, policy_match_dns_server(a, AF_INET, address), b,
                policy_match_dns_server(b, AF_INET, address), "server");
}

static void test_same_as_list(void **state)
{
    (void)state;
    for (unsigned i = 0; i < POLICIES; i++) {
        struct policy with, without;

        seed = i + 1;
        random_policies(&with, &without);
        for (unsigned k = 0; k < QUESTIONS; k++) {
            compare_names(&with, &without);
            compare_urls(&with, &without);
            compare_addresses(&with, &without);
        }
        policy_free(&with);
        policy_free(&without);
    }
}

/* The questions above do find something. */
static void test_questions_match(void **state)
{
    struct policy with, without;
    unsigned found = 0;
    char name[64];

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        seed = i + 1;
        random_policies(&with, &without);
        random_name(name, 2, false);
        found += policy_match_resolve(&with, name) != NULL;
        policy_free(&with);
        policy_free(&without);
    }
    assert_in_range(found, 5, 45);
}

/* Words after policy_seal count. */
static void test_further_words(void **state)
{
    struct policy p;

    (void)state;
    policy_init(&p);
    assert_int_equal(policy_parse(&p, "t", "a.example", 9, NULL), 0);
    policy_seal(&p);
    assert_non_null(policy_match_resolve(&p, "a.example"));
    assert_null(policy_match_resolve(&p, "b.example"));
    assert_int_equal(policy_parse(&p, "t", "b.example", 9, NULL), 0);
    assert_non_null(policy_match_resolve(&p, "b.example"));
    policy_seal(&p);
    assert_non_null(policy_match_resolve(&p, "b.example"));
    policy_free(&p);
}

static void test_private(void **state)
{
    static const char text[] = "*.corp.example!private pub.example";
    struct policy p;

    (void)state;
    policy_init(&p);
    assert_int_equal(policy_parse(&p, "t", text, sizeof(text) - 1, NULL), 0);
    policy_seal(&p);
    assert_true(policy_allows_private(&p, "a.b.corp.example"));
    assert_false(policy_allows_private(&p, "corp.example"));
    assert_false(policy_allows_private(&p, "pub.example"));
    assert_non_null(policy_match_resolve(&p, "a.corp.example"));
    policy_free(&p);
}

/* Processor time of many lookups, in clock ticks. */
static clock_t time_lookups(const struct policy *p)
{
    static struct url u;
    char text[] = "https://h7.example/pkg/7/x.tgz";
    clock_t start = clock();

    assert_int_equal(url_parse(text, strlen(text), &u, NULL), 0);
    for (unsigned i = 0; i < 20000; i++) {
        assert_non_null(policy_match_resolve(p, "a.b.w7.example"));
        assert_null(policy_match_resolve(p, "nothing.of.this.example"));
        assert_non_null(policy_match_request(p, "GET", &u));
    }
    return clock() - start;
}

static void many(struct policy *p, unsigned count)
{
    char word[128];

    policy_init(p);
    for (unsigned i = 0; i < count; i++) {
        int n =
            sprintf(word, "n%u.example *.w%u.example https://h%u.example/pkg/%u/", i, i, i % 10, i);
        assert_int_equal(policy_parse(p, "t", word, (size_t)n, NULL), 0);
    }
    policy_seal(p);
}

/* A thousand times as many endpoints: far from a thousand times the work. */
static void test_cost(void **state)
{
    struct policy few, lots;

    (void)state;
    many(&few, 10);
    many(&lots, 10000);
    clock_t a = time_lookups(&few), b = time_lookups(&lots);
    print_message("10: %ld us, 10000: %ld us for 60000 lookups\n", (long)a, (long)b);
    assert_true(b < a * 20 + 100000);
    policy_free(&few);
    policy_free(&lots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_list),  cmocka_unit_test(test_questions_match),
        cmocka_unit_test(test_further_words), cmocka_unit_test(test_private),
        cmocka_unit_test(test_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
