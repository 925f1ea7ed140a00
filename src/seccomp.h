/* seccomp.h: the system call filter of the command. */
#ifndef CIJAIL_SECCOMP_H
#define CIJAIL_SECCOMP_H

#include <stdbool.h>

#include "src/error.h"

struct filter;

struct seccomp_filter {
    struct filter *code; /* owned */
    bool with_netlink;
};

/* Makes the filter, which takes some milliseconds, and installs nothing. with_netlink: all
 * protocols of AF_NETLINK can be had. */
int seccomp_prepare(struct seccomp_filter *f, bool with_netlink, struct error *e);

/* Installs it on the calling process and all that it will start, and frees it. Needs CAP_SYS_ADMIN
 * in the process's user namespace; no_new_privs is not set, since sudo and its like work in a
 * root's jail. *listener: where connect(2) is notified, or -1 in a jail in a jail. */
int seccomp_confine_command(struct seccomp_filter *f, int *listener, struct error *e);

#endif
