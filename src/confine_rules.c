/* confine_rules.c: what the supervisor and the gate may not call.
 *
 * These are lists of what is refused, with EPERM, not of what is allowed: the supervisor runs the
 * host's modules of nsswitch.conf(5), which may do without much, but whose calls nobody knows.
 *
 * Both: execute a program, fork, trace, write into other processes; make or enter a namespace,
 * mount; go around a filter (io_uring, file handles, bpf) or into the kernel; sockets of other
 * families than the command has; change files: their content, names, owners, modes.
 *
 * The supervisor: signals but to itself, and SIGKILL and SIGCONT to the keeper, the gate and init,
 * to look into other processes.
 *
 * The gate: sockets of the internet, signals but to its own threads.
 *
 * openat2(2) has its flags in memory, where a filter cannot see them. The supervisor does not have
 * it; the gate needs it, and so has a limit of 0 on files' sizes and no shared mappings: by openat2
 * it could still make empty files, and empty others. */
#include "src/filter_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/confine_seccomp.h"
#include "src/util.h"

#define LOW32 0xffffffffU

/* Newer than libseccomp 2.5.4; the same number on all machines. */
#define CALL_FCHMODAT2 452
#define CALL_SETXATTRAT 463
#define CALL_REMOVEXATTRAT 466
#define CALL_FILE_SETATTR 469

static const int refused_to_both[] = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_writev),
    /* namespaces and mounts */
    SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
    SCMP_SYS(chroot), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick),
    SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(mount_setattr), SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    /* ways around a filter, and into the kernel */
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(open_by_handle_at),
    SCMP_SYS(personality), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(reboot), SCMP_SYS(acct), SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime), SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(quotactl),
    SCMP_SYS(iopl), SCMP_SYS(ioperm),
    /* other processes; tgkill is narrowed below */
    SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(kcmp), SCMP_SYS(process_madvise),
    /* files, but for names and content */
    SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), CALL_FCHMODAT2, SCMP_SYS(chown),
    SCMP_SYS(fchown), SCMP_SYS(lchown), SCMP_SYS(fchownat), SCMP_SYS(utime), SCMP_SYS(utimes),
    SCMP_SYS(futimesat), SCMP_SYS(utimensat), SCMP_SYS(setxattr), SCMP_SYS(lsetxattr),
    SCMP_SYS(fsetxattr), CALL_SETXATTRAT, SCMP_SYS(removexattr), SCMP_SYS(lremovexattr),
    SCMP_SYS(fremovexattr), CALL_REMOVEXATTRAT, CALL_FILE_SETATTR};

/* The keeper and the gate are ended, and init is continued, by pidfds that are there already. */
static const int refused_to_supervisor[] = {SCMP_SYS(process_vm_readv), SCMP_SYS(pidfd_open),
                                            SCMP_SYS(pidfd_getfd)};

static const int refused_ids[] = {SCMP_SYS(setuid),   SCMP_SYS(setgid),    SCMP_SYS(setreuid),
                                  SCMP_SYS(setregid), SCMP_SYS(setresuid), SCMP_SYS(setresgid),
                                  SCMP_SYS(setfsuid), SCMP_SYS(setfsgid),  SCMP_SYS(setgroups),
                                  SCMP_SYS(capset)};

/* Names and content of files. */
static const int refused_writing[] = {SCMP_SYS(creat),     SCMP_SYS(truncate),  SCMP_SYS(ftruncate),
                                      SCMP_SYS(fallocate), SCMP_SYS(unlink),    SCMP_SYS(unlinkat),
                                      SCMP_SYS(rename),    SCMP_SYS(renameat),  SCMP_SYS(link),
                                      SCMP_SYS(linkat),    SCMP_SYS(renameat2), SCMP_SYS(symlink),
                                      SCMP_SYS(mkdir),     SCMP_SYS(mkdirat),   SCMP_SYS(symlinkat),
                                      SCMP_SYS(mknod),     SCMP_SYS(mknodat),   SCMP_SYS(rmdir)};

struct rules {
    scmp_filter_ctx ctx;
    int r; /* of the first rule that failed */
};

static void refuse(struct rules *f, int call, int err, const struct scmp_arg_cmp *when)
{
    if (f->r == 0)
        f->r =
            seccomp_rule_add_array(f->ctx, SCMP_ACT_ERRNO((uint32_t)err), call, when ? 1 : 0, when);
}

static void refuse_all(struct rules *f, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++)
        refuse(f, calls[i], EPERM, NULL);
}

/* --- sockets --- */

