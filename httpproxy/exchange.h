/* exchange.h: one allowed request and its response. */
#ifndef CIJAIL_HTTPPROXY_EXCHANGE_H
#define CIJAIL_HTTPPROXY_EXCHANGE_H

#include "httpproxy/body.h"
#include "httpproxy/session.h"
#include "httpproxy/upstream.h"
#include "src/msg.h"

enum exchange_phase {
    EXCHANGE_DIALING,   /* the dialer has been asked */
    EXCHANGE_HANDSHAKE, /* TLS with the server */
    EXCHANGE_ACTIVE,    /* bytes of the request and of the response move */
    EXCHANGE_UPGRADED,  /* after a 101: a tunnel (upgrade.c) */
};

enum exchange_end {
    EXCHANGE_GOES_ON,
    EXCHANGE_DONE,   /* the response has been written to the client, whole */
    EXCHANGE_FAILED, /* no response has begun: the client gets one of ours */
    EXCHANGE_CUT,    /* a response has begun and cannot be completed, or the client is gone */
};

struct opening;

struct exchange {
    TAILQ_ENTRY(exchange) waiting; /* of those that wait for an opening */
    TAILQ_ENTRY(exchange) ahead;   /* of those of a session whose turn is to come (pipeline.h) */
    struct session *session;
    enum exchange_phase phase;
    enum exchange_end end;
    int fail_status; /* EXCHANGE_FAILED: of our response */
    char reason[MSG_TEXT_SIZE];
    /* the request */
    char method[HEAD_METHOD_SIZE];
    char *url;                       /* canonical text */
    const struct endpoint *endpoint; /* NULL: none, in a dry run */
    bool personal;                   /* the connection is the client's alone from now on */
    bool refused;                    /* by the dialer, which a dry run does not change */
    bool over;                       /* the jail may send no more (quota.h) */
    enum url_scheme scheme;
    struct url_authority authority;
    int minor;
    bool keep_alive; /* the client's connection may go on */
    bool expect_continue;
    bool continued;      /* the server wants the body; until it says so that waits until: */
    uint64_t held_until; /* 0: no longer */
    bool has_body;
    struct body request;
    char upgrade[HEAD_UPGRADE_SIZE]; /* the protocols that it offers */
    /* the server */
    uint64_t dial;           /* EXCHANGE_DIALING: its id */
    struct opening *opening; /* EXCHANGE_DIALING: what it waits for instead; or NULL */
    struct upstream *upstream;
    bool retried;
    unsigned refusals; /* how often a server has said that it did nothing of it */
    bool http1_only;   /* it cannot be made by HTTP/2 */
    bool absolute;     /* the dial has led to a proxy that takes URLs (via.h) */
    bool rewritten;    /* the head in send is one for such a proxy */
    struct buf send;   /* head and body on their way to the server */
    size_t head_len;
    uint64_t written;   /* bytes of send that went out */
    bool pinned;        /* what was written stays in send: it may have to be written again */
    bool went_ahead;    /* something of it was sent before its turn */
    bool send_failed;   /* the server takes no more */
    struct buf recv;    /* from the server */
    size_t scanned;     /* bytes of recv that are known to hold no whole head */
    bool got_bytes;     /* of a response */
    bool upstream_end;  /* the server has ended its side; how: */
    int upstream_error; /* 0, or a negative errno */
    /* the response */
    bool responded; /* its head is on the way to the client */
    bool upstream_keep_alive;
    unsigned informational;
    size_t interim; /* bytes of their heads */
    bool mended;    /* not all of the response was written as it should be */
    int status;
    struct body response;
    /* EXCHANGE_UPGRADED */
    int client_error; /* 0, or how the client's side broke */
    bool server_told; /* that the client has ended its side */
    bool client_told; /* that the server has */
    bool reset;       /* EXCHANGE_CUT: the peers are to see a reset */
};

/* The request in the scratch (r, its canonical URL) has been allowed by ep: begins it and enters
 * SESSION_EXCHANGE, or answers with an error. len: of the head, which is taken out of s->in. */
void exchange_begin(struct session *s, const struct head_request *r, const struct url *url,
                    const struct endpoint *ep, size_t len);

/* The same for one that has its turn later (pipeline.h), and belongs to the caller. NULL: the head
 * is too long, and stays in s->in. */
struct exchange *exchange_make_ahead(struct session *s, const struct head_request *r,
                                     const struct url *url, const struct endpoint *ep, size_t len);

/* Its turn has come: it is the session's from here on, which enters SESSION_EXCHANGE. It may have
 * its connection already, and part of the response in recv. */
void exchange_resume(struct exchange *x);

/* One step of s->exchange; true if anything moved. When the exchange is over, it is reported and
 * freed, and the session moves on. */
bool exchange_run(struct session *s);

/* The session has nothing more to do now: memory that is not in use is given back. moved: something
 * has moved, so the clock of a stalled transfer starts again. */
void exchange_rest(struct exchange *x, bool moved);

/* The dialer's answer: a connected socket, which is taken over, or a positive errno and its text.
 */
void exchange_dialed(struct exchange *x, int fd, int err, const char *text);

/* What it waited for (opening.h) is there: a connection, TLS done, or a stream of one, taken over.
 */
void exchange_connected(struct exchange *x, struct upstream *up);

/* It is to have a connection, from wherever there is one. */
void exchange_connect(struct exchange *x);

/* Nothing has moved for too long. */
void exchange_timeout(struct exchange *x);

/* Reports an exchange that will not be finished. */
void exchange_interrupted(struct exchange *x, const char *why);

/* Closes the connection to the server, if there is one. */
void exchange_free(struct exchange *x);

/* --- between exchange.c, response.c, pipeline.c and upgrade.c --- */

/* Does a field of that name speak of NTLM or Negotiate, by which a server knows the connection and
 * not the request? */
bool exchange_is_personal(const struct head_field *fields, size_t count, const char *name);

/* A stream_ready_cb; arg: the exchange that the connection to the server belongs to. */
void exchange_ready(void *arg);

/* Ends the exchange: FAILED with this status, or CUT if a response has begun. */
void exchange_fail(struct exchange *x, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends the exchange: CUT. */
void exchange_cut(struct exchange *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Ends the exchange: no more may be sent. */
void exchange_over(struct exchange *x);

/* The server says that it has done nothing of the request, or the kept connection turned out to be
 * dead: may it be sent once more? */
bool exchange_may_retry(const struct exchange *x);
void exchange_retry(struct exchange *x);

/* What was sent will not be sent again. */
void exchange_unpin(struct exchange *x);

/* Reads from the server, and moves what was read towards the client; each true if anything moved
 * (response.c). */
bool response_pull(struct exchange *x);
bool response_process(struct exchange *x);

/* A 101 has come: the tunnel begins, or the exchange fails with 502 (upgrade.c). */
void upgrade_begin(struct exchange *x, const struct head_response *r);

/* One step of the tunnel; true if anything moved, or it is over. */
bool upgrade_step(struct exchange *x);

#endif
