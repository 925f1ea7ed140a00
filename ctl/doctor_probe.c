/* doctor_probe.c: a jail without a command, made step by step by the functions that make one for
 * cijail(1); each step is reported by itself over a pipe.
 *
 *   doctor --clone(user, PID)--> keeper (network)  --clone(PID)--> init (network, mounts, IPC)
 *                                                                   | fork
 *                                                                  command (user, seccomp)
 *
 * What stands in gateway.c and child.c between these steps (sockets, proxies, messages) is not
 * tried here: a whole jail is (doctor.c). Nothing outlives the pipe's reader: the keeper is the
 * init of its PID namespace, and is killed. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "ctl/doctor.h"
#include "nft/ruleset.h"
#include "src/launch.h"
#include "src/mounts.h"
#include "src/net.h"
#include "src/netns.h"
#include "src/policy.h"
#include "src/seccomp.h"
#include "src/unix_diag.h"
#include "src/userns.h"
#include "src/util.h"

#define PROBE_SECONDS 30

/* All kinds of rules that a policy can ask for. */
static const char every_rule[] = "https://a.example/ 192.0.2.1:53 192.0.2.1:22 a.example:22";

struct report {
    uint32_t check;
    int32_t result; /* 0 or -errno; of the keeper's start: its number in /proc */
    struct error text;
};

struct probe {
    int out; /* reports: each is one write, below PIPE_BUF */
    bool root;
    bool ipv6;
    struct policy policy;
};

/* True if the step succeeded. */
static bool report(const struct probe *p, enum doctor_check check, int r, const struct error *e)
{
    struct report m = {.check = (uint32_t)check, .result = r};

    _Static_assert(sizeof(m) <= 4096, "one write to a pipe");
    if (r < 0)
        copy_string(m.text.text, sizeof(m.text.text), e->text);
    return write_all(p->out, &m, sizeof(m)) == 0 && r >= 0;
}

/* --- the command's process --- */

/* Under the filter, so that its connect(2) waits for an answer. */
static void connect_somewhere(void) __attribute__((noreturn));
static void connect_somewhere(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/nonexistent"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno == EXDEV)
        _exit(0);
    _exit(1);
}

/* Answers one connect(2) by an errno that it has from nowhere else. */
static int answer(int listener, struct error *e)
{
    union {
        struct seccomp_notif n;
        char room[512]; /* a kernel that is newer has a longer one */
    } request = {0};
    union {
        struct seccomp_notif_resp r;
        char room[512];
    } response = {0};
    struct pollfd p = {.fd = listener, .events = POLLIN};

    if (poll(&p, 1, PROBE_SECONDS * 1000 / 2) != 1)
        return error_set(e, ETIMEDOUT, "seccomp: no notification of connect(2) came");
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
        return error_errno(e, errno, "seccomp: a notification cannot be received");
    response.r.id = request.n.id;
    response.r.error = -EXDEV;
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0)
        return error_errno(e, errno, "seccomp: a notification cannot be answered");
    return 0;
}

static int try_seccomp(struct error *e)
{
    int listener = -1, status, r = seccomp_confine_command(false, &listener, e);
    pid_t pid;

    if (r < 0 || listener < 0) /* without a listener: a jail in a jail, which is judged outside */
        return r;
    pid = fork();
    if (pid == 0)
        connect_somewhere();
    r = pid < 0 ? error_errno(e, errno, "fork") : answer(listener, e);
    if (r == 0 && (waitpid(pid, &status, 0) < 0 || status != 0))
        r = error_set(e, EPROTO, "seccomp: connect(2) did not get the answer");
    return r;
}

static void command_main(struct probe *p, int up, int down) __attribute__((noreturn));
static void command_main(struct probe *p, int up, int down)
{
    struct error e;
    pid_t number = -1;
    char go;

    if (unshare(CLONE_NEWUSER) < 0)
        (void)report(p, DOCTOR_NESTED_NAMESPACE,
                     userns_explain(errno, "cannot make the command's user namespace", &e), &e);
    else
        number = launch_number_in_proc();
    (void)write_all(up, &number, sizeof(number));
    if (number < 0 || read(down, &go, 1) != 1)
        _exit(1);
    _exit(report(p, DOCTOR_SECCOMP, try_seccomp(&e), &e) ? 0 : 1);
}

