/* head_trailer.c: trailer fields (RFC 9110, 6.5) that may be sent on.
 *
 * Who reads a message may merge its trailers into the head that it has acted upon already. So what
 * a head is judged, framed or understood by is left out here, as the RFC (6.5.1) has it. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "httpproxy/head_internal.h"
#include "src/util.h"

/* Forwarded (RFC 7239) has a host beside what else it may have. */
static bool names_host(const struct head_field *f)
{
    static const char word[] = "host=";

    for (size_t i = 0; i + strlen(word) <= f->value_len; i++)
        if (strncasecmp(f->value + i, word, strlen(word)) == 0)
            return true;
    return false;
}

const char *head_is_override(const struct head_field *f)
{
    static const char *const names[] = {
        "x-http-method-override", "x-http-method",         "x-method-override",
        "x-http-path-override",   "x-http-host-override",  "x-original-url",
        "x-original-uri",         "x-original-host",       "x-rewrite-url",
        "x-envoy-original-path",  "x-forwarded-host",      "x-host",
        "x-original-path",        "x-original-method",     "x-rewrite-uri",
        "x-request-uri",          "x-envoy-original-host", "x-forwarded-uri",
        "x-forwarded-url",        "x-forwarded-path",      "x-forwarded-method",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (head_field_like(f, names[i]))
            return names[i];
    return head_field_like(f, "forwarded") && names_host(f) ? "forwarded" : NULL;
}

static bool is_forbidden(const struct head_field *f)
{
    static const char *const names[] = {
        "host",
        "content-length",
        "transfer-encoding",
        "content-encoding",
        "content-type",
        "content-range",
        "authorization",
        "www-authenticate",
        "cookie",
        "set-cookie",
        "cache-control",
        "pragma",
        "expect",
        "max-forwards",
        "range",
        "location",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-unmodified-since",
        "if-range",
        "vary",
        "age",
        "expires",
        "authentication-info",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (head_field_like(f, names[i]))
            return true;
    return head_is_hop(f) || head_is_override(f);
}

int head_filter_trailers(char *section, size_t len, struct error *e)
{
    size_t at = 0, out = 0;

    for (;;) {
        struct head_field f;
        size_t next;
        long line = head_take_line(section + at, len - at, &next);
        if (line < 0 || (line > 0 && head_parse_field(section + at, (size_t)line, &f, e) < 0))
            return error_set(e, EPROTO, "the trailers are malformed");
        if (line == 0 || !is_forbidden(&f)) {
            memmove(section + out, section + at, next);
            out += next;
        }
        at += next;
        if (line == 0)
            return (int)out;
    }
}
