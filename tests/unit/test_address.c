/* Which addresses a name may point to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/address.h"
#include "src/util.h"

static const struct {
    const char *text;
    enum address_class class;
} rows[] = {
    {"0.0.0.0", ADDRESS_LOCAL},
    {"0.255.255.255", ADDRESS_LOCAL},
    {"1.0.0.0", ADDRESS_PUBLIC},
    {"1.1.1.1", ADDRESS_PUBLIC},
    {"9.255.255.255", ADDRESS_PUBLIC},
    {"10.0.0.0", ADDRESS_PRIVATE},
    {"10.255.255.255", ADDRESS_PRIVATE},
    {"11.0.0.0", ADDRESS_PUBLIC},
    {"100.63.255.255", ADDRESS_PUBLIC},
    {"100.64.0.0", ADDRESS_PRIVATE},
    {"100.100.100.99", ADDRESS_PRIVATE},
    {"100.100.100.100", ADDRESS_LOCAL}, /* Tailscale */
    {"100.100.100.101", ADDRESS_PRIVATE},
    {"100.100.100.199", ADDRESS_PRIVATE},
    {"100.100.100.200", ADDRESS_LOCAL}, /* Alibaba */
    {"100.100.100.201", ADDRESS_PRIVATE},
    {"100.127.255.255", ADDRESS_PRIVATE},
    {"100.128.0.0", ADDRESS_PUBLIC},
    {"126.255.255.255", ADDRESS_PUBLIC},
    {"127.0.0.1", ADDRESS_LOCAL},
    {"127.255.255.255", ADDRESS_LOCAL},
    {"128.0.0.0", ADDRESS_PUBLIC},
    {"168.63.129.15", ADDRESS_PUBLIC},
    {"168.63.129.16", ADDRESS_LOCAL}, /* Azure */
    {"168.63.129.17", ADDRESS_PUBLIC},
    {"169.253.255.255", ADDRESS_PUBLIC},
    {"169.254.169.254", ADDRESS_LOCAL},
    {"169.255.0.0", ADDRESS_PUBLIC},
    {"172.15.255.255", ADDRESS_PUBLIC},
    {"172.16.0.0", ADDRESS_PRIVATE},
    {"172.31.255.255", ADDRESS_PRIVATE},
    {"172.32.0.0", ADDRESS_PUBLIC},
    {"192.0.0.1", ADDRESS_LOCAL},
    {"192.0.0.192", ADDRESS_LOCAL}, /* Oracle */
    {"192.0.1.0", ADDRESS_PUBLIC},
    {"192.0.2.1", ADDRESS_PUBLIC}, /* documentation */
    {"192.167.255.255", ADDRESS_PUBLIC},
    {"192.168.0.0", ADDRESS_PRIVATE},
    {"192.169.0.0", ADDRESS_PUBLIC},
    {"198.18.0.0", ADDRESS_PRIVATE},
    {"198.19.255.255", ADDRESS_PRIVATE},
    {"198.20.0.0", ADDRESS_PUBLIC},
    {"198.51.100.1", ADDRESS_PUBLIC}, /* documentation */
    {"203.0.113.1", ADDRESS_PUBLIC},  /* documentation */
    {"223.255.255.255", ADDRESS_PUBLIC},
    {"224.0.0.1", ADDRESS_LOCAL},
    {"255.255.255.255", ADDRESS_LOCAL},
    {"::", ADDRESS_LOCAL},
    {"::1", ADDRESS_LOCAL},
    {"::2", ADDRESS_LOCAL}, /* IPv4-compatible 0.0.0.2 */
    {"::8.8.8.8", ADDRESS_PUBLIC},
    {"::127.0.0.1", ADDRESS_LOCAL},
    {"::ffff:127.0.0.1", ADDRESS_LOCAL},
    {"::ffff:169.254.169.254", ADDRESS_LOCAL},
    {"::ffff:10.0.0.1", ADDRESS_PRIVATE},
    {"::ffff:8.8.8.8", ADDRESS_PUBLIC},
    {"::ffff:168.63.129.16", ADDRESS_LOCAL},
    {"::ffff:0:127.0.0.1", ADDRESS_LOCAL},
    {"::ffff:0:10.0.0.1", ADDRESS_PRIVATE},
    {"::ffff:0:8.8.8.8", ADDRESS_PUBLIC},
    {"64:ff9b::8.8.8.8", ADDRESS_PUBLIC},
    {"64:ff9b::169.254.169.254", ADDRESS_LOCAL},
    {"64:ff9b::168.63.129.16", ADDRESS_LOCAL},
    {"64:ff9b::10.0.0.1", ADDRESS_PRIVATE},
    {"64:ff9b::127.0.0.1", ADDRESS_LOCAL},
    {"64:ff9b:1::8.8.8.8", ADDRESS_PRIVATE},
    {"64:ff9b:1::169.254.169.254", ADDRESS_LOCAL},
    {"64:ff9b:1::10.0.0.1", ADDRESS_PRIVATE},
    {"64:ff9b:1:a9fe:a9:fe00::", ADDRESS_LOCAL},       /* 169.254.169.254 behind 48, 56, 64 bits */
    {"64:ff9b:1:a9fe:a9:fe00:808:808", ADDRESS_LOCAL}, /* filling is not looked at */
    {"64:ff9b:1:a9:fe:a9fe::", ADDRESS_LOCAL},
    {"64:ff9b:1:2a9:fe:a9fe::", ADDRESS_LOCAL},
    {"64:ff9b:1:0:a9:fea9:fe00:0", ADDRESS_LOCAL},
    {"64:ff9b:1:2:a9:fea9:fe00:0", ADDRESS_LOCAL},
    {"64:ff9b:1:7f00:0:100::", ADDRESS_LOCAL},
    {"64:ff9b:1:808:8:800::", ADDRESS_PRIVATE}, /* 8.8.8.8, and 10.0.0.1 */
    {"64:ff9b:1:a00:0:100::", ADDRESS_PRIVATE},
    {"64:ff9b:1:fffe::8.8.8.8", ADDRESS_PRIVATE}, /* a prefix that is no address */
    {"64:ff9b:1:fffe::169.254.169.254", ADDRESS_LOCAL},
    {"2002:7f00:1::", ADDRESS_LOCAL},
    {"2002:a9fe:a9fe::1", ADDRESS_LOCAL},
    {"2002:a00:1::", ADDRESS_PRIVATE},
    {"2001:0:808:808:8000:63bf:80ff:fffe", ADDRESS_LOCAL},   /* Teredo: 127.0.0.1 */
    {"2001:0:808:808:8000:63bf:5601:5601", ADDRESS_LOCAL},   /* 169.254.169.254 */
    {"2001:0:808:808:8000:63bf:f5ff:fffe", ADDRESS_PRIVATE}, /* 10.0.0.1 */
    {"2001:0:808:808:8000:63bf:f7f7:f7f7", ADDRESS_PUBLIC},  /* 8.8.8.8 */
    {"2001:1::1", ADDRESS_PUBLIC},
    {"2002:808:808::", ADDRESS_PUBLIC},
    {"2001:db8::1", ADDRESS_PUBLIC}, /* documentation */
    {"2606:4700:4700::1111", ADDRESS_PUBLIC},
    {"fc00::1", ADDRESS_PRIVATE},
    {"fd00::1", ADDRESS_PRIVATE},
    {"fd00:ec2::253", ADDRESS_LOCAL}, /* Amazon */
    {"fd00:ec2::254", ADDRESS_LOCAL},
    {"fd00:ec3::254", ADDRESS_PRIVATE},
    {"fd00:c1::a9fe:a9fe", ADDRESS_LOCAL}, /* Oracle */
    {"fd20:ce::254", ADDRESS_LOCAL},       /* Google */
    {"fd63:696a:6169:6c::1", ADDRESS_PRIVATE},
    {"fe00::1", ADDRESS_PUBLIC},
    {"fe80::1", ADDRESS_LOCAL},
    {"fec0::1", ADDRESS_LOCAL},
    {"ff02::1", ADDRESS_LOCAL},
};

