/* filters.h: all filters of cijail's; filters.c is made by make_filters. */
#ifndef CIJAIL_FILTERS_H
#define CIJAIL_FILTERS_H

#include "src/filter.h"

/* [connect(2) is notified, else AF_UNIX sockets are refused][all of AF_NETLINK] */
extern const struct filter filter_command[2][2];
extern const struct filter filter_core; /* child.c */
/* [gate][keeps_ids][writes_files]: confine_seccomp.h */
extern const struct filter filter_confine[2][2][2];
extern const struct filter filter_proxy_lock; /* proxy_lock.h */
/* isolate.h */
extern const struct filter filter_dnsproxy;
extern const struct filter filter_httpproxy;
extern const struct filter filter_raw_maker;

#endif
