/* url.c: URLs and authorities to one canonical form; the path and the query are in url_target.c.
 *
 * An attack on a URL filter is a text that the filter and the server read differently. So nothing
 * is repaired here: the text is cut by the grammar of RFC 3986, each part must be what the grammar
 * says, and where parsers in use are known to disagree (userinfo, backslashes, an IPv4 address in
 * octal or hex, a zone id, an empty port) the URL is refused. What is left has one form; that is
 * judged, and that is sent. */
#include "src/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/url_split.h"
#include "src/util.h"

const char *url_scheme_name(enum url_scheme scheme)
{
    return scheme == URL_HTTPS ? "https" : "http";
}

uint16_t url_default_port(enum url_scheme scheme)
{
    return scheme == URL_HTTPS ? 443 : 80;
}

static bool is_scheme_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
}

/* RFC 3986, 3.1. *len is then the scheme's length, the ':' not counted. */
static int split_scheme(const char *text, size_t text_len, enum url_scheme *scheme, size_t *len,
                        struct error *e)
{
    size_t n = 0;

    while (n < text_len && is_scheme_char(text[n]))
        n++;
    if (n == 0 || n == text_len || text[n] != ':')
        return error_set(e, EINVAL, "not an absolute URL: it has no scheme");
    if (n == 4 && strncasecmp(text, "http", n) == 0)
        *scheme = URL_HTTP;
    else if (n == 5 && strncasecmp(text, "https", n) == 0)
        *scheme = URL_HTTPS;
    else
        return error_set(e, EINVAL, "the scheme of the URL is neither http nor https");
    *len = n;
    return 0;
}

int url_split(const char *text, size_t len, struct url_split *out, struct error *e)
{
    size_t n = 0, end;
    int r = split_scheme(text, len, &out->scheme, &n, e);

    if (r < 0)
        return r;
    if (len - n < 3 || memcmp(text + n, "://", 3) != 0)
        return error_set(e, EINVAL, "'//' is missing after the scheme of the URL");
    n += 3;
    for (end = n; end < len && text[end] != '/' && text[end] != '?' && text[end] != '#';)
        end++;
    out->authority = text + n;
    out->authority_len = end - n;
    out->rest = text + end;
    out->rest_len = len - end;
    return 0;
}

int url_parse_port(const char *text, size_t len, uint16_t *port, struct error *e)
{
    unsigned v = 0;

    if (len == 0)
        return error_set(e, EINVAL, "the port is empty");
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return error_set(e, EINVAL, "the port is not a decimal number");
        if (v <= UINT16_MAX)
            v = v * 10 + (unsigned)(text[i] - '0');
    }
    if (v == 0 || v > UINT16_MAX)
        return error_set(e, EINVAL, "the port is not from 1 to 65535");
    if (text[0] == '0')
        return error_set(e, EINVAL, "the port has a leading zero");
    *port = (uint16_t)v;
    return 0;
}

/* [host] and what follows it, or host up to its only ':'. *rest is what follows the host. */
static int split_host(const char *text, size_t len, struct url_split_authority *out,
                      const char **rest, struct error *e)
{
    const char *end = text + len;
    const char *p;

    out->bracketed = text[0] == '[';
    if (out->bracketed) {
        p = memchr(text, ']', len);
        if (!p)
            return error_set(e, EINVAL, "'[' without ']' in the host");
        out->host = text + 1;
        *rest = p + 1;
    } else {
        p = memchr(text, ':', len);
        if (p && memchr(p + 1, ':', (size_t)(end - p - 1)))
            return error_set(e, EINVAL,
                             "the host has more than one ':' (an IPv6 address needs brackets)");
        p = p ? p : end;
        out->host = text;
        *rest = p;
    }
    out->host_len = (size_t)(p - out->host);
    return out->host_len > 0 ? 0 : error_set(e, EINVAL, "the host is empty");
}

int url_split_authority(const char *text, size_t len, uint16_t default_port,
                        struct url_split_authority *out, struct error *e)
{
    const char *end = text + len;
    const char *rest = end;
    int r;

    if (len == 0)
        return error_set(e, EINVAL, "the host is empty");
    if (memchr(text, '@', len))
        return error_set(e, EINVAL, "userinfo ('@') before the host is refused");
    if (memchr(text, '\\', len))
        return error_set(e, EINVAL, "a backslash in the host is refused");
    r = split_host(text, len, out, &rest, e);
    if (r < 0)
        return r;
    if (rest == end && default_port == 0)
        return error_set(e, EINVAL, "the port is missing");
    if (rest == end) {
        out->port = default_port;
        return 0;
    }
    if (*rest != ':')
        return error_set(e, EINVAL, "only ':PORT' may follow the ']'");
    return url_parse_port(rest + 1, (size_t)(end - rest - 1), &out->port, e);
}

