/* filter.h: seccomp filters, ready to be installed: libseccomp has made them when cijail was built
 * (make_filters.c). So no process of a jail waits for that, and none can get a filter that lacks
 * rules because memory ran out. */
#ifndef CIJAIL_FILTER_H
#define CIJAIL_FILTER_H

#include <linux/filter.h>

/* In a filter's comparisons, the number of the process that installs it. */
#define FILTER_SELF 0x63696a61u

struct filter {
    unsigned short len;    /* in instructions */
    unsigned short selves; /* comparisons with FILTER_SELF */
    const struct sock_filter *code;
};

/* seccomp(2) with SECCOMP_SET_MODE_FILTER and these flags. 0, the descriptor that is asked for with
 * SECCOMP_FILTER_FLAG_NEW_LISTENER, or -errno; with SECCOMP_FILTER_FLAG_TSYNC the number of a
 * thread that cannot have it. */
int filter_install(const struct filter *f, unsigned flags);

#endif
