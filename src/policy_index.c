/* policy_index.c: hash tables over the names of a policy, and sorted prefixes of its URLs.
 *
 * A pattern is found by the text after its last '*' (a name without one by all of it). Of a name
 * that is asked for, every end that begins with a dot is looked up, and every end at all if some
 * pattern's text does not begin with one ("*-cdn.example"): a walk from the last character to the
 * first, in which each hash is made of the one before. This is what a trie of labels would find,
 * and more. What is found is compared (name_match), so the tables decide nothing but what need not
 * be looked at.
 *
 * Patterns with the same text after the last '*' are in one chain and gone through one by one; a
 * policy that has thousands of "*a.example.*" is as slow as it looks.
 *
 * URLs of the same scheme, port and host are sorted by prefix. All prefixes of a target are among
 * the last one that does not sort after it, and that one's own prefixes, to which each has a link.
 */
#include "src/policy_index.h"

#include <string.h>

#include "src/util.h"

#define NONE UINT32_MAX
#define FNV_PRIME 16777619u
#define EXACT 0x9e3779b9u /* sets whole names apart from ends of names */

struct node {
    uint32_t hash;
    uint32_t value; /* an endpoint, or a group */
    uint32_t next;
};

struct map {
    struct node *nodes;
    uint32_t *buckets; /* NONE: empty; a chain is in ascending order of values */
    uint32_t count, mask;
    bool any_end; /* some pattern's text does not begin with a dot */
};

/* URLs of one scheme, port and host pattern: entries first to first + count - 1. */
struct group {
    uint32_t first, count, lowest;
};

struct url_entry {
    uint32_t endpoint;
    uint32_t parent; /* the longest entry of the group that is a prefix of this one */
};

struct policy_index {
    struct map resolve, name_port, any_port, private, authority;
    struct url_entry *urls;
    struct group *groups;
    uint32_t group_count;
    uint32_t *addresses;
    size_t address_count;
};

/* --- maps --- */

static uint32_t step(uint32_t h, char c)
{
    return (h ^ (unsigned char)c) * FNV_PRIME;
}

static uint32_t salt(unsigned a, unsigned b)
{
    return HASH_START ^ (a << 16 | b) * 0x85ebca6bu;
}

static uint32_t bucket(const struct map *m, uint32_t hash)
{
    return (hash ^ hash >> 15) & m->mask;
}

/* The hash by which a pattern is found. */
static uint32_t pattern_hash(struct map *m, uint32_t start, const char *pattern)
{
    const char *star = strrchr(pattern, '*');
    const char *end = star ? star + 1 : pattern;
    uint32_t h = start;

    for (size_t i = strlen(end); i > 0; i--)
        h = step(h, end[i - 1]);
    if (star && *end && *end != '.')
        m->any_end = true;
    return star ? h : h ^ EXACT;
}

static void map_open(struct map *m, size_t max)
{
    uint32_t size = 16;

    while (size < max)
        size *= 2;
    m->mask = size - 1;
    m->nodes = xcalloc(max ? max : 1, sizeof(*m->nodes));
    m->buckets = xmalloc(size * sizeof(*m->buckets));
    memset(m->buckets, 0xff, size * sizeof(*m->buckets));
}

/* Values come in descending order. */
static void map_add(struct map *m, uint32_t start, const char *pattern, uint32_t value)
{
    uint32_t hash = pattern_hash(m, start, pattern), *at = &m->buckets[bucket(m, hash)];

    m->nodes[m->count] = (struct node){hash, value, *at};
    *at = m->count++;
}

static void map_close(struct map *m)
{
    free(m->nodes);
    free(m->buckets);
}

/* A walk over all values whose patterns may match a name. */
struct walk {
    const struct map *m;
    const char *name;
    size_t left; /* of name, before the end that was looked up */
    uint32_t h;
    uint32_t wanted; /* hash of the chain at hand */
    uint32_t node;
    bool done;
};

static void look_up(struct walk *w, uint32_t hash)
{
    w->wanted = hash;
    w->node = w->m->buckets[bucket(w->m, hash)];
}

static struct walk walk_start(const struct map *m, uint32_t start, const char *name)
{
    struct walk w = {.m = m, .name = name, .left = strlen(name), .h = start};

    if (m->count > 0)
        look_up(&w, start);
    else
        w.done = true;
    return w;
}

/* Goes to the next end of the name; false: there is none. */
static bool walk_on(struct walk *w)
{
    while (!w->done && w->left > 0) {
        char c = w->name[--w->left];

        w->h = step(w->h, c);
        if (c == '.' || w->m->any_end || w->left == 0) {
            look_up(w, w->h);
            return true;
        }
    }
    if (w->done)
        return false;
    w->done = true;
    look_up(w, w->h ^ EXACT);
    return true;
}

