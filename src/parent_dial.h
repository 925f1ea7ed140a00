/* parent_dial.h: a connection to a proxy of the host's network. */
#ifndef CIJAIL_PARENT_DIAL_H
#define CIJAIL_PARENT_DIAL_H

#include <event2/event.h>

#include "src/parent.h"
#include "src/resolver.h"

/* fd: connected, the callee's; or -1 and err, text: why not. */
typedef void parent_dial_cb(void *arg, int fd, int err, const char *text);

/* Resolves and connects; whatever the address is, since the caller has named it. Calls cb once, now
 * or later. The rest outlives that. */
void parent_dial(struct event_base *base, struct resolver *resolver, const struct parent *parent,
                 parent_dial_cb *cb, void *arg);

/* Asks for a tunnel to target on a socket that has just been connected. 0 or -errno. */
int parent_send_connect(int fd, const struct parent *parent, const char *target);

#endif
