/* answer.c: an upstream message in, records for the client out.
 *
 * Nothing of the upstream message is passed on as it came. It must be the reply to what was asked
 * (id, question), or it is not believed. Of its records only the chain that answers the question is
 * kept: from the name asked along CNAMEs (and DNAMEs, RFC 6672, whose CNAMEs are made anew) to the
 * records of the type asked; beside that the SOA of a negative answer, which carries the time that
 * it holds. All else (other authority and additional records, signatures) is dropped: clients of
 * the jail are stubs, and this path does not validate. Each record that is kept is written anew
 * from ldns's parsed form; SVCB and HTTPS records are taken apart (svcb.c).
 *
 * Owners are written as pointers: the first to the question, each next to the target of the CNAME
 * before it. So the client's own letter case comes back in the answer, and the body does not depend
 * on it. */
#include "dnsproxy/answer.h"

#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <string.h>

#include "dnsproxy/svcb.h"
#include "src/address.h"
#include "src/util.h"

#define POINTER 0xc000
#define POINTER_MAX 0x3fff
#define NEGATIVE_TTL_MAX 10800 /* RFC 2308, 5: not longer than a few hours */
#define LOCAL_TTL 3600         /* of what is made here */

/* Writes a body; once anything does not fit, nothing more is written. */
struct writer {
    struct answer *a;
    const struct policy *policy;
    const char *name; /* that was asked */
    bool unjudged;    /* addresses */
    size_t base;      /* offset of the body in the message */
    bool full;
};

static void put(struct writer *w, const void *data, size_t len)
{
    if (w->full || len > sizeof(w->a->body) - w->a->len) {
        w->full = true;
        return;
    }
    memcpy(w->a->body + w->a->len, data, len);
    w->a->len += len;
}

static void put16(struct writer *w, uint16_t v)
{
    put(w, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put32(struct writer *w, uint32_t v)
{
    put16(w, (uint16_t)(v >> 16));
    put16(w, (uint16_t)v);
}

/* An owner name: where it stands already, or 0 if it stands nowhere that a pointer reaches. */
struct owner {
    const ldns_rdf *name;
    size_t offset;
};

static void put_owner(struct writer *w, const struct owner *o)
{
    if (o->offset > 0 && o->offset <= POINTER_MAX)
        put16(w, (uint16_t)(POINTER | o->offset));
    else
        put(w, ldns_rdf_data(o->name), ldns_rdf_size(o->name));
}

/* One with the highest bit set is a very long one, too (RFC 8767, 4, which updates RFC 2181, 8). */
static uint32_t cut_ttl(uint32_t ttl)
{
    return ttl > ANSWER_TTL_MAX ? ANSWER_TTL_MAX : ttl;
}

static void put_fixed(struct writer *w, const struct owner *o, uint16_t type, uint32_t ttl,
                      size_t rdlength)
{
    unsigned records = w->a->ancount + w->a->nscount;
    put_owner(w, o);
    put16(w, type);
    put16(w, LDNS_RR_CLASS_IN);
    if (records < ANSWER_RECORDS_MAX)
        w->a->ttl_at[records] = (uint16_t)w->a->len;
    else
        w->full = true;
    ttl = cut_ttl(ttl);
    if (ttl < w->a->cache_ttl)
        w->a->cache_ttl = ttl;
    put32(w, ttl);
    if (rdlength > UINT16_MAX)
        w->full = true;
    put16(w, (uint16_t)rdlength);
}

static void put_rr_ttl(struct writer *w, const struct owner *o, const ldns_rr *rr, uint32_t ttl)
{
    size_t rdlength = 0;
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
        rdlength += ldns_rdf_size(ldns_rr_rdf(rr, i));
    put_fixed(w, o, (uint16_t)ldns_rr_get_type(rr), ttl, rdlength);
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
        put(w, ldns_rdf_data(ldns_rr_rdf(rr, i)), ldns_rdf_size(ldns_rr_rdf(rr, i)));
}

static void put_rr(struct writer *w, const struct owner *o, const ldns_rr *rr)
{
    put_rr_ttl(w, o, rr, ldns_rr_ttl(rr));
    w->a->ancount++;
}

/* Uncompressed names, letter case aside. A length byte is at most 63 and so never taken for a
 * letter. */
static bool wire_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t x = a[i], y = b[i];
        if (x >= 'A' && x <= 'Z')
            x = (uint8_t)(x + 32);
        if (y >= 'A' && y <= 'Z')
            y = (uint8_t)(y + 32);
        if (x != y)
            return false;
    }
    return true;
}

