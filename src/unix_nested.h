/* unix_nested.h: network namespaces that the jail has made itself. */
#ifndef CIJAIL_UNIX_NESTED_H
#define CIJAIL_UNIX_NESTED_H

#include <stdbool.h>

#include "src/unix_diag.h"

/* Is a socket bound to that inode in a network namespace that a process of the jail is in and that
 * was made inside the jail (unshare -n, podman)? jail: a socket of J (unix_diag_open). Takes a look
 * at every process; one caller at a time. With the supervisor's own ids. */
bool unix_nested_is_bound(int jail, const struct unix_inode *inode);

#endif
