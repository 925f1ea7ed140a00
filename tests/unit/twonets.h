/* twonets.h: a gateway's and a jail's network namespace in two processes, for tests. */
#ifndef CIJAIL_TESTS_TWONETS_H
#define CIJAIL_TESTS_TWONETS_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/error.h"

/* In a child process: ends it, with the line as its word, if the condition does not hold. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, strerror(errno));   \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* Likewise for a function that fills e. */
#define CHECK_OK(call, e)                                                                          \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, (e)->text);              \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

struct twonets {
    /* In G with gw0 there: opens sockets, installs rules. */
    void (*prepare)(struct twonets *t);
    /* In J, once that is done and jail0 is there. */
    void (*jail)(struct twonets *t);
    /* In G at the same time; may be NULL. Is killed when the jail has ended, if it still runs. */
    void (*serve)(struct twonets *t);
    bool ipv6;
    int fds[8]; /* opened by prepare, for serve */
    int shared; /* likewise one for the jail too; 0: none */
};

/* Runs all of it in namespaces of its own, without privilege. 0 if nothing failed, else what
 * waitpid says of the process that did. Bounded by alarm(2). */
int twonets_run(struct twonets *t);

/* unshare(flags | CLONE_NEWUSER) with the caller's own ids mapped; ends the process if it cannot.
 */
void twonets_unshare(int flags);

/* Runs the command line in the caller's namespaces; its output (at most size - 1 bytes). Exit
 * status. */
int twonets_output(const char *command, char *out, size_t size);

#endif
