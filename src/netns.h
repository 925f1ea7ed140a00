/* netns.h: links, addresses and routes of the two networks, by libnl-route-3. */
#ifndef CIJAIL_NETNS_H
#define CIJAIL_NETNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "src/error.h"

/* In G, with CAP_NET_ADMIN over it, before any socket: what these depend on. Whether the kernel has
 * IPv6. */
bool netns_begin_gateway(void);

/* After that, before there is a link: sets the sysctls (no forwarding, no redirects, no router
 * advertisements, no limit on the ICMP errors that it sends), as far as /proc/sys can be written,
 * and brings lo up. */
int netns_prepare_gateway(struct error *e);

/* Likewise in J; what is set here the link's end begins with. */
int netns_prepare_jail(bool *ipv6, struct error *e);

/* In J: -EEXIST if there is any link but lo (and tunnels' idle ones, which the kernel makes). */
int netns_check_empty(struct error *e);

/* In J, when both are prepared and the caller has CAP_NET_ADMIN over both: makes the veth pair,
 * with gw0 in the network namespace that the descriptor gateway is of. */
int netns_make_link(int gateway, struct error *e);

/* In G, when both are prepared: makes the veth pair with its peer in the network namespace of
 * process jail_pid (as seen in the caller's PID namespace; 0: netns_make_link has done this), gives
 * gw0 its addresses and brings it up. */
int netns_link_gateway(pid_t jail_pid, bool ipv6, struct error *e);

/* In J, when the pair is there: gives jail0 its addresses and routes and brings it up. */
int netns_link_jail(bool ipv6, struct error *e);

/* In G: takes the link away. Both ends are gone at once, and with them every route of the jail: its
 * connections end, new ones fail with ENETUNREACH. */
int netns_cut(struct error *e);

/* Sockets in the current namespace (G), nonblocking and close-on-exec. type: SOCK_DGRAM or
 * SOCK_STREAM (which then listens, backlog SOMAXCONN's kernel maximum). The address need not
 * be there yet. Returns the descriptor or -errno. */
int netns_listen(int family, int type, unsigned short port, struct error *e);

/* In G: packets that the rules mark (TRANSPARENT_MARK) are routed to G
 * itself, whatever their address. */
int netns_intercept(bool ipv6, struct error *e);

/* The socket takes what tproxy gives it and answers from the address that was asked
 * (IP_TRANSPARENT), as do the connections that it accepts. */
int netns_make_transparent(int fd, int family, struct error *e);

/* A netlink socket bound to that group (NFLOG_GROUP, HELD_GROUP), copying NFLOG_SNAPLEN bytes, with
 * a large receive buffer. */
int netns_open_nflog(uint16_t group, struct error *e);

/* A raw socket in G that sends packets with an IP header of the caller's and that mark, and
 * receives nothing. */
int netns_open_raw(int family, uint32_t mark, struct error *e);

/* A raw ICMP socket of the family (SOCK_RAW, IPPROTO_ICMP or IPPROTO_ICMPV6) in G. */
int netns_open_icmp(int family, struct error *e);

#endif
