#include "src/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "src/memfd.h"
#include "src/util.h"

struct quota {
    uint64_t limit;
    _Atomic uint64_t sent;
};

int quota_map(int fd, struct quota **q, struct error *e)
{
    void *at = mmap(NULL, sizeof(**q), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        return error_errno(e, errno, "cannot map the count of what was sent");
    *q = at;
    return 0;
}

int quota_open(uint64_t limit, struct quota **q, struct error *e)
{
    cleanup_close int fd = memfd_open("cijail-quota", e);
    int r;

    if (fd < 0)
        return fd;
    /* Nobody makes it shorter, by which the other one would get SIGBUS. */
    if (ftruncate(fd, sizeof(**q)) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        return error_errno(e, errno, "cannot make the count of what was sent");
    r = quota_map(fd, q, e);
    if (r < 0)
        return r;
    (*q)->limit = limit;
    return steal_fd(&fd);
}

uint64_t quota_left(const struct quota *q)
{
    uint64_t sent = q ? atomic_load(&q->sent) : 0;

    if (!q)
        return UINT64_MAX;
    return sent < q->limit ? q->limit - sent : 0;
}

void quota_count(struct quota *q, uint64_t bytes)
{
    if (q)
        (void)atomic_fetch_add(&q->sent, bytes);
}

int quota_parse(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    uint64_t n = 0;
    const char *unit;

    if (text[0] < '1' || text[0] > '9')
        return -EINVAL;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
            return -EINVAL;
    unit = *text ? strchr(units, *text >= 'a' ? *text - 'a' + 'A' : *text) : NULL;
    if (*text && (!unit || text[1]))
        return -EINVAL;
    for (long i = 0; unit && i <= unit - units; i++)
        if (__builtin_mul_overflow(n, 1024, &n))
            return -EINVAL;
    *bytes = n;
    return 0;
}
