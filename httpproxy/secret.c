/* secret.c: see secret.h.
 *
 * The jail knows a placeholder, 40 characters that nobody can guess. Whoever has it can do no more
 * with it than to send requests that the policy allows, to hosts that may have the value, which is
 * what the jail may do anyway. So what has to hold is that the value goes to these hosts and comes
 * back from none of them:
 *
 *   to      https alone, where the certificate proves the host; in fields of the head, which were
 *           parsed, and are written anew; after the request was judged, by its canonical URL
 *   where   in Authorization and its like, or in the one field that the option names: servers keep
 *           other fields, and show them to others (object stores, logs)
 *   back    an answer's fields and trailers are looked through; TRACE, whose answer is the request,
 *           is refused. An answer's content is not: a host that repeats what it is sent gives it to
 *           the jail
 *
 * A placeholder in a field for credentials that does not get its value there is refused, with the
 * reason, and not sent on: the server's answer would only say that a login failed. */
#include "httpproxy/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "httpproxy/head_internal.h"
#include "src/base64.h"
#include "src/policy.h"
#include "src/secret.h"
#include "src/util.h"

#define ALIGNMENTS 3 /* of three bytes, which are four characters of Base64 */
#define LINE_OVERHEAD 4

struct grant {
    char name[SECRET_NAME_SIZE];
    char field[SECRET_FIELD_SIZE];
    char placeholder[SECRET_PLACEHOLDER_LEN + 1];
    char value[SECRET_VALUE_MAX + 1];
    size_t value_len;
    /* What is in Base64 of any text that holds the value, by where in the text it begins. */
    char cores[ALIGNMENTS][BASE64_SIZE(SECRET_VALUE_MAX + ALIGNMENTS)];
    struct policy places;
};

struct secrets {
    struct grant *grants[SECRET_MAX];
    size_t count;
};

/* --- what there is --- */

struct secrets *secrets_new(void)
{
    return xcalloc(1, sizeof(struct secrets));
}

static void free_grant(struct grant *g)
{
    policy_free(&g->places);
    explicit_bzero(g, sizeof(*g));
    free(g);
}

void secrets_free(struct secrets *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        free_grant(s->grants[i]);
    free(s);
}

/* The characters that are the value's alone: those of the bytes before it, shared ones included,
 * and the last one, if it has bits of what follows, are cut off. */
static void make_core(struct grant *g, size_t before)
{
    static const size_t skip[ALIGNMENTS] = {0, 2, 3};
    char plain[SECRET_VALUE_MAX + ALIGNMENTS] = {0};
    char *core = g->cores[before];
    size_t whole = (before + g->value_len) * 8 / 6;

    memcpy(plain + before, g->value, g->value_len);
    (void)base64_encode(plain, before + g->value_len, core);
    memmove(core, core + skip[before], whole - skip[before]);
    core[whole - skip[before]] = '\0';
    explicit_bzero(plain, sizeof(plain));
}

int secrets_add(struct secrets *s, const struct msg_secret *m, struct error *e)
{
    struct grant *g;
    int r;

    if (s->count == SECRET_MAX)
        return error_set(e, ENOSPC, "too many secrets");
    g = xcalloc(1, sizeof(*g));
    copy_string(g->name, sizeof(g->name), m->name);
    copy_string(g->field, sizeof(g->field), m->field);
    copy_string(g->placeholder, sizeof(g->placeholder), m->placeholder);
    copy_string(g->value, sizeof(g->value), m->value);
    g->value_len = strlen(g->value);
    for (size_t i = 0; i < ALIGNMENTS; i++)
        make_core(g, i);
    policy_init(&g->places);
    r = policy_parse(&g->places, "--secret", m->places, strlen(m->places), e);
    if (r < 0) {
        free_grant(g);
        return r;
    }
    s->grants[s->count++] = g;
    return 0;
}

/* --- texts --- */

struct piece {
    const char *data;
    size_t len;
};

