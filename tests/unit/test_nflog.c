/* test_nflog.c: rejected packets as the kernel logs them, and the ICMP errors that answer them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "dnsproxy/nflog.h"
#include "dnsproxy/packet.h"
#include "dnsproxy/reject.h"

#define SYN 0x02
#define ACK 0x10
#define TCP_LEN 20

struct raw {
    uint8_t data[256];
    size_t len;
};

static void add(struct raw *r, const void *data, size_t len)
{
    memcpy(r->data + r->len, data, len);
    r->len += len;
}

/* Ports 1025 -> 443 and these flags. */
static void tcp(struct raw *r, uint8_t flags)
{
    uint8_t h[TCP_LEN] = {4, 1, 1, 0xbb, 1, 2, 3, 4, [12] = 0x50, [13] = flags};
    add(r, h, sizeof(h));
}

/* From the jail to 203.0.113.5; options: bytes of them, a multiple of 4. */
static struct raw ipv4(uint8_t protocol, size_t options)
{
    uint8_t h[60] = {[0] = (uint8_t)(0x40 | (5 + options / 4)), [8] = 64, [9] = protocol};
    struct raw r = {.len = 0};
    inet_pton(AF_INET, JAIL_IPV4, h + 12);
    inet_pton(AF_INET, "203.0.113.5", h + 16);
    memset(h + 20, 1, options);
    add(&r, h, 20 + options);
    return r;
}

static struct raw ipv6(uint8_t next)
{
    uint8_t h[40] = {[0] = 0x60, [6] = next, [7] = 64};
    struct raw r = {.len = 0};
    inet_pton(AF_INET6, JAIL_IPV6, h + 8);
    inet_pton(AF_INET6, "2001:db8::5", h + 24);
    add(&r, h, sizeof(h));
    return r;
}

