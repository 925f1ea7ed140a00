/* test_dns_upstream.c: one MSG_QUERY for all who wait for the same, and their answers; the names
 * that the supervisor looks up (LOOKUP). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dnsproxy/dnsproxy.h"
#include "src/util.h"

#define CLIENTS 100
#define WAITERS_MAX 8192 /* of upstream.c */
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3
#define TYPE_A 1
#define TYPE_AAAA 28
#define TYPE_HTTPS 65

struct setup {
    struct dnsproxy *p;
    int supervisor;  /* the other end of the channel */
    int client;      /* a UDP socket, at this address */
    int fd;          /* that dnsproxy answers by */
    struct client c; /* whose address is that of client */
};

static void on_message(struct channel *c, const struct msg_head *m, int fd, void *arg)
{
    const struct msg_reply *r = (const struct msg_reply *)(const void *)m;
    const struct outcome o = {
        .id = r->id, .error = r->error, .dns_id = r->dns_id, .data = r->data, .len = r->data_len};
    (void)c;
    (void)fd;
    dnsproxy_answered(arg, &o);
}

static void on_closed(struct channel *c, const char *reason, void *arg)
{
    (void)c;
    (void)arg;
    fail_msg("the channel was closed: %s", reason ? reason : "");
}

static int open_udp(struct sockaddr_in *a)
{
    socklen_t len = sizeof(*a);
    const int room = 1 << 22;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)a, sizeof(*a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)a, &len), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    return fd;
}

static int set_up(void **state)
{
    struct setup *s = xcalloc(1, sizeof(*s));
    struct dnsproxy *p = s->p = xcalloc(1, sizeof(*p));
    struct sockaddr_in own;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    s->supervisor = fds[1];
    policy_init(&p->policy);
    assert_int_equal(policy_parse(&p->policy, "-e", "*.example", 9, NULL), 0);
    policy_seal(&p->policy);
    p->base = event_base_new();
    p->channel = channel_new(p->base, fds[0], 1u << MSG_REPLY, 0, on_message, on_closed, p);
    channel_batch(p->channel, NULL);
    log_open(p);
    p->reverse = reverse_new();
    p->upstream = upstream_new(p);
    p->lookups = lookups_new(p);
    s->fd = open_udp(&own);
    p->udp[0] = udp_new(p, s->fd);
    s->client = open_udp(&s->c.address.v4);
    s->c.address_len = sizeof(s->c.address.v4);
    s->c.udp = p->udp[0];
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct setup *s = *state;
    struct dnsproxy *p = s->p;

    upstream_free(p->upstream);
    lookups_free(p->lookups);
    udp_free(p->udp[0]);
    reverse_free(p->reverse);
    log_close(p);
    channel_free(p->channel);
    event_base_free(p->base);
    policy_free(&p->policy);
    (void)close(s->supervisor);
    (void)close(s->client);
    (void)close(s->fd);
    free(p);
    free(s);
    return 0;
}

/* All that is to be done now. */
static void turn(const struct setup *s)
{
    for (int i = 0; i < 4; i++)
        (void)event_base_loop(s->p->base, EVLOOP_NONBLOCK);
}

/* The question for NAME.example, A, with that id; returns its length. */
static size_t make_query(uint8_t *out, uint16_t id, const char *name)
{
    size_t n = strlen(name);

    memset(out, 0, 12);
    out[0] = (uint8_t)(id >> 8);
    out[1] = (uint8_t)id;
    out[2] = 1;
    out[5] = 1;
    out[12] = (uint8_t)n;
    memcpy(out + 13, name, n);
    memcpy(out + 13 + n, "\7example\0\0\1\0\1", 13);
    return 13 + n + 13;
}

static void ask(const struct setup *s, uint16_t id, const char *name)
{
    uint8_t wire[128];

    serve_query(s->p, &s->c, wire, make_query(wire, id, name));
}

