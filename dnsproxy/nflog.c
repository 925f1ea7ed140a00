/* nflog.c: from the kernel's log of rejected packets to what the jail tried to reach.
 *
 * The netlink frame is the kernel's, but the packet in it is the jail's: any bytes, cut at
 * NFLOG_SNAPLEN. The addresses are read if the fixed header is whole, the port if the first four
 * bytes of a first fragment's transport header are. IPv6 extension headers are walked for a bounded
 * number of steps. What cannot be read is left at 0: it is logged all the same. */
#include "dnsproxy/nflog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define EXTENSIONS_MAX 8
#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_FLAGS 13 /* offset */
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
#ifndef IPPROTO_DCCP
#define IPPROTO_DCCP 33
#endif

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static bool has_ports(uint8_t protocol)
{
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ||
           protocol == IPPROTO_SCTP || protocol == IPPROTO_DCCP;
}

/* The transport header at p->transport, which is within the packet. */
static void read_transport(struct nflog_packet *p)
{
    const uint8_t *t = p->data + p->transport;
    size_t left = p->len - p->transport;
    if (!has_ports(p->protocol) || left < 4)
        return;
    p->port = get16(t + 2);
    if (p->protocol == IPPROTO_TCP && left > TCP_FLAGS)
        p->tcp_syn = (t[TCP_FLAGS] & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

/* RFC 791, 3.1. */
static int parse_ipv4(struct nflog_packet *p)
{
    size_t header = (size_t)(p->data[0] & 15) * 4;
    if (p->len < IPV4_HEADER || p->data[0] >> 4 != 4 || header < IPV4_HEADER || header > p->len)
        return -EINVAL;
    p->family = AF_INET;
    memcpy(p->source, p->data + 12, 4);
    memcpy(p->destination, p->data + 16, 4);
    p->protocol = p->data[9];
    p->transport = header;
    if ((get16(p->data + 6) & 0x1fff) == 0) /* the first fragment, or the only one */
        read_transport(p);
    return 0;
}

/* How long the extension header at h (left bytes of it are there) is, or 0 if it is none that is
 * walked over. Its first two bytes are there. RFC 8200, 4; RFC 7045. */
static size_t extension_length(uint8_t type, const uint8_t *h)
{
    switch (type) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_DSTOPTS:
    case IPPROTO_MH:
        return ((size_t)h[1] + 1) * 8;
    case IPPROTO_AH:
        return ((size_t)h[1] + 2) * 4;
    case IPPROTO_FRAGMENT:
        return 8;
    default:
        return 0;
    }
}

static int parse_ipv6(struct nflog_packet *p)
{
    if (p->len < IPV6_HEADER || p->data[0] >> 4 != 6)
        return -EINVAL;
    p->family = AF_INET6;
    memcpy(p->source, p->data + 8, 16);
    memcpy(p->destination, p->data + 24, 16);
    p->protocol = p->data[6];
    p->transport = IPV6_HEADER;
    for (unsigned i = 0; i < EXTENSIONS_MAX && p->len - p->transport >= 2; i++) {
        const uint8_t *h = p->data + p->transport;
        size_t n = extension_length(p->protocol, h);
        if (n == 0) {
            read_transport(p);
            return 0;
        }
        if (n > p->len - p->transport)
            return 0;
        bool later_fragment = p->protocol == IPPROTO_FRAGMENT && (get16(h + 2) & 0xfff8) != 0;
        p->protocol = h[0];
        p->transport += n;
        if (later_fragment)
            return 0;
    }
    return 0;
}

int nflog_parse_packet(uint16_t ethertype, const uint8_t *data, size_t len, struct nflog_packet *p)
{
    *p = (struct nflog_packet){.data = data, .len = len};
    if (len == 0)
        return -EINVAL;
    switch (ethertype) {
    case ETH_P_IP:
        return parse_ipv4(p);
    case ETH_P_IPV6:
        return parse_ipv6(p);
    default:
        return -EINVAL;
    }
}

/* The two attributes that matter, each of its exact or least length. */
static int take_attr(const struct nlattr *attr, void *arg)
{
    const struct nlattr **table = arg;
    uint16_t type = mnl_attr_get_type(attr);
    if (type == NFULA_PACKET_HDR &&
        mnl_attr_get_payload_len(attr) == sizeof(struct nfulnl_msg_packet_hdr))
        table[type] = attr;
    if (type == NFULA_PAYLOAD && mnl_attr_get_payload_len(attr) > 0)
        table[type] = attr;
    return MNL_CB_OK;
}

static bool parse_message(const struct nlmsghdr *nlh, struct nflog_packet *p)
{
    const struct nlattr *attrs[NFULA_MAX + 1] = {NULL};
    struct nfulnl_msg_packet_hdr hdr;
    if (nlh->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
        mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg) ||
        mnl_attr_parse(nlh, sizeof(struct nfgenmsg), take_attr, (void *)attrs) != MNL_CB_OK ||
        !attrs[NFULA_PACKET_HDR] || !attrs[NFULA_PAYLOAD])
        return false;
    memcpy(&hdr, mnl_attr_get_payload(attrs[NFULA_PACKET_HDR]), sizeof(hdr));
    const struct nlattr *payload = attrs[NFULA_PAYLOAD];
    /* libmnl rounds what is left up to 4, and so lets the last attribute be longer than the
     * message. */
    if ((const char *)payload + payload->nla_len > (const char *)nlh + nlh->nlmsg_len)
        return false;
    return nflog_parse_packet(ntohs(hdr.hw_protocol), mnl_attr_get_payload(payload),
                              mnl_attr_get_payload_len(payload), p) == 0;
}

size_t nflog_parse(const void *buf, size_t len, nflog_packet_cb *cb, void *arg)
{
    const struct nlmsghdr *nlh = buf;
    int left = (int)len;
    size_t n = 0;
    while (mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= (size_t)left) { /* libmnl compares as int */
        struct nflog_packet p;
        if (parse_message(nlh, &p)) {
            cb(arg, &p);
            n++;
        }
        nlh = mnl_nlmsg_next(nlh, &left);
    }
    return n;
}

bool nflog_read(int fd, void *buf, size_t size, unsigned max, nflog_packet_cb *cb, void *arg)
{
    for (unsigned i = 0; i < max; i++) {
        struct sockaddr_nl from = {0};
        struct iovec iov = {buf, size};
        struct msghdr h = {
            .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT);
        if (n < 0 && (errno == ENOBUFS || errno == EINTR))
            continue; /* packets were lost in a flood; the rest goes on */
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        if (n == 0)
            return false;
        if (from.nl_pid == 0 && !(h.msg_flags & MSG_TRUNC))
            (void)nflog_parse(buf, (size_t)n, cb, arg);
    }
    return true;
}
