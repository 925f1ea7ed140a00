/* stream.h: a nonblocking byte stream over a connected socket, plain or TLS, with one interface.
 *
 * The owner is told that something may be possible again (the ready callback) and then tries all
 * that it wants to do until each read or write says -EAGAIN. Errors of read and write: -EAGAIN,
 * -ECONNRESET and its like from the socket, -ECONNABORTED if TLS ended without close_notify (RFC
 * 8446, 6.1: what came may be cut off), -EPROTO if TLS failed. */
#ifndef CIJAIL_HTTPPROXY_STREAM_H
#define CIJAIL_HTTPPROXY_STREAM_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

#include "httpproxy/buf.h"
#include "src/error.h"

/* Something may be possible again. The owner may free the stream in it. */
typedef void stream_ready_cb(void *arg);

/* What stands in for a socket: a stream inside of another connection (h2_stream.c). Each as the
 * function of that name below; close is the last call. */
struct stream_ops {
    ssize_t (*read)(void *impl, void *data, size_t size);
    ssize_t (*write)(void *impl, const void *data, size_t len);
    int (*end)(void *impl);
    void (*close)(void *impl, bool reset);
};

struct stream {
    int fd;                       /* -1: none */
    const struct stream_ops *ops; /* NULL: a socket's */
    void *impl;
    SSL *ssl; /* NULL: plain */
    struct event event;
    stream_ready_cb *ready;
    void *arg;
    struct buf prefix; /* TLS bytes that were read before the stream became TLS */
    struct buf held;   /* TLS bytes that are written with the next ones */
    bool readable;     /* as far as known: no -EAGAIN since the last event */
    bool writable;
    bool emptied;    /* the last read got less than it asked for */
    bool closing;    /* the peer's FIN has come (EPOLLRDHUP) */
    bool broken;     /* TLS failed: no close_notify may be sent */
    bool unwritable; /* the peer takes no more; what it has said may still be there to be read */
    bool no_notify;  /* it ends without close_notify: whether that is the end is not known */
    bool distrusted; /* the peer's alert said that it does not accept our certificate */
    /* HTTP/2: the peer has reset it; or it is to be reset, as what it is for was. */
    bool was_reset;
    uint32_t reset_code; /* RFC 9113, 7 */
};

/* The BIO method that TLS streams need; one per process. NULL if memory is out. */
BIO_METHOD *stream_bio_method(void);

/* Takes over fd (nonblocking). -ENOMEM or -EIO if it cannot be watched: fd is then closed. */
int stream_open(struct stream *s, struct event_base *base, int fd, stream_ready_cb *ready,
                void *arg);
void stream_set_owner(struct stream *s, stream_ready_cb *ready, void *arg);

/* A stream that is no socket's. Whoever runs impl calls ready. */
void stream_open_inner(struct stream *s, const struct stream_ops *ops, void *impl,
                       stream_ready_cb *ready, void *arg);

/* From now on TLS. Takes over ssl (set to accept or connect) and the bytes in prefix. -ENOMEM: ssl
 * is freed. */
int stream_start_tls(struct stream *s, BIO_METHOD *method, SSL *ssl, struct buf *prefix);

/* 0 when the handshake is done, -EAGAIN, or a failure with the reason in e. */
int stream_handshake(struct stream *s, struct error *e);

/* > 0 bytes, 0 at the end (of TLS: close_notify came), or a negative errno. */
ssize_t stream_read(struct stream *s, void *data, size_t size);

/* > 0 bytes, or a negative errno. After -EAGAIN the next call must begin with the same bytes. */
ssize_t stream_write(struct stream *s, const void *data, size_t len);

/* Writes what was held back, as far as that is possible now. */
void stream_flush(struct stream *s);

/* What was waited for has come, whole: if that emptied the socket, it is not read again before the
 * next event, and stream_read says -EAGAIN without a system call. An end that came along is not
 * missed; an error that did is met by the next write, or by stream_is_quiet. */
void stream_settle(struct stream *s);

/* Looks whether an idle stream is still good: no byte and no end has come. */
bool stream_is_quiet(struct stream *s);

/* Throws away what has come on the socket, undecrypted, at most max bytes. > 0, 0 at the end,
 * negative errno. */
ssize_t stream_discard(struct stream *s, size_t max);

/* Of TLS: close_notify, which is the last that may be written. 0, or -EAGAIN: it could not be
 * written now. */
int stream_close_notify(struct stream *s);

/* Nothing more is written: close_notify, then FIN. What the peer sends can still be discarded. */
void stream_shutdown(struct stream *s);

/* The same in the middle of a connection: stream_read goes on working. -EAGAIN: close_notify could
 * not be written yet, and is to be tried again; else 0. */
int stream_end(struct stream *s);

/* Gives up a plain stream: its descriptor, which is the caller's from here on. */
int stream_detach(struct stream *s);

/* Closes at once; without close_notify. Nothing is done if s was closed already. */
void stream_close(struct stream *s);

/* As stream_close, and the peer sees a reset instead of an end. */
void stream_reset(struct stream *s);

/* Words for a negative errno of read or write. */
const char *stream_error(int err);

#endif
