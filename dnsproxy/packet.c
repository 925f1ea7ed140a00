/* packet.c: a held SYN made anew, and the answers to it.
 *
 * No packet of the jail is passed on as it came. The IP header is made here, from addresses that
 * were parsed; of TCP's header the ports, the sequence number, the flags, the window and the
 * options are the jail's own, which the kernel of the gateway reads as it reads those of any
 * packet. Data in a SYN (TCP Fast Open, RFC 7413) is left out: its sender sends it again. */
#include "dnsproxy/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "src/net.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define UDP_HEADER 8
#define TTL 64
#define TCP_SEQUENCE 4 /* offsets */
#define TCP_ACKNOWLEDGMENT 8
#define TCP_OFFSET 12
#define TCP_FLAGS 13
#define TCP_CHECKSUM 16
#define TCP_FIN 0x01
#define TCP_RST 0x04
#define TCP_ACK 0x10

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint32_t packet_sum(uint32_t sum, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(data[i] << 8 | data[i + 1]);
    if (len % 2)
        sum += (uint32_t)data[len - 1] << 8;
    return sum;
}

uint16_t packet_checksum(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static size_t ip_header(int family)
{
    return family == AF_INET ? IPV4_HEADER : IPV6_HEADER;
}

static size_t address_len(int family)
{
    return family == AF_INET ? 4 : 16;
}

/* The jail's address of the family; zero beyond its length. */
static bool jail_address(int family, uint8_t out[16])
{
    memset(out, 0, 16);
    return inet_pton(family, family == AF_INET ? JAIL_IPV4 : JAIL_IPV6, out) == 1;
}

/* The length of TCP's header, or 0 if it is not whole. */
static size_t tcp_header(const struct nflog_packet *p)
{
    size_t left = p->len - p->transport, n;

    if (left < TCP_HEADER)
        return 0;
    n = (size_t)(p->data[p->transport + TCP_OFFSET] >> 4) * 4;
    return n < TCP_HEADER || n > left ? 0 : n;
}

int packet_tuple(const struct nflog_packet *p, struct msg_tuple *t, uint32_t *sequence)
{
    const uint8_t *tcp = p->data + p->transport;
    uint8_t jail[16];

    memset(t, 0, sizeof(*t));
    if (!p->tcp_syn || p->port == 0 || tcp_header(p) == 0 || tcp[TCP_FLAGS] & TCP_FIN ||
        !jail_address(p->family, jail) || memcmp(jail, p->source, sizeof(jail)) != 0)
        return -EINVAL;
    t->family = (uint8_t)p->family;
    t->source_port = (uint16_t)(tcp[0] << 8 | tcp[1]);
    t->port = p->port;
    memcpy(t->address, p->destination, sizeof(t->address));
    *sequence = get32(tcp + TCP_SEQUENCE);
    return 0;
}

/* The IP header before len bytes of that protocol. RFC 791, 3.1; RFC 8200, 3. */
static void put_ip(struct packet *out, int family, uint8_t protocol, const uint8_t *source,
                   const uint8_t *destination, size_t len)
{
    uint8_t *ip = out->data;

    memset(out, 0, sizeof(*out));
    out->family = family;
    out->len = ip_header(family) + len;
    if (family == AF_INET) {
        ip[0] = 0x45;
        put16(ip + 2, (uint32_t)out->len);
        ip[6] = 0x40; /* don't fragment */
        ip[8] = TTL;
        ip[9] = protocol;
        memcpy(ip + 12, source, 4);
        memcpy(ip + 16, destination, 4);
        put16(ip + 10, packet_checksum(packet_sum(0, ip, IPV4_HEADER)));
        return;
    }
    ip[0] = 0x60;
    put16(ip + 4, (uint32_t)len);
    ip[6] = protocol;
    ip[7] = TTL;
    memcpy(ip + 8, source, 16);
    memcpy(ip + 24, destination, 16);
}

/* Of the whole packet, its own field zero: with the pseudo-header. RFC 9293, 3.1; RFC 8200, 8.1. */
static void put_tcp_checksum(struct packet *out)
{
    size_t header = ip_header(out->family), n = address_len(out->family);
    size_t len = out->len - header;
    uint8_t *tcp = out->data + header;
    uint32_t sum = packet_sum(IPPROTO_TCP + (uint32_t)len, out->data + header - 2 * n, 2 * n);

    put16(tcp + TCP_CHECKSUM, 0);
    put16(tcp + TCP_CHECKSUM, packet_checksum(packet_sum(sum, tcp, len)));
}

void packet_syn(const struct nflog_packet *p, struct packet *out)
{
    size_t len = tcp_header(p);

    put_ip(out, p->family, IPPROTO_TCP, p->source, p->destination, len);
    memcpy(out->data + ip_header(p->family), p->data + p->transport, len);
    put_tcp_checksum(out);
}

void packet_reset(const struct nflog_packet *p, struct packet *out)
{
    const uint8_t *syn = p->data + p->transport;
    uint8_t *tcp;

    put_ip(out, p->family, IPPROTO_TCP, p->destination, p->source, TCP_HEADER);
    tcp = out->data + ip_header(p->family);
    memcpy(tcp, syn + 2, 2);
    memcpy(tcp + 2, syn, 2);
    put32(tcp + TCP_ACKNOWLEDGMENT, get32(syn + TCP_SEQUENCE) + 1);
    tcp[TCP_OFFSET] = TCP_HEADER / 4 << 4;
    tcp[TCP_FLAGS] = TCP_RST | TCP_ACK;
    put_tcp_checksum(out);
}

void packet_datagram(const struct msg_tuple *t, struct packet *out, struct nflog_packet *p)
{
    uint8_t jail[16], *udp;

    (void)jail_address(t->family, jail);
    put_ip(out, t->family, IPPROTO_UDP, jail, t->address, UDP_HEADER);
    udp = out->data + ip_header(t->family);
    put16(udp, t->source_port);
    put16(udp + 2, t->port);
    put16(udp + 4, UDP_HEADER);
    *p = (struct nflog_packet){.family = t->family,
                               .protocol = IPPROTO_UDP,
                               .port = t->port,
                               .data = out->data,
                               .len = out->len,
                               .transport = ip_header(t->family)};
    memcpy(p->source, jail, sizeof(p->source));
    memcpy(p->destination, t->address, sizeof(p->destination));
}
