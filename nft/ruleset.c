/* ruleset.c: the rules of the gateway namespace, by libnftnl. cijail.nft has them as a person would
 * write them, and says why; a unit test compares what the kernel makes of both.
 *
 *   prerouting   what comes from the jail: to the services (from_jail), taken to the transparent
 *                sockets or held (intercept), or logged and rejected; what was held and is given
 *                back comes from lo (held)
 *   input        what got a mark in prerouting: for the services, or taken
 *   forward      nothing
 *   output       the services' answers and ICMP (to_jail)
 *
 * What is taken has an address that is not the gateway's. tproxy gives the packet to a socket; the
 * mark has it routed to the machine itself (netns_intercept.c). Without URL endpoints, raw
 * ones and DNS servers in the policy there is no such rule, chain or set. */
#include "nft/ruleset.h"

#include <netinet/in.h> /* before linux/in.h */

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stddef.h>
#include <stdbool.h>
#include <string.h>

#include "nft/rule.h"
#include "nft/set.h"
#include "nft/transaction.h"
#include "src/net.h"
#include "src/util.h"

#define TABLE "cijail"

#define FROM_JAIL "from_jail"
#define INTERCEPT "intercept"
#define HELD "held"
#define TO_JAIL "to_jail"
#define PREROUTING "prerouting"
#define INPUT "input"
#define FORWARD "forward"
#define OUTPUT "output"

#define LOOPBACK_INDEX 1
#define LOG_RATE 5000 /* packets a second */
#define LOG_BURST 1000

static const struct set_name ports = {TABLE, "ports", "the set of the services' ports", 1};
static const struct set_name url_ports = {TABLE, "url_ports", "the set of the URLs' ports", 2};
static const struct set_name dns4 = {TABLE, "dns4", "the set of DNS servers", 3};
static const struct set_name dns6 = {TABLE, "dns6", "the set of IPv6 DNS servers", 4};
static const struct set_name raw_ports = {TABLE, "raw_ports", "the set of the raw ports", 5};

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

struct chain {
    const char *name;
    int hook; /* NF_INET_*, or -1: only jumped to */
};

