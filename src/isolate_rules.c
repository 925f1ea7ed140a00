/* isolate_rules.c: what a proxy may call once it has locked itself down (isolate.c): its own list,
 * and what no process can do without. Any other call ends the process. */
#include "src/filter_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "src/isolate.h"
#include "src/util.h"

/* What no process can do without: memory that is not executable, the C library's locks, its way out
 * (abort included), the return from a signal handler, and time where the vDSO does not serve it. */
static const int isolate_base_calls[] = {
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(tgkill), /* of itself alone */
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),
#ifdef ISOLATE_ASAN
    /* to write a report, and to keep its own books */
    SCMP_SYS(write),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(read),
    SCMP_SYS(stat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(readlink),
    SCMP_SYS(close),
    SCMP_SYS(sched_yield),
    SCMP_SYS(ioctl),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(prctl),
    SCMP_SYS(getrlimit),
#endif
};

/* fcntl without F_SETOWN and F_SETSIG, which send any signal to any process of the same user. */
static int isolate_allow_fcntl(scmp_filter_ctx ctx)
{
    static const unsigned commands[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL};
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(commands) && r == 0; i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                             SCMP_A1(SCMP_CMP_EQ, commands[i], 0));
    return r;
}

/* One call, as narrow as its arguments in registers let it be. Sending is never connecting
 * (MSG_FASTOPEN): a socket of the host's network that its peer has reset could be connected anew,
 * to anywhere. ioctl asks how much can be read, and types nothing into a terminal. */
static int isolate_allow_call(scmp_filter_ctx ctx, int call)
{
    switch (call) {
    case SCMP_SYS(tgkill):
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, SCMP_A0(SCMP_CMP_EQ, FILTER_SELF, 0));
    case SCMP_SYS(sendto):
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
                                SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
    case SCMP_SYS(sendmsg):
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
    case SCMP_SYS(sendmmsg):
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
                                SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
    case SCMP_SYS(socketpair): /* leads nowhere but to this process itself */
        return seccomp_rule_add(
            ctx, SCMP_ACT_ALLOW, call, 2, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0),
            SCMP_A1(SCMP_CMP_EQ, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    case SCMP_SYS(fcntl):
        return isolate_allow_fcntl(ctx);
#ifndef ISOLATE_ASAN
    case SCMP_SYS(ioctl):
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD, 0));
#endif
    default:
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
    }
}

static int isolate_allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int r;

        if (calls[i] == SCMP_SYS(mmap) || calls[i] == SCMP_SYS(mprotect))
            return -EINVAL; /* not the caller's to allow */
        r = isolate_allow_call(ctx, calls[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* mmap and mprotect, as long as the memory is not executable. */
static int isolate_allow_memory(scmp_filter_ctx ctx)
{
    static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};

    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (r < 0)
            return r;
    }
    return 0;
}

/* Calls of another architecture (i386, x32) end the process. */
static int isolate_attributes(scmp_filter_ctx ctx)
{
    int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    if (r == 0)
        r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r == 0)
        r = seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
    return r;
}

scmp_filter_ctx isolate_rules(const int *calls, size_t n)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);

    if (!ctx || (isolate_attributes(ctx) == 0 &&
                 isolate_allow(ctx, isolate_base_calls, ARRAY_LEN(isolate_base_calls)) == 0 &&
                 isolate_allow(ctx, calls, n) == 0 && isolate_allow_memory(ctx) == 0))
        return ctx;
    seccomp_release(ctx);
    return NULL;
}
