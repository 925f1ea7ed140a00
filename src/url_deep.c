/* url_deep.c: what a canonical path becomes for those who decode it more often, or more leniently,
 * than they should.
 *
 * The path is decoded once more, and again until nothing changes (a '%' that begins no encoding
 * stays, as lenient decoders have it), into a copy. If that makes a dot segment, the path climbs
 * out of its prefix for a server behind which another one decodes again ("%252e%252e", "..%252f");
 * the same goes for overlong UTF-8 (RFC 3629, 3), in which "%C0%AE" is '.' to decoders that do not
 * look. The literal dot segments are gone by now, so each that is found here was hidden. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "src/url.h"
#include "src/url_split.h"
#include "src/util.h"

#define DEPTH_MAX 4 /* encodings upon encodings */

static int hex(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place, once; returns the new length. */
static size_t decode(unsigned char *s, size_t len)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        int high = s[i] == '%' && len - i > 2 ? hex(s[i + 1]) : -1;
        int low = high >= 0 ? hex(s[i + 2]) : -1;
        if (low >= 0) {
            s[out++] = (unsigned char)(high << 4 | low);
            i += 2;
        } else {
            s[out++] = s[i];
        }
    }
    return out;
}

/* The ASCII character that a sequence of two to four bytes is an overlong form of, or -1. */
static int overlong(const unsigned char *s, size_t len)
{
    size_t n = s[0] == 0xc0 || s[0] == 0xc1 ? 2 : s[0] == 0xe0 ? 3 : s[0] == 0xf0 ? 4 : 0;
    unsigned c = s[0] == 0xc1 ? 1 : 0;

    if (n == 0 || n > len)
        return -1;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return -1;
        c = c << 6 | (s[i] & 0x3f);
    }
    return c < 0x80 ? (int)c : -1;
}

static int check_overlong(const unsigned char *s, size_t len, struct error *e)
{
    for (size_t i = 0; i < len; i++) {
        int c = overlong(s + i, len - i);
        if (c >= 0 && (c == '\0' || strchr("./\\%;", c)))
            return error_set(e, EINVAL, "an overlong UTF-8 form of a character is refused");
    }
    return 0;
}

/* "." or "..", also before what some cut a segment at: a parameter, a NUL. */
static bool is_dots(const unsigned char *s, size_t len)
{
    size_t dots = 0;

    while (dots < len && s[dots] == '.')
        dots++;
    return (dots == 1 || dots == 2) && (dots == len || s[dots] == ';' || s[dots] == '\0');
}

static int check_dots(const unsigned char *s, size_t len, struct error *e)
{
    for (size_t start = 0, i = 0; i <= len; i++) {
        if (i < len && s[i] != '/' && s[i] != '\\')
            continue;
        if (is_dots(s + start, i - start))
            return error_set(e, EINVAL,
                             "a dot segment ('..') that is percent-encoded more than once");
        start = i + 1;
    }
    return 0;
}

int url_check_deep(const char *path, size_t len, struct error *e)
{
    UNINITIALIZED unsigned char copy[URL_TARGET_MAX];
    int r = 0;

    if (!memchr(path, '%', len) || len > sizeof(copy))
        return 0;
    memcpy(copy, path, len);
    for (int depth = 0; r == 0; depth++) {
        size_t n = decode(copy, len);
        if (n == len)
            return 0;
        if (depth == DEPTH_MAX)
            return error_set(e, EINVAL, "percent-encoded more than %d times over", DEPTH_MAX);
        len = n;
        r = check_overlong(copy, len, e);
        if (r == 0)
            r = check_dots(copy, len, e);
    }
    return r;
}
