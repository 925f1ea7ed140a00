/* reverse.c: a table of bounded size, without chains: the names are for logs of the build and such,
 * and one that was pushed out is answered as any that the policy does not have. */
#include "dnsproxy/reverse.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "src/util.h"

struct slot {
    struct answer_address address; /* family 0: free */
    char name[NAME_SIZE];
};

struct reverse {
    uint32_t seed;
    struct slot slots[REVERSE_SLOTS];
};

static uint32_t slot_of(const struct reverse *r, const struct answer_address *a)
{
    return hash_bytes(HASH_START ^ r->seed, a, sizeof(*a)) % REVERSE_SLOTS;
}

void reverse_add(struct reverse *r, const struct answer_address *a, const char *name)
{
    struct slot *s = &r->slots[slot_of(r, a)];
    s->address = *a;
    copy_string(s->name, sizeof(s->name), name);
}

/* "4.3.2.1": what stands before ".in-addr.arpa". */
static bool read_ipv4(const char *text, size_t len, struct answer_address *a)
{
    unsigned b[4];
    char copy[16], again[16];
    int end = 0;
    if (len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (sscanf(copy, "%3u.%3u.%3u.%3u%n", &b[3], &b[2], &b[1], &b[0], &end) != 4 ||
        (size_t)end != len)
        return false;
    a->family = AF_INET;
    for (unsigned i = 0; i < 4; i++)
        a->address[i] = (uint8_t)b[i];
    (void)snprintf(again, sizeof(again), "%u.%u.%u.%u", a->address[3], a->address[2], a->address[1],
                   a->address[0]);
    return strcmp(copy, again) == 0;
}

/* 32 nibbles, the last one first: what stands before ".ip6.arpa". */
static bool read_ipv6(const char *text, size_t len, struct answer_address *a)
{
    static const char digits[] = "0123456789abcdef";
    if (len != 63)
        return false;
    a->family = AF_INET6;
    for (size_t i = 0; i < 32; i++) {
        const char *d = memchr(digits, text[i * 2], 16);
        if (!d || (i < 31 && text[i * 2 + 1] != '.'))
            return false;
        a->address[15 - i / 2] |= (uint8_t)((d - digits) << (i % 2 * 4));
    }
    return true;
}

const char *reverse_find(const struct reverse *r, const char *arpa)
{
    static const char v4[] = ".in-addr.arpa", v6[] = ".ip6.arpa";
    size_t n = strlen(arpa), k4 = sizeof(v4) - 1, k6 = sizeof(v6) - 1;
    struct answer_address a = {0};
    bool good = (n > k4 && !strcmp(arpa + n - k4, v4) && read_ipv4(arpa, n - k4, &a)) ||
                (n > k6 && !strcmp(arpa + n - k6, v6) && read_ipv6(arpa, n - k6, &a));
    if (!good)
        return NULL;
    const struct slot *s = &r->slots[slot_of(r, &a)];
    return memcmp(&s->address, &a, sizeof(a)) == 0 ? s->name : NULL;
}

struct reverse *reverse_new(void)
{
    struct reverse *r = xcalloc(1, sizeof(*r));
    if (getrandom(&r->seed, sizeof(r->seed), 0) != sizeof(r->seed))
        die("getrandom failed");
    return r;
}

void reverse_free(struct reverse *r)
{
    free(r);
}
