/* ruleset.c: the rules of the gateway namespace, by libnftnl. cijail.nft has them as a person would
 * write them, and says why; a unit test compares what the kernel makes of both.
 *
 *   prerouting   what comes from the jail: to the services (from_jail), or logged and rejected
 *   input        the services once more
 *   forward      nothing
 *   output       the services' answers and ICMP (to_jail)
 *
 * A rule is a list of expressions: each loads a field of the packet into a register, compares the
 * register, or decides. The tables below say which rules there are; the functions before them make
 * the expressions. */
#include "nft/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <stddef.h>
#include <stdbool.h>
#include <string.h>

#include "nft/transaction.h"
#include "src/net.h"
#include "src/util.h"

#define TABLE "cijail"
#define PORTS "ports"
#define PORTS_ID 1 /* of the set, within the transaction */

#define FROM_JAIL "from_jail"
#define TO_JAIL "to_jail"
#define PREROUTING "prerouting"
#define INPUT "input"
#define FORWARD "forward"
#define OUTPUT "output"

#define NFT_TYPE_INET_SERVICE 13 /* nft(8)'s number of the type, for those who list the set */
#define LOOPBACK_INDEX 1
#define LOG_RATE 5000 /* packets a second */
#define LOG_BURST 1000

static void *or_die(void *p)
{
    if (!p)
        die("out of memory");
    return p;
}

static void or_die_int(int r)
{
    if (r < 0)
        die("out of memory");
}

/* --- expressions --- */

static struct nftnl_expr *add_expr(struct nftnl_rule *r, const char *name)
{
    struct nftnl_expr *x = or_die(nftnl_expr_alloc(name));

    nftnl_rule_add_expr(r, x); /* the rule owns it */
    return x;
}

static void load_meta(struct nftnl_rule *r, enum nft_meta_keys key)
{
    struct nftnl_expr *x = add_expr(r, "meta");

    nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(x, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void load_payload(struct nftnl_rule *r, enum nft_payload_bases base, size_t offset,
                         size_t len)
{
    struct nftnl_expr *x = add_expr(r, "payload");

    nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET, (uint32_t)offset);
    nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)len);
    nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

static void is_equal(struct nftnl_rule *r, const void *data, size_t len)
{
    struct nftnl_expr *x = add_expr(r, "cmp");

    nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
    or_die_int(nftnl_expr_set(x, NFTNL_EXPR_CMP_DATA, data, (uint32_t)len));
}

static void is_in_ports(struct nftnl_rule *r)
{
    struct nftnl_expr *x = add_expr(r, "lookup");

    nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    or_die_int(nftnl_expr_set_str(x, NFTNL_EXPR_LOOKUP_SET, PORTS));
    nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_SET_ID, PORTS_ID);
}

/* verdict: NF_ACCEPT, NF_DROP, or NFT_JUMP with a chain. */
static void verdict(struct nftnl_rule *r, int code, const char *chain)
{
    struct nftnl_expr *x = add_expr(r, "immediate");

    nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
    if (chain)
        or_die_int(nftnl_expr_set_str(x, NFTNL_EXPR_IMM_CHAIN, chain));
}

/* --- parts of rules --- */

static void family_is(struct nftnl_rule *r, int family)
{
    const uint8_t nfproto = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

    load_meta(r, NFT_META_NFPROTO);
    is_equal(r, &nfproto, sizeof nfproto);
}

static void protocol_is(struct nftnl_rule *r, uint8_t protocol)
{
    load_meta(r, NFT_META_L4PROTO);
    is_equal(r, &protocol, sizeof protocol);
}

static void address_is(struct nftnl_rule *r, int family, bool source, const char *text)
{
    uint8_t address[sizeof(struct in6_addr)];
    size_t len = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    size_t offset;

    if (inet_pton(family, text, address) != 1)
        die("not an address: %s", text);
    if (family == AF_INET)
        offset = source ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr);
    else
        offset = source ? offsetof(struct ip6_hdr, ip6_src) : offsetof(struct ip6_hdr, ip6_dst);
    load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, offset, len);
    is_equal(r, address, len);
}

/* UDP and TCP have their ports at the same place: source, destination. */
static void load_port(struct nftnl_rule *r, bool source)
{
    load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, source ? 0 : 2, sizeof(uint16_t));
}

static void icmp_type_is(struct nftnl_rule *r, uint8_t type)
{
    load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof type);
    is_equal(r, &type, sizeof type);
}

/* --- the transaction's messages --- */

static void add_table(struct transaction *t)
{
    struct nftnl_table *table = or_die(nftnl_table_alloc());

    nftnl_table_set_u32(table, NFTNL_TABLE_FAMILY, NFPROTO_INET);
    or_die_int(nftnl_table_set_str(table, NFTNL_TABLE_NAME, TABLE));
    nftnl_table_nlmsg_build_payload(transaction_message(t, NFT_MSG_NEWTABLE, NFPROTO_INET,
                                                        NLM_F_CREATE | NLM_F_EXCL,
                                                        "table inet " TABLE, "nf_tables"),
                                    table);
    transaction_next(t);
    nftnl_table_free(table);
}

