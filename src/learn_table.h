/* learn_table.h: distinct texts and how often they were seen, bounded; and what learn.c shares with
 * learn_text.c. */
#ifndef CIJAIL_LEARN_TABLE_H
#define CIJAIL_LEARN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/learn.h"
#include "src/learn_fold.h"
#include "src/search_list.h"

struct learn_entry {
    char *key;
    char *value;   /* or NULL */
    uint32_t bits; /* URLs: methods */
    struct learn_use use;
    struct learn_entry *next; /* in its bucket */
};

struct learn_table {
    struct learn_entry **buckets; /* a power of two */
    size_t bucket_count;
    size_t count, max, bytes;
    uint64_t lost; /* events that found no room */
};

void learn_table_init(struct learn_table *t, size_t max);
void learn_table_free(struct learn_table *t);

/* Counts key up. False, and lost counts up, if it is new and there is no room. */
bool learn_table_add(struct learn_table *t, const char *key, uint32_t bits,
                     const struct learn_use *use);
/* key has that value from here on, if there is room. */
void learn_table_set(struct learn_table *t, const char *key, const char *value);
const struct learn_entry *learn_table_find(const struct learn_table *t, const char *key);

/* The entries, sorted by key; the list is the caller's. */
const struct learn_entry **learn_table_sorted(const struct learn_table *t);

/* All together fit into a policy (POLICY_ENDPOINTS_MAX). */
#define LEARN_URLS_MAX 65536
#define LEARN_URL_BYTES_MAX (32u << 20)
#define LEARN_OTHERS_MAX 8192 /* of each other kind */
#define LEARN_DENIED_MAX 1024
#define LEARN_URL_SIZE 3600 /* with methods, it is a word of a policy */
#define LEARN_METHODS 16
#define LEARN_METHOD_ANY (1u << 31) /* one that cannot be listed */

struct learn {
    const struct options *options;
    const struct policy *policy;
    char (*methods)[POLICY_METHOD_SIZE];          /* LEARN_METHODS; bit i of an entry is the i-th */
    size_t segments_max;                          /* URLs are cut to so many folders */
    struct learn_table urls, names, raw, sockets; /* used; all but urls are words of a policy */
    struct learn_table denied;                    /* what a comment says of it */
    struct learn_table denied_urls;
    struct learn_table addresses; /* that lookups returned; the value is the name */
    struct search_list search;
    int64_t started;
    int folder; /* of FILE, and its name there; -1: file is open instead */
    int file;   /* a pipe or a device: written as it is */
    char *name;
};

/* Without a file. */
struct learn *learn_new(const struct options *options, const struct policy *policy);

/* Fewer, coarser URLs: the deepest are cut to their folder. False if there is nothing to cut. */
bool learn_coarsen(struct learn *l);

#endif
