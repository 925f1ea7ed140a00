/* connect.c: CONNECT (RFC 9110, 9.3.6), and what a tunnel begins with.
 *
 * Where a NAME:PORT or ADDRESS:PORT endpoint has the target, the tunnel is one (raw.c). Any other
 * leads nowhere but to this process: no byte of it is passed on unread. Behind the 200
 * stands either TLS, which is ended here with a certificate of the jail's CA, or plain HTTP (some
 * clients tunnel that, too). Whether CONNECT is allowed depends on there being an endpoint for that
 * host and port at all; what is asked for inside is judged request by request, and the server is
 * sent nothing before. Only the connection to it may be begun while the client is still at its
 * handshake (opening.h), once its ClientHello has been accepted.
 *
 * In a dry run, where all is carried out, and at ports that are not those of URLs, what is neither
 * TLS nor HTTP makes a tunnel, and so does a client that says nothing: it waits for its server. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "httpproxy/log.h"
#include "httpproxy/opening.h"
#include "httpproxy/raw.h"
#include "httpproxy/reply.h"
#include "httpproxy/session.h"
#include "src/util.h"

void connect_target(const struct url_authority *a, char *text, size_t size)
{
    (void)snprintf(text, size, a->kind == URL_HOST_IPV6 ? "[%s]:%u" : "%s:%u", a->host, a->port);
}

/* The Host field, if there is one, names the target's host. Its port is not compared: clients
 * differ, and nothing here goes by it. */
static int check_host(const struct head_request *r, const struct url_authority *a, struct error *e)
{
    struct url_authority host;

    if (!r->host)
        return 0;
    if (url_parse_authority(r->host, r->host_len, a->port, &host, e) < 0)
        return -400;
    if (strcmp(host.host, a->host) != 0)
        return error_set(e, 400, "the Host field is not for the host of the target");
    return 0;
}

static int parse(const struct session *s, const struct head_request *r, struct url_authority *a,
                 struct error *e)
{
    if (s->mode == SESSION_TRANSPARENT)
        return error_set(e, 400, "CONNECT, but this connection is not to the proxy");
    if (s->mode != SESSION_PROXY)
        return error_set(e, 400, "CONNECT inside of a tunnel");
    if (r->form != TARGET_AUTHORITY)
        return error_set(e, 400, "the target of CONNECT must be HOST:PORT");
    if (url_parse_authority(r->target, r->target_len, 0, a, e) < 0)
        return -400;
    if (r->body == BODY_CHUNKED || (r->body == BODY_LENGTH && r->content_length > 0))
        return error_set(e, 400, "CONNECT with a body");
    return check_host(r, a, e);
}

/* A tunnel that is not read, if there is an endpoint for that. An address without any endpoint may
 * still be one that a name of the policy has resolved to, which the dialer knows. */
static bool begin_raw(struct session *s, const struct url_authority *a, size_t len)
{
    const struct policy *policy = &s->proxy->policy;
    bool named = policy_match_raw(policy, a) != NULL;

    if (!named &&
        (policy->dry_run || a->kind == URL_HOST_NAME || !policy_has_name_port(policy, a->port) ||
         policy_match_authority(policy, URL_HTTPS, a) ||
         policy_match_authority(policy, URL_HTTP, a)))
        return false;
    buf_consume(&s->in, len);
    s->mode = SESSION_TUNNEL;
    s->authority = *a;
    raw_begin(s, a->kind == URL_HOST_NAME || !named, 0);
    return true;
}

