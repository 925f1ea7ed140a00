/* compromised_calls.c: the attacks that are system calls, made without the C library's help. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/net.h"
#include "tests/escape/compromised.h"

#define CALL(...)                                                                                  \
    ({                                                                                             \
        long r_ = syscall(__VA_ARGS__);                                                            \
        r_ < 0 ? -errno : r_;                                                                      \
    })
#define ATTACK(name, ...)                                                                          \
    static long name(void)                                                                         \
    {                                                                                              \
        return CALL(__VA_ARGS__);                                                                  \
    }

static struct sockaddr_in somewhere = {.sin_family = AF_INET};
static struct sockaddr_un docker = {.sun_family = AF_UNIX, .sun_path = "/run/docker.sock"};
static char *no_words[] = {NULL};
static char program[] = "/bin/true";
static char *program_argv[] = {program, NULL};
static struct rlimit more = {.rlim_cur = 100, .rlim_max = 100};
static struct __user_cap_header_struct cap_head = {.version = _LINUX_CAPABILITY_VERSION_3};
static struct __user_cap_data_struct cap_data[2] = {{~0U, ~0U, ~0U}, {~0U, ~0U, ~0U}};
static struct io_uring_params uring;
static char buffer[4096];

static struct sockaddr_in *to(const char *address, unsigned short port)
{
    somewhere.sin_port = htons(port);
    somewhere.sin_addr.s_addr = inet_addr(address);
    return &somewhere;
}

ATTACK(socket_unix, SYS_socket, AF_UNIX, SOCK_STREAM, 0)
ATTACK(socket_inet, SYS_socket, AF_INET, SOCK_STREAM, 0)
ATTACK(socket_inet6, SYS_socket, AF_INET6, SOCK_DGRAM, 0)
ATTACK(socket_netlink, SYS_socket, AF_NETLINK, SOCK_RAW, 0)
ATTACK(socket_packet, SYS_socket, AF_PACKET, SOCK_RAW, 0)
ATTACK(socket_vsock, SYS_socket, AF_VSOCK, SOCK_STREAM, 0)
ATTACK(socket_alg, SYS_socket, AF_ALG, SOCK_SEQPACKET, 0)
ATTACK(socket_pair, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, buffer)
ATTACK(connect_inet, SYS_connect, DNS_FD_UDP4, to("198.51.100.66", 53), sizeof(somewhere))
ATTACK(connect_unix, SYS_connect, DNS_FD_UDP4, &docker, sizeof(docker))
ATTACK(bind_inet, SYS_bind, DNS_FD_UDP4, to("0.0.0.0", 0), sizeof(somewhere))
ATTACK(listen_again, SYS_listen, DNS_FD_UDP4, 1)
ATTACK(sendmmsg_open, SYS_sendmmsg, HTTP_FD_LISTEN4, buffer, 0, MSG_FASTOPEN)
ATTACK(fast_open, SYS_sendto, HTTP_FD_LISTEN4, "x", 1, MSG_FASTOPEN, to("198.51.100.66", 80),
       sizeof(somewhere))

ATTACK(open_root, SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY)
ATTACK(open_passwd, SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY)
ATTACK(open_mem, SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR)
ATTACK(open_fd, SYS_openat, AT_FDCWD, "/proc/self/fd/0", O_RDWR)
ATTACK(open_create, SYS_openat, AT_FDCWD, "/tmp/compromised", O_WRONLY | O_CREAT, 0600)
ATTACK(open_old, SYS_open, "/etc/passwd", O_RDONLY)
ATTACK(open_2, SYS_openat2, AT_FDCWD, "/", buffer, 24)
ATTACK(stat_passwd, SYS_newfstatat, AT_FDCWD, "/etc/passwd", buffer, 0)
ATTACK(read_link, SYS_readlinkat, AT_FDCWD, "/proc/self/exe", buffer, sizeof(buffer))
ATTACK(access_root, SYS_faccessat, AT_FDCWD, "/", F_OK)
ATTACK(make_folder, SYS_mkdirat, AT_FDCWD, "/tmp/compromised.d", 0700)
ATTACK(change_root, SYS_chroot, "/")
ATTACK(change_folder, SYS_chdir, "/")
ATTACK(memory_file, SYS_memfd_create, "x", 0)
ATTACK(duplicate, SYS_dup, STDERR_FILENO)
ATTACK(read_policy_again, SYS_pread64, PROXY_FD_CONFIG, buffer, 1, 0)

ATTACK(execute, SYS_execve, program, program_argv, no_words)
ATTACK(execute_at, SYS_execveat, AT_FDCWD, program, program_argv, no_words, 0)
ATTACK(trace_me, SYS_ptrace, PTRACE_TRACEME, 0, 0, 0)
ATTACK(trace_init, SYS_ptrace, PTRACE_SEIZE, 1, 0, 0)
ATTACK(read_memory, SYS_process_vm_readv, 1, buffer, 0, buffer, 0, 0)
ATTACK(kill_all, SYS_kill, -1, 0)
ATTACK(kill_init, SYS_kill, 1, 0)
ATTACK(kill_thread, SYS_tgkill, 1, 1, 0)
ATTACK(kill_thread_old, SYS_tkill, 1, 0)
ATTACK(queue_signal, SYS_rt_sigqueueinfo, 1, 0, buffer)
ATTACK(open_pidfd, SYS_pidfd_open, 1, 0)
ATTACK(take_descriptor, SYS_pidfd_getfd, 0, 0, 0)
ATTACK(own_by_fcntl, SYS_fcntl, PROXY_FD_CHANNEL, F_SETOWN, 1)
ATTACK(signal_by_fcntl, SYS_fcntl, PROXY_FD_CHANNEL, F_SETSIG, SIGKILL)
ATTACK(type_into_terminal, SYS_ioctl, STDERR_FILENO, TIOCSTI, "x")
ATTACK(own_by_ioctl, SYS_ioctl, PROXY_FD_CHANNEL, FIOSETOWN, buffer)

ATTACK(mount_tmpfs, SYS_mount, "x", "/", "tmpfs", 0, NULL)
ATTACK(mount_new, SYS_fsopen, "tmpfs", 0)
ATTACK(unmount, SYS_umount2, "/", MNT_DETACH)
ATTACK(enter_namespace, SYS_setns, PROXY_FD_CHANNEL, 0)
ATTACK(new_user_namespace, SYS_unshare, CLONE_NEWUSER)
ATTACK(new_net_namespace, SYS_unshare, CLONE_NEWNET)
ATTACK(set_user, SYS_setresuid, 0, 0, 0)
ATTACK(set_group, SYS_setresgid, 0, 0, 0)
ATTACK(set_caps, SYS_capset, &cap_head, cap_data)
ATTACK(raise_ambient, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0)
ATTACK(make_dumpable, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)
ATTACK(outlive, SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0)
ATTACK(other_filter, SYS_seccomp, 1, 0, buffer)

ATTACK(map_executable, SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
       0)
ATTACK(make_executable, SYS_mprotect, (unsigned long)buffer & ~4095UL, 4096,
       PROT_READ | PROT_WRITE | PROT_EXEC)
ATTACK(make_executable_pkey, SYS_pkey_mprotect, (unsigned long)buffer & ~4095UL, 4096, PROT_EXEC,
       -1)
ATTACK(read_implies_exec, SYS_personality, 0x0400000)
ATTACK(shared_memory, SYS_shmget, 1, 4096, 01600)
ATTACK(load_bpf, SYS_bpf, 0, buffer, 64)
ATTACK(uring_setup, SYS_io_uring_setup, 1, &uring)
ATTACK(user_faults, SYS_userfaultfd, 1)
ATTACK(perf_event, SYS_perf_event_open, buffer, 0, -1, -1, 0)
ATTACK(key_ring, SYS_keyctl, 0, -3, 0)
ATTACK(load_module, SYS_init_module, buffer, 0, "")
ATTACK(raise_limit, SYS_setrlimit, RLIMIT_CORE, &more)
ATTACK(raise_limit_new, SYS_prlimit64, 0, RLIMIT_NPROC, &more, NULL)
ATTACK(host_name, SYS_sethostname, "x", 1)
ATTACK(trace_time, SYS_adjtimex, buffer)

/* The child of a clone that worked must not go on as a second proxy. */
static long fork_with(unsigned long flags)
{
    long r = CALL(SYS_clone, flags, NULL, NULL, NULL, 0UL);

    if (r == 0)
        _exit(0);
    return r;
}

