/* test_cache.c: the bounded map: what stays, what goes, and that each value is released once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "httpproxy/cache.h"
#include "src/util.h"

static size_t released;

static void release(void *value)
{
    released++;
    free(value);
}

static struct cache *make(size_t max)
{
    released = 0;
    return cache_new(max, release);
}

static void put(struct cache *c, const char *key)
{
    cache_put(c, key, xstrdup(key));
}

static void test_get_and_put(void **state)
{
    (void)state;
    struct cache *c = make(4);

    assert_null(cache_get(c, "a"));
    put(c, "a");
    put(c, "b");
    assert_string_equal(cache_get(c, "a"), "a");
    assert_string_equal(cache_get(c, "b"), "b");
    assert_int_equal(cache_count(c), 2);
    cache_put(c, "a", xstrdup("new"));
    assert_string_equal(cache_get(c, "a"), "new");
    assert_int_equal(cache_count(c), 2);
    assert_int_equal(released, 1);
    cache_free(c);
    assert_int_equal(released, 3);
}

static void test_oldest_goes(void **state)
{
    (void)state;
    struct cache *c = make(3);

    put(c, "a");
    put(c, "b");
    put(c, "c");
    assert_non_null(cache_get(c, "a")); /* now b is the oldest */
    put(c, "d");
    assert_null(cache_get(c, "b"));
    assert_non_null(cache_get(c, "a"));
    assert_non_null(cache_get(c, "c"));
    assert_non_null(cache_get(c, "d"));
    assert_int_equal(released, 1);
    cache_free(c);
}

static void test_remove(void **state)
{
    (void)state;
    struct cache *c = make(3);

    put(c, "a");
    cache_remove(c, "b");
    assert_int_equal(released, 0);
    cache_remove(c, "a");
    assert_int_equal(released, 1);
    assert_null(cache_get(c, "a"));
    assert_int_equal(cache_count(c), 0);
    cache_free(c);
}

static void test_bound(void **state)
{
    (void)state;
    struct cache *c = make(100);
    char key[16];

    for (int i = 0; i < 10000; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        put(c, key);
        assert_true(cache_count(c) <= 100);
    }
    assert_int_equal(cache_count(c), 100);
    assert_int_equal(released, 9900);
    assert_non_null(cache_get(c, "k9900"));
    assert_null(cache_get(c, "k9899"));
    cache_free(c);
}

static void test_one_entry(void **state)
{
    (void)state;
    struct cache *c = make(1);

    put(c, "a");
    put(c, "b");
    assert_null(cache_get(c, "a"));
    assert_non_null(cache_get(c, "b"));
    put(c, "b");
    assert_int_equal(cache_count(c), 1);
    cache_free(c);
    assert_int_equal(released, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_and_put), cmocka_unit_test(test_oldest_goes),
        cmocka_unit_test(test_remove),      cmocka_unit_test(test_bound),
        cmocka_unit_test(test_one_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
