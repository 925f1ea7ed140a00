/* test_dns_cache.c: the cache of dnsproxy, and the names of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "dnsproxy/cache.h"
#include "dnsproxy/reverse.h"

#define NOW 1000000u /* ms */

static struct answer answer;
static const struct msg_server gateway;
static unsigned dropped;

static void count_drop(void *arg, struct cached *e)
{
    (void)arg;
    (void)e;
    dropped++;
}

/* A body of len bytes, whose first record's time stands at 6. */
static void make(uint32_t ttl, size_t len)
{
    answer_empty(&answer);
    answer.ancount = 1;
    answer.len = len;
    answer.cache_ttl = ttl;
    answer.ttl_at[0] = 6;
    memset(answer.body, 0, len);
    answer.body[8] = (uint8_t)(ttl >> 8);
    answer.body[9] = (uint8_t)ttl;
}

static struct cache_key key(const struct cache *c, const char *name, uint16_t qtype)
{
    return cache_key(c, name, strlen(name), qtype, &gateway);
}

static struct cached *get(struct cache *c, const char *name, uint16_t qtype, uint64_t now)
{
    struct cache_key k = key(c, name, qtype);
    return cache_find(c, &k, now);
}

static void put(struct cache *c, const char *name, uint16_t qtype, uint64_t now)
{
    struct cache_key k = key(c, name, qtype);
    (void)cache_put(c, &k, &answer, now);
}

static void test_by_question(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES, count_drop, NULL);
    const struct msg_server other = {.family = AF_INET, .address = {203, 0, 113, 5}};
    struct cache_key k = cache_key(c, "a.example", 9, 1, &other);

    (void)state;
    make(300, 16);
    put(c, "a.example", 1, NOW);
    assert_non_null(get(c, "a.example", 1, NOW));
    assert_null(get(c, "a.example", 28, NOW));
    assert_null(get(c, "b.example", 1, NOW));
    assert_null(cache_find(c, &k, NOW));
    cache_free(c);
}

/* RFC 1035, 3.2.1: the time counts down; RFC 8767, 4: an answer that is stale has 30 s. */
static void test_times(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES, count_drop, NULL);
    struct answer_view v;

    (void)state;
    make(300, 16);
    put(c, "a.example", 1, NOW);
    v = cache_view(get(c, "a.example", 1, NOW + 100000), NOW + 100000);
    assert_int_equal(v.age, 100);
    assert_int_equal(v.stale_ttl, 0);
    assert_true(cache_is_fresh(get(c, "a.example", 1, NOW + 299999), NOW + 299999));
    assert_false(cache_is_fresh(get(c, "a.example", 1, NOW + 300000), NOW + 300000));
    v = cache_view(get(c, "a.example", 1, NOW + 300000), NOW + 300000);
    assert_int_equal(v.stale_ttl, CACHE_STALE_TTL);
    assert_null(get(c, "a.example", 1, NOW + 300000 + CACHE_STALE_S * 1000ull));
    assert_int_equal(cache_bytes(c), 0);
    cache_free(c);
}

static void test_time_is_written(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES, count_drop, NULL);
    static uint8_t out[DNS_MESSAGE_MAX];
    struct query q = {.tcp = true};
    struct answer_view v;

    (void)state;
    make(300, 16);
    put(c, "a.example", 1, NOW);
    v = cache_view(get(c, "a.example", 1, NOW + 44000), NOW + 44000);
    assert_int_equal(answer_write_view(&q, 0, &v, out), DNS_HEADER_LEN + 16);
    assert_memory_equal(out + DNS_HEADER_LEN + 6, "\0\0\1\0", 4); /* 256 */
    v = cache_view(get(c, "a.example", 1, NOW + 400000), NOW + 400000);
    (void)answer_write_view(&q, 0, &v, out);
    assert_memory_equal(out + DNS_HEADER_LEN + 6, "\0\0\0\36", 4); /* 30 */
    cache_free(c);
}

