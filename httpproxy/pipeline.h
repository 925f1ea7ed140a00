/* pipeline.h: requests that a client sends before it has the responses to earlier ones (RFC 9112,
 * 9.3.2; apt does so). */
#ifndef CIJAIL_HTTPPROXY_PIPELINE_H
#define CIJAIL_HTTPPROXY_PIPELINE_H

#include "httpproxy/exchange.h"

/* Is it GET or HEAD, of which one may be sent before the response to another? */
bool pipeline_has_method(const char *method);

/* Sends what may be sent of the requests behind x, whose response is awaited or being read. True if
 * anything moved. */
bool pipeline_step(struct exchange *x);

/* The response to x has been read, and up, which is the caller's, can be used on: it goes to the
 * request behind x, together with what of the next response is in x->recv. False if there is no
 * such request. */
bool pipeline_pass(struct exchange *x, struct upstream *up);

/* The connection on which they went is gone: each is sent again when its turn comes. */
void pipeline_lost(struct session *s);

/* The turn of the next request: it is begun. False: there is none. */
bool pipeline_next(struct session *s);

/* Their session ends. */
void pipeline_free(struct session *s);

#endif
