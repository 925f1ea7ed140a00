/* unix_diag.h: which socket is bound to an inode (sock_diag(7), AF_UNIX). */
#ifndef CIJAIL_UNIX_DIAG_H
#define CIJAIL_UNIX_DIAG_H

#include <stdbool.h>
#include <sys/stat.h>

#include "src/error.h"

/* A NETLINK_SOCK_DIAG socket of the caller's network namespace, close-on-exec; -errno. It answers
 * for that namespace whoever uses it later. */
int unix_diag_open(struct error *e);

/* Is a socket of the descriptor's network namespace bound to the inode that st is of, and by that
 * name (NULL: any)? 1, 0, or -errno. The inode's number is compared by its lower 32 bits. One
 * caller at a time for each descriptor. */
int unix_diag_is_bound(int fd, const struct stat *st, const char *name);

#endif
