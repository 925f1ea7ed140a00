/* upstream.h: connections to origin servers: made by the dialer, kept for the next request. */
#ifndef CIJAIL_HTTPPROXY_UPSTREAM_H
#define CIJAIL_HTTPPROXY_UPSTREAM_H

#include "httpproxy/proxy.h"
#include "httpproxy/stream.h"

struct upstream {
    TAILQ_ENTRY(upstream) idle;
    struct proxy *proxy;
    struct stream stream;
    enum url_scheme scheme;
    struct url_authority authority;
    bool shared;         /* a stream of an HTTP/2 connection (h2_upstream.c): never kept */
    bool http1_only;     /* HTTP/2 is not offered */
    bool reused;         /* has served a request before */
    bool personal;       /* the server knows its client by it: for one client alone */
    bool absolute;       /* a proxy of the host's network, which takes URLs (via.h) */
    uint64_t idle_since; /* now_ms() */
};

struct upstreams *upstreams_new(struct proxy *p, char *roots, size_t roots_len);
void upstreams_free(struct upstreams *u);

/* Idle connections, and dials that nobody waits for any more. */
size_t upstreams_idle(const struct upstreams *u);
size_t upstreams_orphans(const struct upstreams *u);

/* Closes kept connections that are too old. */
void upstreams_expire(struct upstreams *u, uint64_t now);

/* A kept connection that was used at most max_idle ms ago and is quiet, or NULL. The caller owns
 * it. */
struct upstream *upstream_take(struct proxy *p, enum url_scheme scheme,
                               const struct url_authority *a, uint64_t max_idle);

/* After a clean exchange by which the server may have come to know the client by this connection
 * (RFC 4559, 6: Negotiate; NTLM): it stays with the client's session, in the place of one before.
 * The caller no longer owns it. */
void upstream_keep_for(struct session *s, struct upstream *up);

/* That one, if it is of this authority, was used at most max_idle ms ago and is quiet: the caller
 * owns it. Else it is dropped: NULL. */
struct upstream *upstream_take_own(struct session *s, enum url_scheme scheme,
                                   const struct url_authority *a, uint64_t max_idle);

/* Is a kept connection there that upstream_take may give? */
bool upstream_has_kept(const struct proxy *p, enum url_scheme scheme,
                       const struct url_authority *a);

/* After a clean exchange, or a handshake that was for nothing: kept, if there is room. The caller
 * no longer owns it. */
void upstream_keep(struct upstream *up);

/* Closes and frees. NULL is fine. */
void upstream_drop(struct upstream *up);

/* Asks the dialer; exchange_dialed is called for s when it has answered, unless upstream_cancel was
 * called before. 0 and *id, or -errno and the reason. */
int upstream_dial(struct session *s, enum url_scheme scheme, const struct url_authority *a,
                  uint64_t *id, struct error *e);
void upstream_cancel(struct proxy *p, uint64_t id);

/* The same for a connection that no request owns: opening_dialed is called. */
struct opening;
int upstream_dial_opening(struct proxy *p, struct opening *o, const struct url_authority *a,
                          uint64_t *id, struct error *e);

/* The same for a tunnel (MSG_DIAL_RAW): raw_dialed is called. client_port: of a client that was
 * intercepted, else 0. */
int upstream_dial_raw(struct session *s, const struct url_authority *a, unsigned client_port,
                      uint64_t *id, struct error *e);

/* The dialer's answer; takes over fd. */
void upstream_on_dialed(struct proxy *p, const struct msg_dialed *m, int fd);

/* The end of a dial: of the dialer's answer, or, if that led to a proxy of the host's network, of
 * what that has answered (via.c). fd, which is taken over, or a positive errno and text. absolute:
 * as in struct upstream. */
void upstream_dialed(struct proxy *p, uint64_t id, int fd, int err, const char *text,
                     bool absolute);

/* A connection out of a dialled socket, which is taken over, also on failure. NULL and the reason.
 */
struct upstream *upstream_new(struct proxy *p, int fd, enum url_scheme scheme,
                              const struct url_authority *a, stream_ready_cb *ready, void *arg,
                              struct error *e);

/* --- upstream_tls.c --- */

struct upstream_tls;

struct upstream_tls *upstream_tls_new(char *roots, size_t roots_len);
void upstream_tls_free(struct upstream_tls *t);

/* Makes up a TLS client that will verify the name or address of its authority. 0, or -errno and the
 * reason. */
int upstream_start_tls(struct upstream *up, struct error *e);

/* The handshake has failed: the session that it may have tried to resume is forgotten. */
void upstream_tls_failed(struct upstream *up);

struct upstream_tls *upstreams_tls(struct upstreams *u);

#endif
