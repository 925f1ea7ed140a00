/* url_target.c: the path and the query of a URL to their canonical form.
 *
 * Four steps, each over the output of the one before:
 *  1. characters: percent-encodings of unreserved characters are decoded, the others get upper-case
 * digits, what may not stand in a URI is percent-encoded (RFC 3986, 6.2.2.1, 6.2.2.2); so "%2e" is
 * now ".";
 *  2. segments that servers read in different ways are refused: an encoded slash beside which
 * decoding would make an empty or a dot segment, and a dot segment with a parameter ("..;x":
 * servers that cut parameters off, as servlet containers do, then see "..");
 *  3. dot segments are removed (RFC 3986, 5.2.4). Empty segments stay: "/a//b" is not "/a/b".
 *  4. what would be a dot segment to who decodes once more is refused (url_deep.c).
 * The segments of the output are some of those of step 2, so the output is its own canonical form.
 *
 * The query goes through step 1 alone: '/', '?', an encoded slash, backslash or NUL mean nothing
 * there. */
#include "src/url.h"

#include <errno.h>
#include <string.h>

#include "src/url_split.h"
#include "src/util.h"

struct sink {
    char *text; /* room for URL_TARGET_MAX */
    size_t len;
    bool full; /* something did not fit: the whole is refused */
};

static void put(struct sink *s, char c)
{
    if (s->len < URL_TARGET_MAX)
        s->text[s->len++] = c;
    else
        s->full = true;
}

static void put_encoded(struct sink *s, unsigned char c)
{
    static const char hex[] = "0123456789ABCDEF";

    put(s, '%');
    put(s, hex[c >> 4]);
    put(s, hex[c & 15]);
}

/* RFC 3986, 2.3 */
static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c));
}

/* pchar and '/' of RFC 3986, 3.3; a query (3.4) may have '?' too. */
static bool may_stand(unsigned char c, bool query)
{
    return is_unreserved(c) || (c != '\0' && strchr("!$&'()*+,;=:@/", c)) || (query && c == '?');
}

static int canon_encoded(struct sink *s, const char *text, size_t len, bool query, struct error *e)
{
    int high = len > 1 ? hex_value(text[1]) : -1;
    int low = len > 2 ? hex_value(text[2]) : -1;
    unsigned char c;

    if (high < 0 || low < 0)
        return error_set(e, EINVAL, "'%%' without two hex digits after it");
    c = (unsigned char)(high << 4 | low);
    if (!query && c == '\0')
        return error_set(e, EINVAL, "an encoded NUL (%%00) in the path is refused");
    if (!query && c == '\\')
        return error_set(e, EINVAL, "an encoded backslash (%%5C) in the path is refused");
    if (is_unreserved(c))
        put(s, (char)c);
    else
        put_encoded(s, c);
    return 0;
}

/* Step 1 */
static int canon_chars(struct sink *s, const char *text, size_t len, bool query, struct error *e)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == ' ')
            return error_set(e, EINVAL, "a space in the URL");
        if (c < 0x20 || c == 0x7f)
            return error_set(e, EINVAL, "a control character (\\x%02x) in the URL", (unsigned)c);
        if (c == '#')
            return error_set(e, EINVAL, "a fragment ('#') in the URL is refused");
        if (c == '\\' && !query)
            return error_set(e, EINVAL, "a backslash in the path is refused");
        if (c == '%') {
            int r = canon_encoded(s, text + i, len - i, query, e);
            if (r < 0)
                return r;
            i += 2;
        } else if (may_stand(c, query)) {
            put(s, (char)c);
        } else {
            put_encoded(s, c);
        }
    }
    return s->full ? error_set(e, ENAMETOOLONG, "path and query are longer than %d bytes",
                               URL_TARGET_MAX)
                   : 0;
}

/* The number of leading dots if the segment is "." or "..", as it stands or followed by a
 * parameter; else 0. */
static size_t segment_dots(const char *s, size_t len, bool *parameter)
{
    size_t dots = 0;

    while (dots < len && s[dots] == '.')
        dots++;
    if (dots == 0 || dots > 2)
        return 0;
    *parameter = len > dots;
    if (len == dots || s[dots] == ';' || (len - dots >= 3 && memcmp(s + dots, "%3B", 3) == 0))
        return dots;
    return 0;
}

static const char *find_slash(const char *s, size_t len)
{
    return memmem(s, len, "%2F", 3);
}

