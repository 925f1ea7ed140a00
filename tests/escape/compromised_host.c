/* compromised_host.c: a supervisor, and a gate, that turn on the host, for 27-confined.sh.
 *
 * The program is cijail itself, of the same objects; by the linker's --wrap two functions come by
 * here first: dialer_dial, which the supervisor calls for the first request of the jail, and
 * unix_judge_connect, which the gate calls for its first connection. The attacks are made then, by
 * plain system calls, and what came of each is a line on stderr:
 *
 *   compromised: PROCESS: NAME: refused EACCES        or: worked
 *
 * After that the real function does its work: the twin is that it still can. "twin" as the only
 * argument makes the attacks without a jail around, by which the test knows that they work. Nothing
 * of this is in the program that is installed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/dialer.h"
#include "src/options.h"
#include "src/supervisor.h"
#include "src/unix_judge.h"
#include "src/util.h"

void __real_dialer_dial(struct dialer *d, struct channel *c, const struct msg_dial *m);
void __wrap_dialer_dial(struct dialer *d, struct channel *c, const struct msg_dial *m);
int __real_unix_judge_connect(struct unix_judge *j, const struct unix_asker *who,
                              const struct sockaddr_storage *address, size_t len,
                              char path[UNIX_JUDGE_PATH_SIZE], struct unix_verdict *verdict);
int __wrap_unix_judge_connect(struct unix_judge *j, const struct unix_asker *who,
                              const struct sockaddr_storage *address, size_t len,
                              char path[UNIX_JUDGE_PATH_SIZE], struct unix_verdict *verdict);

static void say(const char *process, const char *name, long r)
{
    char line[256];
    int n = snprintf(line, sizeof(line), "compromised: %s: %s: %s%s\n", process, name,
                     r < 0 ? "refused " : "worked", r < 0 ? strerrorname_np((int)-r) : "");

    (void)!write(STDERR_FILENO, line, (size_t)n);
}

static long result(long r)
{
    return r < 0 ? -errno : r;
}

/* --- files: in the folder that COMPROMISED_FILES names --- */

static const char *in_folder(const char *name)
{
    static char path[PATH_MAX];
    const char *folder = getenv("COMPROMISED_FILES");

    (void)snprintf(path, sizeof(path), "%s/%s", folder ? folder : ".", name);
    return path;
}

static long open_as(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd >= 0)
        (void)close(fd);
    return result(fd);
}

static long read_secret(void)
{
    return open_as(in_folder("secret"), O_RDONLY);
}

static long read_by_path_descriptor(void)
{
    int fd = open(in_folder("secret"), O_PATH | O_CLOEXEC);
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open_as(path, O_RDONLY);
}

static long read_folder(void)
{
    return open_as(in_folder(""), O_RDONLY | O_DIRECTORY);
}

static long write_file(void)
{
    return open_as(in_folder("secret"), O_WRONLY);
}

static long truncate_file(void)
{
    return result(truncate(in_folder("victim"), 0));
}

static long create_file(void)
{
    return open_as(in_folder("new"), O_WRONLY | O_CREAT | O_EXCL);
}

static long make_folder(void)
{
    return result(mkdir(in_folder("new.d"), 0700));
}

static long make_link(void)
{
    return result(symlink("/", in_folder("new.l")));
}

static long make_socket(void)
{
    return result(mknod(in_folder("new.s"), S_IFSOCK | 0600, 0));
}

static long remove_file(void)
{
    return result(unlink(in_folder("victim2")));
}

static long read_shadow(void)
{
    return open_as("/etc/shadow", O_RDONLY);
}

static long read_memory_file(void)
{
    return open_as("/proc/self/mem", O_RDWR);
}

static long read_environment_of_parent(void)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)getppid());
    return open_as(path, O_RDONLY);
}

/* --- processes --- */

/* The end of a child: 0, or the errno that it ended with. */
static long wait_for(long pid)
{
    int status = 0;

    return waitpid((pid_t)pid, &status, 0) < 0 ? -errno : -WEXITSTATUS(status);
}

static long execute(void)
{
    char program[] = "/bin/true";
    char *argv[] = {program, NULL};
    long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0UL);

    if (pid > 0)
        return wait_for(pid);
    (void)execve(program, argv, environ); /* without a child, where there may be none */
    if (pid == 0)
        _exit(errno);
    return -errno;
}

static long make_process(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0UL);

    if (pid == 0)
        _exit(0);
    return pid < 0 ? -errno : wait_for(pid);
}

static long make_process_3(void)
{
    static unsigned long long args[8];
    long pid;

    args[4] = SIGCHLD;
    pid = syscall(SYS_clone3, args, sizeof(args));
    if (pid == 0)
        _exit(0);
    return pid < 0 ? -errno : wait_for(pid);
}