static bool name_equal(const ldns_rdf *a, const ldns_rdf *b)
{
    return ldns_rdf_size(a) == ldns_rdf_size(b) &&
           wire_equal(ldns_rdf_data(a), ldns_rdf_data(b), ldns_rdf_size(a));
}

/* Is name equal to zone or under it? */
static bool name_under(const ldns_rdf *name, const ldns_rdf *zone)
{
    const uint8_t *p = ldns_rdf_data(name);
    size_t left = ldns_rdf_size(name), want = ldns_rdf_size(zone);
    while (left > want) {
        size_t label = (size_t)*p + 1;
        if (label >= left)
            return false;
        p += label;
        left -= label;
    }
    return left == want && wire_equal(p, ldns_rdf_data(zone), want);
}

/* The wire form of a canonical name, owned by the caller; NULL if it has none. */
static ldns_rdf *wire_name(const char *name)
{
    uint8_t wire[DNS_NAME_WIRE_MAX];
    size_t n = 0;
    for (const char *p = name; *p;) {
        size_t label = strcspn(p, ".");
        if (label == 0 || label > 63 || n + label + 2 > sizeof(wire))
            return NULL;
        wire[n++] = (uint8_t)label;
        memcpy(wire + n, p, label);
        n += label;
        p += label + (p[label] == '.');
    }
    wire[n++] = 0;
    return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, n, wire);
}

/* The header and the question: is it the reply to what was asked? (RFC 5452, 9.1) */
static bool is_reply(const struct asked *asked, const ldns_rdf *qname, const uint8_t *wire,
                     size_t len)
{
    if (len < DNS_HEADER_LEN || LDNS_ID_WIRE(wire) != asked->dns_id || !LDNS_QR_WIRE(wire) ||
        LDNS_OPCODE_WIRE(wire) != LDNS_PACKET_QUERY || LDNS_QDCOUNT(wire) != 1)
        return false;
    ldns_rr *rr = NULL;
    size_t pos = DNS_HEADER_LEN;
    if (ldns_wire2rr(&rr, wire, len, &pos, LDNS_SECTION_QUESTION) != LDNS_STATUS_OK)
        return false;
    bool same = ldns_rr_get_type(rr) == asked->qtype && ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN &&
                name_equal(ldns_rr_owner(rr), qname);
    ldns_rr_free(rr);
    return same;
}

static bool is_record(const ldns_rr *rr, const ldns_rdf *owner, uint16_t type)
{
    return ldns_rr_get_type(rr) == type && ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN &&
           name_equal(ldns_rr_owner(rr), owner);
}

bool answer_address_allowed(const struct policy *policy, const char *name, int family,
                            const uint8_t *address)
{
    enum address_class class = address_classify(family, address);
    return class == ADDRESS_PUBLIC || policy_names_address(policy, family, address) ||
           (class == ADDRESS_PRIVATE && policy_allows_private(policy, name));
}

static bool is_address(uint16_t type)
{
    return type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA;
}

