/* tls_client.h: what proxies have in common as clients of TLS servers. The supervisor does not use
 * it, nor OpenSSL. */
#ifndef CIJAIL_TLS_CLIENT_H
#define CIJAIL_TLS_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/error.h"

#define TLS_ROOTS_MAX (16u << 20) /* bytes of PEM that servers are verified with */

/* libssl and libcrypto without their configuration file, and all that they and the C library load
 * at the first use: before a process locks itself down. 0 or -EIO. */
int tls_client_init(struct error *e);

/* What that holds, after all contexts and connections. Without it: nothing. */
void tls_client_end(void);

/* TLS 1.2 at least, security level 2 at least; servers are verified with those roots; sessions are
 * the caller's to keep (SSL_CTX_sess_set_new_cb). NULL and the reason. */
SSL_CTX *tls_client_new(const char *roots, size_t len, struct error *e);

/* The certificate must be for that name (canonical), which is also the SNI; or, if it is "" or
 * NULL, for that address, as text. RFC 6125, RFC 9525. */
bool tls_client_expect(SSL *ssl, const char *name, const char *address);

#endif
