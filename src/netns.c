/* netns.c: the link between the gateway's network (G) and the jail's (J), and the sockets of G.
 *
 * One veth pair and nothing else: gw0 in G, jail0 in J (net.h has the addresses). The pair is made
 * by one request from G, which puts jail0 straight into J. Both ends have the same hardware address
 * and IFF_NOARP: a packet to a neighbour on such a device goes to the device's own address
 * (neighbour state NOARP), which is the other end's too. So there is no ARP and no neighbour
 * discovery, no packet of the jail waits for either, and the rules need not let them pass. No
 * link-local address is made, and addresses skip duplicate detection: they can be used when these
 * functions return.
 *
 * Routes: J's default is G. G has none but the link: what is not for one of its own addresses ends
 * there, and the rules (nft/) say so before the routing could. The sysctls below are a second fence
 * and are set as far as /proc/sys can be written, which in a container it often cannot. */
#include "src/netns.h"

#include <errno.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "src/net.h"
#include "src/netns_nl.h"
#include "src/netns_ready.h"
#include "src/netns_sysctl.h"
#include "src/util.h"

/* The most that an IP packet can be: the fewest packets for what a proxy reads and writes. */
#define LINK_MTU 65535

/* Of both ends. 02: locally administered. */
static const unsigned char link_address[6] = {0x02, 0x63, 0x69, 0x6a, 0x61, 0x6c};

/* libnl's error numbers are its own. */
static int netns_errno(int nl_error)
{
    static const struct {
        int nl, err;
    } table[] = {
        {NLE_OPNOTSUPP, EOPNOTSUPP}, {NLE_PROTO_MISMATCH, EPROTONOSUPPORT},
        {NLE_PERM, EPERM},           {NLE_NOACCESS, EACCES},
        {NLE_EXIST, EEXIST},         {NLE_NODEV, ENODEV},
        {NLE_OBJ_NOTFOUND, ENOENT},  {NLE_NOADDR, EADDRNOTAVAIL},
        {NLE_NOMEM, ENOMEM},         {NLE_INVAL, EINVAL},
        {NLE_BUSY, EBUSY},           {NLE_AF_NOSUPPORT, EAFNOSUPPORT},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].nl == abs(nl_error))
            return table[i].err;
    return EIO;
}

int netns_error(struct error *e, int nl_error, const char *what)
{
    return error_set(e, netns_errno(nl_error), "%s: %s", what, nl_geterror(nl_error));
}

void *netns_alloc(void *p)
{
    if (!p)
        die("out of memory");
    return p;
}

int netns_connect(struct nl_sock **sk, struct error *e)
{
    int r;

    *sk = netns_alloc(nl_socket_alloc());
    r = nl_connect(*sk, NETLINK_ROUTE);
    if (r < 0)
        return netns_error(e, r, "open a routing netlink socket");
    return 0;
}

/* Applies changes to the link of that index. */
static int netns_change(struct nl_sock *sk, int ifindex, struct rtnl_link *changes,
                        const char *what, struct error *e)
{
    CLEANUP(link) struct rtnl_link *link = netns_alloc(rtnl_link_alloc());
    int r;

    rtnl_link_set_ifindex(link, ifindex);
    r = rtnl_link_change(sk, link, changes, 0);
    return r < 0 ? netns_error(e, r, what) : 0;
}

static int netns_up(struct nl_sock *sk, int ifindex, unsigned flags, const char *what,
                    struct error *e)
{
    CLEANUP(link) struct rtnl_link *changes = netns_alloc(rtnl_link_alloc());

    rtnl_link_set_flags(changes, IFF_UP | flags);
    return netns_change(sk, ifindex, changes, what, e);
}

/* No link-local address, hence no router solicitation, on a link that is still down. */
static int netns_no_link_local(struct nl_sock *sk, int ifindex, struct error *e)
{
    CLEANUP(link) struct rtnl_link *changes = netns_alloc(rtnl_link_alloc());
    int r = rtnl_link_inet6_set_addr_gen_mode(changes, IN6_ADDR_GEN_MODE_NONE);

    if (r < 0)
        return netns_error(e, r, "no link-local address");
    return netns_change(sk, ifindex, changes, "no link-local address", e);
}

static void netns_describe(struct rtnl_link *link, const char *name)
{
    CLEANUP(nladdr)
    struct nl_addr *lladdr = netns_alloc(nl_addr_build(AF_LLC, link_address, sizeof link_address));

    rtnl_link_set_name(link, name);
    rtnl_link_set_addr(link, lladdr);
    rtnl_link_set_mtu(link, LINK_MTU);
}

