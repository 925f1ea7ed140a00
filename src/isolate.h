/* isolate.h: how a proxy locks itself down, in named stages; see isolate.c. */
#ifndef CIJAIL_ISOLATE_H
#define CIJAIL_ISOLATE_H

#include <stddef.h>

#include "src/error.h"
#include "src/filter.h"

/* Watched by ASan, a process needs more calls. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ISOLATE_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ISOLATE_ASAN 1
#endif

/* Stage 1, before anything is read: checks that the process was started by cijail: the channel is a
 * SEQPACKET socket, the config a sealed memfd. Closes every descriptor over last_fd. Sets
 * PR_SET_PDEATHSIG. */
int isolate_start(int last_fd, struct error *e);

/* Stage 2, once all files are read: a mount namespace with an empty read-only root, no capability
 * in any set, no_new_privs, not dumpable, RLIMIT_CORE, RLIMIT_FSIZE and RLIMIT_NPROC at 0. */
int isolate_confine(struct error *e);

/* Stage 3, before the first byte of the jail is read: the proxy's seccomp filter (filters.h), which
 * kills the process on any system call that is not in its list (isolate_rules.c). */
int isolate_seccomp(const struct filter *f, struct error *e);

/* Reads a whole inherited memfd of at most max bytes from its start. As read_file (util.h). */
int isolate_read_fd(int fd, size_t max, char **data, size_t *len, struct error *e);

#endif
