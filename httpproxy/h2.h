/* h2.h: one HTTP/2 connection (RFC 9113), to a client or to a server, and its streams.
 *
 *   bytes <-> libnghttp2 <-> struct h2_stream <-> text of HTTP/1.1 <-> session or exchange
 *
 * A stream is a struct stream like a socket's (stream_ops): what is read from it is the peer's
 * message as text of HTTP/1.1, what is written to it is the answer in the same form. So a request
 * over HTTP/2 is read, judged, logged and answered by the code that does so for HTTP/1.1, and
 * either version on one side goes with either on the other.
 *
 * Flow control is joined end to end: what a stream has not been read of is not given back to the
 * peer's window, and a stream takes no more than LIMIT_BUFFER that its peer has no window for. The
 * window of a server's stream grows with what its user reads (LIMIT_H2_WINDOW_MAX): it is what can
 * come in one round trip. */
#ifndef CIJAIL_HTTPPROXY_H2_H
#define CIJAIL_HTTPPROXY_H2_H

#include <nghttp2/nghttp2.h>

#include "httpproxy/body.h"
#include "httpproxy/h2_fields.h"
#include "httpproxy/proxy.h"
#include "httpproxy/stream.h"

struct h2_conn;

enum h2_tunnel {
    H2_NO_TUNNEL,
    H2_TUNNEL_ASKED, /* an extended CONNECT that has no answer yet: no byte behind it is read */
    H2_TUNNEL_OPEN
};

struct h2_stream {
    TAILQ_ENTRY(h2_stream) all, ready;
    struct proxy *proxy;
    struct h2_conn *conn; /* NULL: the connection is gone */
    int32_t id;           /* 0: no request was sent yet */
    struct stream *user;  /* NULL: nobody reads or writes any more */
    bool is_ready;        /* in conn.ready */
    bool closed;          /* libnghttp2 knows it no more */
    bool head_only;       /* the request's method is HEAD */
    enum h2_tunnel tunnel;
    bool grpc;    /* the request is one */
    int error;    /* how it broke, once all that came before is read: a negative errno */
    char key[32]; /* Sec-WebSocket-Key of the extended CONNECT */
    /* from the peer */
    struct h2_fields *fields; /* a section that is coming in */
    struct buf in;            /* text for the user */
    size_t head_left;         /* of that: of the head */
    size_t discarded;         /* content that came when there was no user any more */
    size_t held;              /* content that came and is not given back to the window */
    size_t wider;             /* of the window: bytes beyond LIMIT_H2_WINDOW */
    size_t read;              /* content that was given back since the window became as wide */
    size_t chunk;             /* of in: content of the last chunk; 0: there was none */
    bool in_begun;            /* the final head has come */
    bool in_chunked;
    bool in_done;
    /* to the peer */
    struct buf head;   /* a head that is not whole yet; then its text, which the trailers may use */
    size_t interim;    /* bytes of interim heads */
    struct body body;  /* takes the content out of the text */
    struct buf data;   /* content */
    bool out_begun;    /* the final head was handed to libnghttp2 */
    bool cut;          /* the content ends before its end: reset once what there is was sent */
    uint32_t cut_code; /* with this */
    bool waiting;      /* libnghttp2 waits for content */
    bool ended;        /* END_STREAM was sent */
    uint64_t begun_at; /* now_ms() when the request was sent */
};

TAILQ_HEAD(h2_streams, h2_stream);

/* What a peer may still cost us: see h2_budget.c. */
struct h2_budget {
    long frames, resets;
    uint64_t refilled; /* now_ms() */
};

/* What differs between a client's connection and a server's. */
struct h2_side {
    /* The head of a request is in; server's side of a connection only. */
    void (*request)(struct h2_stream *st);
    /* The user of the stream is to run again. */
    void (*notify)(struct h2_stream *st);
    /* h2_run is to be called in the next turn. */
    void (*wake)(struct h2_conn *c);
};

