/* frames.h: messages behind their lengths (RFC 1035, 4.2.2; RFC 7858, 3.3), out of a stream of
 * bytes. Pure; its bound is that of the length, 65535. */
#ifndef CIJAIL_DNSPROXY_FRAMES_H
#define CIJAIL_DNSPROXY_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_PREFIX 2
#define FRAME_MAX 65535

struct frames {
    size_t begin, end; /* of what has come and is not taken */
    uint8_t data[FRAME_PREFIX + FRAME_MAX];
};

/* Where the next bytes go, and how many at most: at least one, if frames_take has said that nothing
 * is there. What it has returned before is overwritten. */
uint8_t *frames_room(struct frames *f, size_t *size);
void frames_add(struct frames *f, size_t n); /* so many have been put there */

/* The next whole message: 1; 0: it is not there yet; -EPROTO: it is shorter than a DNS header. */
int frames_take(struct frames *f, const uint8_t **message, size_t *len);

#endif
