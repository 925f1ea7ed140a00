/* resolv_conf.h: the host's DNS servers, by resolv.conf(5). */
#ifndef CIJAIL_RESOLV_CONF_H
#define CIJAIL_RESOLV_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "src/resolver.h"

#define RESOLV_CONF_SERVERS 3 /* as resolv.conf(5) has it */

struct resolv_conf {
    union resolver_address servers[RESOLV_CONF_SERVERS]; /* at least one: 127.0.0.1 by default */
    size_t count;
    bool tcp;            /* "options use-vc": they are asked by TCP */
    uint64_t looked_ms;  /* now_ms(): when the file was looked at; 0: never */
    uint64_t changed[4]; /* what of stat(2) tells that it is another one */
};

/* An address to a server at that port (host order); false if the text is none. */
bool resolv_conf_address(const char *text, uint16_t port, union resolver_address *out);

/* Reads the file if it has changed, at most once a second. A file that cannot be read counts as an
 * empty one. */
void resolv_conf_update(struct resolv_conf *r);

#endif
