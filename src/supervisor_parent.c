/* supervisor_parent.c: the proxies of the caller's network (parent.h), and what of them httpproxy
 * is told. */
#include "src/supervisor_parts.h"

#include <string.h>

#include "src/parent.h"
#include "src/util.h"

static bool takes_http(const struct supervisor *s)
{
    return s->policy->dry_run || policy_has_scheme(s->policy, URL_HTTP);
}

int supervisor_find_parents(struct supervisor *s, struct error *e)
{
    const struct policy *p = s->policy;
    bool tunnels = policy_has_scheme(p, URL_HTTPS) || policy_has_kind(p, ENDPOINT_NAME_PORT) ||
                   policy_has_kind(p, ENDPOINT_ADDRESS);
    int r = tunnels || takes_http(s) ? parents_from_environment(&s->parents, e) : 0;

    parents_hide_environment();
    s->launch.by_parent = s->parents.of[MSG_PARENT_TUNNEL].set;
    return r;
}

bool supervisor_needs_roots(const struct supervisor *s)
{
    return policy_needs_ca(s->policy) || s->parents.of[MSG_PARENT_HTTP].tls ||
           s->parents.of[MSG_PARENT_TUNNEL].tls || s->options->upstream.tls;
}

void supervisor_tell_parents(struct supervisor *s)
{
    for (uint32_t use = 0; use < MSG_PARENTS; use++) {
        const struct parent *parent = &s->parents.of[use];
        struct msg_parent m = {.use = use, .port = parent->authority.port};

        if (!parent->set || (use == MSG_PARENT_HTTP ? !takes_http(s) : !parent->tls))
            continue;
        msg_init(&m, MSG_PARENT, sizeof(m));
        copy_string(m.host, sizeof(m.host), parent->authority.host);
        copy_string(m.authorization, sizeof(m.authorization), parent->authorization);
        (void)channel_send(s->http.channel, &m, -1);
        explicit_bzero(&m, sizeof(m));
    }
}
