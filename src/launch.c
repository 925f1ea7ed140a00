#include "src/launch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/util.h"

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

int launch_send_fd(int fd, enum launch_type type, int value, int pass)
{
    struct launch_msg m = {.type = type, .value = value};
    struct iovec iov = {.iov_base = &m, .iov_len = sizeof(m)};
    union fd_control control = {0};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t r;

    attach_fd(&h, &control, pass);
    do
        r = sendmsg(fd, &h, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
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
