/* isolate.c: how a proxy locks itself down.
 *
 * A proxy parses bytes of the jail and of the internet. When one of its parsers is taken over, what
 * is left to the attacker is what this file left to the process: descriptors that were open before,
 * and the system calls that the proxy itself works with. It goes in three stages, each of which
 * takes away what the next no longer needs; a stage that cannot be completed ends the process,
 * there is no half isolation.
 *
 *   start    Should: be the first thing that main does, before any option, file or environment
 * variable is read. Mustn't: allocate, or trust that a descriptor is what its number says. Leaves:
 * the standard streams (two of them /dev/null), and descriptors 3 to last_fd. confine  Should: come
 * when every file and every library's own data is read (the error strings, the character sets, the
 * configuration of OpenSSL), and still with CAP_SYS_ADMIN over the user namespace. Mustn't: be
 * followed by anything that opens a path, forks, or writes to a regular file. Leaves: no path, no
 * capability, no way to gain one, no other process to look into. seccomp  Should: come last, when
 * the listening sockets are there and the event loop stands. Mustn't: come after the first byte of
 * the jail. Leaves: the calls that the proxy names, and the few below.
 *
 * The network is no matter of this file: the proxy was started in a namespace without a route out.
 */
#include "src/isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/filter.h"
#include "src/net.h"
#include "src/util.h"

#define NOT_BY_HAND "this program is started by cijail, not by hand"

#ifdef ISOLATE_ASAN
/* The leak check at exit stops and traces the process, which nobody may do once it is confined. */
int __lsan_is_turned_off(void);
static int isolate_confined;

int __lsan_is_turned_off(void)
{
    return isolate_confined;
}
#endif

/* Channel: a connected SOCK_SEQPACKET socket of AF_UNIX. */
static int isolate_check_channel(struct error *e)
{
    int type = 0;
    int domain = 0;
    socklen_t len = sizeof type;

    if (getsockopt(PROXY_FD_CHANNEL, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return error_set(e, errno, NOT_BY_HAND " (descriptor %d is no socket)", PROXY_FD_CHANNEL);
    len = sizeof domain;
    if (getsockopt(PROXY_FD_CHANNEL, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
        return error_set(e, errno, NOT_BY_HAND " (descriptor %d is no socket)", PROXY_FD_CHANNEL);
    if (type != SOCK_SEQPACKET || domain != AF_UNIX)
        return error_set(e, EPROTOTYPE, NOT_BY_HAND " (descriptor %d is another kind of socket)",
                         PROXY_FD_CHANNEL);
    return 0;
}

/* Configuration: a memfd that nobody can write to any more. */
static int isolate_check_config(struct error *e)
{
    int seals = fcntl(PROXY_FD_CONFIG, F_GET_SEALS);

    if (seals < 0)
        return error_set(e, errno, NOT_BY_HAND " (descriptor %d is no memfd)", PROXY_FD_CONFIG);
    if (!(seals & F_SEAL_WRITE))
        return error_set(e, EPERM, NOT_BY_HAND " (the memfd at descriptor %d is not sealed)",
                         PROXY_FD_CONFIG);
    return 0;
}

/* stdin and stdout become /dev/null; stderr stays what it is, but is never left closed. */
static int isolate_streams(struct error *e)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_NOCTTY);
        if (fd < 0)
            return error_errno(e, errno, "open /dev/null");
    } while (fd < STDERR_FILENO); /* a closed stream: filled, and on to the next */
    if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        return error_errno(e, errno, "dup2 of /dev/null");
    if (fd > STDERR_FILENO)
        close(fd);
    return 0;
}

/* The process dies with cijail, also if cijail is already dead. */
static int isolate_die_with_parent(struct error *e)
{
    struct pollfd p = {.fd = PROXY_FD_CHANNEL, .events = 0};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return error_errno(e, errno, "prctl PR_SET_PDEATHSIG");
    if (poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)))
        return error_set(e, EPIPE, NOT_BY_HAND " (the other end of its channel is closed)");
    return 0;
}

int isolate_start(int last_fd, struct error *e)
{
    int r;

    if (last_fd < PROXY_FD_CONFIG)
        return error_set(e, EINVAL, "isolate_start: the last descriptor cannot be %d", last_fd);
    r = isolate_check_channel(e);
    if (r == 0)
        r = isolate_check_config(e);
    if (r < 0)
        return r;
    if (close_range((unsigned)last_fd + 1, ~0U, 0) < 0)
        return error_errno(e, errno, "close_range from %d", last_fd + 1);
    r = isolate_die_with_parent(e);
    if (r < 0)
        return r;
    umask(077);
    return isolate_streams(e);
}

/* A read-only tmpfs with no room in it, as the new root. pivot_root(".", ".") puts the old root on
 * top of the new one at the same place, from where it is detached (pivot_root(2)). */
