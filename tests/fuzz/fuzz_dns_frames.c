/* fuzz_dns_frames.c: a stream of a DNS server's, cut at will: its first byte says into what pieces.
 * What comes out is what went in, in order, and each piece of room is inside of the buffer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dnsproxy/frames.h"
#include "dnsproxy/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct frames frames;

/* The stream that has been taken in so far; false: it ends here. */
static int take_all(const uint8_t *stream, size_t *at)
{
    const uint8_t *message;
    size_t len;
    int r;

    while ((r = frames_take(&frames, &message, &len)) == 1) {
        if (len < DNS_HEADER_LEN || len > FRAME_MAX || message < frames.data ||
            message + len > frames.data + sizeof(frames.data) ||
            memcmp(stream + *at + FRAME_PREFIX, message, len) != 0)
            abort();
        *at += FRAME_PREFIX + len;
    }
    return r == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t step = size > 0 ? (size_t)data[0] + 1 : 1, at = 0;

    if (size == 0)
        return 0;
    frames.begin = frames.end = 0;
    data++;
    size--;
    for (size_t put = 0; put < size && take_all(data, &at);) {
        size_t room_size, n = size - put < step ? size - put : step;
        uint8_t *room = frames_room(&frames, &room_size);

        if (room_size == 0 || room + room_size != frames.data + sizeof(frames.data))
            abort();
        n = n < room_size ? n : room_size;
        memcpy(room, data + put, n);
        frames_add(&frames, n);
        put += n;
    }
    (void)take_all(data, &at);
    return 0;
}
