/* test_answer.c: which upstream messages are believed, and what of them the client sees. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#include "dnsproxy/answer.h"

/* An upstream message under construction. */
struct message {
    uint8_t data[DNS_MESSAGE_MAX];
    size_t len;
};

static struct message up;
static struct answer answer;
static struct policy policy; /* empty */
static uint8_t reply[DNS_MESSAGE_MAX];

static void bytes(const void *data, size_t len)
{
    assert_true(up.len + len <= sizeof(up.data));
    memcpy(up.data + up.len, data, len);
    up.len += len;
}

static void u16(unsigned v)
{
    bytes((uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static size_t name_to_wire(const char *text, uint8_t *out)
{
    size_t n = 0;
    while (*text) {
        size_t label = strcspn(text, ".");
        out[n++] = (uint8_t)label;
        memcpy(out + n, text, label);
        n += label;
        text += label + (text[label] == '.');
    }
    out[n++] = 0;
    return n;
}

static void name(const char *text)
{
    uint8_t wire[300] = {0};
    size_t n = name_to_wire(text, wire);
    bytes(wire, n);
}

/* A NOERROR reply with id 7 to (qname, qtype). */
static void begin(const char *qname, unsigned qtype)
{
    up.len = 0;
    u16(7);
    u16(0x8180);
    u16(1);
    u16(0);
    u16(0);
    u16(0);
    name(qname);
    u16(qtype);
    u16(1);
}

enum { ANSWER = 6, AUTHORITY = 8, ADDITIONAL = 10 };

static void record(unsigned section, const char *owner, unsigned type, const void *rdata,
                   size_t len)
{
    name(owner);
    u16(type);
    u16(1);
    u16(0);
    u16(300);
    u16((unsigned)len);
    bytes(rdata, len);
    up.data[section + 1]++;
}

static void address(const char *owner, const char *text)
{
    uint8_t a[16];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(family, text, a), 1);
    record(ANSWER, owner, family == AF_INET ? 1 : 28, a, family == AF_INET ? 4 : 16);
}

static void cname(const char *owner, const char *target)
{
    uint8_t wire[300];
    size_t n = name_to_wire(target, wire);
    record(ANSWER, owner, 5, wire, n);
}

static void soa(const char *zone)
{
    record(AUTHORITY, zone, 6, "\2ns\0\1h\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5", 27);
}

static enum answer_status build(const char *qname, unsigned qtype)
{
    struct asked asked = {.dns_id = 7, .qtype = (uint16_t)qtype, .name = qname};
    return answer_build(&policy, &asked, up.data, up.len, &answer);
}

/* A query for that name, with EDNS of that size (0: without). */
static struct query client(const char *qname, unsigned qtype, uint16_t size)
{
    uint8_t m[512] = {[0] = 0xab, [1] = 0xcd, [2] = 1, [5] = 1};
    size_t n = DNS_HEADER_LEN + name_to_wire(qname, m + DNS_HEADER_LEN);
    struct query q;
    memcpy(m + n, (uint8_t[]){(uint8_t)(qtype >> 8), (uint8_t)qtype, 0, 1}, 4);
    assert_int_equal(query_parse(m, n + 4, &q), QUERY_GOOD);
    q.edns = size > 0;
    q.udp_size = size;
    return q;
}

/* Writes the reply and returns its answer section as text, "name type rdata|...", read by ldns. */
static const char *told(const struct query *q)
{
    static char text[4096];
    ldns_pkt *pkt = NULL;
    size_t len = answer_write(q, 0, &answer, reply);
    text[0] = '\0';
    assert_int_equal(ldns_wire2pkt(&pkt, reply, len), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_id(pkt), 0xabcd);
    assert_true(ldns_pkt_qr(pkt) && ldns_pkt_ra(pkt) && ldns_pkt_rd(pkt));
    assert_false(ldns_pkt_aa(pkt) || ldns_pkt_ad(pkt));
    assert_int_equal(ldns_pkt_edns(pkt), q->edns);
    assert_int_equal(ldns_pkt_arcount(pkt), 0); /* ldns takes the OPT out */
    for (size_t i = 0; i < ldns_pkt_ancount(pkt); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(pkt), i);
        char *owner = ldns_rdf2str(ldns_rr_owner(rr)), *rdata = ldns_rdf2str(ldns_rr_rdf(rr, 0));
        size_t n = strlen(text);
        assert_int_equal(ldns_rr_ttl(rr), 300);
        snprintf(text + n, sizeof(text) - n, "%s%s %d %s", n ? "|" : "", owner,
                 ldns_rr_get_type(rr), rdata);
        free(owner);
        free(rdata);
    }
    ldns_pkt_free(pkt);
    return text;
}

static void expect(const char *qname, unsigned qtype, const char *text)
{
    assert_int_equal(build(qname, qtype), ANSWER_GOOD);
    struct query q = client(qname, qtype, 1232);
    assert_string_equal(told(&q), text);
}

static void test_only_the_answer_is_kept(void **state)
{
    (void)state;
    begin("h.example", 1);
    address("h.example", "198.51.100.1");
    address("other.example", "198.51.100.2");
    address("h.example", "2001:db8::1");
    address("h.example", "198.51.100.3");
    record(ANSWER, "h.example", 46, "\0\1\5\2\0\0\1\54\0\0\0\0\0\0\0\0\0\1\1h\0xxxx", 25);
    soa("example");
    record(ADDITIONAL, "h.example", 1, "\xc6\x33\x64\x09", 4);
    expect("h.example", 1, "h.example. 1 198.51.100.1|h.example. 1 198.51.100.3");
    assert_int_equal(answer.nscount, 0);
}

static void test_chain_in_any_order(void **state)
{
    (void)state;
    begin("h.example", 1);
    address("C.cdn.example", "198.51.100.1");
    cname("b.cdn.example", "c.cdn.example");
    address("h.example.other", "198.51.100.2");
    cname("H.example", "B.cdn.example");
    expect("h.example", 1,
           "h.example. 5 B.cdn.example.|B.cdn.example. 5 c.cdn.example.|c.cdn.example. 1 "
           "198.51.100.1");
    begin("h.example", 5); /* asked for, a CNAME is not followed */
    cname("h.example", "b.example");
    cname("b.example", "c.example");
    expect("h.example", 5, "h.example. 5 b.example.");
}

static void test_loops_and_long_chains(void **state)
{
    (void)state;
    begin("h.example", 1);
    cname("h.example", "h.example");
    assert_int_equal(build("h.example", 1), ANSWER_BAD);
    begin("h.example", 1);
    cname("h.example", "a.example");
    cname("a.example", "b.example");
    cname("b.example", "A.example");
    assert_int_equal(build("h.example", 1), ANSWER_BAD);
    for (int links = ANSWER_CHAIN_MAX; links <= ANSWER_CHAIN_MAX + 1; links++) {
        begin("n0.example", 1);
        char from[32], to[32];
        for (int i = 0; i < links; i++) {
            snprintf(from, sizeof(from), "n%d.example", i);
            snprintf(to, sizeof(to), "n%d.example", i + 1);
            cname(from, to);
        }
        address(to, "198.51.100.1");
        assert_int_equal(build("n0.example", 1),
                         links > ANSWER_CHAIN_MAX ? ANSWER_BAD : ANSWER_GOOD);
    }
}

static void test_negative(void **state)
{
    (void)state;
    begin("h.example", 1);
    up.data[3] |= LDNS_RCODE_NXDOMAIN;
    soa("EXAMPLE");
    expect("h.example", 1, "");
    assert_int_equal(answer.rcode, LDNS_RCODE_NXDOMAIN);
    assert_int_equal(answer.nscount, 1);
    assert_int_equal(reply[3] & 15, LDNS_RCODE_NXDOMAIN);
    begin("h.example", 1); /* an SOA of someone else's zone */
    soa("xample");
    soa("other");
    soa("a.h.example");
    expect("h.example", 1, "");
    assert_int_equal(answer.nscount, 0);
    begin("h.example", 1); /* a chain that ends nowhere: the SOA of the target */
    cname("h.example", "h.cdn.test");
    soa("example");
    soa("test");
    expect("h.example", 1, "h.example. 5 h.cdn.test.");
    assert_int_equal(answer.nscount, 1);
}

static void test_not_believed(void **state)
{
    (void)state;
    begin("h.example", 1);
    address("h.example", "198.51.100.1");
    assert_int_equal(build("h.example", 1), ANSWER_GOOD);
    assert_int_equal(build("i.example", 1), ANSWER_BAD);
    assert_int_equal(build("h.example", 28), ANSWER_BAD);
    assert_int_equal(build("", 1), ANSWER_BAD);
    static const struct {
        size_t at;
        uint8_t mask;
    } flips[] = {
        {1, 1},     /* id */
        {2, 0x80},  /* not a response */
        {2, 0x28},  /* an update */
        {3, 2},     /* SERVFAIL */
        {3, 5},     /* REFUSED */
        {3, 4},     /* NOTIMP */
        {5, 1},     /* no question */
        {5, 3},     /* two of them */
        {7, 2},     /* more answers than there are */
        {12, 0x40}, /* a label that does not exist */
        {26, 2},    /* class CH */
    };
    for (size_t i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
        up.data[flips[i].at] ^= flips[i].mask;
        assert_int_equal(build("h.example", 1), ANSWER_BAD);
        up.data[flips[i].at] ^= flips[i].mask;
        assert_int_equal(build("h.example", 1), ANSWER_GOOD);
    }
    for (size_t len = up.len; up.len > 0;) {
        up.len--;
        assert_int_equal(build("h.example", 1), ANSWER_BAD);
        assert_true(up.len < len);
    }
}

static void test_extended_rcode(void **state)
{
    (void)state;
    for (int bad = 0; bad < 2; bad++) {
        begin("h.example", 1);
        address("h.example", "198.51.100.1");
        bytes("\0\0\x29\x04\xd0", 5);
        bytes(bad ? "\1\0\0\0\0\0" : "\0\0\0\0\0\0", 6);
        up.data[ADDITIONAL + 1]++;
        assert_int_equal(build("h.example", 1), bad ? ANSWER_BAD : ANSWER_GOOD);
    }
}

static void test_truncated_upstream(void **state)
{
    (void)state;
    begin("h.example", 1);
    up.data[2] |= 2;
    assert_int_equal(build("h.example", 1), ANSWER_TRUNCATED);
    struct asked asked = {.dns_id = 7, .qtype = 1, .tcp = true, .name = "h.example"};
    assert_int_equal(answer_build(&policy, &asked, up.data, up.len, &answer), ANSWER_BAD);
    up.data[1]++; /* and only the real reply may say so */
    assert_int_equal(build("h.example", 1), ANSWER_BAD);
}

static void test_withheld(void **state)
{
    (void)state;
    begin("h.example", 1);
    address("h.example", "169.254.169.254");
    address("h.example", "198.51.100.1");
    address("h.example", "10.1.2.3");
    expect("h.example", 1, "h.example. 1 198.51.100.1");
    assert_int_equal(answer.withheld, 2);
    assert_string_equal(answer.withheld_text, "169.254.169.254");
    begin("h.example", 28); /* nothing is left: no data */
    address("h.example", "fd00::1");
    expect("h.example", 28, "");
    assert_int_equal(answer.withheld, 1);
    begin("h.example", 28);
    address("h.example", "2001:db8::1");
    expect("h.example", 28, "h.example. 28 2001:db8::1");
    assert_int_equal(answer.withheld, 0);
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const no[] = {
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.1.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.2",
        "192.168.255.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "febf::1",
        "fd63:696a:6169:6c::1",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::10.0.0.1",
        "64:ff9b::192.168.0.1",
        "2002:0a00:0001::",
        "2002:7f00:0001::1",
    };
    static const char *const yes[] = {
        "1.1.1.1",         "9.255.255.255",  "11.0.0.0",         "100.63.255.255",
        "100.128.0.0",     "172.15.255.255", "172.32.0.0",       "192.0.2.1",
        "198.51.100.1",    "203.0.113.1",    "223.255.255.255",  "2001:db8::1",
        "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:0101:0101::1",
    };
    uint8_t a[16];
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        int family = strchr(no[i], ':') ? AF_INET6 : AF_INET;
        assert_int_equal(inet_pton(family, no[i], a), 1);
        assert_false(answer_address_allowed(&policy, "a.example", family, a));
    }
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        int family = strchr(yes[i], ':') ? AF_INET6 : AF_INET;
        assert_int_equal(inet_pton(family, yes[i], a), 1);
        assert_true(answer_address_allowed(&policy, "a.example", family, a));
    }
}

