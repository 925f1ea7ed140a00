/* relay.h: two stream sockets joined, byte for byte, by splice(2). */
#ifndef CIJAIL_RELAY_H
#define CIJAIL_RELAY_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAYS_MAX 4096
#define RELAY_FDS 6 /* the most that one relay holds */

/* The relays of one event loop. */
struct relays;

/* How a relay ended. */
struct relay_end {
    uint64_t bytes[2]; /* bytes[0]: delivered from a to b; bytes[1]: from b to a */
    int error;         /* 0: both sides said that they are done; else the errno that ended it */
};

/* Called once, when both sockets are closed. */
typedef void relay_done_cb(const struct relay_end *end, void *arg);

/* max: relays at once, at most RELAYS_MAX. Ends the process if memory is out. SIGPIPE must be
 * ignored. */
struct relays *relays_new(struct event_base *base, size_t max);

/* From a to b no more is taken than the count has left; who wants to send more is reset, with
 * EDQUOT as the error. NULL: there is no limit. */
struct quota;
void relays_limit(struct relays *s, struct quota *quota);

/* Resets what is left, calling back with ECANCELED; where all of a is on its way to b, that is not
 * thrown away: it is closed, and the error is 0. */
void relays_free(struct relays *s);

/* Joins a and b, two connected stream sockets of any family (TCP, AF_UNIX), which are owned by the
 * relay from here on. done may be NULL, and may not be called before this returns. -EMFILE, with
 * both still the caller's, if there are as many relays as there may be. */
int relay_start(struct relays *s, int a, int b, relay_done_cb *done, void *arg);

size_t relays_count(const struct relays *s);

/* How many more there may be. */
size_t relays_room(const struct relays *s);

/* Relays whose a may still have sent what b has not got. */
size_t relays_undelivered(const struct relays *s);

/* Closes a TCP socket so that its peer gets a RST, and any other socket plainly. */
void relay_reset(int fd);

#endif
