/* unix_judge.h: may a process of the jail connect to this unix socket? */
#ifndef CIJAIL_UNIX_JUDGE_H
#define CIJAIL_UNIX_JUDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "src/msg.h"
#include "src/policy.h"
#include "src/unix_ids.h"

#define UNIX_JUDGE_PATH_SIZE MSG_PATH_SIZE
#define UNIX_JUDGE_REAL_SIZE MSG_REAL_SIZE

struct unix_verdict {
    bool logged;                     /* worth a line: denied, or a socket of the host */
    uint32_t decision;               /* enum msg_decision */
    uint32_t endpoint;               /* POLICY_INDEX_NONE if none */
    char real[UNIX_JUDGE_REAL_SIZE]; /* absolute, without links; empty if unknown or longer */
};

struct unix_judge;

/* Pins the sockets that the policy names, as they are now: to be called before the command starts.
 * policy outlives it. */
struct unix_judge *unix_judge_new(const struct policy *policy);

/* diag: as in unix_diag.h, of the jail's network namespace; owned. */
int unix_judge_set_jail(struct unix_judge *j, int diag, struct error *e);

/* Who asks. */
struct unix_asker {
    struct unix_caller ids;
    pid_t tid;
    int pidfd; /* of the process or the thread */
    /* The caller's socket, AF_UNIX, to be closed; or -errno as connect(2) has it. It is taken right
     * before connect(2), and not held while files are looked for. */
    int (*take)(const struct unix_asker *who);
    /* Does it still wait for the answer? Asked likewise. */
    bool (*waits)(const struct unix_asker *who);
    const void *arg; /* of both */
    uint64_t id;     /* likewise */
};

/* Judges the address for the asker's socket and, if it may be, connects it, with the asker's ids. 0
 * or -errno as connect(2) has it (ENETUNREACH: denied). path: what was asked for, as text. May
 * block, as the socket does; safe from several threads. */
int unix_judge_connect(struct unix_judge *j, const struct unix_asker *who,
                       const struct sockaddr_storage *address, size_t len,
                       char path[UNIX_JUDGE_PATH_SIZE], struct unix_verdict *verdict);

#endif