static long trace_me(void)
{
    return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static long signal_parent(void)
{
    return result(kill(getppid(), 0));
}

static long signal_thread(void)
{
    return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static long take_descriptor(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    return fd < 0 ? -errno : result(syscall(SYS_pidfd_getfd, fd, 0, 0));
}

static long write_memory(void)
{
    char byte = 0;
    struct iovec v = {&byte, 1};

    return result(process_vm_writev(getpid(), &v, 1, &v, 1, 0));
}

static long read_memory(void)
{
    char byte = 0;
    struct iovec v = {&byte, 1};

    return result(process_vm_readv(getpid(), &v, 1, &v, 1, 0));
}

static long new_namespace(void)
{
    return result(unshare(CLONE_NEWUSER));
}

static long enter_namespace(void)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -errno : result(setns(fd, CLONE_NEWNET));
}

/* --- sockets --- */

static long make_socket_of(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        (void)close(fd);
    return result(fd);
}

static long internet_socket(void)
{
    return make_socket_of(AF_INET, SOCK_STREAM);
}

static long internet6_socket(void)
{
    return make_socket_of(AF_INET6, SOCK_DGRAM);
}

static long vsock_socket(void)
{
    return make_socket_of(AF_VSOCK, SOCK_STREAM);
}

static long io_uring(void)
{
    static char params[256];

    return result(syscall(SYS_io_uring_setup, 1, params));
}

enum where { SUPERVISOR = 1, GATE = 2, BOTH = 3 };

static const struct attack {
    const char *name;
    long (*run)(void);
    enum where where; /* it must be refused */
} attacks[] = {
    {"read-secret", read_secret, SUPERVISOR},
    {"read-by-path-descriptor", read_by_path_descriptor, SUPERVISOR},
    {"read-folder", read_folder, SUPERVISOR},
    {"read-shadow", read_shadow, SUPERVISOR},
    {"read-own-memory", read_memory_file, BOTH},
    {"read-environment", read_environment_of_parent, SUPERVISOR},
    {"write", write_file, BOTH},
    {"truncate", truncate_file, BOTH},
    {"create", create_file, BOTH},
    {"mkdir", make_folder, BOTH},
    {"symlink", make_link, BOTH},
    {"mknod", make_socket, BOTH},
    {"unlink", remove_file, BOTH},
    {"execve", execute, BOTH},
    {"fork", make_process, BOTH},
    {"clone3", make_process_3, BOTH},
    {"kill", signal_parent, BOTH},
    {"tgkill", signal_thread, BOTH},
    {"pidfd", take_descriptor, SUPERVISOR},
    {"process-vm-readv", read_memory, SUPERVISOR},
    {"process-vm-writev", write_memory, BOTH},
    {"setns", enter_namespace, BOTH},
    {"socket-inet", internet_socket, GATE},
    {"socket-inet6", internet6_socket, GATE},
    {"socket-vsock", vsock_socket, BOTH},
    {"io-uring", io_uring, BOTH},
    {"unshare-user", new_namespace, BOTH},
    {"ptrace-traceme", trace_me, BOTH},
};

static void attack_all(const char *process, unsigned where)
{
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++)
        if (attacks[i].where & where)
            say(process, attacks[i].name, attacks[i].run());
}

/* --- the points of attack --- */

void __wrap_dialer_dial(struct dialer *d, struct channel *c, const struct msg_dial *m)
{
    static bool done;

    if (!done)
        attack_all("supervisor", SUPERVISOR);
    done = true;
    __real_dialer_dial(d, c, m);
}

int __wrap_unix_judge_connect(struct unix_judge *j, const struct unix_asker *who,
                              const struct sockaddr_storage *address, size_t len,
                              char path[UNIX_JUDGE_PATH_SIZE], struct unix_verdict *verdict)
{
    static bool done;

    if (!done)
        attack_all("gate", GATE);
    done = true;
    return __real_unix_judge_connect(j, who, address, len, path, verdict);
}

int main(int argc, char **argv)
{
    struct options options;
    struct policy policy;
    enum options_result parsed;
    struct error e;
    int r;

    if (argc == 2 && !strcmp(argv[1], "twin")) {
        attack_all("twin", BOTH);
        return 0;
    }
    policy_init(&policy);
    if (options_parse(argc, argv, &options, &policy, &parsed, &e) < 0)
        die("%s", e.text);
    r = supervisor_run(&options, &policy, &e);
    if (r < 0)
        die("%s", e.text);
    policy_free(&policy);
    return r;
}
