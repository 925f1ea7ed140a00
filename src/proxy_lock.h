/* proxy_lock.h: what a proxy's program is held by before it runs. */
#ifndef CIJAIL_PROXY_LOCK_H
#define CIJAIL_PROXY_LOCK_H

#include "src/error.h"

/* Locks the calling process, which is to execute a proxy and nothing else, and has one thread. In
 * the keeper's user namespace, with all capabilities there. mounts: a mount namespace to enter, -1:
 * none. 0 or -errno; on an error the process is fit for nothing but _exit. */
int proxy_lock(int mounts, struct error *e);

#endif
