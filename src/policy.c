/* policy.c: the words of a policy as a list, and the questions that it answers.
 *
 * The list is in the order of the text, and each question goes through it from the start, so the
 * endpoint that is named in the log is the first that allows; those about names and URLs are
 * answered by way of an index, once there is one, with the same result. No question allocates or
 * can fail: they are asked for each request. What is asked about is canonical (name.h, url.h), and
 * so is each endpoint; from there on comparing is comparing bytes. */
#include "src/policy.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "src/address.h"
#include "src/policy_index.h"
#include "src/policy_word.h"
#include "src/util.h"

#define LOCAL_PREFIX_MIN 3   /* bits of a network that can be local: 224.0.0.0/3, fe80::/10 */
#define LOCAL_IPV6_FROM 0xfc /* first byte of the IPv6 ones: fd00:ec2::/48, fe80::/10, ff00::/8 */
#define EMBEDDED_PREFIX_MIN (96 + LOCAL_PREFIX_MIN)

void policy_init(struct policy *p)
{
    memset(p, 0, sizeof(*p));
}

void policy_free_endpoint(struct endpoint *ep)
{
    free(ep->word);
    free(ep->source);
    free(ep->methods);
    free(ep->prefix);
    free(ep->path);
    memset(ep, 0, sizeof(*ep));
}

void policy_free(struct policy *p)
{
    for (size_t i = 0; i < p->count; i++)
        policy_free_endpoint(&p->endpoints[i]);
    free(p->endpoints);
    policy_index_free(p->index);
    policy_init(p);
}

/* "SOURCE:LINE: 'WORD': " before what is in e, so that no byte of either can drive a terminal. */
static void add_place(struct error *e, const char *source, unsigned line, const char *word,
                      size_t len)
{
    char source_text[256], word_text[160];

    (void)escape_text(source_text, sizeof(source_text), source, strlen(source));
    (void)escape_text(word_text, sizeof(word_text), word, len);
    error_prefix(e, "%s:%u: '%s': ", source_text, line, word_text);
}

static int text_too_long(const char *source, struct error *e)
{
    char source_text[256];

    (void)escape_text(source_text, sizeof(source_text), source, strlen(source));
    return error_set(e, E2BIG,
                     "%s: the policy is longer than %u bytes; expected at most that in all sources "
                     "together",
                     source_text, POLICY_TEXT_MAX);
}

static void grow(struct policy *p)
{
    if (p->count < p->capacity)
        return;
    p->capacity = p->capacity ? p->capacity * 2 : 16;
    p->endpoints = xrealloc(p->endpoints, p->capacity * sizeof(*p->endpoints));
}

static int add_word(struct policy *p, const char *source, unsigned line, const char *word,
                    size_t len, struct error *e)
{
    struct endpoint ep;
    int r;

    if (p->count >= POLICY_ENDPOINTS_MAX)
        return error_set(e, E2BIG,
                         "the policy has more than %d endpoints; expected at most that in all "
                         "sources together",
                         POLICY_ENDPOINTS_MAX);
    r = policy_parse_word(word, len, &ep, e);
    if (r < 0)
        return r;
    ep.source = xstrdup(source);
    ep.line = line;
    policy_index_free(p->index);
    p->index = NULL;
    grow(p);
    p->endpoints[p->count++] = ep;
    return 0;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t word_len(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && !is_space(text[n]))
        n++;
    return n;
}

static size_t line_len(const char *text, size_t len)
{
    const char *newline = memchr(text, '\n', len);

    return newline ? (size_t)(newline - text) : len;
}

/* A comment is for people, and may hold any bytes but those that no text has. */
static int check_comment(const char *text, size_t len, struct error *e)
{
    if (memchr(text, '\0', len))
        return error_set(e, EINVAL, "a NUL byte in a comment; expected plain text");
    return 0;
}

/* A carriage return that ends no line: what shows the text may hide what stands before it, and a
 * file whose lines end so would be one line, and a comment in it would swallow the rest. line: up
 * to the end of the line or of the text. */
static int check_returns(const char *line, size_t len, struct error *e)
{
    const char *cr = memchr(line, '\r', len);

    if (!cr || cr == line + len - 1)
        return 0;
    return error_set(e, EINVAL,
                     "a carriage return inside of a line; expected lines that end in LF or CR LF");
}

/* What a text counts for: its bytes, and the newline that policy_to_text() puts after its last
 * word. So the text that comes out of a policy is never too long to be read again. */
static size_t text_cost(const char *text, size_t len)
{
    return len > 0 && !is_space(text[len - 1]) ? len + 1 : len;
}

