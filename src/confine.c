/* confine.c: what is taken from the supervisor, and from the gate.
 *
 * The supervisor parses nothing of the jail or of a server; should it be taken over all the same,
 * by a fault of its own or of what the host resolves names with (nsswitch and its modules run in
 * it), this is what is left: the network, sockets that are open, and the files that resolving
 * reads. In stages, each of which fails as a whole:
 *
 *   files    Landlock: files are read below the folders of the table, executed nowhere, written
 *            nowhere, but for the folder of --learn's file. A process that Landlock holds can
 *            neither trace nor look into one that it does not hold, as those of the jail. What
 *            stays possible is to look for names (stat(2), O_PATH) and to connect to the unix
 *            sockets of the host (name service caches, resolvers).
 *            Should: come when all files of the set-up are read. Mustn't: come before the keeper
 *            and the gate are cloned, which it would hold too.
 *   root     Of root's supervisor: no capability, and files as nobody has them, since /etc holds
 *            what only root may read. Not where the ids are needed (--learn, abstract sockets):
 *            there single files of /etc are listed, and one that is replaced by another while the
 *            jail runs is not read any more.
 *   seccomp  No program is executed, no process made, traced, signalled or looked into, no
 *            namespace made or entered, nothing mounted, no other way around the above (io_uring,
 *            file handles, bpf). Refused with EPERM: modules of the host's may do without.
 *            Should: come last. Mustn't: refuse threads, which resolve.
 *
 * Landlock is a second fence: a kernel without it (before 5.13, or not in lsm=) does not stop the
 * jail; the log says so under -v. Anything else that fails does.
 *
 * The gate needs other processes and their files (gate_process.c), so it keeps these, and loses the
 * internet: no socket but of AF_UNIX and AF_NETLINK, and no program is executed. */
#include "src/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <limits.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "src/util.h"

#define NOBODY 65534
#define LOW32 0xffffffffU

/* Of newer kernels than the headers of Debian 12. */
#define RIGHT_TRUNCATE (1ULL << 14)  /* ABI 3 */
#define RIGHT_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define RIGHT_BIND_TCP (1ULL << 0)   /* ABI 4 */

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define REPLACING                                                                                  \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define OF_FILES                                                                                   \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE)

/* struct landlock_ruleset_attr as of ABI 4. */
struct ruleset_attr {
    uint64_t fs, net;
};

/* --- files --- */

/* What getaddrinfo(3) reads: the modules of nsswitch.conf(5) and what these link to, what services
 * write that keep resolv.conf(5), and the caches that are mapped. */
static const char *const resolving[] = {
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
    "/gnu/store",
    "/run/systemd/resolve",
    "/run/systemd/machines",
    "/run/resolvconf",
    "/var/lib/sss/mc",
    "/proc/self/net", /* what listens on the loopback (host_listeners.h) */
#ifdef CIJAIL_SANITIZED
    "/proc/self", /* the leak check, and reports */
#endif
};

/* Of /etc, where the whole folder is too much: those of getaddrinfo(3) and of its modules. */
static const char *const of_etc[] = {
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/networks",
    "/etc/services",
    "/etc/protocols",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.preload",
    "/etc/mdns.allow",
    "/etc/mdns4.allow",
    "/etc/machine-id",
    "/etc/machine-info",
    "/etc/hostname",
    "/etc/yp.conf",
    "/etc/nscd.conf",
    "/etc/localtime",
    "/etc/crypto-policies",
    "/etc/default/nss",
    "/etc/netconfig",
    "/etc/bindresvport.blacklist",
};

