/* policy_raw.c: what a policy says about connections whose bytes are nobody's business: NAME:PORT
 * and ADDRESS:PORT.
 *
 * Where a URL endpoint and one of these have the same host and port, these win: they allow more. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "src/policy.h"
#include "src/policy_index.h"
#include "src/util.h"

static bool names_port(const struct endpoint *ep, uint16_t port)
{
    return ep->kind == ENDPOINT_NAME_PORT && ep->port == port;
}

const struct endpoint *policy_match_name_port(const struct policy *p, const char *name,
                                              uint16_t port)
{
    if (p->index)
        return policy_index_name_port(p, name, port);
    for (size_t i = 0; i < p->count; i++)
        if (names_port(&p->endpoints[i], port) && name_match(p->endpoints[i].host, name))
            return &p->endpoints[i];
    return NULL;
}

bool policy_has_name_port(const struct policy *p, uint16_t port)
{
    for (size_t i = 0; i < p->count; i++)
        if (names_port(&p->endpoints[i], port))
            return true;
    return false;
}

bool policy_has_ports(const struct policy *p, const char *name)
{
    const struct endpoint *ep;

    return p->index ? policy_index_any_port(p, name) != NULL
                    : policy_name_ports(p, name, &ep, 1) > 0;
}

static size_t list_name_ports(const struct policy *p, const char *name, const struct endpoint **out,
                              size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < p->count && n < max; i++)
        if (p->endpoints[i].kind == ENDPOINT_NAME_PORT && name_match(p->endpoints[i].host, name))
            out[n++] = &p->endpoints[i];
    return n;
}

/* Of several endpoints of one port the first counts. */
size_t policy_name_ports(const struct policy *p, const char *name, const struct endpoint **out,
                         size_t max)
{
    size_t all =
        p->index ? policy_index_name_ports(p, name, out, max) : list_name_ports(p, name, out, max);
    size_t n = 0;

    for (size_t i = 0; i < all; i++)
        if (policy_match_name_port(p, name, out[i]->port) == out[i])
            out[n++] = out[i];
    return n;
}

const struct endpoint *policy_match_raw(const struct policy *p, const struct url_authority *a)
{
    uint8_t address[16];
    int family = a->kind == URL_HOST_IPV4 ? AF_INET : AF_INET6;

    if (a->kind == URL_HOST_NAME)
        return policy_match_name_port(p, a->host, a->port);
    if (inet_pton(family, a->host, address) != 1)
        return NULL;
    return policy_match_address(p, family, address, a->port);
}

bool policy_allows_private(const struct policy *p, const char *name)
{
    if (p->index)
        return policy_index_private(p, name) != NULL;
    for (size_t i = 0; i < p->count; i++)
        if (p->endpoints[i].private_too && name_match(p->endpoints[i].host, name))
            return true;
    return false;
}
