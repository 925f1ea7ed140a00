#include "src/base64.h"

#include <errno.h>
#include <stdint.h>

size_t base64_encode(const void *data, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = data;
    char *begin = out;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        unsigned bits = (unsigned)in[i] << 16;
        if (left > 1)
            bits |= (unsigned)in[i + 1] << 8;
        if (left > 2)
            bits |= in[i + 2];
        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 63];
        *out++ = '=';
        *out++ = '=';
        if (left > 1)
            out[-2] = digits[bits >> 6 & 63];
        if (left > 2)
            out[-1] = digits[bits & 63];
    }
    *out = '\0';
    return (size_t)(out - begin);
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Takes the padding off, which must be what the length asks for. */
static int take_padding(const char *text, size_t *len)
{
    size_t n = *len;

    while (n > 0 && *len - n < 2 && text[n - 1] == '=')
        n--;
    if (n % 4 == 1 || (n < *len && *len % 4 != 0))
        return -EINVAL;
    *len = n;
    return 0;
}

long base64_decode(const char *text, size_t len, void *out, size_t size)
{
    unsigned char *to = out;
    uint32_t bits = 0;
    unsigned held = 0; /* bits that are not written yet */
    size_t n = 0;

    if (take_padding(text, &len) < 0)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        int value = digit_value(text[i]);
        if (value < 0)
            return -EINVAL;
        bits = (bits << 6 | (uint32_t)value) & 0xfff;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (n == size)
            return -ENOSPC;
        to[n++] = (unsigned char)(bits >> held);
    }
    return (bits & ((1u << held) - 1)) != 0 ? -EINVAL : (long)n;
}
