/* secret.c: what --secret says, checked before anything is begun; see secret.h. */
#include "src/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "src/url.h"
#include "src/util.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define EXPECTED "; expected NAME[:FIELD]=HOST[:PORT][,HOST...]"

/* --- the option --- */

static int bad(struct error *e, const char *arg, const char *reason)
{
    char shown[256];

    (void)escape_text(shown, sizeof(shown), arg, strcspn(arg, "="));
    return error_set(e, EINVAL, "--secret %s: %s", shown, reason);
}

static int take_name(struct secret *s, const char *arg, size_t len, struct error *e)
{
    if (len == 0 || strspn(arg, LETTERS DIGITS "_") < len || strchr(DIGITS, arg[0]))
        return bad(e, arg, "this is no name of a variable" EXPECTED);
    if (len >= sizeof(s->name))
        return bad(e, arg, "the name is too long");
    memcpy(s->name, arg, len);
    return 0;
}

/* Those that say where a message goes or ends, and those that are not sent on. */
static bool is_reserved(const char *field)
{
    static const char *const names[] = {"host",       "content-length", "transfer-encoding",
                                        "connection", "keep-alive",     "te",
                                        "trailer",    "upgrade",        "http2-settings",
                                        "expect",     "close",          "content-type"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(field, names[i]) == 0)
            return true;
    return strncmp(field, "proxy-", 6) == 0;
}

static int take_field(struct secret *s, const char *arg, const char *field, size_t len,
                      struct error *e)
{
    if (len == 0 || strspn(field, LETTERS DIGITS "!#$%&'*+-.^_`|~") < len)
        return bad(e, arg, "what follows the colon is no name of a header field" EXPECTED);
    if (len >= sizeof(s->field))
        return bad(e, arg, "the field's name is too long");
    for (size_t i = 0; i < len; i++)
        s->field[i] = field[i] >= 'A' && field[i] <= 'Z' ? (char)(field[i] + 32) : field[i];
    return is_reserved(s->field) ? bad(e, arg, "a secret cannot stand in this field") : 0;
}

/* The place as an endpoint word. */
static int parse_place(const char *arg, const char *text, size_t len, struct endpoint *ep,
                       struct error *e)
{
    char word[SECRET_PLACES_SIZE];
    struct error why;
    bool url = memmem(text, len, "://", 3) != NULL;
    int n = snprintf(word, sizeof(word), "%s%.*s%s", url ? "" : "https://", (int)len, text,
                     url || memchr(text, '/', len) ? "" : "/");

    if (len == 0)
        return bad(e, arg, "a host is missing" EXPECTED);
    if ((size_t)n >= sizeof(word) || memchr(text, ' ', len))
        return bad(e, arg, "a host is too long, or holds a space" EXPECTED);
    if (url && strncasecmp(word, "https://", 8) != 0)
        return bad(e, arg,
                   "the value is sent by https alone; a place begins with https://, or "
                   "with the host");
    if (policy_parse_word(word, (size_t)n, ep, &why) < 0)
        return bad(e, arg, why.text);
    if (strchr(ep->host, '*'))
        return bad(e, arg, "a pattern would name hosts that nobody has thought of: name each");
    return 0;
}

static void authority_of(const struct endpoint *ep, struct url_authority *a)
{
    *a = (struct url_authority){.kind = ep->host_kind, .port = ep->port};
    copy_string(a->host, sizeof(a->host), ep->host);
}

static int add_place(struct secret *s, const char *arg, const char *text, size_t len,
                     struct error *e)
{
    struct endpoint ep = {.kind = ENDPOINT_URL};
    char host[URL_HOST_SIZE + 16];
    struct url_authority a;
    size_t used = strlen(s->places);
    int n = -1, r = parse_place(arg, text, len, &ep, e);

    if (r == 0) {
        authority_of(&ep, &a);
        if (url_format_host(&a, URL_HTTPS, host, sizeof(host)) >= 0)
            n = snprintf(s->places + used, sizeof(s->places) - used, "%shttps://%s%s",
                         used ? " " : "", host, ep.prefix);
        if (n < 0 || (size_t)n >= sizeof(s->places) - used)
            r = bad(e, arg, "too many hosts; give the rest by another --secret");
    }
    policy_free_endpoint(&ep);
    return r;
}

