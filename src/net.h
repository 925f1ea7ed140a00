/* net.h: the fixed points of the two networks, and which descriptor is what in a proxy.
 *
 *   jail0 (J) 192.0.0.2, fd63:696a:6169:6c::2   <-- veth -->   gw0 (G) 192.0.0.1,
 * fd63:696a:6169:6c::1
 *
 * 192.0.0.0/29 is the IANA's block for exactly such a pair of addresses on a private link (RFC
 * 7335); it is never routed, so it hides no real host. The IPv6 block is a unique local one (RFC
 * 4193). Jails in jails use the same addresses: each has a link of its own. */
#ifndef CIJAIL_NET_H
#define CIJAIL_NET_H

#define GW_IFNAME "gw0"
#define JAIL_IFNAME "jail0"
#define GW_IPV4 "192.0.0.1"
#define JAIL_IPV4 "192.0.0.2"
#define LINK_IPV4_LEN 29
#define GW_IPV6 "fd63:696a:6169:6c::1"
#define JAIL_IPV6 "fd63:696a:6169:6c::2"
#define LINK_IPV6_LEN 64
#define DNS_PORT 53
#define PROXY_PORT 3128
#define TRANSPARENT_PORT 3129 /* of the transparent listeners; no packet of the jail names it */
#define RELAY_PORT 3130       /* likewise of the supervisor's, for raw endpoints, TCP and UDP */
#define TRANSPARENT_MARK 1    /* of packets that the rules give to a transparent socket, */
#define TRANSPARENT_TABLE 100 /* and the routing table that delivers them */
#define RELAY_MARK 2          /* of a held SYN that is given back: to RELAY_PORT, */
#define INTERCEPT_MARK 3      /* or to TRANSPARENT_PORT */
#define SERVICE_MARK 4        /* of what came for a service, until it is there */
#define NFLOG_GROUP 1         /* rejected packets */
#define HELD_GROUP 2          /* held SYNs */
#define NFLOG_SNAPLEN 128     /* bytes of a packet that are logged: both headers */

/* Descriptors that a proxy inherits. A descriptor that does not exist (no IPv6) is simply not open.
 */
enum proxy_fd {
    PROXY_FD_CHANNEL = 3, /* SOCK_SEQPACKET to the supervisor (msg.h) */
    PROXY_FD_CONFIG = 4,  /* sealed memfd: the policy, as text (policy.h) */
    /* cijail-dnsproxy */
    DNS_FD_UDP4 = 5, /* bound to GW_IPV4:53, likewise the others */
    DNS_FD_UDP6 = 6,
    DNS_FD_TCP4 = 7, /* listening */
    DNS_FD_TCP6 = 8,
    DNS_FD_NFLOG = 9,  /* AF_NETLINK NETLINK_NETFILTER, bound to NFLOG_GROUP in G */
    DNS_FD_ICMP4 = 10, /* raw sockets in G: answers for what the rules rejected */
    DNS_FD_ICMP6 = 11,
    DNS_FD_HELD = 12,   /* as DNS_FD_NFLOG, bound to HELD_GROUP */
    DNS_FD_RELAY4 = 13, /* raw sockets in G that take whole packets: mark RELAY_MARK */
    DNS_FD_RELAY6 = 14,
    DNS_FD_INTERCEPT4 = 15, /* likewise, mark INTERCEPT_MARK */
    DNS_FD_INTERCEPT6 = 16,
    DNS_FD_ROOTS = 17, /* sealed memfd, as HTTP_FD_ROOTS, if DNS goes by TLS */
    /* cijail-httpproxy */
    HTTP_FD_LISTEN4 = 5, /* listening at GW_IPV4:PROXY_PORT */
    HTTP_FD_LISTEN6 = 6,
    HTTP_FD_ROOTS = 7,        /* sealed memfd: PEM certificates that upstream is verified with */
    HTTP_FD_TRANSPARENT4 = 8, /* listening, with IP_TRANSPARENT, if the policy has a URL endpoint */
    HTTP_FD_TRANSPARENT6 = 9,
    HTTP_FD_QUOTA = 10, /* memfd: what the jail has sent (quota.h), if that is limited */
};
#define PROXY_FD_MAX 17 /* the highest of them */

#endif
