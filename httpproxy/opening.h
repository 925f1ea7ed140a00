/* opening.h: https connections to servers on their way: begun before there is a request for them,
 * or waited for by several. */
#ifndef CIJAIL_HTTPPROXY_OPENING_H
#define CIJAIL_HTTPPROXY_OPENING_H

#include "httpproxy/exchange.h"
#include "httpproxy/proxy.h"

struct opening;
struct openings;

struct openings *openings_new(struct proxy *p);
void openings_free(struct openings *os); /* NULL is fine */
size_t openings_count(const struct openings *os);

/* Ends those that take too long. */
void openings_expire(struct openings *os, uint64_t now);

/* A client is at its handshake, and will soon ask something of a: if no connection is there, and
 * none is on its way that may serve it, one is begun. */
void opening_early(struct proxy *p, const struct url_authority *a);

/* x, whose scheme is https, is to have a connection: if it may wait for one that is on its way, or
 * for one that others may wait for, too, it does so, and true is returned. exchange_connected,
 * exchange_dialed (with an error), exchange_fail or exchange_connect follows, and session_run. */
bool opening_join(struct exchange *x);

/* x waits no more. */
void opening_leave(struct exchange *x);

/* The dialer's answer, as for exchange_dialed. */
void opening_dialed(struct opening *o, int fd, int err, const char *text);

/* A handshake with a is done: does it speak HTTP/2? */
void openings_learn(struct openings *os, const struct url_authority *a, bool h2);

#endif
