#include "oci/caller.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "oci/hook.h"
#include "src/util.h"

#define ANSWER_SECONDS 5

static int send_byte(int fd, int pass)
{
    union fd_control control = {0};
    char byte = 0;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

    attach_fd(&h, &control, pass);
    return sendmsg(fd, &h, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static int receive_byte(int fd, int *passed)
{
    const struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    union fd_control control = {0};
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n;

    *passed = -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
    if (n != 1)
        return n < 0 ? -errno : -EPIPE;
    *passed = attached_fd(&h);
    return 0;
}

int caller_connect(int folder, int pidfd, int *log)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r;

    *log = -1;
    (void)snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/" HOOK_SOCKET, folder);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return -errno;
    if ((r = send_byte(fd, pidfd)) < 0 || (r = receive_byte(fd, log)) < 0)
        return r;
    return steal_fd(&fd);
}

int caller_listen(const char *path, struct error *e)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int n = snprintf(at.sun_path, sizeof(at.sun_path), "%s/" HOOK_SOCKET, path);

    if (n < 0 || (size_t)n >= sizeof(at.sun_path))
        return error_set(e, ENAMETOOLONG, "the path of the runtime directory is too long: %s",
                         path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4) < 0)
        return error_errno(e, errno, "cannot listen at %s", at.sun_path);
    return steal_fd(&fd);
}

int caller_accept(int listener, int *pidfd)
{
    cleanup_close int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    int r;

    *pidfd = -1;
    if (fd < 0)
        return -errno;
    if ((r = receive_byte(fd, pidfd)) < 0 || (r = send_byte(fd, STDERR_FILENO)) < 0) {
        if (*pidfd >= 0)
            (void)close(*pidfd);
        *pidfd = -1;
        return r;
    }
    return steal_fd(&fd);
}
