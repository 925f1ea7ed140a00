/* notify.c: what a jail costs that asks a tracer before each of a command's ways to the network.
 *
 *     notify COMMAND [ARG...]
 *
 * COMMAND runs under a seccomp filter that notifies us (seccomp_unotify(2)) of connect, sendto,
 * sendmsg, sendmmsg, write, open and openat: the calls that the original cijail watches. We answer
 * each with "continue", at once and without a look at its arguments, so that what is measured is
 * the road and nothing else. Our exit status is COMMAND's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "notify: %s: %s\n", what, strerror(errno));
    exit(125);
}

/* The filter is loaded; returns the descriptor that the notifications arrive at. */
static int load_filter(void)
{
    static const int calls[] = {
        SCMP_SYS(connect), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg),
        SCMP_SYS(write),   SCMP_SYS(open),   SCMP_SYS(openat),
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    size_t i;
    int r, fd;

    if (filter == NULL)
        die("seccomp_init");
    for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        r = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, calls[i], 0);
        if (r < 0) {
            errno = -r;
            die("seccomp_rule_add");
        }
    }
    r = seccomp_load(filter);
    if (r < 0) {
        errno = -r;
        die("seccomp_load");
    }
    fd = seccomp_notify_fd(filter);
    seccomp_release(filter);
    return fd;
}

/* The command's side: says by writev(2), which is not watched, what number its descriptor has,
 * waits until it was taken, and becomes the command. */
static _Noreturn void become(char **argv, int numbers, int taken)
{
    int fd = load_filter();
    struct iovec v = {.iov_base = &fd, .iov_len = sizeof(fd)};
    char c;

    if (writev(numbers, &v, 1) != (ssize_t)sizeof(fd) || read(taken, &c, 1) != 1)
        _exit(125);
    close(fd);
    execvp(argv[0], argv);
    _exit(127);
}

/* The descriptor of the filter of process pid, whose number arrives at numbers. */
static int take_fd(pid_t pid, int numbers)
{
    int number, pidfd, fd;

    if (read(numbers, &number, sizeof(number)) != (ssize_t)sizeof(number))
        die("the command's side ended");
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        die("pidfd_open");
    fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
    if (fd < 0)
        die("pidfd_getfd");
    close(pidfd);
    return fd;
}

/* Answers notifications until nobody is left to notify of. */
static void *answer(void *arg)
{
    int fd = *(const int *)arg;
    struct seccomp_notif *request;
    struct seccomp_notif_resp *response;

    if (seccomp_notify_alloc(&request, &response) != 0)
        die("seccomp_notify_alloc");
    for (;;) {
        memset(request, 0, sizeof(*request)); /* or the kernel refuses */
        if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, request) < 0) {
            if (errno == EINTR || errno == ENOENT)
                continue;
            return NULL;
        }
        response->id = request->id;
        response->val = 0;
        response->error = 0;
        response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, response) < 0 && errno != ENOENT)
            return NULL;
    }
}

int main(int argc, char **argv)
{
    int numbers[2], taken[2], status, fd;
    pthread_t thread;
    pid_t pid;

    if (argc < 2) {
        fprintf(stderr, "usage: notify COMMAND [ARG...]\n");
        return 2;
    }
    if (pipe2(numbers, O_CLOEXEC) < 0 || pipe2(taken, O_CLOEXEC) < 0)
        die("pipe");
    pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0)
        become(argv + 1, numbers[1], taken[0]);
    close(numbers[1]);
    fd = take_fd(pid, numbers[0]);
    if (pthread_create(&thread, NULL, answer, &fd) != 0)
        die("pthread_create");
    if (write(taken[1], "", 1) != 1 || waitpid(pid, &status, 0) < 0)
        die("wait");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
