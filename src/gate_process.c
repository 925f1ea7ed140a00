/* gate_process.c: the gate is a process of its own, so that the one that resolves and dials needs
 * no files and no other process.
 *
 * To make a connection for a process of the jail, its descriptors, its memory and its root
 * directory must be at hand: that takes the caller's rights over processes and files. This process
 * has these. It has no socket of the internet's, cannot make one, executes nothing and writes no
 * file (confine.h); the supervisor has the network, and lost the files before the command started.
 *
 * It is forked by the supervisor, holds the sockets that the policy names as they are then
 * (unix_judge.h), and says READY; the supervisor lets the command go after that. It ends with the
 * supervisor, and the jail ends with it: the calls that it does not answer any more fail with
 * ENOSYS (seccomp_unotify(2)). Nothing of the jail can signal or trace it: its PID and user
 * namespaces are the host's. While it is stopped the jail's connects wait, and nothing else. */
#include "src/gate_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/confine.h"
#include "src/msg.h"
#include "src/unix_gate.h"
#include "src/unix_judge.h"
#include "src/util.h"

#define GATE_FD 3
#define END_MS 3000 /* once it has been killed */

/* The socket, and nothing else of the supervisor's: a gate that hangs (gate_process_end) would hold
 * the caller's standard error, which then may be a pipe that does not end. */
static void keep_only(int fd, int words)
{
    int null = open("/dev/null", O_RDWR);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(words, STDERR_FILENO) < 0 || (fd != GATE_FD && dup2(fd, GATE_FD) < 0) ||
        close_range(GATE_FD + 1, ~0U, 0) < 0 || fcntl(GATE_FD, F_SETFD, FD_CLOEXEC) < 0)
        die("the gate: cannot order its descriptors: %s", strerror(errno));
}

static void die_with(pid_t supervisor)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != supervisor)
        _exit(125);
    (void)setsid(); /* the terminal's signals are not for it */
    (void)prctl(PR_SET_NAME, "cijail-gate");
}

static void serve(struct unix_judge *judge, int listener)
{
    struct unix_gate gate = {.listener = listener, .reports = GATE_FD, .judge = judge};
    struct error e;

    if (unix_gate_start(&gate, &e) < 0 || confine_gate_files(&e) < 0)
        die("%s", e.text);
}

/* The threads of the gate do the work; this one takes what the supervisor passes on. */
static void gate_main(const struct policy *policy) __attribute__((noreturn));
static void gate_main(const struct policy *policy)
{
    struct msg_ready ready = {0};
    struct unix_judge *judge = unix_judge_new(policy);
    struct launch_msg m;
    struct error e;
    int passed;

    if (confine_gate(&e) < 0)
        die("%s", e.text);
    msg_init(&ready, MSG_READY, sizeof(ready));
    if (send(GATE_FD, &ready, sizeof(ready), MSG_NOSIGNAL) < 0)
        _exit(125);
    while (launch_recv_fd(GATE_FD, &m, &passed) == 0) {
        if (m.type == LAUNCH_DIAG && unix_judge_set_jail(judge, passed, &e) < 0)
            die("%s", e.text);
        if (m.type == LAUNCH_LISTENER)
            serve(judge, passed);
    }
    _exit(0);
}

int gate_process_start(struct gate_process *g, const struct policy *policy, struct error *e)
{
    pid_t supervisor = getpid();
    int fds[2], words[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return error_errno(e, errno, "socketpair");
    if (pipe2(words, O_CLOEXEC | O_NONBLOCK) < 0) {
        int err = errno;
        (void)close(fds[0]);
        (void)close(fds[1]);
        return error_errno(e, err, "pipe2");
    }
    g->pid = launch_clone(0);
    if (g->pid == 0) {
        die_with(supervisor);
        keep_only(fds[1], words[1]);
        gate_main(policy);
    }
    (void)close(fds[1]);
    (void)close(words[1]);
    g->fd = fds[0];
    g->words = words[0];
    if (g->pid < 0) {
        int err = (int)-g->pid;
        g->pid = 0;
        return error_errno(e, err, "cannot fork for the gate");
    }
    g->pidfd = (int)syscall(SYS_pidfd_open, g->pid, 0);
    return g->pidfd < 0 ? error_errno(e, errno, "pidfd_open") : 0;
}

int gate_process_pass(const struct gate_process *g, enum launch_type type, int fd)
{
    int r = launch_send_fd(g->fd, type, 0, fd);

    (void)close(fd);
    return r;
}

void gate_process_speak(const struct gate_process *g)
{
    char text[4096];
    ssize_t n;

    while (g->words >= 0 && (n = read(g->words, text, sizeof(text))) > 0)
        (void)!write(STDERR_FILENO, text, (size_t)n);
}

/* A thread of it may be in a file system of the jail's own (FUSE), which does not answer and which
 * the kernel does not break off: what holds that one's end may be among the gate's descriptors. */
void gate_process_end(struct gate_process *g)
{
    if (g->pid <= 0)
        return;
    if (g->pidfd >= 0) /* else it ends with its socket */
        (void)syscall(SYS_pidfd_send_signal, g->pidfd, SIGKILL, NULL, 0);
    if (g->pidfd < 0 || wait_readable(g->pidfd, END_MS))
        while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    gate_process_speak(g);
    g->pid = 0;
}
