/* request.c: from a request head to a judgement.
 *
 * The order matters: the head is parsed strictly, its canonical URL is made, that URL is judged,
 * and only then is anything resolved, connected or sent. What is refused costs the outside world no
 * packet. In a dry run what no endpoint allows goes the same way, and is logged as such. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "httpproxy/exchange.h"
#include "httpproxy/head_internal.h"
#include "httpproxy/limits.h"
#include "httpproxy/log.h"
#include "httpproxy/pipeline.h"
#include "httpproxy/reply.h"
#include "httpproxy/secret.h"
#include "httpproxy/session.h"
#include "src/util.h"

#define ORIGIN_FORM                                                                                \
    "this is a proxy, and the request does not say for which host it is: it must have an "         \
    "absolute URL "                                                                                \
    "(http_proxy, https_proxy or the client's own setting)"

/* What follows the head cannot be told from it. */
void request_refuse(struct session *s, const char *head, size_t len, int status, const char *reason)
{
    struct scratch *t = &s->proxy->scratch;

    log_deny_head(s->proxy, head, len, reason);
    reply_failed(t->text, sizeof(t->text), reason, NULL, NULL);
    session_reply(s, status, t->text, false, 0, SESSION_LINGER);
}

void request_too_long(struct session *s)
{
    request_refuse(s, buf_begin(&s->in), buf_len(&s->in), 431, "the request head is too long");
}

/* Which targets may stand here, and whom they are for. 0, or the negative status. */
static int request_url(const struct session *s, const struct head_request *r, struct url *url,
                       struct error *e)
{
    /* An https URL, too (RFC 9112, 3.2.2): there are clients that know no CONNECT. */
    if (s->mode == SESSION_PROXY) {
        if (r->form != TARGET_ABSOLUTE)
            return error_set(e, 400, "%s", ORIGIN_FORM);
        return head_request_url(r, URL_HTTP, NULL, url, e);
    }
    if (s->mode == SESSION_TRANSPARENT && s->scheme == URL_HTTP)
        return transparent_url(s, r, url, e);
    int status = head_request_url(r, s->scheme, &s->authority, url, e);
    if (status < 0)
        return status;
    if (url->scheme != s->scheme || !url_authority_equal(&url->authority, &s->authority))
        return error_set(e, 400, "the request is for another host than %s",
                         s->mode == SESSION_TRANSPARENT ? "the SNI of this connection"
                                                        : "the CONNECT that made this tunnel");
    return 0;
}

static bool has_body(const struct head_request *r)
{
    return r->body == BODY_CHUNKED || (r->body == BODY_LENGTH && r->content_length > 0);
}

/* A body that goes along with a GET is an upload, unseen by a list of methods; and so is what an
 * upgraded connection carries, a WebSocket's for one. */
static bool is_upload(const struct head_request *r)
{
    return has_body(r) || r->upgrade[0];
}

/* Of COPY and MOVE (RFC 4918, 10.3): what is written is there, so that is judged by the same
 * method. A URL, or the path of one on the same host; canonical, since it is sent as it stands. */
