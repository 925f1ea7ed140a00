/* raw_judge.c: may the jail connect there, as it is?
 *
 * The rules of the gateway ask for the port alone (nft/ruleset.c); here the address is looked at,
 * in the process that then connects. A port that URL endpoints have too leads on to httpproxy,
 * which goes by the URL or the SNI, unless a raw endpoint allows that address; and so does a port
 * of NAME:PORT endpoints, if the jail was told the address for one of their names (learned.c),
 * since a ClientHello there has to be looked at. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "src/address.h"
#include "src/net.h"
#include "src/raw_parts.h"
#include "src/util.h"

/* The gateway itself: its services are its own business. */
static bool is_gateway(const struct msg_tuple *t)
{
    uint8_t gateway[16];

    return inet_pton(t->family, t->family == AF_INET ? GW_IPV4 : GW_IPV6, gateway) == 1 &&
           memcmp(gateway, t->address, t->family == AF_INET ? 4 : 16) == 0;
}

static bool judge_learned(const struct raw_judge *j, uint8_t protocol, const struct msg_tuple *t,
                          struct raw_verdict *v, const char **name)
{
    const struct endpoint *ep;

    if (!j->learned || !policy_has_name_port(j->policy, t->port))
        return false;
    ep = learned_match_latest(j->learned, t->family, t->address, t->port, name);
    if (!ep)
        return false;
    v->decision = MSG_ALLOW;
    v->endpoint = policy_index(j->policy, ep);
    if (protocol == IPPROTO_TCP)
        v->to = MSG_TO_INTERCEPT;
    return true;
}

/* It goes by a proxy of the host's network: httpproxy dials, since that proxy's answer is to be
 * read. */
static bool goes_by_parent(const struct raw_judge *j, const struct msg_tuple *t, const char *name)
{
    struct url_authority a = {.kind = URL_HOST_NAME, .port = t->port};

    if (!j->parents || policy_means_loopback(t->family, t->address))
        return false;
    copy_string(a.host, sizeof(a.host), name);
    if (!name[0]) {
        a.kind = t->family == AF_INET ? URL_HOST_IPV4 : URL_HOST_IPV6;
        if (!inet_ntop(t->family, t->address, a.host, sizeof(a.host)))
            return false;
    }
    return parents_choose(j->parents, MSG_DIAL_RAW, &a) != NULL;
}

struct raw_verdict raw_judge(const struct raw_judge *j, uint8_t protocol, const struct msg_tuple *t)
{
    const struct endpoint *ep = policy_match_address(j->policy, t->family, t->address, t->port);
    struct raw_verdict v = {.to = MSG_TO_RELAY,
                            .decision = ep ? MSG_ALLOW : MSG_DENY,
                            .endpoint = policy_index(j->policy, ep)};
    const char *name = "";

    if (!ep && protocol == IPPROTO_TCP && policy_is_url_port(j->policy, t->port)) {
        v.allowed = true;
        v.to = MSG_TO_INTERCEPT;
    } else if (ep || judge_learned(j, protocol, t, &v, &name)) {
        v.allowed = v.connect = true;
    } else if (j->policy->dry_run && !policy_means_loopback(t->family, t->address) &&
               !is_gateway(t)) {
        v.allowed = v.connect = true;
        v.decision = MSG_WOULD_DENY;
    }
    if (v.connect && protocol == IPPROTO_TCP && goes_by_parent(j, t, name)) {
        v.connect = false;
        v.to = MSG_TO_INTERCEPT;
    }
    return v;
}

bool raw_may_keep(const struct raw_judge *j, const struct msg_tuple *t, int fd)
{
    return j->policy->dry_run || !address_leads_here(fd) ||
           policy_match_address(j->policy, t->family, t->address, t->port);
}

static socklen_t put_address(int family, const void *address, uint16_t port,
                             struct sockaddr_storage *out)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)out;

    memset(out, 0, sizeof(*out));
    out->ss_family = (sa_family_t)family;
    if (family == AF_INET) {
        memcpy(&in->sin_addr, address, sizeof(in->sin_addr));
        in->sin_port = htons(port);
        return sizeof(*in);
    }
    memcpy(&in6->sin6_addr, address, sizeof(in6->sin6_addr));
    in6->sin6_port = htons(port);
    return sizeof(*in6);
}

socklen_t raw_destination(const struct msg_tuple *t, struct sockaddr_storage *out)
{
    return put_address(t->family, t->address, t->port, out);
}

socklen_t raw_source(const struct msg_tuple *t, struct sockaddr_storage *out)
{
    uint8_t jail[16] = {0};

    (void)inet_pton(t->family, t->family == AF_INET ? JAIL_IPV4 : JAIL_IPV6, jail);
    return put_address(t->family, jail, t->source_port, out);
}

bool raw_tuple(const struct sockaddr_storage *source, const struct sockaddr_storage *destination,
               struct msg_tuple *out)
{
    memset(out, 0, sizeof(*out));
    if (source->ss_family != destination->ss_family)
        return false;
    out->family = (uint8_t)source->ss_family;
    if (source->ss_family == AF_INET) {
        const struct sockaddr_in *s = (const struct sockaddr_in *)(const void *)source;
        const struct sockaddr_in *d = (const struct sockaddr_in *)(const void *)destination;
        out->source_port = ntohs(s->sin_port);
        out->port = ntohs(d->sin_port);
        memcpy(out->address, &d->sin_addr, sizeof(d->sin_addr));
        return out->port != 0;
    }
    if (source->ss_family == AF_INET6) {
        const struct sockaddr_in6 *s = (const struct sockaddr_in6 *)(const void *)source;
        const struct sockaddr_in6 *d = (const struct sockaddr_in6 *)(const void *)destination;
        out->source_port = ntohs(s->sin6_port);
        out->port = ntohs(d->sin6_port);
        memcpy(out->address, &d->sin6_addr, sizeof(d->sin6_addr));
        return out->port != 0;
    }
    return false;
}

uint32_t raw_hash(const struct msg_tuple *t)
{
    return hash_bytes(HASH_START, t, sizeof(*t));
}

static struct msg_log_connect connect_of(uint32_t decision, uint32_t endpoint, uint8_t protocol,
                                         const struct msg_tuple *t)
{
    struct msg_log_connect m = {.decision = decision,
                                .endpoint = endpoint,
                                .count = 1,
                                .port = t->port,
                                .family = t->family,
                                .protocol = protocol};

    memcpy(m.address, t->address, sizeof(m.address));
    return m;
}

void raw_log(struct log *log, const struct raw_verdict *v, uint8_t protocol,
             const struct msg_tuple *t)
{
    struct msg_log_connect m = connect_of(v->decision, v->endpoint, protocol, t);

    log_connect(log, &m);
}

void raw_log_over(struct log *log, uint8_t protocol, const struct msg_tuple *t)
{
    struct msg_log_connect m = connect_of(MSG_DENY, POLICY_INDEX_NONE, protocol, t);

    log_named_connect(log, &m, "", QUOTA_REASON);
}