/* Forks it; *go: to be written to when it may go on. */
static bool start_command(struct probe *p, int *go)
{
    int up[2], down[2];
    struct error e = {""};
    pid_t pid, number = -1;

    if (pipe(up) < 0 || pipe(down) < 0)
        return false;
    pid = fork();
    if (pid == 0)
        command_main(p, up[1], down[0]);
    (void)close(up[1]);
    (void)close(down[0]);
    *go = down[1];
    if (pid < 0 || read(up[0], &number, sizeof(number)) != sizeof(number) || number < 0)
        return false;
    return report(p, DOCTOR_NESTED_NAMESPACE, userns_map("/proc", number, p->root, &e), &e);
}

/* --- init --- */

static int try_unix_diag(struct error *e)
{
    const struct unix_inode none = {0};
    struct unix_diag_found found = {0};
    cleanup_close int fd = unix_diag_open(e);
    int r = fd < 0 ? fd : unix_diag_find(fd, &none, NULL, &found);

    if (r < 0)
        return error_errno(e, -r,
                           "the kernel lacks AF_UNIX socket monitoring "
                           "(CONFIG_UNIX_DIAG)");
    return 0;
}

static int try_mounts(const struct mounts *mounts, struct error *e)
{
    struct stage *stage = mounts_setup(mounts, e);

    return stage ? mounts_finish(stage, e) : -EPROTO;
}

static void init_main_of(struct probe *p, int prepared, int linked) __attribute__((noreturn));
static void init_main_of(struct probe *p, int prepared, int linked)
{
    struct mounts mounts = {.root = p->root, .ipv6 = p->ipv6, .policy = &p->policy};
    struct error e;
    char byte = 1;
    bool ipv6, command;
    int go = -1, r = unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC);

    if (r < 0)
        r = userns_explain(errno, "cannot make the jail's network, mount and IPC namespaces", &e);
    if (!report(p, DOCTOR_MOUNT_NAMESPACE, r, &e))
        _exit(1);
    if (netns_prepare_jail(&ipv6, &e) < 0) {
        (void)report(p, DOCTOR_VETH, -EPROTO, &e);
        _exit(1);
    }
    command = start_command(p, &go);
    (void)report(p, DOCTOR_MOUNTS, try_mounts(&mounts, &e), &e);
    (void)report(p, DOCTOR_UNIX_DIAG, try_unix_diag(&e), &e);
    (void)write_all(prepared, &byte, 1);
    if (read(linked, &byte, 1) == 1)
        (void)report(p, DOCTOR_VETH, netns_link_jail(p->ipv6, &e), &e);
    if (command && write_all(go, &byte, 1) == 0)
        while (wait(NULL) > 0)
            ;
    _exit(0);
}

/* --- the keeper --- */

static void try_rules(struct probe *p)
{
    struct ruleset rules;
    struct error e;
    int fd;

    ruleset_from_policy(&rules, &p->policy);
    rules.with_ipv6 = p->ipv6;
    (void)report(p, DOCTOR_NF_TABLES, ruleset_install(&rules, &e), &e);
    ruleset_free(&rules);
    fd = netns_open_nflog(NFLOG_GROUP, &e);
    (void)report(p, DOCTOR_NFLOG, fd, &e);
    (void)report(p, DOCTOR_ROUTING, netns_intercept(p->ipv6, &e), &e);
}

