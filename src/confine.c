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
 *            what only root may read. Where the ids of others are borrowed (unix_ids.h: abstract
 *            sockets of the policy) or a file is made (--learn), root's id stays and what this
 *            takes of capabilities; there single files of /etc are listed, and one that is replaced
 *            by another while the jail runs is not read any more.
 *   dumpable  Not: no other process of the same user, the gate among them, takes its descriptors.
 *   seccomp  confine_seccomp.c. Should: come last. Mustn't: refuse threads, which resolve.
 *
 * Landlock is a second fence: where there is none (before Linux 5.13, not in lsm=, or sixteen
 * layers of it around this one already) the jail runs, and the log says so under -v. The filter
 * refuses to write and change files all the same; reading them stays. Anything else that fails ends
 * the set-up.
 *
 * The gate needs other processes and their files (gate_process.c), so it keeps these. It loses the
 * internet, writing, and of root's capabilities all but those to act as its callers. */
#include "src/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "src/confine_seccomp.h"
#include "src/util.h"

#define NOBODY 65534

#define CAP(name) (1U << (name))
#define TO_BE_OTHERS (CAP(CAP_SETUID) | CAP(CAP_SETGID))
#define TO_REACH_FILES (CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH))
#define TO_REPLACE_FILES (TO_REACH_FILES | CAP(CAP_FOWNER))

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
    "/var/lib/libvirt/dnsmasq",
    "/var/lib/misc",
    "/var/db",
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

/* Of those that the process has. A user has none. */
static int keep_capabilities(uint32_t keep)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &head, caps) < 0)
        return -errno;
    caps[0].permitted &= keep;
    caps[0].effective &= keep;
    caps[1].permitted = caps[1].effective = 0;
    caps[0].inheritable = caps[1].inheritable = 0;
    return syscall(SYS_capset, &head, caps) < 0 ? -errno : 0;
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

/* --- public --- */

/* What follows is of one thread, and of those that it starts. */
static bool has_one_thread(void)
{
    struct stat st;

    return stat("/proc/self/task", &st) == 0 && st.st_nlink == 3; /* ".", "..", one */
}

static int give_up_privileges(uint32_t caps, struct error *e)
{
    int r;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, errno, "prctl PR_SET_NO_NEW_PRIVS");
    r = keep_capabilities(caps);
    return r < 0 ? error_errno(e, -r, "cannot give up capabilities") : 0;
}

int confine_supervisor(struct confine *c, struct error *e)
{
    const struct confine_seccomp filter = {.keeps_ids = geteuid() == 0 && c->borrows_ids,
                                           .writes_files = c->learn_folder >= 0};
    bool root = geteuid() == 0;
    bool nobody = root && !c->borrows_ids && c->learn_folder < 0 && read_as_nobody();
    int r;

    if (!has_one_thread())
        return error_set(e, EBUSY, "the supervisor has threads before it is confined");
    tzset(); /* reads the time zone's file, once */
    r = give_up_privileges(
        (c->borrows_ids ? TO_BE_OTHERS : 0) | (c->learn_folder >= 0 ? TO_REPLACE_FILES : 0), e);
    if (r == 0)
        r = restrict_files(c, !root || nobody, e);
    if (r < 0)
        return r;
#ifndef CIJAIL_SANITIZED /* the leak check traces the process */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(e, errno, "prctl PR_SET_DUMPABLE");
#endif
    return confine_seccomp(&filter, e);
}

int confine_gate(struct error *e)
{
    const struct confine_seccomp filter = {.gate = true, .keeps_ids = true};
    int r = give_up_privileges(TO_BE_OTHERS | TO_REACH_FILES, e);

    return r < 0 ? r : confine_seccomp(&filter, e);
}

int confine_gate_files(struct error *e)
{
    const struct rlimit none = {0, 0};

    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &none) < 0)
        return error_errno(e, errno, "the gate: cannot set its limit on files");
    return 0;
}
