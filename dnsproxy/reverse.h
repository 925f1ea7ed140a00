/* reverse.h: the names of the addresses that the jail was told (PTR). */
#ifndef CIJAIL_DNSPROXY_REVERSE_H
#define CIJAIL_DNSPROXY_REVERSE_H

#include "dnsproxy/answer.h"

#define REVERSE_SLOTS                                                                              \
    4096 /* addresses; one that falls into the slot of another takes its place                     \
          */

struct reverse;

struct reverse *reverse_new(void);
void reverse_free(struct reverse *r);

void reverse_add(struct reverse *r, const struct answer_address *a, const char *name);

/* The name of the address that a canonical name of in-addr.arpa (RFC 1035, 3.5) or ip6.arpa (RFC
 * 3596, 2.5) stands for; NULL if there is none. */
const char *reverse_find(const struct reverse *r, const char *arpa);

#endif
