/* netns_intercept.c: how a packet that is not for the gateway's addresses gets to a socket of the
 * gateway.
 *
 * The rules give such a packet to a transparent socket and mark it (nft/cijail.nft); here is what
 * has the kernel route it to that socket and not away:
 *
 *   ip rule add iif gw0 fwmark 1 lookup 100
 *   ip route add local default dev lo table 100
 *
 * The rule asks for the link, too, for the sake of reverse path filtering (RFC 3704): the kernel
 * looks up the way back to the packet's source, which is on the link, as if the packet had come
 * from lo. On a host whose net.ipv4.conf.all.src_valid_mark is 1 (wg-quick sets it), which a new
 * namespace inherits, it does so with the mark; the answer would be lo, and the packet dropped.
 * With the link in the rule nothing here depends on a sysctl, so /proc/sys may be read-only. */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/route/nexthop.h>
#include <stdint.h>
#include <sys/socket.h>

#include "src/net.h"
#include "src/netns.h"
#include "src/netns_nl.h"

static int add_rule(struct nl_sock *sk, int family, struct error *e)
{
    CLEANUP(rule) struct rtnl_rule *rule = netns_alloc(rtnl_rule_alloc());
    int r;

    rtnl_rule_set_family(rule, family);
    rtnl_rule_set_mark(rule, TRANSPARENT_MARK);
    rtnl_rule_set_mask(rule, UINT32_MAX);
    rtnl_rule_set_table(rule, TRANSPARENT_TABLE);
    rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
    r = rtnl_rule_set_iif(rule, GW_IFNAME);
    if (r == 0)
        r = rtnl_rule_add(sk, rule, NLM_F_CREATE | NLM_F_EXCL);
    if (r == -NLE_OPNOTSUPP || r == -NLE_AF_NOSUPPORT)
        return error_set(e, EOPNOTSUPP,
                         "the kernel has no policy routing (CONFIG_%s_MULTIPLE_TABLES), which "
                         "interception needs",
                         family == AF_INET ? "IP" : "IPV6");
    return r < 0 ? netns_error(e, r, "the routing rule of intercepted packets") : 0;
}

static int add_route(struct nl_sock *sk, int family, struct error *e)
{
    CLEANUP(route) struct rtnl_route *route = netns_alloc(rtnl_route_alloc());
    CLEANUP(nladdr) struct nl_addr *dst = NULL;
    struct rtnl_nexthop *hop;
    int r = nl_addr_parse(family == AF_INET ? "0.0.0.0/0" : "::/0", family, &dst);

    if (r == 0)
        r = rtnl_route_set_family(route, (uint8_t)family);
    if (r == 0)
        r = rtnl_route_set_type(route, RTN_LOCAL);
    if (r == 0)
        r = rtnl_route_set_dst(route, dst);
    if (r < 0)
        return netns_error(e, r, "the route of intercepted packets");
    rtnl_route_set_table(route, TRANSPARENT_TABLE);
    rtnl_route_set_scope(route, RT_SCOPE_HOST);
    hop = netns_alloc(rtnl_route_nh_alloc());
    rtnl_route_nh_set_ifindex(hop, LOOPBACK_INDEX);
    rtnl_route_add_nexthop(route, hop); /* now the route's */
    r = rtnl_route_add(sk, route, NLM_F_CREATE | NLM_F_EXCL);
    return r < 0 ? netns_error(e, r, "the route of intercepted packets") : 0;
}

int netns_intercept(bool ipv6, struct error *e)
{
    CLEANUP(socket) struct nl_sock *sk = NULL;
    int r = netns_connect(&sk, e);

    if (r == 0)
        r = add_route(sk, AF_INET, e);
    if (r == 0)
        r = add_rule(sk, AF_INET, e);
    if (r == 0 && ipv6)
        r = add_route(sk, AF_INET6, e);
    if (r == 0 && ipv6)
        r = add_rule(sk, AF_INET6, e);
    return r;
}

int netns_make_transparent(int fd, int family, struct error *e)
{
    const int on = 1;
    bool v6 = family == AF_INET6;

    if (setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on,
                   sizeof on) < 0)
        return error_errno(e, errno, "make a socket transparent");
    return 0;
}
