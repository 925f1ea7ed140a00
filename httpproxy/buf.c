/* buf.c: a byte queue in one piece of memory; see buf.h. Bounds are the callers': none of these
 * decides how much a connection may hold, so each caller reserves a constant or the length of a
 * head. */
#include "httpproxy/buf.h"

#include <assert.h>
#include <string.h>

#include "src/util.h"

void buf_reserve(struct buf *b, size_t n)
{
    size_t len = buf_len(b);

    if (buf_room(b) >= n)
        return;
    if (b->start > 0) {
        memmove(b->data, b->data + b->start, len);
        b->start = 0;
        b->end = len;
    }
    if (buf_room(b) >= n)
        return;
    b->data = xrealloc(b->data, len + n);
    b->size = len + n;
}

void buf_append(struct buf *b, const void *data, size_t n)
{
    if (n == 0)
        return;
    buf_reserve(b, n);
    memcpy(b->data + b->end, data, n);
    b->end += n;
}

void buf_added(struct buf *b, size_t n)
{
    assert(n <= buf_room(b));
    b->end += n;
}

void buf_consume(struct buf *b, size_t n)
{
    buf_consume_keep(b, n);
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_consume_keep(struct buf *b, size_t n)
{
    assert(n <= buf_len(b));
    b->start += n;
}

void buf_rewind(struct buf *b)
{
    b->start = 0;
}

void buf_tidy(struct buf *b)
{
    if (b->start == b->end)
        buf_free(b);
}

void buf_free(struct buf *b)
{
    free(b->data);
    memset(b, 0, sizeof(*b));
}
