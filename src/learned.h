/* learned.h: which addresses the jail has been told for the names of NAME:PORT endpoints. */
#ifndef CIJAIL_LEARNED_H
#define CIJAIL_LEARNED_H

#include <stdint.h>

#include "src/msg.h"
#include "src/policy.h"

#define LEARNED_MAX 65536 /* (address, port) pairs; beyond that the one that expires first goes */
#define LEARNED_PORTS_MAX 1024 /* ports of one name that count: the first of the policy */
#define LEARNED_TTL_MIN 60     /* seconds; a client connects some time after it has asked */
#define LEARNED_TTL_MAX 86400

struct learned;

/* policy outlives it. clock: milliseconds, now_ms but for tests. catch_up takes in (learned_add)
 * what dnsproxy has said up to now, and may find that it has ended; NULL: nothing waits. */
struct learned *learned_new(const struct policy *policy, uint64_t (*clock)(void),
                            void (*catch_up)(void *arg), void *arg);
void learned_free(struct learned *l);

/* The answer to a lookup. What the policy has no NAME:PORT endpoint for, and addresses that are not
 * public (DNS rebinding), are passed over. */
void learned_add(struct learned *l, const struct msg_learn *m);

/* The NAME:PORT endpoint that lets this address (4 or 16 bytes in network order, by family) and
 * port (host order) be connected to, since one of its names has resolved to it and the answer is
 * still valid; NULL if there is none. name (may be NULL): that name, valid until the next
 * learned_add. */
const struct endpoint *learned_match(const struct learned *l, int family, const void *address,
                                     uint16_t port, const char **name);

/* The same where the jail may have been told the address just now, which comes by a channel of its
 * own: what is not known is looked for once more when all has been taken in (catch_up). */
const struct endpoint *learned_match_latest(struct learned *l, int family, const void *address,
                                            uint16_t port, const char **name);

#endif
