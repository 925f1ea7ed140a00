/* packet_relay.h: a relay (relay.h) for AF_UNIX sockets of type SOCK_SEQPACKET: records stay
 * records. */
#ifndef CIJAIL_PACKET_RELAY_H
#define CIJAIL_PACKET_RELAY_H

#include <event2/event.h>
#include <stddef.h>

#define PACKET_MAX (1u << 20) /* bytes of one record; what is longer resets both sides */

struct packet_relays;
struct quota;

struct packet_relays *packet_relays_new(struct event_base *base);

/* What goes from a to b is counted, of all that start from here on (quota.h); NULL: it is not. */
void packet_relays_limit(struct packet_relays *s, struct quota *quota);

/* error: 0, or a positive errno that ended it; EDQUOT: the quota. */
typedef void packet_relay_done_cb(int error, void *arg);

/* Relays between two connected sockets, which are owned from here on. done, if it is not NULL, is
 * called when it is over. */
void packet_relay_start(struct packet_relays *s, int a, int b, packet_relay_done_cb *done,
                        void *arg);

size_t packet_relays_count(const struct packet_relays *s);

/* Of how many the stream from a to b is not delivered to its end. */
size_t packet_relays_undelivered(const struct packet_relays *s);

/* Ends all, with done called. */
void packet_relays_free(struct packet_relays *s);

#endif
