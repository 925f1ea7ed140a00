/* proxy_lock.c: what a proxy's program is held by before it runs.
 *
 * A proxy is executed while the command runs, and the command may be able to write where the
 * program or one of its libraries is: cijail may be installed in the home directory of its user,
 * and to root's jail every file is open. So nothing is trusted that is executed there; what is in
 * force before is all that an exchanged program has, and is no more than a compromised proxy or the
 * command has already:
 *
 *   mounts       the jail's own, so that it sees no file that the command does not see
 *   user ns      U3, below U1: its capabilities (isolate.c needs two, for a moment) hold there,
 * over no mount, network or process of the jail's. The mounts that it came with are locked together
 * (mount_namespaces(7)): what covers a place cannot be taken away system calls no socket is made or
 * connected, no process made, traced or entered
 *
 * The network is G, from which no way leads. What it was given, the channel and its sockets, a
 * compromised proxy has too, and the supervisor judges what comes out of the channel.
 * A filter of calls that are allowed comes in isolate.c, when the program has started. */
#include "src/proxy_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "src/filters.h"
#include "src/userns.h"
#include "src/util.h"

static int refuse_calls(struct error *e)
{
    int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;

    if (r == 0)
        r = filter_install(&filter_proxy_lock, 0);
    return r < 0 ? error_errno(e, -r, "cannot install a proxy's first seccomp filter") : 0;
}

int proxy_lock(int mounts, struct error *e)
{
    /* This process as its own /proc has it: the jail's does not show it. */
    cleanup_close int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    int r;

    if (self < 0)
        return error_errno(e, errno, "cannot open /proc/self");
    if (mounts >= 0 && setns(mounts, CLONE_NEWNS) < 0)
        return error_errno(e, errno, "cannot enter the jail's mount namespace");
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC) < 0)
        return error_errno(e, errno, "cannot make a proxy's user, mount and IPC namespaces");
    r = userns_map_self(self, uid, gid, e);
    return r < 0 ? r : refuse_calls(e);
}
