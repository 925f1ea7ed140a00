/* query.c: one DNS message of the jail to one question, or to the error that it deserves.
 *
 * Nothing of the message but the question's name, type and class, the RD and CD bits, the id and
 * the UDP size is kept. The header is judged before the rest is looked at; the records are then
 * read by ldns. A query holds exactly one question and at most one OPT record, and nothing after
 * it: what a stub resolver sends. All else is FORMERR, since a field that nobody needs is a field
 * in which something can be carried. */
#include "dnsproxy/query.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#define RCODE_BADVERS 16 /* RFC 6891, 9 */

static bool name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static char lower(uint8_t c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* wire: a whole uncompressed name, as ldns has checked it. Leaves out empty if a byte is none of a
 * host name, or if it is the root. */
static void canonical(const uint8_t *wire, char out[NAME_SIZE])
{
    size_t n = 0;
    for (size_t i = 0; wire[i] != 0; i += (size_t)wire[i] + 1) {
        if (n > 0)
            out[n++] = '.';
        for (size_t k = 1; k <= wire[i]; k++) {
            if (!name_byte(wire[i + k])) {
                out[0] = '\0';
                return;
            }
            out[n++] = lower(wire[i + k]);
        }
    }
    out[n] = '\0';
}

/* The question at *pos. It must not be compressed: what it could point to is the header. */
static int read_question(const uint8_t *wire, size_t len, size_t *pos, struct query *q)
{
    ldns_rr *rr = NULL;
    size_t start = *pos;
    if (ldns_wire2rr(&rr, wire, len, pos, LDNS_SECTION_QUESTION) != LDNS_STATUS_OK)
        return LDNS_RCODE_FORMERR;
    const ldns_rdf *owner = ldns_rr_owner(rr);
    size_t size = ldns_rdf_size(owner);
    int rcode = LDNS_RCODE_FORMERR;
    if (*pos - start == size + 4 && size <= DNS_NAME_WIRE_MAX &&
        memcmp(ldns_rdf_data(owner), wire + start, size) == 0) {
        memcpy(q->question, wire + start, size + 4);
        q->question_len = size + 4;
        q->qtype = (uint16_t)ldns_rr_get_type(rr);
        q->qclass = (uint16_t)ldns_rr_get_class(rr);
        canonical(q->question, q->name);
        rcode = LDNS_RCODE_NOERROR;
    }
    ldns_rr_free(rr);
    return rcode;
}

/* The OPT record at *pos (RFC 6891, 6.1.2). Its options are skipped by ldns and never looked at. */
static int read_opt(const uint8_t *wire, size_t len, size_t *pos, struct query *q)
{
    ldns_rr *rr = NULL;
    if (wire[*pos] != 0) /* the root, not a pointer to one */
        return LDNS_RCODE_FORMERR;
    if (ldns_wire2rr(&rr, wire, len, pos, LDNS_SECTION_ADDITIONAL) != LDNS_STATUS_OK)
        return LDNS_RCODE_FORMERR;
    int rcode = LDNS_RCODE_FORMERR;
    if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_OPT) {
        q->edns = true;
        q->udp_size = (uint16_t)ldns_rr_get_class(rr);
        rcode = (ldns_rr_ttl(rr) >> 16 & 0xff) == 0 ? LDNS_RCODE_NOERROR : RCODE_BADVERS;
    }
    ldns_rr_free(rr);
    return rcode;
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
    memset(q, 0, sizeof(*q));
    if (len < DNS_HEADER_LEN || LDNS_QR_WIRE(wire))
        return QUERY_DROP;
    q->id = LDNS_ID_WIRE(wire);
    q->opcode = LDNS_OPCODE_WIRE(wire);
    q->rd = LDNS_RD_WIRE(wire);
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
        snprintf(out, QUERY_TEXT_SIZE, "%s", q->name);
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

bool query_is_localhost(const struct query *q)
{
    static const char suffix[] = ".localhost";
    size_t n = strlen(q->name), k = sizeof(suffix) - 1;
    return strcmp(q->name, suffix + 1) == 0 || (n > k && strcmp(q->name + n - k, suffix) == 0);
}
