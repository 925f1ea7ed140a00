/* supervisor_container.c: a container in the place of the command (container.h). The runtime starts
 * and ends it; here its end is seen by its pidfd, however it ends, and the hook that waits gets the
 * word that it may start. There is no gate: the container has a root and sockets of its own, and
 * those of the host only where they were mounted (oci/precreate.c refuses these). */
#include "src/supervisor_parts.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

#include "src/container.h"
#include "src/launch.h"
#include "src/util.h"

int supervisor_start_envoy(struct supervisor *s, struct error *e)
{
    pid_t pid = launch_clone(0);

    if (pid < 0)
        return error_errno(e, -pid, "cannot fork for the envoy into the container's network");
    if (pid == 0)
        envoy_main(&s->launch);
    if (s->container->log < 0)
        return 0;
    if (dup2(s->container->log, STDERR_FILENO) < 0)
        return error_errno(e, errno, "dup2");
    (void)close(s->container->log);
    s->container->log = -1;
    return 0;
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
    struct supervisor *s = arg;

    (void)fd;
    (void)what;
    (void)event_del(s->container_event);
    if (s->phase == PHASE_SETUP) {
        supervisor_give_up(s, ESRCH, "the container ended before its network was ready");
    } else if (s->phase == PHASE_RUNNING) {
        s->ran = true;
        supervisor_begin_ending(s, 0);
    }
}

/* Who started the container waits for it no more, so the log goes nowhere but to its file. */
static void on_caller(evutil_socket_t fd, short what, void *arg)
{
    struct supervisor *s = arg;
    char byte;

    (void)what;
    if (read(fd, &byte, 1) > 0)
        return;
    (void)event_del(s->caller_event);
    (void)dup2(STDIN_FILENO, STDERR_FILENO); /* /dev/null */
    (void)close(s->container->caller);
    s->container->caller = -1;
}

void supervisor_watch_container(struct supervisor *s)
{
    s->container_event = supervisor_watch(s, s->container->pidfd, on_end, true);
    if (s->container->caller >= 0)
        s->caller_event = supervisor_watch(s, s->container->caller, on_caller, true);
}

void supervisor_release_container(struct supervisor *s)
{
    supervisor_begin_running(s);
    if (s->container && s->container->waiting >= 0) {
        (void)!write(s->container->waiting, "", 1);
        (void)close(s->container->waiting);
        s->container->waiting = -1;
    }
}
