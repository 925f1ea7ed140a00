/* server.c: which server a client asked.
 *
 * Beside the gateway there may be others: the DNS servers of the policy (ADDRESS:53). The rules
 * give the sockets what is sent to them (tproxy, nft/cijail.nft), and the address that was asked
 * goes along with each query, to the dialer, which asks there, and back to the answer, which leaves
 * from there. The policy is asked here once more, so a mistake in the rules opens nothing. In a dry
 * run it may be any server, which is logged. */
#include <arpa/inet.h>
#include <string.h>

#include "dnsproxy/dnsproxy.h"
#include "src/net.h"

static bool is_gateway(int family, const void *address)
{
    uint8_t own[16];

    return inet_pton(family, family == AF_INET ? GW_IPV4 : GW_IPV6, own) == 1 &&
           memcmp(own, address, family == AF_INET ? 4 : 16) == 0;
}

bool server_identify(const struct policy *p, const struct sockaddr *sa, struct msg_server *out)
{
    const void *address;

    memset(out, 0, sizeof(*out));
    if (sa->sa_family == AF_INET)
        address = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
    else if (sa->sa_family == AF_INET6)
        address = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
    else
        return false;
    if (is_gateway(sa->sa_family, address))
        return true;
    if (!policy_passes_dns_server(p, sa->sa_family, address))
        return false;
    out->family = (uint8_t)sa->sa_family;
    memcpy(out->address, address, sa->sa_family == AF_INET ? 4 : 16);
    return true;
}
