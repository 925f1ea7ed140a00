/* tls_client.c: roots, versions, names. */
#include "src/tls_client.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "src/util.h"

static OSSL_PROVIDER *provider;

int tls_client_init(struct error *e)
{
    unsigned char byte;
    struct tm tm;
    time_t now = time(NULL);

    tzset();
    (void)gmtime_r(&now, &tm);
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS |
                             OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                         NULL) != 1 ||
        !(provider = OSSL_PROVIDER_load(NULL, "default")) || RAND_bytes(&byte, 1) != 1)
        return error_set(e, EIO, "libcrypto cannot be initialised");
    return 0;
}

void tls_client_end(void)
{
    if (provider)
        (void)OSSL_PROVIDER_unload(provider);
    provider = NULL;
}

/* Adds all certificates of the text; those that cannot be read are left out, as every TLS library
 * does. */
static size_t add_roots(X509_STORE *store, const char *pem, size_t len)
{
    BIO *bio = len > 0 && len <= TLS_ROOTS_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
    size_t count = 0;

    while (bio) {
        X509 *x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
        if (!x && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
            break;
        if (x && X509_STORE_add_cert(store, x))
            count++;
        X509_free(x);
        ERR_clear_error();
    }
    BIO_free(bio);
    ERR_clear_error();
    return count;
}

static bool configure(SSL_CTX *ctx)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);

    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (SSL_CTX_get_security_level(ctx) < 2)
        SSL_CTX_set_security_level(ctx, 2);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
           X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
}

SSL_CTX *tls_client_new(const char *roots, size_t len, struct error *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx || !configure(ctx)) {
        SSL_CTX_free(ctx);
        ERR_clear_error();
        (void)error_set(e, EIO, "cannot make the TLS client context");
        return NULL;
    }
    if (add_roots(SSL_CTX_get_cert_store(ctx), roots, len) == 0)
        warn_text("there are no root certificates: no server can be verified");
    return ctx;
}

bool tls_client_expect(SSL *ssl, const char *name, const char *address)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (!name || !name[0])
        return X509_VERIFY_PARAM_set1_ip_asc(param, address) == 1;
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}
