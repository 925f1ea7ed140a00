/* unix_judge.c: the road of one AF_UNIX connect.
 *
 *   abstract or unnamed  the name is looked up in the socket's own network namespace, which is not
 *                        the host's: free (a name that the policy allows is bridged, mirror.h)
 *   a path               opened once in the caller's root (O_PATH): from here on it is an inode,
 *                        not a name
 *   a listener inside    a socket of the jail's network namespace is bound to that inode
 *                        (unix_diag.h), and none of the host's: free
 *   one outside          must be a socket that the policy names (in a dry run any may be one)
 *   then                 connect(2) to the pinned inode by its descriptor, with the caller's ids
 *                        (unix_ids.h), so that the file's permissions and SO_PEERCRED at the
 *                        listener are as they would be outside
 *
 * How the path was resolved decides nothing: the inode does. What the policy names is a path,
 * though, and the command may be able to rename, link and replace files there. So "the socket that
 * the policy names" is either the inode that was at the path before the command started, which is
 * kept open; or, for a service that was started anew meanwhile, the inode that is there now if a
 * socket of the host's network namespace was bound to it by this very name. bind(2) to a name is
 * not undone by renaming.
 *
 * Datagram sockets are refused: after a connect, sendto(2) with another address would go around
 * this. */
#include "src/unix_judge.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

#define PINS_MAX 256 /* descriptors; what is beyond goes by the name that it was bound to */

/* A socket that the policy names. */
struct named {
    const struct endpoint *endpoint;
    char *real;  /* its path without symbolic links, as far as it was there at the start */
    bool pinned; /* its inode: was there at the start, and is held */
    dev_t dev;
    ino_t ino;
};

struct unix_judge {
    const struct policy *policy;
    struct named *named;
    size_t count;
    int jail, host; /* unix_diag.h: of either network namespace; -1 */
    pthread_mutex_t diag_lock;
};

/* --- what the policy names --- */

/* The path of the folder without symbolic links, and the last component as it is. */
static char *real_path(const char *path)
{
    cleanup_free char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    cleanup_free char *real = realpath(folder[0] ? folder : "/", NULL);
    char *whole = realpath(path, NULL);

    if (whole)
        return whole;
    return xasprintf("%s%s", !real ? folder : strcmp(real, "/") ? real : "", strrchr(path, '/'));
}

static void add_named(struct unix_judge *j, const struct endpoint *ep)
{
    struct named *n = &j->named[j->count++];
    cleanup_close int fd = -1;
    struct stat st;

    *n = (struct named){.endpoint = ep, .real = real_path(ep->path)};
    if (j->count > PINS_MAX)
        return;
    fd = open(ep->path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
        return;
    n->pinned = true;
    n->dev = st.st_dev;
    n->ino = st.st_ino;
    (void)steal_fd(
        &fd); /* held as long as the process lives, so that the number is not used again */
}

struct unix_judge *unix_judge_new(const struct policy *policy)
{
    struct unix_judge *j = xcalloc(1, sizeof(*j));

    j->policy = policy;
    j->jail = -1;
    j->host = unix_diag_open(NULL);
    j->named = xcalloc(policy->count + 1, sizeof(*j->named));
    for (size_t i = 0; i < policy->count; i++)
        if (policy->endpoints[i].kind == ENDPOINT_UNIX)
            add_named(j, &policy->endpoints[i]);
    (void)pthread_mutex_init(&j->diag_lock, NULL);
    return j;
}

int unix_judge_set_jail(struct unix_judge *j, int diag, struct error *e)
{
    j->jail = diag;
    if (j->host >= 0)
        return 0;
    j->host = unix_diag_open(e);
    return j->host < 0 ? j->host : 0;
}

static bool is_bound(struct unix_judge *j, int diag, const struct stat *st, const char *name)
{
    int r;

    (void)pthread_mutex_lock(&j->diag_lock);
    r = unix_diag_is_bound(diag, st, name);
    (void)pthread_mutex_unlock(&j->diag_lock);
    return r == 1;
}

/* The second question is about numbers that agree in their lower 32 bits only, as the command could
 * get by making files for some hours. */
static bool is_bound_inside(struct unix_judge *j, const struct stat *st)
{
    return is_bound(j, j->jail, st, NULL) && !is_bound(j, j->host, st, NULL);
}

static bool is_at(const char *path, const struct stat *st)
{
    struct stat at;

    return stat(path, &at) == 0 && at.st_dev == st->st_dev && at.st_ino == st->st_ino;
}

static uint32_t find_endpoint(struct unix_judge *j, const struct stat *st)
{
    for (size_t i = 0; i < j->count; i++) {
        const struct named *n = &j->named[i];
        const char *path = n->endpoint->path;
        if ((n->pinned && n->dev == st->st_dev && n->ino == st->st_ino) ||
            (is_at(path, st) &&
             (is_bound(j, j->host, st, path) || is_bound(j, j->host, st, n->real))))
            return policy_index(j->policy, n->endpoint);
    }
    return POLICY_INDEX_NONE;
}

/* --- paths --- */

static int open_in(int place, const char *path, uint64_t resolve)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = resolve};
    long fd = syscall(SYS_openat2, place, path, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

static int open_place(pid_t tid, const char *what)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, what);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* "/proc/self/fd/7/name" or "/proc/self/fd/7": the folder or file behind the caller's own
 * descriptor, a common way around the length of sun_path. *rest: what follows, perhaps empty. The
 * descriptor, or -1 if path is none of this kind. */
