#include "src/launch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "src/util.h"

#define PASS_PAUSE_NS (10 * 1000 * 1000)

int launch_send(int fd, enum launch_type type, int value, const char *text)
{
    struct launch_msg m = {.type = type, .value = value};
    ssize_t r;

    copy_string(m.text, sizeof(m.text), text ? text : "");
    do
        r = send(fd, &m, sizeof(m), MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

int launch_send_listen(int fd, const struct launch_listen *at)
{
    struct launch_msg m = {.type = LAUNCH_LISTEN};
    ssize_t r;

    _Static_assert(sizeof(*at) < sizeof(m.text), "it fits, and leaves the last byte alone");
    memcpy(m.text, at, sizeof(*at));
    do
        r = send(fd, &m, sizeof(m), MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

/* True if it was a while before deadline_ms. */
static bool wait_a_while(uint64_t deadline_ms)
{
    const struct timespec t = {.tv_nsec = PASS_PAUSE_NS};

    if (now_ms() >= deadline_ms)
        return false;
    (void)nanosleep(&t, NULL); /* a signal makes it shorter */
    return true;
}

int launch_send_fd(int fd, enum launch_type type, int value, int pass)
{
    const uint64_t deadline_ms = now_ms() + LAUNCH_PASS_MS;
    struct launch_msg m = {.type = type, .value = value};
    struct iovec iov = {.iov_base = &m, .iov_len = sizeof(m)};
    union fd_control control = {0};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t r;

    attach_fd(&h, &control, pass);
    do
        r = sendmsg(fd, &h, MSG_NOSIGNAL);
    while (r < 0 && (errno == EINTR || (errno == ETOOMANYREFS && wait_a_while(deadline_ms))));
    return r < 0 ? -errno : 0;
}

int launch_explain_pass(int err, struct error *e)
{
    if (err != -ETOOMANYREFS)
        return error_errno(e, -err, "cannot pass a descriptor between cijail's processes");
    return error_set(e, ETOOMANYREFS,
                     "cannot pass a descriptor between cijail's processes: more of them are under "
                     "way in sockets of this user's processes than the limit on open files allows; "
                     "raise it (ulimit -n), or wait until they are done");
}

int launch_explain_cwd(int err, const char *cwd, struct error *e)
{
    const char *advice = err == ENOENT ? "that still exists" : "that this user may enter";

    return error_set(
        e, err,
        "cannot enter the working directory%s%s%s: %s; start cijail in one %s, such as / (cd /)",
        cwd ? " " : "", cwd ? cwd : "", cwd ? " in the jail" : "", strerror(err), advice);
}

int launch_recv_fd(int fd, struct launch_msg *m, int *passed)
{
    struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
    union fd_control control = {0};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t r;

    *passed = -1;
    do /* ECONNRESET comes once, before the last words of a peer that did not read all it was sent
        */
        r = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
    while (r < 0 && (errno == EINTR || errno == ECONNRESET));
    if (r < 0)
        return -errno;
    if (r == 0)
        return -EPIPE;
    *passed = attached_fd(&h);
    if (r != (ssize_t)sizeof(*m))
        return -EPROTO;
    m->text[sizeof(m->text) - 1] = '\0';
    return 0;
}

int launch_recv(int fd, struct launch_msg *m)
{
    int passed, r = launch_recv_fd(fd, m, &passed);

    if (passed >= 0)
        (void)close(passed); /* none is expected here */
    return r;
}

bool launch_waits(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

pid_t launch_number_in_proc(void)
{
    char link[32];
    ssize_t n = readlink("/proc/self", link, sizeof(link) - 1);

    if (n <= 0)
        return -1;
    link[n] = '\0';
    return (pid_t)strtol(link, NULL, 10);
}

void launch_fail(int fd, const struct error *e)
{
    (void)launch_send(fd, LAUNCH_ERROR, 0, e->text);
    _exit(125);
}

pid_t launch_clone(unsigned long flags)
{
    /* Unlike fork(3) this runs no atfork handlers: the callers have one thread and call it early.
     */
    long r = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0UL);

    return r < 0 ? -errno : (pid_t)r;
}
