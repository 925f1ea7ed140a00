/* proxy_fixture.h: cijail-httpproxy in the test's own process: the test is its client, its
 * supervisor and the origin server, all over socket pairs and turn by turn, so that every order of
 * events can be had. */
#ifndef CIJAIL_PROXY_FIXTURE_H
#define CIJAIL_PROXY_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "httpproxy/proxy.h"
#include "src/msg.h"

struct fixture {
    struct proxy *proxy;
    int channel;                /* the supervisor's end */
    struct msg_log_batch batch; /* the last one that came */
    size_t batch_at;
};

/* roots: PEM text or NULL. */
void fixture_start(struct fixture *f, const char *policy, const char *roots);

/* Also checks that no log line is left that no test looked at. */
void fixture_stop(struct fixture *f);

/* Lets the proxy do all that it can do now. */
void fixture_turn(struct fixture *f);

/* A new client: its end of the connection. */
int fixture_client(struct fixture *f);

/* What clients need for TLS with the proxy: they trust the CA of the jail alone. The caller's. */
SSL_CTX *fixture_client_tls(struct fixture *f);

#define FIXTURE_CLIENT_PORT 40000 /* of the clients that are intercepted */

/* One that was intercepted on its way to that address: likewise. */
int fixture_intercepted(struct fixture *f, const char *address, unsigned port);

/* TLS of the client at fd: it sends sni and verifies that the certificate is for the host or the
 * address verify, unless these are NULL. *result: as of SSL_connect(3), once its handshake is done
 * or has failed. What it returns is fixture_leave's to free. */
SSL *fixture_handshake(struct fixture *f, SSL_CTX *ctx, int fd, const char *sni, const char *verify,
                       int *result);

/* Sends a request, unless it is NULL; what comes back now (NUL-terminated, static memory). */
const char *fixture_talk(struct fixture *f, SSL *ssl, const char *request);

/* Ends that client without a word. */
void fixture_leave(struct fixture *f, SSL *ssl, int fd);

/* Writes text to a socket, then a turn. */
void fixture_send(struct fixture *f, int fd, const char *text);

/* Turns until text has come from fd, which must be exactly what came next. */
void fixture_expect(struct fixture *f, int fd, const char *text);

/* Reads all that is there now (NUL-terminated, static memory). */
const char *fixture_read(struct fixture *f, int fd);

/* The peer has ended (or reset) the connection, and no byte is left. */
bool fixture_ended(struct fixture *f, int fd);

/* The next message of the proxy, which must be a MSG_DIAL for this authority; its id. */
uint64_t fixture_dial(struct fixture *f, enum url_scheme scheme, const char *host, unsigned port);

/* If the proxy has begun a connection while a client was at its handshake (opening.h), and has sent
 * nothing else, that fails; and only then true is returned. */
bool fixture_decline_early(struct fixture *f);

/* Likewise of a tunnel: a MSG_DIAL_RAW, for a client at that port (0: by CONNECT). */
uint64_t fixture_dial_raw(struct fixture *f, const char *host, unsigned port, unsigned client_port);

/* Answers a dial: the server's end of the connection. */
int fixture_accept(struct fixture *f, uint64_t id);

/* Answers a dial with an error. */
void fixture_refuse(struct fixture *f, uint64_t id, int err, const char *text);

/* The next message must be a log line, or a gathered one; stays good until the next call. */
const struct msg_log_request *fixture_log(struct fixture *f);

/* Likewise a tunnel that was refused. */
const struct msg_log_tunnel *fixture_log_tunnel(struct fixture *f);

/* The proxy has sent no message. */
bool fixture_silent(struct fixture *f);

/* All deadlines of sessions are over now. */
void fixture_time_out(struct fixture *f);

/* A client whose request to http://a.test is on its way, as sent: its end, and *server's. */
int fixture_request(struct fixture *f, const char *request, const char *sent, int *server);

#endif