/* A text on its way into p. */
struct parse {
    struct policy *p;
    const char *source;
    unsigned line;
    policy_error_cb *each; /* NULL: the first error ends it */
    void *arg;
    int result;
};

/* r is what e tells of the word: true if the text is to be read on. */
static bool goes_on(struct parse *t, int r, const char *word, size_t len, struct error *e)
{
    if (r == 0)
        return true;
    t->result = r;
    if (t->each)
        t->each(t->arg, t->source, t->line, word, len, e);
    else
        add_place(e, t->source, t->line, word, len);
    return t->each != NULL;
}

/* What begins at text, and how much of it: white space, a comment, or a word. */
static int parse_next(struct parse *t, const char *text, size_t len, size_t *n, struct error *e)
{
    *n = word_len(text, len);
    if (*n == 0) {
        *n = 1;
        return 0;
    }
    if (text[0] == '#') {
        *n = len;
        return check_comment(text, len, e);
    }
    return add_word(t->p, t->source, t->line, text, *n, e);
}

/* One line without its newline: words, and perhaps a comment. */
static bool parse_line(struct parse *t, const char *text, size_t len, struct error *e)
{
    int r = check_returns(text, len, e);

    if (r < 0)
        return goes_on(t, r, text, len, e);
    for (size_t i = 0, n; i < len; i += n) {
        r = parse_next(t, text + i, len - i, &n, e);
        if (!goes_on(t, r, text + i, n, e))
            return false;
    }
    return true;
}

int policy_parse_each(struct policy *p, const char *source, const char *text, size_t len,
                      policy_error_cb *each, void *arg, struct error *e)
{
    struct parse t = {.p = p, .source = source, .line = 1, .each = each, .arg = arg};
    int r;

    if (text_cost(text, len) > POLICY_TEXT_MAX - p->text_len)
        return text_too_long(source, e);
    p->text_len += text_cost(text, len);
    r = policy_word_check_start(text, len, e);
    if (r < 0) { /* nothing after it would be understood */
        (void)goes_on(&t, r, text, word_len(text, len), e);
        return r;
    }
    for (size_t i = 0, n; i < len; i += n + 1) {
        n = line_len(text + i, len - i);
        if (!parse_line(&t, text + i, n, e))
            break;
        t.line++;
    }
    return t.result;
}

int policy_parse(struct policy *p, const char *source, const char *text, size_t len,
                 struct error *e)
{
    return policy_parse_each(p, source, text, len, NULL, NULL, e);
}

int policy_add_word(struct policy *p, const char *source, unsigned line, const char *word,
                    size_t len, struct error *e)
{
    int r = len + 1 > POLICY_TEXT_MAX - p->text_len ? text_too_long(source, e)
                                                    : add_word(p, source, line, word, len, e);

    if (r == 0)
        p->text_len += len + 1;
    else if (r != -E2BIG)
        add_place(e, source, line, word, len);
    return r;
}

/* 127.0.0.0/8 or a part of it, or ::1: the jail's own, which no packet leaves. */
static bool is_loopback(int family, const void *address)
{
    if (family == AF_INET)
        return *(const uint8_t *)address == 127;
    return memcmp(address, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
}

/* Where connect(2) leads to the host itself by another spelling. The address may stand in a packet,
 * at any place: it is copied. */
bool policy_means_loopback(int family, const void *address)
{
    static const struct in_addr any4 = {0};
    struct in6_addr v6;

    if (is_loopback(family, address))
        return true;
    if (family == AF_INET)
        return memcmp(address, &any4, sizeof(any4)) == 0;
    memcpy(&v6, address, sizeof(v6));
    return IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_V4MAPPED(&v6);
}

bool policy_is_dns_server(const struct endpoint *ep)
{
    return ep->kind == ENDPOINT_ADDRESS && ep->port == 53 && !is_loopback(ep->family, &ep->address);
}

/* Whatever is said to the port of a name passes, so the names that are asked of a DNS server there
 * would not be judged; and what listens at port 53 of the host's loopback answers for any name. */
int policy_check_enforced_endpoint(const struct endpoint *ep, struct error *e)
{
    if (ep->kind == ENDPOINT_NAME_PORT && ep->port == 53)
        return error_set(e, ENOTSUP,
                         "a DNS server is named by its address, so that the names that it is asked "
                         "for are judged; expected ADDRESS:53, and each NAME");
    if (ep->kind != ENDPOINT_ADDRESS || policy_is_loopback(ep) || policy_is_dns_server(ep) ||
        policy_is_raw(ep))
        return 0;
    if (ep->port == LOOPBACK_PORT_NEVER)
        return error_set(e, ENOTSUP,
                         "port 53 of the host's loopback is a resolver that answers for any name; "
                         "expected NAME for each name that may be resolved, without a server");
    return error_set(e, ENOTSUP,
                     "another spelling of the host's loopback, which is not taken for it; expected "
                     "127.0.0.1:PORT or [::1]:PORT");
}

int policy_check_enforced(const struct policy *p, struct error *e)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct endpoint *ep = &p->endpoints[i];
        int r = policy_check_enforced_endpoint(ep, e);

        if (r < 0) {
            add_place(e, ep->source, ep->line, ep->word, strlen(ep->word));
            return r;
        }
    }
    return 0;
}

