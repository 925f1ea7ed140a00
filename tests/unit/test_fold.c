/* test_fold.c: the token bucket, and log messages folded and bounded. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/time.h>

#include "dnsproxy/fold.h"
#include "dnsproxy/hash.h"
#include "dnsproxy/rate.h"
#include "src/util.h"

struct note {
    uint32_t key, count;
};

#define OTHERS UINT32_MAX

struct fixture {
    struct event_base *base;
    struct fold *fold;
    unsigned messages;
    uint64_t events; /* the sum of all counts */
    uint32_t others; /* of the sum message */
    struct note last;
};

static void on_send(void *arg, const void *msg)
{
    struct fixture *f = arg;
    memcpy(&f->last, msg, sizeof(f->last));
    assert_true(f->last.count > 0);
    f->messages++;
    f->events += f->last.count;
    if (f->last.key == OTHERS)
        f->others += f->last.count;
}

static uint32_t hash(uint32_t seed, const void *msg)
{
    return hash_words(seed, &((const struct note *)msg)->key, sizeof(uint32_t));
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct note others = {.key = OTHERS};
    f->base = event_base_new();
    f->fold = fold_new(f->base, sizeof(struct note), offsetof(struct note, count), &others, hash,
                       on_send, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fold_free(f->fold);
    event_base_free(f->base);
    free(f);
    return 0;
}

static void add(struct fixture *f, uint32_t key)
{
    fold_add(f->fold, &(struct note){.key = key, .count = 99},
             1); /* the count given means nothing */
}

static void run_for(struct fixture *f, unsigned ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)event_base_loopexit(f->base, &tv);
    (void)event_base_dispatch(f->base);
}

static void test_rate(void **state)
{
    (void)state;
    struct rate r = rate_init(10, 1000);
    unsigned n = 0;
    while (rate_take(&r, 1000) && n < 100)
        n++;
    assert_int_equal(n, 10);
    assert_false(rate_take(&r, 1000 + 99999));
    assert_true(rate_take(&r, 1000 + 100000)); /* fractions add up */
    assert_false(rate_take(&r, 1000 + 100001));
    for (n = 0; rate_take(&r, UINT64_C(1) << 50) && n < 100;
         n++) /* a long pause holds no more than a second */
        ;
    assert_int_equal(n, 10);
}

static void test_repeats_are_folded(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 1000; i++)
        add(f, 1);
    add(f, 2);
    assert_int_equal(f->messages, 2); /* each once, at once */
    assert_int_equal(f->events, 2);
    run_for(f, FOLD_WINDOW_MS + 600);
    assert_int_equal(f->messages, 3);
    assert_int_equal(f->last.key, 1);
    assert_int_equal(f->last.count, 999);
}

static void test_forgotten_after_the_window(void **state)
{
    struct fixture *f = *state;
    add(f, 1);
    run_for(f, FOLD_WINDOW_MS + 600);
    add(f, 1);
    assert_int_equal(f->messages, 2);
    assert_int_equal(f->last.count, 1);
}

static void test_flood_is_bounded_and_counted(void **state)
{
    struct fixture *f = *state;
    const uint32_t total = 5000;
    for (uint32_t key = 0; key < total; key++)
        add(f, key);
    assert_true(f->messages >= FOLD_PER_SECOND);
    assert_true(f->messages <= FOLD_PER_SECOND + 50);
    run_for(f, 1100);
    assert_true(f->messages <= 3 * FOLD_PER_SECOND);
    assert_int_equal(f->others, total - FOLD_SLOTS);
    fold_flush(f->fold); /* at the end every event has been told */
    assert_int_equal(f->events, total);
    fold_flush(f->fold);
    assert_int_equal(f->events, total);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),
        T(test_repeats_are_folded),
        T(test_forgotten_after_the_window),
        T(test_flood_is_bounded_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
