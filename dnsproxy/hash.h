/* hash.h: of keys that the jail chooses. */
#ifndef CIJAIL_DNSPROXY_HASH_H
#define CIJAIL_DNSPROXY_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* FNV-1a over bytes would be slower than all else of a cache hit: words, mixed as in Murmur3. h: a
 * random seed, which makes collisions of names hard to choose, or the hash of what comes before. It
 * is no keyed hash: of addresses and ports there are some that collide under any seed, so every
 * table that goes by it is bounded, and compares in full. */
static inline uint32_t hash_words(uint32_t h, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (; len > 0; p += 4) {
        uint32_t k = 0;
        size_t n = len < 4 ? len : 4;
        memcpy(&k, p, n);
        k *= 0xcc9e2d51u;
        k = k << 15 | k >> 17;
        h ^= k * 0x1b873593u;
        h = (h << 13 | h >> 19) * 5 + 0xe6546b64u;
        len -= n;
    }
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    return h ^ h >> 13;
}

#endif
