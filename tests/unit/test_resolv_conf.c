/* test_resolv_conf.c: what resolv.conf(5) says of servers and of how they are asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "src/resolv_conf.h"
#include "src/util.h"

static struct resolv_conf conf; /* is used again: what was said before is forgotten */

static void parse(const char *text)
{
    cleanup_free char *copy = xstrdup(text);

    resolv_conf_parse(&conf, copy);
}

static void expect_server(size_t i, const char *text)
{
    char shown[INET6_ADDRSTRLEN];

    assert_true(i < conf.count);
    resolver_format(&conf.servers[i], shown);
    assert_string_equal(shown, text);
}

static void test_servers(void **state)
{
    (void)state;
    parse("# nameserver 192.0.2.9\nnameserver 192.0.2.1\nnameserver\t2001:db8::1\n"
          "nameserver dns.example\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n");
    assert_int_equal(conf.count, RESOLV_CONF_SERVERS);
    expect_server(0, "192.0.2.1");
    expect_server(1, "2001:db8::1");
    expect_server(2, "192.0.2.3");
    parse("");
    assert_int_equal(conf.count, 1);
    expect_server(0, "127.0.0.1");
}

static void test_options(void **state)
{
    static const struct {
        const char *text;
        unsigned timeout, attempts;
        bool rotate, tcp;
    } cases[] = {
        {"nameserver 192.0.2.1\n", 0, 0, false, false},
        {"options timeout:2 attempts:4 rotate use-vc\n", 2, 4, true, true},
        {"options\ttimeout:2\t edns0\r\noptions attempts:1\n", 2, 1, false, false},
        {"options timeout:2\noptions timeout:3\n", 3, 0, false, false},
        {"options timeout:31 attempts:6\n", 30, 5, false, false},
        {"options timeout:99999999999999999999 attempts:5\n", 30, 5, false, false},
        {"options timeout:0 attempts:-1\n", 1, 1, false, false},
        {"options timeout: attempts:x\n", 1, 1, false, false},
        {"options timeout attempts rotates no-use-vc\n", 0, 0, false, false},
        {"#options rotate\n;options timeout:1\noption rotate\n", 0, 0, false, false},
        {"search rotate timeout:1 options\n", 0, 0, false, false},
        {"", 0, 0, false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        parse(cases[i].text);
        if (conf.timeout_s != cases[i].timeout || conf.attempts != cases[i].attempts ||
            conf.rotate != cases[i].rotate || conf.tcp != cases[i].tcp)
            fail_msg("'%s': timeout %u, attempts %u, rotate %d, tcp %d", cases[i].text,
                     conf.timeout_s, conf.attempts, conf.rotate, conf.tcp);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
