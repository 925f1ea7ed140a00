/* child.c: the jail's init, and the command.
 *
 * Init is pid 1 of P2: it prepares the mounts, configures the jail's end of the link, starts the
 * command, forwards the signals that the supervisor passes on, makes the listening sockets that the
 * supervisor asks for (mirror.c), reaps, and ends with the command; the kernel then kills what the
 * command left behind. It stays in U1, out of reach of the command's ptrace(2), and keeps no
 * capability but CAP_KILL.
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
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/jail_listen.h"
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
    int children; /* signalfd for SIGCHLD */
};

/* --- the command --- */

static void set_environment(const struct launch *l, bool with_ca)
{
    static const char proxy[] = "http://" GW_IPV4 ":3128";
    static const char no_proxy[] = "localhost,127.0.0.0/8,::1";

    _Static_assert(PROXY_PORT == 3128, "the proxy's port stands in the text above");
    (void)setenv("http_proxy", proxy, 1);
    (void)setenv("HTTP_PROXY", proxy, 1);
    (void)setenv("https_proxy", proxy, 1);
    (void)setenv("HTTPS_PROXY", proxy, 1);
    (void)setenv("no_proxy", no_proxy, 1);
    (void)setenv("NO_PROXY", no_proxy, 1);
    (void)unsetenv("all_proxy");
    (void)unsetenv("ALL_PROXY");
    (void)setenv("NODE_USE_ENV_PROXY", "1", 1);
    if (with_ca)
        ca_bundle_set_environment(&l->bundle);
}

/* How a child of init tells init what went wrong before execve: words, or an errno of execve
 * itself. */
struct child_report {
    int exec_errno; /* 0: a set-up error, text says which */
    char text[ERROR_TEXT_MAX];
};

static void report_and_exit(int fd, int exec_errno, const struct error *e)
{
    struct child_report report = {.exec_errno = exec_errno};

    if (e)
        copy_string(report.text, sizeof(report.text), e->text);
    (void)write_all(fd, &report, sizeof(report));
    _exit(125);
}

/* In the command's process: everything up to execve. up: to init (number, then the report); down:
 * from init. */
static void command_main(struct init *in, int up, int down, bool with_ca)
{
    struct launch *l = in->l;
    struct error e;
    pid_t number;
    char ok;
    int err, listener;

    if (unshare(CLONE_NEWUSER) < 0) {
        (void)userns_explain(errno, "cannot make the command's user namespace", &e);
        number = -1; /* a report follows, and no ids are to be mapped */
        (void)write_all(up, &number, sizeof(number));
        report_and_exit(up, 0, &e);
    }
    number = launch_number_in_proc();
    if (write_all(up, &number, sizeof(number)) < 0 || read(down, &ok, 1) != 1)
        _exit(125); /* init reports its own error */
    set_environment(l, with_ca);
    if (chdir(l->cwd) < 0) {
        (void)error_errno(&e, errno, "cannot enter %s in the jail", l->cwd);
        report_and_exit(up, 0, &e);
    }
    if (seccomp_confine_command(l->policy->dry_run || policy_has_kind(l->policy, ENDPOINT_NETLINK),
                                &listener, &e) < 0)
        report_and_exit(up, 0, &e);
    if (launch_send_fd(l->init_child, LAUNCH_LISTENER, 0, listener) < 0)
        _exit(125);
    if (sigprocmask(SIG_SETMASK, &l->caller_mask, NULL) < 0) {
        (void)error_errno(&e, errno, "sigprocmask");
        report_and_exit(up, 0, &e);
    }
    /* Nothing that was inherited, and nothing of cijail's own, reaches the command; up is needed
     * until execve. */
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
        (void)error_errno(&e, errno, "close_range");
        report_and_exit(up, 0, &e);
    }
    (void)execvp(l->options->command[0], l->options->command);
    err = errno;
    report_and_exit(up, err, NULL);
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

static void start_command(struct init *in, bool with_ca)
{
    int up[2], down[2];
    struct child_report report;
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
        command_main(in, up[1], down[0], with_ca);
    }
    (void)close(up[1]);
    (void)close(down[0]);
    if (read_exact(up[0], &number, sizeof(number)) < 0) {
        (void)error_set(&e, EPROTO, "the command's process ended during set-up");
        fail(in, &e);
    }
    if (number > 0 && userns_map("/proc", number, in->l->root, &e) < 0)
        fail(in, &e);
    (void)write_all(down[1], "", 1);
    (void)close(down[1]);
    if (read_exact(up[0], &report, sizeof(report)) == 0) { /* no report: execve closed the pipe */
        if (report.exec_errno) {
            (void)launch_send(in->l->init_child, LAUNCH_EXEC_FAILED, report.exec_errno, NULL);
            _exit(125);
        }
        copy_string(e.text, sizeof(e.text), report.text);
        fail(in, &e);
    }
    (void)close(up[0]);
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
        (void)launch_send_fd(in->l->init_child, LAUNCH_DIAG, 0, diag);
}

static void set_up(struct init *in, bool *with_ca)
{
    struct launch *l = in->l;
    struct mounts mounts = {.root = l->root, .bundle = &l->bundle, .policy = l->policy};
    struct launch_msg net, go;
    struct error e;

    wait_for(in, l->pair_init, LAUNCH_NET, &net);
    in->ipv6 = net.value != 0;
    if (netns_setup_jail(in->ipv6, &e) < 0)
        fail(in, &e);
    send_diag(in); /* the gate's */
    send_diag(in); /* jail_abort.h */
    wait_for_go(in, &go);
    *with_ca = go.text[0] != '\0';
    mounts.ipv6 = in->ipv6;
    mounts.ca_pem = go.text;
    if (mounts_setup(&mounts, &e) < 0)
        fail(in, &e);
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

    set_up(&in, &with_ca);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    in.children = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC);
    if (in.children < 0) {
        (void)error_errno(&e, errno, "signalfd");
        fail(&in, &e);
    }
    start_command(&in, with_ca);
    keep_only_cap_kill(&in);
    serve(&in);
}
