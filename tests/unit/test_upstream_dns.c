/* test_upstream_dns.c: which servers are asked, in what order, and what becomes of their sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/upstream_dns.h"
#include "src/util.h"

#define SERVERS_MAX 64 /* of upstream_dns.c */
#define ROTATE_MS 100  /* of upstream_udp.c */
#define RCODE_FORMERR 1
#define RCODE_SERVFAIL 2
#define QUESTION_MAX 64

/* Servers that this test is, with one between them that cannot be connected to. */
struct setup {
    struct event_base *base;
    struct policy policy;
    struct upstream_servers servers;
    struct upstream_dns *dns;
    struct channel *channel;
    int proxy;        /* the other end of the channel */
    int first, third; /* servers' sockets */
};

static void on_message(struct channel *c, const struct msg_head *m, int fd, void *arg)
{
    (void)c;
    (void)m;
    (void)fd;
    (void)arg;
    fail_msg("a message came");
}

static void on_closed(struct channel *c, const char *reason, void *arg)
{
    (void)c;
    (void)arg;
    fail_msg("the channel was closed: %s", reason ? reason : "");
}

static int open_server(struct setup *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char word[64];

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    (void)snprintf(word, sizeof(word), "127.0.0.1:%u", ntohs(a.sin_port));
    assert_int_equal(upstream_servers_add(&s->servers, word, NULL), 0);
    return fd;
}

/* A network of its own, in which 192.0.2.0/24 is this host, too. */
static int enter_network(void **state)
{
    struct ifreq lo = {.ifr_name = "lo"}, more = {.ifr_name = "lo:1"};
    struct sockaddr_in *a = (struct sockaddr_in *)(void *)&more.ifr_addr;
    cleanup_close int fd = -1;

    (void)state;
    assert_int_equal(unshare(CLONE_NEWUSER | CLONE_NEWNET), 0);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    lo.ifr_flags = IFF_UP;
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    assert_int_equal(ioctl(fd, SIOCSIFADDR, &more), 0);
    a->sin_addr.s_addr = htonl(0xffffff00);
    assert_int_equal(ioctl(fd, SIOCSIFNETMASK, &more), 0);
    return 0;
}

static int set_up(void **state)
{
    static const char words[] = "*.example 192.0.2.0/24:53";
    static struct setup all[3]; /* what is under way belongs to the process, as in cijail */
    struct setup *s = all;
    int fds[2];

    while (s->base)
        s++;
    policy_init(&s->policy);
    assert_int_equal(policy_parse(&s->policy, "-e", words, strlen(words), NULL), 0);
    policy_seal(&s->policy);
    s->base = event_base_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    s->proxy = fds[1];
    s->channel = channel_new(s->base, fds[0], 0, 0, on_message, on_closed, s);
    s->first = open_server(s);
    assert_int_equal(upstream_servers_add(&s->servers, "255.255.255.255", NULL), 0);
    s->third = open_server(s);
    s->dns = upstream_dns_new(s->base, &s->policy);
    upstream_dns_set_servers(s->dns, &s->servers, NULL);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct setup *s = *state;

    upstream_dns_forget(s->dns, s->channel);
    channel_free(s->channel);
    (void)close(s->proxy);
    (void)close(s->first);
    (void)close(s->third);
    return 0;
}

/* Asks the servers of the command line, or the one with that address. */
static void ask(struct setup *s, uint64_t id, const char *server)
{
    struct msg_query m = {.id = id, .qtype = 1, .transport = MSG_UDP, .name = "name.example"};

    msg_init(&m, MSG_QUERY, sizeof(m));
    if (server) {
        m.server.family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, server, m.server.address), 1);
    }
    upstream_dns_query(s->dns, s->channel, &m);
}

static void turn(const struct setup *s, int times)
{
    for (int i = 0; i < times; i++)
        (void)event_base_loop(s->base, EVLOOP_NONBLOCK);
}

/* Waits for a query at that socket, and answers it so often with that code. Had it EDNS? */
static bool answer(const struct setup *s, int fd, unsigned rcode, int times)
{
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    uint8_t packet[512];
    ssize_t n = -1;

    for (int i = 0; i < 1000 && n < 0; i++) {
        turn(s, 1);
        len = sizeof(from);
        n = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
        if (n < 0)
            (void)poll(NULL, 0, 5);
    }
    assert_true(n > 12);
    packet[2] |= 0x80;
    packet[3] = (uint8_t)rcode;
    for (int i = 0; i < times; i++)
        assert_int_equal(sendto(fd, packet, (size_t)n, 0, (struct sockaddr *)&from, len), n);
    return packet[11] != 0;
}

static struct msg_reply reply_to(const struct setup *s, uint64_t id)
{
    struct msg_reply m = {.id = 0};

    for (int i = 0; i < 1000; i++) {
        turn(s, 1);
        while (recv(s->proxy, &m, sizeof(m), MSG_DONTWAIT) > 0)
            if (m.id == id)
                return m;
        (void)poll(NULL, 0, 5);
    }
    fail_msg("no reply");
    return m;
}

/* An error, a server that cannot be connected to: the third has the answer. */
static void fails_over(void **state)
{
    struct setup *s = *state;
    struct msg_reply m;

    ask(s, 1, NULL);
    answer(s, s->first, RCODE_SERVFAIL, 1);
    answer(s, s->third, 0, 1);
    m = reply_to(s, 1);
    assert_int_equal(m.error, 0);
    assert_int_equal(m.data[3] & 15, 0);
}

/* Room among the servers that are remembered is made while a socket of one of them, that nobody
 * else uses, has a second message to be looked at. */
static void socket_in_use_stays(void **state)
{
    struct setup *s = *state;
    char address[INET_ADDRSTRLEN];
    struct msg_reply m;

    ask(s, 1, NULL);
    turn(s, 4);
    (void)poll(NULL, 0, 2 * ROTATE_MS);
    answer(s, s->first, RCODE_SERVFAIL, 2);
    for (int i = 1; i <= SERVERS_MAX - 2; i++) { /* besides the first and the second */
        (void)snprintf(address, sizeof(address), "192.0.2.%d", i);
        ask(s, 100 + (uint64_t)i, address);
    }
    answer(s, s->third, 0, 1);
    m = reply_to(s, 1);
    assert_int_equal(m.error, 0);
    assert_int_equal(m.data[3] & 15, 0);
}

/* A server that refuses EDNS is asked without, at once and from then on; the one that is asked
 * after it is asked with. */
static void edns_is_each_servers(void **state)
{
    struct setup *s = *state;

    ask(s, 1, NULL);
    assert_true(answer(s, s->first, RCODE_FORMERR, 1));
    assert_false(answer(s, s->first, RCODE_SERVFAIL, 1));
    assert_true(answer(s, s->third, 0, 1));
    assert_int_equal(reply_to(s, 1).error, 0);
    ask(s, 2, NULL);
    assert_false(answer(s, s->first, RCODE_SERVFAIL, 1));
    assert_true(answer(s, s->third, 0, 1));
    assert_int_equal(reply_to(s, 2).error, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fails_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(socket_in_use_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(edns_is_each_servers, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, enter_network, NULL);
}