char *policy_to_text(const struct policy *p, size_t *len)
{
    size_t total = 0;
    char *text, *out;

    for (size_t i = 0; i < p->count; i++)
        total += strlen(p->endpoints[i].word) + 1;
    text = out = xmalloc(total + 1);
    for (size_t i = 0; i < p->count; i++) {
        size_t n = strlen(p->endpoints[i].word);
        memcpy(out, p->endpoints[i].word, n);
        out[n] = '\n';
        out += n + 1;
    }
    *out = '\0';
    *len = total;
    return text;
}

#define CONFIG_DRY_RUN "#dry-run\n"

char *policy_to_config(const struct policy *p, size_t *len)
{
    cleanup_free char *words = policy_to_text(p, len);
    char *text = xasprintf("%s%s", p->dry_run ? CONFIG_DRY_RUN : "", words);

    *len = strlen(text);
    return text;
}

int policy_from_config(struct policy *p, const char *text, size_t len, struct error *e)
{
    size_t n = strlen(CONFIG_DRY_RUN);

    int r;

    p->dry_run = len >= n && memcmp(text, CONFIG_DRY_RUN, n) == 0;
    if (p->dry_run) {
        text += n;
        len -= n;
    }
    r = policy_parse(p, "policy", text, len, e);
    if (r == 0)
        policy_seal(p);
    return r;
}

void policy_seal(struct policy *p)
{
    if (!p->index)
        p->index = policy_index_new(p);
}

/* What an address is compared with. */
static size_t address_count(const struct policy *p)
{
    return p->index ? policy_index_address_count(p->index) : p->count;
}

static const struct endpoint *address_at(const struct policy *p, size_t i)
{
    return p->index ? policy_index_address(p, i) : &p->endpoints[i];
}

/* A pattern stands for names alone: an address is allowed by its own text only. */
static bool authority_matches(const struct endpoint *ep, enum url_scheme scheme,
                              const struct url_authority *a)
{
    if (ep->kind != ENDPOINT_URL || ep->scheme != scheme || ep->port != a->port ||
        ep->host_kind != a->kind)
        return false;
    if (a->kind == URL_HOST_NAME)
        return name_match(ep->host, a->host);
    return strcmp(ep->host, a->host) == 0;
}

bool policy_endpoint_has_method(const struct endpoint *ep, const char *method)
{
    for (size_t i = 0; i < ep->method_count; i++)
        if (strcmp(ep->methods[i], method) == 0)
            return true;
    return ep->method_count == 0;
}

/* The one comparison answers for both readings of an encoded slash (url_decoded_slashes): if the
 * prefix stands at the start of the target, then the prefix with its %2F decoded stands at the
 * start of the target with its %2F decoded, since a canonical prefix never ends inside of a
 * percent-encoding; and decoding makes no dot or empty segment, since url_parse_target() refuses
 * those. So a server that decodes sees a path under the prefix as it reads the prefix too. The
 * reverse does not hold, and is not allowed: "/@scope/" is no prefix of
 * "/@scope%2Fname". */
static bool prefix_matches(const struct endpoint *ep, const struct url *url)
{
    return strncmp(ep->prefix, url->target, strlen(ep->prefix)) == 0;
}

/* The endpoint that allows plain http to a because it allows everything there. */
static const struct endpoint *match_any_use(const struct policy *p, enum url_scheme scheme,
                                            const struct url_authority *a)
{
    return scheme == URL_HTTP ? policy_match_raw(p, a) : NULL;
}

static bool request_matches(const struct endpoint *ep, const struct url *url)
{
    return authority_matches(ep, url->scheme, &url->authority) && prefix_matches(ep, url);
}

/* Content of these has no meaning (RFC 9110, 9.3.1, 9.3.2, 9.3.5, 9.3.7, 9.3.8). */
static bool has_body(const char *method)
{
    static const char *const without[] = {"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"};

    for (size_t i = 0; i < ARRAY_LEN(without); i++)
        if (strcmp(method, without[i]) == 0)
            return false;
    return true;
}

