/* no_memory.c: a library for LD_PRELOAD with which some of a process's allocations fail.
 *
 *   NO_MEMORY=PROGRAM:DEPTH:FIRST:LAST:FILE
 *
 * PROGRAM: the short name of the program; the library does nothing in another. DEPTH: 0 is the
 * process that was executed, 1 a child that it makes without exec, and so on, where processes that
 * allocate nothing do not count. The calls FIRST to
 * LAST of malloc(3), calloc(3) and realloc(3), counted from 1 in each process from when main is
 * about to run, return NULL with ENOMEM. FILE, as long as struct no_memory_told, holds how many
 * calls were made at each depth, and how many failed: by a shared mapping, so that a process that
 * may no longer write to files tells it too.
 *
 * A child notices that it is one by a page that fork(2) wipes (madvise(2), MADV_WIPEONFORK), for
 * its process id may be its parent's in another namespace. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEPTHS 4

/* What FILE holds. */
struct no_memory_told {
    _Atomic uint64_t calls[DEPTHS]; /* the most of the processes of a depth */
    _Atomic uint64_t failed;
};

/* Zeros in a new process. */
struct here {
    bool known;
    _Atomic uint64_t calls;
};

static struct {
    struct no_memory_told *told; /* NULL: nothing fails */
    struct here *here;
    unsigned depth, wanted; /* depth: of this process */
    uint64_t first, last;
} state;

/* glibc's allocator under its other names. */
void *__libc_malloc(size_t size);             /* NOLINT(bugprone-reserved-identifier) */
void *__libc_calloc(size_t n, size_t size);   /* NOLINT(bugprone-reserved-identifier) */
void *__libc_realloc(void *old, size_t size); /* NOLINT(bugprone-reserved-identifier) */

static void *map(size_t size, int flags, int fd)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

    return p == MAP_FAILED ? NULL : p;
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("NO_MEMORY");
    char program[64], path[256];
    struct no_memory_told *told;
    int fd;

    if (!text ||
        sscanf(text, "%63[^:]:%u:%lu:%lu:%255s", program, &state.wanted, &state.first, &state.last,
               path) != 5 ||
        strcmp(program, program_invocation_short_name) != 0)
        return;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    told = map(sizeof(*told), MAP_SHARED, fd);
    (void)close(fd);
    state.here = map(sizeof(*state.here), MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (!told || !state.here || madvise(state.here, sizeof(*state.here), MADV_WIPEONFORK) < 0)
        return;
    state.here->known = true;
    state.told = told;
}

static bool fails(void)
{
    uint64_t n;

    if (!state.told)
        return false;
    if (!state.here->known) {
        state.here->known = true;
        state.depth++;
    }
    if (state.depth >= DEPTHS)
        return false;
    n = atomic_fetch_add(&state.here->calls, 1) + 1;
    if (n > state.told->calls[state.depth])
        state.told->calls[state.depth] = n;
    if (state.depth != state.wanted || n < state.first || n > state.last)
        return false;
    state.told->failed++;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}
