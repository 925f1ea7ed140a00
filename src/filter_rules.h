/* filter_rules.h: the rules of each filter, by libseccomp. Only make_filters and tests use them. */
#ifndef CIJAIL_FILTER_RULES_H
#define CIJAIL_FILTER_RULES_H

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/filter.h"

struct confine_seccomp;

/* Each: what filter_build takes, or NULL: a rule cannot be had, or no memory. */
scmp_filter_ctx command_rules(bool with_unix, bool with_netlink);
/* The command's limit on core files stays as it is; calls of other architectures pass. */
scmp_filter_ctx core_rules(void);
scmp_filter_ctx confine_rules(const struct confine_seccomp *who);
scmp_filter_ctx proxy_lock_rules(void);
/* n calls that may be made; mmap and mprotect are not for the caller to allow. */
scmp_filter_ctx isolate_rules(const int *calls, size_t n);

/* Instructions of the rules, which are released; f->code is the caller's to free. Ends the process
 * if that cannot be done, or ctx is NULL. */
void filter_build(scmp_filter_ctx ctx, struct filter *f);

#endif
