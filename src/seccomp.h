/* seccomp.h: the system call filter of the command. */
#ifndef CIJAIL_SECCOMP_H
#define CIJAIL_SECCOMP_H

#include <stdbool.h>

#include "src/error.h"

/* Installs it on the calling process and all that it will start. with_netlink: all protocols of
 * AF_NETLINK can be had. Needs CAP_SYS_ADMIN in the process's user namespace; no_new_privs is not
 * set, since sudo and its like work in a root's jail. *listener: where connect(2) is notified, or
 * -1 in a jail in a jail. */
int seccomp_confine_command(bool with_netlink, int *listener, struct error *e);

#endif
