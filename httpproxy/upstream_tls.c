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
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "httpproxy/cache.h"
#include "httpproxy/limits.h"
#include "httpproxy/upstream.h"
#include "src/tls_client.h"
#include "src/util.h"

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

/* The server has given us a session. Returns 1: the reference is kept. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    const struct upstream *up = SSL_get_app_data(ssl);
    struct upstream_tls *t = upstreams_tls(up->proxy->upstreams);
    char key[CACHE_AUTHORITY_SIZE];

    if (SSL_get_verify_result(ssl) != X509_V_OK)
        return 0;
    cache_authority(&up->authority, key);
    cache_put(t->sessions, key, session);
    return 1;
}

static bool configure(SSL_CTX *ctx)
{
    static const unsigned char alpn[] = "\x02h2\x08http/1.1";

    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, LIMIT_READ_AHEAD);
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
    /* Servers ask in these ways for a client's certificate on some of their paths, and are content
     * with none. In TLS 1.2 the server's own is verified anew; in TLS 1.3 only who has said that he
     * can be asked is. */
    (void)SSL_CTX_clear_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_post_handshake_auth(ctx, 1);
    return SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) == 0;
}

/* The context, at the first need. */
static SSL_CTX *context(struct upstream_tls *t, struct error *e)
{
    if (t->ctx)
        return t->ctx;
    SSL_CTX *ctx = tls_client_new(t->roots ? t->roots : "", t->roots_len, e);
    if (!ctx)
        return NULL;
    if (!configure(ctx)) {
        SSL_CTX_free(ctx);
        ERR_clear_error();
        (void)error_set(e, EIO, "cannot make the TLS client context");
        return NULL;
    }
    free(t->roots);
    t->roots = NULL;
    t->ctx = ctx;
    return ctx;
}

int upstream_start_tls(struct upstream *up, struct error *e)
{
    static const unsigned char http1[] = "\x08http/1.1";
    struct upstream_tls *t = upstreams_tls(up->proxy->upstreams);
    const char *name = up->authority.kind == URL_HOST_NAME ? up->authority.host : NULL;
    SSL_CTX *ctx = context(t, e);
    char key[CACHE_AUTHORITY_SIZE];

    if (!ctx)
        return -EIO;
    SSL *ssl = SSL_new(ctx);
    if (!ssl || !tls_client_expect(ssl, name, up->authority.host)) {
        SSL_free(ssl);
        ERR_clear_error();
        return error_set(e, EIO, "cannot make a TLS connection to %s", up->authority.host);
    }
    cache_authority(&up->authority, key);
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
    char key[CACHE_AUTHORITY_SIZE];

    cache_authority(&up->authority, key);
    cache_remove(upstreams_tls(up->proxy->upstreams)->sessions, key);
}
