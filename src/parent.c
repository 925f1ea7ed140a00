/* parent.c: which connections go by a proxy of the caller's network, and what that proxy is told;
 * see parent.h.
 *
 * The text is the caller's own, not the jail's. Its credentials stay in the supervisor wherever
 * that is possible (dialer.c), and in no case does the jail see them. */
#include "src/parent.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/address.h"
#include "src/base64.h"
#include "src/net.h"
#include "src/util.h"

#define CREDENTIALS_MAX 512 /* USER:PASSWORD, decoded */
#define LENGTH_OF(array) (sizeof(array) - 1)

/* --- a proxy's URL --- */

/* The decoded length, or -1 if it is too long, or a control character. */
static int decode_percent(const char *text, size_t len, unsigned char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '%' && len - i > 2 && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
            c = (unsigned char)(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
            i += 2;
        }
        if (n == size || c < ' ' || c == 0x7f)
            return -1;
        out[n++] = c;
    }
    return (int)n;
}

/* RFC 7617, 2: the first colon parts the user from the password, and is there in any case. */
static int set_credentials(const char *variable, const char *text, size_t len, struct parent *out,
                           struct error *e)
{
    static const char basic[] = "Basic ";
    unsigned char plain[CREDENTIALS_MAX + 1];
    int n = decode_percent(text, len, plain, CREDENTIALS_MAX);

    _Static_assert(LENGTH_OF(basic) + (CREDENTIALS_MAX + 3) / 3 * 4 < sizeof(out->authorization),
                   "it fits");
    if (n < 0)
        return error_set(e, EINVAL,
                         "%s: the proxy's user information holds a control character, or more "
                         "than %d bytes",
                         variable, CREDENTIALS_MAX);
    if (!memchr(plain, ':', (size_t)n))
        plain[n++] = ':';
    copy_string(out->authorization, sizeof(out->authorization), basic);
    (void)base64_encode(plain, (size_t)n, out->authorization + LENGTH_OF(basic));
    explicit_bzero(plain, sizeof(plain));
    return 0;
}

/* Takes the scheme off. */
static int take_scheme(const char *variable, const char **text, bool *tls, struct error *e)
{
    static const char *const others[] = {"socks4", "socks4a", "socks5", "socks5h", "socks"};
    const char *end = strstr(*text, "://");
    size_t len = end ? (size_t)(end - *text) : 0;

    *tls = len == 5 && strncasecmp(*text, "https", 5) == 0;
    if (!end)
        return 0;
    if (*tls || (len == 4 && strncasecmp(*text, "http", 4) == 0)) {
        *text = end + 3;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (len == strlen(others[i]) && strncasecmp(*text, others[i], len) == 0)
            return error_set(e, ENOTSUP,
                             "%s names a proxy of the kind %s, which cijail does not speak; name "
                             "one of http:// or https://, or unset %s",
                             variable, others[i], variable);
    return error_set(e, EINVAL, "%s does not begin with http:// or https://", variable);
}

int parent_parse(const char *variable, const char *text, struct parent *out, struct error *e)
{
    const char *at = NULL;
    struct error why;
    size_t len;
    int r;

    *out = (struct parent){.set = true};
    if ((r = take_scheme(variable, &text, &out->tls, e)) < 0)
        return r;
    len = strcspn(text, "/?#");
    for (size_t i = 0; i < len; i++)
        if (text[i] == '@')
            at = text + i;
    if (at && (r = set_credentials(variable, text, (size_t)(at - text), out, e)) < 0)
        return r;
    if (at) {
        len -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    if (url_parse_authority(text, len, url_default_port(out->tls ? URL_HTTPS : URL_HTTP),
                            &out->authority, &why) < 0)
        return error_set(e, EINVAL,
                         "%s is not [http://|https://][USER:PASSWORD@]HOST[:PORT]: its host and "
                         "port cannot be read",
                         variable);
    return 0;
}

/* --- no_proxy --- */

static bool read_number(const char *text, size_t len, unsigned max, unsigned *out)
{
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || len > 5)
            return false;
        *out = *out * 10 + (unsigned)(text[i] - '0');
    }
    return len > 0 && *out <= max;
}

/* ADDRESS or ADDRESS/LEN. */
static bool read_network(const char *text, size_t len, struct parent_exception *x)
{
    const char *slash = memchr(text, '/', len);
    size_t address_len = slash ? (size_t)(slash - text) : len;
    char address[INET6_ADDRSTRLEN];

    if (address_len >= sizeof(address))
        return false;
    memcpy(address, text, address_len);
    address[address_len] = '\0';
    x->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    x->bits = x->family == AF_INET6 ? 128 : 32;
    x->kind = EXCEPT_NETWORK;
    return inet_pton(x->family, address, x->address) == 1 &&
           (!slash || read_number(slash + 1, len - address_len - 1, x->bits, &x->bits));
}

/* Takes ":PORT" off, and the brackets of an IPv6 address. */
static void take_port(const char **text, size_t *len, uint16_t *port)
{
    const char *first = memchr(*text, ':', *len), *end;
    unsigned number;

    if (**text == '[' && (end = memchr(*text, ']', *len))) {
        size_t rest = *len - (size_t)(end + 1 - *text);
        if (rest > 1 && end[1] == ':' && read_number(end + 2, rest - 1, 65535, &number))
            *port = (uint16_t)number;
        *len = (size_t)(end - *text) - 1;
        (*text)++;
    } else if (first && !memchr(first + 1, ':', *len - (size_t)(first + 1 - *text)) &&
               read_number(first + 1, *len - (size_t)(first + 1 - *text), 65535, &number)) {
        *port = (uint16_t)number;
        *len = (size_t)(first - *text);
    }
}

