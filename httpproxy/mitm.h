/* mitm.h: TLS towards the client, with a certificate of the jail's CA. */
#ifndef CIJAIL_HTTPPROXY_MITM_H
#define CIJAIL_HTTPPROXY_MITM_H

#include <openssl/ssl.h>

#include "httpproxy/ca.h"
#include "src/error.h"
#include "src/url.h"

struct mitm;

/* What one handshake is about. Lives at least until the handshake is over. */
struct mitm_hello {
    const struct url_authority *authority; /* whom the client wants to talk to */
    char problem[256];                     /* set if the ClientHello was refused: why */
};

/* The CA stays the caller's and must live as long. NULL and the reason. */
struct mitm *mitm_new(struct ca *ca, struct error *e);
void mitm_free(struct mitm *m);

/* The server's side of a new TLS connection: TLS 1.2 or 1.3, ALPN http/1.1, the leaf of
 * hello->authority; a SNI that names another host ends the handshake with unrecognized_name. Owned
 * by the caller. NULL and the reason. */
SSL *mitm_accept(struct mitm *m, struct mitm_hello *hello, struct error *e);

#endif
