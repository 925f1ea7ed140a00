/* rate.h: a token bucket. */
#ifndef CIJAIL_DNSPROXY_RATE_H
#define CIJAIL_DNSPROXY_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    uint32_t per_second; /* also how many at once after a pause of a second */
    uint64_t last_us;    /* CLOCK_MONOTONIC */
    uint64_t credit;     /* millionths of a token */
};

static inline struct rate rate_init(uint32_t per_second, uint64_t now)
{
    return (struct rate){per_second, now, (uint64_t)per_second * 1000000};
}

/* Takes a token, if there is one at this time (microseconds of CLOCK_MONOTONIC). */
static inline bool rate_take(struct rate *r, uint64_t now)
{
    uint64_t full = (uint64_t)r->per_second * 1000000;
    uint64_t passed = now - r->last_us;
    r->last_us = now;
    if (passed >= 1000000 || r->credit + passed * r->per_second > full)
        r->credit = full;
    else
        r->credit += passed * r->per_second;
    if (r->credit < 1000000)
        return false;
    r->credit -= 1000000;
    return true;
}

#endif
