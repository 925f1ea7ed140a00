/* userns.h: id maps of the jail's user namespaces, and why one cannot be made. */
#ifndef CIJAIL_USERNS_H
#define CIJAIL_USERNS_H

#include <stdbool.h>
#include <sys/types.h>

#include "src/error.h"

/* Maps the ids of process pid, which has just been put into a new user namespace below the
 * caller's: as a user the caller's own user and group id onto themselves (setgroups denied), as
 * root every id that the caller's namespace has onto itself (user_namespaces(7)). proc: the mount
 * point of a procfs in which pid is visible as such. */
int userns_map(const char *proc, pid_t pid, bool root, struct error *e);

/* Maps these, which were the caller's before it put itself into a new user namespace, onto
 * themselves. self: its own folder in a procfs (setgroups denied). 0 or -errno. */
int userns_map_self(int self, uid_t uid, gid_t gid, struct error *e);

/* Words for a clone(2) or unshare(2) that failed with err: the cause as far as this machine tells
 * it, and the remedy. */
int userns_explain(int err, const char *what, struct error *e);

#endif