/* Private addresses that the policy names itself; never the loopback. */
static void test_named_addresses(void **state)
{
    static const char text[] = "10.1.0.0/16:22 [fd00::1]:443 0.0.0.0/1:1 127.0.0.0/8:80";
    static const struct {
        const char *address;
        bool allowed;
    } rows[] = {{"10.1.2.3", true},     {"fd00::1", true},    {"fd00::2", false},
                {"192.168.0.1", false}, {"100.64.0.1", true}, {"127.0.0.1", false},
                {"0.0.0.0", false},     {"::1", false}};
    struct policy p;
    uint8_t a[16];

    (void)state;
    policy_init(&p);
    assert_int_equal(policy_parse(&p, "test", text, sizeof(text) - 1, NULL), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int family = strchr(rows[i].address, ':') ? AF_INET6 : AF_INET;
        assert_int_equal(inet_pton(family, rows[i].address, a), 1);
        assert_int_equal(answer_address_allowed(&p, "a.example", family, a), rows[i].allowed);
    }
    policy_free(&p);
}

/* What the supervisor is told of an answer: the addresses that the client is told, and their time.
 */
static void test_told_addresses(void **state)
{
    (void)state;
    begin("h.example", 1);
    address("h.example", "198.51.100.1");
    address("h.example", "10.0.0.1");
    address("h.example", "198.51.100.2");
    assert_int_equal(build("h.example", 1), ANSWER_GOOD);
    assert_int_equal(answer.address[0].family, AF_INET);
    assert_int_equal(answer.address_count, 2);
    assert_memory_equal(answer.address[0].address, "\xc6\x33\x64\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_memory_equal(answer.address[1].address, "\xc6\x33\x64\x02", 4);
    begin("h.example", 16);
    assert_int_equal(build("h.example", 16), ANSWER_GOOD);
    assert_int_equal(answer.address_count, 0);
}

static void test_case_comes_back(void **state)
{
    (void)state;
    begin("h.example", 1);
    address("h.example", "198.51.100.1");
    assert_int_equal(build("h.example", 1), ANSWER_GOOD);
    struct query q = client("H.eXample", 1, 0);
    assert_string_equal(told(&q), "H.eXample. 1 198.51.100.1");
}

/* At the limit it fits, with one byte less it does not: an empty reply with TC. */
static void test_size_limits(void **state)
{
    (void)state;
    char texts[256];
    memset(texts, 'x', sizeof(texts));
    texts[0] = (char)0xff;
    begin("h.example", 16);
    for (int i = 0; i < 3; i++)
        record(ANSWER, "h.example", 16, texts, 256);
    assert_int_equal(build("h.example", 16), ANSWER_GOOD);
    size_t whole = DNS_HEADER_LEN + 15 + 3 * (12 + 256) + ANSWER_OPT_LEN;
    for (uint16_t less = 0; less < 2; less++) {
        struct query q = client("h.example", 16, (uint16_t)(whole - less));
        size_t len = answer_write(&q, 0, &answer, reply);
        assert_int_equal(len, less ? DNS_HEADER_LEN + 15 + ANSWER_OPT_LEN : whole);
        assert_int_equal(reply[2] & 2, less ? 2 : 0);
        assert_int_equal(reply[7], less ? 0 : 3);
    }
    struct query q = client("h.example", 16, 0); /* no EDNS: 512 */
    (void)answer_write(&q, 0, &answer, reply);
    assert_int_equal(reply[2] & 2, 2);
    q.tcp = true;
    assert_int_equal(answer_write(&q, 0, &answer, reply), whole - ANSWER_OPT_LEN);
    assert_int_equal(reply[2] & 2, 0);
}

/* A size over 1232 counts as 1232; one under 512 as 512. */
static void test_size_is_clamped(void **state)
{
    (void)state;
    uint8_t texts[256];
    memset(texts, 255, sizeof(texts));
    begin("h.example", 16);
    for (int i = 0; i < 5; i++)
        record(ANSWER, "h.example", 16, texts, 256);
    assert_int_equal(build("h.example", 16), ANSWER_GOOD);
    struct query q = client("h.example", 16, 65535);
    (void)answer_write(&q, 0, &answer, reply);
    assert_int_equal(reply[2] & 2, 2);
    begin("h.example", 16);
    record(ANSWER, "h.example", 16, texts, 256);
    assert_int_equal(build("h.example", 16), ANSWER_GOOD);
    q = client("h.example", 16, 1);
    (void)answer_write(&q, 0, &answer, reply);
    assert_int_equal(reply[2] & 2, 0);
}

static void test_local_answers(void **state)
{
    (void)state;
    struct query q = client("localhost", 1, 1232);
    answer_localhost(&answer, 1);
    size_t len = answer_write(&q, 0, &answer, reply);
    assert_memory_equal(reply + len - ANSWER_OPT_LEN - 4, "\x7f\0\0\1", 4);
    answer_localhost(&answer, 28);
    assert_int_equal(answer.ancount, 1);
    answer_localhost(&answer, 16);
    assert_int_equal(answer.ancount, 0);
    answer_any(&answer);
    ldns_pkt *pkt = NULL;
    len = answer_write(&q, 0, &answer, reply);
    assert_int_equal(ldns_wire2pkt(&pkt, reply, len), LDNS_STATUS_OK);
    assert_int_equal(ldns_rr_get_type(ldns_rr_list_rr(ldns_pkt_answer(pkt), 0)),
                     LDNS_RR_TYPE_HINFO);
    ldns_pkt_free(pkt);
}

static void test_error_replies(void **state)
{
    (void)state;
    struct query q = client("h.example", 1, 1232);
    size_t len = answer_write(&q, 16, NULL, reply); /* BADVERS: 1 in the OPT, 0 in the header */
    assert_int_equal(reply[3] & 15, 0);
    assert_int_equal(reply[len - ANSWER_OPT_LEN + 5], 1);
    q.question_len = 0;
    q.edns = false;
    q.opcode = 4;
    assert_int_equal(answer_write(&q, LDNS_RCODE_NOTIMPL, NULL, reply), DNS_HEADER_LEN);
    assert_int_equal(reply[2], 0x80 | 4 << 3 | 1);
    assert_int_equal(reply[3], 0x80 | LDNS_RCODE_NOTIMPL);
    assert_int_equal(reply[5], 0);
}

/* RFC 2308, 5: the smaller one of the SOA's time and its last field; RFC 8767, 4: the rest is cut.
 */
static void test_cache_ttl(void **state)
{
    (void)state;
    begin("h.example", 1);
    soa("example");
    assert_int_equal(build("h.example", 1), ANSWER_GOOD);
    assert_int_equal(answer.cache_ttl, 5);
    assert_int_equal(ldns_read_uint32(answer.body + answer.ttl_at[0]), 5);
    begin("h.example", 1);
    assert_int_equal(build("h.example", 1), ANSWER_GOOD);
    assert_int_equal(answer.cache_ttl, 0); /* without SOA */
    begin("h.example", 1);
    cname("h.example", "g.example");
    address("g.example", "198.51.100.1");
    up.data[up.len - 7] = 9; /* of the address: 9 s */
    up.data[up.len - 8] = 0;
    assert_int_equal(build("h.example", 1), ANSWER_GOOD);
    assert_int_equal(answer.cache_ttl, 9);
}

static void dname(const char *owner, const char *target)
{
    uint8_t wire[300];
    size_t n = name_to_wire(target, wire);
    record(ANSWER, owner, 39, wire, n);
}

/* RFC 6672: the CNAME is made from the DNAME, whether upstream has sent one or not. */
static void test_dname(void **state)
{
    struct query q = client("a.b.old.example", 1, 0);
    for (int i = 0; i < 2; i++) {
        begin("a.b.old.example", 1);
        dname("old.example", "new.example");
        if (i)
            cname("a.b.old.example", "a.b.new.example");
        address("a.b.new.example", "198.51.100.1");
        assert_int_equal(build("a.b.old.example", 1), ANSWER_GOOD);
        assert_string_equal(told(&q), "old.example. 39 new.example.|a.b.old.example. 5 "
                                      "a.b.new.example.|a.b.new.example. 1 198.51.100.1");
    }
    (void)state;
    begin("a.b.old.example", 1);
    dname("old.example", "new.example");
    cname("a.b.old.example", "evil.example");
    address("evil.example", "198.51.100.1");
    assert_int_equal(build("a.b.old.example", 1), ANSWER_BAD);
    begin("a.old.example", 1);
    dname("old.example", "old.example"); /* to itself */
    assert_int_equal(build("a.old.example", 1), ANSWER_BAD);
    begin("a.old.example", 1);
    dname("old.example", "b.old.example"); /* longer and longer */
    assert_int_equal(build("a.old.example", 1), ANSWER_BAD);
}

/* The rdata that is told of an HTTPS record, or NULL: it is left out. */
static const uint8_t *https(const void *rdata, size_t len, size_t *out_len)
{
    begin("h.example", 65);
    record(ANSWER, "h.example", 65, rdata, len);
    assert_int_equal(build("h.example", 65), ANSWER_GOOD);
    *out_len = 0;
    if (answer.ancount == 0)
        return NULL;
    *out_len = ldns_read_uint16(answer.body + 10);
    return answer.body + 12;
}

/* RFC 9460: ech is removed, and hints that are not public. */
static void test_https(void **state)
{
    static const uint8_t whole[] = "\0\1\0"
                                   "\0\1\0\3\2h2"
                                   "\0\4\0\10\xc6\x33\x64\1\12\0\0\1"
                                   "\0\5\0\2ab"
                                   "\0\7\0\1x";
    static const uint8_t wanted[] = "\0\1\0"
                                    "\0\1\0\3\2h2"
                                    "\0\4\0\4\xc6\x33\x64\1"
                                    "\0\7\0\1x";
    static const struct {
        const char *rdata;
        size_t len;
    } left_out[] = {
        {"\0\1\0\0\0\0\2\0\5\0\5\0\2ab", 15},     /* requires ech */
        {"\0\1\1x\0", 5},                         /* a target that the policy does not have */
        {"\0\1\0\0\3\0\2\1\xbb\0\1\0\3\2h2", 16}, /* keys out of order */
        {"\0\1\0\0\4\0\3abc", 10},                /* not addresses */
    };
    size_t len;
    const uint8_t *rdata = https(whole, sizeof(whole) - 1, &len);

    (void)state;
    assert_int_equal(len, sizeof(wanted) - 1);
    assert_memory_equal(rdata, wanted, len);
    assert_int_equal(answer.withheld, 1);
    assert_int_equal(answer.address_count, 1);
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
        assert_null(https(left_out[i].rdata, left_out[i].len, &len));
    }
}

