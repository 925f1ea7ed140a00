/* What passes the rules, as an ordinary user or root: the services and nothing else; the rest is
 * rejected and logged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "nft/ruleset.h"
#include "src/net.h"
#include "src/netns.h"
#include "src/util.h"
#include "tests/unit/twonets.h"

#define SOON_MS 500
#define FLOOD 20000

enum { UDP4, UDP6, TCP4, TCP6, PROXY4, PROXY6 };

static void prepare(struct twonets *t)
{
    struct error e = {""};
    struct ruleset r = {.with_ipv6 = t->ipv6};

    CHECK(t->ipv6); /* the kernels that this is tested on have it */
    CHECK_OK(ruleset_install(&r, &e), &e);
    CHECK_OK(t->fds[UDP4] = netns_listen(AF_INET, SOCK_DGRAM, DNS_PORT, &e), &e);
    CHECK_OK(t->fds[UDP6] = netns_listen(AF_INET6, SOCK_DGRAM, DNS_PORT, &e), &e);
    CHECK_OK(t->fds[TCP4] = netns_listen(AF_INET, SOCK_STREAM, DNS_PORT, &e), &e);
    CHECK_OK(t->fds[TCP6] = netns_listen(AF_INET6, SOCK_STREAM, DNS_PORT, &e), &e);
    CHECK_OK(t->fds[PROXY4] = netns_listen(AF_INET, SOCK_STREAM, PROXY_PORT, &e), &e);
    CHECK_OK(t->fds[PROXY6] = netns_listen(AF_INET6, SOCK_STREAM, PROXY_PORT, &e), &e);
    CHECK_OK(t->shared = netns_open_nflog(NFLOG_GROUP, &e), &e);
}

