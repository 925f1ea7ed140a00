/* host_listeners.h: what listens in this process's network namespace (proc_net(5)). */
#ifndef CIJAIL_HOST_LISTENERS_H
#define CIJAIL_HOST_LISTENERS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct host_listener {
    int family;     /* AF_INET, AF_INET6, AF_UNIX (abstract) */
    int type;       /* SOCK_STREAM; of UDP SOCK_DGRAM; or of AF_UNIX SOCK_SEQPACKET */
    bool connected; /* UDP: it takes datagrams of one peer alone */
    struct in_addr v4;
    struct in6_addr v6;
    uint16_t port;    /* host order */
    const char *name; /* AF_UNIX: without the '@'; valid during the call */
};

typedef void host_listener_cb(const struct host_listener *l, void *arg);

/* Calls cb for each TCP socket that listens. An IPv4-mapped address is reported as AF_INET. What
 * cannot be read has no listeners. */
void host_listeners_tcp(host_listener_cb *cb, void *arg);

/* The same for UDP sockets that are bound to a port, those that are connected too. */
void host_listeners_udp(host_listener_cb *cb, void *arg);

/* The same for abstract AF_UNIX sockets of the types SOCK_STREAM and SOCK_SEQPACKET. */
void host_listeners_abstract(host_listener_cb *cb, void *arg);

/* The readers of the tables' texts; these are what the three above open. */
void host_listeners_read_tcp(FILE *table, int family, host_listener_cb *cb, void *arg);
void host_listeners_read_udp(FILE *table, int family, host_listener_cb *cb, void *arg);
void host_listeners_read_abstract(FILE *table, host_listener_cb *cb, void *arg);

#endif