/* Makes the pair: here the end of that name, the other one in the network namespace of process pid,
 * or of descriptor ns if pid is 0. */
static int netns_add_veth(struct nl_sock *sk, const char *here, const char *there, pid_t pid,
                          int ns, struct error *e)
{
    CLEANUP(link) struct rtnl_link *link = netns_alloc(rtnl_link_veth_alloc());
    struct rtnl_link *peer = rtnl_link_veth_get_peer(link); /* a reference of its own */
    int r;

    netns_describe(link, here);
    netns_describe(peer, there);
    if (pid)
        rtnl_link_set_ns_pid(peer, pid);
    else
        rtnl_link_set_ns_fd(peer, ns);
    rtnl_link_put(peer);
    r = rtnl_link_add(sk, link, NLM_F_CREATE | NLM_F_EXCL);
    if (r == -NLE_OPNOTSUPP)
        return error_set(e, EOPNOTSUPP,
                         "the kernel has no veth, the virtual link between two networks: as root, "
                         "on the host: modprobe veth");
    return r < 0 ? netns_error(e, r, "make the veth pair") : 0;
}

static int netns_add_addr(struct nl_sock *sk, int ifindex, int family, const char *text, int len,
                          struct error *e)
{
    CLEANUP(addr) struct rtnl_addr *addr = netns_alloc(rtnl_addr_alloc());
    CLEANUP(nladdr) struct nl_addr *local = NULL;
    int r = nl_addr_parse(text, family, &local);

    if (r < 0)
        return netns_error(e, r, text);
    nl_addr_set_prefixlen(local, len);
    rtnl_addr_set_ifindex(addr, ifindex);
    rtnl_addr_set_family(addr, family);
    r = rtnl_addr_set_local(addr, local);
    if (r < 0)
        return netns_error(e, r, text);
    rtnl_addr_set_prefixlen(addr, len);
    if (family == AF_INET6)
        rtnl_addr_set_flags(addr, IFA_F_NODAD);
    r = rtnl_addr_add(sk, addr, NLM_F_EXCL);
    return r < 0 ? netns_error(e, r, text) : 0;
}

static int netns_add_default_route(struct nl_sock *sk, int ifindex, int family, const char *any,
                                   const char *gateway, struct error *e)
{
    CLEANUP(route) struct rtnl_route *route = netns_alloc(rtnl_route_alloc());
    CLEANUP(nladdr) struct nl_addr *dst = NULL;
    CLEANUP(nladdr) struct nl_addr *via = NULL;
    struct rtnl_nexthop *hop;
    int r = nl_addr_parse(any, family, &dst);

    if (r == 0)
        r = nl_addr_parse(gateway, family, &via);
    if (r == 0)
        r = rtnl_route_set_family(route, (uint8_t)family);
    if (r == 0)
        r = rtnl_route_set_dst(route, dst);
    if (r < 0)
        return netns_error(e, r, "default route");
    hop = netns_alloc(rtnl_route_nh_alloc());
    rtnl_route_nh_set_ifindex(hop, ifindex);
    rtnl_route_nh_set_gateway(hop, via);
    rtnl_route_add_nexthop(route, hop); /* now the route's */
    r = rtnl_route_add(sk, route, NLM_F_CREATE | NLM_F_EXCL);
    return r < 0 ? netns_error(e, r, "default route") : 0;
}

static int netns_index(const char *name, struct error *e)
{
    unsigned i = if_nametoindex(name);

    if (i == 0)
        return error_errno(e, errno, "link %s", name);
    return (int)i;
}

/* One end: its addresses, and up. */
static int netns_configure(struct nl_sock *sk, int ifindex, const char *ipv4, const char *ipv6,
                           struct error *e)
{
    int r = 0;

    if (ipv6)
        r = netns_no_link_local(sk, ifindex, e);
    if (r == 0)
        r = netns_add_addr(sk, ifindex, AF_INET, ipv4, LINK_IPV4_LEN, e);
    if (r == 0)
        r = netns_up(sk, ifindex, IFF_NOARP, "bring the link up", e);
    if (r == 0 && ipv6) {
        r = netns_add_addr(sk, ifindex, AF_INET6, ipv6, LINK_IPV6_LEN, e);
        if (r == 0)
            netns_ready_address(ipv6);
    }
    return r;
}

/* One of those that the kernel puts into every new network where a tunnel's module is loaded
 * (net.core.fb_tunnels_only_for_init_net): they are down, and lead nowhere. */