static int open_own_fd(const struct unix_asker *who, const char *path, const char **rest)
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
        return (int)syscall(SYS_pidfd_getfd, who->pidfd, (int)fd, 0);
    }
    return -1;
}

/* Where a path begins; all of it is opened with the supervisor's own ids. */
struct places {
    int root, cwd, own;      /* -1: none, or the path does not begin there */
    const char *rest;        /* after own */
    char cwd_text[PATH_MAX]; /* as the kernel has it */
};

static void find_places(const struct unix_asker *who, const char *path, struct places *p)
{
    char link[64];
    ssize_t n;

    *p = (struct places){.cwd = -1, .rest = path};
    p->root = open_place(who->tid, "root");
    p->own = open_own_fd(who, path, &p->rest);
    if (path[0] == '/')
        return;
    p->cwd = open_place(who->tid, "cwd");
    (void)snprintf(link, sizeof(link), "/proc/%d/cwd", (int)who->tid);
    n = readlink(link, p->cwd_text, sizeof(p->cwd_text) - 1);
    p->cwd_text[n < 0 ? 0 : n] = '\0';
}

static void close_places(const struct places *p)
{
    const int fds[] = {p->root, p->cwd, p->own};

    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

/* The socket's inode, pinned. Symbolic links are followed in the caller's root alone: for a
 * relative path that has one, from the root, by the text of the working directory. */
static int open_path(const struct places *p, const char *path)
{
    cleanup_free char *whole = NULL;
    int fd;

    if (p->own >= 0 && !*p->rest)
        return fcntl(p->own, F_DUPFD_CLOEXEC, 0);
    if (p->own >= 0)
        return open_in(p->own, p->rest, RESOLVE_NO_SYMLINKS);
    if (path[0] == '/')
        return open_in(p->root, path, RESOLVE_IN_ROOT);
    fd = open_in(p->cwd, path, RESOLVE_NO_SYMLINKS);
    if (fd != -ELOOP || p->cwd_text[0] != '/')
        return fd;
    whole = xasprintf("%s/%s", p->cwd_text, path);
    return open_in(p->root, whole, RESOLVE_IN_ROOT);
}

/* --- the connection --- */

static int connect_pinned(int sock, int pinned)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d", pinned);
    return connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

/* What the kernel calls it, for the policy that is learned. */
static void read_real(int pinned, char real[UNIX_JUDGE_REAL_SIZE])
{
    char link[64];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", pinned);
    n = readlink(link, real, UNIX_JUDGE_REAL_SIZE);
    real[n > 0 && n < UNIX_JUDGE_REAL_SIZE && real[0] == '/' ? n : 0] = '\0';
}

/* With the caller's ids in force. */
static int judge_and_connect(struct unix_judge *j, const struct places *places, int sock,
                             const char *path, struct unix_verdict *v)
{
    cleanup_close int pinned = open_path(places, path);
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
    read_real(pinned, v->real);
    if (v->endpoint == POLICY_INDEX_NONE)
        v->decision = j->policy->dry_run ? MSG_WOULD_DENY : MSG_DENY;
    if (v->decision == MSG_DENY)
        return -ENETUNREACH;
    return connect_pinned(sock, pinned);
}

static int connect_path(struct unix_judge *j, const struct unix_asker *who, const char *path,
                        struct unix_verdict *v)
{
    struct places places;
    struct unix_ids own;
    int r;

    find_places(who, path, &places);
    if (places.root < 0 || (path[0] != '/' && places.cwd < 0)) {
        r = -EACCES;
    } else if ((r = unix_ids_borrow(&who->ids, &own)) == 0) {
        r = judge_and_connect(j, &places, who->socket, path, v);
        unix_ids_return(&own);
    }
    close_places(&places);
    return r;
}

static int connect_abstract(const struct unix_asker *who, const struct sockaddr_un *un, size_t len)
{
    struct unix_ids own;
    int r = unix_ids_borrow(&who->ids, &own);

    if (r < 0)
        return r;
    r = connect(who->socket, (const struct sockaddr *)un, (socklen_t)len) < 0 ? -errno : 0;
    unix_ids_return(&own);
    return r;
}

int unix_judge_connect(struct unix_judge *j, const struct unix_asker *who,
                       const struct sockaddr_storage *address, size_t len,
                       char path[UNIX_JUDGE_PATH_SIZE], struct unix_verdict *verdict)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)address;
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    socklen_t size = sizeof(int);
    int type = 0;

    *verdict = (struct unix_verdict){.decision = MSG_ALLOW, .endpoint = POLICY_INDEX_NONE};
    path[0] = '\0';
    if (getsockopt(who->socket, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return -errno;
    if (type == SOCK_DGRAM)
        return -EPROTONOSUPPORT;
    if (len <= offset || un->sun_family != AF_UNIX || len > sizeof(*un))
        return -EINVAL;
    if (un->sun_path[0] == '\0')
        return connect_abstract(who, un, len);
    memcpy(path, un->sun_path, len - offset);
    path[len - offset] = '\0';
    return connect_path(j, who, path, verdict);
}