/* The next value, or NONE. */
static uint32_t walk_next(struct walk *w)
{
    if (w->m->count == 0)
        return NONE;
    for (;;) {
        while (w->node != NONE) {
            const struct node *n = &w->m->nodes[w->node];

            w->node = n->next;
            if (n->hash == w->wanted)
                return n->value;
        }
        if (!walk_on(w))
            return NONE;
    }
}

/* The first endpoint whose pattern matches. */
static const struct endpoint *first(const struct policy *p, const struct map *m, uint32_t start,
                                    const char *name)
{
    struct walk w = walk_start(m, start, name);
    uint32_t best = NONE, i;

    while ((i = walk_next(&w)) != NONE) {
        if (i >= best) {
            w.node = NONE; /* those behind it come later still */
            continue;
        }
        if (name_match(p->endpoints[i].host, name))
            best = i;
    }
    return best == NONE ? NULL : &p->endpoints[best];
}

/* --- questions --- */

const struct endpoint *policy_index_resolve(const struct policy *p, const char *name)
{
    return first(p, &p->index->resolve, salt(0, 0), name);
}

const struct endpoint *policy_index_name_port(const struct policy *p, const char *name,
                                              uint16_t port)
{
    return first(p, &p->index->name_port, salt(0, port), name);
}

const struct endpoint *policy_index_any_port(const struct policy *p, const char *name)
{
    return first(p, &p->index->any_port, salt(0, 0), name);
}

const struct endpoint *policy_index_private(const struct policy *p, const char *name)
{
    return first(p, &p->index->private, salt(0, 0), name);
}

static int compare_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

size_t policy_index_name_ports(const struct policy *p, const char *name,
                               const struct endpoint **out, size_t max)
{
    struct walk w = walk_start(&p->index->any_port, salt(0, 0), name);
    cleanup_free uint32_t *found = xmalloc((p->index->any_port.count + 1) * sizeof(*found));
    size_t n = 0;
    uint32_t i;

    while ((i = walk_next(&w)) != NONE)
        if (name_match(p->endpoints[i].host, name))
            found[n++] = i;
    qsort(found, n, sizeof(*found), compare_index);
    if (n > max)
        n = max;
    for (size_t k = 0; k < n; k++)
        out[k] = &p->endpoints[found[k]];
    return n;
}

static uint32_t authority_salt(enum url_scheme scheme, enum url_host_kind kind, uint16_t port)
{
    return salt((unsigned)scheme << 4 | (unsigned)kind, port);
}

/* A pattern stands for names alone. */
static bool group_matches(const struct policy *p, const struct group *g, enum url_scheme scheme,
                          const struct url_authority *a)
{
    const struct endpoint *ep = &p->endpoints[g->lowest];

    if (ep->scheme != scheme || ep->port != a->port || ep->host_kind != a->kind)
        return false;
    return a->kind == URL_HOST_NAME ? name_match(ep->host, a->host) : !strcmp(ep->host, a->host);
}

const struct endpoint *policy_index_authority(const struct policy *p, enum url_scheme scheme,
                                              const struct url_authority *a)
{
    const struct policy_index *x = p->index;
    struct walk w = walk_start(&x->authority, authority_salt(scheme, a->kind, a->port), a->host);
    uint32_t best = NONE, i;

    while ((i = walk_next(&w)) != NONE)
        if (x->groups[i].lowest < best && group_matches(p, &x->groups[i], scheme, a))
            best = x->groups[i].lowest;
    return best == NONE ? NULL : &p->endpoints[best];
}

