/* child.c: the jail's init, and the command.
 *
 * Init is pid 1 of P2: it makes the jail's network (J), mount and IPC namespaces, forks the
 * command's process, prepares the mounts, configures its end of the link when the keeper has made
 * it, lets the command begin, forwards the signals that the supervisor passes on, makes the
 * listening sockets that the supervisor asks for (mirror.c), reaps, and ends with the command; the
 * kernel then kills what the command left behind. It stays in U1, out of reach of the command's
 * ptrace(2), and keeps no capability but CAP_KILL.
 *
 * The command is a child of init in a user namespace of its own (U2) below U1, so that it has no
 * capability over anything of cijail's: J, G, the mount namespace and the PID namespace are U1's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/jail_environment.h"
#include "src/jail_listen.h"
#include "src/filters.h"
#include "src/launch.h"
#include "src/mounts.h"
#include "src/net.h"
#include "src/netns.h"
#include "src/seccomp.h"
#include "src/unix_diag.h"
#include "src/userns.h"
#include "src/util.h"

struct init {
    struct launch *l;
    bool ipv6;
    pid_t command;
    int up, down; /* pipes from and to the command's process */
    int children; /* signalfd for SIGCHLD */
};

/* --- the command --- */

/* A jail_environment_cb. */
static void set_variable(void *arg, const char *name, const char *value)
{
    (void)arg;
    if (value)
        (void)setenv(name, value, 1);
    else
        (void)unsetenv(name);
}

static void set_environment(const struct launch *l, bool with_ca)
{
    jail_environment(set_variable, NULL);
    if (!with_ca)
        return;
    ca_bundle_set_environment(&l->bundle);
    java_stores_set_environment(&l->bundle.java, GW_IPV4, PROXY_PORT);
}

/* What a child of init tells init before execve: an error of the set-up in words; or that execve is
 * all that is left to do, and then perhaps its errno. */
enum { REPORT_ERROR, REPORT_EXECUTES, REPORT_EXEC_FAILED };

struct child_report {
    int type;
    int exec_errno;
    char text[ERROR_TEXT_MAX];
};

static void report_and_exit(int fd, const struct error *e)
{
    struct child_report report = {.type = REPORT_ERROR};

    copy_string(report.text, sizeof(report.text), e->text);
    (void)write_all(fd, &report, sizeof(report));
    _exit(125);
}

static void execute(char **command, int up)
{
    struct child_report report = {.type = REPORT_EXECUTES};

    if (write_all(up, &report, sizeof(report)) < 0)
        _exit(125); /* init has ended */
    (void)execvp(command[0], command);
    report = (struct child_report){.type = REPORT_EXEC_FAILED, .exec_errno = errno};
    (void)write_all(up, &report, sizeof(report));
    _exit(125);
}

/* What init says when everything that the command may use is there. */
enum { GO = 1, GO_WITH_CA };

/* The command's user namespace, whose ids init then maps. */
static void command_prepare(int up)
{
    struct error e;
    pid_t number = -1;

    if (unshare(CLONE_NEWUSER) == 0)
        number = launch_number_in_proc();
    else
        (void)userns_explain(errno, "cannot make the command's user namespace", &e);
    if (write_all(up, &number, sizeof(number)) < 0)
        _exit(125); /* init reports its own error */
    if (number < 0) /* a report follows, and no ids are to be mapped */
        report_and_exit(up, &e);
}

/* core(5): a crash may start a program of the host, as the host's root, which is given all of the
 * memory; a limit of 0 does not keep it from that, but one of 1 byte does ("Piping core dumps to a
 * program"; fs/coredump.c), unless the hard limit is 0, which only the machine's root can raise. It
 * is the soft limit that counts there, which anybody may lower: a filter keeps it. Core files,
 * where there are any, stay as they were. */
