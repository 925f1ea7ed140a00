/* own_folder.c: copies of small folders, for a jail to change as it likes (mounts.c). Links are
 * copied, never followed. */
#include "src/own_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/util.h"

struct copy {
    unsigned entries; /* how many more may come */
    off_t bytes;
    struct error *e;
};

static int copy_folder(struct copy *c, int to, int from, bool deeper);

static int copy_link(struct copy *c, int to, int from, const char *name)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

    if (n < 0)
        return 1; /* gone */
    target[n] = '\0';
    if (symlinkat(target, to, name) < 0)
        return error_errno(c->e, errno, "cannot make the link %s for the jail", name);
    return 1;
}

static int copy_file(struct copy *c, int to, int from, const char *name)
{
    cleanup_close int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    cleanup_close int out = -1;
    struct stat st;
    ssize_t n;

    if (in < 0 || fstat(in, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > OWN_FOLDER_FILE_MAX)
        return 1;
    c->bytes -= st.st_size;
    if (c->bytes < 0)
        return 0;
    out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        return error_errno(c->e, errno, "cannot make the file %s for the jail", name);
    for (off_t left = st.st_size; left > 0; left -= n) {
        n = sendfile(out, in, NULL, (size_t)left);
        if (n < 0)
            return error_errno(c->e, errno, "cannot copy the file %s for the jail", name);
        if (n == 0)
            break; /* it has become shorter */
    }
    (void)!fchown(out, st.st_uid, st.st_gid);
    (void)fchmod(out, st.st_mode & 0777);
    return 1;
}

static int copy_inner(struct copy *c, int to, int from, const char *name)
{
    cleanup_close int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_close int out = -1;

    if (in < 0)
        return 1;
    if (mkdirat(to, name, 0700) < 0 ||
        (out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
        return error_errno(c->e, errno, "cannot make the folder %s for the jail", name);
    return copy_folder(c, out, in, false);
}

/* DT_*: of hundreds of certificates nearly all are links, and most file systems say so in the
 * folder. */
static unsigned char type_of(int from, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type;
    return fstatat(from, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? DT_UNKNOWN
                                                                      : IFTODT(st.st_mode);
}

static int copy_entry(struct copy *c, int to, int from, const struct dirent *entry, bool deeper)
{
    const char *name = entry->d_name;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 1;
    if (c->entries == 0)
        return 0;
    c->entries--;
    switch (type_of(from, entry)) {
    case DT_LNK:
        return copy_link(c, to, from, name);
    case DT_REG:
        return copy_file(c, to, from, name);
    case DT_DIR:
        return deeper ? copy_inner(c, to, from, name) : 1;
    default:
        return 1;
    }
}

/* 1, 0 if it is too much, or -errno. */
static int copy_folder(struct copy *c, int to, int from, bool deeper)
{
    int fd = fcntl(from, F_DUPFD_CLOEXEC, 0), r = 1;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    struct stat st;

    if (!d) {
        r = error_errno(c->e, errno, "cannot read a folder of certificates");
        if (fd >= 0)
            (void)close(fd);
        return r;
    }
    while (r > 0 && (entry = readdir(d)))
        r = copy_entry(c, to, from, entry, deeper);
    (void)closedir(d);
    if (r > 0 && fstat(from, &st) == 0) {
        (void)!fchown(to, st.st_uid, st.st_gid);
        (void)fchmod(to, st.st_mode & 0777);
    }
    return r;
}

int own_folder_copy(int to, const char *path, struct error *e)
{
    struct copy c = {.entries = OWN_FOLDER_ENTRIES, .bytes = OWN_FOLDER_BYTES_MAX, .e = e};
    cleanup_close int from = -1;
    char at[PATH_MAX];

    if (!realpath(path, at) || strcmp(at, path) != 0)
        return 0;
    from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return from < 0 ? 0 : copy_folder(&c, to, from, true);
}
