/* cache.c: a hash table with chains, and a list in order of use through its entries; see cache.h.
 *
 * The keys are chosen by the jail (host names that the policy allows), so the hash is seeded:
 * nobody can aim at one chain. The table has at least as many chains as the cache may have entries.
 */
#include "httpproxy/cache.h"

#include <stdio.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <string.h>
#include <sys/queue.h>

#include "src/util.h"

struct entry {
    TAILQ_ENTRY(entry) order;
    LIST_ENTRY(entry) chain;
    void *value;
    char key[];
};

LIST_HEAD(chain, entry);

struct cache {
    size_t max, count;
    cache_free_cb *release;
    TAILQ_HEAD(cache_order, entry) order; /* the most recently used one first */
    uint64_t seed;
    size_t mask;
    struct chain chains[];
};

struct cache *cache_new(size_t max, cache_free_cb *release)
{
    size_t chains = 16;

    while (chains < max)
        chains *= 2;
    struct cache *c = xcalloc(1, sizeof(*c) + chains * sizeof(c->chains[0]));
    c->max = max;
    c->release = release;
    c->mask = chains - 1;
    TAILQ_INIT(&c->order);
    if (RAND_bytes((unsigned char *)&c->seed, sizeof(c->seed)) != 1)
        die("no random numbers");
    return c;
}

/* FNV-1a over the seed and the key, with a final mix. */
static struct chain *chain_of(struct cache *c, const char *key)
{
    uint64_t h = 0xcbf29ce484222325u ^ c->seed;

    for (const char *p = key; *p; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    h ^= h >> 32;
    return &c->chains[h & c->mask];
}

static struct entry *find(struct cache *c, const char *key)
{
    struct entry *e;

    LIST_FOREACH (e, chain_of(c, key), chain)
        if (strcmp(e->key, key) == 0)
            return e;
    return NULL;
}

static void drop(struct cache *c, struct entry *e)
{
    TAILQ_REMOVE(&c->order, e, order);
    LIST_REMOVE(e, chain);
    c->count--;
    c->release(e->value);
    free(e);
}

void cache_free(struct cache *c)
{
    struct entry *e;

    if (!c)
        return;
    while ((e = TAILQ_FIRST(&c->order)))
        drop(c, e);
    free(c);
}

void *cache_get(struct cache *c, const char *key)
{
    struct entry *e = find(c, key);

    if (!e)
        return NULL;
    TAILQ_REMOVE(&c->order, e, order);
    TAILQ_INSERT_HEAD(&c->order, e, order);
    return e->value;
}

void cache_put(struct cache *c, const char *key, void *value)
{
    size_t len = strlen(key) + 1;
    struct entry *e = xmalloc(sizeof(*e) + len);

    cache_remove(c, key);
    if (c->count >= c->max)
        drop(c, TAILQ_LAST(&c->order, cache_order));
    memcpy(e->key, key, len);
    e->value = value;
    TAILQ_INSERT_HEAD(&c->order, e, order);
    LIST_INSERT_HEAD(chain_of(c, key), e, chain);
    c->count++;
}

void cache_remove(struct cache *c, const char *key)
{
    struct entry *e = find(c, key);

    if (e)
        drop(c, e);
}

size_t cache_count(const struct cache *c)
{
    return c->count;
}

void cache_authority(const struct url_authority *a, char key[CACHE_AUTHORITY_SIZE])
{
    (void)snprintf(key, CACHE_AUTHORITY_SIZE, "%s:%u", a->host, a->port);
}