static long fork_plain(void)
{
    return fork_with(SIGCHLD);
}

static long fork_vfork(void)
{
    return fork_with(CLONE_VFORK | SIGCHLD);
}

static long fork_clone3(void)
{
    static unsigned long long args[8];
    long r;

    args[4] = SIGCHLD;
    r = CALL(SYS_clone3, args, sizeof(args));
    if (r == 0)
        _exit(0);
    return r;
}

#ifdef __x86_64__
/* The same number of another architecture, by its own gate: i386's socket is 359. */
static long other_architecture(void)
{
    long r;

    __asm__ volatile("int $0x80" : "=a"(r) : "a"(359L), "b"(2L), "c"(1L), "d"(0L) : "memory");
    return r;
}

static long other_architecture_x32(void)
{
    return CALL(0x40000000 + 41, AF_INET, SOCK_STREAM, 0);
}
#endif

const struct attack attack_calls[] = {
    {"socket-unix", socket_unix},
    {"socket-inet", socket_inet},
    {"socket-inet6", socket_inet6},
    {"socket-netlink", socket_netlink},
    {"socket-packet", socket_packet},
    {"socket-vsock", socket_vsock},
    {"socket-alg", socket_alg},
    {"socketpair", socket_pair},
    {"connect-inet", connect_inet},
    {"connect-unix", connect_unix},
    {"bind", bind_inet},
    {"listen", listen_again},
    {"sendmmsg", sendmmsg_open},
    {"fast-open", fast_open},
    {"open-root", open_root},
    {"open-passwd", open_passwd},
    {"open-proc-mem", open_mem},
    {"open-proc-fd", open_fd},
    {"open-create", open_create},
    {"open-old", open_old},
    {"openat2", open_2},
    {"stat", stat_passwd},
    {"readlink", read_link},
    {"access", access_root},
    {"mkdir", make_folder},
    {"chroot", change_root},
    {"chdir", change_folder},
    {"memfd", memory_file},
    {"dup", duplicate},
    {"pread", read_policy_again},
    {"execve", execute},
    {"execveat", execute_at},
    {"fork", fork_plain},
    {"vfork", fork_vfork},
    {"clone3", fork_clone3},
    {"ptrace-traceme", trace_me},
    {"ptrace-seize", trace_init},
    {"process-vm-readv", read_memory},
    {"kill-all", kill_all},
    {"kill-init", kill_init},
    {"tgkill", kill_thread},
    {"tkill", kill_thread_old},
    {"sigqueue", queue_signal},
    {"pidfd-open", open_pidfd},
    {"pidfd-getfd", take_descriptor},
    {"fcntl-setown", own_by_fcntl},
    {"fcntl-setsig", signal_by_fcntl},
    {"ioctl-tiocsti", type_into_terminal},
    {"ioctl-setown", own_by_ioctl},
    {"mount", mount_tmpfs},
    {"fsopen", mount_new},
    {"umount", unmount},
    {"setns", enter_namespace},
    {"unshare-user", new_user_namespace},
    {"unshare-net", new_net_namespace},
    {"setresuid", set_user},
    {"setresgid", set_group},
    {"capset", set_caps},
    {"ambient", raise_ambient},
    {"dumpable", make_dumpable},
    {"pdeathsig", outlive},
    {"seccomp", other_filter},
    {"mmap-exec", map_executable},
    {"mprotect-exec", make_executable},
    {"pkey-mprotect-exec", make_executable_pkey},
    {"personality", read_implies_exec},
    {"shmget", shared_memory},
    {"bpf", load_bpf},
    {"io-uring", uring_setup},
    {"userfaultfd", user_faults},
    {"perf-event", perf_event},
    {"keyctl", key_ring},
    {"init-module", load_module},
    {"setrlimit", raise_limit},
    {"prlimit", raise_limit_new},
    {"sethostname", host_name},
    {"adjtimex", trace_time},
#ifdef __x86_64__
    {"int80", other_architecture},
    {"x32", other_architecture_x32},
#endif
    {NULL, NULL},
};
