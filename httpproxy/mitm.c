/* mitm.c: TLS towards the client; see mitm.h.
 *
 * Whom the client talks to was said by CONNECT before the first byte of TLS; the leaf is made for
 * that host. The SNI (RFC 6066, 3) may say the same or nothing. Without CONNECT the SNI alone says
 * it, and the leaf is made then. It is read from the ClientHello itself, before anything else of
 * the handshake and whether or not a session is resumed, since what OpenSSL reports as the server
 * name of a resumed session is the session's.
 *
 * Sessions are resumed by tickets only (no cache in memory), and their context is the host: a
 * ticket for one host is nothing at another. */
#include "httpproxy/mitm.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/util.h"

#define ENCRYPTED_CLIENT_HELLO 0xfe0d /* the extension */

struct mitm {
    SSL_CTX *ctx;
    struct ca *ca;
};

/* The host_name of a server_name extension (RFC 6066, 3): list length, type 0, length, name. */
static bool parse_server_name(const unsigned char *p, size_t len, const char **name,
                              size_t *name_len)
{
    if (len < 5 || ((size_t)p[0] << 8 | p[1]) != len - 2 || p[2] != TLSEXT_NAMETYPE_host_name)
        return false;
    *name_len = (size_t)p[3] << 8 | p[4];
    *name = (const char *)p + 5;
    return *name_len > 0 && *name_len == len - 5;
}

static bool names_authority(const char *name, size_t len, const struct url_authority *a)
{
    char canonical[NAME_SIZE];

    if (a->kind != URL_HOST_NAME) /* against the RFC, but some clients send the address */
        return len == strlen(a->host) && memcmp(name, a->host, len) == 0;
    return name_canon(name, len, canonical, NULL) == 0 && strcmp(canonical, a->host) == 0;
}

/* The leaf and the sessions of that host. 0, or -EIO and the reason. */
static int present(struct mitm *m, SSL *ssl, const struct url_authority *a, struct error *e)
{
    unsigned char id[SHA256_DIGEST_LENGTH];
    X509 *leaf = ca_leaf(m->ca, a, e);

    if (!leaf)
        return -EIO;
    (void)SHA256((const unsigned char *)a->host, strlen(a->host), id);
    if (!SSL_use_certificate(ssl, leaf) || !SSL_use_PrivateKey(ssl, ca_leaf_key(m->ca)) ||
        !SSL_set_session_id_context(ssl, id, sizeof(id))) {
        ERR_clear_error();
        return error_set(e, EIO, "cannot make a TLS connection");
    }
    return 0;
}

static int refuse(struct mitm_hello *hello, int *alert, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int refuse(struct mitm_hello *hello, int *alert, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(hello->problem, sizeof(hello->problem), fmt, ap);
    va_end(ap);
    *alert = code;
    return SSL_CLIENT_HELLO_ERROR;
}

/* Words for a ClientHello that is only the outer one of two (ECH): its SNI hides another. */
static const char *hides(SSL *ssl)
{
    const unsigned char *ext;
    size_t len;

    return SSL_client_hello_get0_ext(ssl, ENCRYPTED_CLIENT_HELLO, &ext, &len) == 1
               ? " (and ECH hides the name that the client wants)"
               : "";
}

/* Nobody has said yet whom the client wants: name, if it is not NULL, does. */
static int choose(struct mitm *m, SSL *ssl, struct mitm_hello *hello, const char *name, size_t len,
                  int *alert)
{
    char canonical[NAME_SIZE];
    char problem[160] = "";
    char shown[100] = "";
    struct error e;

    hello->authority = NULL;
    if (name && name_canon(name, len, canonical, NULL) < 0) {
        (void)escape_text(shown, sizeof(shown), name, len);
        return refuse(hello, alert, SSL_AD_UNRECOGNIZED_NAME, "SNI %s is no host name%s", shown,
                      hides(ssl));
    }
    hello->authority = hello->choose(hello->arg, name ? canonical : NULL, problem, sizeof(problem));
    if (!hello->authority)
        return refuse(hello, alert, SSL_AD_UNRECOGNIZED_NAME, "%s%s", problem, hides(ssl));
    if (present(m, ssl, hello->authority, &e) < 0)
        return refuse(hello, alert, SSL_AD_INTERNAL_ERROR, "%.200s", e.text);
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int judge(struct mitm *m, SSL *ssl, struct mitm_hello *hello, int *alert)
{
    const unsigned char *ext;
    const char *name = NULL;
    size_t len = 0;
    char shown[100];

    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &ext, &len))
        return hello->choose ? choose(m, ssl, hello, NULL, 0, alert) : SSL_CLIENT_HELLO_SUCCESS;
    if (!parse_server_name(ext, len, &name, &len))
        return refuse(hello, alert, SSL_AD_DECODE_ERROR, "the SNI is malformed");
    if (hello->choose)
        return choose(m, ssl, hello, name, len, alert);
    if (names_authority(name, len, hello->authority))
        return SSL_CLIENT_HELLO_SUCCESS;
    (void)escape_text(shown, sizeof(shown), name, len);
    return refuse(hello, alert, SSL_AD_UNRECOGNIZED_NAME, "SNI %s differs from CONNECT %.100s",
                  shown, hello->authority->host);
}

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct mitm_hello *hello = SSL_get_app_data(ssl);

    if (!hello) /* the handshake is over: there is no second one */
        return SSL_CLIENT_HELLO_ERROR;
    int r = judge(arg, ssl, hello, alert);
    hello->accepted = r == SSL_CLIENT_HELLO_SUCCESS;
    return r;
}

/* h2 before http/1.1, whatever the server speaks: each request is translated. No protocol at all if
 * the client offers only others (RFC 7301 would allow an alert, which clients fall back from less
 * often). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* SSL_client_hello_get0_ext sees only extensions that the library knows or was told of. */
static bool know_ech(SSL_CTX *ctx)
{
    return SSL_extension_supported(ENCRYPTED_CLIENT_HELLO) ||
           SSL_CTX_add_custom_ext(ctx, ENCRYPTED_CLIENT_HELLO, SSL_EXT_CLIENT_HELLO, NULL, NULL,
                                  NULL, NULL, NULL);
}

struct mitm *mitm_new(struct ca *ca, struct error *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) || !know_ech(ctx)) {
        SSL_CTX_free(ctx);
        ERR_clear_error();
        (void)error_set(e, EIO, "cannot make the TLS server context");
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    /* Clients open connections side by side, each of which brings a ticket of its own. */
    (void)SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    struct mitm *m = xcalloc(1, sizeof(*m));
    m->ctx = ctx;
    m->ca = ca;
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, m);
    return m;
}

void mitm_free(struct mitm *m)
{
    if (!m)
        return;
    SSL_CTX_free(m->ctx);
    free(m);
}

SSL *mitm_accept(struct mitm *m, struct mitm_hello *hello, struct error *e)
{
    SSL *ssl = SSL_new(m->ctx);

    if (!ssl) {
        ERR_clear_error();
        (void)error_set(e, EIO, "cannot make a TLS connection");
        return NULL;
    }
    if (!hello->choose && present(m, ssl, hello->authority, e) < 0) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_app_data(ssl, hello);
    SSL_set_accept_state(ssl);
    return ssl;
}

bool mitm_chose_h2(const SSL *ssl)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}
