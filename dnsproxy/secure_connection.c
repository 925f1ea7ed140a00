/* secure_connection.c: TLS over a socket that the supervisor has connected.
 *
 * OpenSSL sees no socket: what comes goes through memory into it, and what it has to send out of
 * it, by the bufferevent that has the socket. So no system call is made that serving the jail over
 * TCP does not make (dnsproxy.c).
 *
 * Bounds: what is read in one go and not yet decrypted; a message by its length (frames.c); what
 * is written, by the questions that are under way (secure.c). Time is the owner's business. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <openssl/err.h>
#include <stdbool.h>
#include <string.h>

#include "dnsproxy/frames.h"
#include "dnsproxy/secure.h"
#include "src/tls_client.h"
#include "src/util.h"

#define CHUNK 16384
#define INPUT_MAX (4 * CHUNK)

struct secure_connection {
    struct secure_owner owner;
    struct bufferevent *bev;
    SSL *ssl;
    SSL_SESSION **session;
    bool open;
    struct frames frames;
};

/* The server has given us a session. Returns 1: the reference is kept. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct secure_connection *c = SSL_get_app_data(ssl);

    if (SSL_get_verify_result(ssl) != X509_V_OK)
        return 0;
    SSL_SESSION_free(*c->session);
    *c->session = session;
    return 1;
}

void secure_connection_prepare(SSL_CTX *ctx)
{
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
}

/* What OpenSSL has to send. */
static void flush(struct secure_connection *c)
{
    UNINITIALIZED char chunk[CHUNK];
    int n;

    while ((n = BIO_read(SSL_get_wbio(c->ssl), chunk, sizeof(chunk))) > 0)
        (void)bufferevent_write(c->bev, chunk, (size_t)n);
}

/* Words for what TLS has failed with. */
static const char *why_failed(const struct secure_connection *c)
{
    long verified = SSL_get_verify_result(c->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    if (!c->open && verified != X509_V_OK)
        return X509_verify_cert_error_string(verified);
    return reason ? reason : "TLS has failed";
}

/* The result of an SSL_* call: does the connection go on? If not, the owner has been told. */
static bool goes_on(struct secure_connection *c, int r)
{
    const char *why;

    if (r > 0)
        return true;
    switch (SSL_get_error(c->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return true;
    case SSL_ERROR_ZERO_RETURN:
        why = NULL;
        break;
    default:
        why = why_failed(c);
        break;
    }
    ERR_clear_error();
    c->owner.closed(c->owner.arg, why);
    return false;
}

static bool take_messages(struct secure_connection *c)
{
    const uint8_t *message;
    size_t len;
    int r;

    while ((r = frames_take(&c->frames, &message, &len)) > 0)
        c->owner.message(c->owner.arg, message, len);
    if (r < 0)
        c->owner.closed(c->owner.arg, "a message that is none");
    return r == 0;
}

static bool handshake(struct secure_connection *c)
{
    int r = SSL_do_handshake(c->ssl);

    flush(c);
    if (!goes_on(c, r))
        return false;
    if (r == 1) {
        c->open = true;
        c->owner.open(c->owner.arg);
    }
    return true;
}

/* All that can be done with what has come. False: the connection is gone. */
static bool advance(struct secure_connection *c)
{
    int r;

    ERR_clear_error();
    if (!c->open && !handshake(c))
        return false;
    if (!c->open)
        return true;
    do {
        size_t size;
        uint8_t *room = frames_room(&c->frames, &size);

        r = SSL_read(c->ssl, room, (int)size);
        if (!goes_on(c, r))
            return false;
        if (r > 0)
            frames_add(&c->frames, (size_t)r);
        if (!take_messages(c))
            return false;
    } while (r > 0);
    flush(c);
    return true;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct secure_connection *c = arg;
    UNINITIALIZED char chunk[CHUNK];
    size_t n;

    while ((n = bufferevent_read(bev, chunk, sizeof(chunk))) > 0) {
        if (BIO_write(SSL_get_rbio(c->ssl), chunk, (int)n) != (int)n) {
            c->owner.closed(c->owner.arg, "memory is out");
            return;
        }
        if (!advance(c))
            return;
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct secure_connection *c = arg;

    (void)bev;
    (void)what;
    c->owner.closed(c->owner.arg, c->open ? NULL : "the connection ended in the handshake");
}

static bool start(struct secure_connection *c, struct event_base *base, SSL_CTX *ctx, int fd)
{
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    c->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!c->bev)
        (void)close(fd);
    c->ssl = SSL_new(ctx);
    if (!in || !out || !c->bev || !c->ssl) {
        BIO_free(in);
        BIO_free(out);
        return false;
    }
    SSL_set_bio(c->ssl, in, out);
    return true;
}

struct secure_connection *secure_connection_new(struct event_base *base, SSL_CTX *ctx,
                                                const struct msg_tls_dialed *m, int fd,
                                                SSL_SESSION **session,
                                                const struct secure_owner *owner)
{
    struct secure_connection *c = xcalloc(1, sizeof(*c));

    c->owner = *owner;
    c->session = session;
    if (!start(c, base, ctx, fd) || !tls_client_expect(c->ssl, m->name, m->address)) {
        ERR_clear_error();
        secure_connection_free(c);
        return NULL;
    }
    SSL_set_app_data(c->ssl, c);
    if (*session && SSL_SESSION_is_resumable(*session))
        (void)SSL_set_session(c->ssl, *session);
    SSL_set_connect_state(c->ssl);
    bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, INPUT_MAX);
    (void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    (void)SSL_do_handshake(c->ssl); /* the ClientHello; it waits for the answer */
    ERR_clear_error();
    flush(c);
    return c;
}

void secure_connection_free(struct secure_connection *c)
{
    if (!c)
        return;
    if (c->open) /* what it has left stays good (SSL_free(3)) */
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    if (c->bev)
        bufferevent_free(c->bev);
    free(c);
}

void secure_connection_send(struct secure_connection *c, const uint8_t *message, size_t len)
{
    uint8_t frame[FRAME_PREFIX + SECURE_QUERY_MAX];

    frame[0] = (uint8_t)(len >> 8);
    frame[1] = (uint8_t)len;
    memcpy(frame + FRAME_PREFIX, message, len); /* one record: RFC 7766, 8 */
    if (SSL_write(c->ssl, frame, (int)(FRAME_PREFIX + len)) <= 0)
        ERR_clear_error(); /* it fails with the next read, or is silent */
    flush(c);
}
