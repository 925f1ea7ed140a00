/* raw.h: connections to raw endpoints (ADDRESS:PORT), relayed as they are, and to addresses of
 * NAME:PORT endpoints, which httpproxy takes over when they are made. */
#ifndef CIJAIL_RAW_H
#define CIJAIL_RAW_H

#include <event2/event.h>
#include <stdbool.h>

#include "src/channel.h"
#include "src/launch.h"
#include "src/learned.h"
#include "src/log.h"
#include "src/parent.h"
#include "src/policy.h"
#include "src/quota.h"
#include "src/relay.h"

struct raw_judge {
    const struct policy *policy;
    struct learned *learned;       /* NULL: nothing */
    const struct parents *parents; /* NULL: all is connected to directly */
};

struct raw_setup {
    struct event_base *base;
    struct raw_judge judge;
    struct log *log;
    struct relays *relays;
    struct quota *quota; /* NULL: none */
};

struct raw;

/* maker: to raw_maker_main; owned from here on. flows: of UDP, at once; each has two descriptors.
 * setup is copied, what it points to outlives it. */
struct raw *raw_new(const struct raw_setup *setup, int maker, size_t flows);

/* A transparent socket of the gateway (LAUNCH_RELAY); kind: enum launch_relay. Owned from here on.
 */
void raw_take_socket(struct raw *r, int kind, int fd);

/* The channel to dnsproxy, or NULL once it has ended: where a UDP flow's errors are told. */
void raw_set_channel(struct raw *r, struct channel *dnsproxy);

/* dnsproxy's MSG_OPEN, answered on its channel, now or later. */
void raw_open(struct raw *r, struct channel *c, const struct msg_open *m);

/* Accepts and sends on what waits. Was that all? If not, the event loop has to go on. Whether all
 * that the jail has sent by TCP was delivered is the relays' to say. */
bool raw_drain(struct raw *r);

/* Takes over the connection that is kept for that client of httpproxy's: its descriptor, and the
 * endpoint that allowed it; or -1. */
int raw_claim(struct raw *r, const struct msg_tuple *t, uint32_t *endpoint);

#endif