static void run_init(struct probe *p)
{
    int prepared[2], linked[2];
    struct error e;
    char byte = 1;
    pid_t init;

    if (pipe(prepared) < 0 || pipe(linked) < 0)
        return;
    init = launch_clone(CLONE_NEWPID);
    if (init < 0) {
        (void)report(p, DOCTOR_PID_NAMESPACE,
                     userns_explain(-init, "cannot make the jail's PID namespace", &e), &e);
        return;
    }
    if (init == 0)
        init_main_of(p, prepared[1], linked[0]);
    (void)close(prepared[1]);
    (void)report(p, DOCTOR_PID_NAMESPACE, 0, NULL);
    if (read(prepared[0], &byte, 1) == 1) {
        if (netns_link_gateway(init, p->ipv6, &e) < 0)
            (void)report(p, DOCTOR_VETH, -EPROTO, &e);
        else
            (void)write_all(linked[1], &byte, 1);
    }
    (void)close(linked[0]);
    (void)close(linked[1]);
    while (waitpid(init, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int prepare_gateway(struct probe *p, struct error *e)
{
    p->ipv6 = netns_begin_gateway();
    return netns_prepare_gateway(e);
}

static void keeper_main(struct probe *p, int mapped) __attribute__((noreturn));
static void keeper_main(struct probe *p, int mapped)
{
    struct error e;
    char byte;
    int r;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)report(p, DOCTOR_USER_NAMESPACE, launch_number_in_proc(), NULL);
    if (read(mapped, &byte, 1) != 1)
        _exit(1);
    r = unshare(CLONE_NEWNET);
    if (r < 0)
        r = userns_explain(errno, "cannot make the gateway's network namespace", &e);
    else
        r = prepare_gateway(p, &e);
    if (!report(p, DOCTOR_NETWORK_NAMESPACE, r, &e))
        _exit(1);
    try_rules(p);
    run_init(p);
    _exit(0);
}

/* --- doctor's side --- */

static void take(struct doctor_result *results, const struct report *m)
{
    struct doctor_result *to;

    if (m->check >= DOCTOR_CHECKS)
        return;
    to = &results[m->check];
    to->state = m->result < 0 ? DOCTOR_LACKS : DOCTOR_OK;
    copy_string(to->text.text, sizeof(to->text.text), m->text.text);
}

/* The next report; false if the keeper and all below it have ended, or time is over. */
static bool next(int in, uint64_t end, struct report *m)
{
    uint64_t now = now_ms();
    struct pollfd p = {.fd = in, .events = POLLIN};

    return now < end && poll(&p, 1, (int)(end - now)) == 1 && read(in, m, sizeof(*m)) == sizeof(*m);
}

static void follow(const struct probe *p, int in, int mapped, struct doctor_result *results)
{
    uint64_t end = now_ms() + PROBE_SECONDS * 1000;
    struct report m;

    while (next(in, end, &m)) {
        take(results, &m);
        if (m.check == DOCTOR_USER_NAMESPACE && m.result > 0) {
            struct doctor_result *map = &results[DOCTOR_ID_MAP];
            int r = userns_map("/proc", m.result, p->root, &map->text);
            map->state = r < 0 ? DOCTOR_LACKS : DOCTOR_OK;
            if (r < 0 || write_all(mapped, "", 1) < 0)
                return;
        }
    }
}

void doctor_probe(struct doctor_result *results)
{
    struct doctor_result *first = &results[DOCTOR_USER_NAMESPACE];
    struct probe p = {.root = geteuid() == 0};
    int reports[2], mapped[2];
    pid_t keeper;

    policy_init(&p.policy);
    if (policy_parse(&p.policy, "doctor", every_rule, strlen(every_rule), &first->text) < 0 ||
        pipe(reports) < 0 || pipe(mapped) < 0)
        return;
    p.out = reports[1];
    keeper = launch_clone(CLONE_NEWUSER | CLONE_NEWPID);
    if (keeper == 0) {
        (void)close(reports[0]);
        (void)close(mapped[1]);
        keeper_main(&p, mapped[0]);
    }
    (void)close(reports[1]);
    (void)close(mapped[0]);
    if (keeper < 0) {
        first->state = DOCTOR_LACKS;
        (void)userns_explain(-keeper, "cannot make the jail's user and PID namespaces",
                             &first->text);
    } else {
        follow(&p, reports[0], mapped[1], results);
        (void)kill(keeper, SIGKILL);
        (void)waitpid(keeper, NULL, 0);
    }
    (void)close(reports[0]);
    (void)close(mapped[1]);
    policy_free(&p.policy);
}
