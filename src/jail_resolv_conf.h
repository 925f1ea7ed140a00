/* jail_resolv_conf.h: the text of the jail's resolv.conf(5). */
#ifndef CIJAIL_JAIL_RESOLV_CONF_H
#define CIJAIL_JAIL_RESOLV_CONF_H

#include <stdbool.h>
#include <stddef.h>

#define JAIL_RESOLV_CONF_MAX 4096

/* The gateway as the resolver, by both families or IPv4 alone, and what the host's file says of
 * short names. Returns the length. */
size_t jail_resolv_conf(bool ipv6, char buf[JAIL_RESOLV_CONF_MAX]);

#endif