/* The last entry of the group whose prefix does not sort after the target; NONE: none. */
static uint32_t last_before(const struct policy *p, const struct group *g, const char *target)
{
    const struct policy_index *x = p->index;
    uint32_t low = g->first, high = g->first + g->count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (strcmp(p->endpoints[x->urls[mid].endpoint].prefix, target) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low > g->first ? low - 1 : NONE;
}

static bool is_prefix(const char *prefix, const char *text)
{
    return strncmp(prefix, text, strlen(prefix)) == 0;
}

static uint32_t match_prefix(const struct policy *p, const struct group *g, const char *target,
                             policy_accept_cb *accept, const void *arg, uint32_t best)
{
    for (uint32_t i = last_before(p, g, target); i != NONE; i = p->index->urls[i].parent) {
        uint32_t n = p->index->urls[i].endpoint;

        if (n < best && is_prefix(p->endpoints[n].prefix, target) && accept(&p->endpoints[n], arg))
            best = n;
    }
    return best;
}

const struct endpoint *policy_index_url(const struct policy *p, const struct url *url,
                                        policy_accept_cb *accept, const void *arg)
{
    const struct policy_index *x = p->index;
    const struct url_authority *a = &url->authority;
    struct walk w =
        walk_start(&x->authority, authority_salt(url->scheme, a->kind, a->port), a->host);
    uint32_t best = NONE, i;

    while ((i = walk_next(&w)) != NONE)
        if (group_matches(p, &x->groups[i], url->scheme, a))
            best = match_prefix(p, &x->groups[i], url->target, accept, arg, best);
    return best == NONE ? NULL : &p->endpoints[best];
}

size_t policy_index_address_count(const struct policy_index *x)
{
    return x->address_count;
}

const struct endpoint *policy_index_address(const struct policy *p, size_t i)
{
    return &p->endpoints[p->index->addresses[i]];
}

/* --- making it --- */

static int compare_host(const struct endpoint *a, const struct endpoint *b)
{
    if (a->scheme != b->scheme)
        return (int)a->scheme - (int)b->scheme;
    if (a->port != b->port)
        return (int)a->port - (int)b->port;
    if (a->host_kind != b->host_kind)
        return (int)a->host_kind - (int)b->host_kind;
    return strcmp(a->host, b->host);
}

static int compare_url(const void *a, const void *b, void *arg)
{
    const struct endpoint *endpoints = arg;
    uint32_t i = ((const struct url_entry *)a)->endpoint;
    uint32_t k = ((const struct url_entry *)b)->endpoint;
    int r = compare_host(&endpoints[i], &endpoints[k]);

    if (r == 0)
        r = strcmp(endpoints[i].prefix, endpoints[k].prefix);
    return r ? r : (i > k) - (i < k);
}

/* The entry at i, the last one of the group up to now, gets its parent. */
static void link_parent(struct policy_index *x, const struct policy *p, const struct group *g,
                        uint32_t i)
{
    const char *prefix = p->endpoints[x->urls[i].endpoint].prefix;
    uint32_t k = i > g->first ? i - 1 : NONE;

    while (k != NONE && !is_prefix(p->endpoints[x->urls[k].endpoint].prefix, prefix))
        k = x->urls[k].parent;
    x->urls[i].parent = k;
}

static void make_groups(struct policy_index *x, const struct policy *p, uint32_t count)
{
    struct group *g = NULL;

    x->groups = xcalloc(count + 1, sizeof(*x->groups));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = x->urls[i].endpoint;

        if (!g || compare_host(&p->endpoints[n], &p->endpoints[g->lowest]) != 0) {
            g = &x->groups[x->group_count++];
            *g = (struct group){.first = i, .lowest = n};
        }
        if (n < g->lowest)
            g->lowest = n;
        link_parent(x, p, g, i);
        g->count++;
    }
    map_open(&x->authority, x->group_count);
    for (uint32_t i = x->group_count; i > 0; i--) {
        const struct endpoint *ep = &p->endpoints[x->groups[i - 1].lowest];
        map_add(&x->authority, authority_salt(ep->scheme, ep->host_kind, ep->port), ep->host,
                i - 1);
    }
}

static void make_urls(struct policy_index *x, const struct policy *p)
{
    uint32_t count = 0;

    x->urls = xcalloc(p->count + 1, sizeof(*x->urls));
    for (uint32_t i = 0; i < p->count; i++)
        if (p->endpoints[i].kind == ENDPOINT_URL)
            x->urls[count++].endpoint = i;
    qsort_r(x->urls, count, sizeof(*x->urls), compare_url, p->endpoints);
    make_groups(x, p, count);
}

static void add_name(struct policy_index *x, const struct endpoint *ep, uint32_t i)
{
    if (ep->host_kind != URL_HOST_NAME)
        return;
    map_add(&x->resolve, salt(0, 0), ep->host, i);
    if (ep->kind == ENDPOINT_NAME_PORT) {
        map_add(&x->name_port, salt(0, ep->port), ep->host, i);
        map_add(&x->any_port, salt(0, 0), ep->host, i);
    }
    if (ep->private_too)
        map_add(&x->private, salt(0, 0), ep->host, i);
}

struct policy_index *policy_index_new(const struct policy *p)
{
    struct policy_index *x = xcalloc(1, sizeof(*x));

    map_open(&x->resolve, p->count);
    map_open(&x->name_port, p->count);
    map_open(&x->any_port, p->count);
    map_open(&x->private, p->count);
    x->addresses = xcalloc(p->count + 1, sizeof(*x->addresses));
    for (uint32_t i = (uint32_t)p->count; i > 0; i--) {
        const struct endpoint *ep = &p->endpoints[i - 1];
        if (ep->kind == ENDPOINT_URL || ep->kind == ENDPOINT_NAME || ep->kind == ENDPOINT_NAME_PORT)
            add_name(x, ep, i - 1);
    }
    for (uint32_t i = 0; i < p->count; i++)
        if (p->endpoints[i].kind == ENDPOINT_ADDRESS)
            x->addresses[x->address_count++] = i;
    make_urls(x, p);
    return x;
}

void policy_index_free(struct policy_index *x)
{
    if (!x)
        return;
    map_close(&x->resolve);
    map_close(&x->name_port);
    map_close(&x->any_port);
    map_close(&x->private);
    map_close(&x->authority);
    free(x->urls);
    free(x->groups);
    free(x->addresses);
    free(x);
}
