#include "src/launch.h"

#include <errno.h>
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

int launch_recv(int fd, struct launch_msg *m)
{
    ssize_t r;

    do
        r = recv(fd, m, sizeof(*m), 0);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return -errno;
    if (r == 0)
        return -EPIPE;
    if (r != (ssize_t)sizeof(*m))
        return -EPROTO;
    m->text[sizeof(m->text) - 1] = '\0';
    return 0;
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
