/* svcb.h: SVCB and HTTPS records (RFC 9460), without what is no use in the jail. */
#ifndef CIJAIL_DNSPROXY_SVCB_H
#define CIJAIL_DNSPROXY_SVCB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/policy.h"

#define SVCB_MAX 4096 /* bytes of rdata; a longer record is left out */

/* Whether an address among the hints may stand there (4 or 16 bytes, by family). */
typedef bool svcb_hint_cb(void *arg, int family, const uint8_t *address);

/* Takes the rdata apart and writes it anew, at most as long, into out (SVCB_MAX bytes): without ech
 * (so that the SNI stays readable), and with the address hints that are allowed. Returns its
 * length; 0: the record is left out, since it is malformed, requires ech, or leads to a name that
 * the policy does not have. */
size_t svcb_rebuild(const struct policy *policy, const uint8_t *in, size_t len, svcb_hint_cb *hint,
                    void *arg, uint8_t *out);

#endif
