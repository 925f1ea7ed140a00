/* ask.c: see ask.h. The program is the user's, as found outside of the project. It works in the
 * root directory: some look into all directories above theirs for what to run (corepack's npm for a
 * package.json, rustup's cargo for a rust-toolchain.toml), and above any other there may be one,
 * such as /tmp, in which others can write.
 *
 * Syscalls: pipe2, fork, setpgid, chdir, execve, poll, read, kill, waitid */
#include "preset/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>

#include "src/util.h"

extern char **environ;

struct ask {
    char program[PATH_MAX];
    char path[16384 + 8]; /* PATH=... */
    const char *const *argv;
    const char **environment;
};

/* Do two "NAME=VALUE" have the same name, whatever its case? */
static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(b, "=");

    return strcspn(a, "=") == n && strncasecmp(a, b, n) == 0;
}

static bool is_replaced(const char *text, const char *const variables[])
{
    for (size_t i = 0; variables[i]; i++)
        if (same_name(text, variables[i]))
            return true;
    return same_name(text, "PATH=");
}

static const char **make_environment(const struct ask *a, const char *const variables[])
{
    size_t n = 0, used = 0, more = 0;
    const char **list;

    while (environ[n])
        n++;
    while (variables[more])
        more++;
    list = xcalloc(n + more + 2, sizeof(*list));
    for (size_t i = 0; i < n; i++)
        if (!is_replaced(environ[i], variables))
            list[used++] = environ[i];
    for (size_t i = 0; i < more; i++)
        list[used++] = variables[i];
    list[used] = a->path;
    return list;
}

static void child(const struct ask *a, int out) __attribute__((noreturn));
static void child(const struct ask *a, int out)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (setpgid(0, 0) == 0 && null >= 0 && dup2(null, 0) == 0 && dup2(out, 1) == 1 &&
        dup2(null, 2) == 2 && chdir("/") == 0) {
        (void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
        execve(a->program, (char *const *)(uintptr_t)a->argv,
               (char *const *)(uintptr_t)a->environment);
    }
    _exit(127);
}

/* Up to its end or to size bytes. 0, or -ETIMEDOUT, or another negative errno. */
static int read_answer(int fd, char *out, size_t size, size_t *len)
{
    uint64_t end = now_ms() + ASK_SECONDS * 1000;

    for (*len = 0; *len < size;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = now_ms();
        ssize_t n;
        if (now >= end || poll(&p, 1, (int)(end - now)) == 0)
            return -ETIMEDOUT;
        n = read(fd, out + *len, size - *len);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            break;
        *len += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int finish(pid_t pid, int r, struct error *e)
{
    int status = 0;

    if (r < 0)
        (void)kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    (void)kill(-pid, SIGKILL); /* what it may have left */
    if (r == -ETIMEDOUT)
        return error_set(e, ETIMEDOUT, "it gave no answer in %d seconds", ASK_SECONDS);
    if (r < 0)
        return error_errno(e, -r, "its answer cannot be read");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(e, EPROTO, "it failed (%s %d)", WIFEXITED(status) ? "status" : "signal",
                         WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return 0;
}

static int run(const struct ask *a, char *out, size_t size, struct error *e)
{
    int ends[2], r;
    size_t len = 0;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(e, errno, "pipe");
    pid = fork();
    if (pid == 0)
        child(a, ends[1]);
    (void)close(ends[1]);
    if (pid < 0) {
        r = error_errno(e, errno, "fork");
    } else {
        r = finish(pid, read_answer(ends[0], out, size - 1, &len), e);
    }
    (void)close(ends[0]);
    out[len] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return r;
}

int ask_program(const struct project *p, const char *const argv[], const char *const variables[],
                char *out, size_t size, struct error *e)
{
    struct ask a = {.path = "PATH=", .argv = argv};
    int r;

    if (!project_find_program(p, argv[0], a.program, a.path + 5, sizeof(a.path) - 5))
        return error_set(e, ENOENT, "it is not found in PATH outside of the project");
    a.environment = make_environment(&a, variables);
    r = run(&a, out, size, e);
    free(a.environment);
    return r;
}