static bool read_exception(const char *text, size_t len, struct parent_exception *x)
{
    *x = (struct parent_exception){.kind = EXCEPT_ALL};
    if (len == 1 && *text == '*')
        return true;
    take_port(&text, &len, &x->port);
    if (len > 0 && read_network(text, len, x))
        return true;
    if (len > 1 && text[0] == '*' && text[1] == '.') {
        text++;
        len--;
    }
    while (len > 0 && *text == '.') {
        text++;
        len--;
    }
    x->kind = EXCEPT_NAME;
    return len > 0 && name_canon(text, len, x->name, NULL) == 0;
}

void parent_parse_exceptions(const char *text, struct parents *out)
{
    static const char separators[] = ", \t\r\n";

    out->exception_count = 0;
    while (*(text += strspn(text, separators)) && out->exception_count < PARENT_EXCEPTIONS_MAX) {
        size_t len = strcspn(text, separators);
        if (read_exception(text, len, &out->exceptions[out->exception_count]))
            out->exception_count++;
        text += len;
    }
}

static bool is_below(const char *name, const char *domain)
{
    size_t len = strlen(name), domain_len = strlen(domain);

    if (len < domain_len || strcmp(name + len - domain_len, domain) != 0)
        return false;
    return len == domain_len || name[len - domain_len - 1] == '.';
}

static bool in_network(const struct parent_exception *x, int family, const uint8_t *address)
{
    unsigned bytes = x->bits / 8, rest = x->bits % 8;

    if (family != x->family || memcmp(address, x->address, bytes) != 0)
        return false;
    return rest == 0 || (address[bytes] ^ x->address[bytes]) >> (8 - rest) == 0;
}

static bool is_excepted(const struct parents *p, const struct url_authority *a, int family,
                        const uint8_t *address)
{
    for (size_t i = 0; i < p->exception_count; i++) {
        const struct parent_exception *x = &p->exceptions[i];
        if (x->port && x->port != a->port)
            continue;
        if (x->kind == EXCEPT_ALL ||
            (x->kind == EXCEPT_NAME && family == AF_UNSPEC && is_below(a->host, x->name)) ||
            (x->kind == EXCEPT_NETWORK && in_network(x, family, address)))
            return true;
    }
    return false;
}

enum msg_parent_use parents_use(uint32_t scheme)
{
    return scheme == URL_HTTP ? MSG_PARENT_HTTP : MSG_PARENT_TUNNEL;
}

const struct parent *parents_choose(const struct parents *p, uint32_t scheme,
                                    const struct url_authority *a)
{
    uint8_t address[16] = {0};
    int family = a->kind == URL_HOST_IPV4   ? AF_INET
                 : a->kind == URL_HOST_IPV6 ? AF_INET6
                                            : AF_UNSPEC;

    if (!p || !p->of[parents_use(scheme)].set)
        return NULL;
    if (family == AF_UNSPEC
            ? is_below(a->host, "localhost")
            : inet_pton(family, a->host, address) != 1 || address_is_loopback(family, address))
        return NULL;
    return is_excepted(p, a, family, address) ? NULL : &p->of[parents_use(scheme)];
}

/* --- the environment --- */

/* The first of the variables that is not empty; *name: which. */
static const char *first_set(const char *const *names, size_t n, const char **name)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = getenv(names[i]);
        *name = names[i];
        if (value && *value)
            return value;
    }
    return NULL;
}

/* Of a jail around this one: what it has it lets through to those that connect themselves, too, and
 * says of each connection whether it was made, which a CONNECT does not. */
static void forget_outer_jail(struct parent *p)
{
    const struct url_authority *a = &p->authority;

    if (a->port == PROXY_PORT && (strcmp(a->host, GW_IPV4) == 0 || strcmp(a->host, GW_IPV6) == 0))
        *p = (struct parent){.set = false};
}

int parents_from_environment(struct parents *out, struct error *e)
{
    static const char *const http[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    static const char *const https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    static const char *const none[] = {"no_proxy", "NO_PROXY"};
    const char *name, *value;
    int r;

    memset(out, 0, sizeof(*out));
    value = first_set(http, ARRAY_LEN(http), &name);
    if (value && (r = parent_parse(name, value, &out->of[MSG_PARENT_HTTP], e)) < 0)
        return r;
    value = first_set(https, ARRAY_LEN(https), &name);
    if (value && (r = parent_parse(name, value, &out->of[MSG_PARENT_TUNNEL], e)) < 0)
        return r;
    value = first_set(none, ARRAY_LEN(none), &name);
    if (value)
        parent_parse_exceptions(value, out);
    forget_outer_jail(&out->of[MSG_PARENT_HTTP]);
    forget_outer_jail(&out->of[MSG_PARENT_TUNNEL]);
    return 0;
}

void parents_hide_environment(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy",
                                        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *value = getenv(names[i]);
        char *begin = value ? strstr(value, "://") : NULL;
        char *at;
        if (!value)
            continue;
        begin = begin ? begin + 3 : value;
        at = strrchr(begin, '@');
        if (at)
            memset(begin, '*', (size_t)(at - begin));
    }
}

void parents_forget(struct parents *p)
{
    for (size_t i = 0; i < ARRAY_LEN(p->of); i++)
        if (p->of[i].set)
            explicit_bzero(&p->of[i], sizeof(p->of[i]));
}

/* --- what the proxy is told --- */

int parent_write_connect(const char *target, const char *authorization, char *buf, size_t size)
{
    int n =
        snprintf(buf, size, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%sConnection: close\r\n\r\n",
                 target, target, *authorization ? "Proxy-Authorization: " : "", authorization,
                 *authorization ? "\r\n" : "");

    return n > 0 && (size_t)n < size ? n : -ENOSPC;
}
