/* proxy_process.c: a proxy as the keeper has it.
 *
 * Until something of the jail, or a message of the supervisor, waits in one of its descriptors, a
 * proxy is those descriptors and nothing else: listening sockets that are bound already, whose
 * queues the kernel fills, and the channel. The keeper asks poll(2) whether they can be read and
 * reads none of them, so it sees no byte of the jail. The proxy that is then executed finds all
 * that has come in, the first connection, query and logged packet included. */
#include "src/proxy_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"
#include "src/launch.h"
#include "src/msg.h"
#include "src/proxy_lock.h"
#include "src/util.h"

/* A proxy needs these until it has locked itself down (isolate.c): an own mount namespace and
 * dropping its bounding set. They are capabilities over U3 alone (proxy_lock.c). */
static const int proxy_caps[] = {CAP_SYS_ADMIN, CAP_SETPCAP};

void proxy_process_init(struct proxy_process *p, const char *name, const char *path, int roots_fd)
{
    *p = (struct proxy_process){.name = name, .path = path, .roots_fd = roots_fd};
    for (int n = 0; n <= PROXY_FD_MAX; n++)
        p->fds[n] = -1;
}

void proxy_process_close(struct proxy_process *p)
{
    for (int n = 0; n <= PROXY_FD_MAX; n++) {
        if (p->fds[n] >= 0)
            (void)close(p->fds[n]);
        p->fds[n] = -1;
    }
}

/* --- its start --- */

static int keep_caps_over_exec(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &head, data) < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_LEN(proxy_caps); i++)
        data[CAP_TO_INDEX(proxy_caps[i])].inheritable |= CAP_TO_MASK(proxy_caps[i]);
    if (syscall(SYS_capset, &head, data) < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_LEN(proxy_caps); i++)
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, proxy_caps[i], 0, 0) < 0)
            return -errno;
    return 0;
}

/* Moves fds[n] to descriptor n, for every n, by way of numbers that collide with none of them. */
static int place_fds(const int fds[PROXY_FD_MAX + 1])
{
    int high[PROXY_FD_MAX + 1];

    for (int n = 0; n <= PROXY_FD_MAX; n++) {
        high[n] = fds[n] < 0 ? -1 : fcntl(fds[n], F_DUPFD_CLOEXEC, PROXY_FD_MAX + 1);
        if (fds[n] >= 0 && high[n] < 0)
            return -errno;
    }
    for (int n = 3; n <= PROXY_FD_MAX; n++) {
        if (high[n] < 0)
            (void)close(n);
        else if (dup2(high[n], n) < 0)
            return -errno;
    }
    if (close_range(PROXY_FD_MAX + 1, ~0U, 0) < 0)
        return -errno;
    return 0;
}

/* What a proxy's environment holds: nothing, but for the sanitizers' options in a build with these.
 */
static char **proxy_environment(char *keep[4])
{
    size_t n = 0;
#ifdef CIJAIL_SANITIZED
    static const char *const names[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "T_REPORTS"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (getenv(names[i]))
            keep[n++] = xasprintf("%s=%s", names[i], getenv(names[i]));
#endif
    keep[n] = NULL;
    return keep;
}

static void exec_proxy(const struct proxy_process *p, int mounts)
{
    char *argv[] = {(char *)(uintptr_t)p->name, NULL};
    char *envp[4];
    struct error e;
    sigset_t none;
    int err;

    (void)sigemptyset(&none);
    if (proxy_lock(mounts, &e) < 0) {
        warn_text("%s", e.text);
        _exit(125); /* told to the supervisor as LAUNCH_PROXY_ENDED */
    }
    /* The terminal's signals are not for it. */
    if (setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0 || keep_caps_over_exec() < 0 ||
        place_fds(p->fds) < 0)
        _exit(125);
    (void)execve(p->path, argv, proxy_environment(envp));
    err = errno;
    (void)error_errno(&e, err, "cannot execute %s", p->path);
    warn_text("%s", e.text);
    _exit(err == ENOENT ? 127 : 126);
}

int proxy_process_start(struct proxy_process *p, int mounts, struct error *e)
{
    pid_t pid = launch_clone(0);

    if (pid < 0)
        return error_errno(e, -pid, "cannot fork for %s", p->name);
    if (pid == 0)
        exec_proxy(p, mounts);
    p->pid = pid;
    proxy_process_close(p);
    return 0;
}

/* --- whether it is needed --- */

static bool is_file(const struct proxy_process *p, int n)
{
    return n == PROXY_FD_CONFIG || n == p->roots_fd ||
           (n == HTTP_FD_QUOTA && p->roots_fd == HTTP_FD_ROOTS);
}

bool proxy_process_waits(const struct proxy_process *p)
{
    return p->pid == 0 && p->fds[PROXY_FD_CHANNEL] >= 0;
}

/* The files (policy, roots, count) alone are no reason: they can always be read. */
size_t proxy_process_watch(const struct proxy_process *p, struct pollfd *out)
{
    size_t count = 0;

    if (!proxy_process_waits(p))
        return 0;
    for (int n = PROXY_FD_CHANNEL; n <= PROXY_FD_MAX; n++)
        if (p->fds[n] >= 0 && !is_file(p, n))
            out[count++] = (struct pollfd){.fd = p->fds[n], .events = POLLIN};
    return count;
}

/* Is MSG_FINISH the first message there? The supervisor sends nothing after it. */
static bool only_finish_waits(int channel)
{
    struct msg_head head;
    ssize_t n = recv(channel, &head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);

    return n == (ssize_t)sizeof(head) && head.type == MSG_FINISH;
}

bool proxy_process_is_needed(const struct proxy_process *p)
{
    struct pollfd fds[PROXY_PROCESS_WATCHED];
    size_t count = proxy_process_watch(p, fds);

    if (count == 0 || poll(fds, count, 0) <= 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        bool channel = fds[i].fd == p->fds[PROXY_FD_CHANNEL];
        if (fds[i].revents && !(channel && only_finish_waits(fds[i].fd)))
            return true;
    }
    return false;
}

bool proxy_process_is_let_go(const struct proxy_process *p)
{
    char byte;

    return proxy_process_waits(p) &&
           recv(p->fds[PROXY_FD_CHANNEL], &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}
