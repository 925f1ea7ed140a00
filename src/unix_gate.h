/* unix_gate.h: connect(2) of the jail, made by the gate's process (seccomp_unotify(2)). */
#ifndef CIJAIL_UNIX_GATE_H
#define CIJAIL_UNIX_GATE_H

#include "src/error.h"
#include "src/unix_judge.h"

struct unix_gate {
    int listener;             /* of the command's filter; owned */
    int reports;              /* a blocking socket: MSG_LOG_UNIX goes there */
    struct unix_judge *judge; /* knows the jail (unix_judge_set_jail) */
};

/* Starts the threads that answer the notifications; they end with the process. what is copied. */
int unix_gate_start(const struct unix_gate *what, struct error *e);

#endif
