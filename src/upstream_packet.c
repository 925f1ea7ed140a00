/* upstream_packet.c: queries as bytes, and what can be told of an answer without parsing it: its
 * first bytes are the query's own, but for flags and counts. */
#include <netinet/in.h>
#include <string.h>

#include "src/upstream_parts.h"

#define EDNS_UDP_SIZE 1232 /* as agreed on DNS flag day 2020 */
#define OPT_LEN 11
#define HOSTS_TTL 10 /* seconds: the file may change */

enum { RCODE_FORMERR = 1, RCODE_NOTIMP = 4 };

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)(p[0] << 8 | p[1]);
}

void upstream_packet_build(struct upstream_query *q, const char *name)
{
    uint8_t *start = q->packet + 2, *p = start;

    memset(p, 0, UPSTREAM_HEADER);
    put16(p + 2, 0x0100); /* RD */
    put16(p + 4, 1);
    put16(p + 10, 1); /* the OPT record */
    p += UPSTREAM_HEADER;
    for (const char *label = name; *label;) {
        size_t n = strcspn(label, ".");
        *p++ = (uint8_t)n;
        memcpy(p, label, n);
        p += n;
        label += n + (label[n] == '.');
    }
    *p++ = 0;
    put16(p, q->qtype);
    put16(p + 2, 1); /* IN */
    p += 4;
    q->question_len = (size_t)(p - start) - UPSTREAM_HEADER;
    *p++ = 0;
    put16(p, 41); /* OPT */
    put16(p + 2, EDNS_UDP_SIZE);
    memset(p + 4, 0, 6); /* extended rcode, version, flags, no options */
    p += 10;
    q->packet_len = (size_t)(p - start);
    put16(q->packet, (unsigned)q->packet_len);
}

void upstream_packet_set_id(struct upstream_query *q, uint16_t id)
{
    q->dns_id = id;
    put16(q->packet + 2, id);
}

void upstream_packet_make_plain(struct upstream_query *q)
{
    q->plain = true;
    q->packet_len -= OPT_LEN;
    put16(q->packet, (unsigned)q->packet_len);
    put16(q->packet + 2 + 10, 0);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Letter case aside: a server may send it back in its own. */
static bool same_question(const struct upstream_query *q, const uint8_t *data)
{
    const uint8_t *own = q->packet + 2 + UPSTREAM_HEADER;

    for (size_t i = 0; i < q->question_len; i++)
        if (lower(own[i]) != lower(data[UPSTREAM_HEADER + i]))
            return false;
    return true;
}

enum upstream_verdict upstream_packet_judge(const struct upstream_query *q, const uint8_t *data,
                                            size_t len)
{
    unsigned rcode;
    bool echoed;

    if (len < UPSTREAM_HEADER || get16(data) != q->dns_id || !(data[2] & 0x80))
        return UPSTREAM_STRANGE;
    rcode = data[3] & 15;
    echoed = len >= UPSTREAM_HEADER + q->question_len && get16(data + 4) == 1;
    if (echoed ? !same_question(q, data) : get16(data + 4) != 0 || rcode == 0)
        return UPSTREAM_STRANGE;
    if (!q->plain && (rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP))
        return UPSTREAM_NO_EDNS;
    return echoed && (rcode == 0 || rcode == RCODE_NXDOMAIN) ? UPSTREAM_ANSWER : UPSTREAM_ERROR;
}

size_t upstream_packet_from_hosts(const struct upstream_query *q, uint8_t (*address)[16], size_t n,
                                  uint8_t out[UPSTREAM_HOSTS_MAX])
{
    unsigned size = q->qtype == 1 ? 4 : 16;
    uint8_t *p = out + UPSTREAM_HEADER + q->question_len;

    memcpy(out, q->packet + 2, UPSTREAM_HEADER + q->question_len);
    put16(out + 2, 0x8580); /* QR, AA, RD, RA */
    put16(out + 6, (unsigned)n);
    put16(out + 10, 0);
    for (size_t i = 0; i < n; i++) {
        put16(p, 0xc000 | UPSTREAM_HEADER);
        put16(p + 2, q->qtype);
        put16(p + 4, 1);
        put16(p + 6, 0);
        put16(p + 8, HOSTS_TTL);
        put16(p + 10, size);
        memcpy(p + 12, address[i], size);
        p += 12 + size;
    }
    return (size_t)(p - out);
}
