/* policy_url.c: words that are URLs, with or without methods before them.
 *
 * The URL of a policy is cut and made canonical by the same functions as the URL of a request
 * (url_split.h), so that both have the same form; only its host may be a pattern, and its path and
 * query are a prefix, which may end anywhere but inside of a percent-encoding. Where canonical form
 * would make the prefix mean something else than its text says ("/a/.." is "/"), the word is
 * refused. */
#include "src/policy_word.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "src/url_split.h"
#include "src/util.h"

static bool is_scheme_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
}

static bool starts_with_nocase(const char *s, size_t len, const char *start)
{
    size_t n = strlen(start);

    return len >= n && strncasecmp(s, start, n) == 0;
}

bool policy_word_is_broken_url(const char *word, size_t len)
{
    static const char *const starts[] = {"http:/", "https:/", "http//", "https//"};

    for (size_t i = 0; i < len; i++) {
        if (i > 0 && word[i - 1] != ':')
            continue;
        for (size_t k = 0; k < ARRAY_LEN(starts); k++)
            if (starts_with_nocase(word + i, len - i, starts[k]))
                return true;
    }
    return false;
}

/* token of RFC 9110, 5.6.2, without lower-case letters (methods are case-sensitive, and none in use
 * has one) and without '*', which would look like a pattern. */
static int check_method(const char *s, size_t len, struct error *e)
{
    if (len == 0)
        return error_set(e, EINVAL, "the list of methods has an empty one");
    if (len >= POLICY_METHOD_SIZE)
        return error_set(e, EINVAL, "a method is longer than %d characters",
                         POLICY_METHOD_SIZE - 1);
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (c >= 'a' && c <= 'z')
            return error_set(e, EINVAL, "methods are written in upper case");
        if (c == '*')
            return error_set(e, EINVAL, "'*' is no method: without a list all methods are allowed");
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("!#$%&'+-.^_`|~", c)))
            return error_set(e, EINVAL, "the text before the URL is not a list of methods");
    }
    return 0;
}

static int parse_methods(const char *s, size_t len, struct endpoint *ep, struct error *e)
{
    if (len == 0)
        return error_set(e, EINVAL, "the list of methods is empty");
    ep->methods = xcalloc(POLICY_METHODS_MAX, sizeof(*ep->methods));
    for (;;) {
        const char *comma = memchr(s, ',', len);
        size_t n = comma ? (size_t)(comma - s) : len;
        int r = check_method(s, n, e);

        if (r < 0)
            return r;
        if (ep->method_count == POLICY_METHODS_MAX)
            return error_set(e, EINVAL, "more than %d methods", POLICY_METHODS_MAX);
        memcpy(ep->methods[ep->method_count++], s, n); /* the rest is zero */
        if (!comma)
            return 0;
        s += n + 1;
        len -= n + 1;
    }
}

static int parse_host(const struct url_split *split, struct endpoint *ep, struct error *e)
{
    struct url_split_authority part = {.host = ""};
    struct url_authority a;
    int r = url_split_authority(split->authority, split->authority_len,
                                url_default_port(split->scheme), &part, e);

    if (r < 0)
        return r;
    ep->port = part.port;
    if (!part.bracketed && memchr(part.host, '*', part.host_len)) {
        ep->host_kind = URL_HOST_NAME;
        return name_canon_pattern(part.host, part.host_len, ep->host, e);
    }
    r = url_canon_host(part.host, part.host_len, part.bracketed, &a, e);
    if (r < 0)
        return r;
    ep->host_kind = a.kind;
    memcpy(ep->host, a.host, strlen(a.host) + 1);
    return 0;
}

/* A prefix that ends in an encoded slash ("/@scope%2F") is the beginning of a path whose next
 * segment has begun. Made canonical with a character after it, which is then taken off. */
static int parse_open_prefix(const char *rest, size_t len, struct url *u, struct error *e)
{
    char text[POLICY_WORD_MAX + 1];
    int r;

    memcpy(text, rest, len);
    text[len] = 'x';
    r = url_parse_rest(text, len + 1, u, e);
    if (r == 0)
        u->target[--u->target_len] = '\0';
    return r;
}

static int parse_prefix(const char *rest, size_t len, struct endpoint *ep, struct error *e)
{
    struct url u = {.target_len = 0};
    bool query = len > 0 && memchr(rest, '?', len);
    bool open = !query && len >= 3 && starts_with_nocase(rest + len - 3, 3, "%2F");
    int r = open ? parse_open_prefix(rest, len, &u, e) : url_parse_rest(rest, len, &u, e);

    if (r < 0)
        return r;
    if (!query && len > 0 && rest[len - 1] != '/' && u.target[u.target_len - 1] == '/')
        return error_set(e, EINVAL,
                         "the prefix ends in a dot segment ('.' or '..'): write the path "
                         "that it stands for");
    ep->prefix = xstrndup(u.target, u.target_len);
    return 0;
}

/* Where the scheme begins, given where "://" stands; what is before it must be "METHODS:". */
static int find_scheme(const char *word, size_t colon, size_t *scheme, struct error *e)
{
    size_t s = colon;

    while (s > 0 && is_scheme_char(word[s - 1]))
        s--;
    if (s == colon)
        return error_set(e, EINVAL, "the URL has no scheme before '://'");
    if (s > 0 && word[s - 1] == ',')
        return error_set(e, EINVAL, "a list of methods ends in ':' before the URL");
    if (s > 0 && word[s - 1] != ':')
        return error_set(e, EINVAL, "only a list of methods may stand before a URL");
    *scheme = s;
    return 0;
}

int policy_word_url(const char *word, size_t len, struct endpoint *ep, struct error *e)
{
    const char *mark = memmem(word, len, "://", 3);
    size_t colon, scheme = 0;
    struct url_split split = {.authority = "", .rest = ""};
    int r;

    if (!mark)
        return error_set(e, EINVAL, "not a URL");
    colon = (size_t)(mark - word);
    r = find_scheme(word, colon, &scheme, e);
    if (r < 0)
        return r;
    if (!((colon - scheme == 4 && starts_with_nocase(word + scheme, 4, "http")) ||
          (colon - scheme == 5 && starts_with_nocase(word + scheme, 5, "https"))))
        return error_set(e, EINVAL,
                         "only http and https URLs; for other protocols write NAME:PORT");
    ep->kind = ENDPOINT_URL;
    if (scheme > 0)
        r = parse_methods(word, scheme - 1, ep, e);
    if (r == 0)
        r = url_split(word + scheme, len - scheme, &split, e);
    if (r == 0)
        ep->scheme = split.scheme;
    if (r == 0)
        r = parse_host(&split, ep, e);
    if (r == 0)
        r = parse_prefix(split.rest, split.rest_len, ep, e);
    return r < 0 ? -EINVAL : 0;
}
