/* mitm.h: TLS towards the client, with a certificate of the jail's CA. */
#ifndef CIJAIL_HTTPPROXY_MITM_H
#define CIJAIL_HTTPPROXY_MITM_H

#include <openssl/ssl.h>

#include "httpproxy/ca.h"
#include "src/error.h"
#include "src/url.h"

struct mitm;

/* Says whom the client wants to talk to, by its SNI (canonical; NULL: it sent none), before a
 * certificate is chosen. The answer lives as long as the handshake. NULL, and the reason in
 * problem: nobody, the handshake ends with unrecognized_name. */
typedef const struct url_authority *mitm_choose_cb(void *arg, const char *sni, char *problem,
                                                   size_t size);

/* What one handshake is about. Lives at least until the handshake is over. */
struct mitm_hello {
    const struct url_authority *authority; /* whom the client wants to talk to; NULL: choose says */
    mitm_choose_cb *choose;                /* NULL: authority is known beforehand */
    void *arg;
    char problem[256]; /* set if the ClientHello was refused: why */
    bool accepted;     /* it was not: authority is the one that the client wants */
};

/* The CA stays the caller's and must live as long. NULL and the reason. */
struct mitm *mitm_new(struct ca *ca, struct error *e);
void mitm_free(struct mitm *m);

/* The server's side of a new TLS connection: TLS 1.2 or 1.3, ALPN h2 or http/1.1, the leaf of
 * hello->authority; a SNI that names another host ends the handshake with unrecognized_name. With
 * hello->choose the authority is what that says. Owned by the caller. NULL and the reason. */
SSL *mitm_accept(struct mitm *m, struct mitm_hello *hello, struct error *e);

/* The handshake is over: has ALPN (of either side) settled on h2? */
bool mitm_chose_h2(const SSL *ssl);

#endif
