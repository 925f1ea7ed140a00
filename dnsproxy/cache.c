/* cache.c: answers by what was asked, bounded by bytes.
 *
 * What is kept is an answer's body as it stands behind any client's question, and where in it the
 * times stand, so that a hit is a copy and some subtractions. One block of memory an answer; a hash
 * table leads to them, and a list by use says which goes first when room is needed. An answer that
 * holds no longer stays, as long as there is room, for the time that upstream is dead (RFC 8767).
 */
#include "dnsproxy/cache.h"

#include <ldns/ldns.h>

#include <string.h>
#include <sys/random.h>

#include "dnsproxy/hash.h"
#include "src/util.h"

#define CUT_TYPE 0    /* of no question (query_type_is_meta) */
#define BUCKETS 16384 /* a power of two; for about as many answers of some 500 bytes */

struct cache {
    size_t bytes, max;
    uint32_t seed;
    cache_visit_cb *drop;
    void *arg;
    struct cached *newest, *oldest;
    struct cached *buckets[BUCKETS];
};

struct cache_key cache_key(const struct cache *c, const char *name, size_t name_len, uint16_t qtype,
                           const struct msg_server *server)
{
    uint32_t h = hash_words(c->seed ^ qtype, name, name_len);
    if (server->family != 0)
        h = hash_words(h, server, sizeof(*server));
    return (struct cache_key){
        .name = name, .name_len = name_len, .server = server, .qtype = qtype, .hash = h};
}

bool cache_key_equal(const struct cache_key *a, const struct cache_key *b)
{
    return a->hash == b->hash && a->qtype == b->qtype && a->name_len == b->name_len &&
           memcmp(a->name, b->name, a->name_len) == 0 &&
           memcmp(a->server, b->server, sizeof(*a->server)) == 0;
}

static void list_remove(struct cache *c, struct cached *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void list_add(struct cache *c, struct cached *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void drop(struct cache *c, struct cached *e)
{
    list_remove(c, e);
    *e->at = e->next;
    if (e->next)
        e->next->at = e->at;
    c->bytes -= e->size;
    c->drop(c->arg, e);
    free(e);
}

static void drop_oldest(struct cache *c)
{
    struct cached *e = c->oldest;
    e->older = NULL; /* as it is: said for the analyser */
    drop(c, e);
}

static struct cached *find(const struct cache *c, const struct cache_key *key)
{
    for (struct cached *e = c->buckets[key->hash % BUCKETS]; e; e = e->next)
        if (cache_key_equal(&e->key, key))
            return e;
    return NULL;
}

struct cached *cache_find(struct cache *c, const struct cache_key *key, uint64_t now)
{
    struct cached *e = find(c, key);
    if (!e)
        return NULL;
    if (now >= e->expires_ms + (uint64_t)CACHE_STALE_S * 1000) {
        drop(c, e);
        return NULL;
    }
    if (c->newest != e) {
        list_remove(c, e);
        list_add(c, e);
    }
    return e;
}

bool cache_is_fresh(const struct cached *e, uint64_t now)
{
    return now < e->expires_ms;
}

struct answer_view cache_view(const struct cached *e, uint64_t now)
{
    struct answer_view v = e->view;
    if (cache_is_fresh(e, now))
        v.age = (uint32_t)((now - e->stored_ms) / 1000);
    else
        v.stale_ttl = CACHE_STALE_TTL;
    return v;
}

/* One block: the struct, then the places of the times, addresses, name and body. */
static struct cached *copy(const struct cache_key *key, const struct answer *a)
{
    size_t times = ((size_t)a->ancount + a->nscount) * sizeof(a->ttl_at[0]);
    size_t addresses = a->address_count * sizeof(a->address[0]);
    size_t size = sizeof(struct cached) + times + addresses + key->name_len + 1 + a->len;
    struct cached *e = xmalloc(size);
    unsigned char *p = (unsigned char *)(e + 1);

    memset(e, 0, sizeof(*e));
    e->size = size;
    e->view = answer_view(a);
    e->ttl = a->ttl;
    e->view.ttl_at = memcpy(p, a->ttl_at, times);
    e->address_count = a->address_count;
    e->address = memcpy(p + times, a->address, addresses);
    p += times + addresses;
    e->server = *key->server;
    e->key = *key;
    e->key.server = &e->server;
    e->key.name = memcpy(p, key->name, key->name_len);
    p[key->name_len] = '\0';
    e->view.body = memcpy(p + key->name_len + 1, a->body, a->len);
    return e;
}

struct cached *cache_put(struct cache *c, const struct cache_key *key, const struct answer *a,
                         uint64_t now)
{
    struct cached *e = find(c, key), **bucket = &c->buckets[key->hash % BUCKETS];
    if (e)
        drop(c, e);
    if (a->cache_ttl == 0 || a->len > c->max / 8)
        return NULL;
    e = copy(key, a);
    e->stored_ms = e->told_ms = now;
    e->expires_ms = now + (uint64_t)a->cache_ttl * 1000;
    e->next = *bucket;
    if (e->next)
        e->next->at = &e->next;
    e->at = bucket;
    *bucket = e;
    list_add(c, e);
    c->bytes += e->size;
    while (c->bytes > c->max && c->oldest != e)
        drop_oldest(c);
    return e;
}

static bool has_answer(struct cache *c, const char *name, uint16_t qtype,
                       const struct msg_server *server, uint64_t now)
{
    struct cache_key key = cache_key(c, name, strlen(name), qtype, server);
    struct cached *e = find(c, &key);
    return e && cache_is_fresh(e, now) && e->view.rcode == LDNS_RCODE_NOERROR;
}

void cache_put_cut(struct cache *c, const char *name, const struct msg_server *server,
                   const struct answer *a, uint64_t now)
{
    struct cache_key key = cache_key(c, name, strlen(name), CUT_TYPE, server);
    if (!has_answer(c, name, LDNS_RR_TYPE_AAAA, server, now))
        (void)cache_put(c, &key, a, now);
}

void cache_drop_cut(struct cache *c, const char *name, const struct msg_server *server)
{
    struct cache_key key = cache_key(c, name, strlen(name), CUT_TYPE, server);
    struct cached *e = find(c, &key);
    if (e)
        drop(c, e);
}

struct cached *cache_find_cut(struct cache *c, const char *name, const struct msg_server *server,
                              uint64_t now)
{
    for (const char *dot; name; name = dot ? dot + 1 : NULL) {
        struct cache_key key = cache_key(c, name, strlen(name), CUT_TYPE, server);
        struct cached *e = cache_find(c, &key, now);
        if (e && cache_is_fresh(e, now))
            return e;
        dot = strchr(name, '.');
    }
    return NULL;
}

void cache_each(struct cache *c, cache_visit_cb *visit, void *arg)
{
    for (struct cached *e = c->newest; e; e = e->older)
        visit(arg, e);
}

size_t cache_bytes(const struct cache *c)
{
    return c->bytes;
}

struct cache *cache_new(size_t max_bytes, cache_visit_cb *drop_cb, void *arg)
{
    struct cache *c = xcalloc(1, sizeof(*c));
    c->max = max_bytes;
    c->drop = drop_cb;
    c->arg = arg;
    if (getrandom(&c->seed, sizeof(c->seed), 0) != sizeof(c->seed))
        die("getrandom failed");
    return c;
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    while (c->oldest)
        drop_oldest(c);
    free(c);
}
