/* unix_nested.c: sockets of namespaces inside the jail.
 *
 *   which   a network namespace was made inside the jail if the user namespace that owns it is a
 *           descendant of U1, which owns J; J and G themselves are U1's own. The command cannot
 *           make any other, nor can another process of the machine make one of these.
 *   where   /proc/PID/ns/net of every process; one that only a descriptor or a mount keeps is not
 *           found, and its sockets are judged as the host's
 *   how     a child enters the owner and then the namespace (setns(2): the supervisor's user is
 *           U1's owner, so he has all capabilities below it) and asks sock_diag there. It has its
 *           own address space. Whoever made that user namespace may trace what is in it, and in a
 *           jail that sees the machine's /proc (some containers do not let another be mounted) he
 *           could name it. So it is not dumpable from before it enters: nobody of that namespace
 *           can trace it or open its memory (ptrace(2), "Ptrace access mode checking"). And it
 *           holds nothing but the two namespaces.
 *
 * Syscalls: open, ioctl, fstat, clone, wait4; the child: close_range, setns, prctl, those of
 * unix_diag.c. */
#include "src/unix_nested.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/util.h"

#define LEVELS_MAX 33      /* of user namespaces; the kernel has 32 */
#define NAMESPACES_MAX 256 /* that are looked at */

struct hunt {
    const struct unix_inode *inode;
    ino_t jail_owner; /* U1 */
    ino_t seen[NAMESPACES_MAX];
    size_t seen_count;
    bool found;
};

static ino_t number_of(int fd)
{
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static ino_t owner_number(int netns)
{
    cleanup_close int owner = ioctl(netns, NS_GET_USERNS);

    return number_of(owner);
}

/* Is the user namespace a descendant of the one with that number? */
static bool is_below(int userns, ino_t above)
{
    int at = fcntl(userns, F_DUPFD_CLOEXEC, 0), up;
    bool below = false;

    for (int i = 0; i < LEVELS_MAX && at >= 0 && !below; i++) {
        up = ioctl(at, NS_GET_PARENT); /* EPERM above the caller's own */
        (void)close(at);
        at = up;
        below = up >= 0 && number_of(up) == above;
    }
    if (at >= 0)
        (void)close(at);
    return below;
}

/* --- the child --- */

/* The descriptors from first to last, if there are any. */
static bool close_from(unsigned first, unsigned last)
{
    return first > last || close_range(first, last, 0) == 0;
}

static bool keep_only(unsigned a, unsigned b)
{
    unsigned low = a < b ? a : b, high = a < b ? b : a;

    return (low == 0 || close_from(0, low - 1)) && close_from(low + 1, high - 1) &&
           close_from(high + 1, ~0U);
}

/* setns(2) to a user namespace changes both. */
static bool stay_private(void)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

static void child_main(int owner, int netns, const struct unix_inode *inode)
{
    int fd;

    if (!stay_private() || !keep_only((unsigned)owner, (unsigned)netns) ||
        setns(owner, CLONE_NEWUSER) < 0 || setns(netns, CLONE_NEWNET) < 0 || !stay_private())
        _exit(2);
    fd = unix_diag_open(NULL);
    _exit(fd >= 0 && unix_diag_is_bound(fd, inode, NULL) == 1 ? 1 : 0);
}

/* A fork(2) without SIGCHLD, so that no other wait of the process meets this child. */
static bool is_bound_in(int owner, int netns, const struct unix_inode *inode)
{
    int status = 0;
    long pid = syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL);

    if (pid == 0)
        child_main(owner, netns, inode);
    if (pid < 0)
        return false;
    while (waitpid((pid_t)pid, &status, (int)__WCLONE) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

/* --- all processes --- */

static bool is_new(struct hunt *h, ino_t netns)
{
    for (size_t i = 0; i < h->seen_count; i++)
        if (h->seen[i] == netns)
            return false;
    if (h->seen_count == NAMESPACES_MAX)
        return false;
    h->seen[h->seen_count++] = netns;
    return true;
}

static void look_at(struct hunt *h, const char *pid)
{
    cleanup_close int netns = -1, owner = -1;
    struct stat st;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%.20s/ns/net", pid);
    if (stat(path, &st) < 0 || !is_new(h, st.st_ino))
        return;
    netns = open(path, O_RDONLY | O_CLOEXEC);
    if (netns < 0 || number_of(netns) != st.st_ino)
        return;
    owner = ioctl(netns, NS_GET_USERNS);
    if (owner >= 0 && is_below(owner, h->jail_owner))
        h->found = is_bound_in(owner, netns, h->inode);
}

bool unix_nested_is_bound(int jail, const struct unix_inode *inode)
{
    struct hunt h = {.inode = inode};
    cleanup_close int netns = ioctl(jail, SIOCGSKNS);
    struct dirent *d;
    DIR *proc;

    if (netns < 0 || (h.jail_owner = owner_number(netns)) == 0)
        return false;
    (void)is_new(&h, number_of(netns));
    proc = opendir("/proc");
    if (!proc)
        return false;
    while (!h.found && (d = readdir(proc)))
        if (d->d_name[0] >= '1' && d->d_name[0] <= '9')
            look_at(&h, d->d_name);
    (void)closedir(proc);
    return h.found;
}