static int check_part(const char *s, size_t len, bool encoded_slash, struct error *e)
{
    bool parameter = false;
    size_t dots = segment_dots(s, len, &parameter);

    if (dots > 0 && parameter)
        return error_set(e, EINVAL, "a dot segment with a parameter ('..;') is refused");
    if (encoded_slash && len == 0)
        return error_set(e, EINVAL, "an encoded slash (%%2F) that makes an empty segment");
    if (encoded_slash && dots > 0)
        return error_set(e, EINVAL, "an encoded slash (%%2F) that makes a dot segment");
    return 0;
}

/* One segment: a part between two slashes, which encoded slashes divide further. */
static int check_segment(const char *s, size_t len, struct error *e)
{
    bool encoded = find_slash(s, len) != NULL;

    for (;;) {
        const char *slash = find_slash(s, len);
        size_t part = slash ? (size_t)(slash - s) : len;
        int r = check_part(s, part, encoded, e);

        if (r < 0 || !slash)
            return r;
        s += part + 3;
        len -= part + 3;
    }
}

/* Step 2 */
static int check_segments(const char *path, size_t len, struct error *e)
{
    for (size_t start = 1; start < len;) {
        const char *slash = memchr(path + start, '/', len - start);
        size_t end = slash ? (size_t)(slash - path) : len;
        int r = check_segment(path + start, end - start, e);

        if (r < 0)
            return r;
        start = end + 1;
    }
    return 0;
}

/* Step 3, in place: what is written never passes what is still to be read. Returns the new length.
 */
static size_t remove_dot_segments(char *path, size_t len)
{
    size_t out = 0;

    for (size_t start = 0; start < len;) { /* path[start] is a '/' */
        const char *slash = memchr(path + start + 1, '/', len - start - 1);
        size_t end = slash ? (size_t)(slash - path) : len;
        size_t n = end - start;
        bool dot = n == 2 && path[start + 1] == '.';
        bool dot_dot = n == 3 && path[start + 1] == '.' && path[start + 2] == '.';

        if (dot_dot)
            while (out > 0 && path[--out] != '/')
                ;
        if (!dot && !dot_dot) {
            memmove(path + out, path + start, n);
            out += n;
        } else if (end == len) {
            path[out++] = '/';
        }
        start = end;
    }
    return out;
}

static int canon_path(struct sink *s, const char *path, size_t len, struct error *e)
{
    int r;

    if (len == 0) /* RFC 9110, 4.2.3: an empty path is "/" */
        put(s, '/');
    r = canon_chars(s, path, len, false, e);
    if (r == 0)
        r = check_segments(s->text, s->len, e);
    if (r < 0)
        return r;
    s->len = remove_dot_segments(s->text, s->len);
    return url_check_deep(s->text, s->len, e);
}

int url_parse_rest(const char *text, size_t len, struct url *out, struct error *e)
{
    struct sink s = {.text = out->target};
    const char *mark = len > 0 ? memchr(text, '?', len) : NULL;
    size_t path_len = mark ? (size_t)(mark - text) : len;
    int r;

    out->target_len = 0;
    out->target[0] = '\0';
    if (len > URL_TARGET_MAX)
        return error_set(e, ENAMETOOLONG, "path and query are longer than %d bytes",
                         URL_TARGET_MAX);
    r = canon_path(&s, text, path_len, e);
    if (r == 0 && mark) {
        put(&s, '?');
        r = canon_chars(&s, mark + 1, len - path_len - 1, true, e);
    }
    if (r < 0) {
        out->target[0] = '\0';
        return r;
    }
    out->target[s.len] = '\0';
    out->target_len = s.len;
    return 0;
}

int url_parse_target(const char *text, size_t len, struct url *out, struct error *e)
{
    if (len == 0 || text[0] != '/') {
        out->target_len = 0;
        out->target[0] = '\0';
        return error_set(e, EINVAL, "the request target does not begin with '/'");
    }
    return url_parse_rest(text, len, out, e);
}

bool url_decoded_slashes(const struct url *u, char *buf)
{
    const char *mark = memchr(u->target, '?', u->target_len);
    size_t path_len = mark ? (size_t)(mark - u->target) : u->target_len;
    const char *s = u->target;
    size_t left = path_len;
    const char *slash = find_slash(s, left);

    if (!slash)
        return false;
    while (slash) {
        size_t n = (size_t)(slash - s);
        memcpy(buf, s, n);
        buf[n] = '/';
        buf += n + 1;
        s += n + 3;
        left -= n + 3;
        slash = find_slash(s, left);
    }
    memcpy(buf, s, u->target_len - (size_t)(s - u->target) + 1);
    return true;
}
