/* unix_path.c: path_resolution(7) of another process.
 *
 *   /absolute              from its root, which openat2(2) takes for "/" (RESOLVE_IN_ROOT)
 *   relative               from its working directory: at once, if there is neither a symbolic link
 *                          nor ".." in it; else component by component, so that ".." stops at its
 *                          root. A link with an absolute target goes on as an absolute path.
 *   /proc/self/fd/N/rest   from its descriptor N, likewise: a common way around the length of
 *                          sun_path
 *
 * No step goes by the text of a directory's path, which says nothing in another root, and which
 * anybody may rename meanwhile: each is taken from the descriptor of the one before. Magic links of
 * /proc are not followed: they would be the supervisor's.
 *
 * Syscalls: open, openat2, fstat, fstatfs, readlinkat, fcntl, pidfd_getfd, close. */
#include "src/unix_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "src/util.h"

#define LINKS_MAX 40 /* MAXSYMLINKS of the kernel */

static int open_in(int place, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags, .resolve = resolve};
    long fd = syscall(SYS_openat2, place, path, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

/* --- where it begins --- */

static int open_place(pid_t tid, const char *what)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, what);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* "/proc/self/fd/7/name" or "/proc/self/fd/7": the folder or file behind the caller's own
 * descriptor. *rest: what follows, perhaps empty. The descriptor, or -1 if path is none of this
 * kind. */
static int open_own_fd(int pidfd, const char *path, const char **rest)
{
    static const char *const prefixes[] = {"/proc/self/fd/", "/proc/thread-self/fd/"};
    char *end;

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        const char *number = path + strlen(prefixes[i]);
        unsigned long fd;
        if (strncmp(path, prefixes[i], strlen(prefixes[i])) != 0 || *number < '0' || *number > '9')
            continue;
        fd = strtoul(number, &end, 10);
        if (fd > INT32_MAX || (*end && *end != '/'))
            continue;
        *rest = end + strspn(end, "/");
        return (int)syscall(SYS_pidfd_getfd, pidfd, (int)fd, 0);
    }
    return -1;
}

int unix_places_find(pid_t tid, int pidfd, const char *path, struct unix_places *p)
{
    *p = (struct unix_places){.cwd = -1, .rest = path};
    p->root = open_place(tid, "root");
    p->own = open_own_fd(pidfd, path, &p->rest);
    if (path[0] != '/')
        p->cwd = open_place(tid, "cwd");
    return p->root < 0 || (path[0] != '/' && p->cwd < 0) ? -EACCES : 0;
}

void unix_places_close(const struct unix_places *p)
{
    const int fds[] = {p->root, p->cwd, p->own};

    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

/* --- component by component --- */

struct walk {
    int root, at;        /* at: the folder that was come to; owned */
    char rest[PATH_MAX]; /* what is to follow from there */
};

/* The same folder by the same mount: a folder that is mounted elsewhere too has another parent. */
static bool same_place(int a, int b)
{
    struct statx x, y;

    if (statx(a, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &x) < 0 ||
        statx(b, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &y) < 0)
        return true; /* go no further up */
    return x.stx_ino == y.stx_ino && x.stx_dev_major == y.stx_dev_major &&
           x.stx_dev_minor == y.stx_dev_minor && x.stx_mnt_id == y.stx_mnt_id;
}

/* Cuts the first component off rest. Slashes at the end mean a folder, as "." does. False if there
 * is none. */
static bool take_component(char rest[static PATH_MAX], char name[NAME_MAX + 2])
{
    size_t len = strcspn(rest, "/");
    size_t slashes = strspn(rest + len, "/");
    bool last_but_slashes = slashes > 0 && !rest[len + slashes];

    if (len == 0)
        return false;
    copy_string(name, len < NAME_MAX + 1 ? len + 1 : NAME_MAX + 2, rest); /* cut: ENAMETOOLONG */
    memmove(rest, rest + len + slashes, strlen(rest + len + slashes) + 1);
    if (last_but_slashes && strcmp(name, ".") != 0)
        copy_string(rest, PATH_MAX, ".");
    return true;
}

/* Puts the target of the symbolic link fd before the rest of the way. */
static int follow(struct walk *w, int fd)
{
    size_t rest = strlen(w->rest);
    UNINITIALIZED char target[PATH_MAX];
    struct statfs fs;
    ssize_t n = readlinkat(fd, "", target, sizeof(target));

    if (n < 0)
        return -errno;
    if (fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
        return -ELOOP; /* as RESOLVE_NO_MAGICLINKS */
    if ((size_t)n + rest + 2 > sizeof(w->rest))
        return -ENAMETOOLONG;
    if (rest > 0) {
        memmove(w->rest + n + 1, w->rest, rest + 1);
        w->rest[n] = '/';
    } else {
        w->rest[n] = '\0';
    }
    memcpy(w->rest, target, (size_t)n);
    return 0;
}

/* One component: to what it names, or, of a symbolic link, its target before the rest. 0 or
 * -errno. */
static int step(struct walk *w, const char *name, unsigned *links)
{
    cleanup_close int fd = -1;
    struct stat st;

    if (!strcmp(name, "..") && same_place(w->at, w->root))
        return 0;
    fd = open_in(w->at, name, O_NOFOLLOW, 0);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode))
        return ++*links > LINKS_MAX ? -ELOOP : follow(w, fd);
    (void)close(w->at);
    w->at = steal_fd(&fd);
    return 0;
}

static int walk(int root, int from, const char *path)
{
    struct walk w = {.root = root, .at = fcntl(from, F_DUPFD_CLOEXEC, 0)};
    char name[NAME_MAX + 2];
    unsigned links = 0;
    int r = w.at < 0 ? -errno : 0;

    copy_string(w.rest, sizeof(w.rest), path);
    while (r == 0 && w.rest[0] != '/' && take_component(w.rest, name))
        r = step(&w, name, &links);
    if (r == 0 && w.rest[0] != '/')
        return w.at;
    if (r == 0)
        r = open_in(root, w.rest, 0, RESOLVE_IN_ROOT);
    if (w.at >= 0)
        (void)close(w.at);
    return r;
}

/* --- public --- */

static int open_from(int root, int from, const char *path)
{
    int fd = strstr(path, "..") ? -ELOOP : open_in(from, path, 0, RESOLVE_NO_SYMLINKS);

    return fd == -ELOOP ? walk(root, from, path) : fd;
}

int unix_places_open(const struct unix_places *p, const char *path)
{
    int fd;

    if (p->own >= 0 && !*p->rest) {
        fd = fcntl(p->own, F_DUPFD_CLOEXEC, 0);
        return fd < 0 ? -errno : fd;
    }
    if (p->own >= 0)
        return open_from(p->root, p->own, p->rest);
    if (path[0] == '/')
        return open_in(p->root, path, 0, RESOLVE_IN_ROOT);
    return open_from(p->root, p->cwd, path);
}
