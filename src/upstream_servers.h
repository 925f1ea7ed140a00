/* upstream_servers.h: the DNS servers that --upstream names, in the place of resolv.conf(5)'s. */
#ifndef CIJAIL_UPSTREAM_SERVERS_H
#define CIJAIL_UPSTREAM_SERVERS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/error.h"
#include "src/msg.h"
#include "src/name.h"
#include "src/resolver.h"

#define UPSTREAM_SERVERS_MAX MSG_TLS_SERVERS

struct upstream_servers {
    bool tls; /* all of them, or none */
    size_t count;
    struct {
        union resolver_address address; /* with its port */
        char text[INET6_ADDRSTRLEN];    /* of the address, without a zone */
        char name[NAME_SIZE]; /* canonical: that the certificate is for; "": the address */
    } at[UPSTREAM_SERVERS_MAX];
};

/* Adds ADDRESS[:PORT] (port 53), or tls://ADDRESS[:PORT][#NAME] (port 853: RFC 7858); an IPv6
 * address with a port is in brackets. 0, or -EINVAL and the reason. */
int upstream_servers_add(struct upstream_servers *s, const char *word, struct error *e);

#endif