static int keep_cores(struct error *e)
{
    static const struct rlimit one = {1, 1};
    cleanup_close int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
    struct rlimit have;
    char kind = '|';
    int r;

    if ((fd >= 0 && read(fd, &kind, 1) == 1 && kind != '|') ||
        (getrlimit(RLIMIT_CORE, &have) == 0 && have.rlim_max == 0))
        return 0;
    if (setrlimit(RLIMIT_CORE, &one) < 0)
        return error_errno(e, errno, "RLIMIT_CORE");
    r = filter_install(&filter_core, 0);
    return r < 0 ? error_errno(e, -r, "cannot install the filter that keeps RLIMIT_CORE") : 0;
}

/* The last steps to the command: its filter, its signals, and no descriptor of cijail's. */
static int command_confine(struct init *in, struct error *e)
{
    const struct policy *policy = in->l->policy;
    int listener;
    int r = policy->dry_run ? 0 : keep_cores(e);

    if (r < 0)
        return r;
    r = seccomp_confine_command(policy->dry_run || policy_has_kind(policy, ENDPOINT_NETLINK),
                                &listener, e);
    if (r < 0)
        return r;
    r = launch_send_fd(in->l->init_child, LAUNCH_LISTENER, 0, listener);
    if (r < 0)
        return launch_explain_pass(r, e);
    if (sigprocmask(SIG_SETMASK, &in->l->caller_mask, NULL) < 0)
        return error_errno(e, errno, "sigprocmask");
    /* Nothing that was inherited, and nothing of cijail's own, reaches the command; the pipe to
     * init is needed until execve. */
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return error_errno(e, errno, "close_range");
    return 0;
}

/* In the command's process: everything up to execve. up: to init (number, then the report); down:
 * from init. */
static void command_main(struct init *in, int up, int down)
{
    struct launch *l = in->l;
    struct error e;
    char go;

    command_prepare(up);
    if (read(down, &go, 1) != 1)
        _exit(125); /* init reports its own error */
    set_environment(l, go == GO_WITH_CA);
    if (chdir(l->cwd) < 0) {
        (void)launch_explain_cwd(errno, l->cwd, &e);
        report_and_exit(up, &e);
    }
    if (command_confine(in, &e) < 0)
        report_and_exit(up, &e);
    execute(l->options->command, up);
}

/* --- init --- */

static void fail(struct init *in, const struct error *e) __attribute__((noreturn));
static void fail(struct init *in, const struct error *e)
{
    launch_fail(in->l->init_child, e);
}

/* After the command has been started: forwarding signals is all that is left to do. */
static void keep_only_cap_kill(struct init *in)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    struct error e;

    data[CAP_TO_INDEX(CAP_KILL)].effective = data[CAP_TO_INDEX(CAP_KILL)].permitted =
        CAP_TO_MASK(CAP_KILL);
    if (syscall(SYS_capset, &head, data) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0) {
        (void)error_errno(&e, errno, "the jail's init cannot give up its capabilities");
        fail(in, &e);
    }
}

static int read_exact(int fd, void *data, size_t len)
{
    char *p = data;

    while (len > 0) {
        ssize_t r = read(fd, p, len);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? -errno : -EPIPE;
        p += r;
        len -= (size_t)r;
    }
    return 0;
}

