/* policy_word.c: one word of the endpoint language to an endpoint, or to a reason why it is none.
 *
 * A word is first sorted into a form by how it looks, then parsed as that form and nothing else. So
 * the message of a word that is wrong speaks of what its writer meant, and no word is ever taken
 * for a second form because it failed as the first. */
#include "src/policy_word.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "src/name.h"
#include "src/url_split.h"
#include "src/util.h"

#define UNIX_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1) /* 107 bytes */

struct form {
    int (*parse)(const char *word, size_t len, struct endpoint *ep, struct error *e);
    const char *expected;
};

static int parse_broken_url(const char *word, size_t len, struct endpoint *ep, struct error *e)
{
    (void)word;
    (void)len;
    (void)ep;
    return error_set(e, EINVAL, "a URL has '://' after its scheme");
}

static int parse_netlink(const char *word, size_t len, struct endpoint *ep, struct error *e)
{
    (void)word;
    (void)len;
    (void)e;
    ep->kind = ENDPOINT_NETLINK;
    return 0;
}

static bool is_dots(const char *s, size_t len)
{
    return (len == 1 || len == 2) && s[0] == '.' && s[len - 1] == '.';
}

static int check_component(const char *s, size_t len, bool last, struct error *e)
{
    if (len == 0 && last)
        return error_set(e, EINVAL, "the path of a socket does not end in '/'");
    if (len == 0)
        return error_set(e, EINVAL, "the path has an empty component ('//')");
    if (is_dots(s, len))
        return error_set(e, EINVAL, "the path has a '.' or '..' component");
    return 0;
}

static int parse_unix(const char *word, size_t len, struct endpoint *ep, struct error *e)
{
    if (len > UNIX_PATH_MAX)
        return error_set(e, EINVAL, "the path of a unix socket is longer than %zu bytes",
                         UNIX_PATH_MAX);
    for (size_t start = 1; start <= len;) {
        const char *slash = memchr(word + start, '/', len - start);
        size_t end = slash ? (size_t)(slash - word) : len;
        int r = check_component(word + start, end - start, !slash, e);

        if (r < 0)
            return r;
        start = end + 1;
    }
    ep->kind = ENDPOINT_UNIX;
    ep->path = xstrndup(word, len);
    return 0;
}

static int parse_abstract(const char *word, size_t len, struct endpoint *ep, struct error *e)
{
    if (len == 1)
        return error_set(e, EINVAL, "the name after '@' is empty");
    if (len - 1 > UNIX_PATH_MAX)
        return error_set(e, EINVAL, "the name of an abstract socket is longer than %zu bytes",
                         UNIX_PATH_MAX);
    ep->kind = ENDPOINT_ABSTRACT;
    ep->path = xstrndup(word + 1, len - 1);
    return 0;
}

/* More than one ':' and no brackets. */
static int too_many_colons(const char *word, size_t len, struct error *e)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr("0123456789abcdefABCDEF:./%", word[i]))
            return error_set(e, EINVAL, "more than one ':'");
    return error_set(e, EINVAL, "an IPv6 address stands in brackets");
}

/* "!private" at the end of a NAME: takes it off. */
static int take_private(const char *word, size_t *len, struct endpoint *ep, struct error *e)
{
    static const char mark[] = "!private";
    size_t k = sizeof(mark) - 1, n = *len > k ? *len - k : 0;

    if (n == 0 || memcmp(word + n, mark, k) != 0)
        return 0;
    if (memchr(word, ':', n) || memchr(word, '/', n) || name_ends_in_number(word, n))
        return error_set(e, EINVAL, "'!private' belongs to a NAME without a port");
    *len = n;
    ep->private_too = true;
    return 0;
}

/* NAME, NAME:PORT, and all that begins with an IPv4 address. */
static int parse_host_part(const char *word, size_t len, struct endpoint *ep, struct error *e)
{
    const char *colon = memchr(word, ':', len);
    const char *slash = memchr(word, '/', len);
    size_t host_len = colon ? (size_t)(colon - word) : len;
    size_t address_len = slash && (!colon || slash < colon) ? (size_t)(slash - word) : host_len;
    int r;

    if (colon && memchr(colon + 1, ':', len - host_len - 1))
        return too_many_colons(word, len, e);
    if (name_ends_in_number(word, address_len))
        return policy_word_ipv4(word, len, ep, e);
    if (slash && (word[0] == '.' || word[0] == '~'))
        return error_set(e, EINVAL,
                         "a socket is named by its absolute path, and a file of endpoints by -p");
    if (slash)
        return error_set(e, EINVAL,
                         "a path belongs to a URL, which begins with https:// or http://");
    ep->kind = colon ? ENDPOINT_NAME_PORT : ENDPOINT_NAME;
    ep->host_kind = URL_HOST_NAME;
    r = name_canon_pattern(word, host_len, ep->host, e);
    if (r == 0 && colon)
        r = url_parse_port(colon + 1, len - host_len - 1, &ep->port, e);
    return r;
}

