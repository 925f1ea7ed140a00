/* nflog.h: packets that the rules rejected, as the kernel logs them. */
#ifndef CIJAIL_DNSPROXY_NFLOG_H
#define CIJAIL_DNSPROXY_NFLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NFLOG_BUFFER                                                                               \
    (128 * 1024) /* the kernel puts at most this much into one message (NFULNL_NLBUFSIZ_MAX) */

struct nflog_packet {
    int family;         /* AF_INET, AF_INET6 */
    uint8_t source[16]; /* 4 bytes for AF_INET, the rest zero */
    uint8_t destination[16];
    uint8_t protocol;    /* IPPROTO_*: the transport's, behind extension headers */
    uint16_t port;       /* destination port in host order; 0 if there is none or it was not seen */
    bool tcp_syn;        /* TCP with SYN and neither ACK nor RST */
    const uint8_t *data; /* the packet from its IP header on, as far as it was logged */
    size_t len;
    size_t transport; /* offset of the transport header in data; <= len */
};

/* Parses a packet from its IP header on. data stays the caller's, *p points into it. Pure. 0 or
 * -EINVAL. */
int nflog_parse_packet(uint16_t ethertype, const uint8_t *data, size_t len, struct nflog_packet *p);

/* Walks the netlink messages of one datagram (aligned to 4) and calls cb for each packet that could
 * be parsed. Pure but for cb. Returns how many. */
typedef void nflog_packet_cb(void *arg, const struct nflog_packet *p);
size_t nflog_parse(const void *buf, size_t len, nflog_packet_cb *cb, void *arg);

/* Reads up to max datagrams from a netlink socket, each into buf (aligned to 4). Returns whether
 * the socket is still of use. */
bool nflog_read(int fd, void *buf, size_t size, unsigned max, nflog_packet_cb *cb, void *arg);

#endif
