/* jail_listen.h: init's part of the mirror (mirror.h). */
#ifndef CIJAIL_JAIL_LISTEN_H
#define CIJAIL_JAIL_LISTEN_H

#include "src/launch.h"

/* Answers a LAUNCH_LISTEN over fd: with a nonblocking socket that listens, or of UDP is bound, in
 * the caller's network namespace, or with the errno for which there is none. Keeps nothing open. */
void jail_listen(int fd, const struct launch_msg *request);

#endif
