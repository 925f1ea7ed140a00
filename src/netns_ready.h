/* netns_ready.h: part of netns.c's job; nobody else calls it.
 *
 * Both wait for what the kernel completes by itself soon after the request that asked for it has
 * returned. They give up after two seconds, and at once where the kernel does not tell: then the
 * first packets may be late, no more. */
#ifndef CIJAIL_NETNS_READY_H
#define CIJAIL_NETNS_READY_H

/* In J: until both ends of the link of that index can send. */
void netns_ready_link(int ifindex);

/* Until packets to that IPv6 address of the caller's namespace are taken in. */
void netns_ready_address(const char *ipv6);

#endif
