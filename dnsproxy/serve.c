/* serve.c: what becomes of a query: its answer; what upstream sees of it; whether it is logged.
 *
 *   malformed, another opcode, EDNS version not 0: FORMERR, NOTIMP, BADVERS; nothing; no
 *   class not IN: REFUSED; nothing; deny
 *   localhost and names under it (RFC 6761), the jail's host name: 127.0.0.1, ::1, else no data;
 *     nothing; no
 *   PTR of an address that the jail was told, not in the policy: the name asked for then; nothing;
 *     no
 *   an allowed name, completed with a search domain: NXDOMAIN; nothing; allow, with the reason
 *   name not in the policy, or no host name, any type: REFUSED, for musl NXDOMAIN; nothing; deny
 *   allowed, meta type (AXFR, IXFR, TKEY, ...): REFUSED; nothing; deny
 *   allowed, ANY: one HINFO record (RFC 8482); nothing; no
 *   allowed, all other types: from the cache, or rebuilt (answer.c); name and type, once for all
 * who wait; allow
 *
 * In a dry run a name that is not in the policy is served as an allowed one, and logged as "would
 * be denied"; what is no host name cannot be asked for even then. */
#include <ldns/ldns.h>

#include <string.h>

#include "dnsproxy/dnsproxy.h"
#include "src/util.h"

/* For which the supervisor takes an address at least, and a client may then connect (learned.h). */
#define LEARNED_S 61

void serve_answer(struct dnsproxy *p, const struct client *c, const struct query *q, uint16_t rcode,
                  const struct answer_view *v)
{
    size_t len = answer_write_view(q, rcode, v, p->reply);
    if (c->connection)
        tcp_reply(c->connection, p->reply, len);
    else
        udp_reply(c, p->reply, len);
}

/* The one that was made just now. */
static void serve_made(struct dnsproxy *p, const struct client *c, const struct query *q)
{
    struct answer_view v = answer_view(&p->answer);
    serve_answer(p, c, q, 0, &v);
}

static void serve_drop(const struct client *c)
{
    if (c->connection)
        tcp_reply(c->connection, NULL, 0);
}

/* No host name: it is written so that it can be read. */
static void log_odd(struct dnsproxy *p, const struct query *q, const char *reason)
{
    UNINITIALIZED char text[QUERY_TEXT_SIZE];
    query_text(q, text);
    log_deny(p, text, q->qtype, reason, 1);
}

static void refuse(struct dnsproxy *p, const struct client *c, const struct query *q,
                   const char *reason)
{
    if (q->name[0])
        log_deny(p, q->name, q->qtype, reason, 1);
    else
        log_odd(p, q, reason);
    serve_answer(p, c, q, query_is_of_musl(q) ? LDNS_RCODE_NXDOMAIN : LDNS_RCODE_REFUSED, NULL);
}

/* The client goes on to the name itself, as it would where nothing has the completed one: an
 * allowed name is not a denial for the search list of the host, which the policy does not know. A
 * short name ("db") is of the host's own network: its completed form is what a policy names. */
static bool serve_completed(struct dnsproxy *p, const struct client *c, const struct query *q)
{
    char base[NAME_SIZE];
    const struct endpoint *ep;
    for (size_t i = 0; i < p->search.count; i++) {
        if (!search_list_base(&p->search, i, q->name, base))
            continue;
        ep = policy_match_resolve(&p->policy, base);
        if (!ep)
            continue;
        log_allow(p, q->name, q->qtype, policy_index(&p->policy, ep),
                  "not asked for: completed with a search domain", 1);
        serve_answer(p, c, q, LDNS_RCODE_NXDOMAIN, NULL);
        return true;
    }
    return false;
}

