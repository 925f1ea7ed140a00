/* fuzz_policy.c: a policy out of the input up to its first NUL byte, and a request out of the rest
 * ("METHOD URL"). What is taken must come back the same through policy_to_text(), and each answer
 * must be one that its endpoint's own fields bear out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/policy.h"
#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_same(const struct endpoint *a, const struct endpoint *b)
{
    CHECK(a->kind == b->kind && a->scheme == b->scheme && a->host_kind == b->host_kind);
    CHECK(a->port == b->port && a->family == b->family && a->prefix_len == b->prefix_len);
    CHECK(memcmp(&a->address, &b->address, sizeof(a->address)) == 0);
    CHECK(same_text(a->word, b->word) && same_text(a->host, b->host));
    CHECK(same_text(a->prefix, b->prefix) && same_text(a->path, b->path));
    CHECK(a->method_count == b->method_count);
    for (size_t i = 0; i < a->method_count; i++)
        CHECK(same_text(a->methods[i], b->methods[i]));
}

/* The fields that the kind has, and no others. */
static void check_endpoint(const struct endpoint *ep)
{
    bool has_port =
        ep->kind == ENDPOINT_URL || ep->kind == ENDPOINT_NAME_PORT || ep->kind == ENDPOINT_ADDRESS;
    bool has_host =
        ep->kind == ENDPOINT_URL || ep->kind == ENDPOINT_NAME || ep->kind == ENDPOINT_NAME_PORT;

    CHECK(ep->kind >= ENDPOINT_URL && ep->kind <= ENDPOINT_NETLINK);
    CHECK(ep->word && ep->source && ep->line >= 1 && strlen(ep->word) <= POLICY_WORD_MAX);
    CHECK(has_port == (ep->port != 0));
    CHECK(has_host == (ep->host[0] != '\0'));
    CHECK((ep->kind == ENDPOINT_URL) == (ep->prefix != NULL));
    CHECK(!ep->prefix || ep->prefix[0] == '/');
    CHECK((ep->kind == ENDPOINT_UNIX || ep->kind == ENDPOINT_ABSTRACT) == (ep->path != NULL));
    CHECK(!ep->path || (strlen(ep->path) >= 1 && strlen(ep->path) <= 107));
    CHECK(ep->method_count == 0 || ep->kind == ENDPOINT_URL);
    CHECK((ep->kind == ENDPOINT_ADDRESS) == (ep->family != 0));
}

/* The canonical form of a URL endpoint (without a pattern) is a URL, which the endpoint allows. */
static void check_own_url(const struct policy *p, const struct endpoint *ep)
{
    static struct url u;
    const char *method = ep->method_count ? ep->methods[0] : "GET";
    const struct endpoint *match;

    if (ep->kind != ENDPOINT_URL || strchr(ep->host, '*'))
        return;
    u.scheme = ep->scheme;
    u.authority.kind = ep->host_kind;
    u.authority.port = ep->port;
    copy_string(u.authority.host, sizeof(u.authority.host), ep->host);
    u.target_len = strlen(ep->prefix);
    copy_string(u.target, sizeof(u.target), ep->prefix);
    match = policy_match_request(p, method, &u);
    CHECK(match && match <= ep);
    CHECK(policy_match_authority(p, u.scheme, &u.authority));
    CHECK(policy_has_scheme(p, u.scheme));
    CHECK(ep->host_kind != URL_HOST_NAME || policy_match_resolve(p, ep->host));
}

static void check_round_trip(const struct policy *p)
{
    struct policy again;
    size_t len;
    char *text = policy_to_text(p, &len);

    policy_init(&again);
    CHECK(policy_parse(&again, "again", text, len, NULL) == 0);
    CHECK(again.count == p->count);
    for (size_t i = 0; i < p->count; i++)
        check_same(&p->endpoints[i], &again.endpoints[i]);
    policy_free(&again);
    free(text);
}

/* s with each %2F of its path decoded. */
static void decode_slashes(const char *s, char *out)
{
    static struct url u;

    u.target_len = strlen(s);
    copy_string(u.target, sizeof(u.target), s);
    if (!url_decoded_slashes(&u, out))
        copy_string(out, URL_TARGET_MAX + 1, s);
}

/* The index decides as the list does (policy_index.c). */
static void check_index(struct policy *p, const char *method, const struct url *u)
{
    const struct endpoint *request = policy_match_request(p, method, u);
    const struct endpoint *upload = policy_match_upload(p, method, u);
    const struct endpoint *authority = policy_match_authority(p, u->scheme, &u->authority);
    const struct endpoint *name = policy_match_resolve(p, u->authority.host);
    bool private_too = policy_allows_private(p, u->authority.host);

    policy_seal(p);
    CHECK(request == policy_match_request(p, method, u));
    CHECK(upload == policy_match_upload(p, method, u));
    CHECK(authority == policy_match_authority(p, u->scheme, &u->authority));
    CHECK(name == policy_match_resolve(p, u->authority.host));
    CHECK(private_too == policy_allows_private(p, u->authority.host));
}

static void check_request(struct policy *p, const char *text, size_t len)
{
    static char target[URL_TARGET_MAX + 1], prefix[URL_TARGET_MAX + 1];
    static struct url u;
    const char *space = memchr(text, ' ', len);
    cleanup_free char *method = NULL;
    const struct endpoint *ep;

    if (!space || url_parse(space + 1, len - (size_t)(space - text) - 1, &u, NULL) < 0)
        return;
    method = xstrndup(text, (size_t)(space - text));
    check_index(p, method, &u);
    ep = policy_match_request(p, method, &u);
    if (!ep)
        return;
    if (ep->kind != ENDPOINT_URL) { /* ADDRESS:PORT, NAME:PORT: plain http, too */
        CHECK(u.scheme == URL_HTTP && ep == policy_match_raw(p, &u.authority));
        return;
    }
    CHECK(ep->port == u.authority.port && ep->scheme == u.scheme);
    CHECK(strncmp(u.target, ep->prefix, strlen(ep->prefix)) == 0);
    decode_slashes(u.target, target);
    decode_slashes(ep->prefix, prefix);
    CHECK(strncmp(target, prefix, strlen(prefix)) == 0);
    CHECK(policy_match_authority(p, u.scheme, &u.authority));
    CHECK(u.authority.kind != URL_HOST_NAME || policy_match_resolve(p, u.authority.host));
    CHECK(policy_index(p, ep) < p->count);
}

/* No byte of a message can drive a terminal. */
static void check_message(const struct error *e)
{
    CHECK(e->text[0] != '\0');
    for (const char *c = e->text; *c; c++)
        CHECK(*c >= 0x20 && *c <= 0x7e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t len = size > 0 ? strnlen(text, size) : 0;
    struct policy p;
    struct error e = {""};

    policy_init(&p);
    if (policy_parse(&p, "fuzz", text, len, &e) < 0) {
        check_message(&e);
    } else {
        for (size_t i = 0; i < p.count; i++) {
            check_endpoint(&p.endpoints[i]);
            check_own_url(&p, &p.endpoints[i]);
        }
        check_round_trip(&p);
        if (policy_check_enforced(&p, &e) < 0)
            check_message(&e);
        if (len < size)
            check_request(&p, text + len + 1, size - len - 1);
    }
    policy_free(&p);
    if (len < size && policy_parse(&p, "fuzz", text, size, &e) == 0)
        abort(); /* the text has a NUL byte */
    policy_free(&p);
    return 0;
}
