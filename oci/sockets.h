/* sockets.h: the kinds of socket that a container can make. */
#ifndef CIJAIL_OCI_SOCKETS_H
#define CIJAIL_OCI_SOCKETS_H

#include <jansson.h>
#include <stdbool.h>

#include "src/error.h"

/* Narrows the container's seccomp profile, or makes one: sockets of AF_UNIX, AF_INET, AF_INET6 and
 * AF_NETLINK alone (of that NETLINK_ROUTE and NETLINK_NETFILTER, unless netlink), no io_uring, by
 * which sockets are made as well. Some families are not of a network namespace: AF_VSOCK leads to
 * the hypervisor. 0, or -EINVAL for a profile that cannot be read. */
int sockets_narrow(json_t *config, bool netlink, struct error *e);

#endif