static void add_port(struct nftnl_set *set, uint16_t port)
{
    struct nftnl_set_elem *elem = or_die(nftnl_set_elem_alloc());
    uint16_t key = htons(port);

    or_die_int(nftnl_set_elem_set(elem, NFTNL_SET_ELEM_KEY, &key, sizeof key));
    nftnl_set_elem_add(set, elem); /* the set owns it */
}

static void add_ports(struct transaction *t)
{
    struct nftnl_set *set = or_die(nftnl_set_alloc());

    or_die_int(nftnl_set_set_str(set, NFTNL_SET_TABLE, TABLE));
    or_die_int(nftnl_set_set_str(set, NFTNL_SET_NAME, PORTS));
    nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
    nftnl_set_set_u32(set, NFTNL_SET_FLAGS, NFT_SET_CONSTANT);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, NFT_TYPE_INET_SERVICE);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, sizeof(uint16_t));
    nftnl_set_set_u32(set, NFTNL_SET_ID, PORTS_ID);
    add_port(set, DNS_PORT);
    add_port(set, PROXY_PORT);
    nftnl_set_nlmsg_build_payload(transaction_message(t, NFT_MSG_NEWSET, NFPROTO_INET, NLM_F_CREATE,
                                                      "set " PORTS, "nf_tables nft_set_hash"),
                                  set);
    transaction_next(t);
    nftnl_set_elems_nlmsg_build_payload(transaction_message(t, NFT_MSG_NEWSETELEM, NFPROTO_INET,
                                                            NLM_F_CREATE, "elements of set " PORTS,
                                                            NULL),
                                        set);
    transaction_next(t);
    nftnl_set_free(set);
}

struct chain {
    const char *name;
    int hook; /* NF_INET_*, or -1: only jumped to */
};

/* In the order of cijail.nft. */
static const struct chain chains[] = {
    {FROM_JAIL, -1},
    {PREROUTING, NF_INET_PRE_ROUTING},
    {INPUT, NF_INET_LOCAL_IN},
    {FORWARD, NF_INET_FORWARD},
    {OUTPUT, NF_INET_LOCAL_OUT},
    {TO_JAIL, -1},
};

/* A chain with a hook: type filter, priority filter (0), policy drop. */
static void add_chain(struct transaction *t, const struct chain *c)
{
    struct nftnl_chain *chain = or_die(nftnl_chain_alloc());

    or_die_int(nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, TABLE));
    or_die_int(nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, c->name));
    if (c->hook >= 0) {
        or_die_int(nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "filter"));
        nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, (uint32_t)c->hook);
        nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, 0);
        nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_DROP);
    }
    nftnl_chain_nlmsg_build_payload(transaction_message(t, NFT_MSG_NEWCHAIN, NFPROTO_INET,
                                                        NLM_F_CREATE | NLM_F_EXCL, c->name, NULL),
                                    chain);
    transaction_next(t);
    nftnl_chain_free(chain);
}

static struct nftnl_rule *new_rule(const char *chain)
{
    struct nftnl_rule *r = or_die(nftnl_rule_alloc());

    or_die_int(nftnl_rule_set_str(r, NFTNL_RULE_TABLE, TABLE));
    or_die_int(nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain));
    nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, NFPROTO_INET);
    return r;
}

static void add_rule(struct transaction *t, struct nftnl_rule *r, const char *what,
                     const char *modules)
{
    nftnl_rule_nlmsg_build_payload(transaction_message(t, NFT_MSG_NEWRULE, NFPROTO_INET,
                                                       NLM_F_CREATE | NLM_F_APPEND, what, modules),
                                   r);
    transaction_next(t);
    nftnl_rule_free(r);
}

/* --- the rules --- */

enum selector { DNS, SERVICES, UNREACHABLE, ALL };

struct flow {
    int family;
    uint8_t protocol;
    enum selector selector;
    int verdict;
};

static const struct flow from_jail[] = {
    {AF_INET, IPPROTO_UDP, DNS, NF_ACCEPT},        {AF_INET, IPPROTO_TCP, SERVICES, NF_ACCEPT},
    {AF_INET, IPPROTO_ICMP, UNREACHABLE, NF_DROP}, {AF_INET6, IPPROTO_UDP, DNS, NF_ACCEPT},
    {AF_INET6, IPPROTO_TCP, SERVICES, NF_ACCEPT},  {AF_INET6, IPPROTO_ICMPV6, UNREACHABLE, NF_DROP},
};

static const struct flow to_jail[] = {
    {AF_INET, IPPROTO_UDP, DNS, NF_ACCEPT},       {AF_INET, IPPROTO_TCP, SERVICES, NF_ACCEPT},
    {AF_INET, IPPROTO_ICMP, ALL, NF_ACCEPT},      {AF_INET6, IPPROTO_UDP, DNS, NF_ACCEPT},
    {AF_INET6, IPPROTO_TCP, SERVICES, NF_ACCEPT}, {AF_INET6, IPPROTO_ICMPV6, ALL, NF_ACCEPT},
};

