/* The two networks and their link, as an ordinary user or root: usable at once, and with nothing
 * else in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "src/net.h"
#include "src/netns.h"
#include "src/util.h"
#include "tests/unit/twonets.h"

#define BULK (64u << 20) /* bytes */

static struct sockaddr_storage address(int family, const char *text, unsigned short port,
                                       socklen_t *len)
{
    struct sockaddr_storage ss = {0};

    ss.ss_family = (sa_family_t)family;
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&ss;
        in->sin_port = htons(port);
        CHECK(inet_pton(AF_INET, text, &in->sin_addr) == 1);
        *len = sizeof *in;
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
        in6->sin6_port = htons(port);
        CHECK(inet_pton(AF_INET6, text, &in6->sin6_addr) == 1);
        *len = sizeof *in6;
    }
    return ss;
}

static int connected(int family, int type, const char *text, unsigned short port)
{
    socklen_t len;
    struct sockaddr_storage ss = address(family, text, port, &len);
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK(connect(fd, (struct sockaddr *)&ss, len) == 0);
    return fd;
}

/* fds: UDP 4, UDP 6, TCP 4, TCP 6. */
static void open_services(struct twonets *t)
{
    struct error e = {""};

    CHECK(t->ipv6); /* the kernels that this is tested on have it */
    CHECK_OK(t->fds[0] = netns_listen(AF_INET, SOCK_DGRAM, DNS_PORT, &e), &e);
    CHECK_OK(t->fds[1] = netns_listen(AF_INET6, SOCK_DGRAM, DNS_PORT, &e), &e);
    CHECK_OK(t->fds[2] = netns_listen(AF_INET, SOCK_STREAM, PROXY_PORT, &e), &e);
    CHECK_OK(t->fds[3] = netns_listen(AF_INET6, SOCK_STREAM, PROXY_PORT, &e), &e);
    for (int i = 0; i < 4; i++) {
        CHECK((fcntl(t->fds[i], F_GETFL) & O_NONBLOCK) != 0);
        CHECK((fcntl(t->fds[i], F_GETFD) & FD_CLOEXEC) != 0);
    }
}

static void echo_datagram(int fd)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    char buf[2048];
    ssize_t n = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len);

    CHECK(n >= 0);
    CHECK(sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len) == n);
}

/* Takes all that comes, then says how much it was. */
static void swallow_stream(int listener)
{
    static char buf[1 << 18];
    int fd = accept(listener, NULL, NULL);
    uint64_t total = 0;
    ssize_t n;

    CHECK(fd >= 0);
    while ((n = read(fd, buf, sizeof buf)) > 0)
        total += (uint64_t)n;
    CHECK(n == 0);
    CHECK(write_all(fd, &total, sizeof total) == 0);
    close(fd);
}

static void serve(struct twonets *t)
{
    struct pollfd p[4];

    for (;;) {
        for (int i = 0; i < 4; i++)
            p[i] = (struct pollfd){.fd = t->fds[i], .events = POLLIN};
        CHECK(poll(p, 4, -1) > 0);
        for (int i = 0; i < 4; i++)
            if (p[i].revents)
                i < 2 ? echo_datagram(p[i].fd) : swallow_stream(p[i].fd);
    }
}

static void echo_works(int family, const char *text)
{
    int fd = connected(family, SOCK_DGRAM, text, DNS_PORT);
    struct timeval t = {.tv_sec = 2};
    char buf[16];

    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0);
    CHECK(send(fd, "hello", 5, 0) == 5);
    CHECK(recv(fd, buf, sizeof buf, 0) == 5);
    close(fd);
}

static void bulk_works(int family, const char *text)
{
    static char buf[1 << 18];
    int fd = connected(family, SOCK_STREAM, text, PROXY_PORT);
    uint64_t total = 0;
    uint64_t start = now_ms();

    for (size_t n = 0; n < BULK; n += sizeof buf)
        CHECK(write_all(fd, buf, sizeof buf) == 0);
    CHECK(shutdown(fd, SHUT_WR) == 0);
    CHECK(read(fd, &total, sizeof total) == (ssize_t)sizeof total);
    CHECK(total == BULK);
    CHECK(now_ms() - start < 10000);
    close(fd);
}

