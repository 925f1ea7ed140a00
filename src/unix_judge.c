/* unix_judge.c: the road of one AF_UNIX connect.
 *
 *   abstract or unnamed    the name is looked up in the socket's own network namespace, which is
 * not the host's: free a path                 opened once in the caller's root (O_PATH): from here
 * on it is an inode, not a name a listener inside    a socket of the jail's network namespace is
 * bound to that inode (unix_diag.h): free one outside          must be the inode of a path that the
 * policy names, in the host's file system then                   connect(2) to the pinned inode by
 * its descriptor, with the caller's ids, so that the file's permissions and SO_PEERCRED at the
 * listener are as they would be outside
 *
 * How the path was resolved decides nothing: the inode does. Datagram sockets are refused: after a
 * connect, sendto(2) with another address would go around this. */
#include "src/unix_judge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/unix_diag.h"
#include "src/util.h"

struct unix_judge {
    const struct policy *policy;
    int diag;
    pthread_mutex_t diag_lock;
};

struct unix_judge *unix_judge_new(const struct policy *policy, int diag)
{
    struct unix_judge *j = xcalloc(1, sizeof(*j));

    j->policy = policy;
    j->diag = diag;
    (void)pthread_mutex_init(&j->diag_lock, NULL);
    return j;
}

/* "Uid:\treal effective saved fs", likewise Gid. */
static bool read_fs_id(const char *text, const char *name, unsigned *out)
{
    const char *at = strstr(text, name);
    unsigned real, effective, saved;

    return at && sscanf(at + strlen(name), "%u %u %u %u", &real, &effective, &saved, out) == 4;
}

static void read_groups(const char *text, struct unix_caller *out)
{
    const char *at = strstr(text, "\nGroups:");
    unsigned group;
    int used;

    at = at ? at + strlen("\nGroups:") : "";
    while (out->group_count < UNIX_CALLER_GROUPS && sscanf(at, " %u%n", &group, &used) == 1) {
        out->groups[out->group_count++] = group;
        at += used;
        if (*at == '\n' || at[strspn(at, " \t")] == '\n')
            break;
    }
}

int unix_caller_read(pid_t tid, struct unix_caller *out)
{
    cleanup_free char *text = NULL;
    char path[64];
    const char *at;
    unsigned uid, gid;
    size_t len;
    int r;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    r = read_file(path, 65536, &text, &len, NULL);
    if (r < 0)
        return r;
    *out = (struct unix_caller){0};
    at = strstr(text, "\nTgid:");
    if (!at || !read_fs_id(text, "\nUid:", &uid) || !read_fs_id(text, "\nGid:", &gid))
        return -EPROTO;
    out->tgid = (pid_t)strtol(at + strlen("\nTgid:"), NULL, 10);
    out->fsuid = uid;
    out->fsgid = gid;
    read_groups(text, out);
    return out->tgid > 0 ? 0 : -EPROTO;
}

/* --- the caller's ids, on this thread alone (the system calls themselves: the libc's would change
 * all threads) --- */

static bool borrow_ids(const struct unix_caller *ids)
{
    if (ids->fsuid == geteuid() && ids->fsgid == getegid())
        return true; /* a user's jail: always */
    return syscall(SYS_setgroups, ids->group_count, ids->groups) == 0 &&
           syscall(SYS_setresgid, -1, ids->fsgid, -1) == 0 &&
           syscall(SYS_setresuid, -1, ids->fsuid, -1) == 0;
}

static void return_ids(uid_t uid, gid_t gid)
{
    /* As in a root's jail only: euid 0 comes back from the saved id. */
    if (syscall(SYS_setresuid, -1, uid, -1) < 0 || syscall(SYS_setresgid, -1, gid, -1) < 0)
        die("cannot take own ids back: %s", strerror(errno));
}

/* --- paths --- */

static int open_place(pid_t tid, const char *what)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, what);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The socket's inode, pinned. */
static int open_path(int place, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC};
    long fd;

    if (path[0] == '/')
        how.resolve = RESOLVE_IN_ROOT;
    fd = syscall(SYS_openat2, place, path, &how, sizeof(how));
    return fd < 0 ? -errno : (int)fd;
}

static bool is_bound_inside(struct unix_judge *j, const struct stat *st)
{
    int r;

    (void)pthread_mutex_lock(&j->diag_lock);
    r = unix_diag_is_bound(j->diag, st);
    (void)pthread_mutex_unlock(&j->diag_lock);
    return r == 1;
}

static uint32_t find_endpoint(const struct unix_judge *j, const struct stat *st)
{
    for (size_t i = 0; i < j->policy->count; i++) {
        const struct endpoint *ep = &j->policy->endpoints[i];
        struct stat at;
        if (ep->kind == ENDPOINT_UNIX && stat(ep->path, &at) == 0 && at.st_dev == st->st_dev &&
            at.st_ino == st->st_ino)
            return policy_index(j->policy, ep);
    }
    return POLICY_INDEX_NONE;
}

static int connect_pinned(int sock, int pinned)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d", pinned);
    return connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

/* With the caller's ids in force. */
static int judge_and_connect(struct unix_judge *j, int place, int sock, const char *path,
                             struct unix_verdict *v)
{
    cleanup_close int pinned = open_path(place, path);
    struct stat st;

    if (pinned < 0)
        return pinned;
    if (fstat(pinned, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return -ECONNREFUSED;
    if (is_bound_inside(j, &st))
        return connect_pinned(sock, pinned);
    v->logged = true;
    v->endpoint = find_endpoint(j, &st);
    if (v->endpoint == POLICY_INDEX_NONE) {
        v->allowed = false;
        return -ENETUNREACH;
    }
    return connect_pinned(sock, pinned);
}

static int connect_path(struct unix_judge *j, pid_t tid, const struct unix_caller *ids, int sock,
                        const char *path, struct unix_verdict *v)
{
    cleanup_close int place = open_place(tid, path[0] == '/' ? "root" : "cwd");
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int r;

    if (place < 0)
        return -EACCES;
    r = borrow_ids(ids) ? judge_and_connect(j, place, sock, path, v) : -EACCES;
    if (ids->fsuid != uid || ids->fsgid != gid)
        return_ids(uid, gid);
    return r;
}

int unix_judge_connect(struct unix_judge *j, pid_t tid, const struct unix_caller *ids, int sock,
                       const struct sockaddr_storage *address, size_t len,
                       char path[UNIX_JUDGE_PATH_SIZE], struct unix_verdict *verdict)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)address;
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    socklen_t size = sizeof(int);
    int type = 0;

    *verdict = (struct unix_verdict){.allowed = true, .endpoint = POLICY_INDEX_NONE};
    path[0] = '\0';
    if (getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return -errno;
    if (type == SOCK_DGRAM)
        return -EPROTONOSUPPORT;
    if (len <= offset || un->sun_family != AF_UNIX || len > sizeof(*un))
        return -EINVAL;
    if (un->sun_path[0] == '\0')
        return connect(sock, (const struct sockaddr *)un, (socklen_t)len) < 0 ? -errno : 0;
    memcpy(path, un->sun_path, len - offset);
    path[len - offset] = '\0';
    return connect_path(j, tid, ids, sock, path, verdict);
}
