/* head_upgrade.c: Upgrade (RFC 9110, 7.8): what a request offers, and what a 101 has chosen of it.
 *
 * After a 101 the connection is a tunnel that nobody reads, so an offer is taken apart and written
 * anew like all else. Protocols that are HTTP themselves, or carry it (h2c, HTTP/2.0, TLS/1.2 of
 * RFC 2817), are left out of the offer: behind such a switch any URL of that server could be asked
 * for, unjudged. A server may always ignore an offer, so the request itself goes on. */
#include <string.h>
#include <strings.h>

#include "httpproxy/head_internal.h"
#include "src/util.h"

/* protocol-name ["/" protocol-version], both tokens. */
static bool is_protocol(const char *p, size_t len)
{
    const char *slash = memchr(p, '/', len);

    if (!slash)
        return head_is_token(p, len);
    return head_is_token(p, (size_t)(slash - p)) &&
           head_is_token(slash + 1, (size_t)(p + len - slash) - 1);
}

/* "h2c" had numbered drafts, h2c-14 and so on. */
static bool carries_http(const char *p, size_t len)
{
    static const char *const names[] = {"http", "https", "h2", "h3", "tls", "ssl"};
    const char *slash = memchr(p, '/', len);
    size_t n = slash ? (size_t)(slash - p) : len;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (head_equal_word(p, n, names[i]))
            return true;
    return n >= 3 && strncasecmp(p, "h2c", 3) == 0;
}

static int add(char out[HEAD_UPGRADE_SIZE], const char *p, size_t len, struct error *e)
{
    size_t at = strlen(out);
    size_t comma = at > 0 ? 2 : 0;

    if (at + comma + len >= HEAD_UPGRADE_SIZE)
        return error_set(e, 400, "Upgrade is longer than %d bytes", HEAD_UPGRADE_SIZE - 1);
    memcpy(out + at, ", ", comma);
    memcpy(out + at + comma, p, len);
    out[at + comma + len] = '\0';
    return 0;
}

int head_parse_upgrade(const struct head_field *fields, size_t count, bool request,
                       char out[HEAD_UPGRADE_SIZE], struct error *e)
{
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *at = fields[i].value, *end = at + fields[i].value_len, *p;
        size_t len;
        if (!head_field_is(&fields[i], "upgrade"))
            continue;
        while (head_next_element(&at, end, &p, &len)) {
            if (!is_protocol(p, len))
                return error_set(e, 400, "Upgrade holds something that is not a protocol");
            if (request && carries_http(p, len))
                continue;
            int r = add(out, p, len, e);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static bool offers(const char *offered, const char *protocol, size_t protocol_len)
{
    const char *at = offered, *end = offered + strlen(offered), *p;
    size_t len;

    while (head_next_element(&at, end, &p, &len))
        if (len == protocol_len && strncasecmp(p, protocol, len) == 0)
            return true;
    return false;
}

bool head_upgrade_offered(const char *offered, const char *chosen)
{
    const char *at = chosen, *end = chosen + strlen(chosen), *p;
    size_t len, count = 0;

    while (head_next_element(&at, end, &p, &len)) {
        if (!offers(offered, p, len))
            return false;
        count++;
    }
    return count > 0;
}