static void test_private_names(void **state)
{
    static const char words[] = "*.corp.example!private h.example";
    uint8_t private[4] = {10, 0, 0, 1}, local[4] = {127, 0, 0, 1},
            metadata[4] = {169, 254, 169, 254};
    struct policy p;

    (void)state;
    policy_init(&p);
    assert_int_equal(policy_parse(&p, "t", words, sizeof(words) - 1, NULL), 0);
    assert_true(answer_address_allowed(&p, "a.corp.example", AF_INET, private));
    assert_false(answer_address_allowed(&p, "a.corp.example", AF_INET, local));
    assert_false(answer_address_allowed(&p, "a.corp.example", AF_INET, metadata));
    assert_false(answer_address_allowed(&p, "h.example", AF_INET, private));
    policy_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_answer_is_kept),
        cmocka_unit_test(test_chain_in_any_order),
        cmocka_unit_test(test_loops_and_long_chains),
        cmocka_unit_test(test_negative),
        cmocka_unit_test(test_not_believed),
        cmocka_unit_test(test_extended_rcode),
        cmocka_unit_test(test_truncated_upstream),
        cmocka_unit_test(test_withheld),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_named_addresses),
        cmocka_unit_test(test_told_addresses),
        cmocka_unit_test(test_case_comes_back),
        cmocka_unit_test(test_size_limits),
        cmocka_unit_test(test_size_is_clamped),
        cmocka_unit_test(test_local_answers),
        cmocka_unit_test(test_error_replies),
        cmocka_unit_test(test_cache_ttl),
        cmocka_unit_test(test_dname),
        cmocka_unit_test(test_https),
        cmocka_unit_test(test_private_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
