#include "src/filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/util.h"

static bool compares_with_self(const struct sock_filter *i)
{
    return BPF_CLASS(i->code) == BPF_JMP && BPF_OP(i->code) != BPF_JA &&
           BPF_SRC(i->code) == BPF_K && i->k == FILTER_SELF;
}

int filter_install(const struct filter *f, unsigned flags)
{
    size_t size = f->len * sizeof(f->code[0]);
    cleanup_free struct sock_filter *code = xmalloc(size);
    const struct sock_fprog program = {.len = f->len, .filter = code};
    unsigned selves = 0;

    memcpy(code, f->code, size);
    for (unsigned i = 0; i < f->len; i++) {
        if (!compares_with_self(&code[i]))
            continue;
        code[i].k = (uint32_t)getpid();
        selves++;
    }
    if (selves != f->selves)
        return -EINVAL;
    long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    return r < 0 ? -errno : (int)r;
}
