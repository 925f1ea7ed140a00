/* proxy_process.h: a proxy as the keeper has it: its descriptors until it is needed, then its
 * process. */
#ifndef CIJAIL_PROXY_PROCESS_H
#define CIJAIL_PROXY_PROCESS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "src/error.h"
#include "src/net.h"

struct proxy_process {
    const char *name, *path;   /* the caller's */
    int fds[PROXY_FD_MAX + 1]; /* by final number; -1: not there. Owned until it starts */
    int roots_fd;              /* the number of the roots, which like the policy is a file */
    pid_t pid;                 /* 0: not started, or over */
};

/* How many descriptors proxy_process_watch sets at most. */
#define PROXY_PROCESS_WATCHED (PROXY_FD_MAX + 1)

void proxy_process_init(struct proxy_process *p, const char *name, const char *path, int roots_fd);

/* Forks and executes it, locked (proxy_lock.h), with its descriptors, which are closed here.
 * mounts: the jail's mount namespace, in which it starts; -1: it starts before the command does.
 * Its environment is empty, its session its own. 0 or -errno; what fails after the fork is told by
 * its exit status. */
int proxy_process_start(struct proxy_process *p, int mounts, struct error *e);

/* Closes the descriptors of one that has not started: it never will. */
void proxy_process_close(struct proxy_process *p);

/* Whether it has not started, and may. */
bool proxy_process_waits(const struct proxy_process *p);

/* Of one that has not started, the descriptors whose readiness says that it is needed. Returns how
 * many; 0 for any other. */
size_t proxy_process_watch(const struct proxy_process *p, struct pollfd *out);

/* Whether it has not started, and something waits for it now. What the supervisor says last
 * (MSG_FINISH) is nothing to start it for. */
bool proxy_process_is_needed(const struct proxy_process *p);

/* Whether it has not started, and the supervisor has closed its channel: nobody would hear it. */
bool proxy_process_is_let_go(const struct proxy_process *p);

#endif
