/* netns_nl.h: what the files of netns share of libnl. */
#ifndef CIJAIL_NETNS_NL_H
#define CIJAIL_NETNS_NL_H

#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>

#include "src/error.h"

#define LOOPBACK_INDEX 1 /* of lo, in every network namespace */

static inline void cleanup_socket(struct nl_sock **p)
{
    nl_socket_free(*p);
}
static inline void cleanup_link(struct rtnl_link **p)
{
    rtnl_link_put(*p);
}
static inline void cleanup_addr(struct rtnl_addr **p)
{
    rtnl_addr_put(*p);
}
static inline void cleanup_nladdr(struct nl_addr **p)
{
    nl_addr_put(*p);
}
static inline void cleanup_route(struct rtnl_route **p)
{
    rtnl_route_put(*p);
}
static inline void cleanup_rule(struct rtnl_rule **p)
{
    rtnl_rule_put(*p);
}
#define CLEANUP(what) __attribute__((cleanup(cleanup_##what)))

/* An error of libnl in words; returns -errno. */
int netns_error(struct error *e, int nl_error, const char *what);

/* What was allocated; ends the process if nothing was. */
void *netns_alloc(void *p);

/* A socket to the kernel's routing, the caller's to free, also on failure. */
int netns_connect(struct nl_sock **sk, struct error *e);

#endif
