#include "oci/runtime_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/util.h"

/* The caller's user id where no user namespace is around (user_namespaces(7)): of the first line of
 * a rootless runtime, "0 UID 1". */
static unsigned outer_uid(void)
{
    cleanup_free char *map = NULL;
    unsigned inside, outside, count;
    size_t len;

    if (read_file("/proc/self/uid_map", 65536, &map, &len, NULL) == 0 &&
        sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && geteuid() >= inside &&
        geteuid() - inside < count)
        return outside + (geteuid() - inside);
    return geteuid();
}

/* A folder that is ours, and closed to others if it must be. */
static bool is_own(const char *path, mode_t closed)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & closed) == 0;
}

static int make_own(const char *path, struct error *e)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_errno(e, errno, "cannot make the folder %s", path);
    if (!is_own(path, 077))
        return error_set(e, EPERM, "%s must be a folder of yours that is closed to others (0700)",
                         path);
    return 0;
}

/* Of those that are there; where none is, one below /tmp is made. */
static int choose(char dir[PATH_MAX], struct error *e)
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    unsigned uid = outer_uid();

    (void)snprintf(dir, PATH_MAX, "/run/user/%u", uid);
    if (xdg && xdg[0] == '/' && strlen(xdg) < PATH_MAX / 2 && is_own(xdg, 022)) {
        copy_string(dir, PATH_MAX, xdg);
        return 0;
    }
    if (is_own(dir, 022))
        return 0;
    if (uid == 0) {
        copy_string(dir, PATH_MAX, "/run");
        return 0;
    }
    (void)snprintf(dir, PATH_MAX, "/tmp/cijail-%u", uid);
    return make_own(dir, e);
}

int runtime_dir_find(const char *given, char dir[PATH_MAX], char path[PATH_MAX], struct error *e)
{
    int r = 0;

    if (given)
        copy_string(dir, PATH_MAX, given);
    else
        r = choose(dir, e);
    if (r == 0 && snprintf(path, PATH_MAX, "%s/cijail", dir) >= PATH_MAX)
        r = error_set(e, ENAMETOOLONG, "%s is too long", dir);
    return r < 0 ? r : make_own(path, e);
}

static int open_folder(const char *path, const char *id)
{
    cleanup_close int base = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int fd = base < 0 ? -1 : openat(base, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int runtime_dir_new(const char *path, char id[RUNTIME_ID_SIZE], struct error *e)
{
    uint8_t bytes[(RUNTIME_ID_SIZE - 1) / 2];
    cleanup_free char *folder = NULL;
    int fd;

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return error_errno(e, errno, "getrandom");
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    folder = xasprintf("%s/%s", path, id);
    if (mkdir(folder, 0700) < 0)
        return error_errno(e, errno, "cannot make the folder %s", folder);
    fd = open_folder(path, id);
    return fd < 0 ? error_errno(e, -fd, "cannot open %s", folder) : fd;
}

int runtime_dir_open(const char *path, const char *id, struct error *e)
{
    int fd;

    if (strlen(id) != RUNTIME_ID_SIZE - 1 || id[strspn(id, "0123456789abcdef")] != '\0')
        return error_set(e, EINVAL, "the annotation has no id of cijail's");
    fd = open_folder(path, id);
    return fd < 0 ? error_set(e, -fd,
                              "no policy waits under the id %s: an id is for one start of "
                              "one container; start it anew by cijailctl podman run",
                              id)
                  : fd;
}
