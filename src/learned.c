/* learned.c: NAME:PORT for clients that connect to addresses.
 *
 * dnsproxy says what it is about to answer (MSG_LEARN) before it does, so when a client connects to
 * an address that it was told, the supervisor knows why. Sets of the rules (nftables) that are
 * filled with these addresses would do the same, but would need a process that may change the rules
 * as long as the jail lives, and an answer that waits for it; here nobody has that right, and there
 * is nothing to wait for: what the rules hold for a judgement is judged by this table.
 *
 * What dnsproxy says is not believed as it stands: the name must have an endpoint, and the address
 * must be a public one. (An address that the policy itself names needs no lookup.)
 *
 * The table is a hash of (family, address, port), seeded, with chains; its entries stand in one
 * array, and a heap by expiry makes room: an expired one, or the one that expires first. A lookup
 * costs the length of a chain, an insertion the heap's logarithm. */
#include "src/learned.h"

#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "src/address.h"
#include "src/util.h"

#define BUCKETS LEARNED_MAX
#define NONE UINT32_MAX

struct key {
    uint8_t address[16];
    uint16_t port;
    uint16_t family;
};

struct entry {
    struct key key;
    const struct endpoint *endpoint;
    char *name;
    uint64_t expires;
    uint32_t next; /* in its bucket */
    uint32_t at;   /* in the heap */
};

struct learned {
    const struct policy *policy;
    uint64_t (*clock)(void);
    void (*catch_up)(void *arg);
    void *arg;
    uint32_t seed, count, capacity;
    struct entry *entries; /* count of them, in no order */
    uint32_t *heap;        /* entries, the one that expires first at 0 */
    uint32_t *buckets;     /* BUCKETS; NULL until something is learned: most jails have no use */
};

static struct key make_key(int family, const void *address, uint16_t port)
{
    struct key k = {.port = port, .family = (uint16_t)family};

    memcpy(k.address, address, family == AF_INET ? 4 : 16);
    return k;
}

static uint32_t bucket_of(const struct learned *l, const struct key *k)
{
    uint32_t h = hash_bytes(HASH_START ^ l->seed, k, sizeof(*k));

    return (h ^ h >> 15) % BUCKETS;
}

static uint32_t find(const struct learned *l, const struct key *k)
{
    uint32_t i = l->buckets ? l->buckets[bucket_of(l, k)] : NONE;

    while (i != NONE && memcmp(&l->entries[i].key, k, sizeof(*k)) != 0)
        i = l->entries[i].next;
    return i;
}

/* --- the heap --- */

static void put_at(struct learned *l, uint32_t at, uint32_t entry)
{
    l->heap[at] = entry;
    l->entries[entry].at = at;
}

static uint64_t expiry_at(const struct learned *l, uint32_t at)
{
    return l->entries[l->heap[at]].expires;
}

static void swap(struct learned *l, uint32_t a, uint32_t b)
{
    uint32_t entry = l->heap[a];

    put_at(l, a, l->heap[b]);
    put_at(l, b, entry);
}