/* What links of /etc may lead to. */
static const char *const linked[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"};

static int add_rule(int ruleset, int at, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.parent_fd = at, .allowed_access = rights};
    struct stat st;

    if (fstat(at, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        rule.allowed_access &= OF_FILES;
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
               ? -errno
               : 0;
}

/* What is not there needs no rule. The descriptor stays open: the inodes of /proc are only those
 * that the rule was made for as long as somebody holds them. */
static int allow_reading(int ruleset, const char *path)
{
    int fd = open(path, O_PATH | O_CLOEXEC);

    return fd < 0 ? 0 : add_rule(ruleset, fd, READING);
}

static int allow_all(int ruleset, const char *const *paths, size_t n)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = allow_reading(ruleset, paths[i]);
    return r;
}

/* The file that a link of /etc leads to, or, below /run, its folder: services replace it. */
static int allow_target(int ruleset, const char *path)
{
    char target[PATH_MAX];

    if (!realpath(path, target))
        return 0;
    if (strncmp(target, "/run/", 5) == 0)
        *strrchr(target, '/') = '\0';
    return allow_reading(ruleset, target);
}

/* Libraries may be elsewhere; so are the modules then. */
static int allow_library_path(int ruleset)
{
    const char *list = getenv("LD_LIBRARY_PATH");
    cleanup_free char *copy = list ? xstrdup(list) : NULL;
    char *save = NULL;
    int r = 0;

    for (char *at = copy ? strtok_r(copy, ":;", &save) : NULL; at && r == 0;
         at = strtok_r(NULL, ":;", &save))
        if (at[0] == '/')
            r = allow_reading(ruleset, at);
    return r;
}

static int allow_what_is_needed(int ruleset, const struct confine *c, bool whole_etc)
{
    static const char *const etc[] = {"/etc"};
    int r = allow_all(ruleset, resolving, ARRAY_LEN(resolving));

    if (r == 0)
        r = whole_etc ? allow_all(ruleset, etc, 1) : allow_all(ruleset, of_etc, ARRAY_LEN(of_etc));
    for (size_t i = 0; i < ARRAY_LEN(linked) && r == 0; i++)
        r = allow_target(ruleset, linked[i]);
    if (r == 0)
        r = allow_library_path(ruleset);
    if (r == 0 && c->learn_folder >= 0)
        r = add_rule(ruleset, c->learn_folder, REPLACING);
    return r;
}

/* All that the kernel can refuse. */
static struct ruleset_attr handled(long abi)
{
    struct ruleset_attr attr = {.fs = LANDLOCK_ACCESS_FS_REFER - 1};

    if (abi >= 2)
        attr.fs |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        attr.fs |= RIGHT_TRUNCATE;
    if (abi >= 4)
        attr.net = RIGHT_BIND_TCP;
    if (abi >= 5)
        attr.fs |= RIGHT_IOCTL_DEV;
    return attr;
}

static int restrict_files(struct confine *c, bool whole_etc, struct error *e)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset_attr attr = handled(abi);
    cleanup_close int ruleset = -1;
    int r;

    c->without_landlock = abi < 1;
    if (abi < 1)
        return 0;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
                           abi >= 4 ? sizeof(attr) : sizeof(attr.fs), 0);
    if (ruleset < 0)
        return error_errno(e, errno, "cannot make a Landlock ruleset for the supervisor");
    r = allow_what_is_needed(ruleset, c, whole_etc);
    if (r < 0)
        return error_errno(e, -r, "cannot make the supervisor's Landlock rules");
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) == 0)
        return 0;
    c->without_landlock = errno == E2BIG; /* sixteen are around this one already */
    return c->without_landlock ? 0
                               : error_errno(e, errno, "cannot restrict the supervisor's files");
}

/* --- root --- */

static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

/* Whether files are nobody's from now on; a namespace may have no such user. */
static bool read_as_nobody(void)
{
    if (setgroups(0, NULL) < 0)
        return false;
    (void)setfsgid(NOBODY);
    (void)setfsuid(NOBODY);
    return setfsuid((uid_t)-1) == NOBODY && setfsgid((gid_t)-1) == NOBODY;
}

/* --- seccomp --- */

static const int refused_to_both[] = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_writev),
    /* namespaces and mounts */
    SCMP_SYS(unshare), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
    SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(open_tree),
    SCMP_SYS(move_mount), SCMP_SYS(mount_setattr), SCMP_SYS(swapon), SCMP_SYS(swapoff),
    /* ways around a filter, and into the kernel */
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(open_by_handle_at),
    SCMP_SYS(personality), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(reboot), SCMP_SYS(acct), SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime), SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(quotactl),
    SCMP_SYS(iopl), SCMP_SYS(ioperm)};

/* Other processes; the keeper is ended by a pidfd that is there already. */
static const int refused_to_supervisor[] = {SCMP_SYS(fork),
                                            SCMP_SYS(vfork),
                                            SCMP_SYS(setns),
                                            SCMP_SYS(process_vm_readv),
                                            SCMP_SYS(pidfd_open),
                                            SCMP_SYS(pidfd_getfd),
                                            SCMP_SYS(kill),
                                            SCMP_SYS(tkill),
                                            SCMP_SYS(rt_sigqueueinfo),
                                            SCMP_SYS(rt_tgsigqueueinfo),
                                            SCMP_SYS(kcmp),
                                            SCMP_SYS(process_madvise)};