/* In the order of cijail.nft. */
static const struct chain chains[] = {
    {FROM_JAIL, -1},
    {INTERCEPT, -1},
    {HELD, -1},
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

static bool takes_urls(const struct ruleset *r)
{
    return r->url_port_count > 0;
}

static const struct ruleset_ranges *servers(const struct ruleset *r, int family)
{
    return family == AF_INET ? &r->dns4 : &r->dns6;
}

static bool takes_dns(const struct ruleset *r, int family)
{
    return servers(r, family)->count > 0 && (family == AF_INET || r->with_ipv6);
}

static bool intercepts(const struct ruleset *r)
{
    return takes_urls(r) || takes_dns(r, AF_INET) || takes_dns(r, AF_INET6) || ruleset_takes_raw(r);
}

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

static const char *jail_address(int family)
{
    return family == AF_INET ? JAIL_IPV4 : JAIL_IPV6;
}

static const char *gateway_address(int family)
{
    return family == AF_INET ? GW_IPV4 : GW_IPV6;
}

static uint8_t unreachable(int family)
{
    return family == AF_INET ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH;
}

static const struct flow to_jail[] = {
    {AF_INET, IPPROTO_UDP, DNS, NF_ACCEPT},       {AF_INET, IPPROTO_TCP, SERVICES, NF_ACCEPT},
    {AF_INET, IPPROTO_ICMP, ALL, NF_ACCEPT},      {AF_INET6, IPPROTO_UDP, DNS, NF_ACCEPT},
    {AF_INET6, IPPROTO_TCP, SERVICES, NF_ACCEPT}, {AF_INET6, IPPROTO_ICMPV6, ALL, NF_ACCEPT},
};

/* Between the two addresses of the link. answers: from the gateway, where the service is the
 * source. */
static void add_flow(struct transaction *t, const char *chain, const struct flow *f, bool answers)
{
    const char *gw = gateway_address(f->family);
    const char *jail = jail_address(f->family);
    struct nftnl_rule *r = new_rule(chain);

    rule_family_is(r, f->family);
    rule_address_is(r, f->family, true, answers ? gw : jail);
    rule_address_is(r, f->family, false, answers ? jail : gw);
    rule_protocol_is(r, f->protocol);
    switch (f->selector) {
    case DNS:
        rule_port_is(r, answers, DNS_PORT);
        break;
    case SERVICES:
        rule_load_port(r, answers);
        rule_in_set(r, ports.name, ports.id);
        break;
    case UNREACHABLE:
        rule_icmp_type_is(r, unreachable(f->family));
        break;
    case ALL:
        break;
    }
    if (!answers && f->verdict == NF_ACCEPT)
        rule_set_mark(r, SERVICE_MARK);
    rule_verdict(r, f->verdict, NULL);
    add_rule(t, r, chain, NULL);
}

static void add_flows(struct transaction *t, const char *chain, const struct flow *f, size_t n,
                      bool answers, bool with_ipv6)
{
    for (size_t i = 0; i < n; i++)
        if (f[i].family == AF_INET || with_ipv6)
            add_flow(t, chain, &f[i], answers);
}

/* DNS between the jail and the servers of the policy: begins a rule. */
static struct nftnl_rule *dns_rule(const char *chain, int family, uint8_t protocol, bool answers)
{
    const struct set_name *set = family == AF_INET ? &dns4 : &dns6;
    struct nftnl_rule *r = new_rule(chain);

    rule_family_is(r, family);
    if (!answers)
        rule_address_is(r, family, true, jail_address(family));
    rule_load_address(r, family, answers);
    rule_in_set(r, set->name, set->id);
    if (answers)
        rule_address_is(r, family, false, jail_address(family));
    rule_protocol_is(r, protocol);
    return r;
}

/* TCP between the jail and any address at the ports of URLs: likewise. */
static struct nftnl_rule *url_rule(const char *chain, int family, bool answers)
{
    struct nftnl_rule *r = new_rule(chain);

    rule_family_is(r, family);
    rule_address_is(r, family, !answers, jail_address(family));
    rule_protocol_is(r, IPPROTO_TCP);
    rule_load_port(r, answers);
    rule_in_set(r, url_ports.name, url_ports.id);
    return r;
}

/* TCP or UDP between the jail and any address at the ports of raw endpoints: likewise. */
static struct nftnl_rule *raw_rule(const char *chain, const struct ruleset *rs, int family,
                                   uint8_t protocol, bool answers)
{
    struct nftnl_rule *r = new_rule(chain);

    rule_family_is(r, family);
    rule_address_is(r, family, !answers, jail_address(family));
    rule_protocol_is(r, protocol);
    if (rs->raw_all)
        return r;
    rule_load_port(r, answers);
    rule_in_set(r, raw_ports.name, raw_ports.id);
    return r;
}

static void take(struct transaction *t, struct nftnl_rule *r, int family, uint16_t port)
{
    rule_tproxy(r, family, gateway_address(family), port, TRANSPARENT_MARK);
    rule_verdict(r, NF_ACCEPT, NULL);
    add_rule(t, r, "transparent proxying", "nf_tables nft_tproxy");
}

static const int families[] = {AF_INET, AF_INET6};
static const uint8_t dns_protocols[] = {IPPROTO_UDP, IPPROTO_TCP};
static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};

/* The jail's complaint about a late answer, from wherever: dropped, as in from_jail. */
static void add_raw_complaints(struct transaction *t, int family)
{
    struct nftnl_rule *r = new_rule(INTERCEPT);

    rule_family_is(r, family);
    rule_address_is(r, family, true, jail_address(family));
    rule_protocol_is(r, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    rule_icmp_type_is(r, unreachable(family));
    rule_verdict(r, NF_DROP, NULL);
    add_rule(t, r, INTERCEPT, NULL);
}

static void add_raw(struct transaction *t, const struct ruleset *rs, int family)
{
    struct nftnl_rule *r = raw_rule(INTERCEPT, rs, family, IPPROTO_TCP, false);

    rule_begins_tcp(r);
    rule_log(r, HELD_GROUP);
    rule_verdict(r, NF_DROP, NULL);
    add_rule(t, r, "the log of held connections", "nf_tables nft_log nfnetlink_log");
    for (size_t k = 0; k < ARRAY_LEN(protocols); k++)
        take(t, raw_rule(INTERCEPT, rs, family, protocols[k], false), family, RELAY_PORT);
    add_raw_complaints(t, family);
}

/* What does not go to the gateway's own addresses. The jail's complaints about late answers of DNS
 * are dropped, as they are in from_jail. */
static void add_intercept(struct transaction *t, const struct ruleset *rs)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        int family = families[i];
        struct nftnl_rule *r;

        for (size_t k = 0; k < ARRAY_LEN(dns_protocols) && takes_dns(rs, family); k++) {
            r = dns_rule(INTERCEPT, family, dns_protocols[k], false);
            rule_port_is(r, false, DNS_PORT);
            take(t, r, family, DNS_PORT);
        }
        if (takes_dns(rs, family)) {
            r = dns_rule(INTERCEPT, family, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6,
                         false);
            rule_icmp_type_is(r, unreachable(family));
            rule_verdict(r, NF_DROP, NULL);
            add_rule(t, r, INTERCEPT, NULL);
        }
        if (ruleset_takes_raw(rs) && (family == AF_INET || rs->with_ipv6))
            add_raw(t, rs, family);
        if (takes_urls(rs) && (family == AF_INET || rs->with_ipv6))
            take(t, url_rule(INTERCEPT, family, false), family, TRANSPARENT_PORT);
    }
}