static int isolate_empty_root(struct error *e)
{
    static const char *const places[] = {"/proc", "/tmp", "/dev"};
    static const char options[] = "size=4k,nr_inodes=1,mode=0555";
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
    const char *place = NULL;

    if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
        return error_errno(e, errno, "make the mounts private");
    for (size_t i = 0; i < ARRAY_LEN(places) && !place; i++)
        if (mount("cijail-empty", places[i], "tmpfs", flags, options) == 0)
            place = places[i];
    if (!place)
        return error_errno(e, errno, "mount an empty tmpfs");
    if (chdir(place) < 0)
        return error_errno(e, errno, "chdir %s", place);
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return error_errno(e, errno, "pivot_root");
    if (umount2(".", MNT_DETACH) < 0)
        return error_errno(e, errno, "detach the old root");
    if (chdir("/") < 0)
        return error_errno(e, errno, "chdir /");
    return 0;
}

/* What only a process with CAP_SETPCAP may do: root gets nothing by being root, and nothing that is
 * executed can have a capability. A proxy that was started with CAP_SYS_ADMIN alone has
 * no_new_privs to the same end. */
static int isolate_bounding_set(struct error *e)
{
    const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                               SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                               SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

    if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
        return error_errno(e, errno, "prctl PR_SET_SECUREBITS");
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return error_errno(e, errno, "prctl PR_CAPBSET_DROP %lu", cap);
    return 0;
}

/* No capability in any set, and the kernel's word for it. */
static int isolate_drop_caps(struct error *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
    int r;

    if (syscall(SYS_capget, &head, caps) < 0)
        return error_errno(e, errno, "capget");
    if (caps[CAP_TO_INDEX(CAP_SETPCAP)].effective & CAP_TO_MASK(CAP_SETPCAP)) {
        r = isolate_bounding_set(e);
        if (r < 0)
            return r;
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return error_errno(e, errno, "clear the ambient capabilities");
    memset(caps, 0, sizeof caps);
    if (syscall(SYS_capset, &head, caps) < 0)
        return error_errno(e, errno, "capset");
    memset(caps, 0xff, sizeof caps);
    if (syscall(SYS_capget, &head, caps) < 0)
        return error_errno(e, errno, "capget");
    for (size_t i = 0; i < ARRAY_LEN(caps); i++)
        if (caps[i].effective || caps[i].permitted || caps[i].inheritable)
            return error_set(e, EPERM, "a capability is still there after it was dropped");
    return 0;
}

/* A write past RLIMIT_FSIZE shall fail, not kill: stderr may be a file. */
static int isolate_limits(struct error *e)
{
    static const int limits[] = {RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_NPROC};
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return error_errno(e, errno, "ignore SIGXFSZ");
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        if (setrlimit((__rlimit_resource_t)limits[i], &none) < 0)
            return error_errno(e, errno, "setrlimit %d", limits[i]);
    return 0;
}

int isolate_confine(struct error *e)
{
    int r;

    if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return error_errno(e, errno, "new mount, IPC and UTS namespaces");
    r = isolate_empty_root(e);
    if (r == 0)
        r = isolate_drop_caps(e);
    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, errno, "prctl PR_SET_NO_NEW_PRIVS");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(e, errno, "prctl PR_SET_DUMPABLE");
#ifdef ISOLATE_ASAN
    isolate_confined = 1;
#endif
    return isolate_limits(e);
}

int isolate_seccomp(const struct filter *f, struct error *e)
{
    int r;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, errno, "prctl PR_SET_NO_NEW_PRIVS");
    r = filter_install(f, SECCOMP_FILTER_FLAG_TSYNC);
    if (r > 0)
        return error_set(e, EBUSY, "seccomp: a thread cannot have the filter");
    return r < 0 ? error_errno(e, -r, "seccomp: load the filter") : 0;
}

int isolate_read_fd(int fd, size_t max, char **data, size_t *len, struct error *e)
{
    struct stat st;
    size_t size;
    size_t have = 0;
    cleanup_free char *buf = NULL;

    if (fstat(fd, &st) < 0)
        return error_errno(e, errno, "descriptor %d", fd);
    if (!S_ISREG(st.st_mode) || st.st_size < 0)
        return error_set(e, EINVAL, "descriptor %d is no memfd", fd);
    if ((uintmax_t)st.st_size > max)
        return error_set(e, EFBIG, "descriptor %d holds more than %zu bytes", fd, max);
    size = (size_t)st.st_size;
    buf = xmalloc(size + 1);
    while (have < size) {
        ssize_t k = pread(fd, buf + have, size - have, (off_t)have);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return error_errno(e, errno, "read descriptor %d", fd);
        if (k == 0)
            return error_set(e, EIO, "descriptor %d became shorter while it was read", fd);
        have += (size_t)k;
    }
    buf[size] = '\0';
    *len = size;
    *data = buf;
    buf = NULL;
    return 0;
}
