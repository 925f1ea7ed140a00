/* secure.h: questions that go to the servers of --upstream tls:// (RFC 7858). */
#ifndef CIJAIL_DNSPROXY_SECURE_H
#define CIJAIL_DNSPROXY_SECURE_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "src/msg.h"

#define SECURE_QUERY_MAX 512 /* with a padding of 128: 384 at most */

struct dnsproxy;
struct secure;

/* roots: PEM text. Reads all that OpenSSL does; ends the process if it cannot be used. */
struct secure *secure_new(struct dnsproxy *p, const char *roots, size_t len);
void secure_free(struct secure *s);

/* The query that the supervisor has built, for the question m->id. It gets exactly one
 * dnsproxy_answered, later or at once. */
void secure_ask(struct secure *s, const struct msg_reply *m);

/* What became of a dial. Takes over fd. */
void secure_dialed(struct secure *s, const struct msg_tls_dialed *m, int fd);

/* --- secure_connection.c: one connection: TLS, and messages behind their lengths --- */

struct secure_connection;

/* What its owner is told. Only closed may free it, which must. */
struct secure_owner {
    void (*open)(void *arg); /* the handshake is done: the server is the right one */
    void (*message)(void *arg, const uint8_t *message, size_t len);
    void (*closed)(void *arg, const char *why); /* NULL: it has ended */
    void *arg;
};

/* m: of a dial that was made. Takes over fd. session: what the last connection to that server has
 * left to be resumed, or NULL; what this one leaves is put there. NULL: it cannot be made. */
struct secure_connection *secure_connection_new(struct event_base *base, SSL_CTX *ctx,
                                                const struct msg_tls_dialed *m, int fd,
                                                SSL_SESSION **session,
                                                const struct secure_owner *owner);
void secure_connection_free(struct secure_connection *c);

/* Sends a message of at most SECURE_QUERY_MAX bytes; the connection is open. */
void secure_connection_send(struct secure_connection *c, const uint8_t *message, size_t len);

/* Of the context that all of them are made with. */
void secure_connection_prepare(SSL_CTX *ctx);

#endif
