/* resolv_conf.h: the host's DNS servers, by resolv.conf(5). */
#ifndef CIJAIL_RESOLV_CONF_H
#define CIJAIL_RESOLV_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "src/resolver.h"

/* As resolv.conf(5) has them. */
#define RESOLV_CONF_SERVERS 3
#define RESOLV_CONF_TIMEOUT 5 /* seconds, if not said */
#define RESOLV_CONF_TIMEOUT_MAX 30
#define RESOLV_CONF_ATTEMPTS_MAX 5

struct resolv_conf {
    union resolver_address servers[RESOLV_CONF_SERVERS]; /* at least one: 127.0.0.1 by default */
    size_t count;
    bool tcp;            /* "options use-vc": they are asked by TCP */
    bool rotate;         /* each question begins with the next one */
    unsigned timeout_s;  /* of an attempt; 0: not said */
    unsigned attempts;   /* at each server; 0: not said */
    uint64_t looked_ms;  /* now_ms(): when the file was looked at; 0: never */
    uint64_t changed[4]; /* what of stat(2) tells that it is another one */
};

/* An address to a server at that port (host order); false if the text is none. */
bool resolv_conf_address(const char *text, uint16_t port, union resolver_address *out);

/* The text of such a file, which is changed; into r but for what tells of the file. */
void resolv_conf_parse(struct resolv_conf *r, char *text);

/* Reads the file if it has changed, at most once a second. A file that cannot be read counts as an
 * empty one. */
void resolv_conf_update(struct resolv_conf *r);

#endif
