/* policy_index.h: answers policy.h's questions about names and URLs at the same cost for 10,000
 * endpoints as for ten. Used by policy.c and policy_raw.c alone. */
#ifndef CIJAIL_POLICY_INDEX_H
#define CIJAIL_POLICY_INDEX_H

#include "src/policy.h"

struct policy_index;

struct policy_index *policy_index_new(const struct policy *p);
void policy_index_free(struct policy_index *x);

/* Each is what the loop of the same name in policy.c or policy_raw.c finds. */
const struct endpoint *policy_index_resolve(const struct policy *p, const char *name);
const struct endpoint *policy_index_name_port(const struct policy *p, const char *name,
                                              uint16_t port);
const struct endpoint *policy_index_any_port(const struct policy *p, const char *name);
const struct endpoint *policy_index_private(const struct policy *p, const char *name);
const struct endpoint *policy_index_authority(const struct policy *p, enum url_scheme scheme,
                                              const struct url_authority *a);

/* The first URL endpoint whose authority and prefix match, among those that accept takes. */
typedef bool policy_accept_cb(const struct endpoint *ep, const void *arg);
const struct endpoint *policy_index_url(const struct policy *p, const struct url *url,
                                        policy_accept_cb *accept, const void *arg);

/* The NAME:PORT endpoints that match, each by its own index, in the policy's order; at most max of
 * them. Returns how many. */
size_t policy_index_name_ports(const struct policy *p, const char *name,
                               const struct endpoint **out, size_t max);

/* The ADDRESS endpoints, in the policy's order. */
size_t policy_index_address_count(const struct policy_index *x);
const struct endpoint *policy_index_address(const struct policy *p, size_t i);

#endif