/* Whether an address may be told to the client; one that may is remembered. */
static bool tell_address(struct writer *w, int family, const uint8_t *address, uint32_t ttl)
{
    struct answer *a = w->a;
    if (!w->unjudged && !answer_address_allowed(w->policy, w->name, family, address)) {
        if (a->withheld++ == 0)
            (void)inet_ntop(family, address, a->withheld_text, sizeof(a->withheld_text));
        if (!w->policy->dry_run)
            return false;
    }
    if (a->address_count == ANSWER_ADDRESSES_MAX)
        return true;
    if (cut_ttl(ttl) > a->ttl)
        a->ttl = cut_ttl(ttl);
    struct answer_address *out = &a->address[a->address_count++];
    *out = (struct answer_address){.family = (uint8_t)family};
    memcpy(out->address, address, family == AF_INET ? 4 : 16);
    return true;
}

/* An A or AAAA record; one has an address's length. */
static void put_address(struct writer *w, const struct owner *o, const ldns_rr *rr)
{
    int family = ldns_rr_get_type(rr) == LDNS_RR_TYPE_A ? AF_INET : AF_INET6;
    const ldns_rdf *rd = ldns_rr_rd_count(rr) == 1 ? ldns_rr_rdf(rr, 0) : NULL;
    if (rd && ldns_rdf_size(rd) == (family == AF_INET ? 4 : 16) &&
        tell_address(w, family, ldns_rdf_data(rd), ldns_rr_ttl(rr)))
        put_rr(w, o, rr);
}

struct hint {
    struct writer *w;
    uint32_t ttl;
};

static bool tell_hint(void *arg, int family, const uint8_t *address)
{
    const struct hint *h = arg;
    return tell_address(h->w, family, address, h->ttl);
}

/* An SVCB or HTTPS record, without what the client cannot use here. */
static void put_svcb(struct writer *w, const struct owner *o, const ldns_rr *rr)
{
    UNINITIALIZED uint8_t in[SVCB_MAX], out[SVCB_MAX];
    size_t len = 0;
    struct hint hint = {w, ldns_rr_ttl(rr)};
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
        const ldns_rdf *rd = ldns_rr_rdf(rr, i);
        if (ldns_rdf_size(rd) > sizeof(in) - len)
            return;
        memcpy(in + len, ldns_rdf_data(rd), ldns_rdf_size(rd));
        len += ldns_rdf_size(rd);
    }
    len = svcb_rebuild(w->policy, in, len, tell_hint, &hint, out);
    if (len == 0)
        return;
    put_fixed(w, o, (uint16_t)ldns_rr_get_type(rr), ldns_rr_ttl(rr), len);
    put(w, out, len);
    w->a->ancount++;
}

/* All records of the type at that owner. Returns whether there was any, told or withheld. */
static bool put_final(struct writer *w, const ldns_rr_list *list, const struct owner *o,
                      uint16_t type)
{
    bool any = false;
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(list, i);
        if (!is_record(rr, o->name, type))
            continue;
        any = true;
        if (is_address(type))
            put_address(w, o, rr);
        else if (type == LDNS_RR_TYPE_SVCB || type == LDNS_RR_TYPE_HTTPS)
            put_svcb(w, o, rr);
        else
            put_rr(w, o, rr);
    }
    return any;
}

/* The CNAME at that owner, with a target. */
static const ldns_rr *find_cname(const ldns_rr_list *list, const ldns_rdf *owner)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(list, i);
        if (is_record(rr, owner, LDNS_RR_TYPE_CNAME) && ldns_rr_rd_count(rr) == 1)
            return rr;
    }
    return NULL;
}

/* The DNAME above that owner, with a target (RFC 6672, 2.3). */
static const ldns_rr *find_dname(const ldns_rr_list *list, const ldns_rdf *owner)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(list, i);
        if (is_record(rr, ldns_rr_owner(rr), LDNS_RR_TYPE_DNAME) && ldns_rr_rd_count(rr) == 1 &&
            ldns_rdf_size(ldns_rr_owner(rr)) < ldns_rdf_size(owner) &&
            name_under(owner, ldns_rr_owner(rr)))
            return rr;
    }
    return NULL;
}

/* The SOA of a negative answer (RFC 2308, 3): of a zone that the name is in. It says how long the
 * answer holds: the smaller one of its own time and of its last field (RFC 2308, 5). */
