/* upstream_dns.h: asks the host's DNS servers for dnsproxy. */
#ifndef CIJAIL_UPSTREAM_DNS_H
#define CIJAIL_UPSTREAM_DNS_H

#include <event2/event.h>

#include "src/channel.h"
#include "src/learn.h"
#include "src/log.h"
#include "src/policy.h"
#include "src/resolver.h"
#include "src/upstream_servers.h"

struct upstream_dns;

struct upstream_dns *upstream_dns_new(struct event_base *base, const struct policy *policy);

/* Every name that is asked for goes there too. */
void upstream_dns_set_learn(struct upstream_dns *u, struct learn *learn);

/* A server that cannot be asked is said there. */
void upstream_dns_set_log(struct upstream_dns *u, struct log *log);

/* Those servers are asked, and not the host's; by TLS they are dnsproxy's to ask. What the resolver
 * looks up may be asked, whatever the policy names. Both outlive it. */
void upstream_dns_set_servers(struct upstream_dns *u, const struct upstream_servers *servers,
                              const struct resolver *resolver);

/* Takes one MSG_QUERY; answers on c by MSG_REPLY, later or at once. */
void upstream_dns_query(struct upstream_dns *u, struct channel *c, const struct msg_query *m);

/* c is about to be freed: its queries are dropped. */
void upstream_dns_forget(struct upstream_dns *u, struct channel *c);

/* Its hosts(5), which is its own. */
struct hosts_file *upstream_dns_hosts(struct upstream_dns *u);

#endif
