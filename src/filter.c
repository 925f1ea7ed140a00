#include "src/filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/util.h"

static int compile(struct filter *f, filter_make_cb *make, const void *arg)
{
    cleanup_close int fd = memfd_create("seccomp", MFD_CLOEXEC);
    scmp_filter_ctx ctx;
    ssize_t n;
    int r;

    if (fd < 0)
        return -errno;
    ctx = make(arg);
    if (!ctx)
        return -ENOMEM;
    r = seccomp_export_bpf(ctx, fd);
    seccomp_release(ctx);
    if (r < 0)
        return r;
    n = pread(fd, f->code, sizeof(f->code), 0);
    if (n <= 0)
        return n < 0 ? -errno : -EIO;
    f->len = (unsigned short)((size_t)n / sizeof(f->code[0]));
    return 0;
}

int filter_compile(struct filter *f, filter_make_cb *make, const void *arg)
{
    cleanup_free struct filter *again = xmalloc(sizeof(*again));
    int r = compile(f, make, arg);

    if (r == 0)
        r = compile(again, make, arg);
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
