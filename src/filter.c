#include "src/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/util.h"

#define SECONDS_MAX 4

/* Through a pipe, which holds it whole: a file can be nobody's to write (RLIMIT_FSIZE). */
static int compile(struct filter *f, filter_make_cb *make, const void *arg)
{
    int ends[2];
    ssize_t n = -1;
    scmp_filter_ctx ctx;
    int r;

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    ctx = make(arg);
    r = ctx ? seccomp_export_bpf(ctx, ends[1]) : -ENOMEM;
    seccomp_release(ctx);
    if (r == 0)
        n = read(ends[0], f->code, sizeof(f->code));
    (void)close(ends[0]);
    (void)close(ends[1]);
    if (r < 0)
        return r;
    if (n <= 0)
        return -EIO;
    f->len = (unsigned short)((size_t)n / sizeof(f->code[0]));
    return 0;
}

/* A failed allocation can also send libseccomp round and round. */
static void on_too_long(int signal)
{
    static const char text[] =
        "cijail: the making of a seccomp filter does not end: out of memory?\n";

    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(125);
}

/* Ends the process when it has used SECONDS_MAX of processor time; 0: never. */
static int limit_time(time_t seconds)
{
    const struct sigaction action = {.sa_handler = seconds ? on_too_long : SIG_DFL};
    const struct itimerval timer = {.it_value.tv_sec = seconds};
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPROF);
    if (sigaction(SIGPROF, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &set, NULL) < 0 ||
        setitimer(ITIMER_PROF, &timer, NULL) < 0)
        return -errno;
    return 0;
}

int filter_compile(struct filter *f, filter_make_cb *make, const void *arg)
{
    cleanup_free struct filter *again = xmalloc(sizeof(*again));
    int r = limit_time(SECONDS_MAX);

    if (r == 0)
        r = compile(f, make, arg);
    if (r == 0)
        r = compile(again, make, arg);
    if (r == 0)
        r = limit_time(0);
    if (r == 0 &&
        (f->len != again->len || memcmp(f->code, again->code, f->len * sizeof(f->code[0])) != 0))
        r = -ENOMEM;
    return r;
}

int filter_install(const struct filter *f, unsigned flags)
{
    const struct sock_fprog program = {.len = f->len,
                                       .filter = (struct sock_filter *)(uintptr_t)f->code};
    long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);

    return r < 0 ? -errno : (int)r;
}