static void put_soa(struct writer *w, const ldns_rr_list *list, const ldns_rdf *name)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(list, i);
        if (is_record(rr, ldns_rr_owner(rr), LDNS_RR_TYPE_SOA) && ldns_rr_rd_count(rr) == 7 &&
            name_under(name, ldns_rr_owner(rr))) {
            uint32_t ttl = ldns_rdf2native_int32(ldns_rr_rdf(rr, 6));
            if (cut_ttl(ldns_rr_ttl(rr)) < ttl)
                ttl = ldns_rr_ttl(rr);
            put_rr_ttl(w, &(struct owner){.name = ldns_rr_owner(rr)}, rr, ttl);
            w->a->nscount = 1;
            return;
        }
    }
}

/* The end of a chain that answers nothing. Without an SOA it is not kept (RFC 2308, 5). */
static void put_negative(struct writer *w, const ldns_pkt *pkt, const ldns_rdf *name)
{
    put_soa(w, ldns_pkt_authority(pkt), name);
    if (w->a->nscount == 0)
        w->a->cache_ttl = 0;
    else if (w->a->cache_ttl > NEGATIVE_TTL_MAX)
        w->a->cache_ttl = NEGATIVE_TTL_MAX;
}

struct chain {
    const ldns_rr_list *list;
    size_t count;
    const ldns_rdf *seen[ANSWER_CHAIN_MAX + 1];
    ldns_rdf *all_made[ANSWER_CHAIN_MAX + 1]; /* of DNAMEs */
    size_t made_count;
};

/* What a DNAME makes of a name under it; NULL if that is too long. */
static const ldns_rdf *substitute(struct chain *c, const ldns_rdf *name, const ldns_rr *dname)
{
    uint8_t wire[DNS_NAME_WIRE_MAX];
    const ldns_rdf *target = ldns_rr_rdf(dname, 0);
    size_t keep = ldns_rdf_size(name) - ldns_rdf_size(ldns_rr_owner(dname));
    size_t len = keep + ldns_rdf_size(target);
    if (len > sizeof(wire))
        return NULL;
    memcpy(wire, ldns_rdf_data(name), keep);
    memcpy(wire + keep, ldns_rdf_data(target), ldns_rdf_size(target));
    ldns_rdf *made = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, len, wire);
    if (made)
        c->all_made[c->made_count++] = made;
    return made;
}

/* Where the name at o leads, by a record that is written; NULL: nowhere. A loop, or a record that
 * contradicts another: *bad. */
static const ldns_rdf *put_link(struct writer *w, struct chain *c, const struct owner *o, bool *bad)
{
    const ldns_rr *cname = find_cname(c->list, o->name);
    const ldns_rr *dname = find_dname(c->list, o->name);
    const ldns_rdf *target = cname ? ldns_rr_rdf(cname, 0) : NULL;
    uint32_t ttl = cname ? ldns_rr_ttl(cname) : 0;
    if (dname) {
        target = substitute(c, o->name, dname);
        *bad = !target || (cname && !name_equal(target, ldns_rr_rdf(cname, 0)));
        ttl = ldns_rr_ttl(dname);
    }
    if (!target || *bad)
        return NULL;
    c->seen[c->count++] = o->name;
    for (size_t i = 0; i < c->count; i++)
        *bad = *bad || name_equal(c->seen[i], target);
    if (*bad)
        return NULL;
    if (dname)
        put_rr(w, &(struct owner){.name = ldns_rr_owner(dname)}, dname);
    put_fixed(w, o, LDNS_RR_TYPE_CNAME, ttl, ldns_rdf_size(target));
    put(w, ldns_rdf_data(target), ldns_rdf_size(target));
    w->a->ancount++;
    return target;
}

