/* set.h: sets of ports and of addresses, as messages of a transaction. */
#ifndef CIJAIL_NFT_SET_H
#define CIJAIL_NFT_SET_H

#include <stddef.h>
#include <stdint.h>

#include "nft/ruleset.h"
#include "nft/transaction.h"

/* A set of the transaction's table: what rules call it by (rule_in_set). The number is unique
 * within the transaction. Static strings. */
struct set_name {
    const char *table, *name, *what; /* what: for the error */
    uint32_t id;
};

/* A set that never changes. ports: host byte order, distinct. */
void set_add_ports(struct transaction *t, const struct set_name *n, const uint16_t *ports,
                   size_t count);

/* Likewise of addresses of the family. */
void set_add_ranges(struct transaction *t, const struct set_name *n, int family,
                    const struct ruleset_ranges *ranges);

#endif
