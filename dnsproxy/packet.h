/* packet.h: packets that this process makes itself, from the fields of one that was parsed. */
#ifndef CIJAIL_DNSPROXY_PACKET_H
#define CIJAIL_DNSPROXY_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "dnsproxy/nflog.h"
#include "src/msg.h"

#define PACKET_MAX (40 + 60) /* an IPv6 header, and TCP's with all of its options */

struct packet {
    int family;
    size_t len;
    uint8_t data[PACKET_MAX]; /* from the IP header on, checksums filled in */
};

/* Where a held packet goes, and its sequence number. -EINVAL if it is no SYN of the jail's own
 * whose TCP header was logged whole, or goes to port 0. Pure, like the others here. */
int packet_tuple(const struct nflog_packet *p, struct msg_tuple *t, uint32_t *sequence);

/* The same SYN with an IP header made anew and nothing behind TCP's. p passed packet_tuple. RFC
 * 9293, 3.1. */
void packet_syn(const struct nflog_packet *p, struct packet *out);

/* The answer of a port that is closed: RST and ACK, from the packet's destination. RFC 9293, 3.5.2.
 */
void packet_reset(const struct nflog_packet *p, struct packet *out);

/* The head of a UDP datagram from the jail, to be quoted in an ICMP error: *p points into out. */
void packet_datagram(const struct msg_tuple *t, struct packet *out, struct nflog_packet *p);

/* RFC 1071, of data and of what was summed up before. */
uint32_t packet_sum(uint32_t sum, const uint8_t *data, size_t len);
uint16_t packet_checksum(uint32_t sum);

#endif
