/* test_raw_judge.c: where a connection that the rules hold may go, and the addresses that it is
 * known by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "src/net.h"
#include "src/raw_parts.h"
#include "src/util.h"

static struct msg_tuple tuple(const char *address, uint16_t port)
{
    struct msg_tuple t = {.source_port = 40000, .port = port};

    t.family = strchr(address, ':') ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(t.family, address, t.address), 1);
    return t;
}

static void test_judge(void **state)
{
    enum { NO, RELAY, URL };
    static const char words[] =
        "10.1.0.0/16:22 10.1.2.3:443 [2001:db8::]/32:22 0.0.0.0/0:8080 https://h/ http://h:81/";
    static const struct {
        const char *address;
        uint16_t port;
        uint8_t protocol;
        int expected, dry; /* dry: in a dry run */
    } cases[] = {
        {"10.1.2.3", 22, IPPROTO_TCP, RELAY, RELAY},
        {"10.1.2.3", 22, IPPROTO_UDP, RELAY, RELAY},
        {"10.2.0.1", 22, IPPROTO_TCP, NO, RELAY},
        {"10.2.0.1", 22, IPPROTO_UDP, NO, RELAY},
        {"2001:db8::1", 22, IPPROTO_TCP, RELAY, RELAY},
        {"10.1.2.3", 443, IPPROTO_TCP, RELAY, RELAY},
        {"10.1.2.4", 443, IPPROTO_TCP, URL, URL},
        {"10.1.2.4", 443, IPPROTO_UDP, NO, RELAY},
        {"10.1.2.4", 81, IPPROTO_TCP, URL, URL},
        {"10.1.2.4", 80, IPPROTO_TCP, NO, URL},
        {"10.1.2.4", 82, IPPROTO_TCP, NO, RELAY},
        {"169.254.169.254", 82, IPPROTO_TCP, NO, RELAY},
        {"127.0.0.1", 8080, IPPROTO_TCP, NO, NO},
        {"127.0.0.1", 22, IPPROTO_UDP, NO, NO},
        {"0.0.0.0", 8080, IPPROTO_TCP, NO, NO},
        {"::1", 22, IPPROTO_TCP, NO, NO},
        {"::ffff:127.0.0.1", 22, IPPROTO_TCP, NO, NO},
        {GW_IPV4, 22, IPPROTO_TCP, NO, NO},
        {GW_IPV6, 22, IPPROTO_TCP, NO, NO},
    };
    struct policy p;
    struct error e;

    (void)state;
    policy_init(&p);
    assert_int_equal(policy_parse(&p, "test", words, strlen(words), &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int dry = 0; dry <= 1; dry++) {
            const struct raw_judge j = {.policy = &p};
            struct msg_tuple t = tuple(cases[i].address, cases[i].port);
            int expected = dry ? cases[i].dry : cases[i].expected;
            struct raw_verdict v;

            p.dry_run = dry;
            v = raw_judge(&j, cases[i].protocol, &t);

            if (v.allowed != (expected != NO) ||
                (v.allowed && v.to != (expected == URL ? MSG_TO_INTERCEPT : MSG_TO_RELAY)))
                fail_msg("%s %u, dry run %d", cases[i].address, cases[i].port, dry);
            /* What only the dry run lets through is logged as denied. */
            assert_int_equal(v.decision == MSG_ALLOW, cases[i].expected == RELAY);
            assert_int_equal(v.decision == MSG_WOULD_DENY,
                             v.allowed && v.connect && cases[i].expected != RELAY);
            assert_int_equal(v.endpoint != POLICY_INDEX_NONE, cases[i].expected == RELAY);
        }
    policy_free(&p);
}

static void test_addresses(void **state)
{
    static const char *const addresses[] = {"192.0.2.7", "2001:db8::7"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct msg_tuple t = tuple(addresses[i], 443), again;
        struct sockaddr_storage source, destination, other = {.ss_family = AF_UNIX};

        assert_int_equal(raw_source(&t, &source), raw_destination(&t, &destination));
        assert_true(raw_tuple(&source, &destination, &again));
        assert_memory_equal(&t, &again, sizeof(t));
        assert_int_equal(raw_hash(&t), raw_hash(&again));
        assert_false(raw_tuple(&source, &other, &again));
        assert_false(raw_tuple(&other, &other, &again));
        t.port = 0;
        (void)raw_destination(&t, &destination);
        assert_false(raw_tuple(&source, &destination, &again));
    }
}

static unsigned caught_up;

static void catch_up(void *arg)
{
    (void)arg;
    caught_up++;
}

/* NAME:PORT: what the jail was told, and no other address. */
static void test_learned(void **state)
{
    static const char words[] = "a.test:22 a.test:443 https://h/ 10.1.2.3:22";
    static const struct {
        const char *address;
        uint16_t port;
        uint8_t protocol;
        bool allowed, connect;
        enum msg_opened_to to;
    } cases[] = {
        {"198.51.100.1", 22, IPPROTO_TCP, true, true, MSG_TO_INTERCEPT},
        {"198.51.100.1", 22, IPPROTO_UDP, true, true, MSG_TO_RELAY},
        {"198.51.100.2", 22, IPPROTO_TCP, false, false, MSG_TO_RELAY},
        {"198.51.100.2", 22, IPPROTO_UDP, false, false, MSG_TO_RELAY},
        {"198.51.100.1", 23, IPPROTO_TCP, false, false, MSG_TO_RELAY},
        {"198.51.100.1", 443, IPPROTO_TCP, true, false, MSG_TO_INTERCEPT}, /* perhaps a URL's */
        {"198.51.100.1", 443, IPPROTO_UDP, true, true, MSG_TO_RELAY},
        {"10.1.2.3", 22, IPPROTO_TCP, true, true, MSG_TO_RELAY}, /* by its own endpoint */
    };
    struct msg_learn m = {.ttl = 60, .family = AF_INET, .count = 2, .name = "a.test"};
    struct raw_judge j = {0};
    struct policy p;
    struct error e;

    (void)state;
    policy_init(&p);
    assert_int_equal(policy_parse(&p, "test", words, strlen(words), &e), 0);
    j.policy = &p;
    j.learned = learned_new(&p, now_ms, catch_up, NULL);
    msg_init(&m, MSG_LEARN, sizeof(m));
    memcpy(m.address[0], "\xc6\x33\x64\x01", 4);
    memcpy(m.address[1], "\x0a\x01\x02\x03", 4);
    learned_add(j.learned, &m);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct msg_tuple t = tuple(cases[i].address, cases[i].port);
        struct raw_verdict v = raw_judge(&j, cases[i].protocol, &t);

        if (v.allowed != cases[i].allowed || v.connect != cases[i].connect || v.to != cases[i].to)
            fail_msg("%s %u", cases[i].address, cases[i].port);
    }
    assert_int_equal(caught_up, 2); /* for those that it knew nothing of */
    learned_free(j.learned);
    policy_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learned),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
