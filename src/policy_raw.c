/* policy_raw.c: what a policy says about connections whose bytes are nobody's business: NAME:PORT
 * and ADDRESS:PORT.
 *
 * Where a URL endpoint and one of these have the same host and port, these win: they allow more. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "src/policy.h"

static bool names_port(const struct endpoint *ep, uint16_t port)
{
    return ep->kind == ENDPOINT_NAME_PORT && ep->port == port;
}

const struct endpoint *policy_match_name_port(const struct policy *p, const char *name,
                                              uint16_t port)
{
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