static struct piece piece_of(const char *text)
{
    return (struct piece){text, strlen(text)};
}

static bool holds(struct piece in, struct piece what)
{
    return in.len >= what.len && memmem(in.data, in.len, what.data, what.len) != NULL;
}

static int add_text(struct secret_text *t, const char *data, size_t len)
{
    if (len > sizeof(t->data) - t->len)
        return -ENOSPC;
    memcpy(t->data + t->len, data, len);
    t->len += len;
    return 0;
}

/* in with each from become to, as a new text. */
static int replace(struct secret_text *t, struct piece in, struct piece from, struct piece to,
                   struct piece *out)
{
    size_t begin = t->len;
    const char *end = in.data + in.len;

    for (const char *at = in.data;;) {
        const char *hit = memmem(at, (size_t)(end - at), from.data, from.len);
        const char *stop = hit ? hit : end;
        if (add_text(t, at, (size_t)(stop - at)) < 0 || (hit && add_text(t, to.data, to.len) < 0))
            return -ENOSPC;
        if (!hit)
            break;
        at = hit + from.len;
    }
    *out = (struct piece){t->data + begin, t->len - begin};
    return 0;
}

/* --- requests --- */

/* Where clients put credentials, and servers keep nothing that they would show to anybody. */
static bool is_for_credentials(const struct head_field *f)
{
    static const char *const names[] = {
        "authorization", "private-token",  "job-token",       "deploy-token",   "x-api-key",
        "api-key",       "apikey",         "x-auth-token",    "x-access-token", "x-vault-token",
        "circle-token",  "x-goog-api-key", "x-jfrog-art-api", "x-nuget-apikey",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (head_field_is(f, names[i]))
            return true;
    return false;
}

static bool is_field_of(const struct grant *g, const struct head_field *f)
{
    return g->field[0] ? head_field_is(f, g->field) : is_for_credentials(f);
}

/* What may be Base64: all of it, or what follows the first word, if that is one word. */
static struct piece token_of(struct piece value)
{
    const char *space = memchr(value.data, ' ', value.len), *end = value.data + value.len;

    while (space && space < end && *space == ' ')
        space++;
    if (!space)
        return value;
    return (struct piece){space, (size_t)(end - space)};
}

/* The text that a field's Base64 stands for, if that holds the placeholder: 1; 0: it does not. */
static int decode(struct secret_text *t, struct piece value, const struct grant *g,
                  struct piece *out)
{
    struct piece token = token_of(value);
    long n;

    if (token.len < BASE64_SIZE(SECRET_PLACEHOLDER_LEN) - 3)
        return 0;
    n = base64_decode(token.data, token.len, t->data + t->len, sizeof(t->data) - t->len);
    if (n < 0)
        return n == -ENOSPC ? -ENOSPC : 0;
    *out = (struct piece){t->data + t->len, (size_t)n};
    if (!holds(*out, piece_of(g->placeholder)))
        return 0;
    t->len += (size_t)n;
    return 1;
}

static int encode(struct secret_text *t, struct piece scheme, struct piece plain, struct piece *out)
{
    size_t begin = t->len;

    if (add_text(t, scheme.data, scheme.len) < 0 ||
        BASE64_SIZE(plain.len) > sizeof(t->data) - t->len)
        return -ENOSPC;
    t->len += base64_encode(plain.data, plain.len, t->data + t->len);
    *out = (struct piece){t->data + begin, t->len - begin};
    return 0;
}

static struct piece value_of(const struct head_field *f)
{
    return (struct piece){f->value, f->value_len};
}

static int set_value(struct head_field *f, struct piece value)
{
    if (value.len > UINT16_MAX)
        return -ENOSPC;
    f->value = value.data;
    f->value_len = (uint16_t)value.len;
    return 0;
}

/* 1 if the field got the value, 0 if it holds no placeholder of it. */
static int put_into(const struct grant *g, struct head_field *f, struct secret_text *t)
{
    struct piece placeholder = piece_of(g->placeholder), secret = {g->value, g->value_len};
    struct piece value = value_of(f), plain, token = token_of(value);
    int r;

    if (holds(value, placeholder)) {
        if (replace(t, value, placeholder, secret, &value) < 0)
            return -ENOSPC;
    } else {
        struct piece scheme = {value.data, (size_t)(token.data - value.data)};
        if ((r = decode(t, value, g, &plain)) <= 0)
            return r;
        if (replace(t, plain, placeholder, secret, &plain) < 0 ||
            encode(t, scheme, plain, &value) < 0)
            return -ENOSPC;
    }
    return set_value(f, value) < 0 ? -ENOSPC : 1;
}

static bool may_have(const struct grant *g, const struct head_request *r, const struct url *url)
{
    return url->scheme == URL_HTTPS && policy_match_request(&g->places, r->method, url);
}

static bool is_put(const struct head_field *f)
{
    return !f->hop && !head_is_hop(f) && !head_field_is(f, "host");
}

static int put_all(const struct secrets *s, struct head_request *r, const struct url *url,
                   struct secret_text *t)
{
    int count = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct grant *g = s->grants[i];
        if (!may_have(g, r, url))
            continue;
        for (size_t k = 0; k < r->field_count; k++) {
            int n = is_put(&r->fields[k]) && is_field_of(g, &r->fields[k])
                        ? put_into(g, &r->fields[k], t)
                        : 0;
            if (n < 0)
                return n;
            count += n;
        }
    }
    return count;
}

