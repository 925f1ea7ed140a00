/* unix_gate.h: connect(2) of the jail, made by the supervisor (seccomp_unotify(2)). */
#ifndef CIJAIL_UNIX_GATE_H
#define CIJAIL_UNIX_GATE_H

#include <event2/event.h>

#include "src/error.h"
#include "src/log.h"
#include "src/unix_judge.h"

struct unix_gate {
    int listener;             /* of the command's filter; owned */
    struct unix_judge *judge; /* knows the jail (unix_judge_set_jail) */
    struct log *log;
};

/* Starts the threads that answer the notifications; they end with the process. what is copied. */
int unix_gate_start(struct event_base *base, const struct unix_gate *what, struct error *e);

#endif
