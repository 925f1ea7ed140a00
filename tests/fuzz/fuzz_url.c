/* fuzz_url.c: names, authorities, targets and URLs, each out of the same bytes. What is taken must
 * be its own canonical form, made of the characters that url.h and name.h promise, and free of what
 * they refuse. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/name.h"
#include "src/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void check_name(const char *name, bool star)
{
    size_t len = strlen(name), label = 0;

    CHECK(len >= 1 && len <= NAME_MAX_LEN);
    CHECK(!name_ends_in_number(name, len));
    for (size_t i = 0; i <= len; i++) {
        if (name[i] == '.' || name[i] == '\0') {
            CHECK(label >= 1 && label <= 63);
            label = 0;
        } else {
            CHECK(strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", name[i]) ||
                  (star && name[i] == '*'));
            label++;
        }
    }
}

static void fuzz_name(const char *text, size_t len)
{
    char name[NAME_SIZE], pattern[NAME_SIZE], again[NAME_SIZE];
    struct error e;
    int r = name_canon(text, len, name, &e);

    if (r == 0) {
        check_name(name, false);
        CHECK(name_canon(name, strlen(name), again, &e) == 0 && strcmp(name, again) == 0);
        CHECK(name_canon_pattern(text, len, pattern, &e) == 0 && strcmp(name, pattern) == 0);
        CHECK(name_match(name, name) && name_match("*", name));
    }
    if (name_canon_pattern(text, len, pattern, &e) == 0) {
        CHECK(r == 0 || strchr(pattern, '*'));
        check_name(pattern, true);
        CHECK(name_canon_pattern(pattern, strlen(pattern), again, &e) == 0);
        CHECK(strcmp(pattern, again) == 0);
        CHECK(name_match(pattern, pattern));
    }
}

static void check_authority(const struct url_authority *a)
{
    CHECK(a->port != 0);
    CHECK(a->host[0] != '\0');
    CHECK((a->kind == URL_HOST_IPV6) == (strchr(a->host, ':') != NULL));
    if (a->kind == URL_HOST_NAME)
        check_name(a->host, false);
    else
        CHECK(strspn(a->host, "0123456789abcdef:.") == strlen(a->host));
}

static void fuzz_authority(const char *text, size_t len)
{
    char host[URL_HOST_SIZE + 16];
    struct url_authority a, again;
    struct error e;
    int n;

    if (url_parse_authority(text, len, 443, &a, &e) < 0)
        return;
    check_authority(&a);
    n = url_format_host(&a, URL_HTTPS, host, sizeof(host));
    CHECK(n > 0);
    CHECK(url_parse_authority(host, (size_t)n, 443, &again, &e) == 0);
    CHECK(url_authority_equal(&a, &again));
}

/* No dot segment, nor one with a parameter. */
static void check_segments(const char *path, size_t len)
{
    for (size_t start = 1; start <= len;) {
        const char *slash = memchr(path + start, '/', len - start);
        size_t n = (slash ? (size_t)(slash - path) : len) - start;
        CHECK(!(n == 1 && path[start] == '.'));
        CHECK(!(n == 2 && path[start] == '.' && path[start + 1] == '.'));
        CHECK(!(n > 2 && memcmp(path + start, "..;", 3) == 0));
        start += n + 1;
    }
}

static size_t count_empty(const char *path, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += path[i] == '/' && (i + 1 == len || path[i + 1] == '/');
    return n;
}

/* Decoded to the end, as lenient decoders do it: no dot segment comes to light. */
static void check_decoded(const char *path, size_t len)
{
    static char s[URL_TARGET_MAX + 1];
    size_t n = len, before;

    memcpy(s, path, len);
    s[n] = '\0';
    do {
        size_t out = 0;
        before = n;
        for (size_t i = 0; i < n; i++) {
            unsigned byte;
            char hex[3] = {s[i], '\0', '\0'};
            if (s[i] == '%' && n - i > 2 && isxdigit((unsigned char)s[i + 1]) &&
                isxdigit((unsigned char)s[i + 2])) {
                memcpy(hex, s + i + 1, 2);
                byte = (unsigned)strtoul(hex, NULL, 16);
                s[out++] = (char)(byte == '\\' ? '/' : byte);
                i += 2;
            } else {
                s[out++] = s[i];
            }
        }
        n = out;
    } while (n < before);
    check_segments(s, n);
}

static void check_target(const struct url *u)
{
    static char decoded[URL_TARGET_MAX + 1];
    size_t path_len = strcspn(u->target, "?");

    CHECK(u->target[0] == '/');
    CHECK(u->target_len == strlen(u->target) && u->target_len <= URL_TARGET_MAX);
    for (size_t i = 0; i < u->target_len; i++) {
        const char *c = &u->target[i];
        CHECK(*c > 0x20 && *c < 0x7f && !strchr("\"<>\\^`{|}#[]", *c));
        if (*c != '%')
            continue;
        CHECK(strspn(c + 1, "0123456789ABCDEF") >= 2);
        CHECK(i > path_len || (memcmp(c, "%00", 3) != 0 && memcmp(c, "%5C", 3) != 0));
        CHECK(memcmp(c, "%2E", 3) != 0 && memcmp(c, "%41", 3) != 0 && memcmp(c, "%7E", 3) != 0);
    }
    check_segments(u->target, path_len);
    check_decoded(u->target, path_len);
    if (url_decoded_slashes(u, decoded)) {
        size_t n = strcspn(decoded, "?");
        CHECK(n < path_len && strcmp(decoded + n, u->target + path_len) == 0);
        CHECK(!memmem(decoded, n, "%2F", 3));
        check_segments(decoded, n);
        CHECK(count_empty(decoded, n) == count_empty(u->target, path_len));
    } else {
        CHECK(!memmem(u->target, path_len, "%2F", 3));
    }
}

static void fuzz_target(const char *text, size_t len)
{
    static struct url u, again;
    struct error e;

    if (url_parse_target(text, len, &u, &e) < 0)
        return;
    check_target(&u);
    CHECK(url_parse_target(u.target, u.target_len, &again, &e) == 0);
    CHECK(strcmp(u.target, again.target) == 0);
}

static void fuzz_url(const char *text, size_t len)
{
    static struct url u, again;
    static char formatted[URL_TEXT_SIZE], formatted_again[URL_TEXT_SIZE];
    struct error e;
    int n;

    if (url_parse(text, len, &u, &e) < 0)
        return;
    check_authority(&u.authority);
    check_target(&u);
    n = url_format(&u, formatted, sizeof(formatted));
    CHECK(n > 0);
    CHECK(url_parse(formatted, (size_t)n, &again, &e) == 0);
    CHECK(u.scheme == again.scheme && url_authority_equal(&u.authority, &again.authority));
    CHECK(url_format(&again, formatted_again, sizeof(formatted_again)) == n);
    CHECK(strcmp(formatted, formatted_again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;

    fuzz_name(text, size);
    fuzz_authority(text, size);
    fuzz_target(text, size);
    fuzz_url(text, size);
    return 0;
}
