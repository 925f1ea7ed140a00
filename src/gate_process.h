/* gate_process.h: the process that makes the jail's connections (unix_gate.h), seen from the
 * supervisor that starts it. */
#ifndef CIJAIL_GATE_PROCESS_H
#define CIJAIL_GATE_PROCESS_H

#include <sys/types.h>

#include "src/error.h"
#include "src/launch.h"
#include "src/policy.h"

struct gate_process {
    pid_t pid; /* 0: there is none */
    int pidfd;
    int fd;    /* SOCK_SEQPACKET: struct launch_msg there, READY and LOG_UNIX (msg.h) back */
    int words; /* a pipe: its standard error */
};

/* Forks it. To be called while the process has one thread. 0, or -errno. */
int gate_process_start(struct gate_process *g, const struct policy *policy, struct error *e);

/* Passes a descriptor on, and closes it: LAUNCH_DIAG first, then LAUNCH_LISTENER. 0, or -errno. */
int gate_process_pass(const struct gate_process *g, enum launch_type type, int fd);

/* Says on standard error what it has said on its own. */
void gate_process_speak(const struct gate_process *g);

/* Kills it, whether it runs, hangs or is stopped, and reaps it if it ends. fd stays. */
void gate_process_end(struct gate_process *g);

#endif
