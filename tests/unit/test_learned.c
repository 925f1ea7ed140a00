/* test_learned.c: which addresses NAME:PORT endpoints allow, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "src/learned.h"
#include "src/util.h"

static struct policy policy;
static struct learned *learned;
static uint64_t now;

static uint64_t clock_now(void)
{
    return now;
}

static void start(const char *text)
{
    struct error e;

    policy_init(&policy);
    assert_int_equal(policy_parse(&policy, "test", text, strlen(text), &e), 0);
    now = 1000;
    learned = learned_new(&policy, clock_now, NULL, NULL);
}

static void stop(void)
{
    learned_free(learned);
    policy_free(&policy);
}

static void add(const char *name, uint32_t ttl, const char *address)
{
    struct msg_learn m = {.ttl = ttl, .count = 1};

    msg_init(&m, MSG_LEARN, sizeof(m));
    m.family = strchr(address, ':') ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(m.family, address, m.address[0]), 1);
    copy_string(m.name, sizeof(m.name), name);
    assert_int_equal(msg_check(&m, sizeof(m)), 0);
    learned_add(learned, &m);
}

static const char *match(const char *address, uint16_t port, const char **name)
{
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;
    uint8_t bytes[16];
    const struct endpoint *ep;

    assert_int_equal(inet_pton(family, address, bytes), 1);
    ep = learned_match(learned, family, bytes, port, name);
    return ep ? ep->word : "-";
}

#define MATCH(address, port, word) assert_string_equal(match(address, port, NULL), word)

static void test_match(void **state)
{
    const char *name;

    (void)state;
    start("a.test:22 *.w.test:443 a.test:443 x.w.test:443 https://u.test/ n.test A.test:22");
    MATCH("198.51.100.1", 22, "-");
    add("a.test", 300, "198.51.100.1");
    add("a.test", 300, "2001:db8::1");
    add("x.w.test", 300, "198.51.100.2");
    assert_string_equal(match("198.51.100.1", 22, &name), "a.test:22");
    assert_string_equal(name, "a.test");
    MATCH("198.51.100.1", 443, "a.test:443");
    MATCH("2001:db8::1", 22, "a.test:22");
    assert_string_equal(match("198.51.100.2", 443, &name), "*.w.test:443"); /* the first of them */
    assert_string_equal(name, "x.w.test");
    MATCH("198.51.100.1", 80, "-");
    MATCH("198.51.100.2", 22, "-");
    MATCH("2001:db8::2", 22, "-");
    MATCH("c633:6401::", 22, "-");      /* the bytes of the IPv4 address */
    add("u.test", 300, "198.51.100.3"); /* other endpoints' names say nothing */
    add("n.test", 300, "198.51.100.3");
    add("w.test", 300, "198.51.100.3");
    add("evil.test", 300, "198.51.100.3");
    MATCH("198.51.100.3", 443, "-");
    MATCH("198.51.100.3", 22, "-");
    stop();
}

/* DNS rebinding: whatever dnsproxy says. */
static void test_local(void **state)
{
    static const char *const addresses[] = {"127.0.0.1",
                                            "127.1.2.3",
                                            "0.0.0.0",
                                            "10.0.0.1",
                                            "172.16.0.1",
                                            "192.168.1.1",
                                            "169.254.169.254",
                                            "100.64.0.1",
                                            "192.0.0.1",
                                            "224.0.0.1",
                                            "255.255.255.255",
                                            "::1",
                                            "::",
                                            "fe80::1",
                                            "fd00::1",
                                            "ff02::1",
                                            "::ffff:127.0.0.1",
                                            "64:ff9b::7f00:1"};

    (void)state;
    start("*:22");
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        add("a.test", 300, addresses[i]);
        MATCH(addresses[i], 22, "-");
    }
    add("a.test", 300, "198.51.100.1");
    MATCH("198.51.100.1", 22, "*:22");
    stop();
}

static void test_expiry(void **state)
{
    (void)state;
    start("*:22");
    add("a.test", 300, "198.51.100.1");
    add("a.test", 0, "198.51.100.2");
    add("a.test", UINT32_MAX, "198.51.100.3");
    now += LEARNED_TTL_MIN * 1000 - 1;
    MATCH("198.51.100.2", 22, "*:22");
    now += 1;
    MATCH("198.51.100.2", 22, "-");
    MATCH("198.51.100.1", 22, "*:22");
    add("b.test", 300, "198.51.100.1"); /* again, for longer */
    add("c.test", 1, "198.51.100.1");   /* no shorter */
    now += 299999;
    MATCH("198.51.100.1", 22, "*:22");
    now += 1;
    MATCH("198.51.100.1", 22, "-");
    MATCH("198.51.100.3", 22, "*:22");
    now = 1000 + (uint64_t)LEARNED_TTL_MAX * 1000;
    MATCH("198.51.100.3", 22, "-");
    add("a.test", 300, "198.51.100.1"); /* all that has expired is dropped here */
    MATCH("198.51.100.1", 22, "*:22");
    stop();
}

static void address_of(unsigned i, uint8_t out[16])
{
    memset(out, 0, 16);
    out[0] = 0x20;
    out[1] = 0x01;
    out[2] = 0x0d;
    out[3] = 0xb8;
    out[13] = (uint8_t)(i >> 16);
    out[14] = (uint8_t)(i >> 8);
    out[15] = (uint8_t)i;
}

/* More than there is room for: those that expire first go, and all others are found. */
static void test_bound(void **state)
{
    struct msg_learn m = {.family = AF_INET6, .count = 1, .name = "a.test"};
    unsigned total = LEARNED_MAX + 5000, found = 0;
    uint8_t bytes[16];

    (void)state;
    start("*:22");
    msg_init(&m, MSG_LEARN, sizeof(m));
    for (unsigned i = 0; i < total; i++) {
        address_of(i, m.address[0]);
        m.ttl = 1000 + i * 7919 % total; /* in an order of its own */
        learned_add(learned, &m);
    }
    for (unsigned i = 0; i < total; i++) {
        address_of(i, bytes);
        bool is = learned_match(learned, AF_INET6, bytes, 22, NULL) != NULL;
        found += is;
        if (i * 7919 % total > total - LEARNED_MAX + 5000)
            assert_true(is);
    }
    assert_int_equal(found, LEARNED_MAX);
    now += 1000 * 1000 + (uint64_t)total * 500; /* about half of them are over */
    address_of(total, m.address[0]);
    learned_add(learned, &m);
    found = 0;
    for (unsigned i = 0; i <= total; i++) {
        address_of(i, bytes);
        found += learned_match(learned, AF_INET6, bytes, 22, NULL) != NULL;
    }
    assert_true(found > total / 3 && found < total * 2 / 3);
    stop();
}

/* Many ports of one name: a bound, too. */
static void test_ports(void **state)
{
    cleanup_free char *text = xmalloc(20 * 2000);
    size_t len = 0;

    (void)state;
    for (int i = 0; i < 2000; i++)
        len += (size_t)sprintf(text + len, "a.test:%d ", 1000 + i);
    start(text);
    add("a.test", 300, "198.51.100.1");
    MATCH("198.51.100.1", 1000, "a.test:1000");
    MATCH("198.51.100.1", 1000 + LEARNED_PORTS_MAX - 1, "a.test:2023");
    MATCH("198.51.100.1", 1000 + LEARNED_PORTS_MAX, "-");
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match), cmocka_unit_test(test_local), cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_bound), cmocka_unit_test(test_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
