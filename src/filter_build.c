/* filter_build.c: rules to instructions; see filter_rules.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/filter_rules.h"
#include "src/util.h"

/* Through a pipe, which holds it whole. */
void filter_build(scmp_filter_ctx ctx, struct filter *f)
{
    struct sock_filter *code = xcalloc(BPF_MAXINSNS, sizeof(*code));
    int ends[2];

    if (!ctx)
        die("a seccomp filter cannot have all its rules");
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        die("pipe: %s", strerror(errno));
    int r = seccomp_export_bpf(ctx, ends[1]);
    if (r < 0)
        die("libseccomp cannot make a filter: %s", strerror(-r));
    seccomp_release(ctx);
    ssize_t n = read(ends[0], code, BPF_MAXINSNS * sizeof(*code));
    if (n <= 0 || (size_t)n % sizeof(*code) != 0)
        die("libseccomp has made no filter");
    (void)close(ends[0]);
    (void)close(ends[1]);
    *f = (struct filter){.len = (unsigned short)((size_t)n / sizeof(*code)), .code = code};
    for (unsigned i = 0; i < f->len; i++)
        if (code[i].k == FILTER_SELF)
            f->selves++;
}