int secret_add(struct secret_list *list, const char *arg, struct error *e)
{
    const char *equals = strchr(arg, '='), *colon = strchr(arg, ':'), *place;
    struct secret *s = &list->at[list->count];
    int r;

    if (!equals)
        return bad(e, arg, "no host is named that may have it" EXPECTED);
    if (colon > equals)
        colon = NULL;
    if (list->count == SECRET_MAX)
        return bad(e, arg, "there are too many of these options");
    *s = (struct secret){.name = ""};
    r = take_name(s, arg, (size_t)((colon ? colon : equals) - arg), e);
    if (r == 0 && colon)
        r = take_field(s, arg, colon + 1, (size_t)(equals - colon) - 1, e);
    place = equals + 1;
    while (r == 0) {
        size_t len = strcspn(place, ",");
        r = add_place(s, arg, place, len, e);
        if (place[len] == '\0')
            break;
        place += len + 1;
    }
    if (r == 0)
        list->count++;
    return r;
}

/* --- what it is checked against --- */

static int check_place(const struct secret *s, const char *word, size_t len,
                       const struct policy *policy, struct error *e)
{
    struct endpoint ep = {.kind = ENDPOINT_URL};
    struct url_authority a;
    int r = policy_parse_word(word, len, &ep, e);

    if (r == 0) {
        authority_of(&ep, &a);
        if (policy_match_raw(policy, &a))
            r = error_set(e, EINVAL,
                          "--secret %s: another endpoint opens %s:%u for what is not read, so the "
                          "value would not be put in there; leave that one out",
                          s->name, a.host, a.port);
        else if (!policy->dry_run && !policy_match_authority(policy, URL_HTTPS, &a))
            r = error_set(e, EINVAL,
                          "--secret %s: no https endpoint of the policy has %s:%u, so the value "
                          "would never be sent; add -e %.*s, or leave the place out",
                          s->name, a.host, a.port, (int)len, word);
    }
    policy_free_endpoint(&ep);
    return r;
}

int secret_check_places(const struct secret_list *list, const struct policy *policy,
                        struct error *e)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *word = list->at[i].places;
        while (*word) {
            size_t len = strcspn(word, " ");
            int r = check_place(&list->at[i], word, len, policy, e);
            if (r < 0)
                return r;
            word += len + (word[len] == ' ');
        }
    }
    return 0;
}

int secret_check_value(const char *name, const char *value, struct error *e)
{
    size_t len = strlen(value);

    if (len < SECRET_VALUE_MIN)
        return error_set(e, EINVAL,
                         "--secret %s: the value is shorter than %d bytes, so it could not be told "
                         "from other text",
                         name, SECRET_VALUE_MIN);
    if (len > SECRET_VALUE_MAX)
        return error_set(e, EINVAL, "--secret %s: the value is longer than %d bytes", name,
                         SECRET_VALUE_MAX);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
            return error_set(e, EINVAL,
                             "--secret %s: the value holds a control character (the end of a line, "
                             "perhaps), which no header field can hold",
                             name);
    if (value[0] == ' ' || value[len - 1] == ' ')
        return error_set(e, EINVAL, "--secret %s: the value begins or ends with a space", name);
    return 0;
}

int secret_make_placeholder(char out[SECRET_PLACEHOLDER_LEN + 1], struct error *e)
{
    static const char mark[] = "cijail", digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char random[SECRET_PLACEHOLDER_LEN - (sizeof(mark) - 1)];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return error_errno(e, errno, "getrandom");
    memcpy(out, mark, sizeof(mark) - 1);
    for (size_t i = 0; i < sizeof(random); i++)
        out[sizeof(mark) - 1 + i] = digits[random[i] % 32];
    out[SECRET_PLACEHOLDER_LEN] = '\0';
    return 0;
}