/* Does the client mean the value to stand here? Then it holds the placeholder and nothing else, or
 * is there for credentials. 1, 0, or -ENOSPC. */
static int is_meant(const struct grant *g, const struct head_field *f, struct secret_text *t)
{
    struct piece value = value_of(f), placeholder = piece_of(g->placeholder), plain;
    size_t before = t->len;
    int r;

    if (!is_for_credentials(f) && !is_field_of(g, f))
        return value.len == placeholder.len && holds(value, placeholder);
    if (holds(value, placeholder))
        return 1;
    r = decode(t, value, g, &plain);
    t->len = before;
    return r;
}

static int refuse(const struct grant *g, const struct head_field *f, const struct head_request *r,
                  const struct url *url, struct error *e)
{
    const char *why = "--secret does not name this host and path for it";

    if (url->scheme != URL_HTTPS)
        why = "it is sent by https alone";
    else if (may_have(g, r, url))
        why = "it is not put into this field; --secret NAME:FIELD=HOST does that";
    return error_set(e, EACCES, "the field %.*s holds the placeholder of the secret %s: %s",
                     f->name_len < 64 ? f->name_len : 64, f->name, g->name, why);
}

static int check_rest(const struct secrets *s, const struct head_request *r, const struct url *url,
                      struct secret_text *t, struct error *e)
{
    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; k < r->field_count; k++) {
            const struct head_field *f = &r->fields[k];
            int n = is_put(f) ? is_meant(s->grants[i], f, t) : 0;
            if (n < 0)
                return n;
            if (n > 0)
                return refuse(s->grants[i], f, r, url, e);
        }
    return 0;
}

/* As HEAD_MAX is of what the client sent. */
static bool fits(const struct head_request *r, const struct url *url)
{
    size_t len = url->target_len + HEAD_METHOD_SIZE + URL_HOST_SIZE;

    for (size_t i = 0; i < r->field_count; i++)
        len += r->fields[i].name_len + (size_t)r->fields[i].value_len + LINE_OVERHEAD;
    return len <= HEAD_MAX;
}

int secrets_put(const struct secrets *s, struct head_request *r, const struct url *url,
                struct secret_text *text, struct error *e)
{
    int count, err;