/* The command's process ended without a word: a library aborted it, say, or somebody killed it. */
static void fail_of_command(struct init *in)
{
    struct error e;
    int status;

    if (waitpid(in->command, &status, 0) != in->command)
        (void)error_set(&e, EPROTO, "the command's process ended during set-up");
    else if (WIFSIGNALED(status))
        (void)error_set(&e, EPROTO,
                        "the command's process was killed by signal %d (%s) during set-up",
                        WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        (void)error_set(&e, EPROTO, "the command's process ended with status %d during set-up",
                        WEXITSTATUS(status));
    fail(in, &e);
}

/* Comes back once the command is executed. */
static void hear_report(struct init *in)
{
    struct child_report report;
    struct error e;

    if (read_exact(in->up, &report, sizeof(report)) < 0)
        fail_of_command(in);
    if (report.type == REPORT_EXECUTES &&
        read_exact(in->up, &report, sizeof(report)) < 0) /* execve has closed the pipe */
        return;
    if (report.type == REPORT_EXEC_FAILED) {
        (void)launch_send(in->l->init_child, LAUNCH_EXEC_FAILED, report.exec_errno, NULL);
        _exit(125);
    }
    copy_string(e.text, sizeof(e.text), report.text);
    fail(in, &e);
}

/* To the keeper or the supervisor. */
static void pass(struct init *in, int to, enum launch_type type, int value, int fd)
{
    int r = launch_send_fd(to, type, value, fd);
    struct error e;

    if (r == -EPIPE)
        _exit(125); /* it has ended, and has said why */
    if (r < 0) {
        (void)launch_explain_pass(r, &e);
        fail(in, &e);
    }
}

/* Should init be stopped, the supervisor sees the end of the command all the same. */
static void send_process(struct init *in, enum launch_process which, pid_t pid)
{
    cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct error e;

    if (pidfd < 0) {
        (void)error_errno(&e, errno, "pidfd_open");
        fail(in, &e);
    }
    pass(in, in->l->init_child, LAUNCH_PROCESS, (int)which, pidfd);
}

/* The command's process, which prepares itself and then waits for release_command. */
static void fork_command(struct init *in)
{
    int up[2], down[2];
    struct error e;
    pid_t number;

    if (pipe2(up, O_CLOEXEC) < 0 || pipe2(down, O_CLOEXEC) < 0) {
        (void)error_errno(&e, errno, "pipe");
        fail(in, &e);
    }
    in->command = fork();
    if (in->command < 0) {
        (void)error_errno(&e, errno, "cannot fork for the command");
        fail(in, &e);
    }
    if (in->command == 0) {
        (void)close(up[0]);
        (void)close(down[1]);
        command_main(in, up[1], down[0]);
    }
    (void)close(up[1]);
    (void)close(down[0]);
    in->up = up[0];
    in->down = down[1];
    send_process(in, LAUNCH_INIT, getpid());
    send_process(in, LAUNCH_COMMAND, in->command);
    if (read_exact(in->up, &number, sizeof(number)) < 0)
        fail_of_command(in);
    if (number < 0)
        hear_report(in);
    if (userns_map("/proc", number, in->l->root, &e) < 0)
        fail(in, &e);
}

static void release_command(struct init *in, bool with_ca)
{
    const char go = with_ca ? GO_WITH_CA : GO;

    (void)write_all(in->down, &go, 1); /* if it has ended, it has reported why */
    (void)close(in->down);
    hear_report(in);
    (void)close(in->up);
}

static void wait_for(struct init *in, int fd, enum launch_type type, struct launch_msg *m)
{
    struct error e;
    int r = launch_recv(fd, m);

    if (r < 0)
        _exit(125); /* the keeper or the supervisor has ended, and has said why */
    if (m->type != (uint32_t)type) {
        (void)error_set(&e, EPROTO, "unexpected message %u during set-up", m->type);
        fail(in, &e);
    }
}

/* Until all is ready outside; ports of the host's loopback come before the command does. */
static void wait_for_go(struct init *in, struct launch_msg *go)
{
    struct error e;

    for (;;) {
        if (launch_recv(in->l->init_child, go) < 0)
            _exit(125);
        if (go->type == LAUNCH_GO)
            return;
        if (go->type != LAUNCH_LISTEN) {
            (void)error_set(&e, EPROTO, "unexpected message %u during set-up", go->type);
            fail(in, &e);
        }
        jail_listen(in->l->init_child, go);
    }
}

/* A jail in a jail has none, and no need of it. */
static void send_diag(struct init *in)
{
    cleanup_close int diag = unix_diag_open(NULL);

    if (diag >= 0)
        pass(in, in->l->init_child, LAUNCH_DIAG, 0, diag);
}

/* Namespaces, and a network of its own that is ready to be linked to the gateway's. */
static void enter_jail(struct init *in)
{
    cleanup_close int mounts = -1;
    struct error e;

    if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC) < 0) {
        (void)userns_explain(errno, "cannot make the jail's network, mount and IPC namespaces", &e);
        fail(in, &e);
    }
    if (netns_prepare_jail(&in->ipv6, &e) < 0)
        fail(in, &e);
    mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (mounts < 0) {
        (void)error_errno(&e, errno, "cannot open /proc/self/ns/mnt");
        fail(in, &e);
    }
    pass(in, in->l->pair_init, LAUNCH_PREPARED, 0, mounts);
}

