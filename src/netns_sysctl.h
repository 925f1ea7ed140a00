/* netns_sysctl.h: the sysctls of the two networks. Part of netns.c's job; nobody else calls it.
 *
 * /proc/sys/net shows the caller's own network namespace. All of it is best effort: /proc/sys may
 * be read-only. */
#ifndef CIJAIL_NETNS_SYSCTL_H
#define CIJAIL_NETNS_SYSCTL_H

#include <stdbool.h>

/* In G: before anything listens there. */
void netns_sysctl_listeners(void);

/* In G, before the link is made, and when it is there but still down. */
void netns_sysctl_gateway(void);
void netns_sysctl_gateway_link(void);

/* In J, before the link is made. */
void netns_sysctl_jail(void);

/* Turns IPv6 on in the caller's network namespace where the system's default is off. Whether it can
 * be used there. */
bool netns_sysctl_enable_ipv6(void);

#endif
