#include "src/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "src/util.h"

struct block4 {
    uint32_t base;
    unsigned len;
    enum address_class class;
};

/* RFC 6890 and its registry, as far as a build could be harmed by it. */
static const struct block4 blocks4[] = {
    {0x00000000, 8, ADDRESS_LOCAL},    /* 0.0.0.0/8: this host */
    {0x0a000000, 8, ADDRESS_PRIVATE},  /* 10/8 */
    {0x64400000, 10, ADDRESS_PRIVATE}, /* 100.64/10: carrier NAT, and clouds' metadata */
    {0x7f000000, 8, ADDRESS_LOCAL},    /* 127/8 */
    {0xa9fe0000, 16, ADDRESS_LOCAL},   /* 169.254/16: link-local, metadata */
    {0xac100000, 12, ADDRESS_PRIVATE}, /* 172.16/12 */
    {0xc0000000, 24, ADDRESS_LOCAL},   /* 192.0.0/24: the jail's link is in it */
    {0xc0a80000, 16, ADDRESS_PRIVATE}, /* 192.168/16 */
    {0xc6120000, 15, ADDRESS_PRIVATE}, /* 198.18/15: benchmarking */
    {0xe0000000, 3, ADDRESS_LOCAL},    /* 224/4 multicast, 240/4 reserved, broadcast */
};

static enum address_class classify4(uint32_t a)
{
    for (size_t i = 0; i < ARRAY_LEN(blocks4); i++)
        if ((a & (~UINT32_C(0) << (32 - blocks4[i].len))) == blocks4[i].base)
            return blocks4[i].class;
    return ADDRESS_PUBLIC;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum address_class classify6(const uint8_t a[16])
{
    static const uint8_t zero[16];
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    static const uint8_t nat64_local[6] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};

    if (!memcmp(a, mapped, 12) || !memcmp(a, nat64, 12))
        return classify4(get32(a + 12));
    if (!memcmp(a, nat64_local, 6))
        return ADDRESS_PRIVATE;
    if (!memcmp(a, zero, 12)) /* ::, ::1 and the IPv4-compatible ones */
        return get32(a + 12) < 2 ? ADDRESS_LOCAL : classify4(get32(a + 12));
    if (a[0] == 0x20 && a[1] == 0x02) /* 6to4 */
        return classify4(get32(a + 2));
    if ((a[0] & 0xfe) == 0xfc)
        return ADDRESS_PRIVATE;
    if (a[0] == 0xff || (a[0] == 0xfe && (a[1] & 0x80))) /* multicast, link-local, site-local */
        return ADDRESS_LOCAL;
    return ADDRESS_PUBLIC;
}

enum address_class address_classify(int family, const void *data)
{
    if (family == AF_INET)
        return classify4(get32(data));
    return family == AF_INET6 ? classify6(data) : ADDRESS_LOCAL;
}

static bool is_loopback4(uint32_t a)
{
    return a >> 24 == 127 || a >> 24 == 0;
}

bool address_is_loopback(int family, const void *data)
{
    static const uint8_t zero[8];
    const uint8_t *a = data;

    if (family == AF_INET)
        return is_loopback4(get32(a));
    if (family != AF_INET6)
        return true;
    /* ::, ::1, IPv4-compatible and IPv4-mapped */
    return !memcmp(a, zero, sizeof(zero)) && (get32(a + 8) == 0 || get32(a + 8) == 0xffff) &&
           is_loopback4(get32(a + 12));
}

enum address_class address_classify_sockaddr(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return address_classify(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr);
    if (sa->sa_family == AF_INET6)
        return address_classify(AF_INET6,
                                &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
    return ADDRESS_LOCAL;
}

void address_format(int family, const void *data, unsigned port, char out[ADDRESS_TEXT_SIZE])
{
    char text[INET6_ADDRSTRLEN] = "?";

    (void)inet_ntop(family, data, text, sizeof(text));
    if (!port)
        (void)snprintf(out, ADDRESS_TEXT_SIZE, "%s", text);
    else
        (void)snprintf(out, ADDRESS_TEXT_SIZE, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text,
                       port);
}
