/* unix_judge.h: may a process of the jail connect to this unix socket? */
#ifndef CIJAIL_UNIX_JUDGE_H
#define CIJAIL_UNIX_JUDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "src/policy.h"

#define UNIX_JUDGE_PATH_SIZE 112 /* sun_path and a NUL */
#define UNIX_CALLER_GROUPS 64

/* Ids of a thread, in the supervisor's user namespace. */
struct unix_caller {
    pid_t tgid;
    uid_t fsuid;
    gid_t fsgid;
    size_t group_count;
    gid_t groups[UNIX_CALLER_GROUPS];
};

struct unix_verdict {
    bool logged; /* worth a line: denied, or a socket of the host that the policy names */
    bool allowed;
    uint32_t endpoint; /* POLICY_INDEX_NONE if none */
};

struct unix_judge;

/* policy outlives it; diag as in unix_diag.h. */
struct unix_judge *unix_judge_new(const struct policy *policy, int diag);

/* Reads /proc/TID/status. 0 or -errno. */
int unix_caller_read(pid_t tid, struct unix_caller *out);

/* Judges the address for the caller's AF_UNIX socket and, if it may be, connects it, with the
 * caller's file system ids. 0 or -errno as connect(2) has it (ENETUNREACH: denied). path: what was
 * asked for, as text. May block, as the socket does; safe from several threads. */
int unix_judge_connect(struct unix_judge *j, pid_t tid, const struct unix_caller *ids, int sock,
                       const struct sockaddr_storage *address, size_t len,
                       char path[UNIX_JUDGE_PATH_SIZE], struct unix_verdict *verdict);

#endif