static bool netns_is_idle_tunnel(struct rtnl_link *link)
{
    static const char *const names[] = {"tunl0", "gre0",    "gretap0", "erspan0", "ip_vti0",
                                        "sit0",  "ip6tnl0", "ip6gre0", "ip6_vti0"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(rtnl_link_get_name(link), names[i]) == 0)
            return !(rtnl_link_get_flags(link) & IFF_UP);
    return false;
}

bool netns_begin_gateway(void)
{
    netns_sysctl_listeners();
    return netns_sysctl_enable_ipv6();
}

int netns_prepare_gateway(struct error *e)
{
    CLEANUP(socket) struct nl_sock *sk = NULL;
    int r = netns_connect(&sk, e);

    if (r < 0)
        return r;
    netns_sysctl_gateway();
    return netns_up(sk, LOOPBACK_INDEX, 0, "bring lo up", e);
}

int netns_link_gateway(pid_t jail_pid, bool ipv6, struct error *e)
{
    CLEANUP(socket) struct nl_sock *sk = NULL;
    int gw;
    int r = netns_connect(&sk, e);

    if (r == 0 && jail_pid)
        r = netns_add_veth(sk, GW_IFNAME, JAIL_IFNAME, jail_pid, -1, e);
    if (r < 0)
        return r;
    gw = netns_index(GW_IFNAME, e);
    if (gw < 0)
        return gw;
    netns_sysctl_gateway_link();
    return netns_configure(sk, gw, GW_IPV4, ipv6 ? GW_IPV6 : NULL, e);
}

int netns_make_link(int gateway, struct error *e)
{
    CLEANUP(socket) struct nl_sock *sk = NULL;
    int r = netns_connect(&sk, e);

    return r < 0 ? r : netns_add_veth(sk, JAIL_IFNAME, GW_IFNAME, 0, gateway, e);
}

int netns_check_empty(struct error *e)
{
    CLEANUP(socket) struct nl_sock *sk = NULL;
    struct nl_cache *links;
    int r = netns_connect(&sk, e);

    if (r < 0)
        return r;
    r = rtnl_link_alloc_cache(sk, AF_UNSPEC, &links);
    if (r < 0)
        return netns_error(e, r, "list the links");
    for (struct nl_object *o = nl_cache_get_first(links); o && r == 0; o = nl_cache_get_next(o)) {
        struct rtnl_link *link = (struct rtnl_link *)(void *)o;
        if (rtnl_link_get_ifindex(link) != LOOPBACK_INDEX && !netns_is_idle_tunnel(link))
            r = error_set(e, EEXIST, "its network has the link %s, and may have nothing but lo",
                          rtnl_link_get_name(link));
    }
    nl_cache_free(links);
    return r;
}

int netns_prepare_jail(bool *ipv6, struct error *e)
{
    CLEANUP(socket) struct nl_sock *sk = NULL;
    int r = netns_connect(&sk, e);

    if (r < 0)
        return r;
    netns_sysctl_jail();
    *ipv6 = netns_sysctl_enable_ipv6();
    return netns_up(sk, LOOPBACK_INDEX, 0, "bring lo up", e);
}

int netns_link_jail(bool ipv6, struct error *e)
{
    CLEANUP(socket) struct nl_sock *sk = NULL;
    int jail;
    int r = netns_connect(&sk, e);

    if (r < 0)
        return r;
    jail = netns_index(JAIL_IFNAME, e);
    if (jail < 0)
        return jail;
    r = netns_configure(sk, jail, JAIL_IPV4, ipv6 ? JAIL_IPV6 : NULL, e);
    if (r == 0)
        r = netns_add_default_route(sk, jail, AF_INET, "0.0.0.0/0", GW_IPV4, e);
    if (r == 0 && ipv6)
        r = netns_add_default_route(sk, jail, AF_INET6, "::/0", GW_IPV6, e);
    if (r == 0)
        netns_ready_link(jail);
    return r;
}

int netns_cut(struct error *e)
{
    CLEANUP(socket) struct nl_sock *sk = NULL;
    CLEANUP(link) struct rtnl_link *link = netns_alloc(rtnl_link_alloc());
    int r = netns_connect(&sk, e);

    if (r < 0)
        return r;
    rtnl_link_set_name(link, GW_IFNAME);
    r = rtnl_link_delete(sk, link);
    if (r == -NLE_NODEV || r == -NLE_OBJ_NOTFOUND)
        return 0; /* it is gone already */
    return r < 0 ? netns_error(e, r, "take the link away") : 0;
}
