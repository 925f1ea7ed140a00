/* rule.c: the expressions that a rule is made of; see rule.h. Everything goes through register 1,
 * but for tproxy, which takes its port from register 2. */
#include "nft/rule.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <string.h>

#include "src/net.h"

struct nftnl_expr *rule_add(struct nftnl_rule *r, const char *name)
{
    struct nftnl_expr *x = or_die(nftnl_expr_alloc(name));

    nftnl_rule_add_expr(r, x); /* the rule owns it */
    return x;
}

void rule_load_meta(struct nftnl_rule *r, enum nft_meta_keys key)
{
    struct nftnl_expr *x = rule_add(r, "meta");

    nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(x, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void load_payload(struct nftnl_rule *r, enum nft_payload_bases base, size_t offset,
                         size_t len)
{
    struct nftnl_expr *x = rule_add(r, "payload");

    nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET, (uint32_t)offset);
    nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)len);
    nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

static size_t address_len(int family)
{
    return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

void rule_load_address(struct nftnl_rule *r, int family, bool source)
{
    size_t offset;

    if (family == AF_INET)
        offset = source ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr);
    else
        offset = source ? offsetof(struct ip6_hdr, ip6_src) : offsetof(struct ip6_hdr, ip6_dst);
    load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, offset, address_len(family));
}

void rule_load_port(struct nftnl_rule *r, bool source)
{
    load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, source ? 0 : 2, sizeof(uint16_t));
}

void rule_equals(struct nftnl_rule *r, const void *data, size_t len)
{
    struct nftnl_expr *x = rule_add(r, "cmp");

    nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
    or_die_int(nftnl_expr_set(x, NFTNL_EXPR_CMP_DATA, data, (uint32_t)len));
}

void rule_in_set(struct nftnl_rule *r, const char *set, uint32_t id)
{
    struct nftnl_expr *x = rule_add(r, "lookup");

    nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    or_die_int(nftnl_expr_set_str(x, NFTNL_EXPR_LOOKUP_SET, set));
    nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_SET_ID, id);
}

void rule_family_is(struct nftnl_rule *r, int family)
{
    const uint8_t nfproto = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

    rule_load_meta(r, NFT_META_NFPROTO);
    rule_equals(r, &nfproto, sizeof nfproto);
}

void rule_protocol_is(struct nftnl_rule *r, uint8_t protocol)
{
    rule_load_meta(r, NFT_META_L4PROTO);
    rule_equals(r, &protocol, sizeof protocol);
}

static void parse_address(int family, const char *text, uint8_t out[sizeof(struct in6_addr)])
{
    if (inet_pton(family, text, out) != 1)
        die("not an address: %s", text);
}

void rule_address_is(struct nftnl_rule *r, int family, bool source, const char *text)
{
    uint8_t address[sizeof(struct in6_addr)];

    parse_address(family, text, address);
    rule_load_address(r, family, source);
    rule_equals(r, address, address_len(family));
}

void rule_port_is(struct nftnl_rule *r, bool source, uint16_t port)
{
    const uint16_t wire = htons(port);

    rule_load_port(r, source);
    rule_equals(r, &wire, sizeof wire);
}

void rule_icmp_type_is(struct nftnl_rule *r, uint8_t type)
{
    load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof type);
    rule_equals(r, &type, sizeof type);
}

void rule_mark_is(struct nftnl_rule *r, uint32_t mark)
{
    rule_load_meta(r, NFT_META_MARK);
    rule_equals(r, &mark, sizeof mark);
}

void rule_begins_tcp(struct nftnl_rule *r)
{
    const uint8_t mask = TH_FIN | TH_SYN | TH_RST | TH_ACK, none = 0, syn = TH_SYN;
    struct nftnl_expr *x;

    load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 13, sizeof mask);
    x = rule_add(r, "bitwise");
    nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_LEN, sizeof mask);
    or_die_int(nftnl_expr_set(x, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof mask));
    or_die_int(nftnl_expr_set(x, NFTNL_EXPR_BITWISE_XOR, &none, sizeof none));
    rule_equals(r, &syn, sizeof syn);
}

void rule_log(struct nftnl_rule *r, uint16_t group)
{
    struct nftnl_expr *x = rule_add(r, "log");

    nftnl_expr_set_u16(x, NFTNL_EXPR_LOG_GROUP, group);
    nftnl_expr_set_u32(x, NFTNL_EXPR_LOG_SNAPLEN, NFLOG_SNAPLEN);
}

static void immediate(struct nftnl_rule *r, enum nft_registers dreg, const void *data, size_t len)
{
    struct nftnl_expr *x = rule_add(r, "immediate");

    nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_DREG, dreg);
    or_die_int(nftnl_expr_set(x, NFTNL_EXPR_IMM_DATA, data, (uint32_t)len));
}

void rule_set_mark(struct nftnl_rule *r, uint32_t mark)
{
    struct nftnl_expr *x;

    immediate(r, NFT_REG_1, &mark, sizeof mark);
    x = rule_add(r, "meta");
    nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, NFT_META_MARK);
    nftnl_expr_set_u32(x, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

void rule_tproxy(struct nftnl_rule *r, int family, const char *text, uint16_t port, uint32_t mark)
{
    uint8_t address[sizeof(struct in6_addr)];
    const uint16_t wire = htons(port);
    struct nftnl_expr *x;

    parse_address(family, text, address);
    immediate(r, NFT_REG_1, address, address_len(family));
    immediate(r, NFT_REG_2, &wire, sizeof wire);
    x = rule_add(r, "tproxy");
    nftnl_expr_set_u32(x, NFTNL_EXPR_TPROXY_FAMILY,
                       family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
    nftnl_expr_set_u32(x, NFTNL_EXPR_TPROXY_REG_ADDR, NFT_REG_1);
    nftnl_expr_set_u32(x, NFTNL_EXPR_TPROXY_REG_PORT, NFT_REG_2);
    rule_set_mark(r, mark);
}

void rule_verdict(struct nftnl_rule *r, int code, const char *chain)
{
    struct nftnl_expr *x = rule_add(r, "immediate");

    nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
    if (chain)
        or_die_int(nftnl_expr_set_str(x, NFTNL_EXPR_IMM_CHAIN, chain));
}
