/* unix_ids.h: acting at a unix socket as the process of the jail that asked for it. */
#ifndef CIJAIL_UNIX_IDS_H
#define CIJAIL_UNIX_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* of a thread: pidfd_open(2), Linux 6.9; needs <fcntl.h> */
#endif

#define UNIX_CALLER_GROUPS 64 /* of more, the first */

/* Ids of a thread, in the supervisor's user namespace. */
struct unix_caller {
    pid_t tgid;
    uid_t fsuid;
    gid_t fsgid;
    uint64_t caps; /* effective, over its own user namespace */
    size_t group_count;
    gid_t groups[UNIX_CALLER_GROUPS];
};

/* What the calling thread had before. */
struct unix_ids {
    bool changed, groups_changed, groups_known;
    uid_t uid;
    gid_t gid;
    uint64_t caps;
    size_t group_count;
    gid_t groups[UNIX_CALLER_GROUPS];
};

/* Reads /proc/TID/status. 0 or -errno. */
int unix_caller_read(pid_t tid, struct unix_caller *out);

/* The process that has connected to the AF_UNIX socket fd (SO_PEERCRED). Without capabilities. */
int unix_caller_of_peer(int fd, struct unix_caller *out);

/* Gives the calling thread alone the ids of caller, and no capability that caller has not. 0, or
 * -EACCES with nothing changed. own is to be given to unix_ids_return then. */
int unix_ids_borrow(const struct unix_caller *caller, struct unix_ids *own);
void unix_ids_return(const struct unix_ids *own);

#endif
