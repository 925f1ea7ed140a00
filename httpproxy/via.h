/* via.h: connections that go by a proxy of the host's network ("parent", src/parent.h). */
#ifndef CIJAIL_HTTPPROXY_VIA_H
#define CIJAIL_HTTPPROXY_VIA_H

#include "httpproxy/exchange.h"
#include "httpproxy/proxy.h"
#include "httpproxy/upstream.h"
#include "src/msg.h"

struct vias;

struct vias *vias_new(struct proxy *p);
void vias_free(struct vias *v); /* NULL is fine */

/* The supervisor says how such a proxy is spoken to. */
void vias_told(struct vias *v, const struct msg_parent *m);

/* The dialer has answered with a connection to the proxy, which is taken over: brings it so far
 * that it leads to what was asked for, and then calls upstream_dialed, now or later. */
void via_begin(struct vias *v, const struct msg_dialed *m, int fd);

/* What an answer to CONNECT says, if it is no tunnel: words for a person, without a byte of the
 * answer. */
void via_explain(int status, const char *target, char *buf, size_t size);

/* An exchange has its connection: if that is a proxy that takes URLs, the head in x->send is made
 * one for it: absolute-form (RFC 9112, 3.2.2), and its credentials. Once. */
void via_rewrite(struct exchange *x);

/* An answer with that status is one that may repeat the proxy's credentials, or asks for them: x
 * has been ended with words of ours instead. */
bool via_withholds(struct exchange *x, int status);

/* --- via_bridge.c --- */

struct via_bridge;
TAILQ_HEAD(via_bridges, via_bridge);

/* Bytes that have been taken from this side and not yet been given to the proxy. */
size_t vias_undelivered(const struct vias *v);
bool via_bridge_undelivered(const struct via_bridge *b);
struct via_bridge *via_bridge_next(const struct via_bridge *b);

/* A plain socket for what is said through up, which is taken over also on failure; data: bytes of
 * it that were read already. The descriptor, or -errno. */
int via_bridge_start(struct via_bridges *list, struct upstream *up, const char *data, size_t len);

/* Ends it at once. */
void via_bridge_free(struct via_bridge *b);

#endif