/* RFC 8020, 2: nothing is below a name that does not exist, whatever the type. */
static void test_cut(void **state)
{
    static const struct msg_server other = {.family = AF_INET, .address = {203, 0, 113, 5}};
    struct cache *c = cache_new(CACHE_BYTES, count_drop, NULL);

    (void)state;
    make(60, 16);
    cache_put_cut(c, "a.example", &gateway, &answer, NOW);
    assert_non_null(cache_find_cut(c, "a.example", &gateway, NOW));
    assert_non_null(cache_find_cut(c, "d.c.b.a.example", &gateway, NOW));
    assert_null(cache_find_cut(c, "b.a.example", &other, NOW));
    assert_null(cache_find_cut(c, "ba.example", &gateway, NOW));
    assert_null(cache_find_cut(c, "example", &gateway, NOW));
    assert_null(cache_find_cut(c, "b.a.example", &gateway, NOW + 60000)); /* a stale one cuts not */
    assert_null(get(c, "a.example", 1, NOW));
    cache_free(c);
}

static void test_not_kept(void **state)
{
    struct cache *c = cache_new(100000, count_drop, NULL);

    (void)state;
    make(0, 16);
    put(c, "a.example", 1, NOW);
    assert_null(get(c, "a.example", 1, NOW));
    make(300, 60000);
    put(c, "a.example", 1, NOW);
    assert_null(get(c, "a.example", 1, NOW));
    assert_int_equal(cache_bytes(c), 0);
    cache_free(c);
}

static void test_replaced(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES, count_drop, NULL);

    (void)state;
    dropped = 0;
    make(300, 16);
    put(c, "a.example", 1, NOW);
    make(300, 40);
    put(c, "a.example", 1, NOW);
    assert_int_equal(dropped, 1);
    assert_int_equal(get(c, "a.example", 1, NOW)->view.len, 40);
    make(0, 16); /* what holds no longer than now takes the old one along */
    put(c, "a.example", 1, NOW);
    assert_null(get(c, "a.example", 1, NOW));
    cache_free(c);
}

/* Bounded by bytes; what was used stays. */
static void test_bound(void **state)
{
    struct cache *c = cache_new(100000, count_drop, NULL);
    char name[32];

    (void)state;
    make(300, 200);
    put(c, "kept.example", 1, NOW);
    for (unsigned i = 0; i < 100000; i++) {
        (void)snprintf(name, sizeof(name), "n%u.example", i);
        put(c, name, 1, NOW);
        assert_true(cache_bytes(c) <= 100000);
        assert_non_null(get(c, "kept.example", 1, NOW));
    }
    assert_null(get(c, "n0.example", 1, NOW));
    assert_non_null(get(c, "n99999.example", 1, NOW));
    cache_free(c);
}

static void test_reverse(void **state)
{
    struct reverse *r = reverse_new();
    struct answer_address v4 = {.family = AF_INET, .address = {198, 51, 100, 10}};
    struct answer_address v6 = {.family = AF_INET6,
                                .address = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x1f}};

    (void)state;
    reverse_add(r, &v4, "a.example");
    reverse_add(r, &v6, "b.example");
    assert_string_equal(reverse_find(r, "10.100.51.198.in-addr.arpa"), "a.example");
    assert_string_equal(reverse_find(r,
                                     "f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0."
                                     "0.2.ip6.arpa"),
                        "b.example");
    assert_null(reverse_find(r, "11.100.51.198.in-addr.arpa"));
    assert_null(reverse_find(r, "010.100.51.198.in-addr.arpa"));
    assert_null(reverse_find(r, "266.100.51.198.in-addr.arpa"));
    assert_null(reverse_find(r, "10.100.51.in-addr.arpa"));
    assert_null(reverse_find(r, "in-addr.arpa"));
    assert_null(reverse_find(r, "ip6.arpa"));
    reverse_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_question),     cmocka_unit_test(test_times),
        cmocka_unit_test(test_time_is_written), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_not_kept),        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_bound),           cmocka_unit_test(test_reverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