static int parse_host(const char *word, size_t len, struct endpoint *ep, struct error *e)
{
    int r = take_private(word, &len, ep, e);

    return r < 0 ? r : parse_host_part(word, len, ep, e);
}

#define EXPECT_URL "[METHOD,...:]https://HOST[:PORT]/PREFIX"
#define EXPECT_ANY                                                                                 \
    "a URL (https://HOST[:PORT]/PREFIX), NAME, NAME!private, NAME:PORT, ADDRESS:PORT, "            \
    "ADDRESS/LEN:PORT, "                                                                           \
    "[ADDRESS6]:PORT, /path/to/socket, @abstract or [netlink]"

enum form_id {
    FORM_NETLINK,
    FORM_UNIX,
    FORM_ABSTRACT,
    FORM_URL,
    FORM_BROKEN,
    FORM_IPV6,
    FORM_HOST
};

static const struct form forms[] = {
    [FORM_NETLINK] = {parse_netlink, "[netlink]"},
    [FORM_UNIX] = {parse_unix, "/path/to/socket, absolute"},
    [FORM_ABSTRACT] = {parse_abstract, "@abstract"},
    [FORM_URL] = {policy_word_url, EXPECT_URL},
    [FORM_BROKEN] = {parse_broken_url, EXPECT_URL},
    [FORM_IPV6] = {policy_word_ipv6, "[ADDRESS6]:PORT, [ADDRESS6]/LEN:PORT or [netlink]"},
    [FORM_HOST] = {parse_host, EXPECT_ANY},
};

static enum form_id sort_word(const char *word, size_t len)
{
    static const char netlink[] = "[netlink]";

    if (len == sizeof(netlink) - 1 && memcmp(word, netlink, len) == 0)
        return FORM_NETLINK;
    if (word[0] == '/')
        return FORM_UNIX;
    if (word[0] == '@')
        return FORM_ABSTRACT;
    if (memmem(word, len, "://", 3))
        return FORM_URL;
    if (policy_word_is_broken_url(word, len))
        return FORM_BROKEN;
    return word[0] == '[' ? FORM_IPV6 : FORM_HOST;
}

/* What no form allows. */
static int check_bytes(const char *word, size_t len, struct error *e)
{
    if (len == 0)
        return error_set(e, EINVAL, "the word is empty");
    if (memchr(word, '\0', len))
        return error_set(e, EINVAL, "the word has a NUL byte");
    if (len > POLICY_WORD_MAX)
        return error_set(e, EINVAL, "the word is longer than %d bytes", POLICY_WORD_MAX);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)word[i] <= 0x20 || word[i] == 0x7f)
            return error_set(e, EINVAL, "the word has white space or a control character");
    return 0;
}

int policy_word_check_start(const char *word, size_t len, struct error *e)
{
    static const struct {
        const char *bytes;
        size_t len;
    } marks[] = {{"\xef\xbb\xbf", 3}, {"\xfe\xff", 2}, {"\xff\xfe", 2}};

    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (len >= marks[i].len && memcmp(word, marks[i].bytes, marks[i].len) == 0)
            return error_set(
                e, EINVAL,
                "the text begins with a byte order mark; expected plain UTF-8 without one");
    return 0;
}

int policy_parse_word(const char *word, size_t len, struct endpoint *ep, struct error *e)
{
    const struct form *form;
    int r;

    memset(ep, 0, sizeof(*ep));
    r = policy_word_check_start(word, len, e);
    if (r < 0)
        return r;
    r = check_bytes(word, len, e);
    if (r < 0) {
        error_add(e, "; expected an endpoint in plain text");
        return r;
    }
    form = &forms[sort_word(word, len)];
    r = form->parse(word, len, ep, e);
    if (r < 0) {
        policy_free_endpoint(ep);
        error_add(e, "; expected %s", form->expected);
        return r;
    }
    ep->word = xstrndup(word, len);
    return 0;
}
