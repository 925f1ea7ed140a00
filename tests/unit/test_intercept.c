/* Interception: what is not for the gateway's addresses and gets to its transparent sockets all the
 * same, as an ordinary user or root; and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "nft/ruleset.h"
#include "src/net.h"
#include "src/netns.h"
#include "src/policy.h"
#include "src/util.h"
#include "tests/unit/twonets.h"

enum { URL4, URL6, UDP4, UDP6, TCP4, TCP6 };

#define WORDS                                                                                      \
    "https://a.example/ http://b.example:8080/ 198.51.100.0/24:53 [2001:db8:1::]/48:53 c.example"

static void open_socket(struct twonets *t, int which, int family, int type, unsigned short port)
{
    struct error e = {""};

    CHECK_OK(t->fds[which] = netns_listen(family, type, port, &e), &e);
    CHECK_OK(netns_make_transparent(t->fds[which], family, &e), &e);
}

static void prepare(struct twonets *t)
{
    struct error e = {""};
    struct policy p;
    struct ruleset r;

    CHECK(t->ipv6);
    policy_init(&p);
    CHECK_OK(policy_parse(&p, "test", WORDS, strlen(WORDS), &e), &e);
    ruleset_from_policy(&r, &p, false);
    policy_free(&p);
    r.with_ipv6 = 1;
    CHECK_OK(ruleset_install(&r, &e), &e);
    ruleset_free(&r);
    CHECK_OK(netns_intercept(true, &e), &e);
    open_socket(t, URL4, AF_INET, SOCK_STREAM, TRANSPARENT_PORT);
    open_socket(t, URL6, AF_INET6, SOCK_STREAM, TRANSPARENT_PORT);
    open_socket(t, UDP4, AF_INET, SOCK_DGRAM, DNS_PORT);
    open_socket(t, UDP6, AF_INET6, SOCK_DGRAM, DNS_PORT);
    open_socket(t, TCP4, AF_INET, SOCK_STREAM, DNS_PORT);
    open_socket(t, TCP6, AF_INET6, SOCK_STREAM, DNS_PORT);
}

static void write_sysctl(const char *name, const char *value)
{
    char command[256];
    char out[256];

    (void)snprintf(command, sizeof command, "echo %s >/proc/sys/net/ipv4/conf/%s", value, name);
    CHECK(twonets_output(command, out, sizeof out) == 0);
}

/* As a namespace is that could not write to /proc/sys, on the worst of hosts. */
static void prepare_inherited(struct twonets *t)
{
    prepare(t);
    write_sysctl("all/rp_filter", "1");
    write_sysctl("gw0/rp_filter", "1");
    write_sysctl("all/src_valid_mark", "1");
    write_sysctl("gw0/src_valid_mark", "1");
}

/* "name port" of an address. */
static void describe(const struct sockaddr_storage *a, char *text, size_t size)
{
    struct sockaddr_in v4 = {0};
    struct sockaddr_in6 v6 = {0};
    char address[INET6_ADDRSTRLEN];

    memcpy(&v4, a, sizeof v4);
    memcpy(&v6, a, sizeof v6);
    if (a->ss_family == AF_INET) {
        CHECK(inet_ntop(AF_INET, &v4.sin_addr, address, sizeof address));
        (void)snprintf(text, size, "%s %u", address, ntohs(v4.sin_port));
    } else {
        CHECK(inet_ntop(AF_INET6, &v6.sin6_addr, address, sizeof address));
        (void)snprintf(text, size, "%s %u", address, ntohs(v6.sin6_port));
    }
}

/* Accepts, and tells the client which socket it got to and whom it dialled. */
static void serve_tcp(int which, int listening)
{
    struct sockaddr_storage local = {0};
    socklen_t len = sizeof local;
    char text[128];
    char line[160];
    int fd = accept(listening, NULL, NULL);

    CHECK(fd >= 0);
    CHECK(getsockname(fd, (struct sockaddr *)&local, &len) == 0);
    describe(&local, text, sizeof text);
    (void)snprintf(line, sizeof line, "%s %s", which <= URL6 ? "url" : "dns", text);
    CHECK(write(fd, line, strlen(line)) == (ssize_t)strlen(line));
    close(fd);
}

/* Answers from where the client sent to, as dnsproxy does. */
static void serve_udp(int fd, int family)
{
    struct sockaddr_storage from;
    char buf[64];
    union {
        struct cmsghdr align;
        char bytes[256];
    } control = {.bytes = {0}};
    struct iovec iov = {buf, sizeof buf};
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof from,
                       .msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    struct cmsghdr *c;
    ssize_t n = recvmsg(fd, &m, 0);

    CHECK(n > 0);
    CHECK((c = CMSG_FIRSTHDR(&m)) != NULL);
    CHECK(c->cmsg_type == (family == AF_INET ? IP_PKTINFO : IPV6_PKTINFO));
    if (family == AF_INET) { /* ipi_spec_dst is where the packet was routed to, not what it says */
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        info = (struct in_pktinfo){.ipi_spec_dst = info.ipi_addr};
        memcpy(CMSG_DATA(c), &info, sizeof info);
    } else {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        info.ipi6_ifindex = 0;
        memcpy(CMSG_DATA(c), &info, sizeof info);
    }
    iov.iov_len = (size_t)n;
    CHECK(sendmsg(fd, &m, 0) == n);
}