static void link_jail(struct init *in)
{
    struct launch *l = in->l;
    struct launch_msg net;
    struct error e;

    wait_for(in, l->pair_init, LAUNCH_NET, &net);
    if (netns_link_jail(net.value != 0, &e) < 0)
        fail(in, &e);
    send_diag(in); /* the gate's */
    send_diag(in); /* jail_abort.h */
}

static void set_up(struct init *in, bool *with_ca)
{
    struct launch *l = in->l;
    struct mounts mounts = {.root = l->root, .ipv6 = in->ipv6, .policy = l->policy};
    struct java_store *java = NULL;
    struct ca_stage *ca = NULL;
    struct stage *stage;
    struct launch_msg go;
    struct error e;

    stage = mounts_setup(&mounts, &e);
    if (!stage)
        fail(in, &e);
    if (policy_needs_ca(l->policy)) { /* which is made meanwhile, as the network is */
        ca = mounts_prepare_ca(stage, l->root, &e);
        if (!ca)
            fail(in, &e);
        java = ca_bundle_java(&l->bundle);
    }
    link_jail(in);
    wait_for_go(in, &go);
    *with_ca = ca != NULL;
    if ((ca && mounts_add_ca(ca, &l->bundle, java, go.text, &e) < 0) ||
        mounts_finish(stage, &e) < 0)
        fail(in, &e);
    java_store_free(java);
}

/* Reaps whatever has ended. True, with its status, once the command has. */
static bool reap(struct init *in, int *status)
{
    pid_t pid;

    while ((pid = waitpid(-1, status, WNOHANG | WUNTRACED)) > 0) {
        if (pid != in->command)
            continue;
        if (!WIFSTOPPED(*status))
            return true;
        (void)launch_send(in->l->init_child, LAUNCH_STOPPED, WSTOPSIG(*status), NULL);
    }
    if (pid < 0 && errno != ECHILD && errno != EINTR)
        _exit(125); /* its end would never be seen */
    return false;
}

static void serve(struct init *in) __attribute__((noreturn));
static void serve(struct init *in)
{
    struct pollfd p[] = {{.fd = in->l->init_child, .events = POLLIN},
                         {.fd = in->children, .events = POLLIN}};
    struct signalfd_siginfo info;
    struct launch_msg m;
    int status;

    for (;;) {
        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            _exit(125);
        if (p[0].revents) {
            if (launch_recv(in->l->init_child, &m) < 0)
                _exit(125); /* no supervisor, no jail */
            if (m.type == LAUNCH_SIGNAL)
                (void)kill(in->command, m.value);
            else if (m.type == LAUNCH_LISTEN)
                jail_listen(in->l->init_child, &m);
        }
        if (p[1].revents) {
            (void)!read(in->children, &info, sizeof(info));
            if (reap(in, &status)) {
                _exit(launch_send(in->l->init_child, LAUNCH_EXITED, status, NULL) < 0 ? 125 : 0);
            }
        }
    }
}

void init_main(struct launch *l)
{
    struct init in = {.l = l};
    bool with_ca = false;
    struct error e;
    sigset_t set;

    enter_jail(&in);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    in.children = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC);
    if (in.children < 0) {
        (void)error_errno(&e, errno, "signalfd");
        fail(&in, &e);
    }
    fork_command(&in);
    set_up(&in, &with_ca);
    release_command(&in, with_ca);
    keep_only_cap_kill(&in);
    serve(&in);
}
