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

/* RFC 6890 and its registry, as far as a build could be harmed by it; before them single addresses
 * in public or private blocks at which a cloud answers its own machines, with credentials too: a
 * TLS certificate proves nothing there. */
static const struct block4 blocks4[] = {
    {0xa83f8110, 32, ADDRESS_LOCAL},   /* 168.63.129.16: Azure's wire server */
    {0x646464c8, 32, ADDRESS_LOCAL},   /* 100.100.100.200: Alibaba's metadata */
    {0x64646464, 32, ADDRESS_LOCAL},   /* 100.100.100.100: Tailscale's, served by the host itself */
    {0x00000000, 8, ADDRESS_LOCAL},    /* 0.0.0.0/8: this host */
    {0x0a000000, 8, ADDRESS_PRIVATE},  /* 10/8 */
    {0x64400000, 10, ADDRESS_PRIVATE}, /* 100.64/10: carrier NAT, overlays */
    {0x7f000000, 8, ADDRESS_LOCAL},    /* 127/8 */
    {0xa9fe0000, 16, ADDRESS_LOCAL},   /* 169.254/16: link-local, metadata */
    {0xac100000, 12, ADDRESS_PRIVATE}, /* 172.16/12 */
    {0xc0000000, 24, ADDRESS_LOCAL},   /* 192.0.0/24: the jail's link, and Oracle's metadata */
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

struct block6 {
    uint8_t base[6];
    enum address_class class;
};

/* What clouds have in fc00::/7 for their own machines: metadata, time, names. */
static const struct block6 cloud6[] = {
    {{0xfd, 0x00, 0x0e, 0xc2, 0x00, 0x00}, ADDRESS_LOCAL}, /* fd00:ec2::254: Amazon */
    {{0xfd, 0x00, 0x00, 0xc1, 0x00, 0x00}, ADDRESS_LOCAL}, /* fd00:c1::a9fe:a9fe: Oracle */
    {{0xfd, 0x20, 0x00, 0xce, 0x00, 0x00}, ADDRESS_LOCAL}, /* fd20:ce::254: Google */
};

/* fc00::/7 (RFC 4193). */
static enum address_class classify_unique_local(const uint8_t a[16])
{
    for (size_t i = 0; i < ARRAY_LEN(cloud6); i++)
        if (!memcmp(a, cloud6[i].base, sizeof(cloud6[i].base)))
            return cloud6[i].class;
    return ADDRESS_PRIVATE;
}

/* 64:ff9b:1::/48 (RFC 8215): a private network's own, in which the prefix of its NAT64 may have any
 * length. So the IPv4 address may stand at any of these places (RFC 6052, 2.2; byte 8 is none).
 * What is 0/8 or, but for the last, 224/3 there is taken for a part of the prefix, or for filling,
 * and leads nowhere if it is neither. */
static enum address_class classify_nat64_local(const uint8_t a[16])
{
    static const uint8_t places[][4] = {
        {6, 7, 9, 10}, {7, 9, 10, 11}, {9, 10, 11, 12}, {12, 13, 14, 15}};

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const uint8_t *at = places[i];
        uint32_t v4 = get32((const uint8_t[]){a[at[0]], a[at[1]], a[at[2]], a[at[3]]});

        if (v4 >> 24 == 0 || (v4 >> 29 == 7 && i + 1 < ARRAY_LEN(places)))
            continue;
        if (classify4(v4) == ADDRESS_LOCAL)
            return ADDRESS_LOCAL;
    }
    return ADDRESS_PRIVATE;
}

/* An IPv4 address inside is where the packet ends up, if anything on its way translates: mapped
 * (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), and Teredo (RFC
 * 4380, inverted). */
static enum address_class classify6(const uint8_t a[16])
{
    static const uint8_t zero[16];
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t translated[12] = {[8] = 0xff, [9] = 0xff};
    static const uint8_t teredo[4] = {0x20, 0x01, 0x00, 0x00};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    static const uint8_t nat64_local[6] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};

    if (!memcmp(a, mapped, 12) || !memcmp(a, translated, 12) || !memcmp(a, nat64, 12))
        return classify4(get32(a + 12));
    if (!memcmp(a, nat64_local, 6))
        return classify_nat64_local(a);
    if (!memcmp(a, teredo, 4))
        return classify4(~get32(a + 12));
    if (!memcmp(a, zero, 12)) /* ::, ::1 and the IPv4-compatible ones */
        return get32(a + 12) < 2 ? ADDRESS_LOCAL : classify4(get32(a + 12));
    if (a[0] == 0x20 && a[1] == 0x02) /* 6to4 */
        return classify4(get32(a + 2));
    if ((a[0] & 0xfe) == 0xfc)
        return classify_unique_local(a);
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

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)(const void *)b;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)(const void *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return a->ss_family == AF_INET6 && IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
}

bool address_leads_here(int fd)
{
    struct sockaddr_storage own = {0}, peer = {0};
    socklen_t own_len = sizeof(own), peer_len = sizeof(peer);

    return getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 && same_address(&own, &peer);
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
