/* mounts.h: what the jail sees otherwise than the host: /proc, resolv.conf, trusted roots, covered
 * sockets. */
#ifndef CIJAIL_MOUNTS_H
#define CIJAIL_MOUNTS_H

#include <stdbool.h>

#include "src/ca_bundle.h"
#include "src/error.h"
#include "src/policy.h"

struct mounts {
    bool root;                      /* the command runs as uid 0 */
    bool ipv6;                      /* resolv.conf names the gateway's IPv6 address too */
    const struct policy *policy;    /* what it names is not covered */
    const struct ca_bundle *bundle; /* files to cover; may be empty */
    const char *ca_pem; /* the jail's CA, appended to each; empty: the bundles are left alone */
};

/* In the jail's own mount namespace, with CAP_SYS_ADMIN over it, as init of the jail's PID
 * namespace. Leaves a mount namespace in which nothing propagates from or to the host. */
int mounts_setup(const struct mounts *m, struct error *e);

#endif
