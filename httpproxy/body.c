/* body.c: a message body from one framing into another; see body.h.
 *
 * Chunks are not kept: each run of data that is at hand becomes one chunk. Extensions are dropped
 * by chunk_read, trailers here unless they are wanted. An input chunk is never shorter on the wire
 * than the output chunk made of its data, so nothing is amplified. */
#include "httpproxy/body.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void put_last_chunk(struct body *b, struct buf *dst)
{
    if (b->out == BODY_CHUNKED) {
        buf_append(dst, "0\r\n", 3);
        if (buf_len(&b->trailers) > 0)
            buf_append(dst, buf_begin(&b->trailers), buf_len(&b->trailers));
        else
            buf_append(dst, "\r\n", 2);
    }
    b->done = true;
}

void body_free(struct body *b)
{
    buf_free(&b->trailers);
}

/* With the ends that lines should have they are at most twice as long. */
static int mend_trailers(struct buf *trailers, struct error *e)
{
    struct buf mended = {0};
    size_t size = 2 * buf_len(trailers);

    buf_reserve(&mended, size);
    int n = head_mend(buf_begin(trailers), buf_len(trailers), false, buf_tail(&mended), size, e);
    if (n <= 0) {
        buf_free(&mended);
        return n;
    }
    buf_added(&mended, (size_t)n);
    buf_free(trailers);
    *trailers = mended;
    return 0;
}

static int settle_trailers(struct body *b, struct error *e)
{
    int n = b->chunk.odd ? mend_trailers(&b->trailers, e) : 0;

    if (n == 0)
        n = head_filter_trailers(buf_begin(&b->trailers), buf_len(&b->trailers), e);
    if (n < 0)
        return n;
    b->trailers.end = b->trailers.start + (size_t)n;
    return b->change_trailers ? b->change_trailers(b->change_arg, &b->trailers, e) : 0;
}

/* What chunk_read has read of the trailers, whose length it bounds. */
static int take_trailers(struct body *b, bool end, struct error *e)
{
    if (!b->keep_trailers || b->chunk.trailer_len == 0)
        return 0;
    buf_append(&b->trailers, b->chunk.trailer, b->chunk.trailer_len);
    return end ? settle_trailers(b, e) : 0;
}

void body_init(struct body *b, enum head_body in, uint64_t length, enum head_body out)
{
    memset(b, 0, sizeof(*b));
    b->in = in;
    b->out = out;
    b->left = in == BODY_LENGTH ? length : 0;
    b->done = in == BODY_NONE || (in == BODY_LENGTH && length == 0);
    chunk_init(&b->chunk);
}

static void put_data(struct body *b, const char *data, size_t len, struct buf *dst)
{
    if (len == 0)
        return;
    if (b->out == BODY_CHUNKED) {
        char line[24];
        int n = snprintf(line, sizeof(line), "%zx\r\n", len);
        buf_append(dst, line, (size_t)n);
    }
    buf_append(dst, data, len);
    if (b->out == BODY_CHUNKED)
        buf_append(dst, "\r\n", 2);
    b->bytes += len;
}

/* One step: at most max bytes of src. Returns how many were taken, or -EPROTO. */
static long move_some(struct body *b, struct buf *src, size_t max, struct buf *dst, struct error *e)
{
    const char *data = buf_begin(src);
    size_t len = max;

    if (b->in == BODY_CHUNKED) {
        bool end = false;
        size_t run = 0;
        long n = chunk_read(&b->chunk, data, max, &data, &run, &end, e);
        if (n < 0)
            return n;
        put_data(b, data, run, dst);
        if (take_trailers(b, end, e) < 0)
            return -EPROTO;
        buf_consume(src, (size_t)n);
        if (end)
            put_last_chunk(b, dst);
        return n;
    }
    if (b->in == BODY_LENGTH && len > b->left)
        len = (size_t)b->left;
    put_data(b, data, len, dst);
    buf_consume(src, len);
    if (b->in == BODY_LENGTH) {
        b->left -= len;
        if (b->left == 0)
            put_last_chunk(b, dst);
    }
    return (long)len;
}

/* Bare content, and nothing waits in front of it: the queues change places, and no byte is copied.
 * (A dst that is empty but was read from may hold what is to be sent again: buf_consume_keep.) */
static bool exchange_queues(struct body *b, struct buf *src, struct buf *dst)
{
    size_t len = buf_len(src);
    struct buf all = *src;

    if (b->in == BODY_CHUNKED || b->out == BODY_CHUNKED || dst->end > 0 ||
        (b->in == BODY_LENGTH && len > b->left))
        return false;
    *src = *dst;
    *dst = all;
    b->bytes += len;
    if (b->in == BODY_LENGTH) {
        b->left -= len;
        b->done = b->left == 0;
    }
    return true;
}

int body_copy(struct body *b, struct buf *src, struct buf *dst, struct error *e)
{
    size_t overhead = b->out == BODY_CHUNKED ? BODY_OVERHEAD : 0;
    int moved = 0;

    while (!b->done && buf_len(src) > 0) {
        size_t room = buf_room(dst);
        size_t max = buf_len(src);
        if (room <= overhead)
            break;
        if (max > room - overhead)
            max = room - overhead;
        long n = move_some(b, src, max, dst, e);
        if (n < 0)
            return -EPROTO;
        if (n == 0 && !b->done)
            break;
        moved = 1;
    }
    return moved;
}

int body_move(struct body *b, struct buf *src, struct buf *dst, struct error *e)
{
    if (!b->done && buf_len(src) > 0 && exchange_queues(b, src, dst))
        return 1;
    return body_copy(b, src, dst, e);
}

bool body_end(struct body *b, struct buf *dst)
{
    if (b->in != BODY_CLOSE || buf_room(dst) < BODY_OVERHEAD)
        return false;
    put_last_chunk(b, dst);
    return true;
}
