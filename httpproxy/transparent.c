/* transparent.c: clients that know of no proxy.
 *
 * The rules take TCP to the ports of URL endpoints to a listener of its own, whatever the address
 * (tproxy, nft/cijail.nft). What such a client says first is TLS or a request of HTTP. Whom it
 * wants is taken from what it says: of TLS from the SNI (RFC 6066, 3), before a certificate is
 * chosen; of plain HTTP from the Host of each request. From there on it is as in a tunnel: the
 * request is judged, and the host is resolved by the dialer. The address that the client dialled is
 * not connected to; it stands in the log where there is no name.
 *
 * One exception: an endpoint whose host is an address. Clients send no SNI then (the RFC forbids
 * it), so without SNI the dialled address is asked about, and an https endpoint must have just this
 * address as its host.
 *
 * The ports of NAME:PORT endpoints come here as well: see raw.c.
 *
 * With ECH (encrypted_client_hello) the SNI is that of the outer ClientHello, which says nothing
 * about the inner one: it must be in the policy as any other, and the handshake goes on with that
 * host, as a server does that has no such key. */
#include <stdio.h>
#include <string.h>

#include "httpproxy/limits.h"
#include "httpproxy/log.h"
#include "httpproxy/raw.h"
#include "httpproxy/reply.h"
#include "httpproxy/session.h"
#include "src/util.h"

static void deny(struct session *s, const char *reason)
{
    char target[URL_HOST_SIZE + 16];

    connect_target(&s->authority, target, sizeof(target));
    log_deny(s->proxy, "CONNECT", target, reason);
}

const struct url_authority *transparent_choose(void *arg, const char *sni, char *problem,
                                               size_t size)
{
    struct session *s = arg;

    if (sni) {
        s->authority.kind = URL_HOST_NAME;
        copy_string(s->authority.host, sizeof(s->authority.host), sni);
    }
    if (s->proxy->policy.dry_run ||
        policy_match_authority(&s->proxy->policy, URL_HTTPS, &s->authority))
        return &s->authority;
    copy_string(problem, size,
                sni ? "no https endpoint has this host and port"
                    : "TLS without SNI, so it cannot be told for which host it is");
    return NULL;
}

/* There is no https endpoint, hence no certificate: the alert (RFC 8446, 6) is all the TLS that
 * there is. */
static void refuse_tls(struct session *s)
{
    static const char unrecognized_name[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70};

    deny(s, "TLS, but the policy has no https endpoint");
    buf_append(&s->out, unrecognized_name, sizeof(unrecognized_name));
    s->skip = 0;
    s->next = SESSION_LINGER;
    session_enter(s, SESSION_REPLY);
}

void transparent_begin(struct session *s)
{
    const struct policy *policy = &s->proxy->policy;
    uint16_t port = s->authority.port;
    bool raw = policy_has_name_port(policy, port);
    bool url = policy_is_url_port(policy, port);

    /* Only where the dialer goes by a proxy of the host's network does this come here. */
    if (policy_match_raw(policy, &s->authority) || (policy->dry_run && !raw && !url))
        raw_begin(s, false, s->client_port);
    else if (raw && (policy->dry_run || url))
        raw_sort(s);
    else if (raw)
        raw_begin(s, true, s->client_port);
    else
        session_enter(s, SESSION_FIRST);
}

void transparent_first(struct session *s, bool tls)
{
    struct scratch *t = &s->proxy->scratch;

    if (tls && s->proxy->mitm) {
        connect_start_tls(s);
    } else if (tls) {
        refuse_tls(s);
    } else if (s->proxy->policy.dry_run ||
               policy_has_port(&s->proxy->policy, URL_HTTP, s->authority.port)) {
        s->scheme = URL_HTTP;
        session_enter(s, SESSION_HEAD);
    } else {
        static const char reason[] =
            "not TLS, and no http endpoint has this port, so nothing else may be said here";
        deny(s, reason);
        reply_failed(t->text, sizeof(t->text), reason, NULL, NULL);
        session_reply(s, 400, t->text, false, 0, SESSION_LINGER);
    }
}

void transparent_silent(struct session *s)
{
    deny(s, "the client said nothing; what waits for the server to speak first cannot be served");
}

/* The URL that Host, or an absolute-form target, and the dialled port make. */
int transparent_url(const struct session *s, const struct head_request *r, struct url *url,
                    struct error *e)
{
    struct url_authority host;
    int status;

    if (r->form == TARGET_ABSOLUTE) {
        status = head_request_url(r, URL_HTTP, NULL, url, e);
        if (status == 0 && url->scheme != URL_HTTP)
            return error_set(e, 400, "an https URL, but the connection is not TLS");
    } else {
        if (!r->host)
            return error_set(e, 400, "no Host field, so it cannot be told for which host it is");
        if (url_parse_authority(r->host, r->host_len, url_default_port(URL_HTTP), &host, e) < 0) {
            error_prefix(e, "Host: ");
            return -400;
        }
        status = head_request_url(r, URL_HTTP, &host, url, e);
    }
    if (status == 0 && url->authority.port != s->authority.port)
        return error_set(e, 400, "the request is for port %u, but the connection is to port %u",
                         url->authority.port, s->authority.port);
    return status;
}
