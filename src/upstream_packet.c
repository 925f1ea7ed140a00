/* upstream_packet.c: queries as bytes, and answers out of hosts(5). */
#include <netinet/in.h>
#include <string.h>

#include "src/upstream_parts.h"

#define EDNS_UDP_SIZE 1232 /* as agreed on DNS flag day 2020 */
#define OPT_LEN 11
#define HOSTS_TTL 10 /* seconds: the file may change */
#define OPTION_PADDING 12
#define OPTION_HEADER 4

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
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

void upstream_packet_set_plain(struct upstream_query *q, bool plain)
{
    if (q->plain == plain)
        return;
    q->plain = plain;
    q->packet_len = plain ? q->packet_len - OPT_LEN : q->packet_len + OPT_LEN;
    put16(q->packet, (unsigned)q->packet_len);
    put16(q->packet + 2 + 10, plain ? 0 : 1);
}

/* The option stands behind the OPT record's length, which is the last field. */
void upstream_packet_pad(struct upstream_query *q)
{
    uint8_t *end = q->packet + 2 + q->packet_len;
    size_t len =
        (UPSTREAM_PADDING - (q->packet_len + OPTION_HEADER) % UPSTREAM_PADDING) % UPSTREAM_PADDING;

    put16(end - 2, (unsigned)(OPTION_HEADER + len));
    put16(end, OPTION_PADDING);
    put16(end + 2, (unsigned)len);
    memset(end + OPTION_HEADER, 0, len);
    q->packet_len += OPTION_HEADER + len;
    put16(q->packet, (unsigned)q->packet_len);
}

enum upstream_verdict upstream_packet_judge(const struct upstream_query *q, const uint8_t *data,
                                            size_t len)
{
    return upstream_judge(q->packet + 2, q->question_len, q->plain, data, len);
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