static void traffic(struct twonets *t)
{
    (void)t;
    echo_works(AF_INET, GW_IPV4); /* first of all: the very first packet passes */
    echo_works(AF_INET6, GW_IPV6);
    bulk_works(AF_INET, GW_IPV4);
    bulk_works(AF_INET6, GW_IPV6);
}

static void test_traffic(void **state)
{
    struct twonets t = {.prepare = open_services, .jail = traffic, .serve = serve};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

/* The addresses of a link, as text, sorted by nothing but the kernel's order. */
static int count_addresses(const char *name, const char *ipv4, const char *ipv6)
{
    struct ifaddrs *all;
    int n = 0;

    CHECK(getifaddrs(&all) == 0);
    for (struct ifaddrs *a = all; a; a = a->ifa_next) {
        char text[INET6_ADDRSTRLEN] = "";
        if (!a->ifa_addr || strcmp(a->ifa_name, name) != 0)
            continue;
        if (a->ifa_addr->sa_family == AF_INET) {
            inet_ntop(AF_INET, &((struct sockaddr_in *)a->ifa_addr)->sin_addr, text, sizeof text);
            CHECK(strcmp(text, ipv4) == 0);
            n++;
        } else if (a->ifa_addr->sa_family == AF_INET6) {
            inet_ntop(AF_INET6, &((struct sockaddr_in6 *)a->ifa_addr)->sin6_addr, text,
                      sizeof text);
            CHECK(strcmp(text, ipv6) == 0); /* and no link-local one */
            n++;
        }
    }
    freeifaddrs(all);
    return n;
}

static void link_is(const char *name)
{
    struct ifreq r = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK(fd >= 0);
    copy_string(r.ifr_name, sizeof r.ifr_name, name);
    CHECK(ioctl(fd, SIOCGIFMTU, &r) == 0 && r.ifr_mtu == 65535);
    CHECK(ioctl(fd, SIOCGIFFLAGS, &r) == 0);
    CHECK((r.ifr_flags & (IFF_UP | IFF_NOARP)) == (IFF_UP | IFF_NOARP));
    copy_string(r.ifr_name, sizeof r.ifr_name, "lo");
    CHECK(ioctl(fd, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP));
    close(fd);
}

static void sysctl_is(const char *name, const char *value)
{
    char path[128];
    char buf[64] = "";
    int fd;
    ssize_t n;

    (void)snprintf(path, sizeof path, "/proc/sys/net/%s", name);
    CHECK((fd = open(path, O_RDONLY)) >= 0);
    CHECK((n = read(fd, buf, sizeof buf - 1)) > 0);
    buf[n - 1] = '\0';
    if (strcmp(buf, value) != 0) {
        fprintf(stderr, "%s is %s, not %s\n", name, buf, value);
        _exit(1);
    }
    close(fd);
}

static void gateway_state(struct twonets *t)
{
    open_services(t);
    CHECK(count_addresses(GW_IFNAME, GW_IPV4, GW_IPV6) == 2);
    link_is(GW_IFNAME);
    sysctl_is("ipv4/ip_forward", "0");
    sysctl_is("ipv4/conf/" GW_IFNAME "/forwarding", "0");
    sysctl_is("ipv4/conf/" GW_IFNAME "/rp_filter", "0");
    sysctl_is("ipv4/conf/" GW_IFNAME "/send_redirects", "0");
    sysctl_is("ipv4/icmp_ratelimit", "0");
    sysctl_is("ipv4/icmp_ratemask", "0");
    sysctl_is("ipv6/conf/" GW_IFNAME "/forwarding", "0");
    sysctl_is("ipv6/conf/" GW_IFNAME "/accept_ra", "0");
    sysctl_is("ipv6/icmp/ratelimit", "0");
    sysctl_is("ipv6/icmp/ratemask", "255");
    sysctl_is("core/somaxconn", "65535");
}

/* Nothing of the link is to be resolved: no neighbour entry that is not NOARP. */
static void jail_state(struct twonets *t)
{
    char out[4096];

    traffic(t);
    CHECK(count_addresses(JAIL_IFNAME, JAIL_IPV4, JAIL_IPV6) == 2);
    link_is(JAIL_IFNAME);
    sysctl_is("ipv4/ip_unprivileged_port_start", "0");
    sysctl_is("ipv6/conf/" JAIL_IFNAME "/accept_ra", "0");
    CHECK(twonets_output("ip neigh show nud reachable nud stale nud delay nud probe nud failed "
                         "nud incomplete nud permanent",
                         out, sizeof out) == 0);
    CHECK(strcmp(out, "") == 0);
    CHECK(twonets_output("ip -4 route show default", out, sizeof out) == 0);
    CHECK(strncmp(out, "default via 192.0.0.1 dev jail0", 31) == 0);
    CHECK(twonets_output("ip -6 route show default", out, sizeof out) == 0);
    CHECK(strncmp(out, "default via fd63:696a:6169:6c::1 dev jail0", 42) == 0);
}

static void test_state(void **state)
{
    struct twonets t = {.prepare = gateway_state, .jail = jail_state, .serve = serve};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

/* Without rules too, nothing that the jail sends beyond the link gets anywhere: G has no route. */
static void no_way_out(struct twonets *t)
{
    socklen_t len;
    struct sockaddr_storage ss = address(AF_INET, "192.0.2.1", 80, &len);
    struct timeval timeout = {.tv_usec = 500000};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)t;
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0);
    CHECK(connect(fd, (struct sockaddr *)&ss, len) < 0);
    close(fd);
    ss = address(AF_INET, GW_IPV4, PROXY_PORT, &len); /* the twin */
    fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&ss, len) == 0);
    close(fd);
}

