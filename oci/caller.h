/* caller.h: the way to cijailctl, which waits for the container that it had started. It listens in
 * the request's folder, on a stream socket: whoever connects sends a byte, with the pidfd of the
 * container's init if there is one, and gets a byte, with cijailctl's standard error. */
#ifndef CIJAIL_OCI_CALLER_H
#define CIJAIL_OCI_CALLER_H

#include "src/error.h"

/* The hook's side. pidfd: stays the caller's; -1: none. Returns the connection, and *log; both
 * close-on-exec; or -errno: nobody listens. */
int caller_connect(int folder, int pidfd, int *log);

/* cijailctl's side. The first returns a listening socket, or -errno; path: the folder's. The second
 * takes one connection: it returns the connection, and *pidfd or -1; or -errno. */
int caller_listen(const char *path, struct error *e);
int caller_accept(int listener, int *pidfd);

#endif
