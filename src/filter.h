/* filter.h: seccomp filters that are what they were meant to be. */
#ifndef CIJAIL_FILTER_H
#define CIJAIL_FILTER_H

#include <linux/filter.h>

/* As the kernel takes it. */
struct filter {
    unsigned short len; /* in instructions */
    struct sock_filter code[BPF_MAXINSNS];
};

/* Makes a filter with all its rules, by libseccomp: a scmp_filter_ctx, which filter_compile
 * releases, or NULL. */
typedef void *filter_make_cb(const void *arg);

/* 0, -ENOMEM, or -errno. libseccomp (2.5.4) does not look at each of its allocations: one that
 * fails can yield a filter that lacks rules, and no error. So it is made twice, and must be the
 * same; and after 4 s of processor time the process ends, with status 125 and a message. SIGPROF is
 * as by default, and not blocked, when it returns. */
int filter_compile(struct filter *f, filter_make_cb *make, const void *arg);

/* seccomp(2) with SECCOMP_SET_MODE_FILTER and these flags. 0, the descriptor that is asked for with
 * SECCOMP_FILTER_FLAG_NEW_LISTENER, or -errno. */
int filter_install(const struct filter *f, unsigned flags);

#endif
