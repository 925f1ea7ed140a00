/* native.c: the system calls that valgrind 3.19 does not know (Debian 12), made past it, on the
 * real processor. It is linked into the programs that `tests/run --valgrind` makes, alone.
 *
 * It stands in front of the C library's functions of these names, for cijail's own code and for
 * libseccomp. A filter that ends the process at any call that it does not list (isolate.c) is not
 * loaded: valgrind itself maps, opens and signals in the same process. That filter is tested
 * without valgrind, and with the sanitizers.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <valgrind/valgrind.h>

struct native_call {
    long number;
    long args[6];
};

/* The kernel is entered here, by valgrind's own processor or by the real one. No stack protector:
 * on the real one, the segment register by which it finds its canary is valgrind's. */
__attribute__((no_stack_protector, noinline)) static long enter(const struct native_call *c)
{
    /* cppcheck-suppress constStatement */
    register long r10 __asm__("r10") = c->args[3];
    /* cppcheck-suppress constStatement */
    register long r8 __asm__("r8") = c->args[4];
    /* cppcheck-suppress constStatement */
    register long r9 __asm__("r9") = c->args[5];
    long r;

    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "a"(c->number), "D"(c->args[0]), "S"(c->args[1]), "d"(c->args[2]), "r"(r10),
                       "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return r;
}

__attribute__((no_stack_protector)) static long enter_native(long thread, long call)
{
    (void)thread;
    return enter((const struct native_call *)call);
}

static int ends_the_process(const struct native_call *c)
{
    const struct sock_fprog *program = (const struct sock_fprog *)c->args[2];

    if (c->args[0] != SECCOMP_SET_MODE_FILTER || !program)
        return 0;
    for (unsigned i = 0; i < program->len; i++)
        if (program->filter[i].code == (BPF_RET | BPF_K) &&
            program->filter[i].k == SECCOMP_RET_KILL_PROCESS)
            return 1;
    return 0;
}

static long make(const struct native_call *c)
{
    long r;

    switch (RUNNING_ON_VALGRIND ? c->number : -1) { /* the build runs programs without it */
    case SYS_seccomp:
        r = ends_the_process(c) ? 0 : (long)VALGRIND_NON_SIMD_CALL1(enter_native, c);
        break;
    case SYS_fsopen:
    case SYS_fsconfig:
    case SYS_fsmount:
    case SYS_move_mount:
    case SYS_open_tree:
    case SYS_mount_setattr:
    case SYS_openat2:
    case SYS_pidfd_open:
    case SYS_pidfd_getfd:
    case SYS_pidfd_send_signal:
    case SYS_landlock_create_ruleset:
    case SYS_landlock_add_rule:
    case SYS_landlock_restrict_self:
        r = (long)VALGRIND_NON_SIMD_CALL1(enter_native, c);
        break;
    default:
        r = enter(c);
    }
    if (r >= 0 || r < -4095)
        return r;
    errno = (int)-r;
    return -1;
}

/* As syscall(2). */
long syscall(long number, ...)
{
    struct native_call c = {.number = number};
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        c.args[i] = va_arg(list, long);
    va_end(list);
    return make(&c);
}

#define ARG(x) ((long)(intptr_t)(x))

int fsopen(const char *name, unsigned flags)
{
    return (int)syscall(SYS_fsopen, name, ARG(flags), 0L, 0L, 0L, 0L);
}

int fsconfig(int fd, unsigned command, const char *key, const void *value, int aux)
{
    return (int)syscall(SYS_fsconfig, ARG(fd), ARG(command), key, value, ARG(aux), 0L);
}

int fsmount(int fd, unsigned flags, unsigned attributes)
{
    return (int)syscall(SYS_fsmount, ARG(fd), ARG(flags), ARG(attributes), 0L, 0L, 0L);
}

int move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags)
{
    return (int)syscall(SYS_move_mount, ARG(from), from_path, ARG(to), to_path, ARG(flags), 0L);
}

int open_tree(int place, const char *path, unsigned flags)
{
    return (int)syscall(SYS_open_tree, ARG(place), path, ARG(flags), 0L, 0L, 0L);
}

int mount_setattr(int place, const char *path, unsigned flags, struct mount_attr *attributes,
                  size_t size)
{
    return (int)syscall(SYS_mount_setattr, ARG(place), path, ARG(flags), attributes, size, 0L);
}

/* A proxy starts in the jail's mounts (proxy_lock.c), whose /proc has nothing of it, which valgrind
 * reads its own map from: it stays outside. */
int setns(int fd, int kind)
{
    return kind == CLONE_NEWNS ? 0 : (int)syscall(SYS_setns, ARG(fd), ARG(kind), 0L, 0L, 0L, 0L);
}

/* The kernel's name for the process, by which tests find it, is not valgrind's. And what
 * under-valgrind opened to fill the row of descriptors is closed. */
__attribute__((constructor)) static void native_start(void)
{
    struct stat null, st;

    (void)prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
    if (stat("/dev/null", &null) < 0)
        return;
    for (int fd = 3; fd < 20; fd++)
        if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == null.st_rdev)
            (void)close(fd);
}
