/* url.h: URLs in their one canonical form (RFC 3986, 6.2; RFC 9110, 4.2.3).
 *
 * Scheme and host lower case, IDNA to A-labels, default port dropped, no trailing dot, dot segments
 * removed, percent-encodings of unreserved characters decoded and all others with upper-case hex
 * digits, characters that may not stand in a URI percent-encoded. The form that is judged is the
 * form that is sent upstream.
 *
 * Refused as ambiguous: userinfo; fragment; backslash or NUL in the path, raw or encoded; control
 * characters, spaces, bad percent-encodings; an IPv4 address not in dotted-quad decimal (octal,
 * hex, short forms); a port that is not 1-65535 in plain decimal. An encoded slash (%2F) in the
 * path is kept as it is, since npm's scoped packages (/@scope%2fname) need it, and refused where
 * decoding it would make a dot segment or an empty segment; such a URL must match the policy both
 * with %2F kept and with it decoded (url_decoded_slashes). In the query it means nothing and is
 * kept. "%25" is a '%', and kept; but a path in which decoding once more, or four times, makes a
 * dot segment ("%252e%252e", "..%252f") is refused, and so are overlong UTF-8 forms ("%c0%ae"). */
#ifndef CIJAIL_URL_H
#define CIJAIL_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/error.h"
#include "src/name.h"

#define URL_TARGET_MAX 16384 /* path and query of a canonical URL */
#define URL_HOST_SIZE NAME_SIZE
#define URL_TEXT_SIZE (URL_TARGET_MAX + URL_HOST_SIZE + 32)

enum url_scheme { URL_HTTP = 1, URL_HTTPS = 2 };
enum url_host_kind { URL_HOST_NAME, URL_HOST_IPV4, URL_HOST_IPV6 };

/* The authority alone: what is resolved, connected to and compared with Host and SNI. */
struct url_authority {
    enum url_host_kind kind;
    uint16_t port;            /* host byte order, never 0 once canonical */
    char host[URL_HOST_SIZE]; /* canonical; IPv6 without brackets, RFC 5952 text */
};

struct url {
    enum url_scheme scheme;
    struct url_authority authority;
    size_t target_len;               /* strlen(target) */
    char target[URL_TARGET_MAX + 1]; /* path[?query], begins with '/' */
};

const char *url_scheme_name(enum url_scheme scheme); /* "http", "https" */
uint16_t url_default_port(enum url_scheme scheme);   /* 80, 443 */

/* An absolute URL ("https://HOST[:PORT][/PATH][?QUERY]") to canonical form. No path means "/".
 * -EINVAL and the reason; -ENAMETOOLONG over the bounds. */
int url_parse(const char *text, size_t len, struct url *out, struct error *e);

/* HOST[:PORT] (Host field, CONNECT target). default_port 0: the port is required. */
int url_parse_authority(const char *text, size_t len, uint16_t default_port,
                        struct url_authority *out, struct error *e);

/* An origin-form target (RFC 9112, 3.2.1) to canonical form, into out->target; the rest of out is
 * not touched. */
int url_parse_target(const char *text, size_t len, struct url *out, struct error *e);

/* The canonical text into buf; returns its length, or -ENOSPC. */
int url_format(const struct url *u, char *buf, size_t size);

/* "host", "host:port", "[v6]:port" as a Host field has it: the port only if it is not scheme's
 * default. */
int url_format_host(const struct url_authority *a, enum url_scheme scheme, char *buf, size_t size);

bool url_authority_equal(const struct url_authority *a, const struct url_authority *b);

/* If the path holds %2F: writes the target with these decoded into buf (size URL_TARGET_MAX + 1)
 * and returns true; else returns false. */
bool url_decoded_slashes(const struct url *u, char *buf);

#endif