/* The next MSG_QUERY; false: there is none. */
static bool next_query(const struct setup *s, struct msg_query *m)
{
    static _Alignas(uint64_t) uint8_t buf[MSG_MAX];
    ssize_t n;

    while ((n = recv(s->supervisor, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
        assert_int_equal(msg_check(buf, (size_t)n), 0);
        if (((const struct msg_head *)(const void *)buf)->type != MSG_QUERY)
            continue;
        memcpy(m, buf, sizeof(*m));
        return true;
    }
    return false;
}

static void expect_one_query(const struct setup *s, const char *name, struct msg_query *m)
{
    struct msg_query other;

    turn(s);
    assert_true(next_query(s, m));
    assert_string_equal(m->name, name);
    assert_int_equal(m->qtype, 1);
    assert_int_equal(m->lookup, 0);
    assert_false(next_query(s, &other));
}

/* The supervisor's answer to m: 198.51.100.7, or an error. */
static void reply(const struct setup *s, const struct msg_query *m, const char *name, int error)
{
    static struct msg_reply r;
    size_t len = 0;

    memset(&r, 0, sizeof(r));
    r.id = m->id;
    r.error = error;
    if (!error) {
        len = make_query(r.data, 0x4d4d, name);
        r.dns_id = 0x4d4d;
        r.data[2] = 0x81;
        r.data[3] = 0x80;
        r.data[7] = 1;
        memcpy(r.data + len, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x33\x64\7", 16);
        len += 16;
    }
    r.data_len = (uint16_t)len;
    msg_init(&r, MSG_REPLY, offsetof(struct msg_reply, data) + len);
    assert_true(send(s->supervisor, &r, msg_length(&r), 0) > 0);
    turn(s);
}

/* How many answers have come with that rcode, each with an id of its own below CLIENTS. */
static unsigned answers(const struct setup *s, unsigned rcode)
{
    bool seen[CLIENTS] = {false};
    uint8_t buf[1500];
    unsigned count = 0;
    ssize_t n;

    turn(s);
    while ((n = recv(s->client, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
        unsigned id = (unsigned)(buf[0] << 8 | buf[1]);
        assert_true(n >= 12 && id < CLIENTS && !seen[id]);
        assert_int_equal(buf[3] & 15, rcode);
        assert_int_equal(buf[7], rcode ? 0 : 1);
        seen[id] = true;
        count++;
    }
    return count;
}

static void test_one_query_for_all(void **state)
{
    const struct setup *s = *state;
    struct msg_query m;

    for (uint16_t i = 0; i < CLIENTS; i++)
        ask(s, i, i % 2 ? "a" : "A"); /* letter case is no other question */
    expect_one_query(s, "a.example", &m);
    assert_int_equal(answers(s, 0), 0);
    reply(s, &m, "a", 0);
    assert_int_equal(answers(s, 0), CLIENTS);
    reply(s, &m, "a", 0); /* a second one: nobody waits */
    assert_int_equal(answers(s, 0), 0);
    ask(s, 0, "a");
    assert_int_equal(answers(s, 0), 1); /* out of the cache */
    turn(s);
    assert_false(next_query(s, &m));
}

static void test_late_clients_join(void **state)
{
    const struct setup *s = *state;
    struct msg_query m, other;

    ask(s, 0, "a");
    expect_one_query(s, "a.example", &m);
    ask(s, 1, "a");
    turn(s);
    assert_false(next_query(s, &other));
    ask(s, 2, "b");
    expect_one_query(s, "b.example", &other);
    reply(s, &m, "a", 0);
    assert_int_equal(answers(s, 0), 2);
    reply(s, &other, "b", 0);
    assert_int_equal(answers(s, 0), 1);
}

static void test_failure_is_everybodys(void **state)
{
    const struct setup *s = *state;
    struct msg_query m;

    for (uint16_t i = 0; i < CLIENTS; i++)
        ask(s, i, "a");
    expect_one_query(s, "a.example", &m);
    reply(s, &m, "a", ETIMEDOUT);
    assert_int_equal(answers(s, RCODE_SERVFAIL), CLIENTS);
    ask(s, 0, "a"); /* and is not kept */
    expect_one_query(s, "a.example", &m);
    reply(s, &m, "b", 0); /* the answer to another question is none */
    assert_int_equal(answers(s, RCODE_SERVFAIL), 1);
}

static void test_waiters_are_bounded(void **state)
{
    const struct setup *s = *state;
    struct msg_query m;

    for (unsigned i = 0; i < WAITERS_MAX; i++)
        ask(s, 0, "a");
    assert_int_equal(answers(s, RCODE_SERVFAIL), 0);
    ask(s, 1, "a");
    ask(s, 2, "b");
    assert_int_equal(answers(s, RCODE_SERVFAIL), 2);
    expect_one_query(s, "a.example", &m);
}

/* NAME.example's record of that type is asked for: is upstream, too? m: its question. */
static bool goes_up(const struct setup *s, const char *name, uint8_t qtype, struct msg_query *m)
{
    uint8_t wire[128];
    size_t len = make_query(wire, 1, name);

    wire[len - 3] = qtype;
    serve_query(s->p, &s->c, wire, len);
    turn(s);
    return next_query(s, m);
}

/* The supervisor's answer to m: the name does not exist, for a minute (RFC 2308, 5). */
static void reply_nxdomain(const struct setup *s, const struct msg_query *m, const char *name)
{
    static const uint8_t soa[] = {0, 0, 6, 0, 1, 0, 0, 0, 60, 0, 22, 0, 0, 0, 0, 0, 1,
                                  0, 0, 0, 1, 0, 0, 0, 1, 0,  0, 0,  1, 0, 0, 0, 60};
    static struct msg_reply r;
    size_t len;

    memset(&r, 0, sizeof(r));
    r.id = m->id;
    r.dns_id = 0x4d4d;
    len = make_query(r.data, r.dns_id, name);
    r.data[2] = 0x81;
    r.data[3] = 0x80 | RCODE_NXDOMAIN;
    r.data[9] = 1;
    r.data[len - 3] = (uint8_t)m->qtype;
    memcpy(r.data + len, soa, sizeof(soa));
    r.data_len = (uint16_t)(len + sizeof(soa));
    msg_init(&r, MSG_REPLY, offsetof(struct msg_reply, data) + r.data_len);
    assert_true(send(s->supervisor, &r, msg_length(&r), 0) > 0);
    turn(s);
}

/* RFC 4074, 4.2: NXDOMAIN to what an old server does not know says nothing of the A, and of no
 * other name. */
static void test_nxdomain_of_other_types(void **state)
{
    const struct setup *s = *state;
    struct msg_query m;

    assert_true(goes_up(s, "a", TYPE_AAAA, &m));
    reply_nxdomain(s, &m, "a");
    assert_int_equal(answers(s, RCODE_NXDOMAIN), 1);
    assert_true(goes_up(s, "a", TYPE_HTTPS, &m));
    reply_nxdomain(s, &m, "a");
    assert_int_equal(answers(s, RCODE_NXDOMAIN), 1);
    assert_true(goes_up(s, "a", TYPE_A, &m));
    reply(s, &m, "a", 0);
    assert_int_equal(answers(s, 0), 1);
    assert_false(goes_up(s, "a", TYPE_AAAA, &m)); /* it is kept as what it was said of */
    assert_int_equal(answers(s, RCODE_NXDOMAIN), 1);
}

/* RFC 8020, 2: NXDOMAIN to an A says that there is nothing, of any type. */
static void test_nxdomain_of_a(void **state)
{
    const struct setup *s = *state;
    struct msg_query m;

    assert_true(goes_up(s, "a", TYPE_AAAA, &m));
    reply_nxdomain(s, &m, "a");
    assert_true(goes_up(s, "a", TYPE_A, &m));
    reply_nxdomain(s, &m, "a");
    assert_false(goes_up(s, "a", TYPE_HTTPS, &m));
    assert_true(goes_up(s, "b", TYPE_HTTPS, &m)); /* the twin */
}

static void look_up(const struct setup *s, uint64_t id, const char *name)
{
    struct msg_lookup m = {.id = id};

    msg_init(&m, MSG_LOOKUP, sizeof(m));
    copy_string(m.name, sizeof(m.name), name);
    lookup_begin(s->p->lookups, &m);
    turn(s);
}

/* The two questions of a lookup, for AAAA and A. */
static void expect_both(const struct setup *s, struct msg_query m[2])
{
    struct msg_query other;

    memset(m, 0, 2 * sizeof(*m));
    turn(s);
    assert_true(next_query(s, &m[0]) && next_query(s, &m[1]));
    assert_false(next_query(s, &other));
    assert_int_equal(m[0].qtype, 28);
    assert_int_equal(m[1].qtype, 1);
    assert_int_equal(m[0].lookup + m[1].lookup, 2);
}

static struct msg_addresses addresses_of(const struct setup *s)
{
    struct msg_addresses m;

    turn(s);
    assert_int_equal(recv(s->supervisor, &m, sizeof(m), MSG_DONTWAIT), sizeof(m));
    assert_int_equal(msg_check(&m, sizeof(m)), 0);
    assert_int_equal(m.head.type, MSG_ADDRESSES);
    return m;
}

/* What upstream says to m: that address (NULL: none), or (cut) that it is too long for UDP. */
static void tell(const struct setup *s, const struct msg_query *m, const char *address, bool cut)
{
    uint8_t wire[256];
    bool v6 = m->qtype == 28;
    size_t len = make_query(wire, 7, "a");
    struct outcome o = {.id = m->id, .dns_id = 7, .data = wire};

    wire[2] = cut ? 0x83 : 0x81;
    wire[len - 3] = (uint8_t)m->qtype;
    if (address) {
        wire[7] = 1;
        memcpy(wire + len, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4", 12);
        wire[len + 3] = (uint8_t)m->qtype;
        wire[len + 11] = v6 ? 16 : 4;
        assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, address, wire + len + 12), 1);
        len += v6 ? 12 + 16 : 12 + 4;
    }
    o.len = len;
    dnsproxy_answered(s->p, &o);
}

/* Private ones too: the dialer judges them. */
static void test_lookup(void **state)
{
    const struct setup *s = *state;
    struct msg_query m[2], again = {0};
    struct msg_addresses a;

    look_up(s, 5, "a.example");
    expect_both(s, m);
    tell(s, &m[1], "10.0.0.1", false);
    tell(s, &m[1], "10.0.0.2", false); /* a second answer is none */
    tell(s, &m[0], NULL, true);
    turn(s);
    assert_true(next_query(s, &again)); /* over TCP */
    assert_int_equal(again.transport, MSG_TCP);
    assert_int_equal(again.qtype, 28);
    tell(s, &m[0], "2001:db8::1", false); /* of the question that is over */
    tell(s, &again, "2001:db8::7", false);
    a = addresses_of(s);
    assert_int_equal(a.id, 5);
    assert_int_equal(a.error, 0);
    assert_int_equal(a.count, 2);
    assert_int_equal(a.address[0].family, AF_INET6); /* first, as RFC 6724 has it */
    assert_int_equal(a.address[0].address[15], 7);
    assert_int_equal(a.address[1].family, AF_INET);
    assert_int_equal(a.address[1].address[3], 1);
    ask(s, 0, "a"); /* the jail's answers are others */
    expect_one_query(s, "a.example", &again);
}

static void test_lookup_fails(void **state)
{
    const struct setup *s = *state;
    struct msg_query m[2];
    struct msg_addresses a;

    look_up(s, 6, "a.example");
    expect_both(s, m);
    tell(s, &m[0], NULL, false);
    tell(s, &m[1], NULL, false);
    a = addresses_of(s);
    assert_int_equal(a.error, ENOENT);
    look_up(s, 7, "a.example");
    expect_both(s, m);
    tell(s, &m[0], NULL, false);
    dnsproxy_answered(s->p, &(struct outcome){.id = m[1].id, .error = ETIMEDOUT});
    a = addresses_of(s);
    assert_int_equal(a.id, 7);
    assert_int_equal(a.error, EAGAIN);
    dnsproxy_answered(s->p, &(struct outcome){.id = UINT64_MAX, .error = EAGAIN});
    dnsproxy_answered(s->p, &(struct outcome){.id = LOOKUP_ID, .error = EAGAIN});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_query_for_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late_clients_join, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failure_is_everybodys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiters_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nxdomain_of_other_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nxdomain_of_a, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lookup, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lookup_fails, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