/* Held connections that are given back by way of lo (dnsproxy/held.c), to either listener. */
static void add_held(struct transaction *t, const struct ruleset *rs)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        for (uint32_t mark = RELAY_MARK; mark <= INTERCEPT_MARK; mark++) {
            struct nftnl_rule *r;

            if ((families[i] == AF_INET6 && !rs->with_ipv6) ||
                (mark == INTERCEPT_MARK && !takes_urls(rs) && !rs->names))
                continue;
            r = new_rule(HELD);
            rule_mark_is(r, mark);
            rule_family_is(r, families[i]);
            rule_address_is(r, families[i], true, jail_address(families[i]));
            rule_protocol_is(r, IPPROTO_TCP);
            take(t, r, families[i], mark == RELAY_MARK ? RELAY_PORT : TRANSPARENT_PORT);
        }
}

/* Their answers, from the address that the jail asked. */
static void add_intercepted_answers(struct transaction *t, const struct ruleset *rs)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        int family = families[i];
        struct nftnl_rule *r;

        for (size_t k = 0; k < ARRAY_LEN(dns_protocols) && takes_dns(rs, family); k++) {
            r = dns_rule(TO_JAIL, family, dns_protocols[k], true);
            rule_port_is(r, true, DNS_PORT);
            rule_verdict(r, NF_ACCEPT, NULL);
            add_rule(t, r, TO_JAIL, NULL);
        }
        for (size_t k = 0; k < ARRAY_LEN(protocols) && ruleset_takes_raw(rs); k++) {
            if (family == AF_INET6 && !rs->with_ipv6)
                continue;
            r = raw_rule(TO_JAIL, rs, family, protocols[k], true);
            rule_verdict(r, NF_ACCEPT, NULL);
            add_rule(t, r, TO_JAIL, NULL);
        }
        if (takes_urls(rs) && (family == AF_INET || rs->with_ipv6)) {
            r = url_rule(TO_JAIL, family, true);
            rule_verdict(r, NF_ACCEPT, NULL);
            add_rule(t, r, TO_JAIL, NULL);
        }
    }
}

/* What comes from or goes to lo: accepted, or on to next. */
static void add_loopback(struct transaction *t, const char *chain, bool out, const char *next)
{
    const uint32_t lo = LOOPBACK_INDEX;
    struct nftnl_rule *r = new_rule(chain);

    rule_load_meta(r, out ? NFT_META_OIF : NFT_META_IIF);
    rule_equals(r, &lo, sizeof lo);
    rule_verdict(r, next ? NFT_JUMP : NF_ACCEPT, next);
    add_rule(t, r, chain, NULL);
}

static void add_jump(struct transaction *t, const char *chain, const char *next)
{
    struct nftnl_rule *r = new_rule(chain);

    rule_verdict(r, NFT_JUMP, next);
    add_rule(t, r, chain, NULL);
}

/* What comes from the link: begins a rule. */
static struct nftnl_rule *link_rule(const char *chain)
{
    const char gw[IFNAMSIZ] = GW_IFNAME;
    struct nftnl_rule *r = new_rule(chain);

    rule_load_meta(r, NFT_META_IIFNAME);
    rule_equals(r, gw, sizeof gw);
    return r;
}

static void accept_mark(struct transaction *t, struct nftnl_rule *r, uint32_t mark)
{
    rule_mark_is(r, mark);
    rule_verdict(r, NF_ACCEPT, NULL);
    add_rule(t, r, INPUT, NULL);
}

