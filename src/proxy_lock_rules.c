/* proxy_lock_rules.c: what the program of a proxy may not call, whatever it is (proxy_lock.c). */
#include "src/filter_rules.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "config.h"
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

scmp_filter_ctx proxy_lock_rules(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

    if (!ctx || add_rules(ctx) == 0)
        return ctx;
    seccomp_release(ctx);
    return NULL;
}
