/* The three stages of isolation, each in a child of its own: what is gone afterwards, and what
 * still works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "src/filter_rules.h"
#include "src/isolate.h"
#include "src/net.h"
#include "src/util.h"

#define HIGH_FD 57

/* In a child: ends it, with the line as its word, if the condition does not hold. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, strerror(errno));           \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* Runs it in a child; the wait status. A child that hangs is ended by SIGALRM. */
static int in_child(void (*body)(void))
{
    int status = -1;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(20);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_exit(void (*body)(void), int code)
{
    int status = in_child(body);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), code);
}

static void assert_killed(void (*body)(void), int sig)
{
    int status = in_child(body);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), sig);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

/* A user namespace with the caller's own ids in it, where it has every capability. */
static void user_namespace(void)
{
    char map[64];
    unsigned uid = geteuid();
    unsigned gid = getegid();

    CHECK(unshare(CLONE_NEWUSER) == 0);
    write_file("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof map, "%u %u 1", uid, uid);
    write_file("/proc/self/uid_map", map);
    (void)snprintf(map, sizeof map, "%u %u 1", gid, gid);
    write_file("/proc/self/gid_map", map);
}

/* Of the capabilities of the namespace, these. */
static void keep_only(uint32_t mask)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct caps[2] = {{mask, mask, mask}, {0, 0, 0}};

    CHECK(syscall(SYS_capset, &head, caps) == 0);
}