static struct nflog_packet good(const struct raw *r)
{
    struct nflog_packet p;
    uint16_t type = r->data[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6;
    assert_int_equal(nflog_parse_packet(type, r->data, r->len, &p), 0);
    assert_true(p.transport <= p.len);
    return p;
}

static void test_ipv4(void **state)
{
    (void)state;
    for (size_t options = 0; options <= 40; options += 4) {
        struct raw r = ipv4(IPPROTO_TCP, options);
        tcp(&r, SYN);
        struct nflog_packet p = good(&r);
        assert_int_equal(p.family, AF_INET);
        assert_int_equal(p.protocol, IPPROTO_TCP);
        assert_int_equal(p.port, 443);
        assert_true(p.tcp_syn);
        assert_memory_equal(p.destination, "\xcb\0\x71\5\0\0\0\0", 8);
        assert_memory_equal(p.source, "\xc0\0\0\2\0\0\0\0", 8);
    }
}

static void test_ipv4_bad(void **state)
{
    (void)state;
    struct raw r = ipv4(IPPROTO_TCP, 0);
    struct nflog_packet p;
    tcp(&r, SYN);
    for (size_t len = 0; len < 20; len++)
        assert_int_equal(nflog_parse_packet(ETH_P_IP, r.data, len, &p), -EINVAL);
    assert_int_equal(nflog_parse_packet(ETH_P_IP, r.data, 20, &p), 0);
    assert_int_equal(p.port, 0); /* nothing of the transport was logged */
    assert_int_equal(nflog_parse_packet(ETH_P_IPV6, r.data, r.len, &p), -EINVAL);
    assert_int_equal(nflog_parse_packet(ETH_P_ARP, r.data, r.len, &p), -EINVAL);
    r.data[0] = 0x44; /* a header of 16 bytes */
    assert_int_equal(nflog_parse_packet(ETH_P_IP, r.data, r.len, &p), -EINVAL);
    r.data[0] = 0x4f; /* of 60: more than there is */
    assert_int_equal(nflog_parse_packet(ETH_P_IP, r.data, r.len, &p), -EINVAL);
    r.data[0] = 0x65;
    assert_int_equal(nflog_parse_packet(ETH_P_IP, r.data, r.len, &p), -EINVAL);
}

static void test_fragments_have_no_port(void **state)
{
    (void)state;
    struct raw r = ipv4(IPPROTO_UDP, 0);
    tcp(&r, 0);
    assert_int_equal(good(&r).port, 443);
    r.data[6] = 0x20; /* more fragments follow: the first one has a port */
    assert_int_equal(good(&r).port, 443);
    r.data[7] = 1;
    assert_int_equal(good(&r).port, 0);
    assert_int_equal(good(&r).protocol, IPPROTO_UDP);
}

static void test_protocols(void **state)
{
    (void)state;
    static const struct {
        uint8_t protocol;
        uint16_t port;
    } cases[] = {{IPPROTO_TCP, 443}, {IPPROTO_UDP, 443}, {IPPROTO_SCTP, 443}, {33, 443}, {136, 443},
                 {IPPROTO_ICMP, 0},  {IPPROTO_GRE, 0},   {IPPROTO_ESP, 0},    {0, 0},    {255, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct raw r = ipv4(cases[i].protocol, 0);
        tcp(&r, SYN);
        struct nflog_packet p = good(&r);
        assert_int_equal(p.protocol, cases[i].protocol);
        assert_int_equal(p.port, cases[i].port);
        assert_int_equal(p.tcp_syn, cases[i].protocol == IPPROTO_TCP);
    }
}

static void test_ipv6(void **state)
{
    (void)state;
    struct raw r = ipv6(IPPROTO_TCP);
    tcp(&r, SYN);
    struct nflog_packet p = good(&r);
    assert_int_equal(p.family, AF_INET6);
    assert_int_equal(p.port, 443);
    assert_true(p.tcp_syn);
    for (size_t len = 0; len < 40; len++)
        assert_int_equal(nflog_parse_packet(ETH_P_IPV6, r.data, len, &p), -EINVAL);
    r = ipv6(IPPROTO_ICMPV6);
    add(&r, "\x80\0\0\0\0\0\0\0", 8);
    assert_int_equal(good(&r).port, 0);
    assert_int_equal(good(&r).protocol, IPPROTO_ICMPV6);
}

static void test_ipv6_extensions(void **state)
{
    (void)state;
    struct raw r = ipv6(IPPROTO_HOPOPTS);
    add(&r, "\x3c\0\1\4\0\0\0\0", 8);                  /* then destination options */
    add(&r, "\x33\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16); /* of 16 bytes, then AH */
    add(&r, "\x2c\1\0\0\0\0\0\0\0\0\0\0", 12);         /* of 12 bytes, then a fragment header */
    add(&r, "\6\0\0\1\0\0\0\0", 8);                    /* the first one, then TCP */
    tcp(&r, SYN);
    struct nflog_packet p = good(&r);
    assert_int_equal(p.protocol, IPPROTO_TCP);
    assert_int_equal(p.port, 443);
    assert_true(p.tcp_syn);
    r.data[40 + 8 + 16 + 12 + 3] = 8; /* a later fragment */
    p = good(&r);
    assert_int_equal(p.protocol, IPPROTO_TCP);
    assert_int_equal(p.port, 0);
    assert_false(p.tcp_syn);
}

static void test_ipv6_extensions_are_bounded(void **state)
{
    (void)state;
    for (int n = 7; n <= 10; n++) {
        struct raw r = ipv6(IPPROTO_DSTOPTS);
        for (int i = 0; i < n; i++)
            add(&r, i == n - 1 ? "\6\0\1\4\0\0\0\0" : "\x3c\0\1\4\0\0\0\0", 8);
        tcp(&r, SYN);
        assert_int_equal(good(&r).port, n < 8 ? 443 : 0);
    }
    struct raw r = ipv6(IPPROTO_DSTOPTS); /* longer than what was logged */
    add(&r, "\6\xff\1\4\0\0\0\0", 8);
    assert_int_equal(good(&r).protocol, IPPROTO_DSTOPTS);
    assert_int_equal(good(&r).port, 0);
}

struct seen {
    unsigned n;
    uint16_t port;
};

static void on_packet(void *arg, const struct nflog_packet *p)
{
    struct seen *s = arg;
    s->n++;
    s->port = p->port;
}

/* One message of the log, as the kernel frames it. */
static struct nlmsghdr *frame(void *buf, uint16_t type, const struct raw *r)
{
    struct nfulnl_msg_packet_hdr hdr = {.hw_protocol = htons(ETH_P_IP)};
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    nlh->nlmsg_type = type;
    (void)mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
    mnl_attr_put(nlh, NFULA_PACKET_HDR, sizeof(hdr), &hdr);
    mnl_attr_put_strz(nlh, NFULA_PREFIX, "rejected");
    mnl_attr_put(nlh, NFULA_PAYLOAD, r->len, r->data);
    return nlh;
}

static void test_netlink(void **state)
{
    (void)state;
    _Alignas(struct nlmsghdr) uint8_t buf[1024] = {0};
    const uint16_t packet = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
    struct raw r = ipv4(IPPROTO_TCP, 0);
    struct seen seen = {0};
    tcp(&r, SYN);
    size_t first = NLMSG_ALIGN(frame(buf, packet, &r)->nlmsg_len);
    size_t both = first + frame(buf + first, packet, &r)->nlmsg_len;
    assert_int_equal(nflog_parse(buf, both, on_packet, &seen), 2);
    assert_int_equal(seen.port, 443);
    assert_int_equal(nflog_parse(buf, both - 1, on_packet, &seen), 1);
    (void)frame(buf, NLMSG_DONE, &r);
    assert_int_equal(nflog_parse(buf, first, on_packet, &seen), 0);
    (void)frame(buf, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, &r);
    assert_int_equal(nflog_parse(buf, first, on_packet, &seen), 0);
    /* attributes: cut off, too long, absent */
    struct nlmsghdr *nlh = frame(buf, packet, &r);
    nlh->nlmsg_len = NLMSG_HDRLEN + 2;
    assert_int_equal(nflog_parse(buf, first, on_packet, &seen), 0);
    nlh = frame(buf, packet, &r);
    nlh->nlmsg_len -= (uint32_t)(r.len + 3) & ~3u;
    assert_int_equal(nflog_parse(buf, first, on_packet, &seen), 0);
    nlh = frame(buf, packet, &r);
    ((struct nlattr *)mnl_nlmsg_get_payload_offset(nlh, sizeof(struct nfgenmsg)))->nla_type =
        NFULA_UID;
    assert_int_equal(nflog_parse(buf, first, on_packet, &seen), 0);
    (void)frame(buf, packet, &r);
    assert_int_equal(nflog_parse(buf, first, on_packet, &seen), 1);
}

static unsigned sum16(const uint8_t *data, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? data[i] : (unsigned)data[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void test_reject_ipv4(void **state)
{
    (void)state;
    struct reject_message m;
    struct raw r = ipv4(IPPROTO_TCP, 8);
    tcp(&r, SYN);
    add(&r, "options and more than is quoted", 32);
    struct nflog_packet p = good(&r);
    assert_int_equal(reject_build(&p, EACCES, &m), 0);
    assert_int_equal(m.family, AF_INET);
    assert_int_equal(m.len, 8 + 28 + 28);
    assert_int_equal(m.data[0], 3);
    assert_int_equal(m.data[1], 9);
    assert_int_equal(sum16(m.data, m.len), 0xffff);
    assert_memory_equal(m.data + 4, "\0\0\0\0", 4);
    assert_memory_equal(m.data + 8, r.data, 56);
}

static void test_reject_ipv6(void **state)
{
    (void)state;
    struct reject_message m;
    struct raw r = ipv6(IPPROTO_TCP);
    tcp(&r, SYN);
    struct nflog_packet p = good(&r);
    assert_int_equal(reject_build(&p, EACCES, &m), 0);
    assert_int_equal(m.family, AF_INET6);
    assert_int_equal(m.len, 8 + 60);
    assert_memory_equal(m.data, "\1\0\0\0\0\0\0\0", 8);
    assert_memory_equal(m.data + 8, r.data, 60);
}

static void test_not_rejected(void **state)
{
    (void)state;
    struct reject_message m;
    struct raw r = ipv4(IPPROTO_TCP, 0);
    tcp(&r, SYN | ACK);
    struct nflog_packet p = good(&r);
    assert_int_equal(reject_build(&p, EACCES, &m), -EINVAL);
    r.data[20 + 13] = ACK;
    p = good(&r);
    assert_int_equal(reject_build(&p, EACCES, &m), -EINVAL);
    r.data[20 + 13] = SYN;
    p = good(&r);
    assert_int_equal(reject_build(&p, EACCES, &m), 0);
    r.data[15] ^= 1; /* someone else's address */
    p = good(&r);
    assert_int_equal(reject_build(&p, EACCES, &m), -EINVAL);
    r.data[15] ^= 1;
    r.len = 20 + 13; /* the flags were not logged */
    p = good(&r);
    assert_int_equal(reject_build(&p, EACCES, &m), -EINVAL);
    r = ipv4(IPPROTO_SCTP, 0);
    tcp(&r, SYN);
    p = good(&r);
    assert_int_equal(reject_build(&p, EACCES, &m), -EINVAL);
    r = ipv6(IPPROTO_TCP);
    tcp(&r, SYN);
    r.data[23] ^= 1;
    p = good(&r);
    assert_int_equal(reject_build(&p, EACCES, &m), -EINVAL);
}

/* What the kernel of the jail makes that errno of. */
static void test_reject_codes(void **state)
{
    static const struct {
        int error;
        uint8_t tcp4, udp4, tcp6, udp6;
    } cases[] = {
        {EACCES, 9, 9, 0, 1},       {ECONNREFUSED, 3, 3, 4, 4}, {ENETUNREACH, 0, 0, 0, 0},
        {EHOSTUNREACH, 1, 1, 3, 3}, {EIO, 1, 1, 3, 3},
    };
    struct raw r[4] = {ipv4(IPPROTO_TCP, 0), ipv4(IPPROTO_UDP, 0), ipv6(IPPROTO_TCP),
                       ipv6(IPPROTO_UDP)};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        tcp(&r[i], SYN);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint8_t codes[4] = {cases[i].tcp4, cases[i].udp4, cases[i].tcp6, cases[i].udp6};
        for (size_t k = 0; k < 4; k++) {
            struct reject_message m;
            struct nflog_packet p = good(&r[k]);
            assert_int_equal(reject_build(&p, cases[i].error, &m), 0);
            assert_int_equal(m.data[0], k < 2 ? 3 : 1);
            assert_int_equal(m.data[1], codes[k]);
        }
    }
}

/* Of a held SYN: ports, sequence number, options; and the sums are right. */
static unsigned pseudo_sum(const struct packet *p)
{
    size_t header = p->family == AF_INET ? 20 : 40, n = p->family == AF_INET ? 8 : 32;
    uint8_t bytes[PACKET_MAX + 36] = {[1] = IPPROTO_TCP};
    bytes[3] = (uint8_t)(p->len - header);
    memcpy(bytes + 4, p->data + header - n, n);
    memcpy(bytes + 4 + n, p->data + header, p->len - header);
    return sum16(bytes, 4 + n + p->len - header);
}

/* A SYN with options (8 bytes) and data (5), of either family; IPv4 with options of its own. */
static struct raw long_syn(int family)
{
    struct raw r = family == AF_INET ? ipv4(IPPROTO_TCP, 8) : ipv6(IPPROTO_TCP);
    size_t at = r.len;
    tcp(&r, SYN | 0xc0); /* ECN */
    r.data[at + 12] = 0x70;
    add(&r, "\2\4\5\xb4\1\1\4\2hello", 13);
    return r;
}

static void test_syn_is_made_anew(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int family = i ? AF_INET6 : AF_INET;
        size_t header = i ? 40 : 20;
        struct raw r = long_syn(family);
        struct nflog_packet p = good(&r), again;
        struct msg_tuple t;
        struct packet out;
        uint32_t sequence;
        assert_int_equal(packet_tuple(&p, &t, &sequence), 0);
        assert_int_equal(t.family, family);
        assert_int_equal(t.source_port, 1025);
        assert_int_equal(t.port, 443);
        assert_memory_equal(t.address, p.destination, 16);
        assert_int_equal(sequence, 0x01020304);
        packet_syn(&p, &out);
        assert_int_equal(out.family, family);
        assert_int_equal(out.len, header + 28); /* no data, no options of IP */
        assert_int_equal(nflog_parse_packet(i ? ETH_P_IPV6 : ETH_P_IP, out.data, out.len, &again),
                         0);
        assert_true(again.tcp_syn);
        assert_int_equal(again.transport, header);
        assert_memory_equal(again.source, p.source, 16);
        assert_memory_equal(again.destination, p.destination, 16);
        assert_memory_equal(out.data + header, p.data + p.transport, 16);
        assert_memory_equal(out.data + header + 20, "\2\4\5\xb4\1\1\4\2", 8);
        assert_int_equal(pseudo_sum(&out), 0xffff);
        if (!i) {
            assert_int_equal(sum16(out.data, 20), 0xffff);
            assert_memory_equal(out.data + 2, "\0\60", 2);
        } else {
            assert_memory_equal(out.data + 4, "\0\34", 2);
        }
    }
}

static void test_reset(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t header = i ? 40 : 20;
        struct raw r = long_syn(i ? AF_INET6 : AF_INET);
        struct nflog_packet p = good(&r), again;
        struct packet out;
        r.data[p.transport + 4] = r.data[p.transport + 5] = 0xff; /* the number goes around */
        r.data[p.transport + 6] = r.data[p.transport + 7] = 0xff;
        packet_reset(&p, &out);
        assert_int_equal(out.len, header + 20);
        assert_int_equal(nflog_parse_packet(i ? ETH_P_IPV6 : ETH_P_IP, out.data, out.len, &again),
                         0);
        assert_memory_equal(again.source, p.destination, 16);
        assert_memory_equal(again.destination, p.source, 16);
        assert_int_equal(again.port, 1025);
        assert_memory_equal(out.data + header, "\1\xbb\4\1\0\0\0\0\0\0\0\0\x50\x14", 14);
        assert_int_equal(pseudo_sum(&out), 0xffff);
    }
}

static void test_datagram(void **state)
{
    struct msg_tuple t = {
        .source_port = 0x1234, .port = 0x5678, .family = AF_INET6, .address = {0x20, 1, [15] = 9}};
    struct nflog_packet p;
    struct packet out;
    struct reject_message m;
    (void)state;
    for (int i = 0; i < 2; i++) {
        packet_datagram(&t, &out, &p);
        assert_int_equal(p.family, t.family);
        assert_int_equal(p.port, 0x5678);
        assert_int_equal(p.protocol, IPPROTO_UDP);
        assert_ptr_equal(p.data, out.data);
        assert_int_equal(p.len, p.transport + 8);
        assert_memory_equal(p.data + p.transport, "\x12\x34\x56\x78\0\10\0\0", 8);
        assert_int_equal(reject_build(&p, ECONNREFUSED, &m), 0);
        assert_memory_equal(m.data + 8, out.data, out.len);
        t.family = AF_INET;
        memcpy(t.address, "\xc0\0\2\1\0\0\0\0\0\0\0\0\0\0\0", 16);
    }
}

static void test_not_held(void **state)
{
    (void)state;
    struct msg_tuple t;
    uint32_t sequence;
    struct raw r = ipv4(IPPROTO_TCP, 0);
    tcp(&r, SYN);
    struct nflog_packet p = good(&r);
    assert_int_equal(packet_tuple(&p, &t, &sequence), 0);
    r.data[20 + 13] = SYN | 1; /* FIN */
    p = good(&r);
    assert_int_equal(packet_tuple(&p, &t, &sequence), -EINVAL);
    r.data[20 + 13] = SYN | ACK;
    p = good(&r);
    assert_int_equal(packet_tuple(&p, &t, &sequence), -EINVAL);
    r.data[20 + 13] = SYN;
    r.data[20 + 12] = 0x40; /* a header too short */
    p = good(&r);
    assert_int_equal(packet_tuple(&p, &t, &sequence), -EINVAL);
    r.data[20 + 12] = 0x60; /* longer than what was logged */
    p = good(&r);
    assert_int_equal(packet_tuple(&p, &t, &sequence), -EINVAL);
    r.data[20 + 12] = 0x50;
    p = good(&r);
    p.len--;
    assert_int_equal(packet_tuple(&p, &t, &sequence), -EINVAL);
    r.data[15] ^= 1; /* someone else's address */
    p = good(&r);
    assert_int_equal(packet_tuple(&p, &t, &sequence), -EINVAL);
    r.data[15] ^= 1;
    memset(r.data + 22, 0, 2); /* port 0 */
    p = good(&r);
    assert_int_equal(packet_tuple(&p, &t, &sequence), -EINVAL);
}

/* However long its headers are, what was logged is enough for the answer and never more than it
 * holds. */
static void test_reject_is_bounded(void **state)
{
    (void)state;
    struct reject_message m;
    struct raw r = ipv6(IPPROTO_DSTOPTS);
    uint8_t options[72] = {IPPROTO_TCP, 8};
    add(&r, options, sizeof(options));
    tcp(&r, SYN);
    add(&r, "123456789", 9);
    struct nflog_packet p = good(&r);
    assert_true(p.len > NFLOG_SNAPLEN);
    assert_int_equal(reject_build(&p, EACCES, &m), -EINVAL);
    p.len = NFLOG_SNAPLEN;
    assert_int_equal(reject_build(&p, EACCES, &m), 0);
    assert_int_equal(m.len, REJECT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_ipv4_bad),
        cmocka_unit_test(test_fragments_have_no_port),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_ipv6_extensions),
        cmocka_unit_test(test_ipv6_extensions_are_bounded),
        cmocka_unit_test(test_netlink),
        cmocka_unit_test(test_reject_ipv4),
        cmocka_unit_test(test_reject_ipv6),
        cmocka_unit_test(test_not_rejected),
        cmocka_unit_test(test_reject_is_bounded),
        cmocka_unit_test(test_reject_codes),
        cmocka_unit_test(test_syn_is_made_anew),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_datagram),
        cmocka_unit_test(test_not_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
