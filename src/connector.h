/* connector.h: a TCP connection to the first of several addresses that answers (Happy Eyeballs, RFC
 * 8305). */
#ifndef CIJAIL_CONNECTOR_H
#define CIJAIL_CONNECTOR_H

#include <event2/event.h>
#include <stddef.h>

#include "src/resolver.h"

/* fd: connected, nonblocking, close-on-exec, the callee's; or -1 and err, the errno of the attempt
 * that got furthest. */
typedef void connector_cb(void *arg, int fd, int err);

/* Tries addresses (1 to RESOLVER_ADDRESSES, ports set) in their order with the families
 * interleaved, a new one every 250 ms or as soon as one fails, 30 s in all. Calls cb once, from the
 * event loop; frees itself. */
void connector_start(struct event_base *base, const union resolver_address *addresses, size_t n,
                     connector_cb *cb, void *arg);

#endif
