/* raw_parts.h: what raw.c is put together from. */
#ifndef CIJAIL_RAW_PARTS_H
#define CIJAIL_RAW_PARTS_H

#include <event2/event.h>
#include <stdbool.h>

#include "src/raw.h"

/* raw_judge.c */

struct raw_verdict {
    bool allowed;
    bool connect; /* TCP: the host's side first; else whoever takes it sees to that */
    enum msg_opened_to to;
    uint32_t decision; /* enum msg_decision: what is logged */
    uint32_t endpoint; /* by which word; or POLICY_INDEX_NONE */
};

/* May a connection go there? protocol: IPPROTO_TCP, IPPROTO_UDP. MSG_TO_INTERCEPT: by its URL
 * or its SNI, if by anything. */
struct raw_verdict raw_judge(const struct raw_judge *j, uint8_t protocol,
                             const struct msg_tuple *t);

/* And as it is connected now? Not if it leads to this host itself, unless by its own address. */
bool raw_may_keep(const struct raw_judge *j, const struct msg_tuple *t, int fd);

/* The same word for an IPv4 address and for an IPv6 one: a sockaddr of the tuple's destination, or
 * of the jail's end. Returns its length. */
socklen_t raw_destination(const struct msg_tuple *t, struct sockaddr_storage *out);
socklen_t raw_source(const struct msg_tuple *t, struct sockaddr_storage *out);

/* And back: false if they are not of one family, or it is neither of the two. */
bool raw_tuple(const struct sockaddr_storage *source, const struct sockaddr_storage *destination,
               struct msg_tuple *out);

uint32_t raw_hash(const struct msg_tuple *t);

/* An allowed connection or flow is logged. */
void raw_log(struct log *log, const struct raw_verdict *v, uint8_t protocol,
             const struct msg_tuple *t);

/* And one that wanted to send more than it may (quota.h). */
void raw_log_over(struct log *log, uint8_t protocol, const struct msg_tuple *t);

/* raw_tcp.c */

struct raw_tcp;

/* setup is copied, the rest outlives it. */
struct raw_tcp *raw_tcp_new(const struct raw_setup *setup);

/* A transparent listener of the gateway; owned from here on. */
void raw_tcp_listen(struct raw_tcp *r, int listener);

/* Judges and connects; answers on c, now or later, unless forgotten. */
void raw_tcp_open(struct raw_tcp *r, struct channel *c, const struct msg_open *m);
/* c ends, and with it what it has asked for and was not told of yet. */
void raw_tcp_forget(struct raw_tcp *r, const struct channel *c);

/* What is kept for httpproxy: as raw_claim. */
int raw_tcp_claim(struct raw_tcp *r, const struct msg_tuple *t, uint32_t *endpoint);

/* Accepts what waits. Was that all? Whether all that the jail has sent was delivered is the relays'
 * to say. */
bool raw_tcp_drain(struct raw_tcp *r);

/* raw_udp.c */

struct raw_udp;

/* maker: to raw_maker_main; owned from here on. max: flows at once; each has two descriptors. */
struct raw_udp *raw_udp_new(const struct raw_setup *setup, int maker, size_t max);

/* A transparent UDP socket of the gateway; owned from here on. */
void raw_udp_listen(struct raw_udp *r, int fd, int family);

/* Where errors are told (MSG_UNREACHABLE); NULL: nowhere. */
void raw_udp_set_channel(struct raw_udp *r, struct channel *dnsproxy);

/* Sends on what the jail has sent. Was that all? If not, the event loop has to go on. */
bool raw_udp_drain(struct raw_udp *r);

#endif