static bool may_go_to(const struct session *s, const struct head_request *r,
                      const struct head_field *destination)
{
    const char *base = s->proxy->scratch.url_text, *host = strstr(base, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    bool relative = destination->value_len > 0 && destination->value[0] == '/' && path;
    UNINITIALIZED char text[URL_TEXT_SIZE], canonical[URL_TEXT_SIZE];
    UNINITIALIZED struct url u;
    int n = snprintf(text, sizeof(text), "%.*s%.*s", relative ? (int)(path - base) : 0, base,
                     (int)destination->value_len, destination->value);

    return n >= 0 && (size_t)n < sizeof(text) && url_parse(text, (size_t)n, &u, NULL) == 0 &&
           url_format(&u, canonical, sizeof(canonical)) >= 0 && strcmp(canonical, text) == 0 &&
           policy_match_upload(&s->proxy->policy, r->method, &u);
}

static bool destinations_are_allowed(const struct session *s, const struct head_request *r)
{
    for (size_t i = 0; i < r->field_count; i++) {
        const struct head_field *f = &r->fields[i];
        if (head_equal_word(f->name, f->name_len, "destination") && !may_go_to(s, r, f))
            return false;
    }
    return true;
}

#define UPLOAD                                                                                     \
    "a request with a body, or one that upgrades the connection, is an upload, and the endpoint "  \
    "for this URL lists methods that have no body; without a list it allows any method, bodies "   \
    "and upgrades"

/* The text of the 403, and what the log says. */
static const char *deny_text(struct session *s, const struct head_request *r, const struct url *url)
{
    struct scratch *t = &s->proxy->scratch;

    if (is_upload(r) && policy_match_request(&s->proxy->policy, r->method, url)) {
        reply_failed(t->text, sizeof(t->text), UPLOAD, r->method, t->url_text);
        return r->upgrade[0] ? "an upgrade, but no endpoint allows an upload"
                             : "a request with a body, but no endpoint allows an upload";
    }
    reply_denied(t->text, sizeof(t->text), r->method, url);
    return "no endpoint allows it";
}

/* Answers with 403 and the text in the scratch, and goes on with what follows. */
static void answer_denied(struct session *s, const struct head_request *r, size_t len)
{
    struct scratch *t = &s->proxy->scratch;
    uint64_t skip;
    uint64_t left = r->body == BODY_LENGTH ? r->content_length : 0;
    bool keep = r->keep_alive && r->minor >= 1 && !(r->expect_continue && r->body != BODY_NONE);
    enum session_state next = session_after(r->body, left, keep, &skip);
    bool head = strcmp(r->method, "HEAD") == 0;

    buf_consume(&s->in, len);
    session_reply(s, 403, t->text, head, skip, next);
}

static void deny(struct session *s, const struct head_request *r, const struct url *url, size_t len)
{
    log_deny(s->proxy, r->method, s->proxy->scratch.url_text, deny_text(s, r, url));
    answer_denied(s, r, len);
}

/* The endpoint alone would allow the request. */
static void log_more(struct session *s, const struct head_request *r, enum msg_decision decision,
                     const struct endpoint *ep, const char *reason)
{
    const struct log_entry l = {.decision = decision,
                                .endpoint = ep,
                                .method = r->method,
                                .url = s->proxy->scratch.url_text,
                                .reason = reason};

    log_request(s->proxy, &l);
}

/* false: it was answered. In a dry run it goes anywhere. */
static bool check_destinations(struct session *s, const struct head_request *r,
                               const struct endpoint *ep, size_t len)
{
    static const char reason[] = "no endpoint allows its Destination";
    struct scratch *t = &s->proxy->scratch;
    bool dry_run = s->proxy->policy.dry_run;

    if (destinations_are_allowed(s, r))
        return true;
    log_more(s, r, dry_run ? MSG_WOULD_DENY : MSG_DENY, ep, reason);
    if (dry_run)
        return true;
    reply_failed(t->text, sizeof(t->text), reason, r->method, t->url_text);
    answer_denied(s, r, len);
    return false;
}

/* false: it was answered, for what is wrong with secrets in it. In a dry run placeholders go
 * anywhere; a secret does not. */
static bool put_secrets(struct session *s, struct head_request *r, const struct endpoint *ep,
                        size_t len)
{
    struct scratch *t = &s->proxy->scratch;
    struct error e;
    int n = secrets_put(s->proxy->secrets, r, &t->url, &t->secrets, &e);

    if (n == -EACCES && s->proxy->policy.dry_run)
        log_more(s, r, MSG_WOULD_DENY, ep, e.text);
    if (n >= 0 || (n == -EACCES && s->proxy->policy.dry_run))
        return true;
    if (n == -ENOSPC) {
        request_refuse(s, buf_begin(&s->in), len, 431, e.text);
        return false;
    }
    log_more(s, r, MSG_DENY, ep, e.text);
    reply_failed(t->text, sizeof(t->text), e.text, r->method, t->url_text);
    answer_denied(s, r, len);
    return false;
}

static bool is_simple(const struct head_request *r)
{
    return pipeline_has_method(r->method) && r->body == BODY_NONE && !r->upgrade[0] &&
           !r->expect_continue && r->keep_alive && r->minor >= 1;
}

struct exchange *request_ahead(struct session *s, const struct exchange *x, size_t len)
{
    struct scratch *t = &s->proxy->scratch;
    struct head_request *r = &t->request;
    const struct endpoint *ep;

    if (head_parse_request(buf_begin(&s->in), len, r, NULL) < 0 || !is_simple(r) ||
        request_url(s, r, &t->url, NULL) < 0 ||
        url_format(&t->url, t->url_text, sizeof(t->url_text)) < 0 || t->url.scheme != x->scheme ||
        !url_authority_equal(&t->url.authority, &x->authority))
        return NULL;
    ep = policy_match_request(&s->proxy->policy, r->method, &t->url);
    if (!ep || !destinations_are_allowed(s, r) ||
        secrets_put(s->proxy->secrets, r, &t->url, &t->secrets, NULL) < 0)
        return NULL;
    return exchange_make_ahead(s, r, &t->url, ep, len);
}

void request_begin(struct session *s, size_t len)
{
    struct scratch *t = &s->proxy->scratch;
    struct head_request *r = &t->request;
    const char *head = buf_begin(&s->in);
    struct error e;
    int status = head_parse_request(head, len, r, &e);

    if (status == 0 && strcmp(r->method, "CONNECT") == 0) {
        connect_begin(s, r, len);
        return;
    }
    if (status == 0)
        status = request_url(s, r, &t->url, &e);
    if (status < 0) {
        request_refuse(s, head, len, -status, e.text);
        return;
    }
    if (url_format(&t->url, t->url_text, sizeof(t->url_text)) < 0) {
        request_refuse(s, head, len, 414, "the URL is too long");
        return;
    }
    const struct policy *policy = &s->proxy->policy;
    const struct endpoint *ep = is_upload(r) ? policy_match_upload(policy, r->method, &t->url)
                                             : policy_match_request(policy, r->method, &t->url);
    if (!ep && !policy->dry_run)
        deny(s, r, &t->url, len);
    else if (check_destinations(s, r, ep, len) && put_secrets(s, r, ep, len))
        exchange_begin(s, r, &t->url, ep, len);
}