static void sift_up(struct learned *l, uint32_t at)
{
    while (at > 0 && expiry_at(l, at) < expiry_at(l, (at - 1) / 2)) {
        swap(l, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct learned *l, uint32_t at)
{
    for (;;) {
        uint32_t child = at * 2 + 1;

        if (child >= l->count)
            return;
        if (child + 1 < l->count && expiry_at(l, child + 1) < expiry_at(l, child))
            child++;
        if (expiry_at(l, at) <= expiry_at(l, child))
            return;
        swap(l, at, child);
        at = child;
    }
}

/* --- entries --- */

/* The link that leads to that entry. */
static uint32_t *link_to(struct learned *l, uint32_t entry)
{
    uint32_t *link = &l->buckets[bucket_of(l, &l->entries[entry].key)];

    while (*link != entry)
        link = &l->entries[*link].next;
    return link;
}

/* Drops the entry that expires first; the last of the array takes its place. */
static void drop_first(struct learned *l)
{
    uint32_t gone = l->heap[0], last = l->count - 1;

    swap(l, 0, last);
    l->count--;
    sift_down(l, 0);
    *link_to(l, gone) = l->entries[gone].next;
    free(l->entries[gone].name);
    if (gone == last)
        return;
    *link_to(l, last) = gone;
    l->entries[gone] = l->entries[last];
    l->heap[l->entries[gone].at] = gone;
}

static void grow(struct learned *l)
{
    if (!l->buckets) {
        l->buckets = xmalloc(BUCKETS * sizeof(*l->buckets));
        memset(l->buckets, 0xff, BUCKETS * sizeof(*l->buckets));
    }
    if (l->count < l->capacity)
        return;
    l->capacity = l->capacity ? l->capacity * 2 : 64;
    l->entries = xrealloc(l->entries, l->capacity * sizeof(*l->entries));
    l->heap = xrealloc(l->heap, l->capacity * sizeof(*l->heap));
}

static void insert(struct learned *l, const struct key *k, const struct endpoint *ep,
                   const char *name, uint64_t expires)
{
    uint32_t *bucket = &l->buckets[bucket_of(l, k)];
    uint32_t i = l->count++;

    l->entries[i] = (struct entry){
        .key = *k, .endpoint = ep, .name = xstrdup(name), .expires = expires, .next = *bucket};
    *bucket = i;
    put_at(l, i, i);
    sift_up(l, i);
}

/* Known already: good for the longer of both times. */
static void renew(struct learned *l, uint32_t i, const struct endpoint *ep, const char *name,
                  uint64_t expires)
{
    struct entry *entry = &l->entries[i];

    if (expires < entry->expires)
        return;
    if (strcmp(entry->name, name) != 0) {
        free(entry->name);
        entry->name = xstrdup(name);
    }
    entry->endpoint = ep;
    entry->expires = expires;
    sift_down(l, entry->at);
}

static void learn(struct learned *l, const struct key *k, const struct endpoint *ep,
                  const char *name, uint64_t expires)
{
    uint32_t i = find(l, k);

    if (i != NONE) {
        renew(l, i, ep, name, expires);
        return;
    }
    if (l->count == LEARNED_MAX)
        drop_first(l);
    grow(l);
    insert(l, k, ep, name, expires);
}

/* --- public --- */

struct learned *learned_new(const struct policy *policy, uint64_t (*clock)(void),
                            void (*catch_up)(void *arg), void *arg)
{
    struct learned *l = xcalloc(1, sizeof(*l));

    l->policy = policy;
    l->clock = clock;
    l->catch_up = catch_up;
    l->arg = arg;
    if (getrandom(&l->seed, sizeof(l->seed), 0) != sizeof(l->seed))
        die("getrandom failed");
    return l;
}

void learned_free(struct learned *l)
{
    if (!l)
        return;
    for (uint32_t i = 0; i < l->count; i++)
        free(l->entries[i].name);
    free(l->buckets);
    free(l->entries);
    free(l->heap);
    free(l);
}

static bool may_have(const struct policy *p, const char *name, int family, const void *address)
{
    enum address_class class = address_classify(family, address);

    return class == ADDRESS_PUBLIC || (class == ADDRESS_PRIVATE && policy_allows_private(p, name));
}

static void learn_addresses(struct learned *l, const struct msg_learn *m, const struct endpoint *ep,
                            uint64_t expires)
{
    for (size_t i = 0; i < m->count; i++) {
        struct key k = make_key(m->family, m->address[i], ep->port);

        if (may_have(l->policy, m->name, m->family, m->address[i]))
            learn(l, &k, ep, m->name, expires);
    }
}

void learned_add(struct learned *l, const struct msg_learn *m)
{
    const struct policy *p = l->policy;
    uint64_t now = l->clock();
    uint32_t ttl = m->ttl < LEARNED_TTL_MIN ? LEARNED_TTL_MIN : m->ttl;
    UNINITIALIZED const struct endpoint *endpoints[LEARNED_PORTS_MAX];
    size_t ports;

    if (ttl > LEARNED_TTL_MAX)
        ttl = LEARNED_TTL_MAX;
    while (l->count > 0 && expiry_at(l, 0) <= now)
        drop_first(l);
    ports = policy_name_ports(p, m->name, endpoints, LEARNED_PORTS_MAX);
    for (size_t i = 0; i < ports; i++)
        learn_addresses(l, m, endpoints[i], now + (uint64_t)ttl * 1000);
}

const struct endpoint *learned_match(const struct learned *l, int family, const void *address,
                                     uint16_t port, const char **name)
{
    struct key k = make_key(family, address, port);
    uint32_t i = find(l, &k);

    if (i == NONE || l->entries[i].expires <= l->clock())
        return NULL;
    if (name)
        *name = l->entries[i].name;
    return l->entries[i].endpoint;
}

const struct endpoint *learned_match_latest(struct learned *l, int family, const void *address,
                                            uint16_t port, const char **name)
{
    const struct endpoint *ep = learned_match(l, family, address, port, name);

    if (ep || !l->catch_up)
        return ep;
    l->catch_up(l->arg);
    return learned_match(l, family, address, port, name);
}
