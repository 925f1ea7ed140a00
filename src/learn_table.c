#include "src/learn_table.h"

#include <string.h>

#include "src/util.h"

#define BUCKETS 16384

void learn_table_init(struct learn_table *t, size_t max)
{
    *t = (struct learn_table){.max = max};
    t->buckets = xcalloc(BUCKETS, sizeof(struct learn_entry *));
}

void learn_table_free(struct learn_table *t)
{
    for (size_t i = 0; t->buckets && i < BUCKETS; i++)
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
    uint32_t h = 2166136261u; /* FNV-1a */

    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 16777619u;
    return &t->buckets[(h ^ h >> 16) % BUCKETS];
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

bool learn_table_add(struct learn_table *t, const char *key, uint32_t bits,
                     const struct learn_use *use)
{
    struct learn_entry *e = find(t, key), **bucket = bucket_of(t, key);

    if (!e && t->count >= t->max) {
        t->lost += use->count;
        return false;
    }
    if (!e) {
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

    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct learn_entry *e = t->buckets[i]; e; e = e->next)
            list[n++] = e;
    qsort(list, n, sizeof(*list), compare);
    return list;
}
