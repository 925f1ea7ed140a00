/* mounts.c: the jail's view of the file system.
 *
 * It is the host's, in a mount namespace of its own, with these mounts on top:
 *   /proc                       of the jail's PID namespace; as root all in it that is not of a
 *                               process is read-only: uid 0 is the host's uid 0 to the kernel when
 *                               it writes a sysctl
 *   /sys                        as root: read-only, for the same reason
 *   /etc/resolv.conf            (or what it points to) the gateway
 *   the files of roots          the same and the jail's CA
 *   the stores of Java          these roots and the jail's CA
 *   the folders of certificates as root: copies of the jail's own (trust_folders)
 *   /run/systemd, /dev/log ...  empty: services of the host that would resolve or send on behalf of
 *                               the jail (in a dry run those alone
 *                               that resolve), and devices that are no files
 *   where an automounter waits  empty, but for what it has mounted there already (autofs.h)
 *   queues (mqueue)             of the jail's IPC namespace: those of the host have readers there
 *   /proc and its like in other as root: read-only: those of a chroot, say
 *   places
 *
 * The new files live in one tmpfs that is seen at no path: it is mounted on /proc, and the jail's
 * procfs over it; clones of its files are moved onto their places (open_tree(2), move_mount(2)).
 * Nothing is written to a disk.
 *
 * Network file systems of the host (NFS, sshfs and the like) are files as all others: the host
 * itself asks the server that it has mounted, and no other. */
#include "src/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/autofs.h"
#include "src/jail_resolv_conf.h"
#include "src/search_list.h"
#include "src/own_folder.h"
#include "src/util.h"

#define STAGE "/proc" /* exists everywhere, and is covered by the jail's own procfs in the end */

#define MOUNT_TABLE "/proc/self/mounts"

/* Covered by nothing, each where it exists. Varlink, D-Bus and caches that resolve names
 * (systemd-resolved, nscd, avahi). Engines that start processes outside of the jail (docker.sock)
 * are not covered: the gate denies them, and says so in the log. Devices that are ways to other
 * machines: vhost-vsock is a guest beside this one, which speaks vsock to its services; infiniband
 * and hfi1 send without a network namespace being asked; vmci and vbox... speak to the hypervisor.
 * uinput, uhid and vhci are keyboards, which type into the host's sessions; kmsg is its log.
 * (/dev/net/tun gives nothing without a network namespace of one's own.)
 */
static const char *const covered[] = {
    "/run/systemd",     "/run/nscd",  "/run/avahi-daemon", "/run/dbus",       "/dev/log",
    "/dev/vhost-vsock", "/dev/vsock", "/dev/vhost-net",    "/dev/infiniband", "/dev/hfi1_0",
    "/dev/hfi1_1",      "/dev/vmci",  "/dev/vboxguest",    "/dev/vboxuser",   "/dev/uinput",
    "/dev/uhid",        "/dev/vhci",  "/dev/kmsg",
};

bool mounts_is_covered(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(covered); i++)
        if (path_is_within(path, covered[i]))
            return true;
    return false;
}

