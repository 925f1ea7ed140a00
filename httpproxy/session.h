/* session.h: one client connection. */
#ifndef CIJAIL_HTTPPROXY_SESSION_H
#define CIJAIL_HTTPPROXY_SESSION_H

#include "httpproxy/buf.h"
#include "httpproxy/mitm.h"
#include "httpproxy/proxy.h"
#include "httpproxy/stream.h"

#define TLS_HANDSHAKE_RECORD 0x16 /* the first byte of TLS (RFC 8446, 5.1) */

struct exchange;
struct h2_conn;
struct raw;

/* Where the authority of a request comes from. */
enum session_mode {
    SESSION_PROXY,       /* each request's absolute-form target */
    SESSION_TUNNEL,      /* the CONNECT target: session.authority */
    SESSION_TRANSPARENT, /* with TLS the SNI: session.authority; else each request's Host */
};

enum session_state {
    SESSION_HEAD,      /* waits for a request head, or for the rest of it */
    SESSION_REPLY,     /* writes an answer of our own, skips what is left of the request, goes on to
                          next */
    SESSION_FIRST,     /* in a new tunnel, or of a client that was intercepted: the first byte tells
                          TLS from HTTP */
    SESSION_HANDSHAKE, /* TLS towards the client */
    SESSION_RAW,       /* a tunnel that is not read, until the relay takes over (raw.c) */
    SESSION_H2,        /* the client speaks HTTP/2: each stream is a session of its own */
    SESSION_EXCHANGE,  /* a request has been allowed and is under way */
    SESSION_LINGER,    /* has said all, reads until the client closes, too */
    SESSION_DEAD,      /* is freed as soon as session_run returns */
};

struct session {
    TAILQ_ENTRY(session) all, waiting;
    struct proxy *proxy;
    struct stream client;
    enum session_mode mode;
    enum session_state state, next;
    bool queued;            /* in proxy.queue */
    bool early;             /* SESSION_HANDSHAKE: a connection was begun, if that was of use */
    bool eof;               /* the client has ended its side */
    bool http_ok, https_ok; /* SESSION_TUNNEL: what the policy has for the authority */
    enum url_scheme scheme;
    struct url_authority authority; /* SESSION_TRANSPARENT: the dialled address, until a SNI came */
    struct buf in, out;
    size_t scanned; /* bytes of in that are known to hold no whole head */
    uint64_t
        skip; /* SESSION_REPLY: body bytes to skip; SESSION_LINGER: bytes that may still come */
    uint64_t deadline;    /* of now_ms() */
    unsigned client_port; /* SESSION_TRANSPARENT: the client's own */
    struct exchange *exchange;
    struct upstream *own; /* kept for this client alone (upstream_keep_for), or NULL */
    TAILQ_HEAD(ahead_list, exchange) ahead; /* requests behind that one (pipeline.h) */
    unsigned ahead_count;
    bool ahead_off;           /* nothing is sent ahead for now */
    bool ahead_ends;          /* what comes next in `in` waits for its turn */
    struct raw *raw;          /* SESSION_RAW */
    struct mitm_hello *hello; /* SESSION_HANDSHAKE */
    struct h2_conn *h2;       /* SESSION_H2 */
};

/* A new client; takes over fd (nonblocking), also on failure. */
void session_new(struct proxy *p, int fd);

/* The same for a client that was on its way to another address, and does not know better. port: the
 * client's. */
void session_new_transparent(struct proxy *p, int fd, const struct url_authority *dialled,
                             unsigned port);

/* A client inside of another's connection: what is said to stream, which is left to the caller to
 * open, is read as in the tunnel or behind the SNI of parent, as plain or TLS as there. */
struct session *session_new_inner(const struct session *parent);

/* Does all that can be done now; s may be gone when it returns. Called from the event loop only,
 * never from within itself. */
void session_run(struct session *s);

/* Closes and frees; a request under way is reported with why, if that is not NULL. */
void session_free(struct session *s, const char *why);

/* The deadline has passed; s may be gone when it returns. */
void session_timeout(struct session *s);

/* --- for what runs inside of session_run: request.c, connect.c, exchange.c --- */

/* Reads from the client into in, once. 1: bytes came; 0: none now (eof may be set), or no room; or
 * a negative errno. */
int session_fill(struct session *s);

/* Writes from out to the client, once. 1: bytes went; 0: none now; or a negative errno. */
int session_flush(struct session *s);

/* Moves on; the deadline is set to what the state allows. */
void session_enter(struct session *s, enum session_state state);

/* A stream_ready_cb; arg: the session. */
void session_ready(void *arg);

/* Answers with a text and goes on to next. skip: bytes of the request's body to be read first. */
void session_reply(struct session *s, int status, const char *text, bool head, uint64_t skip,
                   enum session_state next);

/* How to go on after an answer of our own to a request whose body (framing in, left bytes of it if
 * that is BODY_LENGTH) is still to come: SESSION_HEAD and *skip bytes to skip, or SESSION_LINGER.
 */
enum session_state session_after(enum head_body in, uint64_t left, bool keep, uint64_t *skip);

/* A whole head of len bytes is in: judges it and begins what follows (request.c). */
void request_begin(struct session *s, size_t len);

/* A whole head of len bytes is in, behind the request x: one that may be sent before its turn comes
 * (pipeline.h) is taken out of s->in. NULL: it waits for its turn (request.c). */
struct exchange *request_ahead(struct session *s, const struct exchange *x, size_t len);

/* What should be a head cannot be read: logs and answers that. head, of len bytes: what came, or as
 * much of it as is worth a line of the log (request.c). */
void request_refuse(struct session *s, const char *head, size_t len, int status,
                    const char *reason);

/* len bytes hold no head: 431 (request.c). */
void request_too_long(struct session *s);

/* A CONNECT request; r is in the scratch (connect.c). */
void connect_begin(struct session *s, const struct head_request *r, size_t len);

/* The first bytes inside of a tunnel are in (connect.c). */
void connect_first(struct session *s);

/* In a dry run: may the tunnel, in which nothing was said yet, be one of any protocol? */
bool connect_may_be_raw(const struct session *s);

/* A line of the log, of the CONNECT to the session's authority as a whole (connect.c). ep: what
 * allows it, or NULL, with which a dry run would not have allowed it. */
void connect_log(struct session *s, enum msg_decision decision, const struct endpoint *ep,
                 const char *reason);

/* Begins TLS with the client (connect.c). */
void connect_start_tls(struct session *s);

/* "host:port" or "[v6]:port" (connect.c). */
void connect_target(const struct url_authority *a, char *text, size_t size);

/* A client that was intercepted is here: enters the first state (transparent.c). */
void transparent_begin(struct session *s);

/* The first byte of a client that was intercepted is in: does TLS begin with it? (transparent.c) */
void transparent_first(struct session *s, bool tls);

/* No byte of it has come in time: reports that (transparent.c). */
void transparent_silent(struct session *s);

/* A mitm_choose_cb; arg: the session (transparent.c). */
const struct url_authority *transparent_choose(void *arg, const char *sni, char *problem,
                                               size_t size);

/* The URL of a plain request of such a client. 0, or the negative status (transparent.c). */
int transparent_url(const struct session *s, const struct head_request *r, struct url *url,
                    struct error *e);

/* One step of the handshake with the client: true if it moved (connect.c). */
bool connect_handshake(struct session *s);

#endif