    if (s->count == 0)
        return 0;
    text->len = 0;
    count = put_all(s, r, url, text);
    if (count > 0 && (strcmp(r->method, "TRACE") == 0 || strcmp(r->method, "TRACK") == 0))
        return error_set(e, EPERM,
                         "the answer to %s repeats the request's head, and a secret would be in it",
                         r->method);
    err = count < 0 ? count : check_rest(s, r, url, text, e);
    if (err == -ENOSPC || (count > 0 && !fits(r, url)))
        return error_set(e, ENOSPC, "with the value of a secret the request head is too long");
    return err < 0 ? err : count;
}

/* --- answers --- */

static bool holds_encoded(const struct grant *g, struct piece text)
{
    for (size_t i = 0; i < ALIGNMENTS; i++)
        if (holds(text, piece_of(g->cores[i])))
            return true;
    return false;
}

static void hide_reason(const struct grant *g, struct head_response *r)
{
    struct piece reason = {r->reason, r->reason_len};

    if (holds(reason, (struct piece){g->value, g->value_len}) || holds_encoded(g, reason))
        r->reason_len = 0;
}

static int hide_in(const struct grant *g, struct head_field *f, struct secret_text *t)
{
    struct piece value = value_of(f), secret = {g->value, g->value_len};

    if (holds_encoded(g, value))
        return set_value(f, piece_of(g->placeholder));
    if (!holds(value, secret))
        return 0;
    if (replace(t, value, secret, piece_of(g->placeholder), &value) < 0)
        return -ENOSPC;
    return set_value(f, value);
}

int secrets_hide(const struct secrets *s, const struct url_authority *a, struct head_response *r,
                 struct secret_text *text)
{
    text->len = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct grant *g = s->grants[i];
        if (!policy_match_authority(&g->places, URL_HTTPS, a))
            continue;
        hide_reason(g, r);
        for (size_t k = 0; k < r->field_count; k++)
            if (hide_in(g, &r->fields[k], text) < 0)
                return -ENOSPC;
    }
    return 0;
}

static bool had_any(const struct secrets *s, const struct url_authority *a)
{
    for (size_t i = 0; i < s->count; i++)
        if (policy_match_authority(&s->grants[i]->places, URL_HTTPS, a))
            return true;
    return false;
}

static int hide_in_line(const struct secrets *s, const struct url_authority *a,
                        struct head_field *f, struct secret_text *text)
{
    text->len = 0;
    for (size_t i = 0; i < s->count; i++)
        if (policy_match_authority(&s->grants[i]->places, URL_HTTPS, a) &&
            hide_in(s->grants[i], f, text) < 0)
            return -ENOSPC;
    return 0;
}

/* Adds the trailers to out, each as its field is written, and the empty line. */
static int copy_trailers(const struct secrets *s, const struct url_authority *a,
                         const struct buf *trailers, struct secret_text *text, struct buf *out)
{
    const char *at = buf_begin(trailers), *end = at + buf_len(trailers);

    for (;;) {
        struct head_field f;
        size_t next;
        long line = head_take_line(at, (size_t)(end - at), &next);
        if (line < 0 || (line > 0 && head_parse_field(at, (size_t)line, &f, NULL) < 0))
            return -EPROTO;
        if (line > 0 && hide_in_line(s, a, &f, text) < 0)
            return -ENOSPC;
        if (line > 0) {
            buf_append(out, f.name, f.name_len);
            buf_append(out, ": ", 2);
            buf_append(out, f.value, f.value_len);
        }
        buf_append(out, "\r\n", 2);
        if (line == 0)
            return buf_len(out) > CHUNK_TRAILER_MAX ? -ENOSPC : 0;
        at += next;
    }
}

int secrets_hide_trailers(const struct secrets *s, const struct url_authority *a,
                          struct buf *trailers, struct secret_text *text)
{
    struct buf out = {0};
    int r;

    if (!had_any(s, a))
        return 0;
    r = copy_trailers(s, a, trailers, text, &out);
    if (r < 0) {
        buf_free(&out);
        return r;
    }
    buf_free(trailers);
    *trailers = out;
    return 0;
}
