/* unix_judge.c: the road of one AF_UNIX connect.
 *
 *   abstract or unnamed  the name is looked up in the socket's own network namespace, which is not
 *                        the host's: free (a name that the policy allows is bridged, mirror.h)
 *   a path               opened once in the caller's root (O_PATH): from here on it is an inode,
 *                        (unix_path.h), not a name
 *   a listener inside    a socket of the jail's network namespace, or of one that was made in the
 *                        jail, is bound to that inode: free (unix_diag.h finds it, and
 *                        unix_holders.h asks the socket itself)
 *   none at all          ECONNREFUSED, as outside: nobody is bound to the file any more
 *   one outside          must be a socket that the policy names (in a dry run any may be one)
 *   then                 connect(2) to the pinned inode by its descriptor, with the caller's ids
 *                        (unix_ids.h), so that the file's permissions and SO_PEERCRED at the
 *                        listener are as they would be outside; if the caller still waits for it
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
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/unix_diag.h"
#include "src/unix_holders.h"
#include "src/unix_path.h"
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
    struct unix_holders *holders; /* NULL until the jail is known */
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
    j->holders = unix_holders_new(diag);
    if (!j->holders)
        return error_errno(e, errno, "cannot tell which network namespace is the jail's");
    if (j->host >= 0)
        return 0;
    j->host = unix_diag_open(e);
    return j->host < 0 ? j->host : 0;
}

/* A socket's file, held by its descriptor. */
struct pinned {
    int fd; /* O_PATH; -1 */
    struct stat st;
    struct unix_inode inode;
};

static void find_sockets(struct unix_judge *j, int diag, const struct pinned *p, const char *name,
                         struct unix_diag_found *found)
{
    (void)pthread_mutex_lock(&j->diag_lock);
    (void)unix_diag_find(diag, &p->inode, name, found);
    (void)pthread_mutex_unlock(&j->diag_lock);
}

static bool is_hosts(struct unix_judge *j, const struct pinned *p, const char *name)
{
    struct unix_diag_found found = {0};

    find_sockets(j, j->host, p, name, &found);
    return found.count > 0;
}

static bool is_jails(struct unix_judge *j, const struct pinned *p)
{
    struct unix_diag_found found = {0};

    find_sockets(j, j->jail, p, NULL, &found);
    return found.count > 0 && unix_holders_have(j->holders, p->fd, found.numbers, found.count);
}

static bool is_at(const char *path, const struct stat *st)
{
    struct stat at;

    return stat(path, &at) == 0 && at.st_dev == st->st_dev && at.st_ino == st->st_ino;
}

/* The endpoint whose socket was there before the command started. */
static uint32_t find_pinned(const struct unix_judge *j, const struct pinned *p)
{
    for (size_t i = 0; i < j->count; i++) {
        const struct named *n = &j->named[i];
        if (n->pinned && n->dev == p->st.st_dev && n->ino == p->st.st_ino)
            return policy_index(j->policy, n->endpoint);
    }
    return POLICY_INDEX_NONE;
}

/* The endpoint whose socket was made since then. */
static uint32_t find_by_name(struct unix_judge *j, const struct pinned *p)
{
    for (size_t i = 0; i < j->count; i++) {
        const struct named *n = &j->named[i];
        const char *path = n->endpoint->path;
        if (is_at(path, &p->st) && (is_hosts(j, p, path) || is_hosts(j, p, n->real)))
            return policy_index(j->policy, n->endpoint);
    }
    return POLICY_INDEX_NONE;
}

/* What the kernel calls it, for the policy that is learned. */
static void read_real(int pinned, char real[UNIX_JUDGE_REAL_SIZE])
{
    UNINITIALIZED char path[PATH_MAX];

    real[0] = '\0';
    if (fd_path(pinned, path) == 0 && strlen(path) < UNIX_JUDGE_REAL_SIZE)
        copy_string(real, UNIX_JUDGE_REAL_SIZE, path);
}