static void add_log(struct transaction *t)
{
    struct nftnl_rule *r = new_rule(PREROUTING);
    struct nftnl_expr *x = rule_add(r, "limit");

    nftnl_expr_set_u64(x, NFTNL_EXPR_LIMIT_RATE, LOG_RATE);
    nftnl_expr_set_u64(x, NFTNL_EXPR_LIMIT_UNIT, 1);
    nftnl_expr_set_u32(x, NFTNL_EXPR_LIMIT_BURST, LOG_BURST);
    nftnl_expr_set_u32(x, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
    rule_log(r, NFLOG_GROUP);
    add_rule(t, r, "the log of rejected packets", "nf_tables nft_limit nft_log nfnetlink_log");
}

/* protocol 0: any. */
static void add_reject(struct transaction *t, int family, uint8_t protocol, uint8_t code)
{
    struct nftnl_rule *r = new_rule(PREROUTING);
    struct nftnl_expr *x;

    rule_family_is(r, family);
    if (protocol)
        rule_protocol_is(r, protocol);
    x = rule_add(r, "reject");
    nftnl_expr_set_u32(x, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
    nftnl_expr_set_u8(x, NFTNL_EXPR_REJECT_CODE, code);
    add_rule(t, r, "reject", "nf_tables nft_reject_inet");
}

static void add_sets(struct transaction *t, const struct ruleset *rs)
{
    static const uint16_t services[] = {DNS_PORT, PROXY_PORT};

    set_add_ports(t, &ports, services, ARRAY_LEN(services));
    if (takes_urls(rs))
        set_add_ports(t, &url_ports, rs->url_ports, rs->url_port_count);
    if (takes_dns(rs, AF_INET))
        set_add_ranges(t, &dns4, AF_INET, &rs->dns4);
    if (takes_dns(rs, AF_INET6))
        set_add_ranges(t, &dns6, AF_INET6, &rs->dns6);
    if (rs->raw_port_count > 0 && !rs->raw_all)
        set_add_ports(t, &raw_ports, rs->raw_ports, rs->raw_port_count);
}

static void add_prerouting(struct transaction *t, const struct ruleset *rs)
{
    struct nftnl_rule *r;

    add_jump(t, PREROUTING, FROM_JAIL);
    if (ruleset_takes_raw(rs))
        add_loopback(t, PREROUTING, false, HELD);
    add_loopback(t, PREROUTING, false, NULL);
    if (intercepts(rs)) {
        r = link_rule(PREROUTING);
        rule_verdict(r, NFT_JUMP, INTERCEPT);
        add_rule(t, r, PREROUTING, NULL);
    }
    add_log(t);
    add_reject(t, AF_INET, 0, ICMP_NET_ANO);
    if (rs->with_ipv6) {
        add_reject(t, AF_INET6, IPPROTO_TCP, ICMP6_DST_UNREACH_NOROUTE);
        add_reject(t, AF_INET6, 0, ICMP6_DST_UNREACH_ADMIN);
    }
}

static void add_input(struct transaction *t, const struct ruleset *rs)
{
    accept_mark(t, new_rule(INPUT), SERVICE_MARK);
    add_loopback(t, INPUT, false, NULL);
    if (intercepts(rs))
        accept_mark(t, link_rule(INPUT), TRANSPARENT_MARK);
}

static bool needs_chain(const struct ruleset *r, const char *name)
{
    if (strcmp(name, INTERCEPT) == 0)
        return intercepts(r);
    return strcmp(name, HELD) != 0 || ruleset_takes_raw(r);
}

int ruleset_install(const struct ruleset *r, struct error *e)
{
    struct transaction *t = transaction_new();
    bool with_ipv6 = r->with_ipv6 != 0;
    int result;

    add_table(t);
    add_sets(t, r);
    for (size_t i = 0; i < ARRAY_LEN(chains); i++)
        if (needs_chain(r, chains[i].name))
            add_chain(t, &chains[i]);
    add_flows(t, FROM_JAIL, from_jail, ARRAY_LEN(from_jail), false, with_ipv6);
    add_intercept(t, r);
    if (ruleset_takes_raw(r))
        add_held(t, r);
    add_prerouting(t, r);
    add_input(t, r);
    add_jump(t, OUTPUT, TO_JAIL);
    add_loopback(t, OUTPUT, true, NULL);
    add_flows(t, TO_JAIL, to_jail, ARRAY_LEN(to_jail), true, with_ipv6);
    add_intercepted_answers(t, r);
    result = transaction_commit(t, e);
    transaction_free(t);
    return result;
}
