/* userns.c: the maps are identities, so that the command sees the caller's ids and files keep their
 * owners. A user may map only his own; root maps every id that his own namespace has, so that
 * package managers can chown and drop privileges. The capabilities that come with it hold in the
 * new namespace alone. */
#include "src/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "src/util.h"

static int write_at(int dir, const char *path, const char *text, struct error *e)
{
    cleanup_close int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return error_errno(e, errno, "cannot open %s", path);
    r = write_all(fd, text, strlen(text));
    if (r < 0)
        return error_errno(e, -r, "cannot write %s", path);
    return 0;
}

static int write_proc(const char *proc, pid_t pid, const char *name, const char *text,
                      struct error *e)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%d/%s", proc, (int)pid, name);
    return write_at(AT_FDCWD, path, text, e);
}

/* The caller's own map, each inside id onto itself: "INSIDE OUTSIDE COUNT" lines become "INSIDE
 * INSIDE COUNT". */
static int identity_of_own_map(const char *name, char *out, size_t size, struct error *e)
{
    cleanup_free char *text = NULL;
    char path[64], *line, *save = NULL;
    size_t len, used = 0;
    int r;

    (void)snprintf(path, sizeof(path), "/proc/self/%s", name);
    r = read_file(path, 65536, &text, &len, e);
    if (r < 0)
        return r;
    for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        unsigned inside, outside, count;
        int n;
        if (sscanf(line, "%u %u %u", &inside, &outside, &count) != 3)
            return error_set(e, EPROTO, "%s has a line that is no id map", path);
        n = snprintf(out + used, size - used, "%u %u %u\n", inside, inside, count);
        if (n < 0 || (size_t)n >= size - used)
            return error_set(e, E2BIG, "%s has too many lines", path);
        used += (size_t)n;
    }
    return 0;
}

static int explain_map(int r, struct error *e)
{
    cleanup_free char *text = NULL;
    size_t len;

    if (r == -EPERM &&
        read_file("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 16, &text, &len,
                  NULL) == 0 &&
        text[0] == '1')
        error_add(e, ". AppArmor keeps unprivileged user namespaces from being used (Ubuntu 23.10 "
                     "and newer): install "
                     "cijail's AppArmor profile (contrib/apparmor), or run: sudo sysctl -w "
                     "kernel.apparmor_restrict_unprivileged_userns=0");
    return r;
}

int userns_map(const char *proc, pid_t pid, bool root, struct error *e)
{
    char uids[8192], gids[8192];
    int r;

    if (root) {
        if ((r = identity_of_own_map("uid_map", uids, sizeof(uids), e)) < 0 ||
            (r = identity_of_own_map("gid_map", gids, sizeof(gids), e)) < 0)
            return r;
    } else {
        (void)snprintf(uids, sizeof(uids), "%u %u 1\n", (unsigned)geteuid(), (unsigned)geteuid());
        (void)snprintf(gids, sizeof(gids), "%u %u 1\n", (unsigned)getegid(), (unsigned)getegid());
        r = write_proc(proc, pid, "setgroups", "deny", e);
        if (r < 0)
            return explain_map(r, e);
    }
    if ((r = write_proc(proc, pid, "uid_map", uids, e)) < 0 ||
        (r = write_proc(proc, pid, "gid_map", gids, e)) < 0)
        return explain_map(r, e);
    return 0;
}

int userns_map_self(int self, uid_t uid, gid_t gid, struct error *e)
{
    char uids[64], gids[64];
    int r;

    (void)snprintf(uids, sizeof(uids), "%u %u 1\n", (unsigned)uid, (unsigned)uid);
    (void)snprintf(gids, sizeof(gids), "%u %u 1\n", (unsigned)gid, (unsigned)gid);
    r = write_at(self, "setgroups", "deny", e);
    if (r == 0)
        r = write_at(self, "uid_map", uids, e);
    return r < 0 ? r : write_at(self, "gid_map", gids, e);
}

static long read_number(const char *path)
{
    cleanup_free char *text = NULL;
    size_t len;

    return read_file(path, 64, &text, &len, NULL) < 0 ? -1 : strtol(text, NULL, 10);
}

/* Is a seccomp filter in force on this process (a container's, most likely)? */
static bool under_seccomp(void)
{
    cleanup_free char *text = NULL;
    const char *at;
    size_t len;

    if (read_file("/proc/self/status", 65536, &text, &len, NULL) < 0)
        return false;
    at = strstr(text, "\nSeccomp:");
    return at && strtol(at + strlen("\nSeccomp:"), NULL, 10) == 2;
}

/* user_namespaces(7), "EPERM". Told by pid 1, whose root is not this one. */
static bool in_chroot(void)
{
    struct stat own, first;

    return stat("/", &own) == 0 && stat("/proc/1/root/", &first) == 0 &&
           (own.st_dev != first.st_dev || own.st_ino != first.st_ino);
}

static const char *container_remedy(void)
{
    if (access("/run/.containerenv", F_OK) == 0)
        return ". This looks like a podman container: start it with --security-opt "
               "seccomp=unconfined, or run cijail outside of it";
    if (access("/.dockerenv", F_OK) == 0)
        return ". This looks like a Docker container: start it with --security-opt "
               "seccomp=unconfined "
               "--security-opt apparmor=unconfined --security-opt systempaths=unconfined, or run "
               "cijail outside of it";
    return ". If this is a container, its seccomp profile refuses namespaces: start it with "
           "--security-opt seccomp=unconfined (Docker, podman)";
}

int userns_explain(int err, const char *what, struct error *e)
{
    (void)error_errno(e, err, "%s", what);
    if (read_number("/proc/sys/kernel/unprivileged_userns_clone") == 0)
        error_add(e, ". Unprivileged user namespaces are switched off (Debian's sysctl); run: "
                     "sudo sysctl -w kernel.unprivileged_userns_clone=1");
    else if (read_number("/proc/sys/user/max_user_namespaces") == 0)
        error_add(e, ". User namespaces are switched off: user.max_user_namespaces is 0; run: "
                     "sudo sysctl -w user.max_user_namespaces=65536");
    else if (read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
        error_add(e, ". AppArmor restricts unprivileged user namespaces (Ubuntu 23.10 and newer): "
                     "install cijail's "
                     "AppArmor profile (contrib/apparmor), or run: sudo sysctl -w "
                     "kernel.apparmor_restrict_unprivileged_userns=0");
    else if (err == ENOSPC)
        error_add(e, ". A limit on namespaces is reached: see user.max_user_namespaces, "
                     "user.max_net_namespaces and "
                     "user.max_pid_namespaces in sysctl(8); nesting ends at 32 levels");
    else if (err == EINVAL)
        error_add(e, ". The kernel was built without user, network or PID namespaces "
                     "(CONFIG_USER_NS, CONFIG_NET_NS, "
                     "CONFIG_PID_NS)");
    else if (err == EPERM && in_chroot())
        error_add(
            e, ". In a chroot(2) there are no user namespaces: start cijail outside of it, or have "
               "it made by pivot_root(2), as containers are");
    else if (under_seccomp() || err == EPERM || err == ENOSYS)
        error_add(e, "%s", container_remedy());
    return -err;
}
