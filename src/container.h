/* container.h: a container whose network the jail is, and the envoy, the process that prepares it.
 */
#ifndef CIJAIL_CONTAINER_H
#define CIJAIL_CONTAINER_H

#include <stddef.h>

#include "src/launch.h"

#define CONTAINER_CA_FILES 32

/* All descriptors are close-on-exec; -1: not there. */
struct container {
    int netns;   /* its network namespace, with nothing but lo in it */
    int pidfd;   /* its init; the jail ends with it */
    int caller;  /* stream socket to who waits for the container's end and reads the log: the result
                  * is written to it as one byte. When it is closed, standard error is let go */
    int waiting; /* pipe to the hook that waits: an error's text, or nothing and its end */
    int log;     /* is standard error's, of the supervisor alone; -1: that stays as it is */
    int ca_files[CONTAINER_CA_FILES]; /* to which the jail's CA is appended */
    size_t ca_count;
};

/* Closes them all. */
void container_close(struct container *c);

/* The envoy's whole life; forked by the supervisor. */
void envoy_main(struct launch *l) __attribute__((noreturn));

#endif