/* Of the families that the command cannot have either; the gate has none of the internet's. */
static void refuse_families(struct rules *f, bool gate)
{
    const struct scmp_arg_cmp beyond = SCMP_A0(SCMP_CMP_GT, AF_NETLINK, 0); /* of 64 bits */

    refuse(f, SCMP_SYS(socket), EAFNOSUPPORT, &beyond);
    for (int family = 0; family < AF_NETLINK; family++) {
        const struct scmp_arg_cmp one = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0);
        bool internet = family == AF_INET || family == AF_INET6;
        if (family != AF_UNIX && (gate || !internet))
            refuse(f, SCMP_SYS(socket), EAFNOSUPPORT, &one);
    }
}

/* Typing into a terminal, and signals that the kernel sends to the owner of a descriptor. */
static void refuse_controls(struct rules *f)
{
    static const unsigned ioctls[] = {TIOCSTI, TIOCLINUX, FIOSETOWN, SIOCSPGRP};
    static const unsigned fcntls[] = {F_SETOWN, F_SETOWN_EX, F_SETSIG};

    for (size_t i = 0; i < ARRAY_LEN(ioctls); i++) {
        const struct scmp_arg_cmp is = SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, ioctls[i]);
        refuse(f, SCMP_SYS(ioctl), EPERM, &is);
    }
    for (size_t i = 0; i < ARRAY_LEN(fcntls); i++) {
        const struct scmp_arg_cmp is = SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, fcntls[i]);
        refuse(f, SCMP_SYS(fcntl), EPERM, &is);
    }
}

/* --- processes --- */

/* All but threads. clone3(2) has its flags in memory; libc takes clone(2) where it is missing. */
static void refuse_clone(struct rules *f)
{
    const struct scmp_arg_cmp no_thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);

    refuse(f, SCMP_SYS(clone3), ENOSYS, NULL);
    refuse(f, SCMP_SYS(clone), EPERM, &no_thread);
}

/* All but SIGKILL and SIGCONT. */
static void refuse_pidfd_signals(struct rules *f)
{
    const int last = SIGKILL > SIGCONT ? SIGKILL : SIGCONT;
    const struct scmp_arg_cmp beyond = SCMP_A1(SCMP_CMP_GT, (scmp_datum_t)last, 0);

    refuse(f, SCMP_SYS(pidfd_send_signal), EPERM, &beyond);
    for (int number = 0; number < last; number++) {
        const struct scmp_arg_cmp one = SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)number, 0);
        if (number != SIGKILL && number != SIGCONT)
            refuse(f, SCMP_SYS(pidfd_send_signal), EPERM, &one);
    }
}

static void refuse_others(struct rules *f, bool gate)
{
    const struct scmp_arg_cmp other = SCMP_A0(SCMP_CMP_NE, FILTER_SELF, 0);
    const struct scmp_arg_cmp numbered = SCMP_A0(SCMP_CMP_NE, 0, 0);

    refuse(f, SCMP_SYS(tgkill), EPERM, &other);
    refuse(f, SCMP_SYS(prlimit64), EPERM, &numbered);
    if (gate)
        refuse(f, SCMP_SYS(pidfd_send_signal), EPERM, NULL);
    else
        refuse_pidfd_signals(f);
}

/* --- files --- */

static void refuse_writing(struct rules *f, bool gate)
{
    static const unsigned flags[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC};
    const struct scmp_arg_cmp shared = SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_SHARED, MAP_SHARED);

    refuse_all(f, refused_writing, ARRAY_LEN(refused_writing));
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        const struct scmp_arg_cmp second = SCMP_A1(SCMP_CMP_MASKED_EQ, flags[i], flags[i]);
        const struct scmp_arg_cmp third = SCMP_A2(SCMP_CMP_MASKED_EQ, flags[i], flags[i]);
        refuse(f, SCMP_SYS(open), EPERM, &second);
        refuse(f, SCMP_SYS(openat), EPERM, &third);
    }
    if (gate)
        refuse(f, SCMP_SYS(mmap), EPERM, &shared);
    else
        refuse(f, SCMP_SYS(openat2), ENOSYS, NULL);
}

/* --- all of them --- */

scmp_filter_ctx confine_rules(const struct confine_seccomp *who)
{
    struct rules f = {.ctx = seccomp_init(SCMP_ACT_ALLOW)};

    if (!f.ctx)
        return NULL;
    f.r = seccomp_attr_set(f.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    if (f.r == 0) /* a binary tree over the call numbers: most calls meet few comparisons */
        f.r = seccomp_attr_set(f.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    refuse_all(&f, refused_to_both, ARRAY_LEN(refused_to_both));
    refuse_families(&f, who->gate);
    refuse_controls(&f);
    refuse_clone(&f);
    refuse_others(&f, who->gate);
    if (!who->gate)
        refuse_all(&f, refused_to_supervisor, ARRAY_LEN(refused_to_supervisor));
    if (!who->keeps_ids)
        refuse_all(&f, refused_ids, ARRAY_LEN(refused_ids));
    if (!who->writes_files)
        refuse_writing(&f, who->gate);
    if (f.r == 0)
        return f.ctx;
    seccomp_release(f.ctx);
    return NULL;
}