/* Whose socket is it? 0: the jail's, or one that the policy names (or that passes in a dry run). */
static int judge(struct unix_judge *j, const struct pinned *p, struct unix_verdict *v)
{
    if (is_jails(j, p))
        return 0;
    if (!unix_diag_is_bound_anywhere(p->fd))
        return -ECONNREFUSED;
    v->endpoint = find_pinned(j, p);
    if (v->endpoint == POLICY_INDEX_NONE) {
        if (unix_holders_have(j->holders, p->fd, NULL, 0))
            return 0;
        v->endpoint = find_by_name(j, p);
    }
    v->logged = true;
    read_real(p->fd, v->real);
    if (v->endpoint == POLICY_INDEX_NONE)
        v->decision = j->policy->dry_run ? MSG_WOULD_DENY : MSG_DENY;
    return v->decision == MSG_DENY ? -ENETUNREACH : 0;
}

/* --- the connection --- */

/* 0, or -errno: of a socket that cannot be connected. Connections, which may have /dev/fuse under
 * way in them, do not come near a path that way (unix_gate.c, connect_unix). */
static int may_connect(int fd)
{
    struct sockaddr_un peer;
    socklen_t size = sizeof(int), peer_size = sizeof(peer);
    int type = SOCK_DGRAM, listens = 0;

    (void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
    (void)getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
    if (type == SOCK_DGRAM)
        return -EPROTONOSUPPORT;
    if (listens)
        return -EINVAL;
    return getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 ? -EISCONN : 0;
}

/* With the caller's ids, if it still waits: whom nobody waits for is not connected to. */
static int connect_as(const struct unix_asker *who, const void *address, size_t len)
{
    cleanup_close int fd = who->take(who);
    struct unix_ids own;
    int r;

    if (fd < 0)
        return fd;
    if ((r = may_connect(fd)) < 0 || (r = unix_ids_borrow(&who->ids, &own)) < 0)
        return r;
    if (!who->waits(who))
        r = -EINTR;
    else if (connect(fd, address, (socklen_t)len) < 0)
        r = -errno;
    unix_ids_return(&own);
    return r;
}

static int connect_pinned(const struct unix_asker *who, const struct pinned *p)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d", p->fd);
    return connect_as(who, &to, sizeof(to));
}

/* Opens the path as the caller may. p->fd is the reader's to close. */
static int pin(const struct unix_asker *who, const char *path, struct pinned *p)
{
    struct unix_places places;
    struct unix_ids own;
    int r = unix_places_find(who->tid, who->pidfd, path, &places);

    if (r == 0 && (r = unix_ids_borrow(&who->ids, &own)) == 0) {
        p->fd = r = unix_places_open(&places, path);
        unix_ids_return(&own);
    }
    unix_places_close(&places);
    if (r < 0)
        return r;
    if (fstat(p->fd, &p->st) < 0)
        return -errno;
    if (!S_ISSOCK(p->st.st_mode))
        return -ECONNREFUSED;
    p->inode = unix_diag_inode(p->fd, &p->st, who->tid);
    return 0;
}

static int connect_path(struct unix_judge *j, const struct unix_asker *who, const char *path,
                        struct unix_verdict *v)
{
    struct pinned p = {.fd = -1};
    int r = pin(who, path, &p);

    if (r == 0 && (r = judge(j, &p, v)) == 0)
        r = connect_pinned(who, &p);
    if (p.fd >= 0)
        (void)close(p.fd);
    return r;
}

int unix_judge_connect(struct unix_judge *j, const struct unix_asker *who,
                       const struct sockaddr_storage *address, size_t len,
                       char path[UNIX_JUDGE_PATH_SIZE], struct unix_verdict *verdict)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)address;
    size_t offset = offsetof(struct sockaddr_un, sun_path);

    *verdict = (struct unix_verdict){.decision = MSG_ALLOW, .endpoint = POLICY_INDEX_NONE};
    path[0] = '\0';
    if (len <= offset || un->sun_family != AF_UNIX || len > sizeof(*un))
        return -EINVAL;
    if (un->sun_path[0] == '\0')
        return connect_as(who, un, len);
    memcpy(path, un->sun_path, len - offset);
    path[len - offset] = '\0';
    return connect_path(j, who, path, verdict);
}
