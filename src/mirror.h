/* mirror.h: TCP and UDP ports of the host's loopback and abstract unix sockets of the host, in the
 * jail at the same address. */
#ifndef CIJAIL_MIRROR_H
#define CIJAIL_MIRROR_H

#include <event2/event.h>
#include <stdbool.h>

#include "src/log.h"
#include "src/policy.h"
#include "src/relay.h"

struct mirror;

struct mirror_setup {
    struct event_base *base;
    const struct policy *policy;
    bool allow_loopback; /* every TCP port of the host's loopback */
    size_t flows;        /* of UDP, at once; each has one descriptor */
    struct log *log;
    struct relays *relays;
    struct quota *quota; /* NULL: no limit */
    int init;            /* socket to the jail's init; not owned */
};

/* Is there anything to mirror under this policy? */
bool mirror_is_wanted(const struct policy *policy, bool allow_loopback);

/* Looks for the first time at what listens on the host, and from then on four times a second.
 * ready(arg) is called once, from the event loop or at once, when what listens now does so in the
 * jail too. what is copied; it all lives as long as the process. */
struct mirror *mirror_start(const struct mirror_setup *what, void (*ready)(void *), void *arg);

/* Init's answer: a listening socket, owned by the mirror from here on, or -1 and an errno. */
void mirror_on_listening(struct mirror *m, int fd, int err);

/* Accepts what waits, and tells whether all that the jail has sent was delivered to the host. */
bool mirror_is_drained(struct mirror *m);

#endif