/* Between the two addresses of the link. answers: from the gateway, where the service is the
 * source. */
static void add_flow(struct transaction *t, const char *chain, const struct flow *f, bool answers)
{
    const char *gw = f->family == AF_INET ? GW_IPV4 : GW_IPV6;
    const char *jail = f->family == AF_INET ? JAIL_IPV4 : JAIL_IPV6;
    const uint16_t dns = htons(DNS_PORT);
    struct nftnl_rule *r = new_rule(chain);

    family_is(r, f->family);
    address_is(r, f->family, true, answers ? gw : jail);
    address_is(r, f->family, false, answers ? jail : gw);
    protocol_is(r, f->protocol);
    switch (f->selector) {
    case DNS:
        load_port(r, answers);
        is_equal(r, &dns, sizeof dns);
        break;
    case SERVICES:
        load_port(r, answers);
        is_in_ports(r);
        break;
    case UNREACHABLE:
        icmp_type_is(r, f->family == AF_INET ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH);
        break;
    case ALL:
        break;
    }
    verdict(r, f->verdict, NULL);
    add_rule(t, r, chain, NULL);
}

static void add_flows(struct transaction *t, const char *chain, const struct flow *f, size_t n,
                      bool answers, bool with_ipv6)
{
    for (size_t i = 0; i < n; i++)
        if (f[i].family == AF_INET || with_ipv6)
            add_flow(t, chain, &f[i], answers);
}

/* Loopback passes; what comes from or goes to the link goes on in a chain of its own. */
static void add_links(struct transaction *t, const char *chain, bool out, const char *next)
{
    const uint32_t lo = LOOPBACK_INDEX;
    const char gw[IFNAMSIZ] = GW_IFNAME;
    struct nftnl_rule *r = new_rule(chain);

    load_meta(r, out ? NFT_META_OIF : NFT_META_IIF);
    is_equal(r, &lo, sizeof lo);
    verdict(r, NF_ACCEPT, NULL);
    add_rule(t, r, chain, NULL);
    r = new_rule(chain);
    load_meta(r, out ? NFT_META_OIFNAME : NFT_META_IIFNAME);
    is_equal(r, gw, sizeof gw);
    verdict(r, NFT_JUMP, next);
    add_rule(t, r, chain, NULL);
}

static void add_log(struct transaction *t)
{
    struct nftnl_rule *r = new_rule(PREROUTING);
    struct nftnl_expr *x = add_expr(r, "limit");

    nftnl_expr_set_u64(x, NFTNL_EXPR_LIMIT_RATE, LOG_RATE);
    nftnl_expr_set_u64(x, NFTNL_EXPR_LIMIT_UNIT, 1);
    nftnl_expr_set_u32(x, NFTNL_EXPR_LIMIT_BURST, LOG_BURST);
    nftnl_expr_set_u32(x, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
    x = add_expr(r, "log");
    nftnl_expr_set_u16(x, NFTNL_EXPR_LOG_GROUP, NFLOG_GROUP);
    nftnl_expr_set_u32(x, NFTNL_EXPR_LOG_SNAPLEN, NFLOG_SNAPLEN);
    add_rule(t, r, "the log of rejected packets", "nf_tables nft_limit nft_log nfnetlink_log");
}

/* protocol 0: any. */
static void add_reject(struct transaction *t, int family, uint8_t protocol, uint8_t code)
{
    struct nftnl_rule *r = new_rule(PREROUTING);
    struct nftnl_expr *x;

    family_is(r, family);
    if (protocol)
        protocol_is(r, protocol);
    x = add_expr(r, "reject");
    nftnl_expr_set_u32(x, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
    nftnl_expr_set_u8(x, NFTNL_EXPR_REJECT_CODE, code);
    add_rule(t, r, "reject", "nf_tables nft_reject_inet");
}

int ruleset_install(const struct ruleset *r, struct error *e)
{
    struct transaction *t = transaction_new();
    bool with_ipv6 = r->with_ipv6 != 0;
    int result;

    add_table(t);
    add_ports(t);
    for (size_t i = 0; i < ARRAY_LEN(chains); i++)
        add_chain(t, &chains[i]);
    add_flows(t, FROM_JAIL, from_jail, ARRAY_LEN(from_jail), false, with_ipv6);
    add_links(t, PREROUTING, false, FROM_JAIL);
    add_log(t);
    add_reject(t, AF_INET, 0, ICMP_NET_ANO);
    if (with_ipv6) {
        add_reject(t, AF_INET6, IPPROTO_TCP, ICMP6_DST_UNREACH_NOROUTE);
        add_reject(t, AF_INET6, 0, ICMP6_DST_UNREACH_ADMIN);
    }
    add_links(t, INPUT, false, FROM_JAIL);
    add_links(t, OUTPUT, true, TO_JAIL);
    add_flows(t, TO_JAIL, to_jail, ARRAY_LEN(to_jail), true, with_ipv6);
    result = transaction_commit(t, e);
    transaction_free(t);
    return result;
}