static int memfd_of(const char *text, size_t len, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    CHECK(fd >= 0);
    CHECK(write(fd, text, len) == (ssize_t)len);
    if (seals)
        CHECK(fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

/* Descriptors as a proxy gets them. The far end of the channel stays open at HIGH_FD - 1. */
static void proxy_descriptors(int domain_type, int seals)
{
    int pair[2];
    int memfd = memfd_of("abc", 3, seals);

    CHECK(socketpair(AF_UNIX, domain_type, 0, pair) == 0);
    CHECK(fcntl(pair[0], F_DUPFD, HIGH_FD + 10) >= 0); /* an inherited descriptor like any */
    CHECK(dup2(pair[1], HIGH_FD - 1) >= 0);
    CHECK(dup2(pair[0], HIGH_FD) >= 0);
    CHECK(dup2(memfd, HIGH_FD + 1) >= 0);
    CHECK(dup2(HIGH_FD, PROXY_FD_CHANNEL) >= 0);
    CHECK(dup2(HIGH_FD + 1, PROXY_FD_CONFIG) >= 0);
}

static void is_null(int fd)
{
    struct stat null;
    struct stat st;

    CHECK(stat("/dev/null", &null) == 0);
    CHECK(fstat(fd, &st) == 0 && st.st_rdev == null.st_rdev);
}

/* The other end of the channel is held by the parent of whoever calls isolate_start. */
static void start_in_grandchild(void)
{
    int status = -1;
    pid_t pid;

    proxy_descriptors(SOCK_SEQPACKET, F_SEAL_WRITE);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct error e = {""};
        int sig = 0;
        char *data = NULL;
        size_t len = 0;

        close(STDIN_FILENO); /* a stream that is closed is filled */
        CHECK(isolate_start(PROXY_FD_CONFIG, &e) == 0);
        CHECK(fcntl(PROXY_FD_CONFIG + 1, F_GETFD) < 0 && errno == EBADF);
        CHECK(fcntl(HIGH_FD, F_GETFD) < 0 && fcntl(HIGH_FD + 10, F_GETFD) < 0);
        is_null(STDIN_FILENO);
        is_null(STDOUT_FILENO);
        CHECK(fcntl(STDERR_FILENO, F_GETFD) >= 0);
        CHECK(prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == SIGKILL);
        CHECK(isolate_read_fd(PROXY_FD_CONFIG, 3, &data, &len, &e) == 0);
        CHECK(len == 3 && strcmp(data, "abc") == 0);
        free(data);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void start_refused(int expect)
{
    struct error e = {""};

    CHECK(isolate_start(PROXY_FD_CONFIG, &e) == expect);
    CHECK(strstr(e.text, "started by cijail, not by hand"));
}

static void start_without_channel(void)
{
    close(PROXY_FD_CHANNEL);
    start_refused(-EBADF);
}

static void start_with_stream(void)
{
    proxy_descriptors(SOCK_STREAM, F_SEAL_WRITE);
    start_refused(-EPROTOTYPE);
}

static void start_with_udp(void)
{
    int fd;

    proxy_descriptors(SOCK_SEQPACKET, F_SEAL_WRITE);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(fd >= 0 && dup2(fd, PROXY_FD_CHANNEL) >= 0);
    start_refused(-EPROTOTYPE);
}

static void start_without_seal(void)
{
    proxy_descriptors(SOCK_SEQPACKET, F_SEAL_SHRINK);
    start_refused(-EPERM);
}

static void start_with_a_file(void)
{
    int fd;

    proxy_descriptors(SOCK_SEQPACKET, F_SEAL_WRITE);
    fd = open("/etc/passwd", O_RDONLY);
    CHECK(fd >= 0 && dup2(fd, PROXY_FD_CONFIG) >= 0);
    start_refused(-EINVAL);
}

static void start_without_a_peer(void)
{
    proxy_descriptors(SOCK_SEQPACKET, F_SEAL_WRITE);
    close(HIGH_FD - 1);
    for (int fd = PROXY_FD_CONFIG + 1; fd < HIGH_FD - 1; fd++)
        close(fd); /* the original of the far end */
    start_refused(-EPIPE);
}

static void test_start(void **state)
{
    (void)state;
    assert_exit(start_in_grandchild, 0);
    assert_exit(start_without_channel, 0);
    assert_exit(start_with_stream, 0);
    assert_exit(start_with_udp, 0);
    assert_exit(start_without_seal, 0);
    assert_exit(start_with_a_file, 0);
    assert_exit(start_without_a_peer, 0);
}

static void no_capability(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct caps[2];

    CHECK(syscall(SYS_capget, &head, caps) == 0);
    for (size_t i = 0; i < ARRAY_LEN(caps); i++)
        CHECK(!caps[i].effective && !caps[i].permitted && !caps[i].inheritable);
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SYS_ADMIN, 0, 0) == 0);
}

static void no_limit_left(int resource)
{
    struct rlimit r;

    CHECK(getrlimit((__rlimit_resource_t)resource, &r) == 0);
    CHECK(r.rlim_cur == 0 && r.rlim_max == 0);
}

static void confined_state(void)
{
    no_capability();
    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    no_limit_left(RLIMIT_CORE);
    no_limit_left(RLIMIT_FSIZE);
    no_limit_left(RLIMIT_NPROC);
}

/* Nothing in the root, and nothing can come into it. */
static void empty_root(void)
{
    struct stat st;

    CHECK(open("/etc/passwd", O_RDONLY) < 0 && errno == ENOENT);
    CHECK(open("../../../etc/passwd", O_RDONLY) < 0 && errno == ENOENT);
    CHECK(open("/proc/self/status", O_RDONLY) < 0 && errno == ENOENT);
    CHECK(stat("/", &st) == 0 && st.st_nlink == 2);
    CHECK(open("/a", O_WRONLY | O_CREAT, 0600) < 0 && errno == EROFS);
    CHECK(mkdir("/a", 0700) < 0 && errno == EROFS);
    CHECK(mount("x", "/", "tmpfs", 0, NULL) < 0 && errno == EPERM);
}

static void confine_checked(void)
{
    struct error e = {""};
    int file;
    int null;
    int sig = 0;

    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    CHECK((null = open("/dev/null", O_RDWR)) >= 0);
    CHECK((file = memfd_of("abc", 3, 0)) >= 0);
    if (isolate_confine(&e) < 0) {
        fprintf(stderr, "isolate_confine: %s\n", e.text);
        _exit(1);
    }
    confined_state();
    empty_root();
    CHECK(prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == SIGKILL);
    CHECK(write(null, "x", 1) == 1);           /* what was open works ... */
    CHECK(pread(file, &(char){0}, 1, 0) == 1); /* ... */
    CHECK(pwrite(file, "x", 1, 3) < 0 &&
          errno == EFBIG); /* but no file grows, and that kills nobody */
}

static void confine_with_all(void)
{
    user_namespace();
    confine_checked();
    CHECK(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0);
}

static void confine_with_admin_only(void)
{
    user_namespace();
    keep_only(CAP_TO_MASK(CAP_SYS_ADMIN));
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0) == 0);
    confine_checked();
}

/* As cijail starts a proxy. */
static void confine_as_proxy(void)
{
    user_namespace();
    keep_only(CAP_TO_MASK(CAP_SYS_ADMIN) | CAP_TO_MASK(CAP_SETPCAP));
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0) == 0);
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETPCAP, 0, 0) == 0);
    confine_checked();
    CHECK(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0);
}

/* Without the capability: refused, never half isolated. */
static void confine_without(void)
{
    struct error e = {""};

    user_namespace();
    keep_only(0);
    CHECK(isolate_confine(&e) == -EPERM);
    CHECK(strstr(e.text, "namespaces"));
}

static void test_confine(void **state)
{
    (void)state;
    assert_exit(confine_with_all, 0);
    assert_exit(confine_with_admin_only, 0);
    assert_exit(confine_as_proxy, 0);
    assert_exit(confine_without, 0);
}

static void filter(void)
{
    static const int calls[] = {SCMP_SYS(write), SCMP_SYS(getppid)};
    struct filter f;
    struct error e = {""};

    filter_build(isolate_rules(calls, ARRAY_LEN(calls)), &f);
    if (isolate_seccomp(&f, &e) < 0) {
        fprintf(stderr, "isolate_seccomp: %s\n", e.text);
        _exit(1);
    }
}

