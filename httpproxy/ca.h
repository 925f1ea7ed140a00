/* ca.h: the certificate authority of one jail, and the leaf certificates that it signs (RFC 5280).
 *
 * Made fresh for each jail, ECDSA P-256; its key and the leaves' exist in this process's memory
 * alone. */
#ifndef CIJAIL_HTTPPROXY_CA_H
#define CIJAIL_HTTPPROXY_CA_H

#include <openssl/x509.h>
#include <stddef.h>

#include "src/error.h"
#include "src/url.h"

struct ca;

/* A new authority: valid from a day ago for 30 days from now, for leaves only (pathlen 0). NULL and
 * the reason. */
struct ca *ca_new(struct error *e);
void ca_free(struct ca *c);

/* Its certificate as PEM text, NUL-terminated; stays the CA's. */
const char *ca_pem(const struct ca *c, size_t *len);
X509 *ca_certificate(const struct ca *c);

/* The key of every leaf; stays the CA's. */
EVP_PKEY *ca_leaf_key(const struct ca *c);

/* The leaf certificate for a host (the port does not count), out of the cache or made now: SAN
 * dNSName or iPAddress, EKU serverAuth. Stays the CA's and is good until the next call:
 * SSL_use_certificate takes a reference of its own. NULL and the reason. */
X509 *ca_leaf(struct ca *c, const struct url_authority *host, struct error *e);

/* Leaves in the cache. */
size_t ca_cached(const struct ca *c);

#endif