bool mounts_is_covered_device(dev_t number)
{
    struct stat st;

    for (size_t i = 0; i < ARRAY_LEN(covered); i++)
        if (stat(covered[i], &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == number)
            return true;
    return false;
}

/* A tmpfs of what covers other files. It stays below the jail's procfs: to take a mount away costs
 * a grace period of the kernel's (RCU), some twentieth of the time that a jail needs to begin. */
struct stage {
    int fd;         /* its root; -1: it has been taken away */
    bool covered;   /* by the jail's procfs */
    unsigned count; /* of files made in it */
};

static int attach(int dirfd, const char *name, const char *target, uint64_t more, struct error *e)
{
    struct mount_attr attr = {.attr_set =
                                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | more};
    cleanup_close int tree = open_tree(
        dirfd, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | AT_RECURSIVE);

    if (tree < 0)
        return error_errno(e, errno, "open_tree for %s", target);
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return error_errno(e, errno, "mount_setattr for %s", target);
    if (move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return error_errno(e, errno, "cannot mount over %s", target);
    return 0;
}

static int attach_read_only(int dirfd, const char *name, const char *target, struct error *e)
{
    return attach(dirfd, name, target, MOUNT_ATTR_RDONLY, e);
}

static int read_only_recursive(const char *path, struct error *e)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

    if (mount_setattr(AT_FDCWD, path, AT_RECURSIVE, &attr, sizeof(attr)) < 0)
        return error_errno(e, errno, "cannot make %s read-only in the jail", path);
    return 0;
}

/* A new file in the stage, readable by everybody; its name is left in name. */
static int stage_file(struct stage *s, char name[16], struct error *e)
{
    int fd;

    (void)snprintf(name, 16, "f%u", s->count++);
    fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_errno(e, errno, "cannot make a file for the jail");
    (void)fchmod(fd, 0444);
    return fd;
}

/* text, and more in a line of its own, if there is any. */
static int write_text(int fd, const char *target, const char *text, size_t len, const char *more,
                      struct error *e)
{
    int r = write_all(fd, text, len);

    if (r == 0 && *more && (r = write_all(fd, "\n", 1)) == 0)
        r = write_all(fd, more, strlen(more));
    return r < 0 ? error_errno(e, -r, "cannot write %s for the jail", target) : 0;
}

static int cover_with_text(struct stage *s, const char *target, const char *text, size_t len,
                           const char *more, struct error *e)
{
    cleanup_close int fd = -1;
    char name[16];
    int r;

    if ((fd = stage_file(s, name, e)) < 0)
        return fd;
    r = write_text(fd, target, text, len, more, e);
    return r < 0 ? r : attach_read_only(s->fd, name, target, e);
}

/* In the stage, the folders above folder + rest (which begins with '/'). */
static int stage_folders(struct stage *s, const char *folder, const char *rest, struct error *e)
{
    char path[PATH_MAX];

    for (const char *slash = strchr(rest + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        (void)snprintf(path, sizeof(path), "%s%.*s", folder, (int)(slash - rest), rest);
        if (mkdirat(s->fd, path, 0755) < 0 && errno != EEXIST)
            return error_errno(e, errno, "cannot make a folder for the jail");
    }
    return 0;
}

/* An empty file of the stage at folder + rest, with the folders above it. */
static int stage_path(struct stage *s, const char *folder, const char *rest, struct error *e)
{
    char path[PATH_MAX];
    int fd, r = stage_folders(s, folder, rest, e);

    if (r < 0)
        return r;
    if (snprintf(path, sizeof(path), "%s%s", folder, rest) >= (int)sizeof(path))
        return error_set(e, ENAMETOOLONG, "%s is too long", rest);
    fd = openat(s->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (fd < 0)
        return error_errno(e, errno, "cannot make %s for the jail", rest);
    (void)close(fd);
    return 0;
}

/* An empty folder of the stage; its name is left in name. */
static int stage_folder(struct stage *s, char name[16], struct error *e)
{
    (void)snprintf(name, 16, "d%u", s->count++);
    if (mkdirat(s->fd, name, 0755) < 0)
        return error_errno(e, errno, "cannot make a folder for the jail");
    return 0;
}

/* Covers a folder by an empty one. Where resolv.conf points into it (systemd-resolved), a file is
 * kept there, over which the jail's is mounted later. */
static int cover_folder(struct stage *s, const char *folder, const char *resolv, struct error *e)
{
    size_t n = strlen(folder);
    char name[16];
    int r = stage_folder(s, name, e);

    if (r < 0)
        return r;
    if (!strncmp(resolv, folder, n) && resolv[n] == '/' &&
        (r = stage_path(s, name, resolv + n, e)) < 0)
        return r;
    return attach_read_only(s->fd, name, folder, e);
}

/* Does the policy name a socket at or below path? Then it stays visible, and the unix gate judges.
 */
static bool is_named(const struct policy *p, const char *path)
{
    for (size_t i = 0; i < p->count; i++) {
        char at[PATH_MAX];
        if (p->endpoints[i].kind == ENDPOINT_UNIX && realpath(p->endpoints[i].path, at) &&
            path_is_within(at, path))
            return true;
    }
    return false;
}

/* In a dry run: what would resolve names past the gateway, which the run is there to show. All
 * else is the unix gate's to log. */
static const char *const covered_dry[] = {"/run/systemd/resolve", "/run/nscd", "/run/avahi-daemon"};

static int cover_services(struct stage *s, const struct mounts *m, const char *resolv,
                          struct error *e)
{
    bool dry = m->policy->dry_run;
    size_t n = dry ? ARRAY_LEN(covered_dry) : ARRAY_LEN(covered);
    int r;

    for (size_t i = 0; i < n; i++) {
        char path[PATH_MAX];
        struct stat st;
        if (!realpath(dry ? covered_dry[i] : covered[i], path) || lstat(path, &st) < 0 ||
            is_named(m->policy, path))
            continue; /* not there, a link into what has been covered already, or wanted */
        r = S_ISDIR(st.st_mode) ? cover_folder(s, path, resolv, e)
                                : cover_with_text(s, path, "", 0, "", e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- automounters --- */

/* A clone of what is mounted at path, and below it, to the same place below the cover. What cannot
 * be taken along is hidden. */
static int keep_mount(struct stage *s, const char *cover, const char *path, const char *rest,
                      struct error *e)
{
    cleanup_close int tree = open_tree(AT_FDCWD, path,
                                       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
                                           AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW);
    char to[PATH_MAX];
    struct stat st;
    int r;

    if (tree < 0 || fstat(tree, &st) < 0 || !S_ISDIR(st.st_mode) ||
        snprintf(to, sizeof(to), "%s%s", cover, rest) >= (int)sizeof(to))
        return 0;
    if ((r = stage_folders(s, cover, rest, e)) < 0)
        return r;
    if (mkdirat(s->fd, to, 0755) < 0 && errno != EEXIST)
        return error_errno(e, errno, "cannot make a folder for the jail");
    (void)move_mount(tree, "", s->fd, to, MOVE_MOUNT_F_EMPTY_PATH);
    return 0;
}

static int cover_automounter(struct stage *s, const struct autofs *a, size_t i, struct error *e)
{
    const char *path = a->mounts[i].path;
    char name[16];
    int r = stage_folder(s, name, e);

    for (size_t j = 0; r == 0 && j < a->count; j++)
        if (autofs_is_kept(a, i, j))
            r = keep_mount(s, name, a->mounts[j].path, a->mounts[j].path + strlen(path), e);
    return r < 0 ? r : attach_read_only(s->fd, name, path, e);
}

/* From the last one to the first: those within others come first. /proc has a cover of its own. */
static int cover_automounters(struct stage *s, const struct autofs *a, struct error *e)
{
    int r = 0;

    for (size_t i = a->count; r == 0 && i-- > 0;)
        if (autofs_is_trigger(a, i) && strncmp(a->mounts[i].path, "/proc/", 6) != 0)
            r = cover_automounter(s, a, i, e);
    return r;
}

/* --- file systems that are the kernel itself --- */

/* Is this mount the one that is seen at its path? What is mounted over it, or over a folder above
 * it, hides it: then the path is another file's. type: of that file. */
static bool is_seen(const struct autofs *mounts, size_t i, mode_t *type)
{
    const char *path = mounts->mounts[i].path;
    struct statx st;

    if (!autofs_is_on_top(mounts, i) ||
        statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0 ||
        !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
        return false;
    *type = st.stx_mode & S_IFMT;
    return true;
}

static int renew_queues(struct stage *s, const struct autofs *mounts, struct error *e)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < mounts->count; i++) {
        const char *path = mounts->mounts[i].path;
        mode_t type;
        if (strcmp(mounts->mounts[i].type, "mqueue") != 0 || !is_seen(mounts, i, &type))
            continue;
        if (type != S_IFDIR) /* a single queue, which was bound there */
            r = cover_with_text(s, path, "", 0, "", e);
        else if (mount("mqueue", path, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
            r = error_errno(e, errno, "cannot mount the jail's message queues on %s", path);
    }
    return r;
}

static bool is_kernel(const char *type)
{
    static const char *const types[] = {
        "proc",      "sysfs",   "cgroup",     "cgroup2",  "debugfs", "tracefs",
        "configfs",  "bpf",     "securityfs", "efivarfs", "pstore",  "binfmt_misc",
        "selinuxfs", "smackfs", "fusectl",    "resctrl",  "xenfs",
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

/* As root, for the reason that /sys is: uid 0 writes what any mount of it shows. What is below
 * /proc is covered. */
static int protect_elsewhere(const struct autofs *mounts, struct error *e)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < mounts->count; i++) {
        const char *path = mounts->mounts[i].path;
        mode_t type;
        if (is_kernel(mounts->mounts[i].type) && !path_is_within(path, "/proc") &&
            is_seen(mounts, i, &type))
            r = read_only_recursive(path, e);
    }
    return r;
}

/* --- the rest --- */

static int cover_resolv_conf(struct stage *s, const struct mounts *m, const char *resolv,
                             struct error *e)
{
    char text[JAIL_RESOLV_CONF_MAX];

    return cover_with_text(s, resolv, text, jail_resolv_conf(m->ipv6, text), "", e);
}

static int open_stage(struct stage *s, struct error *e)
{
    if (mount("cijail", STAGE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "mode=0755,size=1g,nr_inodes=16k") < 0)
        return error_errno(e, errno, "cannot mount a tmpfs in the jail");
    s->fd = open(STAGE, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return s->fd < 0 ? error_errno(e, errno, "cannot open the jail's tmpfs") : 0;
}

/* Unless it is covered, what was at its place is there again. */
static int take_stage_away(struct stage *s, struct error *e)
{
    if (s->fd < 0 || s->covered)
        return 0;
    (void)close(s->fd);
    s->fd = -1;
    return umount2(STAGE, MNT_DETACH) < 0 ? error_errno(e, errno, "cannot take the stage away") : 0;
}

/* What is no process of /proc, and may be written by its mode: /proc/sys, sysrq-trigger, mtrr, and
 * folders of drivers and file systems, which are different ones on each host. */
static bool is_knob(const char *path, const char *name)
{
    struct stat st;

    if (name[0] == '.' || (name[0] >= '0' && name[0] <= '9') || lstat(path, &st) < 0)
        return false;
    return S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && (st.st_mode & 0222));
}

static int protect_knob(const char *path, struct error *e)
{
    if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
        return errno == ENOENT ? 0 : error_errno(e, errno, "cannot cover %s", path);
    return read_only_recursive(path, e);
}

/* As root: knobs of the kernel are not for the jail. */
static int protect_knobs(struct error *e)
{
    DIR *d = opendir("/proc");
    struct dirent *entry;
    int r = 0;

    if (!d)
        return error_errno(e, errno, "cannot read /proc in the jail");
    while (r == 0 && (entry = readdir(d))) {
        char path[sizeof("/proc/") + sizeof(entry->d_name)];
        (void)snprintf(path, sizeof(path), "/proc/%s", entry->d_name);
        if (is_knob(path, entry->d_name))
            r = protect_knob(path, e);
    }
    (void)closedir(d);
    if (r < 0)
        return r;
    return access("/sys/kernel", F_OK) == 0 ? read_only_recursive("/sys", e) : 0;
}

/* A procfs of the jail's own PID namespace. The kernel refuses it (EPERM) where parts of the
 * present /proc are covered: in a jail within a root's jail, in a container with masked paths.
 * There the outer /proc stays. It also shows processes outside of the jail, by number and command
 * line; over these the command has no capability (ptrace(2), access check), and its signals cannot
 * name them. */
static int mount_proc(const struct mounts *m, struct stage *s, struct error *e)
{
    int r;

    s->covered = mount("proc", STAGE, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
    if (!s->covered && errno != EPERM)
        return error_errno(e, errno, "cannot mount /proc in the jail");
    r = take_stage_away(s, e);
    return r == 0 && m->root ? protect_knobs(e) : r;
}

/* The folders first: /etc/resolv.conf's target may stand in one of them. */
static int cover_all(const struct mounts *m, struct stage *s, const struct autofs *mounts,
                     struct error *e)
{
    char resolv[PATH_MAX];
    int r;

    if (!realpath(RESOLV_CONF, resolv))
        return error_errno(e, errno,
                           "%s cannot be resolved, so the jail's resolver has no place; make it a "
                           "file (it may be empty)",
                           RESOLV_CONF);
    r = cover_services(s, m, resolv, e);
    if (r == 0)
        r = cover_automounters(s, mounts, e);
    if (r == 0)
        r = renew_queues(s, mounts, e);
    if (r == 0 && m->root)
        r = protect_elsewhere(mounts, e);
    return r == 0 ? cover_resolv_conf(s, m, resolv, e) : r;
}

static int set_up(const struct mounts *m, struct stage *s, struct error *e)
{
    struct autofs mounts;
    int r;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_errno(e, errno, "cannot make the jail's mounts private");
    if ((r = autofs_read(&mounts, MOUNT_TABLE, e)) < 0)
        return r;
    r = open_stage(s, e);
    if (r == 0)
        r = cover_all(m, s, &mounts, e);
    autofs_free(&mounts);
    return r == 0 ? mount_proc(m, s, e) : r;
}

static struct stage *free_stage(struct stage *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    free(s);
    return NULL;
}

struct stage *mounts_setup(const struct mounts *m, struct error *e)
{
    struct stage *s = xcalloc(1, sizeof(*s));

    s->fd = -1;
    return set_up(m, s, e) == 0 ? s : free_stage(s);
}

int mounts_finish(struct stage *s, struct error *e)
{
    int r = take_stage_away(s, e);

    (void)free_stage(s);
    return r;
}

/* --- the jail's CA --- */

/* Of these a root's jail has copies that it may change, to which the CA is added. A new bundle is
 * made of the certificates in both, and renamed over the old one (update-ca-certificates(8)), which
 * fails where something is mounted over that. */
enum { SYSTEM_FOLDER, LOCAL_FOLDER, TRUST_FOLDERS };
static const char *const trust_folders[TRUST_FOLDERS] = {"/etc/ssl/certs",
                                                         "/usr/local/share/ca-certificates"};
#define LOCAL_CA "/usr/local/share/ca-certificates/cijail.crt"

struct ca_stage {
    struct stage *stage;
    char copies[TRUST_FOLDERS][16]; /* the names in the stage; empty: there is none */
};

static int copy_trust_folders(struct ca_stage *c, struct error *e)
{
    for (size_t i = 0; i < TRUST_FOLDERS; i++) {
        cleanup_close int fd = -1;
        char name[16];
        int r = stage_folder(c->stage, name, e);
        if (r < 0)
            return r;
        fd = openat(c->stage->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return error_errno(e, errno, "cannot open a folder of the jail");
        if ((r = own_folder_copy(fd, trust_folders[i], e)) < 0)
            return r;
        if (r > 0)
            copy_string(c->copies[i], sizeof(c->copies[i]), name);
    }
    return 0;
}

static int attach_trust_folders(struct ca_stage *c, struct error *e)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < TRUST_FOLDERS; i++)
        if (c->copies[i][0])
            r = attach(c->stage->fd, c->copies[i], trust_folders[i], 0, e);
    return r;
}

/* In the copy of a folder, at rest, which begins with '/': what was there is replaced. */
static int write_copy(struct ca_stage *c, const char *copy, const char *rest, const char *text,
                      size_t len, const char *more, struct error *e)
{
    cleanup_close int fd = -1;
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s%s", copy, rest) >= (int)sizeof(path))
        return error_set(e, ENAMETOOLONG, "%s is too long", rest);
    (void)unlinkat(c->stage->fd, path, 0);
    fd = openat(c->stage->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_errno(e, errno, "cannot make %s for the jail", rest);
    (void)fchmod(fd, 0644);
    return write_text(fd, rest, text, len, more, e);
}

static int place(struct ca_stage *c, const char *target, const char *text, size_t len,
                 const char *more, struct error *e)
{
    for (size_t i = 0; i < TRUST_FOLDERS; i++)
        if (c->copies[i][0] && path_is_within(target, trust_folders[i]))
            return write_copy(c, c->copies[i], target + strlen(trust_folders[i]), text, len, more,
                              e);
    return cover_with_text(c->stage, target, text, len, more, e);
}

static int place_java_stores(struct ca_stage *c, const struct java_stores *stores,
                             struct java_store *java, const char *ca_pem, struct error *e)
{
    const unsigned char *data;
    size_t len;
    int r = 0;

    java_store_add(java, ca_pem, strlen(ca_pem));
    data = java_store_finish(java, &len);
    for (size_t i = 0; r == 0 && i < stores->count; i++)
        r = place(c, stores->paths[i], (const char *)data, len, "", e);
    return r;
}

struct ca_stage *mounts_prepare_ca(struct stage *stage, bool root, struct error *e)
{
    struct ca_stage *c = xcalloc(1, sizeof(*c));

    c->stage = stage;
    if ((stage->fd >= 0 || open_stage(stage, e) == 0) && (!root || copy_trust_folders(c, e) == 0))
        return c;
    free(c);
    return NULL;
}

static int place_ca(struct ca_stage *c, const struct ca_bundle *bundle, struct java_store *java,
                    const char *ca_pem, struct error *e)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < bundle->count; i++) {
        const struct ca_file *f = &bundle->files[i];
        r = place(c, f->path, f->pem, f->len, ca_pem, e);
    }
    if (r == 0 && java)
        r = place_java_stores(c, &bundle->java, java, ca_pem, e);
    if (r == 0 && c->copies[LOCAL_FOLDER][0])
        r = place(c, LOCAL_CA, ca_pem, strlen(ca_pem), "", e);
    return r < 0 ? r : attach_trust_folders(c, e);
}

int mounts_add_ca(struct ca_stage *c, const struct ca_bundle *bundle, struct java_store *java,
                  const char *ca_pem, struct error *e)
{
    int r = place_ca(c, bundle, java, ca_pem, e);

    free(c);
    return r;
}