static void test_no_way_out(void **state)
{
    struct twonets t = {.prepare = open_services, .jail = no_way_out, .serve = serve};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

/* Listening sockets are at the gateway's addresses alone, and one port is had once. */
static void sockets(struct twonets *t)
{
    struct error e = {""};
    struct sockaddr_in in = {0};
    socklen_t len = sizeof in;
    int fd;

    open_services(t);
    CHECK(netns_listen(AF_INET, SOCK_STREAM, PROXY_PORT, &e) == -EADDRINUSE);
    CHECK(strstr(e.text, GW_IPV4));
    CHECK(netns_listen(AF_UNIX, SOCK_STREAM, PROXY_PORT, &e) == -EINVAL);
    CHECK(getsockname(t->fds[2], (struct sockaddr *)&in, &len) == 0);
    CHECK(in.sin_addr.s_addr == inet_addr(GW_IPV4));
    CHECK_OK(fd = netns_open_icmp(AF_INET, &e), &e);
    close(fd);
    CHECK_OK(fd = netns_open_icmp(AF_INET6, &e), &e);
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    close(fd);
    CHECK(netns_open_icmp(AF_UNIX, &e) == -EINVAL);
    CHECK_OK(fd = netns_open_nflog(NFLOG_GROUP, &e), &e);
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    CHECK(netns_open_nflog(NFLOG_GROUP, &e) == -EPERM); /* the group is taken */
    close(fd);
    CHECK_OK(fd = netns_open_nflog(NFLOG_GROUP, &e), &e);
    close(fd);
}

static void nothing(struct twonets *t)
{
    (void)t;
}

static void test_sockets(void **state)
{
    struct twonets t = {.prepare = sockets, .jail = nothing};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

/* Errors have words: no such process; no capability. */
static void errors(struct twonets *t)
{
    struct error e = {""};
    bool ipv6;

    (void)t;
    CHECK(netns_link_gateway(-1, true, &e) < 0);
    CHECK(strlen(e.text) > 0);
    twonets_unshare(0); /* a user namespace below: no power over this network */
    CHECK(netns_prepare_gateway(&e) == -EPERM);
    CHECK(netns_prepare_jail(&ipv6, &e) == -EPERM);
    CHECK(netns_open_icmp(AF_INET, &e) == -EPERM);
    CHECK(netns_open_nflog(NFLOG_GROUP, &e) == -EPERM);
}

static void test_errors(void **state)
{
    struct twonets t = {.jail = errors};

    (void)state;
    assert_int_equal(twonets_run(&t), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traffic),    cmocka_unit_test(test_state),
        cmocka_unit_test(test_no_way_out), cmocka_unit_test(test_sockets),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
