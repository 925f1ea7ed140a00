/* server.c: which server a client asked.
 *
 * Beside the gateway there may be others: the DNS servers of the policy (ADDRESS:53). The rules
 * give the sockets what is sent to them (tproxy, nft/cijail.nft), and the address that was asked
 * goes along with each query, to the dialer, which asks there, and back to the answer, which leaves
 * from there. The policy is asked here once more, so a mistake in the rules opens nothing. In a dry
 * run it may be any server, which is logged. */
#include <string.h>

#include "dnsproxy/dnsproxy.h"

/* GW_IPV4 and GW_IPV6: asked for each packet, so not as text. */
static bool is_gateway(int family, const void *address)
{
    static const uint8_t v4[4] = {192, 0, 0, 1};
    static const uint8_t v6[16] = {0xfd, 0x63, 0x69, 0x6a, 0x61, 0x69, 0, 0x6c, [15] = 1};

    return family == AF_INET ? memcmp(v4, address, sizeof(v4)) == 0
                             : memcmp(v6, address, sizeof(v6)) == 0;
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