static int canon_ipv6(const char *host, size_t len, struct url_authority *out, struct error *e)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (memchr(host, '%', len))
        return error_set(e, EINVAL, "an IPv6 address with a zone id is refused");
    if (len >= sizeof(text))
        return error_set(e, EINVAL, "not an IPv6 address between the brackets");
    memcpy(text, host, len);
    text[len] = '\0';
    if (strlen(text) != len || inet_pton(AF_INET6, text, &address) != 1)
        return error_set(e, EINVAL, "not an IPv6 address between the brackets");
    if (!inet_ntop(AF_INET6, &address, out->host, sizeof(out->host)))
        return error_set(e, EINVAL, "not an IPv6 address between the brackets");
    out->kind = URL_HOST_IPV6;
    return 0;
}

/* inet_pton takes four decimal numbers without leading zeros and nothing else, so text is canonical
 * as it is. */
static int canon_ipv4(const char *host, size_t len, struct url_authority *out, struct error *e)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;

    if (len < sizeof(text)) {
        memcpy(text, host, len);
        text[len] = '\0';
        if (strlen(text) == len && inet_pton(AF_INET, text, &address) == 1) {
            copy_string(out->host, sizeof(out->host), text);
            out->kind = URL_HOST_IPV4;
            return 0;
        }
    }
    return error_set(e, EINVAL,
                     "a host that ends in a number must be an IPv4 address of four "
                     "decimal numbers (no octal, hex or short form)");
}

int url_canon_host(const char *host, size_t len, bool bracketed, struct url_authority *out,
                   struct error *e)
{
    if (bracketed)
        return canon_ipv6(host, len, out, e);
    if (name_ends_in_number(host, len))
        return canon_ipv4(host, len, out, e);
    out->kind = URL_HOST_NAME;
    return name_canon(host, len, out->host, e);
}

int url_parse_authority(const char *text, size_t len, uint16_t default_port,
                        struct url_authority *out, struct error *e)
{
    struct url_split_authority split = {.host = ""};
    int r = url_split_authority(text, len, default_port, &split, e);

    if (r < 0)
        return r;
    out->port = split.port;
    return url_canon_host(split.host, split.host_len, split.bracketed, out, e);
}

int url_parse(const char *text, size_t len, struct url *out, struct error *e)
{
    struct url_split split = {.authority = "", .rest = ""};
    int r;

    if (len >= URL_TEXT_SIZE)
        return error_set(e, ENAMETOOLONG, "the URL is longer than %d bytes", URL_TEXT_SIZE - 1);
    r = url_split(text, len, &split, e);
    if (r < 0)
        return r;
    r = url_parse_authority(split.authority, split.authority_len, url_default_port(split.scheme),
                            &out->authority, e);
    if (r < 0)
        return r;
    out->scheme = split.scheme;
    return url_parse_rest(split.rest, split.rest_len, out, e);
}

int url_format_host(const struct url_authority *a, enum url_scheme scheme, char *buf, size_t size)
{
    const char *open = a->kind == URL_HOST_IPV6 ? "[" : "";
    const char *close = a->kind == URL_HOST_IPV6 ? "]" : "";
    int n;

    if (a->port == url_default_port(scheme))
        n = snprintf(buf, size, "%s%s%s", open, a->host, close);
    else
        n = snprintf(buf, size, "%s%s%s:%u", open, a->host, close, (unsigned)a->port);
    return n < 0 || (size_t)n >= size ? -ENOSPC : n;
}

int url_format(const struct url *u, char *buf, size_t size)
{
    char host[URL_HOST_SIZE + sizeof("[]:65535")];
    int n = url_format_host(&u->authority, u->scheme, host, sizeof(host));

    if (n < 0)
        return n;
    n = snprintf(buf, size, "%s://%s%s", url_scheme_name(u->scheme), host, u->target);
    return n < 0 || (size_t)n >= size ? -ENOSPC : n;
}

bool url_authority_equal(const struct url_authority *a, const struct url_authority *b)
{
    return a->kind == b->kind && a->port == b->port && strcmp(a->host, b->host) == 0;
}
