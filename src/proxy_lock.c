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
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "src/filter.h"
#include "src/userns.h"
#include "src/util.h"

#define LOW32 0xffffffffu
#define SOCK_TYPE_BITS 0xfu

/* Refused with EPERM, whatever their arguments. A call that libseccomp does not know of this
 * architecture is not there. */
static const int refused[] = {SCMP_SYS(socket),
                              SCMP_SYS(connect),
                              SCMP_SYS(bind),
                              SCMP_SYS(io_uring_setup),
                              SCMP_SYS(io_uring_enter),
                              SCMP_SYS(io_uring_register),
#ifndef CIJAIL_SANITIZED /* the leak check makes a thread */
                              SCMP_SYS(fork),
                              SCMP_SYS(vfork),
                              SCMP_SYS(clone),
                              SCMP_SYS(clone3),
#endif
                              SCMP_SYS(ptrace),
                              SCMP_SYS(process_vm_readv),
                              SCMP_SYS(process_vm_writev),
                              SCMP_SYS(kcmp),
                              SCMP_SYS(pidfd_open),
                              SCMP_SYS(pidfd_getfd),
                              SCMP_SYS(pidfd_send_signal),
                              SCMP_SYS(kill),
                              SCMP_SYS(setns),
                              SCMP_SYS(add_key),
                              SCMP_SYS(request_key),
                              SCMP_SYS(keyctl),
                              SCMP_SYS(bpf),
                              SCMP_SYS(perf_event_open),
                              SCMP_SYS(userfaultfd),
                              SCMP_SYS(open_by_handle_at),
                              SCMP_SYS(kexec_load),
                              SCMP_SYS(kexec_file_load),
                              SCMP_SYS(init_module),
                              SCMP_SYS(finit_module),
                              SCMP_SYS(delete_module),
                              SCMP_SYS(mknod),
                              SCMP_SYS(mknodat)};

static int add_rules(scmp_filter_ctx ctx)
{
    static const unsigned typing[] = {TIOCSTI, TIOCLINUX};
    static const unsigned pairs[] = {SOCK_DGRAM, SOCK_RAW};
    int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    for (size_t i = 0; i < ARRAY_LEN(refused) && r == 0; i++) {
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
        if (r == -EDOM)
            r = 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(typing) && r == 0; i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, typing[i]));
    /* A pair of datagram sockets can send to any path. */
    for (size_t i = 0; i < ARRAY_LEN(pairs) && r == 0; i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socketpair), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, SOCK_TYPE_BITS, pairs[i]));
    /* Sending is not connecting. */
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(sendto), 1,
                             SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(sendmsg), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(sendmmsg), 1,
                             SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
    return r;
}

/* A filter_make_cb. */
static void *make(const void *arg)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

    (void)arg;
    if (!ctx || add_rules(ctx) == 0)
        return ctx;
    seccomp_release(ctx);
    return NULL;
}

static int refuse_calls(struct error *e)
{
    cleanup_free struct filter *f = xmalloc(sizeof(*f));
    int r = filter_compile(f, make, NULL);

    if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        r = -errno;
    if (r == 0)
        r = filter_install(f, 0);
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
