/* launch.h: what the launching processes share, and the messages between them.
 *
 *   supervisor (host)  --gate-->  gateway keeper (U1, G, pid 1 of P1)  --clone-->  init (J, pid 1
 * of P2) |                              |  fork + exec                              |  fork, U2,
 * exec |                        dnsproxy, httpproxy                            the command
 *        +------------------------------ init socket ------------------------------+
 *
 * These processes are all cijail itself, before anything of the jail runs; the messages between
 * them carry no byte of the jail. The command inherits none of the sockets. */
#ifndef CIJAIL_LAUNCH_H
#define CIJAIL_LAUNCH_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "src/ca_bundle.h"
#include "src/error.h"
#include "src/msg.h"
#include "src/options.h"
#include "src/policy.h"

enum launch_type {
    LAUNCH_NUMBER = 1, /* keeper -> supervisor: value: its number in /proc */
    LAUNCH_MAPPED,     /* supervisor -> keeper: the ids are mapped */
    LAUNCH_PREPARED, /* init -> keeper: J is there, and ready to be linked; with the mount namespace
                      */
    LAUNCH_NET,      /* keeper -> init: the link is there; value: with IPv6 */
    LAUNCH_GO,       /* supervisor -> init: nothing else is to be waited for; text: the CA, or
                      * empty */
    LAUNCH_SIGNAL,   /* supervisor -> init: value: send this signal to the command */
    LAUNCH_ERROR,    /* keeper, init -> supervisor: set-up failed; text */
    LAUNCH_RELAY,    /* keeper -> supervisor: with a descriptor: a transparent socket of G; value:
                      * enum launch_relay */
    LAUNCH_PROXY_ENDED, /* keeper -> supervisor: value: wait status; text: which */
    LAUNCH_PROXY_IDLE,  /* keeper -> supervisor: it was never started; text: which */
    LAUNCH_CUT,         /* keeper -> supervisor: the link was taken away */
    LAUNCH_EXEC_FAILED, /* init -> supervisor: value: errno of execve */
    LAUNCH_PROCESS,     /* init -> supervisor: with a descriptor: a pidfd; value: enum
                         * launch_process */
    LAUNCH_DIAG,        /* init -> supervisor: with a descriptor: sock_diag in J; two of
                         * them: unix_judge.h, jail_abort.h */
    LAUNCH_LISTENER,    /* the command's process -> supervisor: with a descriptor: connect(2) is
                         * notified here; without:    this is a jail in a jail */
    LAUNCH_STOPPED,     /* init -> supervisor: the command was stopped; value: signal */
    LAUNCH_EXITED,      /* init -> supervisor: value: wait status of the command */
    LAUNCH_LISTEN,      /* supervisor -> init: text: struct launch_listen; one at a time */
    LAUNCH_ENDING,      /* supervisor -> keeper: the command has ended, the proxies' end is due */
    LAUNCH_LISTENING,   /* init -> supervisor: the answer: with a descriptor, or value: errno */
    /* of a container's jail (container.h) */
    LAUNCH_GATEWAY, /* keeper -> envoy: with a descriptor: G, to be linked to */
    LAUNCH_READY,   /* envoy -> supervisor: after LAUNCH_GO: the container may start */
    LAUNCH_ABORT,   /* supervisor -> envoy: the link was taken away (jail_abort.h) */
};

/* What a socket of LAUNCH_RELAY is. */
enum launch_relay { LAUNCH_TCP4, LAUNCH_TCP6, LAUNCH_UDP4, LAUNCH_UDP6, LAUNCH_RELAYS };

/* Whose pidfd that of LAUNCH_PROCESS is. */
enum launch_process { LAUNCH_INIT, LAUNCH_COMMAND };

struct launch_msg {
    uint32_t type;
    int32_t value;
    char text[MSG_PEM_MAX];
};

/* A socket that init is to listen with, in J; or of UDP, to bind. */
struct launch_listen {
    uint32_t len; /* of the address */
    int32_t type; /* SOCK_STREAM, SOCK_SEQPACKET; of the loopback SOCK_DGRAM too */
    struct sockaddr_storage address; /* of the loopback, or abstract; zero beyond len */
};

/* 0, or -errno; -EPIPE when the peer has gone. Blocking unless the socket is not. */
int launch_send(int fd, enum launch_type type, int value, const char *text);
int launch_recv(int fd, struct launch_msg *m);

/* Would launch_recv come back at once? */
bool launch_waits(int fd);

/* The same with a descriptor: sent along if it is not negative; *passed is -1 or the receiver's
 * own, close-on-exec. While other processes of the user have too many under way (ETOOMANYREFS,
 * unix(7)), launch_send_fd waits, up to LAUNCH_PASS_MS; launch_explain_pass has words for what it
 * returns. */
#define LAUNCH_PASS_MS 3000
int launch_send_fd(int fd, enum launch_type type, int value, int pass);
int launch_explain_pass(int err, struct error *e);

/* Words for an errno of getcwd(3) (cwd is NULL then) or of chdir(2) in the jail. */
int launch_explain_cwd(int err, const char *cwd, struct error *e);

int launch_send_listen(int fd, const struct launch_listen *at);
int launch_recv_fd(int fd, struct launch_msg *m, int *passed);

struct container;

struct launch {
    const struct options *options;
    struct container *container; /* NULL: the jail is for a command */
    const struct policy *policy;
    bool root;            /* the caller's effective user is 0 */
    bool by_parent;       /* tunnels go by a proxy of the host's network (parent.h) */
    sigset_t caller_mask; /* the signal mask to give to the command */
    char cwd[PATH_MAX];
    struct ca_bundle bundle;
    /* Sockets, all close-on-exec; -1 where this process has no business. */
    int gate_supervisor, gate_keeper; /* supervisor, keeper */
    int init_supervisor, init_child;  /* supervisor, init */
    int pair_keeper, pair_init;       /* keeper, init */
    int dns_supervisor, dns_proxy;    /* supervisor, dnsproxy */
    int http_supervisor, http_proxy;  /* supervisor, httpproxy */
    int maker_supervisor, maker;      /* supervisor, the maker of UDP sockets (raw_maker.h) */
    int config;                       /* memfd: policy text */
    int roots;                        /* memfd: PEM roots, or -1 */
    int quota;                        /* memfd: what was sent (quota.h), or -1 */
    char dnsproxy_path[PATH_MAX], httpproxy_path[PATH_MAX];
};

/* The number of the calling process in the procfs that is mounted on /proc, which in a jail in a
 * jail may be an outer PID namespace's. -1 if there is none. */
pid_t launch_number_in_proc(void);

/* Reports a set-up error over fd and ends the process. */
void launch_fail(int fd, const struct error *e) __attribute__((noreturn));

/* fork(2) with namespaces: clone flags besides SIGCHLD. 0 in the child, the pid, or -errno. */
pid_t launch_clone(unsigned long flags);

/* The keeper's whole life (gateway.c) and init's (child.c). */
void gateway_main(struct launch *l) __attribute__((noreturn));
void init_main(struct launch *l) __attribute__((noreturn));

#endif