static void serve(struct twonets *t)
{
    const int on = 1;

    CHECK(setsockopt(t->fds[UDP4], IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0);
    CHECK(setsockopt(t->fds[UDP6], IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0);
    for (;;) {
        struct pollfd p[6];
        for (int i = 0; i < 6; i++)
            p[i] = (struct pollfd){.fd = t->fds[i], .events = POLLIN};
        CHECK(poll(p, 6, -1) > 0);
        for (int i = 0; i < 6; i++) {
            if (!p[i].revents)
                continue;
            if (i == UDP4 || i == UDP6)
                serve_udp(t->fds[i], i == UDP4 ? AF_INET : AF_INET6);
            else
                serve_tcp(i, t->fds[i]);
        }
    }
}

static int dial(int type, const char *text, unsigned short port, int *err)
{
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct timeval timeout = {.tv_sec = 3};
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0);
    CHECK(inet_pton(family, text,
                    family == AF_INET ? (void *)&in.sin_addr : (void *)&in6.sin6_addr) == 1);
    *err = 0;
    if ((family == AF_INET ? connect(fd, (struct sockaddr *)&in, sizeof in)
                           : connect(fd, (struct sockaddr *)&in6, sizeof in6)) < 0)
        *err = errno;
    return fd;
}

/* A connection there gets to that kind of socket, which sees what was dialled. */
static void tcp_gets_to(const char *kind, const char *text, unsigned short port)
{
    char expected[160];
    char got[160] = "";
    size_t have = 0;
    ssize_t n;
    int err;
    int fd = dial(SOCK_STREAM, text, port, &err);

    errno = err;
    CHECK(err == 0);
    while (have < sizeof got - 1 && (n = read(fd, got + have, sizeof got - 1 - have)) > 0)
        have += (size_t)n;
    (void)snprintf(expected, sizeof expected, "%s %s %u", kind, text, port);
    CHECK(strcmp(got, expected) == 0);
    close(fd);
}

/* A connected socket takes an answer from nowhere else. */
static int udp(const char *text, unsigned short port)
{
    char buf[16];
    int err;
    int fd = dial(SOCK_DGRAM, text, port, &err);

    CHECK(err == 0);
    CHECK(send(fd, "hello", 5, 0) == 5);
    if (recv(fd, buf, sizeof buf, 0) < 0)
        err = errno;
    close(fd);
    return err;
}

static int tcp(const char *text, unsigned short port)
{
    int err;
    int fd = dial(SOCK_STREAM, text, port, &err);

    close(fd);
    return err;
}

static void intercepted(struct twonets *t)
{
    (void)t;
    tcp_gets_to("url", "203.0.113.9", 443);
    tcp_gets_to("url", "198.51.100.7", 8080);
    tcp_gets_to("url", "2001:db8::9", 443);
    tcp_gets_to("url", GW_IPV4, 443);
    tcp_gets_to("dns", "198.51.100.53", 53);
    tcp_gets_to("dns", "2001:db8:1::53", 53);
    tcp_gets_to("dns", GW_IPV4, 53);
    CHECK(udp("198.51.100.53", 53) == 0);
    CHECK(udp("2001:db8:1::53", 53) == 0);
    CHECK(udp(GW_IPV4, 53) == 0);
    CHECK(udp(GW_IPV6, 53) == 0);
}

static void test_intercepted(void **state)
{
    struct twonets t = {.prepare = prepare, .jail = intercepted, .serve = serve};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
    t = (struct twonets){.prepare = prepare_inherited, .jail = intercepted, .serve = serve};
    assert_int_equal(twonets_run(&t), 0);
}

/* Other ports, other servers, other protocols, and the port of the listener itself. */
static void not_intercepted(struct twonets *t)
{
    (void)t;
    CHECK(tcp("203.0.113.9", 80) == ENETUNREACH);
    CHECK(tcp("203.0.113.9", TRANSPARENT_PORT) == ENETUNREACH);
    CHECK(tcp(GW_IPV4, TRANSPARENT_PORT) == ENETUNREACH);
    CHECK(tcp(GW_IPV6, TRANSPARENT_PORT) == ENETUNREACH);
    CHECK(tcp("203.0.113.9", 53) == ENETUNREACH);
    CHECK(tcp("2001:db8:2::53", 53) == ENETUNREACH);
    CHECK(udp("203.0.113.9", 443) == ENETUNREACH);
    CHECK(udp("203.0.113.9", 53) == ENETUNREACH);
    CHECK(udp("2001:db8:2::53", 53) == EACCES);
    tcp_gets_to("url", "203.0.113.9", 443); /* the twin */
}

static void test_not_intercepted(void **state)
{
    struct twonets t = {.prepare = prepare, .jail = not_intercepted, .serve = serve};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

/* Without the sockets the rules reject, and nothing is left to hang. */
static void prepare_without_sockets(struct twonets *t)
{
    prepare(t);
    for (int i = 0; i < 6; i++) {
        close(t->fds[i]);
        t->fds[i] = 0;
    }
}

static void rejected(struct twonets *t)
{
    (void)t;
    CHECK(tcp("203.0.113.9", 443) == ENETUNREACH);
    CHECK(tcp("2001:db8::9", 443) == ENETUNREACH);
    CHECK(udp("198.51.100.53", 53) == ENETUNREACH);
}

static void test_without_sockets(void **state)
{
    struct twonets t = {.prepare = prepare_without_sockets, .jail = rejected};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intercepted),
        cmocka_unit_test(test_not_intercepted),
        cmocka_unit_test(test_without_sockets),
    };
    const char *path = getenv("PATH");
    char *longer = xasprintf("%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");

    assert_int_equal(setenv("PATH", longer, 1), 0);
    free(longer);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
