/* address.h: which IP addresses a public name may not point to (DNS rebinding). */
#ifndef CIJAIL_ADDRESS_H
#define CIJAIL_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum address_class {
    ADDRESS_PUBLIC = 0, /* routed, or a documentation range */
    ADDRESS_PRIVATE,    /* RFC 1918, RFC 6598, fc00::/7 */
    ADDRESS_LOCAL, /* loopback, link-local, clouds' metadata, unspecified, multicast, broadcast, the
                      jail's link */
};

/* Class of an address; data: 4 or 16 bytes in network order by family. IPv6 forms that embed an
 * IPv4 address (mapped, compatible, translated, NAT64, 6to4, Teredo) are classed by that address.
 */
enum address_class address_classify(int family, const void *data);

/* The same of a sockaddr_in or sockaddr_in6. */
enum address_class address_classify_sockaddr(const struct sockaddr *sa);

/* This host itself by any spelling: loopback, unspecified, and IPv6 forms that embed such. */
bool address_is_loopback(int family, const void *data);

/* Has the connected socket the same address at both ends? It leads to this host itself then. */
bool address_leads_here(int fd);

#define ADDRESS_TEXT_SIZE 64 /* "[v6]:port" */

/* "a.b.c.d:port" or "[v6]:port"; port 0 is left out. */
void address_format(int family, const void *data, unsigned port, char out[ADDRESS_TEXT_SIZE]);

#endif
