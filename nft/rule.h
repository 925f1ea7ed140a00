/* rule.h: the expressions that a rule is made of: each loads a field of the packet into a register,
 * compares the register, changes the packet's metadata, or decides. They are added to the end of
 * the rule, which owns them. A process that runs out of memory in here ends. */
#ifndef CIJAIL_NFT_RULE_H
#define CIJAIL_NFT_RULE_H

#include <stdio.h> /* libnftnl/expr.h needs it */

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/util.h"

static inline void *or_die(void *p)
{
    if (!p)
        die("out of memory");
    return p;
}

static inline void or_die_int(int r)
{
    if (r < 0)
        die("out of memory");
}

/* An expression of that name, to be filled in. */
struct nftnl_expr *rule_add(struct nftnl_rule *r, const char *name);

/* Into the register. An address of the family: the packet's source or destination. A port of UDP or
 * TCP, which have theirs at the same place. */
void rule_load_meta(struct nftnl_rule *r, enum nft_meta_keys key);
void rule_load_address(struct nftnl_rule *r, int family, bool source);
void rule_load_port(struct nftnl_rule *r, bool source);

/* The register is this, or is in that set of the same transaction. */
void rule_equals(struct nftnl_rule *r, const void *data, size_t len);
void rule_in_set(struct nftnl_rule *r, const char *set, uint32_t id);

/* Both steps at once. text: of an address. */
void rule_family_is(struct nftnl_rule *r, int family);
void rule_protocol_is(struct nftnl_rule *r, uint8_t protocol);
void rule_address_is(struct nftnl_rule *r, int family, bool source, const char *text);
void rule_port_is(struct nftnl_rule *r, bool source, uint16_t port);
void rule_icmp_type_is(struct nftnl_rule *r, uint8_t type);
void rule_mark_is(struct nftnl_rule *r, uint32_t mark);

/* Of TCP's FIN, SYN, RST and ACK the packet has SYN alone: it begins a connection. */
void rule_begins_tcp(struct nftnl_rule *r);

/* The packet has this mark from here on. */
void rule_set_mark(struct nftnl_rule *r, uint32_t mark);

/* The packet goes to the transparent socket at that address and port, or on to the next rule if
 * there is none; with this mark, by which it is routed to the machine itself. */
void rule_tproxy(struct nftnl_rule *r, int family, const char *text, uint16_t port, uint32_t mark);

/* The head of the packet goes to the listeners of that nflog group. */
void rule_log(struct nftnl_rule *r, uint16_t group);

/* code: NF_ACCEPT, NF_DROP, or NFT_JUMP with a chain. */
void rule_verdict(struct nftnl_rule *r, int code, const char *chain);

#endif
