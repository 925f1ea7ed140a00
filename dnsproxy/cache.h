/* cache.h: answers that were given, for as long as they hold, and a while longer. */
#ifndef CIJAIL_DNSPROXY_CACHE_H
#define CIJAIL_DNSPROXY_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsproxy/answer.h"
#include "src/msg.h"

#define CACHE_BYTES (8u << 20) /* of answers, with what is kept of each */
#define CACHE_STALE_S 86400    /* how long an answer is kept that holds no longer (RFC 8767, 5) */
#define CACHE_STALE_TTL 30     /* what clients are told of such a one (RFC 8767, 4) */
#define CACHE_RECHECK_MS 30000 /* how long upstream is left alone after it failed (RFC 8767, 5) */

struct cache;

/* What was asked, and whom. */
struct cache_key {
    const char *name; /* canonical */
    size_t name_len;
    const struct msg_server *server;
    uint16_t qtype;
    uint32_t hash;
};

/* One answer. The first members are the reader's to change. */
struct cached {
    uint64_t recheck_ms; /* now_ms(): until then upstream is not asked again */
    uint64_t told_ms;    /* when the log was told of it, or its hits, the last time */
    uint32_t hits;       /* since then */
    uint32_t endpoint;   /* index of the word that allows the name */
    uint64_t taught_s;   /* when the supervisor was told the addresses the last time */
    /* The rest stays as it is. */
    struct answer_view view; /* but for its age */
    uint64_t stored_ms, expires_ms;
    uint32_t ttl; /* the longest time of the addresses */
    unsigned address_count;
    const struct answer_address *address;
    struct cache_key key;
    struct msg_server server;
    size_t size;
    struct cached *next, **at;    /* in its bucket */
    struct cached *newer, *older; /* by use */
};

/* Told of each answer that is dropped, replaced or (cache_each) still there. */
typedef void cache_visit_cb(void *arg, struct cached *e);

struct cache *cache_new(size_t max_bytes, cache_visit_cb *drop, void *arg);
void cache_free(struct cache *c);

/* The hash is seeded (hash.h); names that collide under any seed were looked for, and not found. */
struct cache_key cache_key(const struct cache *c, const char *name, size_t name_len, uint16_t qtype,
                           const struct msg_server *server);
bool cache_key_equal(const struct cache_key *a, const struct cache_key *b);

/* The answer, perhaps one that holds no longer (cache_is_fresh); NULL: none, or one that is too old
 * for any use. It is valid until the next cache_put. */
struct cached *cache_find(struct cache *c, const struct cache_key *key, uint64_t now);
bool cache_is_fresh(const struct cached *e, uint64_t now);

/* What the client is told now: with the times that are left, or those of an answer that is stale.
 */
struct answer_view cache_view(const struct cached *e, uint64_t now);

/* Keeps a copy of a, if it holds for any time and is not an eighth of the whole cache; returns it,
 * or NULL. An older answer to the same question goes; if room is needed, those that were not used
 * for longest. */
struct cached *cache_put(struct cache *c, const struct cache_key *key, const struct answer *a,
                         uint64_t now);

/* A name that does not exist has no types, and nothing below it exists (RFC 8020, 2): keeps an
 * NXDOMAIN of name itself (no CNAME led away from it), which was asked for by its A, for all of
 * them; finds the one that holds now for name or a name above it. name is canonical. */
void cache_put_cut(struct cache *c, const char *name, const struct msg_server *server,
                   const struct answer *a, uint64_t now);
struct cached *cache_find_cut(struct cache *c, const char *name, const struct msg_server *server,
                              uint64_t now);
/* Some servers say NXDOMAIN of a name that has no such type (RFC 4074, 4.2): with an AAAA of that
 * name in here none is kept, and what has been kept is dropped when any answer comes. */
void cache_drop_cut(struct cache *c, const char *name, const struct msg_server *server);

void cache_each(struct cache *c, cache_visit_cb *visit, void *arg);
size_t cache_bytes(const struct cache *c);

#endif