void connect_begin(struct session *s, const struct head_request *r, size_t len)
{
    struct scratch *t = &s->proxy->scratch;
    const struct policy *policy = &s->proxy->policy;
    struct url_authority a = {0};
    struct error e;

    if (parse(s, r, &a, &e) < 0) {
        log_deny_head(s->proxy, buf_begin(&s->in), len, e.text);
        reply_failed(t->text, sizeof(t->text), e.text, NULL, NULL);
        session_reply(s, 400, t->text, false, 0, SESSION_LINGER);
        return;
    }
    if (begin_raw(s, &a, len))
        return;
    s->https_ok = policy->dry_run || policy_match_authority(policy, URL_HTTPS, &a);
    s->http_ok = policy->dry_run || policy_match_authority(policy, URL_HTTP, &a);
    if (!s->https_ok && !s->http_ok) {
        connect_target(&a, t->url_text, sizeof(t->url_text));
        log_deny(s->proxy, "CONNECT", t->url_text, "no endpoint has this host and port");
        reply_denied_connect(t->text, sizeof(t->text), &a);
        session_reply(s, 403, t->text, false, 0, SESSION_LINGER);
        return;
    }
    static const char ok[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    buf_consume(&s->in, len);
    buf_append(&s->out, ok, sizeof(ok) - 1);
    s->mode = SESSION_TUNNEL;
    s->authority = a;
    s->skip = 0;
    s->next = SESSION_FIRST;
    session_enter(s, SESSION_REPLY);
}

void connect_log(struct session *s, enum msg_decision decision, const struct endpoint *ep,
                 const char *reason)
{
    char target[URL_HOST_SIZE + 16];
    struct log_entry l = {
        .decision = decision, .endpoint = ep, .method = "CONNECT", .url = target, .reason = reason};

    if (decision == MSG_ALLOW && !ep && s->proxy->policy.dry_run)
        l.decision = MSG_WOULD_DENY;
    connect_target(&s->authority, target, sizeof(target));
    log_request(s->proxy, &l);
}

static void log_tunnel(struct session *s, enum msg_decision decision, const char *reason)
{
    const struct endpoint *ep = NULL;

    if (decision == MSG_ALLOW)
        ep = policy_match_authority(&s->proxy->policy, URL_HTTPS, &s->authority);
    connect_log(s, decision, ep, reason);
}

/* The handshake was ended by the client, or by what it said. */
static void log_failed_tls(struct session *s, const char *why)
{
    enum msg_decision decision = s->hello->authority ? MSG_ALLOW : MSG_DENY;
    char reason[MSG_TEXT_SIZE];

    if (s->client.distrusted && s->proxy->policy.dry_run)
        (void)snprintf(
            reason, sizeof(reason),
            "the client does not trust the CA of the jail (%.60s); with roots of its own "
            "it needs the endpoint %.200s:%u",
            why, s->authority.host, s->authority.port);
    else
        (void)snprintf(reason, sizeof(reason), "TLS with the client failed: %.400s", why);
    log_tunnel(s, decision, reason);
}

static int start_tls(struct session *s, struct error *e)
{
    s->hello = xcalloc(1, sizeof(*s->hello));
    if (s->mode == SESSION_TRANSPARENT) {
        s->hello->choose = transparent_choose;
        s->hello->arg = s;
    } else {
        s->hello->authority = &s->authority;
    }
    SSL *ssl = mitm_accept(s->proxy->mitm, s->hello, e);
    if (!ssl)
        return -EIO;
    if (stream_start_tls(&s->client, s->proxy->bio, ssl, &s->in) < 0)
        return error_set(e, ENOMEM, "cannot make a TLS connection");
    return 0;
}

void connect_start_tls(struct session *s)
{
    struct error e;

    s->scheme = URL_HTTPS;
    session_enter(s, SESSION_HANDSHAKE);
    if (start_tls(s, &e) < 0) {
        log_tunnel(s, s->hello->authority ? MSG_ALLOW : MSG_DENY, e.text);
        session_enter(s, SESSION_DEAD);
    }
}

bool connect_may_be_raw(const struct session *s)
{
    const struct policy *policy = &s->proxy->policy;

    return s->mode == SESSION_TUNNEL && policy->dry_run &&
           !policy_is_url_port(policy, s->authority.port);
}

/* A method and a space (RFC 9112, 3), or what may become that. Methods in use are upper case; that
 * tells them from what other protocols begin with. */
static bool may_be_http(const char *data, size_t len)
{
    for (size_t i = 0; i < len && i < HEAD_METHOD_SIZE; i++) {
        if (data[i] == ' ')
            return i > 0;
        if ((data[i] < 'A' || data[i] > 'Z') && data[i] != '-')
            return false;
    }
    return len < HEAD_METHOD_SIZE;
}

/* The first byte inside of a tunnel is in. */
static void tunnel_first(struct session *s, bool tls)
{
    struct scratch *t = &s->proxy->scratch;

    if (tls && s->https_ok) {
        connect_start_tls(s);
    } else if (tls) {
        log_tunnel(s, MSG_DENY, "TLS, but only an http endpoint has this host and port");
        session_enter(s, SESSION_LINGER);
    } else if (connect_may_be_raw(s) && !may_be_http(buf_begin(&s->in), buf_len(&s->in))) {
        raw_begin_answered(s);
    } else if (s->http_ok) {
        s->scheme = URL_HTTP;
        session_enter(s, SESSION_HEAD);
    } else {
        static const char reason[] = "neither TLS nor, as no http endpoint has this host and port, "
                                     "anything else may be in this tunnel";
        log_tunnel(s, MSG_DENY, reason);
        reply_failed(t->text, sizeof(t->text), reason, NULL, NULL);
        session_reply(s, 400, t->text, false, 0, SESSION_LINGER);
    }
}

void connect_first(struct session *s)
{
    bool tls = buf_begin(&s->in)[0] == TLS_HANDSHAKE_RECORD;

    if (s->mode == SESSION_TRANSPARENT)
        transparent_first(s, tls);
    else
        tunnel_first(s, tls);
}

bool connect_handshake(struct session *s)
{
    struct error e;
    int r = stream_handshake(&s->client, &e);

    if (r == -EAGAIN) {
        if (s->hello->accepted && !s->early)
            opening_early(s->proxy, s->hello->authority);
        s->early = s->hello->accepted;
        return false;
    }
    if (s->hello->problem[0]) {
        log_tunnel(s, MSG_DENY, s->hello->problem);
    } else if (r == -EPROTO) { /* "unknown ca" above all: worth knowing; a client that just left is
                                  not */
        log_failed_tls(s, e.text);
    }
    s->proxy->handshakes++;
    SSL_set_app_data(s->client.ssl, NULL);
    free(s->hello);
    s->hello = NULL;
    if (r == 0 && mitm_chose_h2(s->client.ssl))
        h2_client_begin(s);
    else
        session_enter(s, r == 0 ? SESSION_HEAD : SESSION_LINGER);
    return true;
}