static void *map_page(int prot)
{
    return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void filter_lets_pass(void)
{
    struct timespec t = {0, 1000};
    void *p;

    filter();
    CHECK(getppid() > 0);
    CHECK(write(STDERR_FILENO, "", 0) == 0);
    CHECK((p = map_page(PROT_READ)) != MAP_FAILED);
    CHECK(mprotect(p, 4096, PROT_READ | PROT_WRITE) == 0);
    CHECK(munmap(p, 4096) == 0);
    free(xmalloc(1u << 20));
    CHECK(nanosleep(&t, NULL) == 0);
    _exit(7);
}

static void filter_kills_unshare(void)
{
    filter();
    (void)unshare(CLONE_NEWUSER);
}

static void unfiltered_unshare(void)
{
    CHECK(unshare(CLONE_NEWUSER) == 0);
}

#ifndef CIJAIL_SANITIZED /* ASan opens files */
static void filter_kills_open(void)
{
    filter();
    (void)syscall(SYS_open, "/dev/null", O_RDONLY);
}
#endif

static void filter_kills_openat2(void)
{
    struct open_how how = {.flags = O_RDONLY};

    filter();
    (void)syscall(SYS_openat2, AT_FDCWD, "/dev/null", &how, sizeof(how));
}

static void filter_kills_socket(void)
{
    filter();
    (void)socket(AF_INET, SOCK_DGRAM, 0);
}

static void filter_kills_exec(void)
{
    filter();
    (void)execl("/bin/true", "true", (char *)NULL);
}

static void filter_kills_executable_map(void)
{
    filter();
    (void)map_page(PROT_READ | PROT_EXEC);
}

static void filter_kills_executable_protect(void)
{
    void *p = map_page(PROT_READ);

    filter();
    (void)mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static void unfiltered_executable(void)
{
    void *p = map_page(PROT_READ | PROT_EXEC);

    CHECK(p != MAP_FAILED);
    CHECK(mprotect(p, 4096, PROT_READ) == 0);
    CHECK(mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0);
}

static void filter_lets_abort(void)
{
    filter();
    abort();
}

#ifdef __x86_64__
/* getppid (allowed) by the x32 and by the i386 way in. */
static void filter_kills_x32(void)
{
    filter();
    (void)syscall(SYS_getppid | 0x40000000);
}

static void filter_kills_i386(void)
{
    long r = 64; /* getppid of i386 */

    filter();
    __asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
}
#endif

static void filter_refuses_to_allow_mmap(void)
{
    static const int calls[] = {SCMP_SYS(mmap)};

    CHECK(!isolate_rules(calls, 1));
}

static void all_stages(void)
{
    user_namespace();
    confine_checked();
    filter_lets_pass();
}

static void test_seccomp(void **state)
{
    (void)state;
    assert_exit(filter_lets_pass, 7);
    assert_exit(all_stages, 7);
    assert_exit(unfiltered_unshare, 0);
    assert_killed(filter_kills_unshare, SIGSYS);
#ifndef CIJAIL_SANITIZED
    assert_killed(filter_kills_open, SIGSYS);
#endif
    assert_killed(filter_kills_openat2, SIGSYS);
    assert_killed(filter_kills_socket, SIGSYS);
    assert_killed(filter_kills_exec, SIGSYS);
    assert_exit(unfiltered_executable, 0);
    assert_killed(filter_kills_executable_map, SIGSYS);
    assert_killed(filter_kills_executable_protect, SIGSYS);
    assert_killed(filter_lets_abort, SIGABRT);
#ifdef __x86_64__
    assert_killed(filter_kills_x32, SIGSYS);
    assert_killed(filter_kills_i386, SIGSYS);
#endif
    assert_exit(filter_refuses_to_allow_mmap, 0);
}

static void test_read_fd(void **state)
{
    struct error e = {""};
    char *data = NULL;
    size_t len = 0;
    int pipefd[2];
    int fd = memfd_of("0123456789", 10, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);

    (void)state;
    assert_int_equal(lseek(fd, 4, SEEK_SET), 4); /* its start, wherever the offset is */
    assert_int_equal(isolate_read_fd(fd, 10, &data, &len, &e), 0);
    assert_int_equal(len, 10);
    assert_string_equal(data, "0123456789");
    free(data);
    assert_int_equal(isolate_read_fd(fd, 9, &data, &len, &e), -EFBIG);
    close(fd);
    assert_int_equal(isolate_read_fd(fd, 10, &data, &len, &e), -EBADF);
    assert_int_equal(pipe(pipefd), 0);
    assert_int_equal(isolate_read_fd(pipefd[0], 10, &data, &len, &e), -EINVAL);
    close(pipefd[0]);
    close(pipefd[1]);
    fd = memfd_of("", 0, 0);
    assert_int_equal(isolate_read_fd(fd, 0, &data, &len, &e), 0);
    assert_int_equal(len, 0);
    assert_string_equal(data, "");
    free(data);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_confine),
        cmocka_unit_test(test_seccomp),
        cmocka_unit_test(test_read_fd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
