#include "src/learn_table.h"

#include <string.h>

#include "src/util.h"

#define BUCKETS_MIN 64

void learn_table_init(struct learn_table *t, size_t max)
{
    *t = (struct learn_table){.max = max, .bucket_count = BUCKETS_MIN};
    t->buckets = xcalloc(BUCKETS_MIN, sizeof(struct learn_entry *));
}

void learn_table_free(struct learn_table *t)
{
    for (size_t i = 0; i < t->bucket_count; i++)
        for (struct learn_entry *e = t->buckets[i], *next; e; e = next) {
            next = e->next;
            free(e->key);
            free(e->value);
            free(e);
        }
    free(t->buckets);
    *t = (struct learn_table){.max = t->max};
}

static struct learn_entry **bucket_of(const struct learn_table *t, const char *key)
{
    uint32_t h = hash_bytes(HASH_START, key, strlen(key));

    return &t->buckets[(h ^ h >> 16) & (t->bucket_count - 1)];
}

static struct learn_entry *find(const struct learn_table *t, const char *key)
{
    struct learn_entry *e = *bucket_of(t, key);

    while (e && strcmp(e->key, key) != 0)
        e = e->next;
    return e;
}

const struct learn_entry *learn_table_find(const struct learn_table *t, const char *key)
{
    return find(t, key);
}

void learn_table_set(struct learn_table *t, const char *key, const char *value)
{
    const struct learn_use use = {.count = 1};
    struct learn_entry *e;

    if (!learn_table_add(t, key, 0, &use))
        return;
    e = find(t, key);
    free(e->value);
    e->value = xstrdup(value);
}

/* Twice the buckets. */
static void grow(struct learn_table *t)
{
    struct learn_entry **old = t->buckets;
    size_t n = t->bucket_count;

    t->bucket_count *= 2;
    t->buckets = xcalloc(t->bucket_count, sizeof(struct learn_entry *));
    for (size_t i = 0; i < n; i++)
        for (struct learn_entry *e = old[i], *next; e; e = next) {
            struct learn_entry **bucket = bucket_of(t, e->key);
            next = e->next;
            e->next = *bucket;
            *bucket = e;
        }
    free(old);
}

bool learn_table_add(struct learn_table *t, const char *key, uint32_t bits,
                     const struct learn_use *use)
{
    struct learn_entry *e = find(t, key), **bucket;

    if (!e && t->count >= t->max) {
        t->lost += use->count;
        return false;
    }
    if (!e) {
        if (t->count >= t->bucket_count)
            grow(t);
        bucket = bucket_of(t, key);
        e = xcalloc(1, sizeof(*e));
        e->key = xstrdup(key);
        e->next = *bucket;
        *bucket = e;
        t->count++;
        t->bytes += strlen(key) + sizeof(*e);
    }
    e->bits |= bits;
    learn_use_add(&e->use, use);
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct learn_entry *const *x = a, *const *y = b;

    return strcmp((*x)->key, (*y)->key);
}

const struct learn_entry **learn_table_sorted(const struct learn_table *t)
{
    const struct learn_entry **list = xcalloc(t->count + 1, sizeof(const struct learn_entry *));
    size_t n = 0;

    for (size_t i = 0; i < t->bucket_count; i++)
        for (const struct learn_entry *e = t->buckets[i]; e; e = e->next)
            list[n++] = e;
    qsort(list, n, sizeof(const struct learn_entry *), compare);
    return list;
}
