/* dialer.h: connects for httpproxy, to what the policy names and to nothing else. */
#ifndef CIJAIL_DIALER_H
#define CIJAIL_DIALER_H

#include <event2/event.h>

#include "src/channel.h"
#include "src/learned.h"
#include "src/log.h"
#include "src/parent.h"
#include "src/policy.h"
#include "src/raw.h"
#include "src/resolver.h"

struct dialer;

/* What it works with; all of it outlives the dialer. */
struct dialer_setup {
    struct event_base *base;
    const struct policy *policy;
    struct resolver *resolver;
    struct learned *learned;
    struct raw *raw;               /* connections that are made already */
    struct log *log;               /* tunnels that were made */
    const struct parents *parents; /* NULL: all is connected to directly */
};

struct dialer *dialer_new(const struct dialer_setup *setup);

/* Takes one MSG_DIAL; answers on c by MSG_DIALED, later or at once. */
void dialer_dial(struct dialer *d, struct channel *c, const struct msg_dial *m);

/* c is about to be freed: dials under way are dropped when they end. */
void dialer_forget(struct dialer *d, struct channel *c);

#endif
