/* query.c: one DNS message of the jail to one question, or to the error that it deserves.
 *
 * Nothing of the message but the question's name, type and class, the RD and CD bits, the id and
 * the UDP size is kept. All of it is read here, forwards, without a copy or an allocation, since
 * each packet of the jail comes this way, at whatever rate it likes. A query holds exactly one
 * question and at most one OPT record, and nothing after it: what a stub resolver sends. All else
 * is FORMERR, since a field that nobody needs is a field in which something can be carried. */
#include "dnsproxy/query.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#define RCODE_BADVERS 16 /* RFC 6891, 9 */
#define OPT_LEN 11       /* without options */

static bool name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static char lower(uint8_t c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* The length of the uncompressed name at the start of wire, its root label included; 0 if it is
 * none (RFC 1035, 3.1). What a pointer could lead to is the header, so there is none in a question.
 * The name goes into out, or an empty one if a byte is none of a host name, or if it is the root.
 */
static size_t read_name(const uint8_t *wire, size_t len, char out[NAME_SIZE])
{
    size_t n = 0, i = 0;
    bool host = true;
    while (i < len && wire[i] != 0) {
        size_t end = i + wire[i] + 1;
        if (wire[i] > 63 || end >= len || end >= DNS_NAME_WIRE_MAX)
            return 0;
        if (i > 0)
            out[n++] = '.';
        for (i++; i < end; i++) {
            host = host && name_byte(wire[i]);
            out[n++] = lower(wire[i]);
        }
    }
    out[host ? n : 0] = '\0';
    return i < len ? i + 1 : 0;
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static int read_question(const uint8_t *wire, size_t len, size_t *pos, struct query *q)
{
    size_t size = read_name(wire + *pos, len - *pos, q->name);
    if (size == 0 || size + 4 > len - *pos) {
        q->name[0] = '\0';
        return LDNS_RCODE_FORMERR;
    }
    memcpy(q->question, wire + *pos, size + 4);
    q->question_len = size + 4;
    q->qtype = get16(q->question + size);
    q->qclass = get16(q->question + size + 2);
    q->name_len = strlen(q->name);
    *pos += size + 4;
    return LDNS_RCODE_NOERROR;
}

/* The OPT record at *pos (RFC 6891, 6.1.2): at the root, its options skipped, never looked at. */
static int read_opt(const uint8_t *wire, size_t len, size_t *pos, struct query *q)
{
    const uint8_t *rr = wire + *pos;
    if (len - *pos < OPT_LEN || rr[0] != 0 || get16(rr + 1) != LDNS_RR_TYPE_OPT ||
        get16(rr + 9) > len - *pos - OPT_LEN)
        return LDNS_RCODE_FORMERR;
    q->edns = true;
    q->udp_size = get16(rr + 3);
    *pos += OPT_LEN + get16(rr + 9);
    return rr[6] == 0 ? LDNS_RCODE_NOERROR : RCODE_BADVERS;
}

static int read_sections(const uint8_t *wire, size_t len, struct query *q)
{
    uint16_t additional = LDNS_ARCOUNT(wire);
    if (len > QUERY_MAX || LDNS_QDCOUNT(wire) != 1 || LDNS_ANCOUNT(wire) != 0 ||
        LDNS_NSCOUNT(wire) != 0 || additional > 1)
        return LDNS_RCODE_FORMERR;
    size_t pos = DNS_HEADER_LEN;
    int rcode = read_question(wire, len, &pos, q);
    if (rcode == LDNS_RCODE_NOERROR && additional == 1)
        rcode = pos < len ? read_opt(wire, len, &pos, q) : LDNS_RCODE_FORMERR;
    if (rcode != LDNS_RCODE_FORMERR && pos != len)
        rcode = LDNS_RCODE_FORMERR;
    return rcode;
}

enum query_verdict query_parse(const uint8_t *wire, size_t len, struct query *q)
{
    memset(q, 0, offsetof(struct query, question));
    q->name[0] = '\0';
    if (len < DNS_HEADER_LEN || LDNS_QR_WIRE(wire))
        return QUERY_DROP;
    q->id = LDNS_ID_WIRE(wire);
    q->opcode = LDNS_OPCODE_WIRE(wire);
    q->rd = LDNS_RD_WIRE(wire);
    q->ad = LDNS_AD_WIRE(wire) != 0;
    q->cd = LDNS_CD_WIRE(wire) != 0;
    int rcode = q->opcode == LDNS_PACKET_QUERY ? read_sections(wire, len, q) : LDNS_RCODE_NOTIMPL;
    if (rcode == LDNS_RCODE_FORMERR || rcode == LDNS_RCODE_NOTIMPL) {
        q->question_len = 0;
        q->edns = false;
    } else if (rcode == LDNS_RCODE_NOERROR && q->qclass != LDNS_RR_CLASS_IN) {
        rcode = LDNS_RCODE_REFUSED;
    }
    q->rcode = (uint16_t)rcode;
    return rcode == LDNS_RCODE_NOERROR ? QUERY_GOOD : QUERY_ERROR;
}

void query_text(const struct query *q, char out[QUERY_TEXT_SIZE])
{
    out[0] = '\0';
    if (q->question_len == 0)
        return;
    if (q->name[0]) {
        memcpy(out, q->name, q->name_len + 1);
        return;
    }
    const uint8_t *wire = q->question;
    size_t n = 0;
    for (size_t i = 0; wire[i] != 0; i += (size_t)wire[i] + 1) {
        if (n > 0)
            out[n++] = '.';
        for (size_t k = 1; k <= wire[i]; k++) { /* at most 254 bytes, 4 characters each: it fits */
            if (name_byte(wire[i + k]))
                out[n++] = lower(wire[i + k]);
            else
                n += (size_t)snprintf(out + n, QUERY_TEXT_SIZE - n, "\\%03u", wire[i + k]);
        }
    }
    if (n == 0)
        out[n++] = '.';
    out[n] = '\0';
}

bool query_type_is_meta(uint16_t qtype)
{
    return qtype == 0 || qtype == LDNS_RR_TYPE_OPT || (qtype >= 128 && qtype < LDNS_RR_TYPE_ANY);
}

bool query_is_of_musl(const struct query *q)
{
    return q->rd && q->ad && !q->edns;
}

bool query_is_localhost(const struct query *q)
{
    static const char suffix[] = ".localhost";
    size_t n = strlen(q->name), k = sizeof(suffix) - 1;
    return (n == k - 1 && memcmp(q->name, suffix + 1, n) == 0) ||
           (n > k && memcmp(q->name + n - k, suffix, k) == 0);
}
