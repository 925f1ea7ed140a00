/* ruleset_policy.c: what of a policy the rules must know: ports of URLs and of raw
 * endpoints, and DNS servers. All are put in order, and what is said twice or overlaps is said
 * once, since a set of the kernel takes no element twice. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "nft/ruleset.h"
#include "src/policy.h"
#include "src/util.h"

/* More than this, and the rules ask for no port: a transaction does not hold any number of them,
 * and the supervisor judges each connection anyway. */
#define RAW_PORTS_MAX 4096

static int compare_ports(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static bool is_url(const struct endpoint *ep)
{
    return ep->kind == ENDPOINT_URL;
}

static bool is_raw(const struct endpoint *ep)
{
    return ep->kind == ENDPOINT_NAME_PORT || policy_is_raw(ep);
}

/* The ports of such endpoints, the extra ones before them. Returns how many; *out is owned. */
static size_t take_ports(uint16_t **out, const struct policy *p,
                         bool (*wanted)(const struct endpoint *), const uint16_t *extra, size_t n)
{
    uint16_t *ports = xcalloc(p->count + n + 1, sizeof(*ports));
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        ports[i] = extra[i];
    for (size_t i = 0; i < p->count; i++)
        if (wanted(&p->endpoints[i]))
            ports[n++] = p->endpoints[i].port;
    qsort(ports, n, sizeof(*ports), compare_ports);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || ports[kept - 1] != ports[i])
            ports[kept++] = ports[i];
    *out = ports;
    return kept;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct ruleset_range *x = a, *y = b;

    return memcmp(x->first, y->first, sizeof(x->first));
}

/* The network of an endpoint as a range. */
static struct ruleset_range range_of(const struct endpoint *ep)
{
    struct ruleset_range range = {{0}, {0}};
    size_t len = ep->family == AF_INET ? 4 : 16;

    memcpy(range.first, &ep->address, len);
    for (size_t i = 0; i < len; i++) {
        unsigned bits = ep->prefix_len > i * 8 ? ep->prefix_len - (unsigned)i * 8 : 0;
        unsigned host = bits >= 8 ? 0 : 0xffu >> bits;
        range.last[i] = (uint8_t)(range.first[i] | host);
    }
    return range;
}

/* Does b begin inside of a, or right behind it? a begins first. */
static bool continues(const struct ruleset_range *a, const struct ruleset_range *b, size_t len)
{
    uint8_t next[16];

    memcpy(next, a->last, sizeof(next));
    for (size_t i = len; i > 0; i--)
        if (++next[i - 1] != 0)
            return memcmp(b->first, next, len) <= 0;
    return true; /* a ends with the last address of all */
}

static void take_servers(struct ruleset_ranges *out, const struct policy *p, int family)
{
    struct ruleset_range *list = xcalloc(p->count + 1, sizeof(*list));
    size_t len = family == AF_INET ? 4 : 16, n = 0, kept = 0;

    for (size_t i = 0; i < p->count; i++)
        if (policy_is_dns_server(&p->endpoints[i]) && p->endpoints[i].family == family)
            list[n++] = range_of(&p->endpoints[i]);
    qsort(list, n, sizeof(*list), compare_ranges);
    for (size_t i = 0; i < n; i++) {
        struct ruleset_range *last = kept ? &list[kept - 1] : NULL;
        if (!last || !continues(last, &list[i], len))
            list[kept++] = list[i];
        else if (memcmp(list[i].last, last->last, len) > 0)
            memcpy(last->last, list[i].last, len);
    }
    *out = (struct ruleset_ranges){list, kept};
}

void ruleset_from_policy(struct ruleset *r, const struct policy *p, bool all)
{
    static const uint16_t usual[] = {80, 443};

    memset(r, 0, sizeof(*r));
    r->url_port_count = take_ports(&r->url_ports, p, is_url, usual, all ? ARRAY_LEN(usual) : 0);
    r->raw_port_count = take_ports(&r->raw_ports, p, is_raw, NULL, 0);
    r->names = policy_has_kind(p, ENDPOINT_NAME_PORT);
    r->raw_all = all || r->raw_port_count > RAW_PORTS_MAX;
    take_servers(&r->dns4, p, AF_INET);
    take_servers(&r->dns6, p, AF_INET6);
}

void ruleset_free(struct ruleset *r)
{
    free(r->url_ports);
    free(r->raw_ports);
    free(r->dns4.list);
    free(r->dns6.list);
    memset(r, 0, sizeof(*r));
}
