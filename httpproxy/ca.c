/* ca.c: the certificate authority of one jail; see ca.h.
 *
 * One key signs, a second one is the key of all leaves: who connects through the jail proxy talks
 * to this process whatever the host, so a key per host would protect nothing. A leaf takes one
 * ECDSA signature (some 30 us) and is then kept in a bounded cache, since a policy with a wildcard
 * has any number of hosts.
 *
 * Leaves end a day before the authority does; both begin a day early, for clients in jails whose
 * clock is behind. */
#include "httpproxy/ca.h"

#include <errno.h>
#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "httpproxy/cache.h"
#include "httpproxy/limits.h"
#include "src/util.h"

#define DAY 86400
#define SERIAL_BITS 128
#define COMMON_NAME_MAX 64 /* RFC 5280, A.1: ub-common-name */

struct ca {
    EVP_PKEY *key, *leaf_key;
    X509 *certificate;
    char *pem;
    size_t pem_len;
    time_t born;
    struct cache *leaves;
};

static void free_leaf(void *value)
{
    X509_free(value);
}

static int tls_failure(struct error *e, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return error_set(e, EIO, "cannot %s: %s", what, reason ? reason : "libcrypto failed");
}

/* Version 3, a random serial number, the validity and the public key. */
static bool set_basics(X509 *x, time_t from, time_t to, EVP_PKEY *key)
{
    BIGNUM *serial = BN_new();
    bool ok = serial && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) &&
              X509_set_version(x, X509_VERSION_3) && ASN1_TIME_set(X509_getm_notBefore(x), from) &&
              ASN1_TIME_set(X509_getm_notAfter(x), to) && X509_set_pubkey(x, key);

    BN_free(serial);
    return ok;
}

/* An extension in the notation of x509v3_config(5); values are constants of this file. */
static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(x, ext, -1);
    X509_EXTENSION_free(ext);
    return ok;
}

static bool set_common_name(X509_NAME *name, const char *text)
{
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                                      (const unsigned char *)text, -1, -1, 0) == 1;
}

static X509 *make_certificate(const struct ca *c)
{
    X509 *x = X509_new();

    if (x && set_basics(x, c->born - DAY, c->born + 30 * DAY, c->key) &&
        set_common_name(X509_get_subject_name(x), "cijail CA (this jail only)") &&
        X509_set_issuer_name(x, X509_get_subject_name(x)) &&
        add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(x, x, NID_subject_key_identifier, "hash") &&
        X509_sign(x, c->key, EVP_sha256()))
        return x;
    X509_free(x);
    return NULL;
}

static char *to_pem(X509 *x, size_t *len)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    char *pem = NULL;

    if (bio && PEM_write_bio_X509(bio, x)) {
        *len = (size_t)BIO_get_mem_data(bio, &data);
        pem = xstrndup(data, *len);
    }
    BIO_free(bio);
    return pem;
}

struct ca *ca_new(struct error *e)
{
    struct ca *c = xcalloc(1, sizeof(*c));

    c->leaves = cache_new(LIMIT_LEAVES, free_leaf);
    c->born = time(NULL);
    c->key = EVP_EC_gen("P-256");
    c->leaf_key = EVP_EC_gen("P-256");
    if (c->key && c->leaf_key)
        c->certificate = make_certificate(c);
    if (c->certificate)
        c->pem = to_pem(c->certificate, &c->pem_len);
    if (!c->pem) {
        (void)tls_failure(e, "make the jail's certificate authority");
        ca_free(c);
        return NULL;
    }
    return c;
}

void ca_free(struct ca *c)
{
    if (!c)
        return;
    cache_free(c->leaves);
    X509_free(c->certificate);
    EVP_PKEY_free(c->key);
    EVP_PKEY_free(c->leaf_key);
    free(c->pem);
    free(c);
}

const char *ca_pem(const struct ca *c, size_t *len)
{
    *len = c->pem_len;
    return c->pem;
}

X509 *ca_certificate(const struct ca *c)
{
    return c->certificate;
}

EVP_PKEY *ca_leaf_key(const struct ca *c)
{
    return c->leaf_key;
}

size_t ca_cached(const struct ca *c)
{
    return cache_count(c->leaves);
}

static GENERAL_NAME *general_name(const struct url_authority *host)
{
    if (host->kind != URL_HOST_NAME)
        return a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_IPADD, host->host, 0);
    return a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_DNS, host->host, 0);
}

/* RFC 5280, 4.2.1.6: critical if the subject is empty. */
static bool add_alternative_name(X509 *x, const struct url_authority *host, bool critical)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = general_name(host);

    if (!names || !name || !sk_GENERAL_NAME_push(names, name)) {
        GENERAL_NAME_free(name);
        GENERAL_NAMES_free(names);
        return false;
    }
    bool ok = X509_add1_ext_i2d(x, NID_subject_alt_name, names, critical, X509V3_ADD_APPEND) == 1;
    GENERAL_NAMES_free(names);
    return ok;
}

static X509 *make_leaf(const struct ca *c, const struct url_authority *host)
{
    X509 *x = X509_new();
    bool named = strlen(host->host) <= COMMON_NAME_MAX;

    if (x && set_basics(x, c->born - DAY, c->born + 29 * DAY, c->leaf_key) &&
        (!named || set_common_name(X509_get_subject_name(x), host->host)) &&
        X509_set_issuer_name(x, X509_get_subject_name(c->certificate)) &&
        add_extension(x, c->certificate, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(x, c->certificate, NID_key_usage, "critical,digitalSignature") &&
        add_extension(x, c->certificate, NID_ext_key_usage, "serverAuth") &&
        add_extension(x, c->certificate, NID_subject_key_identifier, "hash") &&
        add_extension(x, c->certificate, NID_authority_key_identifier, "keyid") &&
        add_alternative_name(x, host, !named) && X509_sign(x, c->key, EVP_sha256()))
        return x;
    X509_free(x);
    return NULL;
}

X509 *ca_leaf(struct ca *c, const struct url_authority *host, struct error *e)
{
    X509 *x = cache_get(c->leaves, host->host);

    if (x)
        return x;
    x = make_leaf(c, host);
    if (!x) {
        (void)tls_failure(e, "make a certificate for the host");
        return NULL;
    }
    cache_put(c->leaves, host->host, x);
    return x;
}