struct h2_conn {
    struct proxy *proxy;
    const struct h2_side *side;
    void *owner;
    bool server;       /* of the two peers, this is the server: the other one is a client */
    struct stream *io; /* the socket's; the owner's */
    nghttp2_session *ng;
    struct h2_streams streams, ready;
    size_t count;       /* of streams that have a user */
    struct buf out;     /* frames on their way */
    const char *failed; /* why it is over; NULL: it is not */
    bool read_end;
    bool wants_http1; /* its GOAWAY said so: HTTP_1_1_REQUIRED */
    uint64_t read_at; /* now_ms() of the last byte from the peer */
    unsigned continuations;
    unsigned timeouts; /* a client's: how often it was silent for too long */
    bool doubtful; /* a server's: a request was given up, and nothing has come since it was sent */
    struct h2_budget budget;
};

/* --- h2_conn.c --- */

/* Begins: sends the settings. io must be connected (and TLS done); it stays the owner's. NULL if
 * memory is out. */
struct h2_conn *h2_conn_new(struct proxy *p, struct stream *io, bool server,
                            const struct h2_side *side, void *owner);

/* Streams that have a user break; they are notified. NULL is fine. */
void h2_conn_free(struct h2_conn *c);

/* Reads, writes, and notifies, until nothing moves or its turn is over; then it asks to be woken.
 * True if anything moved. */
bool h2_run(struct h2_conn *c);

/* Bytes that were read from io by someone else. */
void h2_conn_feed(struct h2_conn *c, const char *data, size_t len);

/* Nothing more comes or goes: the connection is to be closed. */
bool h2_conn_over(const struct h2_conn *c);

/* Ends it in an orderly way: GOAWAY with this code (RFC 9113, 7). */
void h2_conn_end(struct h2_conn *c, uint32_t code);

/* --- h2_stream.c --- */

extern const struct stream_ops h2_stream_ops;

/* A stream of c, which is in its list; freed by itself once it has no user and c knows it no more.
 */
struct h2_stream *h2_stream_new(struct h2_conn *c);
void h2_stream_free(struct h2_stream *st);

/* What came from the peer; called by h2_conn.c. h2_stream_section: a field section is whole; 0, or
 * -EPROTO: the stream is to be reset. */
int h2_stream_section(struct h2_stream *st, bool end, struct error *e);
void h2_stream_content(struct h2_stream *st, const uint8_t *data, size_t len);
void h2_stream_end(struct h2_stream *st);
void h2_stream_closed(struct h2_stream *st, uint32_t code);

/* The connection is gone. */
void h2_stream_orphan(struct h2_stream *st);

/* Its user has something to do. */
void h2_stream_wake(struct h2_stream *st);

/* --- h2_budget.c --- */

void h2_budget_init(struct h2_budget *b);

/* A frame of this head has come: false if the peer sends more of what costs and does nothing than
 * it may. */
bool h2_budget_frame(struct h2_budget *b, const nghttp2_frame_hd *hd);

/* A stream was broken off before its end: false likewise. */
bool h2_budget_reset(struct h2_budget *b);

/* Content of len bytes was sent, which the peer acknowledges with frames; cut: it was more, but for
 * the peer's window. A stream ended well. */
void h2_budget_sent(struct h2_budget *b, size_t len, bool cut);
void h2_budget_done(struct h2_budget *b);

/* --- h2_client.c --- */

struct session;

/* The client of s speaks HTTP/2 from here on: SESSION_H2. */
void h2_client_begin(struct session *s);

/* One step of SESSION_H2; true if anything moved. */
bool h2_client_step(struct session *s);

/* The client has been silent for too long. */
void h2_client_timeout(struct session *s);

/* --- h2_upstream.c --- */

struct upstream;
struct h2_pool;

struct h2_pool *h2_pool_new(struct proxy *p);
void h2_pool_free(struct h2_pool *pool);
size_t h2_pool_count(const struct h2_pool *pool);

/* Closes connections that no request has used for too long. */
void h2_pool_expire(struct h2_pool *pool, uint64_t now);

/* A new stream of a connection to that authority, or NULL. The caller owns it. */
struct upstream *h2_upstream_take(struct proxy *p, enum url_scheme scheme,
                                  const struct url_authority *a);

/* Is there one that h2_upstream_take may give? */
bool h2_upstream_has(const struct proxy *p, enum url_scheme scheme, const struct url_authority *a);

/* The server of up, whose handshake is done, has chosen h2: up becomes a connection of the pool.
 * Returns its first stream, or NULL if memory is out. */
struct upstream *h2_upstream_adopt(struct upstream *up);

#endif
