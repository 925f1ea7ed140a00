/* url_split.h: the steps of url.c that the policy's words need one by one, since the host of a
 * policy's URL may be a pattern. Nothing here allocates; text is never NUL-terminated; errors as in
 * url.h. */
#ifndef CIJAIL_URL_SPLIT_H
#define CIJAIL_URL_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/error.h"
#include "src/url.h"

struct url_split {
    enum url_scheme scheme;
    const char *authority; /* into the text, without "//" */
    size_t authority_len;
    const char *rest; /* path, query, fragment, as they stand in the text; may be empty */
    size_t rest_len;
};

struct url_split_authority {
    const char *host; /* into the text, not canonical, without brackets */
    size_t host_len;
    bool bracketed; /* [host]: an IPv6 literal */
    uint16_t port;
};

int url_split(const char *text, size_t len, struct url_split *out, struct error *e);

/* HOST[:PORT]. default_port 0: the port is required. */
int url_split_authority(const char *text, size_t len, uint16_t default_port,
                        struct url_split_authority *out, struct error *e);

/* "1" to "65535", plain decimal. */
int url_parse_port(const char *text, size_t len, uint16_t *port, struct error *e);

/* A host to canonical form: into kind and host of out. */
int url_canon_host(const char *host, size_t len, bool bracketed, struct url_authority *out,
                   struct error *e);

/* Refuses a canonical path in which a dot segment appears if it is decoded further, or an overlong
 * UTF-8 form of a character that paths are made of (url_deep.c). */
int url_check_deep(const char *path, size_t len, struct error *e);

/* What follows the authority (it may be empty or begin with '?') to out->target. */
int url_parse_rest(const char *text, size_t len, struct url *out, struct error *e);

#endif
