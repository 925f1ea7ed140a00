/* raw.h: tunnels whose bytes are not read (NAME:PORT, ADDRESS:PORT), but for a ClientHello. */
#ifndef CIJAIL_HTTPPROXY_RAW_H
#define CIJAIL_HTTPPROXY_RAW_H

#include "httpproxy/client_hello.h"
#include "httpproxy/session.h"
#include "httpproxy/stream.h"

enum raw_phase {
    RAW_SORTING,  /* the port is that of a URL endpoint, too: what the client says tells which it is
                   */
    RAW_DIALING,  /* the dialer has been asked */
    RAW_LOOKING,  /* connected: the client's first bytes are awaited, the server's are passed on */
    RAW_FLUSHING, /* the client may go on: what was read is passed on, then the relay takes over */
};

struct raw {
    enum raw_phase phase;
    bool check;    /* TLS is to name a server that is allowed here; else nothing is looked at */
    bool connect;  /* the client has sent CONNECT, and waits for its answer */
    uint64_t dial; /* RAW_DIALING: its id */
    struct stream server;
    bool server_end;
    bool via; /* server is, or leads to, a proxy of the host's network */
    struct client_hello hello;
    size_t looked; /* bytes of session.in that hello has had */
};

/* Whether the relays have room for all that may become tunnels, the one that asks included. */
bool raw_has_room(const struct proxy *p);

/* A tunnel to s->authority, by CONNECT, or (client_port not 0) for a client that was intercepted;
 * enters SESSION_RAW. */
void raw_begin(struct session *s, bool check, unsigned client_port);

/* The same after a CONNECT that has had its answer; nothing is looked at. */
void raw_begin_answered(struct session *s);

/* A client that was intercepted at a port that both kinds of endpoints have: enters SESSION_RAW,
 * and goes on as what it turns out to be. */
void raw_sort(struct session *s);

/* One step of SESSION_RAW; true if it moved. */
bool raw_step(struct session *s);

/* The dialer's answer: a connected socket, which is taken over, or a positive errno and its text.
 */
void raw_dialed(struct session *s, int fd, int err, const char *text);

/* The deadline has passed; the session is to be run. */
void raw_timeout(struct session *s);

/* NULL is fine. */
void raw_free(struct session *s);

#endif
