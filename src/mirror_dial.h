/* mirror_dial.h: from an accepted connection of the jail to the host's socket, and a relay. */
#ifndef CIJAIL_MIRROR_DIAL_H
#define CIJAIL_MIRROR_DIAL_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "src/launch.h"
#include "src/log.h"
#include "src/packet_relay.h"
#include "src/relay.h"

/* The host's end was not there: the jail's is to go. */
typedef void mirror_refused_cb(const struct launch_listen *at, void *arg);

struct mirror_dialer {
    struct event_base *base;
    struct relays *relays;
    struct packet_relays *packets; /* of SOCK_SEQPACKET */
    struct log *log;
    mirror_refused_cb *refused;
    void (*ended)(void *arg); /* a dial that failed, or a relay: there is room again */
    void *arg;
    size_t count; /* dials under way */
};

/* Connects to at in this process's network, and relays; logs the connection once it is made.
 * client: nonblocking, owned. endpoint: what allowed it. */
void mirror_dial(struct mirror_dialer *d, const struct launch_listen *at, uint32_t endpoint,
                 int client);

#endif
