/* upstream_dialer.h: connections to the servers of --upstream tls://, for dnsproxy. */
#ifndef CIJAIL_UPSTREAM_DIALER_H
#define CIJAIL_UPSTREAM_DIALER_H

#include <event2/event.h>

#include "src/channel.h"
#include "src/log.h"
#include "src/upstream_servers.h"

struct upstream_dialer;

/* servers and log outlive it. */
struct upstream_dialer *upstream_dialer_new(struct event_base *base,
                                            const struct upstream_servers *servers,
                                            struct log *log);

/* Takes one TLS_DIAL; answers on c by TLS_DIALED, later or at once. */
void upstream_dialer_dial(struct upstream_dialer *d, struct channel *c,
                          const struct msg_tls_dial *m);

/* Takes one TLS_FAILED: a line of the log. */
void upstream_dialer_failed(struct upstream_dialer *d, const struct msg_tls_failed *m);

/* c is about to be freed: dials under way are dropped when they end. */
void upstream_dialer_forget(struct upstream_dialer *d, const struct channel *c);

#endif
