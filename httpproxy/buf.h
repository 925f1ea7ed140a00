/* buf.h: a byte queue in one piece of memory.
 *
 * Bytes are added at end and taken at start. Memory is there only while it is used: buf_tidy gives
 * it back when the queue is empty. No function moves the bytes but buf_reserve. */
#ifndef CIJAIL_HTTPPROXY_BUF_H
#define CIJAIL_HTTPPROXY_BUF_H

#include <stddef.h>

struct buf {
    char *data;
    size_t start, end, size;
};

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

/* Bytes that can be added without a move. */
static inline size_t buf_room(const struct buf *b)
{
    return b->size - b->end;
}

/* NULL while nothing was ever reserved. */
static inline char *buf_begin(const struct buf *b)
{
    return b->data ? b->data + b->start : NULL;
}

static inline char *buf_tail(const struct buf *b)
{
    return b->data ? b->data + b->end : NULL;
}

/* Makes room for n more bytes: moves what is there to the front, or allocates exactly what is
 * missing. Ends the process if memory is out. */
void buf_reserve(struct buf *b, size_t n);

/* Adds n bytes, reserving room if need be. */
void buf_append(struct buf *b, const void *data, size_t n);

/* n bytes were written behind the end (at most buf_room). */
void buf_added(struct buf *b, size_t n);

/* Takes n bytes (at most buf_len) from the start. An empty queue begins at the front again. */
void buf_consume(struct buf *b, size_t n);

/* As buf_consume, but what was taken stays in place, for buf_rewind. */
void buf_consume_keep(struct buf *b, size_t n);

/* Puts back all that buf_consume_keep took. */
void buf_rewind(struct buf *b);

/* Frees the memory if the queue is empty; buf_free does so in any case. */
void buf_tidy(struct buf *b);
void buf_free(struct buf *b);

#endif
