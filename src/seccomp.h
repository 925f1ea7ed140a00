/* seccomp.h: the system call filter of the command. */
#ifndef CIJAIL_SECCOMP_H
#define CIJAIL_SECCOMP_H

#include "src/error.h"

/* Installs the filter on the calling process and all that it will start. Needs CAP_SYS_ADMIN in the
 * process's user namespace; no_new_privs is not set, since sudo and its like work in a root's jail.
 */
int seccomp_confine_command(int *listener, struct error *e);

#endif