static const int refused_ids[] = {SCMP_SYS(setuid),   SCMP_SYS(setgid),    SCMP_SYS(setreuid),
                                  SCMP_SYS(setregid), SCMP_SYS(setresuid), SCMP_SYS(setresgid),
                                  SCMP_SYS(setfsuid), SCMP_SYS(setfsgid),  SCMP_SYS(setgroups),
                                  SCMP_SYS(capset)};

struct filter {
    scmp_filter_ctx ctx;
    int r; /* of the first rule that failed */
};

static void refuse(struct filter *f, int call, int err, const struct scmp_arg_cmp *when)
{
    if (f->r == 0)
        f->r =
            seccomp_rule_add_array(f->ctx, SCMP_ACT_ERRNO((uint32_t)err), call, when ? 1 : 0, when);
}

static void refuse_all(struct filter *f, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++)
        refuse(f, calls[i], EPERM, NULL);
}

/* Of the families that the command cannot have either. */
static void refuse_odd(struct filter *f)
{
    const struct scmp_arg_cmp beyond = SCMP_A0(SCMP_CMP_GT, AF_NETLINK);
    const struct scmp_arg_cmp sti = SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, TIOCSTI);
    const struct scmp_arg_cmp linux_console = SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, TIOCLINUX);

    refuse(f, SCMP_SYS(socket), EAFNOSUPPORT, &beyond);
    refuse(f, SCMP_SYS(ioctl), EPERM, &sti);
    refuse(f, SCMP_SYS(ioctl), EPERM, &linux_console);
}

static void refuse_processes(struct filter *f)
{
    const struct scmp_arg_cmp no_thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
    const struct scmp_arg_cmp others = SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid());

    refuse_all(f, refused_to_supervisor, ARRAY_LEN(refused_to_supervisor));
    refuse(f, SCMP_SYS(clone), EPERM, &no_thread);
    refuse(f, SCMP_SYS(clone3), ENOSYS, NULL); /* its flags are in memory; libc takes clone then */
    refuse(f, SCMP_SYS(tgkill), EPERM, &others);
}

static void refuse_internet(struct filter *f)
{
    static const scmp_datum_t families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        const struct scmp_arg_cmp family = SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, families[i]);
        refuse(f, SCMP_SYS(socket), EAFNOSUPPORT, &family);
    }
}

static int load(bool gate, bool borrows_ids)
{
    struct filter f = {.ctx = seccomp_init(SCMP_ACT_ALLOW)};

    if (!f.ctx)
        return -ENOMEM;
    f.r = seccomp_attr_set(f.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    if (f.r == 0) /* a binary tree over the call numbers: most calls meet few comparisons */
        f.r = seccomp_attr_set(f.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    refuse_all(&f, refused_to_both, ARRAY_LEN(refused_to_both));
    refuse_odd(&f);
    if (gate)
        refuse_internet(&f);
    else
        refuse_processes(&f);
    if (!gate && !borrows_ids)
        refuse_all(&f, refused_ids, ARRAY_LEN(refused_ids));
    if (f.r == 0)
        f.r = seccomp_load(f.ctx);
    seccomp_release(f.ctx);
    return f.r;
}

/* Sets no_new_privs too. */
static int refuse_calls(bool gate, bool borrows_ids, struct error *e)
{
#ifdef CIJAIL_SANITIZED /* the leak check traces the process by another one */
    (void)load;
    (void)gate;
    (void)borrows_ids;
    (void)e;
    return 0;
#else
    int r = load(gate, borrows_ids);

    return r < 0 ? error_errno(e, -r, "cannot install the %s's seccomp filter",
                               gate ? "gate" : "supervisor")
                 : 0;
#endif
}

/* --- public --- */

int confine_supervisor(struct confine *c, struct error *e)
{
    bool root = geteuid() == 0;
    bool keeps_ids = c->borrows_ids || c->learn_folder >= 0;
    bool nobody = root && !keeps_ids && read_as_nobody();
    int r;

    tzset(); /* reads the time zone's file, once */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, errno, "prctl PR_SET_NO_NEW_PRIVS");
    r = restrict_files(c, !root || nobody, e);
    if (r < 0)
        return r;
    if (nobody && (r = drop_capabilities()) < 0)
        return error_errno(e, -r, "the supervisor cannot give up its capabilities");
    return refuse_calls(false, keeps_ids && root, e);
}

int confine_gate(struct error *e)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, errno, "prctl PR_SET_NO_NEW_PRIVS");
    return refuse_calls(true, true, e);
}
