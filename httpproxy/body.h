/* body.h: a message body on its way through: taken out of the framing in which it came, put into
 * the framing in which it goes (RFC 9112, 6 and 7). No I/O: from one queue into another. */
#ifndef CIJAIL_HTTPPROXY_BODY_H
#define CIJAIL_HTTPPROXY_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "httpproxy/buf.h"
#include "httpproxy/head.h"
#include "src/error.h"

/* Room that the framing of one run of data and the last chunk take. */
#define BODY_OVERHEAD 32

/* What is to be changed in trailers that may be sent on. 0, or a negative errno and the reason. */
typedef int body_trailers_cb(const void *arg, struct buf *trailers, struct error *e);

struct body {
    enum head_body in, out;
    uint64_t left; /* BODY_LENGTH: content still to come */
    struct chunk_reader chunk;
    bool keep_trailers;  /* BODY_CHUNKED: set after body_init: trailers are not dropped */
    struct buf trailers; /* once it is done: what may be sent on, and an empty line */
    body_trailers_cb *change_trailers; /* or NULL; set after body_init */
    const void *change_arg;
    uint64_t bytes; /* content that was moved */
    bool done;      /* the end was moved, too: nothing more comes */
};

/* length counts for in == BODY_LENGTH only. With BODY_NONE, or a length of 0, the body is done at
 * once. out: BODY_CHUNKED or anything else for the bare content. */
void body_init(struct body *b, enum head_body in, uint64_t length, enum head_body out);

void body_free(struct body *b);

/* Moves what there is and what fits into dst's room; dst is not made longer, but may change places
 * with src. Returns 1 if anything was taken or the body became done, 0 if not, -EPROTO with the
 * reason in e if the chunked coding is broken. */
int body_move(struct body *b, struct buf *src, struct buf *dst, struct error *e);

/* The same for a src whose memory is someone else's: the two never change places. */
int body_copy(struct body *b, struct buf *src, struct buf *dst, struct error *e);

/* The sender has closed the connection cleanly, and src is empty: ends a BODY_CLOSE body. false:
 * the body was cut off (or dst has no room for the last chunk, BODY_OVERHEAD bytes). */
bool body_end(struct body *b, struct buf *dst);

#endif
