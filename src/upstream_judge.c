/* upstream_judge.c: what can be told of an answer without parsing it: its first bytes are the
 * query's own, but for flags and counts. */
#include "src/upstream_judge.h"

enum { RCODE_FORMERR = 1, RCODE_NOTIMP = 4 };

static unsigned get16(const uint8_t *p)
{
    return (unsigned)(p[0] << 8 | p[1]);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Letter case aside: a server may send it back in its own. */
static bool same_question(const uint8_t *query, size_t len, const uint8_t *data)
{
    for (size_t i = UPSTREAM_HEADER; i < UPSTREAM_HEADER + len; i++)
        if (lower(query[i]) != lower(data[i]))
            return false;
    return true;
}

enum upstream_verdict upstream_judge(const uint8_t *query, size_t question_len, bool plain,
                                     const uint8_t *data, size_t len)
{
    unsigned rcode;
    bool echoed;

    if (len < UPSTREAM_HEADER || get16(data) != get16(query) || !(data[2] & 0x80))
        return UPSTREAM_STRANGE;
    rcode = data[3] & 15;
    echoed = len >= UPSTREAM_HEADER + question_len && get16(data + 4) == 1;
    if (echoed ? !same_question(query, question_len, data) : get16(data + 4) != 0 || rcode == 0)
        return UPSTREAM_STRANGE;
    if (!plain && (rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP))
        return UPSTREAM_NO_EDNS;
    return echoed && (rcode == 0 || rcode == RCODE_NXDOMAIN) ? UPSTREAM_ANSWER : UPSTREAM_ERROR;
}
