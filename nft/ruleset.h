/* ruleset.h: the rules of the gateway namespace, as one atomic transaction. */
#ifndef CIJAIL_RULESET_H
#define CIJAIL_RULESET_H

#include "src/error.h"

struct ruleset {
    int with_ipv6; /* the gateway has an IPv6 address */
};

/* Installs table inet cijail in the current network namespace (which must be G, with CAP_NET_ADMIN
 * over it). Blocking; nothing is installed if any part of it fails. -EOPNOTSUPP (and words) where
 * the kernel has no nf_tables. */
int ruleset_install(const struct ruleset *r, struct error *e);

#endif
