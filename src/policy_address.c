/* policy_address.c: words that are addresses or networks with a port.
 *
 * An address has one spelling here, as in a URL (url_canon_host): four decimal numbers, or what RFC
 * 4291 allows between brackets. A network whose address has bits beyond its length is refused with
 * the right one named: the user meant either this one address or another network, and both cannot
 * be guessed. */
#include "src/policy_word.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "src/url_split.h"

static int parse_address(const char *text, size_t len, int family, struct endpoint *ep,
                         struct error *e)
{
    struct url_authority a;
    int r = url_canon_host(text, len, family == AF_INET6, &a, e);

    if (r < 0)
        return r;
    if (inet_pton(family, a.host, &ep->address) != 1)
        return error_set(e, EINVAL, "not an IP address");
    ep->kind = ENDPOINT_ADDRESS;
    ep->family = family;
    ep->prefix_len = family == AF_INET ? 32 : 128;
    return 0;
}

static int parse_prefix_len(const char *text, size_t len, unsigned max, unsigned *out,
                            struct error *e)
{
    unsigned v = 0;
    bool ok = len >= 1 && len <= 3 && (len == 1 || text[0] != '0');

    for (size_t i = 0; ok && i < len; i++) {
        ok = text[i] >= '0' && text[i] <= '9';
        v = v * 10 + (unsigned)(text[i] - '0');
    }
    if (!ok || v > max)
        return error_set(e, EINVAL, "the prefix length is not a number from 0 to %u", max);
    *out = v;
    return 0;
}

/* Clears the bits beyond the prefix; says whether any was set. */
static bool clear_host_bits(unsigned char *bytes, size_t size, unsigned prefix_len)
{
    bool any = false;

    for (size_t i = 0; i < size; i++) {
        unsigned bits = prefix_len > i * 8 ? prefix_len - (unsigned)i * 8 : 0;
        unsigned char mask = (unsigned char)(bits >= 8 ? 0xffu : 0xff00u >> bits);

        any = any || (bytes[i] & ~mask & 0xff) != 0;
        bytes[i] = (unsigned char)(bytes[i] & mask);
    }
    return any;
}

static int parse_network(const char *text, size_t len, struct endpoint *ep, struct error *e)
{
    bool v6 = ep->family == AF_INET6;
    char right[INET6_ADDRSTRLEN];
    int r = parse_prefix_len(text, len, v6 ? 128 : 32, &ep->prefix_len, e);

    if (r < 0)
        return r;
    if (!clear_host_bits((unsigned char *)&ep->address, v6 ? 16 : 4, ep->prefix_len))
        return 0;
    if (!inet_ntop(ep->family, &ep->address, right, sizeof(right)))
        right[0] = '\0';
    return error_set(e, EINVAL, "the address has bits beyond /%u: the network is %s%s/%u%s",
                     ep->prefix_len, v6 ? "[" : "", right, ep->prefix_len, v6 ? "]" : "");
}

int policy_word_ipv4(const char *word, size_t len, struct endpoint *ep, struct error *e)
{
    const char *colon = memchr(word, ':', len);
    size_t net_len = colon ? (size_t)(colon - word) : len;
    const char *slash = memchr(word, '/', net_len);
    size_t host_len = slash ? (size_t)(slash - word) : net_len;
    int r;

    if (colon && memchr(colon, '/', len - net_len))
        return error_set(e, EINVAL, "the prefix length of a network stands before its port");
    r = parse_address(word, host_len, AF_INET, ep, e);
    if (r == 0 && slash)
        r = parse_network(slash + 1, net_len - host_len - 1, ep, e);
    if (r < 0)
        return r;
    if (!colon)
        return error_set(e, EINVAL, "an address needs a port");
    return url_parse_port(colon + 1, len - net_len - 1, &ep->port, e);
}

int policy_word_ipv6(const char *word, size_t len, struct endpoint *ep, struct error *e)
{
    const char *end = word + len;
    const char *close = memchr(word, ']', len);
    const char *inside, *after, *colon;
    int r;

    if (!close)
        return error_set(e, EINVAL, "'[' without ']'");
    inside = memchr(word, '/', (size_t)(close - word));
    after = close + 1 < end && close[1] == '/' ? close + 1 : NULL;
    colon = memchr(close, ':', (size_t)(end - close));
    if (inside && after)
        return error_set(e, EINVAL, "the network has two prefix lengths");
    r = parse_address(word + 1, (size_t)((inside ? inside : close) - word - 1), AF_INET6, ep, e);
    if (r == 0 && inside)
        r = parse_network(inside + 1, (size_t)(close - inside - 1), ep, e);
    if (r == 0 && after)
        r = parse_network(after + 1, (size_t)((colon ? colon : end) - after - 1), ep, e);
    if (r < 0)
        return r;
    if (!colon && (after || close + 1 == end))
        return error_set(e, EINVAL, "an address needs a port");
    if (!colon || (!after && colon != close + 1))
        return error_set(e, EINVAL, "only '/LEN' and ':PORT' may follow the ']'");
    return url_parse_port(colon + 1, (size_t)(end - colon - 1), &ep->port, e);
}
