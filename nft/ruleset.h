/* ruleset.h: the rules of the gateway namespace, as one atomic transaction. */
#ifndef CIJAIL_RULESET_H
#define CIJAIL_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/error.h"

struct policy;

/* Addresses from first to last, in network byte order; IPv4 takes the first four bytes. */
struct ruleset_range {
    uint8_t first[16], last[16];
};

struct ruleset_ranges {
    struct ruleset_range *list; /* ascending; between two of them there is at least one address */
    size_t count;
};

struct ruleset {
    int with_ipv6; /* the gateway has an IPv6 address */
    uint16_t
        *url_ports; /* TCP to these is taken to the transparent listeners; ascending, distinct */
    size_t url_port_count;
    struct ruleset_ranges dns4, dns6; /* DNS to these is taken to the gateway's DNS sockets */
    uint16_t *raw_ports; /* of raw endpoints: TCP that begins to these is held, UDP is relayed,
                            whatever the address: that is judged by the supervisor */
    size_t raw_port_count;
    bool
        names; /* some of them are of NAME:PORT: what is held may go to the transparent listeners */
    bool raw_all; /* a dry run, or too many of them: the same of every port */
};

/* Is anything held and relayed? */
static inline bool ruleset_takes_raw(const struct ruleset *r)
{
    return r->raw_all || r->raw_port_count > 0;
}

/* What the policy asks for: the ports of its URL endpoints and of its raw ones, and its DNS servers
 * (ADDRESS:53). all: a dry run, in which every connection is held and judged, and 80 and 443 are
 * ports of URLs. with_ipv6 is left 0 and is the caller's to set. */
void ruleset_from_policy(struct ruleset *r, const struct policy *p, bool all);
void ruleset_free(struct ruleset *r);

/* Installs table inet cijail in the current network namespace (which must be G, with CAP_NET_ADMIN
 * over it). Blocking; nothing is installed if any part of it fails. -EOPNOTSUPP (and words) where
 * the kernel has no nf_tables, or no tproxy and the rules need it. */
int ruleset_install(const struct ruleset *r, struct error *e);

#endif
