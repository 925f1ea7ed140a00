/* svcb.c: the rdata of SVCB and HTTPS records (RFC 9460, 2.2): priority, target, and parameters, in
 * strictly increasing order of their keys.
 *
 * A target other than the owner itself is a name that the client asks for next; if the policy does
 * not have it the record leads nowhere and is left out, so that the client goes on with A and AAAA.
 */
#include "dnsproxy/svcb.h"

#include <string.h>
#include <sys/socket.h>

#include "dnsproxy/query.h"

enum { KEY_MANDATORY = 0, KEY_IPV4HINT = 4, KEY_ECH = 5, KEY_IPV6HINT = 6 };

#define PARAM_HEAD 4 /* key and length */

struct rebuilding {
    svcb_hint_cb *hint;
    void *arg;
    uint8_t *out;
    size_t len;
};

static unsigned get16(const uint8_t *p)
{
    return (unsigned)(p[0] << 8 | p[1]);
}

static void put(struct rebuilding *r, const uint8_t *data, size_t len)
{
    memcpy(r->out + r->len, data, len);
    r->len += len;
}

/* The length of the name, which is not compressed (RFC 9460, 2.2); 0: not one. */
static size_t name_length(const uint8_t *p, size_t len)
{
    size_t i = 0;
    while (i < len && p[i] != 0) {
        if (p[i] > 63)
            return 0;
        i += (size_t)p[i] + 1;
    }
    return i < len && i < DNS_NAME_WIRE_MAX ? i + 1 : 0;
}

/* Is it the owner (".": the root label alone), or a name that the policy has? */
static bool target_allowed(const struct policy *policy, const uint8_t *p)
{
    char text[DNS_NAME_WIRE_MAX], name[NAME_SIZE];
    size_t n = 0;
    if (p[0] == 0)
        return true;
    for (size_t i = 0; p[i] != 0; i += (size_t)p[i] + 1) {
        if (memchr(p + i + 1, '.', p[i]))
            return false;
        if (n > 0)
            text[n++] = '.';
        memcpy(text + n, p + i + 1, p[i]);
        n += p[i];
    }
    return name_canon(text, n, name, NULL) == 0 &&
           (policy->dry_run || policy_match_resolve(policy, name));
}

/* A list of keys that a client must understand: one that must understand ech cannot do without. */
static bool requires_ech(const uint8_t *value, size_t len)
{
    for (size_t i = 0; i + 2 <= len; i += 2)
        if (get16(value + i) == KEY_ECH)
            return true;
    return false;
}

/* The addresses that are allowed; none: no parameter. Returns false if it is malformed. */
static bool put_hints(struct rebuilding *r, const uint8_t *param, size_t len, int family)
{
    size_t size = family == AF_INET ? 4 : 16, start = r->len;
    if (len == 0 || len % size != 0)
        return false;
    put(r, param, PARAM_HEAD);
    for (size_t i = 0; i < len; i += size)
        if (r->hint(r->arg, family, param + PARAM_HEAD + i))
            put(r, param + PARAM_HEAD + i, size);
    size_t kept = r->len - start - PARAM_HEAD;
    r->out[start + 2] = (uint8_t)(kept >> 8);
    r->out[start + 3] = (uint8_t)kept;
    if (kept == 0)
        r->len = start;
    return true;
}

static bool put_param(struct rebuilding *r, const uint8_t *param, size_t len)
{
    switch (get16(param)) {
    case KEY_ECH:
        return true;
    case KEY_IPV4HINT:
        return put_hints(r, param, len, AF_INET);
    case KEY_IPV6HINT:
        return put_hints(r, param, len, AF_INET6);
    case KEY_MANDATORY:
        if (requires_ech(param + PARAM_HEAD, len))
            return false;
        break;
    default:
        break;
    }
    put(r, param, PARAM_HEAD + len);
    return true;
}

size_t svcb_rebuild(const struct policy *policy, const uint8_t *in, size_t len, svcb_hint_cb *hint,
                    void *arg, uint8_t *out)
{
    struct rebuilding r = {.hint = hint, .arg = arg, .out = out};
    size_t name = len > 2 && len <= SVCB_MAX ? name_length(in + 2, len - 2) : 0;
    int last = -1;
    if (name == 0 || !target_allowed(policy, in + 2))
        return 0;
    put(&r, in, 2 + name);
    for (size_t i = 2 + name; i < len;) {
        if (len - i < PARAM_HEAD || (int)get16(in + i) <= last)
            return 0;
        size_t n = get16(in + i + 2);
        if (n > len - i - PARAM_HEAD || !put_param(&r, in + i, n))
            return 0;
        last = (int)get16(in + i);
        i += PARAM_HEAD + n;
    }
    return r.len;
}