bool policy_endpoint_allows_uploads(const struct endpoint *ep)
{
    for (size_t i = 0; i < ep->method_count; i++)
        if (has_body(ep->methods[i]))
            return true;
    return ep->method_count == 0;
}

struct use {
    const char *method;
    bool upload;
};

static bool allows_use(const struct endpoint *ep, const void *arg)
{
    const struct use *use = arg;

    return (!use->upload || policy_endpoint_allows_uploads(ep)) &&
           policy_endpoint_has_method(ep, use->method);
}

/* Of two that allow, either of which may be NULL. */
static const struct endpoint *first_of(const struct endpoint *a, const struct endpoint *b)
{
    return a && (!b || a < b) ? a : b;
}

static const struct endpoint *match_request(const struct policy *p, const char *method,
                                            const struct url *url, bool upload)
{
    const struct endpoint *raw = match_any_use(p, url->scheme, &url->authority);
    const struct use use = {method, upload};

    if (p->index)
        return first_of(raw, policy_index_url(p, url, allows_use, &use));
    for (size_t i = 0; i < p->count; i++) {
        const struct endpoint *ep = &p->endpoints[i];
        if (ep == raw || (request_matches(ep, url) && allows_use(ep, &use)))
            return ep;
    }
    return NULL;
}

const struct endpoint *policy_match_request(const struct policy *p, const char *method,
                                            const struct url *url)
{
    return match_request(p, method, url, false);
}

const struct endpoint *policy_match_upload(const struct policy *p, const char *method,
                                           const struct url *url)
{
    return match_request(p, method, url, true);
}

const struct endpoint *policy_match_authority(const struct policy *p, enum url_scheme scheme,
                                              const struct url_authority *a)
{
    const struct endpoint *raw = match_any_use(p, scheme, a);

    if (p->index)
        return first_of(raw, policy_index_authority(p, scheme, a));
    for (size_t i = 0; i < p->count; i++)
        if (&p->endpoints[i] == raw || authority_matches(&p->endpoints[i], scheme, a))
            return &p->endpoints[i];
    return NULL;
}

bool policy_endpoint_resolves(const struct endpoint *ep)
{
    return ep->kind == ENDPOINT_NAME || ep->kind == ENDPOINT_NAME_PORT ||
           (ep->kind == ENDPOINT_URL && ep->host_kind == URL_HOST_NAME);
}

const struct endpoint *policy_match_resolve(const struct policy *p, const char *name)
{
    if (p->index)
        return policy_index_resolve(p, name);
    for (size_t i = 0; i < p->count; i++) {
        const struct endpoint *ep = &p->endpoints[i];
        if (policy_endpoint_resolves(ep) && name_match(ep->host, name))
            return ep;
    }
    return NULL;
}

/* The first len bits are the same. */
static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
    unsigned rest = len % 8;

    return memcmp(a, b, len / 8) == 0 &&
           (rest == 0 || (a[len / 8] ^ b[len / 8]) >> (8 - rest) == 0);
}

const struct endpoint *policy_match_dns_server(const struct policy *p, int family,
                                               const void *address)
{
    if (policy_means_loopback(family, address))
        return NULL;
    for (size_t i = 0; i < address_count(p); i++) {
        const struct endpoint *ep = address_at(p, i);
        if (policy_is_dns_server(ep) && ep->family == family &&
            prefix_equal((const uint8_t *)&ep->address, address, ep->prefix_len))
            return ep;
    }
    return NULL;
}

bool policy_passes_dns_server(const struct policy *p, int family, const void *address)
{
    return policy_match_dns_server(p, family, address) ||
           (p->dry_run && !policy_means_loopback(family, address));
}