static void test_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t data[16];
        int family = inet_pton(AF_INET, rows[i].text, data) == 1 ? AF_INET : AF_INET6;
        if (family == AF_INET6)
            assert_int_equal(inet_pton(AF_INET6, rows[i].text, data), 1);
        if (address_classify(family, data) != rows[i].class)
            fail_msg("%s is not of class %d", rows[i].text, (int)rows[i].class);
    }
}

static void test_sockaddr(void **state)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr other = {.sa_family = AF_UNIX};

    (void)state;
    assert_int_equal(address_classify_sockaddr((struct sockaddr *)&v4), ADDRESS_LOCAL);
    v4.sin_addr.s_addr = htonl(0x01010101);
    assert_int_equal(address_classify_sockaddr((struct sockaddr *)&v4), ADDRESS_PUBLIC);
    assert_int_equal(inet_pton(AF_INET6, "fc00::1", &v6.sin6_addr), 1);
    assert_int_equal(address_classify_sockaddr((struct sockaddr *)&v6), ADDRESS_PRIVATE);
    assert_int_equal(address_classify_sockaddr(&other), ADDRESS_LOCAL);
}

/* Both ends of a socket that leads to this machine have one address, unless the client's is bound
 * to another. */
static void test_leads_here(void **state)
{
    static const struct {
        int family;
        const char *from, *to;
        bool here;
    } cases[] = {
        {AF_INET, "0.0.0.0", "127.0.0.1", true},
        {AF_INET, "127.0.0.2", "127.0.0.1", false},
        {AF_INET6, "::", "::1", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sockaddr_storage from = {.ss_family = (sa_family_t)cases[i].family}, to = from;
        bool v4 = cases[i].family == AF_INET;
        socklen_t len = v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        size_t at =
            v4 ? offsetof(struct sockaddr_in, sin_addr) : offsetof(struct sockaddr_in6, sin6_addr);
        int fd = socket(cases[i].family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
            continue; /* no IPv6 */
        assert_false(address_leads_here(fd));
        assert_int_equal(inet_pton(cases[i].family, cases[i].from, (char *)&from + at), 1);
        assert_int_equal(inet_pton(cases[i].family, cases[i].to, (char *)&to + at), 1);
        ((struct sockaddr_in *)(void *)&to)->sin_port = htons(9); /* at one place in both */
        assert_int_equal(bind(fd, (struct sockaddr *)&from, len), 0);
        if (connect(fd, (struct sockaddr *)&to, len) == 0)
            assert_int_equal(address_leads_here(fd), cases[i].here);
        (void)close(fd);
    }
    assert_false(address_leads_here(-1));
}

static void test_format(void **state)
{
    char out[ADDRESS_TEXT_SIZE];
    uint8_t v6[16];

    (void)state;
    address_format(AF_INET, "\x01\x02\x03\x04", 53, out);
    assert_string_equal(out, "1.2.3.4:53");
    address_format(AF_INET, "\x01\x02\x03\x04", 0, out);
    assert_string_equal(out, "1.2.3.4");
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", v6), 1);
    address_format(AF_INET6, v6, 443, out);
    assert_string_equal(out, "[2001:db8::1]:443");
    address_format(AF_INET6, v6, 0, out);
    assert_string_equal(out, "2001:db8::1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_sockaddr),
        cmocka_unit_test(test_leads_here),
        cmocka_unit_test(test_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
