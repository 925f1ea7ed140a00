/* reject.h: ICMP errors for connections that the rules rejected. */
#ifndef CIJAIL_DNSPROXY_REJECT_H
#define CIJAIL_DNSPROXY_REJECT_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsproxy/nflog.h"
#include "src/net.h"

#define REJECT_MAX (8 + NFLOG_SNAPLEN) /* bytes of one ICMP message */
#define REJECT_PER_SECOND 2000         /* messages, repeats among them */

struct reject_message {
    int family;
    size_t len;
    uint8_t data[REJECT_MAX]; /* from the ICMP header on; for IPv6 the checksum is 0: the kernel
                                 fills it in */
};

/* The ICMP message for a packet: that error of connect(2), or EACCES: what the rules answer. Pure.
 * -EINVAL if the packet gets none: it is no TCP SYN and no UDP, it is not the jail's own, or too
 * little of it was logged. RFC 792; RFC 1812, 5.2.7.1; RFC 4443, 3.1. */
int reject_build(const struct nflog_packet *p, int error, struct reject_message *m);

struct reject;

/* fd4, fd6: raw ICMP sockets, or -1; they stay the caller's. */
struct reject *reject_new(struct event_base *base, int fd4, int fd6);
void reject_free(struct reject *r);

/* Answers a packet if it is to be answered: now, and a SYN once more in some milliseconds. error:
 * as for reject_build. */
void reject_answer(struct reject *r, const struct nflog_packet *p, int error);

#endif