bool policy_is_loopback(const struct endpoint *ep)
{
    static const unsigned char v4[1] = {127};
    const unsigned char *bytes = (const unsigned char *)&ep->address;

    if (ep->kind != ENDPOINT_ADDRESS || ep->port == LOOPBACK_PORT_NEVER)
        return false;
    if (ep->family == AF_INET)
        return ep->prefix_len >= 8 && memcmp(bytes, v4, sizeof(v4)) == 0;
    return ep->prefix_len == 128 && memcmp(bytes, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
}

const struct endpoint *policy_match_loopback(const struct policy *p, int family,
                                             const void *address, uint16_t port)
{
    for (size_t i = 0; i < address_count(p); i++) {
        const struct endpoint *ep = address_at(p, i);
        if (policy_is_loopback(ep) && ep->family == family && ep->port == port &&
            prefix_equal((const uint8_t *)&ep->address, address, ep->prefix_len))
            return ep;
    }
    return NULL;
}

/* Nothing of it can be reached: all of its addresses mean the host. */
static bool is_spelling_of_loopback(const struct endpoint *ep)
{
    const struct in6_addr *v6 = &ep->address.v6;

    if (ep->family == AF_INET)
        return ep->prefix_len == 32 && policy_means_loopback(AF_INET, &ep->address);
    return (ep->prefix_len >= 96 && IN6_IS_ADDR_V4MAPPED(v6)) ||
           (ep->prefix_len >= 127 && policy_means_loopback(AF_INET6, v6));
}

bool policy_is_raw(const struct endpoint *ep)
{
    return ep->kind == ENDPOINT_ADDRESS && ep->port != LOOPBACK_PORT_NEVER &&
           !policy_is_loopback(ep) && !is_spelling_of_loopback(ep);
}

/* Bits that a network has at least if all of it is local, which its ends alone do not tell where
 * IPv4 addresses are embedded (NAT64, Teredo; 6to4, from bit 16 on): the first and the last of
 * these are local, too. */
static unsigned local_prefix_min(const struct endpoint *ep)
{
    const uint8_t *bytes = (const uint8_t *)&ep->address;

    if (ep->family == AF_INET6 && bytes[0] == 0x20 && bytes[1] == 0x02)
        return 16 + LOCAL_PREFIX_MIN;
    return ep->family == AF_INET6 && bytes[0] < LOCAL_IPV6_FROM ? EMBEDDED_PREFIX_MIN
                                                                : LOCAL_PREFIX_MIN;
}

/* What is local (link-local, a cloud's metadata, multicast, the jail's link) is not meant by a
 * network around it, such as 0.0.0.0/0: only by one that is local itself. */
static bool means_it(const struct endpoint *ep, int family, const void *address)
{
    uint8_t last[16];

    if (address_classify(family, address) != ADDRESS_LOCAL)
        return true;
    memcpy(last, &ep->address, sizeof(last));
    for (unsigned i = ep->prefix_len; i < (family == AF_INET ? 32 : 128); i++)
        last[i / 8] |= (uint8_t)(0x80 >> i % 8);
    return ep->prefix_len >= local_prefix_min(ep) &&
           address_classify(family, &ep->address) == ADDRESS_LOCAL &&
           address_classify(family, last) == ADDRESS_LOCAL;
}

/* port 0: any. */
static const struct endpoint *match_address(const struct policy *p, int family, const void *address,
                                            uint16_t port)
{
    if (policy_means_loopback(family, address))
        return NULL;
    for (size_t i = 0; i < address_count(p); i++) {
        const struct endpoint *ep = address_at(p, i);
        if ((port == 0 || ep->port == port) && ep->family == family && policy_is_raw(ep) &&
            prefix_equal((const uint8_t *)&ep->address, address, ep->prefix_len) &&
            means_it(ep, family, address))
            return ep;
    }
    return NULL;
}

const struct endpoint *policy_match_address(const struct policy *p, int family, const void *address,
                                            uint16_t port)
{
    return port == 0 ? NULL : match_address(p, family, address, port);
}

bool policy_names_address(const struct policy *p, int family, const void *address)
{
    return match_address(p, family, address, 0) != NULL;
}

const struct endpoint *policy_match_abstract(const struct policy *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->endpoints[i].kind == ENDPOINT_ABSTRACT && strcmp(p->endpoints[i].path, name) == 0)
            return &p->endpoints[i];
    return NULL;
}

bool policy_has_kind(const struct policy *p, enum endpoint_kind kind)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->endpoints[i].kind == kind)
            return true;
    return false;
}

bool policy_has_scheme(const struct policy *p, enum url_scheme scheme)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->endpoints[i].kind == ENDPOINT_URL && p->endpoints[i].scheme == scheme)
            return true;
    return false;
}

bool policy_needs_ca(const struct policy *p)
{
    return p->dry_run || policy_has_scheme(p, URL_HTTPS);
}

bool policy_has_port(const struct policy *p, enum url_scheme scheme, uint16_t port)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->endpoints[i].kind == ENDPOINT_URL && p->endpoints[i].scheme == scheme &&
            p->endpoints[i].port == port)
            return true;
    return false;
}

bool policy_is_url_port(const struct policy *p, uint16_t port)
{
    return policy_has_port(p, URL_HTTPS, port) || policy_has_port(p, URL_HTTP, port) ||
           (p->dry_run && (port == 80 || port == 443));
}

uint32_t policy_index(const struct policy *p, const struct endpoint *ep)
{
    return ep ? (uint32_t)(ep - p->endpoints) : POLICY_INDEX_NONE;
}
