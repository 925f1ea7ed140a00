/* stream.c: a nonblocking byte stream over a socket, plain or TLS; see stream.h.
 *
 * Readiness is edge-triggered (epoll(7)): one event for both directions, added once and never
 * changed. It sets readable and writable and calls the owner; a read or write that finds nothing to
 * do clears them, so that no system call is made that is known to be in vain. Backpressure needs no
 * event calls at all: who does not read just does not read. The price is a rule: an owner stops
 * only at -EAGAIN, or arranges to be run again.
 *
 * A read that gets less than it asked for has emptied the socket (epoll(7)): who has the whole
 * message that he waited for says so (stream_settle), and saves the read that would find nothing. A
 * FIN that came together with the message is known by EPOLLRDHUP, which takes that back; a RST is
 * not, so in the middle of a message every stream is read to -EAGAIN.
 *
 * TLS runs over a BIO of our own instead of OpenSSL's socket BIO: it knows readable and writable,
 * and it first hands out the bytes that were read as the stream was still plain (the ClientHello
 * that decided so).
 *
 * The tickets at the end of a server's handshake, a record and a call each, are held back by it
 * until something else is written or the owner waits: most often the response is the next, and the
 * client is woken once.
 *
 * OpenSSL's error queue is per thread, and a leftover in it would be blamed on the next stream: it
 * is cleared before each call. */
#include "httpproxy/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "src/util.h"

#define HELD_MAX 8192 /* two tickets are some 600 bytes; with a client's certificate more */

