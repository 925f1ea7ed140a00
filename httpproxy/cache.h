/* cache.h: a bounded map from text to objects; the one that was not used for the longest time goes
 * first. */
#ifndef CIJAIL_HTTPPROXY_CACHE_H
#define CIJAIL_HTTPPROXY_CACHE_H

#include <stddef.h>

#include "src/url.h"

struct cache;

/* Called for each value that leaves the cache. */
typedef void cache_free_cb(void *value);

/* At most max entries (a positive number). Owned by the caller. */
struct cache *cache_new(size_t max, cache_free_cb *release);
void cache_free(struct cache *c);

/* The value of key, which becomes the most recently used one, or NULL. It stays the cache's. */
void *cache_get(struct cache *c, const char *key);

/* Takes over value (never NULL); a former value of that key is released. */
void cache_put(struct cache *c, const char *key, void *value);

/* Releases the value of key, if there is one. */
void cache_remove(struct cache *c, const char *key);

/* The key of what is known of a server by its authority. */
#define CACHE_AUTHORITY_SIZE (URL_HOST_SIZE + 8)
void cache_authority(const struct url_authority *a, char key[CACHE_AUTHORITY_SIZE]);

size_t cache_count(const struct cache *c);

#endif
