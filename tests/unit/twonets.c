#include "tests/unit/twonets.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "src/netns.h"

#define SECONDS 60

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

void twonets_unshare(int flags)
{
    char map[64];
    unsigned uid = geteuid();
    unsigned gid = getegid();

    CHECK(unshare(flags | CLONE_NEWUSER) == 0);
    write_file("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof map, "%u %u 1", uid, uid);
    write_file("/proc/self/uid_map", map);
    (void)snprintf(map, sizeof map, "%u %u 1", gid, gid);
    write_file("/proc/self/gid_map", map);
}

static void die_with_parent(void)
{
    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    alarm(SECONDS);
}

/* The word that the link is there, and the shared descriptor. */
static void tell(int gate, const struct twonets *t)
{
    char c = t->ipv6 ? '6' : '4';
    struct iovec iov = {.iov_base = &c, .iov_len = 1};
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (t->shared > 0) {
        struct cmsghdr *h = (struct cmsghdr *)control;
        m.msg_control = control;
        m.msg_controllen = sizeof control;
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(h), &t->shared, sizeof(int));
    }
    CHECK(sendmsg(gate, &m, 0) == 1);
}

static void be_told(int gate, struct twonets *t)
{
    char c = 0;
    struct iovec iov = {.iov_base = &c, .iov_len = 1};
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

    CHECK(recvmsg(gate, &m, 0) == 1);
    t->ipv6 = c == '6';
    if (CMSG_FIRSTHDR(&m))
        memcpy(&t->shared, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
}

static void jail_main(struct twonets *t, int gate)
{
    struct error e = {""};

    die_with_parent();
    CHECK(unshare(CLONE_NEWNET) == 0);
    CHECK_OK(netns_prepare_jail(&t->ipv6, &e), &e);
    CHECK(write(gate, "r", 1) == 1);
    be_told(gate, t);
    CHECK_OK(netns_link_jail(t->ipv6, &e), &e);
    t->jail(t);
    _exit(0);
}

static void gateway_main(struct twonets *t)
{
    struct error e = {""};
    int gate[2];
    int status = 0;
    char c;
    pid_t jail;
    pid_t server = -1;

    die_with_parent();
    twonets_unshare(CLONE_NEWNET);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) == 0);
    jail = fork();
    CHECK(jail >= 0);
    if (jail == 0)
        jail_main(t, gate[1]);
    close(gate[1]);
    CHECK(read(gate[0], &c, 1) == 1);
    t->ipv6 = netns_begin_gateway();
    CHECK_OK(netns_prepare_gateway(&e), &e);
    CHECK_OK(netns_link_gateway(jail, t->ipv6, &e), &e);
    if (t->prepare)
        t->prepare(t);
    if (t->serve && (server = fork()) == 0) {
        die_with_parent();
        t->serve(t);
        _exit(0);
    }
    tell(gate[0], t);
    CHECK(waitpid(jail, &status, 0) == jail);
    CHECK(status == 0);
    if (server > 0) {
        kill(server, SIGKILL);
        CHECK(waitpid(server, &status, 0) == server);
        CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    }
    _exit(0);
}

int twonets_run(struct twonets *t)
{
    int status = -1;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0)
        gateway_main(t);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return status;
}

/* What is executed shall have it too, although the user is not root in the namespace. */
static void pass_on_net_admin(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct caps[2];

    CHECK(syscall(SYS_capget, &head, caps) == 0);
    caps[0].inheritable |= CAP_TO_MASK(CAP_NET_ADMIN);
    CHECK(syscall(SYS_capset, &head, caps) == 0);
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) == 0);
}

int twonets_output(const char *command, char *out, size_t size)
{
    FILE *f;
    size_t n;

    pass_on_net_admin();
    CHECK((f = popen(command, "r")));
    n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    return pclose(f);
}