/* Follows the chain from qname. Returns false for a loop or a chain that is too long. */
static bool put_chain(struct writer *w, struct chain *c, const ldns_pkt *pkt, const ldns_rdf *qname,
                      uint16_t qtype)
{
    bool positive = w->a->rcode == LDNS_RCODE_NOERROR, bad = false;
    struct owner o = {.name = qname, .offset = DNS_HEADER_LEN};
    while (c->count <= ANSWER_CHAIN_MAX) {
        if (positive && put_final(w, c->list, &o, qtype))
            return true;
        const ldns_rdf *target = qtype == LDNS_RR_TYPE_CNAME ? NULL : put_link(w, c, &o, &bad);
        if (!target) {
            put_negative(w, pkt, o.name);
            return !bad;
        }
        o.name = target;
        o.offset = w->base + w->a->len - ldns_rdf_size(target);
    }
    return false;
}

static bool put_all(struct writer *w, const ldns_pkt *pkt, const ldns_rdf *qname, uint16_t qtype)
{
    struct chain c = {.list = ldns_pkt_answer(pkt)};
    w->a->cache_ttl = ANSWER_TTL_MAX;
    bool good = put_chain(w, &c, pkt, qname, qtype);
    for (size_t i = 0; i < c.made_count; i++)
        ldns_rdf_deep_free(c.all_made[i]);
    if (w->a->ancount + w->a->nscount == 0)
        w->a->cache_ttl = 0;
    return good && !w->full;
}

static enum answer_status build(const struct policy *policy, const struct asked *asked,
                                const ldns_rdf *qname, const uint8_t *wire, size_t len,
                                struct answer *a)
{
    if (!is_reply(asked, qname, wire, len))
        return ANSWER_BAD;
    if (LDNS_TC_WIRE(wire))
        return asked->tcp ? ANSWER_BAD : ANSWER_TRUNCATED;
    a->rcode = LDNS_RCODE_WIRE(wire);
    if (a->rcode != LDNS_RCODE_NOERROR && a->rcode != LDNS_RCODE_NXDOMAIN)
        return ANSWER_BAD;
    ldns_pkt *pkt = NULL;
    if (ldns_wire2pkt(&pkt, wire, len) != LDNS_STATUS_OK)
        return ANSWER_BAD;
    struct writer w = {.a = a,
                       .policy = policy,
                       .name = asked->name,
                       .unjudged = asked->unjudged,
                       .base = DNS_HEADER_LEN + ldns_rdf_size(qname) + 4};
    bool good = ldns_pkt_edns_extended_rcode(pkt) == 0 && put_all(&w, pkt, qname, asked->qtype);
    ldns_pkt_free(pkt);
    return good ? ANSWER_GOOD : ANSWER_BAD;
}

enum answer_status answer_build(const struct policy *policy, const struct asked *asked,
                                const uint8_t *wire, size_t len, struct answer *a)
{
    answer_empty(a);
    ldns_rdf *qname = wire_name(asked->name);
    if (!qname)
        return ANSWER_BAD;
    enum answer_status status = build(policy, asked, qname, wire, len, a);
    ldns_rdf_deep_free(qname);
    return status;
}

void answer_empty(struct answer *a)
{
    memset(a, 0, offsetof(struct answer, body));
}

/* One record at the name asked. */
static void answer_one(struct answer *a, uint16_t type, const void *rdata, size_t len)
{
    struct writer w = {.a = a};
    put_fixed(&w, &(struct owner){.offset = DNS_HEADER_LEN}, type, LOCAL_TTL, len);
    put(&w, rdata, len);
    a->ancount = 1;
}

void answer_localhost(struct answer *a, uint16_t qtype)
{
    answer_empty(a);
    if (qtype == LDNS_RR_TYPE_A)
        answer_one(a, qtype, (uint8_t[]){127, 0, 0, 1}, 4);
    else if (qtype == LDNS_RR_TYPE_AAAA)
        answer_one(a, qtype, &in6addr_loopback, sizeof(in6addr_loopback));
}

