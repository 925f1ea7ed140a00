/* upstream_tls.c: TLS towards origin servers: verified, resumed.
 *
 * The roots are the caller's own bundle, handed over as PEM text. Parsing it takes some 10 ms, so
 * it is put off until the first https request: a jail that makes none does not pay for it.
 *
 * Resumption is per authority. A session is only ever stored after a handshake that verified the
 * certificate for that authority, and only ever offered to it, so a resumed connection is as good
 * as the first one. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "httpproxy/cache.h"
#include "httpproxy/limits.h"
#include "httpproxy/upstream.h"
#include "src/util.h"

#define KEY_SIZE (URL_HOST_SIZE + 8)

struct upstream_tls {
    char *roots; /* NULL once they are in the context */
    size_t roots_len;
    SSL_CTX *ctx; /* NULL until it is needed */
    struct cache *sessions;
};

static void free_session(void *value)
{
    SSL_SESSION_free(value);
}

struct upstream_tls *upstream_tls_new(char *roots, size_t roots_len)
{
    struct upstream_tls *t = xcalloc(1, sizeof(*t));

    t->roots = roots;
    t->roots_len = roots_len;
    t->sessions = cache_new(LIMIT_TLS_SESSIONS, free_session);
    return t;
}

void upstream_tls_free(struct upstream_tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    cache_free(t->sessions);
    free(t->roots);
    free(t);
}

static void make_key(const struct url_authority *a, char key[KEY_SIZE])
{
    (void)snprintf(key, KEY_SIZE, "%s:%u", a->host, a->port);
}

/* The server has given us a session. Returns 1: the reference is kept. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    const struct upstream *up = SSL_get_app_data(ssl);
    struct upstream_tls *t = upstreams_tls(up->proxy->upstreams);
    char key[KEY_SIZE];

    if (SSL_get_verify_result(ssl) != X509_V_OK)
        return 0;
    make_key(&up->authority, key);
    cache_put(t->sessions, key, session);
    return 1;
}

/* Adds all certificates of the text; those that cannot be read are left out, as every TLS library
 * does. */
static size_t add_roots(X509_STORE *store, const char *pem, size_t len)
{
    BIO *bio = len > 0 && len <= LIMIT_ROOTS ? BIO_new_mem_buf(pem, (int)len) : NULL;
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
    static const unsigned char alpn[] = "\x02h2\x08http/1.1";
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);

    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, LIMIT_READ_AHEAD);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
    if (SSL_CTX_get_security_level(ctx) < 2)
        SSL_CTX_set_security_level(ctx, 2);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
           X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) &&
           SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) == 0;
}

/* The context, at the first need. */
static SSL_CTX *context(struct upstream_tls *t, struct error *e)
{
    if (t->ctx)
        return t->ctx;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx || !configure(ctx)) {
        SSL_CTX_free(ctx);
        ERR_clear_error();
        (void)error_set(e, EIO, "cannot make the TLS client context");
        return NULL;
    }
    if (add_roots(SSL_CTX_get_cert_store(ctx), t->roots ? t->roots : "", t->roots_len) == 0)
        warn_text("there are no root certificates: no https server can be verified");
    free(t->roots);
    t->roots = NULL;
    t->ctx = ctx;
    return ctx;
}

static bool expect_authority(SSL *ssl, const struct url_authority *a)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (a->kind != URL_HOST_NAME)
        return X509_VERIFY_PARAM_set1_ip_asc(param, a->host) == 1;
    return X509_VERIFY_PARAM_set1_host(param, a->host, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, a->host) == 1;
}

int upstream_start_tls(struct upstream *up, struct error *e)
{
    static const unsigned char http1[] = "\x08http/1.1";
    struct upstream_tls *t = upstreams_tls(up->proxy->upstreams);
    SSL_CTX *ctx = context(t, e);
    char key[KEY_SIZE];

    if (!ctx)
        return -EIO;
    SSL *ssl = SSL_new(ctx);
    if (!ssl || !expect_authority(ssl, &up->authority)) {
        SSL_free(ssl);
        ERR_clear_error();
        return error_set(e, EIO, "cannot make a TLS connection to %s", up->authority.host);
    }
    make_key(&up->authority, key);
    SSL_SESSION *session = cache_get(t->sessions, key);
    if (session && SSL_SESSION_is_resumable(session))
        (void)SSL_set_session(ssl, session);
    if (up->http1_only)
        (void)SSL_set_alpn_protos(ssl, http1, sizeof(http1) - 1);
    SSL_set_app_data(ssl, up);
    SSL_set_connect_state(ssl);
    if (stream_start_tls(&up->stream, up->proxy->bio, ssl, NULL) < 0)
        return error_set(e, ENOMEM, "cannot make a TLS connection to %s", up->authority.host);
    return 0;
}

void upstream_tls_failed(struct upstream *up)
{
    char key[KEY_SIZE];

    make_key(&up->authority, key);
    cache_remove(upstreams_tls(up->proxy->upstreams)->sessions, key);
}
