/* serve.c: what becomes of a query.
 *
 * | query | answer | upstream sees | logged |
 * |---|---|---|---|
 * | malformed, another opcode, EDNS version not 0 | FORMERR, NOTIMP, BADVERS | nothing | no |
 * | class not IN | REFUSED | nothing | deny |
 * | localhost and names under it (RFC 6761) | 127.0.0.1, ::1, else no data | nothing | no |
 * | name not in the policy, or no host name; any type | REFUSED | nothing | deny |
 * | allowed, meta type (AXFR, IXFR, TKEY, ...) | REFUSED | nothing | deny |
 * | allowed, ANY | one HINFO record (RFC 8482) | nothing | no |
 * | allowed, SVCB or HTTPS | no data, so that clients go on with A and AAAA | nothing | no |
 * | allowed, all other types | rebuilt (answer.c) | name and type | allow |
 *
 * In a dry run a name that is not in the policy is served as an allowed one, and logged as "would
 * be denied"; what is no host name cannot be asked for even then.
 *
 * SVCB and HTTPS records are left out because of what they carry: ECH keys, with which the SNI
 * could not be read, and further addresses. */
#include <ldns/ldns.h>

#include "dnsproxy/dnsproxy.h"

void serve_answer(struct dnsproxy *p, const struct client *c, const struct query *q, uint16_t rcode,
                  const struct answer *a)
{
    size_t len = answer_write(q, rcode, a, p->reply);
    if (c->connection)
        tcp_reply(c->connection, p->reply, len);
    else
        udp_reply(c, p->reply, len);
}

static void serve_drop(const struct client *c)
{
    if (c->connection)
        tcp_reply(c->connection, NULL, 0);
}

static void refuse(struct dnsproxy *p, const struct client *c, const struct query *q,
                   const char *reason)
{
    char text[QUERY_TEXT_SIZE];
    query_text(q, text);
    log_deny(p, text, q->qtype, reason);
    serve_answer(p, c, q, LDNS_RCODE_REFUSED, NULL);
}

/* A query for an allowed name. */
static void serve_allowed(struct dnsproxy *p, const struct client *c, const struct query *q,
                          uint32_t endpoint)
{
    switch (q->qtype) {
    case LDNS_RR_TYPE_ANY:
        answer_any(&p->answer);
        serve_answer(p, c, q, 0, &p->answer);
        return;
    case LDNS_RR_TYPE_SVCB:
    case LDNS_RR_TYPE_HTTPS:
        answer_empty(&p->answer);
        serve_answer(p, c, q, 0, &p->answer);
        return;
    default:
        if (upstream_ask(p->upstream, c, q, endpoint) < 0)
            serve_answer(p, c, q, LDNS_RCODE_SERVFAIL, NULL);
    }
}

void serve_query(struct dnsproxy *p, const struct client *c, const uint8_t *wire, size_t len)
{
    struct query q;
    enum query_verdict verdict = query_parse(wire, len, &q);
    q.tcp = c->connection != NULL;
    if (verdict == QUERY_DROP) {
        serve_drop(c);
        return;
    }
    if (verdict == QUERY_ERROR) {
        if (q.rcode == LDNS_RCODE_REFUSED)
            refuse(p, c, &q, "class is not IN");
        else
            serve_answer(p, c, &q, q.rcode, NULL);
        return;
    }
    if (query_is_localhost(&q)) {
        answer_localhost(&p->answer, q.qtype);
        serve_answer(p, c, &q, 0, &p->answer);
        return;
    }
    const struct endpoint *ep = q.name[0] ? policy_match_resolve(&p->policy, q.name) : NULL;
    if (!ep && !(q.name[0] && p->policy.dry_run)) {
        refuse(p, c, &q, "");
        return;
    }
    if (query_type_is_meta(q.qtype)) {
        refuse(p, c, &q, "queries of this type are never sent");
        return;
    }
    if (!ep)
        log_would_deny(p, q.name, q.qtype, "");
    serve_allowed(p, c, &q, policy_index(&p->policy, ep));
}
