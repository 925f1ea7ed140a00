/* frames.c: one buffer, which holds the longest message there can be. */
#include "dnsproxy/frames.h"

#include <errno.h>
#include <string.h>

#include "dnsproxy/query.h"

uint8_t *frames_room(struct frames *f, size_t *size)
{
    if (f->begin > 0) {
        memmove(f->data, f->data + f->begin, f->end - f->begin);
        f->end -= f->begin;
        f->begin = 0;
    }
    *size = sizeof(f->data) - f->end;
    return f->data + f->end;
}

void frames_add(struct frames *f, size_t n)
{
    f->end += n;
}

int frames_take(struct frames *f, const uint8_t **message, size_t *len)
{
    const uint8_t *p = f->data + f->begin;
    size_t have = f->end - f->begin;

    if (have < FRAME_PREFIX)
        return 0;
    *len = (size_t)(p[0] << 8 | p[1]);
    if (*len < DNS_HEADER_LEN)
        return -EPROTO;
    if (have - FRAME_PREFIX < *len)
        return 0;
    *message = p + FRAME_PREFIX;
    f->begin += FRAME_PREFIX + *len;
    return 1;
}