static ssize_t raw_read(struct stream *s, void *data, size_t size)
{
    size_t n = buf_len(&s->prefix);

    if (n > 0) {
        n = n < size ? n : size;
        memcpy(data, buf_begin(&s->prefix), n);
        buf_consume(&s->prefix, n);
        buf_tidy(&s->prefix);
        return (ssize_t)n;
    }
    while (s->readable) {
        ssize_t r = recv(s->fd, data, size, 0);
        if (r >= 0) {
            s->emptied = (size_t)r < size;
            return r;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            s->readable = false;
        else if (errno != EINTR)
            return -errno;
    }
    return -EAGAIN;
}

/* In one call: what was held back, and what follows it. */
static ssize_t send_with_held(const struct stream *s, const void *data, size_t len)
{
    struct iovec parts[] = {{.iov_base = buf_begin(&s->held), .iov_len = buf_len(&s->held)},
                            {.iov_base = (void *)(uintptr_t)data, .iov_len = len}};
    const struct msghdr m = {.msg_iov = parts, .msg_iovlen = ARRAY_LEN(parts)};

    return parts[0].iov_len == 0 ? send(s->fd, data, len, MSG_NOSIGNAL)
                                 : sendmsg(s->fd, &m, MSG_NOSIGNAL);
}

/* How many bytes of data were written, once nothing is held back any more. */
static ssize_t raw_write(struct stream *s, const void *data, size_t len)
{
    while (s->writable) {
        ssize_t r = send_with_held(s, data, len);
        if (r >= 0) {
            size_t held = buf_len(&s->held), n = (size_t)r < held ? (size_t)r : held;
            if (held == 0)
                return r;
            buf_consume(&s->held, n);
            buf_tidy(&s->held);
            if ((size_t)r > held || (n == held && len == 0))
                return r - (ssize_t)held;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            s->writable = false;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return -EAGAIN;
}

/* Session tickets are the last that a handshake says, and nobody waits for them. */
static bool is_ticket(const struct stream *s)
{
    return SSL_get_state(s->ssl) == TLS_ST_SW_SESSION_TICKET;
}

static int bio_read(BIO *bio, char *data, int size)
{
    struct stream *s = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!data || size <= 0)
        return 0;
    ssize_t n = raw_read(s, data, (size_t)size);
    if (n == -EAGAIN)
        BIO_set_retry_read(bio);
    else if (n < 0)
        errno = (int)-n;
    else if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return n < 0 ? -1 : (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct stream *s = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!data || len <= 0)
        return 0;
    if (is_ticket(s) && buf_len(&s->held) + (size_t)len <= HELD_MAX) {
        buf_append(&s->held, data, (size_t)len);
        return len;
    }
    ssize_t n = raw_write(s, data, (size_t)len);
    if (n == -EAGAIN)
        BIO_set_retry_write(bio);
    else if (n < 0)
        errno = (int)-n;
    return n < 0 ? -1 : (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)num;
    (void)ptr;
    switch (cmd) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

BIO_METHOD *stream_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cijail stream");

    if (!m || !BIO_meth_set_read(m, bio_read) || !BIO_meth_set_write(m, bio_write) ||
        !BIO_meth_set_ctrl(m, bio_ctrl)) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;

    (void)fd;
    if (what & EV_READ)
        s->readable = true;
    if (what & EV_WRITE)
        s->writable = true;
    if (what & EV_CLOSED)
        s->closing = true;
    s->ready(s->arg);
}

int stream_open(struct stream *s, struct event_base *base, int fd, stream_ready_cb *ready,
                void *arg)
{
    memset(s, 0, sizeof(*s));
    s->fd = fd;
    s->ready = ready;
    s->arg = arg;
    s->readable = s->writable = true;
    if (event_assign(&s->event, base, fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
                     on_event, s) < 0 ||
        event_add(&s->event, NULL) < 0) {
        (void)close(fd);
        s->fd = -1;
        return -EIO;
    }
    return 0;
}

void stream_open_inner(struct stream *s, const struct stream_ops *ops, void *impl,
                       stream_ready_cb *ready, void *arg)
{
    *s = (struct stream){.fd = -1, .ops = ops, .impl = impl, .ready = ready, .arg = arg};
}

void stream_set_owner(struct stream *s, stream_ready_cb *ready, void *arg)
{
    s->ready = ready;
    s->arg = arg;
}

int stream_start_tls(struct stream *s, BIO_METHOD *method, SSL *ssl, struct buf *prefix)
{
    BIO *bio = BIO_new(method);

    if (!bio) {
        SSL_free(ssl);
        return -ENOMEM;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    s->ssl = ssl;
    if (prefix) {
        s->prefix = *prefix;
        memset(prefix, 0, sizeof(*prefix));
    }
    return 0;
}

/* What a failed call of libssl means. saved: errno right after it. */
static int tls_error(struct stream *s, int ret, int saved)
{
    switch (SSL_get_error(s->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        s->broken = true;
        return saved > 0 ? -saved : -ECONNABORTED;
    default:
        s->broken = true;
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            return -ECONNABORTED;
        return -EPROTO;
    }
}

static void handshake_reason(const struct stream *s, int err, struct error *e)
{
    long verify = SSL_get_verify_result(s->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    if (verify != X509_V_OK)
        (void)error_set(e, -err, "%s", X509_verify_cert_error_string(verify));
    else if (err == -EPROTO && reason)
        (void)error_set(e, -err, "%s", reason);
    else if (err == 0 || err == -ECONNABORTED)
        (void)error_set(e, -err, "the connection was closed");
    else
        (void)error_set(e, -err, "%s", stream_error(err));
}

/* The alerts of clients that do not know the issuer (RFC 8446, 6.2): they differ. */
static bool is_distrust(int reason)
{
    return reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA || reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE ||
           reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN;
}

int stream_handshake(struct stream *s, struct error *e)
{
    ERR_clear_error();
    errno = 0;
    int r = SSL_do_handshake(s->ssl);
    if (r == 1)
        return 0;
    int err = tls_error(s, r, errno);
    if (err != -EAGAIN)
        handshake_reason(s, err, e);
    s->distrusted = err == -EPROTO && is_distrust(ERR_GET_REASON(ERR_peek_error()));
    ERR_clear_error();
    return err == 0 ? -ECONNABORTED : err;
}

ssize_t stream_read(struct stream *s, void *data, size_t size)
{
    if (!s->ssl)
        return s->ops ? s->ops->read(s->impl, data, size) : raw_read(s, data, size);
    if (s->broken)
        return -ECONNABORTED;
    if (!s->readable && buf_len(&s->prefix) == 0 && !SSL_has_pending(s->ssl))
        return -EAGAIN;
    ERR_clear_error();
    errno = 0;
    int r = SSL_read(s->ssl, data, size > 65536 ? 65536 : (int)size);
    if (r > 0)
        return r;
    int err = tls_error(s, r, errno);
    ERR_clear_error();
    return err;
}

ssize_t stream_write(struct stream *s, const void *data, size_t len)
{
    if (!s->ssl)
        return s->ops ? s->ops->write(s->impl, data, len) : raw_write(s, data, len);
    if (s->broken || s->unwritable)
        return -ECONNABORTED;
    if (!s->writable)
        return -EAGAIN;
    ERR_clear_error();
    errno = 0;
    int r = SSL_write(s->ssl, data, len > 65536 ? 65536 : (int)len);
    if (r > 0)
        return r;
    int err = tls_error(s, r, errno);
    ERR_clear_error();
    if (err == -EPIPE || err == -ECONNRESET) {
        s->unwritable = true;
        s->broken = false;
    }
    return err == 0 ? -EPIPE : err;
}

void stream_flush(struct stream *s)
{
    if (buf_len(&s->held) > 0 && !s->broken && !s->unwritable)
        (void)raw_write(s, NULL, 0);
}

void stream_settle(struct stream *s)
{
    if (s->emptied && !s->closing)
        s->readable = false;
}

bool stream_is_quiet(struct stream *s)
{
    char byte;

    s->readable = true;
    return stream_read(s, &byte, 1) == -EAGAIN;
}

ssize_t stream_discard(struct stream *s, size_t max)
{
    UNINITIALIZED char waste[4096];
    size_t size = max < sizeof(waste) ? max : sizeof(waste);

    buf_free(&s->prefix);
    return s->ops ? s->ops->read(s->impl, waste, size) : raw_read(s, waste, size);
}

int stream_close_notify(struct stream *s)
{
    int err = 0;

    if (!s->ssl || s->broken || s->unwritable || s->no_notify || !SSL_is_init_finished(s->ssl))
        return 0;
    ERR_clear_error();
    errno = 0;
    int r = SSL_shutdown(s->ssl); /* 0: sent, and the peer's has not come yet */
    if (r < 0 && SSL_get_error(s->ssl, r) == SSL_ERROR_WANT_WRITE)
        err = -EAGAIN;
    ERR_clear_error();
    return err;
}

void stream_shutdown(struct stream *s)
{
    if (s->ops) {
        (void)s->ops->end(s->impl);
        return;
    }
    (void)stream_close_notify(s);
    (void)shutdown(s->fd, SHUT_WR);
}

int stream_end(struct stream *s)
{
    if (s->ops)
        return s->ops->end(s->impl);
    if (stream_close_notify(s) == -EAGAIN)
        return -EAGAIN;
    (void)shutdown(s->fd, SHUT_WR);
    return 0;
}

int stream_detach(struct stream *s)
{
    int fd = s->fd;

    (void)event_del(&s->event);
    buf_free(&s->prefix);
    s->fd = -1;
    return fd;
}

static void close_inner(struct stream *s, bool reset)
{
    const struct stream_ops *ops = s->ops;

    s->ops = NULL;
    ops->close(s->impl, reset);
}

void stream_close(struct stream *s)
{
    if (s->ops) {
        close_inner(s, false);
        return;
    }
    if (s->fd < 0)
        return;
    (void)event_del(&s->event);
    if (s->ssl &&
        !s->broken) /* else SSL_free takes the session for a bad one, and it cannot be resumed */
        SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN);
    SSL_free(s->ssl);
    s->ssl = NULL;
    buf_free(&s->prefix);
    buf_free(&s->held);
    (void)close(s->fd);
    s->fd = -1;
}

void stream_reset(struct stream *s)
{
    struct linger l = {.l_onoff = 1, .l_linger = 0};

    if (s->ops)
        close_inner(s, true);
    if (s->fd >= 0)
        (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    stream_close(s);
}

const char *stream_error(int err)
{
    switch (err) {
    case 0:
        return "the connection was closed";
    case -ECONNABORTED:
        return "the TLS connection was cut off without close_notify";
    case -EPROTO:
        return "TLS failed";
    case -ECONNREFUSED: /* of a stream of HTTP/2 */
        return "the request was refused (REFUSED_STREAM)";
    case -EPROTONOSUPPORT:
        return "HTTP/1.1 is wanted for the request (HTTP_1_1_REQUIRED)";
    default:
        return strerror(-err);
    }
}