/* Out of the cache, if the answer holds, or if it is stale and upstream has just failed. */
static bool serve_cached(struct dnsproxy *p, const struct client *c, const struct query *q,
                         const struct cache_key *key)
{
    uint64_t now = now_ms(), left;
    struct cached *e = cache_find(p->cache, key, now);
    if (!e || (!cache_is_fresh(e, now) && now >= e->recheck_ms))
        return false;
    left = (now - e->stored_ms) / 1000;
    left = left < e->ttl ? e->ttl - left : 0;
    if (e->address_count > 0 && left < LEARNED_S && e->taught_s != now / 1000) {
        e->taught_s = now / 1000;
        upstream_teach(p->upstream, q->name, e->address, e->address_count, LEARNED_S);
    }
    log_hit(p, e, now);
    struct answer_view v = cache_view(e, now);
    serve_answer(p, c, q, 0, &v);
    return true;
}

/* Out of the cache: the name, or one above it, does not exist. */
static bool serve_cut(struct dnsproxy *p, const struct client *c, const struct query *q,
                      uint32_t endpoint)
{
    uint64_t now = now_ms();
    struct cached *e = cache_find_cut(p->cache, q->name, &c->server, now);
    if (!e)
        return false;
    if (endpoint != POLICY_INDEX_NONE)
        log_allow(p, q->name, q->qtype, endpoint, "", 1);
    struct answer_view v = cache_view(e, now);
    serve_answer(p, c, q, 0, &v);
    return true;
}

/* A query for an allowed name. */
static void serve_allowed(struct dnsproxy *p, const struct client *c, const struct query *q,
                          const struct cache_key *key, const struct endpoint *ep)
{
    if (query_type_is_meta(q->qtype)) {
        refuse(p, c, q, "queries of this type are never sent");
        return;
    }
    if (!ep)
        log_would_deny(p, q->name, q->qtype, "", 1);
    if (q->qtype == LDNS_RR_TYPE_ANY) {
        answer_any(&p->answer);
        serve_made(p, c, q);
        return;
    }
    uint32_t endpoint = policy_index(&p->policy, ep);
    if (!serve_cut(p, c, q, endpoint) && upstream_ask(p->upstream, c, q, key, endpoint) < 0)
        serve_answer(p, c, q, LDNS_RCODE_SERVFAIL, NULL);
}

/* What needs no upstream and no policy. */
static bool serve_local(struct dnsproxy *p, const struct client *c, const struct query *q)
{
    const char *name;
    if (query_is_localhost(q) || (p->hostname[0] && strcmp(p->hostname, q->name) == 0)) {
        answer_localhost(&p->answer, q->qtype);
        serve_made(p, c, q);
        return true;
    }
    if (q->qtype != LDNS_RR_TYPE_PTR || policy_match_resolve(&p->policy, q->name))
        return false;
    name = reverse_find(p->reverse, q->name);
    if (!name)
        return false;
    answer_ptr(&p->answer, name);
    serve_made(p, c, q);
    return true;
}

static void serve_good(struct dnsproxy *p, const struct client *c, const struct query *q)
{
    struct cache_key key = cache_key(p->cache, q->name, q->name_len, q->qtype, &c->server);
    const struct endpoint *ep;
    if (serve_cached(p, c, q, &key) || serve_local(p, c, q))
        return;
    ep = q->name[0] ? policy_match_resolve(&p->policy, q->name) : NULL;
    if (!ep && !p->policy.dry_run && serve_completed(p, c, q))
        return;
    if (ep || (q->name[0] && p->policy.dry_run))
        serve_allowed(p, c, q, &key, ep);
    else
        refuse(p, c, q, "");
}

void serve_query(struct dnsproxy *p, const struct client *c, const uint8_t *wire, size_t len)
{
    struct query q;
    enum query_verdict verdict = query_parse(wire, len, &q);
    q.tcp = c->connection != NULL;
    switch (verdict) {
    case QUERY_DROP:
        serve_drop(c);
        break;
    case QUERY_ERROR:
        if (q.rcode == LDNS_RCODE_REFUSED)
            refuse(p, c, &q, "class is not IN");
        else
            serve_answer(p, c, &q, q.rcode, NULL);
        break;
    case QUERY_GOOD:
        serve_good(p, c, &q);
        break;
    }
}