void answer_ptr(struct answer *a, const char *name)
{
    ldns_rdf *target = wire_name(name);
    answer_empty(a);
    if (target)
        answer_one(a, LDNS_RR_TYPE_PTR, ldns_rdf_data(target), ldns_rdf_size(target));
    ldns_rdf_deep_free(target);
}

void answer_any(struct answer *a)
{
    static const char rdata[] = "\7RFC8482"; /* CPU; the NUL is an empty OS */
    answer_empty(a);
    answer_one(a, LDNS_RR_TYPE_HINFO, rdata, sizeof(rdata));
}

/* How long a reply the client takes. */
static size_t size_limit(const struct query *q)
{
    if (q->tcp)
        return DNS_MESSAGE_MAX;
    if (!q->edns || q->udp_size < DNS_UDP_PLAIN)
        return DNS_UDP_PLAIN;
    return q->udp_size > DNS_UDP_EDNS ? DNS_UDP_EDNS : q->udp_size;
}

/* The OPT record of a reply: our size, no options, DO clear, since no signature is ever passed on.
 */
static size_t write_opt(uint16_t rcode, uint8_t *buf)
{
    memset(buf, 0, ANSWER_OPT_LEN);
    ldns_write_uint16(buf + 1, LDNS_RR_TYPE_OPT);
    ldns_write_uint16(buf + 3, DNS_UDP_EDNS);
    buf[5] = (uint8_t)(rcode >> 4);
    return ANSWER_OPT_LEN;
}

struct answer_view answer_view(const struct answer *a)
{
    return (struct answer_view){.rcode = a->rcode,
                                .ancount = a->ancount,
                                .nscount = a->nscount,
                                .len = a->len,
                                .body = a->body,
                                .ttl_at = a->ttl_at};
}

/* The body, with the times that are left. */
static void write_body(const struct answer_view *v, uint8_t *buf)
{
    memcpy(buf, v->body, v->len);
    if (v->age == 0 && v->stale_ttl == 0)
        return;
    for (unsigned i = 0; i < (unsigned)v->ancount + v->nscount; i++) {
        uint8_t *at = buf + v->ttl_at[i];
        uint32_t ttl = ldns_read_uint32(at);
        ttl = ttl > v->age ? ttl - v->age : 0;
        ldns_write_uint32(at, v->stale_ttl ? v->stale_ttl : ttl);
    }
}

static void write_header(const struct query *q, uint16_t rcode, uint8_t *buf)
{
    memset(buf, 0, DNS_HEADER_LEN);
    ldns_write_uint16(buf, q->id);
    buf[2] = (uint8_t)(0x80 | q->opcode << 3 | (q->rd ? 1 : 0));
    buf[3] = (uint8_t)(0x80 | (q->cd ? 0x10 : 0) | (rcode & 15));
}

size_t answer_write_view(const struct query *q, uint16_t rcode, const struct answer_view *v,
                         uint8_t *buf)
{
    size_t n = DNS_HEADER_LEN;
    if (v)
        rcode = v->rcode;
    write_header(q, rcode, buf);
    if (q->question_len > 0) {
        ldns_write_uint16(buf + 4, 1);
        memcpy(buf + n, q->question, q->question_len);
        n += q->question_len;
    }
    if (v && n + v->len + (q->edns ? ANSWER_OPT_LEN : 0) > size_limit(q)) {
        buf[2] |= LDNS_TC_MASK;
    } else if (v) {
        ldns_write_uint16(buf + 6, v->ancount);
        ldns_write_uint16(buf + 8, v->nscount);
        write_body(v, buf + n);
        n += v->len;
    }
    if (q->edns) {
        ldns_write_uint16(buf + 10, 1);
        n += write_opt(rcode, buf + n);
    }
    return n;
}

size_t answer_write(const struct query *q, uint16_t rcode, const struct answer *a, uint8_t *buf)
{
    struct answer_view v;
    if (!a)
        return answer_write_view(q, rcode, NULL, buf);
    v = answer_view(a);
    return answer_write_view(q, rcode, &v, buf);
}
