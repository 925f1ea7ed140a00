/* covers.c: see covers.h.
 *
 * A pattern covers another if it matches the other's text, each '*' of which is then a character
 * like any: whatever stands in its place is swallowed by the same '*' of the first, since no name
 * holds one itself. */
#include "ctl/covers.h"

#include <string.h>
#include <sys/socket.h>

#include "src/util.h"

static bool host_covers(const struct endpoint *a, const struct endpoint *b)
{
    if (a->host_kind != b->host_kind)
        return false;
    if (a->host_kind != URL_HOST_NAME)
        return strcmp(a->host, b->host) == 0;
    return name_match(a->host, b->host);
}

static bool methods_cover(const struct endpoint *a, const struct endpoint *b)
{
    if (b->method_count == 0)
        return a->method_count == 0;
    for (size_t i = 0; i < b->method_count; i++)
        if (!policy_endpoint_has_method(a, b->methods[i]))
            return false;
    return true;
}

static bool url_covers(const struct endpoint *a, const struct endpoint *b)
{
    return a->scheme == b->scheme && a->port == b->port && host_covers(a, b) &&
           methods_cover(a, b) && strncmp(a->prefix, b->prefix, strlen(a->prefix)) == 0;
}

static bool network_covers(const struct endpoint *a, const struct endpoint *b)
{
    const unsigned char *x = (const unsigned char *)&a->address,
                        *y = (const unsigned char *)&b->address;
    unsigned whole = a->prefix_len / 8, rest = a->prefix_len % 8;

    return a->family == b->family && a->port == b->port && a->prefix_len <= b->prefix_len &&
           memcmp(x, y, whole) == 0 && (rest == 0 || (x[whole] ^ y[whole]) >> (8 - rest) == 0) &&
           /* 0.0.0.0/0 does not mean what is local: cijail-policy(5) */
           policy_is_loopback(a) == policy_is_loopback(b) &&
           (a->prefix_len == b->prefix_len || a->prefix_len >= 8);
}

bool endpoint_covers(const struct endpoint *a, const struct endpoint *b)
{
    if (b->kind == ENDPOINT_NAME)
        return policy_endpoint_resolves(a) && name_match(a->host, b->host) &&
               (!b->private_too || a->private_too);
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case ENDPOINT_URL:
        return url_covers(a, b);
    case ENDPOINT_NAME_PORT:
        return a->port == b->port && name_match(a->host, b->host);
    case ENDPOINT_ADDRESS:
        return network_covers(a, b);
    case ENDPOINT_UNIX:
    case ENDPOINT_ABSTRACT:
        return strcmp(a->path, b->path) == 0;
    default:
        return true; /* [netlink] */
    }
}

const struct endpoint *policy_covers(const struct policy *p, const struct endpoint *ep)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct endpoint *other = &p->endpoints[i];
        if (other != ep && endpoint_covers(other, ep) &&
            (other < ep || !endpoint_covers(ep, other)))
            return other;
    }
    return NULL;
}