static void serve(struct twonets *t)
{
    struct pollfd p[2] = {{.fd = t->fds[UDP4], .events = POLLIN},
                          {.fd = t->fds[UDP6], .events = POLLIN}};

    for (;;) {
        CHECK(poll(p, 2, -1) > 0);
        for (int i = 0; i < 2; i++) {
            struct sockaddr_storage from;
            socklen_t len = sizeof from;
            char buf[2048];
            ssize_t n;
            if (!p[i].revents)
                continue;
            n = recvfrom(p[i].fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len);
            CHECK(n >= 0);
            (void)sendto(p[i].fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
        }
    }
}

/* The next packet in the log, its IP header first; -1 if there is none within the time. */
static ssize_t next_logged(int nflog, unsigned char packet[NFLOG_SNAPLEN], int ms)
{
    struct pollfd p = {.fd = nflog, .events = POLLIN};
    char buf[8192] __attribute__((aligned(8)));
    const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
    const struct nlattr *a;
    ssize_t n;

    if (poll(&p, 1, ms) != 1)
        return -1;
    CHECK((n = recv(nflog, buf, sizeof buf, 0)) > 0);
    CHECK(mnl_nlmsg_ok(h, (int)n));
    for (a = mnl_nlmsg_get_payload_offset(h, sizeof(struct nfgenmsg));
         mnl_attr_ok(a, (int)((const char *)mnl_nlmsg_get_payload_tail(h) - (const char *)a));
         a = mnl_attr_next(a)) {
        if (mnl_attr_get_type(a) != NFULA_PAYLOAD)
            continue;
        CHECK(mnl_attr_get_payload_len(a) <= NFLOG_SNAPLEN);
        memcpy(packet, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
        return mnl_attr_get_payload_len(a);
    }
    fprintf(stderr, "a log message without a packet\n");
    _exit(1);
}

/* A packet of that protocol to that address and port (0: any) is the next in the log. */
static void is_logged(struct twonets *t, const char *text, int protocol, unsigned short port)
{
    unsigned char packet[NFLOG_SNAPLEN];
    unsigned char address[16];
    ssize_t n = next_logged(t->shared, packet, SOON_MS);
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    size_t head = family == AF_INET ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
    uint16_t there;

    CHECK(n >= (ssize_t)head + 8);
    CHECK(inet_pton(family, text, address) == 1);
    if (family == AF_INET)
        CHECK(packet[9] == protocol && memcmp(packet + 16, address, 4) == 0);
    else
        CHECK(packet[6] == protocol && memcmp(packet + 24, address, 16) == 0);
    memcpy(&there, packet + head + 2, sizeof there);
    CHECK(port == 0 || ntohs(there) == port);
}

static void nothing_logged(struct twonets *t)
{
    unsigned char packet[NFLOG_SNAPLEN];

    CHECK(next_logged(t->shared, packet, 50) == -1);
}

static void drain_log(struct twonets *t)
{
    unsigned char packet[NFLOG_SNAPLEN];

    while (next_logged(t->shared, packet, 50) >= 0)
        ;
}

static int connecting(int type, const char *text, unsigned short port, const char *from, int *err)
{
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct timeval timeout = {.tv_sec = type == SOCK_STREAM ? 3 : 1};
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0);
    if (from && family == AF_INET) {
        CHECK(inet_pton(AF_INET, from, &in.sin_addr) == 1);
        CHECK(bind(fd, (struct sockaddr *)&in, sizeof in) == 0);
    }
    in.sin_port = htons(port);
    if (family == AF_INET)
        CHECK(inet_pton(AF_INET, text, &in.sin_addr) == 1);
    else
        CHECK(inet_pton(AF_INET6, text, &in6.sin6_addr) == 1);
    *err = 0;
    if ((family == AF_INET ? connect(fd, (struct sockaddr *)&in, sizeof in)
                           : connect(fd, (struct sockaddr *)&in6, sizeof in6)) < 0)
        *err = errno;
    return fd;
}

/* What connect(2) comes to. */
static int tcp(const char *text, unsigned short port, const char *from)
{
    int err;
    int fd = connecting(SOCK_STREAM, text, port, from, &err);

    close(fd);
    return err;
}

/* What comes back for a datagram: 0 if it was echoed, else the socket's error. */
static int udp(const char *text, unsigned short port, const char *from)
{
    char buf[16];
    int err;
    int fd = connecting(SOCK_DGRAM, text, port, from, &err);

    CHECK(err == 0);
    CHECK(send(fd, "hello", 5, 0) == 5);
    if (recv(fd, buf, sizeof buf, 0) < 0)
        err = errno;
    close(fd);
    return err;
}

/* An ICMP echo request, by a raw socket. */
static void ping(const char *text)
{
    const unsigned char echo[8] = {8, 0, 0xf7, 0xff, 0, 0, 0, 0};
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

    CHECK(fd >= 0);
    CHECK(inet_pton(AF_INET, text, &in.sin_addr) == 1);
    CHECK(sendto(fd, echo, sizeof echo, 0, (struct sockaddr *)&in, sizeof in) == sizeof echo);
    close(fd);
}

static void services(struct twonets *t)
{
    CHECK(udp(GW_IPV4, DNS_PORT, NULL) == 0);
    CHECK(udp(GW_IPV6, DNS_PORT, NULL) == 0);
    CHECK(tcp(GW_IPV4, DNS_PORT, NULL) == 0);
    CHECK(tcp(GW_IPV6, DNS_PORT, NULL) == 0);
    CHECK(tcp(GW_IPV4, PROXY_PORT, NULL) == 0);
    CHECK(tcp(GW_IPV6, PROXY_PORT, NULL) == 0);
    CHECK(tcp("127.0.0.1", 9, NULL) == ECONNREFUSED); /* J's own loopback is no matter of G's */
    nothing_logged(t);
}

static void test_services(void **state)
{
    struct twonets t = {.prepare = prepare, .jail = services, .serve = serve};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

/* A service that is not there refuses, by the gateway's own RST; nothing is logged. */
static void prepare_rules_only(struct twonets *t)
{
    struct error e = {""};
    struct ruleset r = {.with_ipv6 = t->ipv6};

    CHECK_OK(ruleset_install(&r, &e), &e);
    CHECK_OK(t->shared = netns_open_nflog(NFLOG_GROUP, &e), &e);
}

static void refused(struct twonets *t)
{
    uint64_t start = now_ms();

    CHECK(tcp(GW_IPV4, DNS_PORT, NULL) == ECONNREFUSED);
    CHECK(tcp(GW_IPV6, PROXY_PORT, NULL) == ECONNREFUSED);
    CHECK(udp(GW_IPV4, DNS_PORT, NULL) == ECONNREFUSED);
    CHECK(now_ms() - start < SOON_MS);
    nothing_logged(t);
}

static void test_refused(void **state)
{
    struct twonets t = {.prepare = prepare_rules_only, .jail = refused};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

static void udp_rejected(struct twonets *t, const char *text, unsigned short port, int err)
{
    uint64_t start = now_ms();

    CHECK(udp(text, port, NULL) == err);
    CHECK(now_ms() - start < SOON_MS);
    is_logged(t, text, IPPROTO_UDP, port);
    nothing_logged(t);
}

/* The kernel's answer to a SYN can come while connect(2) still holds the socket, and is then
 * ignored until the SYN is sent again, a second later: the time is dnsproxy's to mend (it reads the
 * log and answers again). */
static void tcp_rejected(struct twonets *t, const char *text, unsigned short port)
{
    CHECK(tcp(text, port, NULL) == ENETUNREACH);
    is_logged(t, text, IPPROTO_TCP, port);
    drain_log(t);
}

static void rejected(struct twonets *t)
{
    udp_rejected(t, "198.51.100.1", 53, ENETUNREACH);
    udp_rejected(t, "198.51.100.1", 443, ENETUNREACH);
    udp_rejected(t, "2001:db8::1", 53, EACCES);
    udp_rejected(t, GW_IPV4, 54, ENETUNREACH);
    udp_rejected(t, GW_IPV4, PROXY_PORT, ENETUNREACH);
    udp_rejected(t, GW_IPV6, 123, EACCES);
    udp_rejected(t, "169.254.169.254", 80, ENETUNREACH);
    tcp_rejected(t, "198.51.100.1", 443);
    tcp_rejected(t, "198.51.100.1", PROXY_PORT);
    tcp_rejected(t, "2001:db8::1", 443);
    tcp_rejected(t, GW_IPV4, 80);
    tcp_rejected(t, GW_IPV6, 80);
    CHECK(udp(GW_IPV4, DNS_PORT, NULL) == 0); /* the twin */
}

static void test_rejected(void **state)
{
    struct twonets t = {.prepare = prepare, .jail = rejected, .serve = serve};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

/* Another source address, a fragment, ICMP, another protocol. */
static void odd_packets(struct twonets *t)
{
    char out[256];
    char big[3000] = "";
    int err;
    int fd;

    CHECK(twonets_output("ip addr add 192.0.0.3/29 dev jail0", out, sizeof out) == 0);
    CHECK(udp(GW_IPV4, DNS_PORT, "192.0.0.3") == EAGAIN); /* not even the rejection goes there */
    is_logged(t, GW_IPV4, IPPROTO_UDP, DNS_PORT);
    CHECK(udp(GW_IPV4, DNS_PORT, "192.0.0.2") == 0);

    CHECK(twonets_output("ip link set jail0 mtu 1400", out, sizeof out) == 0);
    fd = connecting(SOCK_DGRAM, GW_IPV4, DNS_PORT, NULL, &err);
    CHECK(send(fd, big, sizeof big, 0) == sizeof big);
    is_logged(t, GW_IPV4, IPPROTO_UDP, 0); /* not the first fragment, but the second */
    close(fd);
    drain_log(t);

    fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    CHECK(fd >= 0); /* ping_group_range */
    close(fd);
    ping(GW_IPV4);
    is_logged(t, GW_IPV4, IPPROTO_ICMP, 0);
    drain_log(t);
    fd = socket(AF_INET, SOCK_RAW, 132); /* SCTP */
    CHECK(fd >= 0);
    {
        struct sockaddr_in in = {.sin_family = AF_INET};
        CHECK(inet_pton(AF_INET, "198.51.100.7", &in.sin_addr) == 1);
        CHECK(sendto(fd, big, 12, 0, (struct sockaddr *)&in, sizeof in) == 12);
    }
    is_logged(t, "198.51.100.7", 132, 0);
    close(fd);
}

static void test_odd_packets(void **state)
{
    struct twonets t = {.prepare = prepare, .jail = odd_packets, .serve = serve};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

/* A late answer meets a closed port: the jail's complaint is no denial. */
static void late_answer(struct twonets *t)
{
    struct timespec pause = {.tv_nsec = 50000000};
    int err;
    int fd = connecting(SOCK_DGRAM, GW_IPV4, DNS_PORT, NULL, &err);

    CHECK(send(fd, "hello", 5, 0) == 5);
    close(fd); /* serve_late answers only now */
    (void)nanosleep(&pause, NULL);
    (void)nanosleep(&pause, NULL);
    nothing_logged(t);
    ping(GW_IPV4); /* the twin: other ICMP is a denial */
    is_logged(t, GW_IPV4, IPPROTO_ICMP, 0);
}

static void serve_late(struct twonets *t)
{
    struct timespec pause = {.tv_nsec = 50000000};
    struct pollfd p = {.fd = t->fds[UDP4], .events = POLLIN};
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    char buf[16];
    ssize_t n;

    CHECK(poll(&p, 1, 5000) == 1);
    CHECK((n = recvfrom(p.fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len)) == 5);
    (void)nanosleep(&pause, NULL);
    CHECK(sendto(p.fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len) == n);
}

static void test_late_answer(void **state)
{
    struct twonets t = {.prepare = prepare, .jail = late_answer, .serve = serve_late};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

/* A flood is rejected to its last packet, and logged up to the rate. */
static void flood(struct twonets *t)
{
    unsigned char packet[NFLOG_SNAPLEN];
    uint64_t start = now_ms();
    uint64_t logged = 0;
    int rejections = 0;
    int err;
    int fd = connecting(SOCK_DGRAM, "198.51.100.1", 9, NULL, &err);

    for (int i = 0; i < FLOOD; i++) {
        if (send(fd, "x", 1, 0) < 0) { /* the error of the one before, once */
            CHECK(errno == ENETUNREACH);
            rejections++;
        }
        while (i % 64 == 0 && next_logged(t->shared, packet, 0) >= 0)
            logged++;
    }
    while (next_logged(t->shared, packet, 50) >= 0)
        logged++;
    CHECK(rejections > FLOOD / 4);
    CHECK(logged > 100);
    CHECK(logged <= 1000 + 5 * (now_ms() - start) + 5);
    close(fd);
}

static void test_flood(void **state)
{
    struct twonets t = {.prepare = prepare, .jail = flood, .serve = serve};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

/* The gateway's own processes cannot open anything towards the jail, nor beyond. */
static void gateway_out(struct twonets *t)
{
    prepare(t);
    CHECK(tcp(JAIL_IPV4, 8080, NULL) != 0);
    CHECK(tcp("198.51.100.1", 80, NULL) == ENETUNREACH); /* no route, already */
    CHECK(tcp("127.0.0.1", 9, NULL) == ECONNREFUSED);    /* lo is up and open */
}

static void test_gateway_out(void **state)
{
    struct twonets t = {.prepare = gateway_out, .jail = services, .serve = serve};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

/* The second answer, which a process in G gives by the raw sockets when it reads the log: it passes
 * the rules, and ends a connect(2) whose first answer came too early, at once. */
static void prepare_answers(struct twonets *t)
{
    struct error e = {""};
    struct ruleset r = {.with_ipv6 = t->ipv6};

    CHECK_OK(ruleset_install(&r, &e), &e);
    CHECK_OK(t->fds[0] = netns_open_nflog(NFLOG_GROUP, &e), &e);
    CHECK_OK(t->fds[1] = netns_open_icmp(AF_INET, &e), &e);
    CHECK_OK(t->fds[2] = netns_open_icmp(AF_INET6, &e), &e);
}

static uint16_t checksum(const unsigned char *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t) ~(sum + (sum >> 16));
}

static void answer4(int fd, const unsigned char *packet, size_t n)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    unsigned char m[8 + NFLOG_SNAPLEN] = {ICMP_DEST_UNREACH, ICMP_NET_ANO};
    uint16_t sum;

    n &= ~(size_t)1;
    memcpy(m + 8, packet, n);
    sum = htons(checksum(m, 8 + n));
    memcpy(m + 2, &sum, sizeof sum);
    memcpy(&to.sin_addr, packet + 12, 4);
    CHECK(sendto(fd, m, 8 + n, 0, (struct sockaddr *)&to, sizeof to) == (ssize_t)(8 + n));
}

static void answer6(int fd, const unsigned char *packet, size_t n)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6};
    unsigned char m[8 + NFLOG_SNAPLEN] = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE};

    memcpy(m + 8, packet, n); /* the kernel makes the checksum (RFC 3542, 3.1) */
    memcpy(&to.sin6_addr, packet + 8, 16);
    CHECK(sendto(fd, m, 8 + n, 0, (struct sockaddr *)&to, sizeof to) == (ssize_t)(8 + n));
}

static void serve_answers(struct twonets *t)
{
    struct timespec pause = {.tv_nsec = 2000000};
    unsigned char packet[NFLOG_SNAPLEN];

    for (;;) {
        ssize_t n = next_logged(t->fds[0], packet, -1);
        CHECK(n > 0);
        (void)nanosleep(&pause, NULL);
        if (packet[0] >> 4 == 4)
            answer4(t->fds[1], packet, (size_t)n);
        else
            answer6(t->fds[2], packet, (size_t)n);
    }
}

static void answered(struct twonets *t)
{
    uint64_t start = now_ms();

    (void)t;
    CHECK(tcp("198.51.100.1", 443, NULL) == ENETUNREACH);
    CHECK(tcp("2001:db8::1", 443, NULL) == ENETUNREACH);
    CHECK(tcp(GW_IPV4, 80, NULL) == ENETUNREACH);
    CHECK(now_ms() - start < SOON_MS);
}

static void test_answered(void **state)
{
    struct twonets t = {.prepare = prepare_answers, .jail = answered, .serve = serve_answers};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_services),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_rejected),    cmocka_unit_test(test_answered),
        cmocka_unit_test(test_odd_packets), cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_flood),       cmocka_unit_test(test_gateway_out),
    };
    const char *path = getenv("PATH");
    char *longer = xasprintf("%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");

    assert_int_equal(setenv("PATH", longer, 1), 0); /* where nft and ip are */
    free(longer);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
