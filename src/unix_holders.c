/* unix_holders.c: sockets that processes of the jail hold, asked themselves.
 *
 * sock_diag says to which inode a socket is bound by the lower 32 bits of a number that is not
 * unique on all file systems: subvolumes of btrfs count alike, and an inode of XFS or tmpfs may
 * have more bits. The command can make such files. So what lets a connection pass is the socket
 * itself:
 *
 *   which file    SIOCUNIXFILE opens the file that the socket is bound to (O_PATH), and fstat(2) of
 *                 both says if it is the same
 *   which network SIOCGSKNS is the socket's own network namespace, however its holder got it. It is
 *                 J, or was made inside the jail if the user namespace that owns it is a descendant
 *                 of U1, which owns J. G is U1's own, too, and is not meant. The command cannot
 *                 make any other, nor can another process of the machine make one of these.
 *   where from    pidfd_getfd(2), out of the processes that are in such a network namespace. The
 *                 folder /proc/PID/fd of one that is not dumpable (ssh-agent, gpg-agent) may not be
 *                 read, so there each number is tried.
 *
 * A listener that is under way in a message (SCM_RIGHTS) is held by nobody for that while, and a
 * thread may have descriptors of its own, or be the last one of its process. So if no process has
 * it, the threads are asked, too, and all of it is repeated.
 *
 * Syscalls: open, getdents, readlink, stat, pidfd_open, pidfd_getfd, getsockopt, ioctl, fstat. */
#include "src/unix_holders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <linux/un.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "src/unix_ids.h"
#include "src/util.h"

#define LEVELS_MAX 33      /* of user namespaces; the kernel has 32 */
#define NAMESPACES_MAX 256 /* that are remembered while all processes are looked at */
#define FDS_MAX 65536      /* of a process, if its folder cannot be read */
#define RECENT_MAX 16      /* places where one was found last */
#define SAME_TRIES 3       /* a file's mode may change between two looks */
#define PASSES 8           /* if sock_diag has named a socket */
#define PASSES_UNNAMED 2
#define PAUSE_NS 2000000 /* before the second pass; twice as long before each later one */

/* Where a listener was. */
struct place {
    pid_t pid; /* 0: none */
    int fd;
};

struct unix_holders {
    ino_t jail, owner; /* of J, and U1 */
    pthread_mutex_t lock;
    struct place recent[RECENT_MAX]; /* ring */
    size_t next;
};

/* One question. */
struct hunt {
    struct unix_holders *holders;
    int file; /* O_PATH */
    const uint32_t *numbers;
    size_t count;
    bool threads;
    int found; /* the descriptor's number there */
    struct {
        ino_t netns;
        bool jail;
    } known[NAMESPACES_MAX];
    size_t known_count;
};

/* --- namespaces --- */

static ino_t number_of(int fd)
{
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* Is the user namespace a descendant of the one with that number? */
static bool is_below(int userns, ino_t above)
{
    int at = fcntl(userns, F_DUPFD_CLOEXEC, 0), up;
    bool below = false;

    for (int i = 0; i < LEVELS_MAX && at >= 0 && !below; i++) {
        up = ioctl(at, NS_GET_PARENT); /* EPERM above the caller's own */
        (void)close(at);
        at = up;
        below = up >= 0 && number_of(up) == above;
    }
    if (at >= 0)
        (void)close(at);
    return below;
}

/* J is held, so its number is not another's. */
static bool is_jail_netns(const struct unix_holders *h, int netns)
{
    cleanup_close int owner = -1;

    if (number_of(netns) == h->jail)
        return true;
    owner = ioctl(netns, NS_GET_USERNS);
    return owner >= 0 && is_below(owner, h->owner);
}

/* --- a socket --- */

/* Of files of the same number on the same device, which there may be (a count that has gone around,
 * layers of an overlay), one was made, or changed, at another time. */
static bool is_same_file(int a, int b)
{
    struct stat x, y;

    for (int i = 0; i < SAME_TRIES; i++) {
        if (fstat(a, &x) < 0 || fstat(b, &y) < 0 || x.st_dev != y.st_dev || x.st_ino != y.st_ino)
            return false;
        if (x.st_mode == y.st_mode && x.st_uid == y.st_uid && x.st_gid == y.st_gid &&
            x.st_ctim.tv_sec == y.st_ctim.tv_sec && x.st_ctim.tv_nsec == y.st_ctim.tv_nsec)
            return true;
    }
    return false;
}

/* The file that the socket is bound to (O_PATH), and its network namespace; -1. */
static void ask(int fd, int *file, int *netns)
{
    socklen_t size = sizeof(int);
    int domain = -1;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_UNIX)
        return;
    *file = ioctl(fd, SIOCUNIXFILE);
    if (*file >= 0)
        *netns = ioctl(fd, SIOCGSKNS);
}

/* The socket is not held while its file is looked at, which a file system of the jail's (FUSE) may
 * answer or not: /dev/fuse may be under way in it, and that file system would never end. */
static bool try_fd(struct hunt *hunt, int pidfd, int number)
{
    cleanup_close int file = -1, netns = -1;
    int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);

    if (fd < 0)
        return false;
    ask(fd, &file, &netns);
    (void)close(fd);
    if (netns < 0 || !is_jail_netns(hunt->holders, netns) || !is_same_file(file, hunt->file))
        return false;
    hunt->found = number;
    return true;
}

/* --- a process, or a thread --- */

/* "socket:[NUMBER]" */
static bool is_asked_for(const struct hunt *hunt, int folder, const char *name)
{
    char link[64];
    ssize_t n = readlinkat(folder, name, link, sizeof(link) - 1);
    unsigned long number;

    link[n > 0 ? n : 0] = '\0';
    if (sscanf(link, "socket:[%lu]", &number) != 1)
        return false;
    for (size_t i = 0; hunt->numbers && i < hunt->count; i++)
        if (hunt->numbers[i] == number)
            return true;
    return !hunt->numbers;
}

static bool look_into_folder(struct hunt *hunt, int pidfd, DIR *folder)
{
    struct dirent *d;
    bool found = false;

    while (!found && (d = readdir(folder)))
        if (is_asked_for(hunt, dirfd(folder), d->d_name))
            found = try_fd(hunt, pidfd, atoi(d->d_name));
    (void)closedir(folder);
    return found;
}

/* "FDSize:\tN", proc_pid_status(5): slots for descriptors. */
static int count_slots(const char *process)
{
    cleanup_free char *text = NULL;
    char path[96];
    const char *at;
    size_t len;
    long n;

    (void)snprintf(path, sizeof(path), "%s/status", process);
    if (read_file(path, 65536, &text, &len, NULL) < 0)
        return 0;
    at = strstr(text, "\nFDSize:");
    n = at ? strtol(at + strlen("\nFDSize:"), NULL, 10) : 0;
    return n < 0 ? 0 : n < FDS_MAX ? (int)n : FDS_MAX;
}

static bool look_at_descriptors(struct hunt *hunt, int pidfd, const char *process)
{
    bool found = false;
    char path[96];
    DIR *folder;

    (void)snprintf(path, sizeof(path), "%s/fd", process);
    folder = opendir(path);
    if (folder)
        return look_into_folder(hunt, pidfd, folder);
    for (int i = 0, slots = count_slots(process); i < slots && !found; i++)
        found = try_fd(hunt, pidfd, i);
    return found;
}

static bool is_in_jail(struct hunt *hunt, const char *process)
{
    cleanup_close int netns = -1;
    struct stat st;
    char path[96];
    bool jail;

    (void)snprintf(path, sizeof(path), "%s/ns/net", process);
    if (stat(path, &st) < 0)
        return false;
    for (size_t i = 0; i < hunt->known_count; i++)
        if (hunt->known[i].netns == st.st_ino)
            return hunt->known[i].jail;
    netns = open(path, O_RDONLY | O_CLOEXEC);
    if (netns < 0)
        return false;
    jail = is_jail_netns(hunt->holders, netns);
    if (hunt->known_count < NAMESPACES_MAX) {
        hunt->known[hunt->known_count].netns = number_of(netns);
        hunt->known[hunt->known_count++].jail = jail;
    }
    return jail;
}

/* A pidfd of a process, or a thread, of the jail; -1 of any other. process: its folder in /proc. */
static int open_in_jail(struct hunt *hunt, const char *process, pid_t pid, unsigned flags)
{
    return is_in_jail(hunt, process) ? (int)syscall(SYS_pidfd_open, pid, flags) : -1;
}

static bool look_at(struct hunt *hunt, const char *process, pid_t pid, unsigned flags)
{
    cleanup_close int pidfd = open_in_jail(hunt, process, pid, flags);

    return pidfd >= 0 && look_at_descriptors(hunt, pidfd, process);
}

static bool look_at_process(struct hunt *hunt, pid_t pid)
{
    char process[64];

    (void)snprintf(process, sizeof(process), "/proc/%d", (int)pid);
    return look_at(hunt, process, pid, 0);
}

static pid_t pid_of(const struct dirent *d)
{
    return d->d_name[0] >= '1' && d->d_name[0] <= '9' ? (pid_t)atoi(d->d_name) : 0;
}

static bool look_at_threads(struct hunt *hunt, pid_t pid)
{
    bool found = false;
    struct dirent *d;
    char path[96];
    DIR *tasks;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    if (!tasks)
        return false;
    while (!found && (d = readdir(tasks))) {
        pid_t tid = pid_of(d);
        (void)snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pid, (int)tid);
        found = tid && look_at(hunt, path, tid, PIDFD_THREAD);
    }
    (void)closedir(tasks);
    return found;
}

/* --- all of them --- */

static bool look_at_place(struct hunt *hunt, const struct place *at)
{
    cleanup_close int pidfd = -1;
    char process[64];

    (void)snprintf(process, sizeof(process), "/proc/%d", (int)at->pid);
    pidfd = open_in_jail(hunt, process, at->pid, 0); /* -1: the number is another's now */
    return pidfd >= 0 && try_fd(hunt, pidfd, at->fd);
}

static bool look_at_recent(struct hunt *hunt)
{
    struct unix_holders *h = hunt->holders;
    struct place recent[RECENT_MAX];

    (void)pthread_mutex_lock(&h->lock);
    memcpy(recent, h->recent, sizeof(recent));
    (void)pthread_mutex_unlock(&h->lock);
    for (size_t i = 0; i < RECENT_MAX; i++)
        if (recent[i].pid && look_at_place(hunt, &recent[i]))
            return true;
    return false;
}

static void remember(struct unix_holders *h, pid_t pid, int fd)
{
    (void)pthread_mutex_lock(&h->lock);
    h->recent[h->next++ % RECENT_MAX] = (struct place){pid, fd};
    (void)pthread_mutex_unlock(&h->lock);
}

static bool look_at_all(struct hunt *hunt)
{
    bool found = false;
    struct dirent *d;
    DIR *proc = opendir("/proc");

    if (!proc)
        return false;
    while (!found && (d = readdir(proc))) {
        pid_t pid = pid_of(d);
        found =
            pid && (look_at_process(hunt, pid) || (hunt->threads && look_at_threads(hunt, pid)));
        if (found)
            remember(hunt->holders, pid, hunt->found);
    }
    (void)closedir(proc);
    return found;
}

/* --- public --- */

struct unix_holders *unix_holders_new(int jail)
{
    struct unix_holders *h = xcalloc(1, sizeof(*h));
    cleanup_close int netns = ioctl(jail, SIOCGSKNS), owner = -1;

    owner = netns < 0 ? -1 : ioctl(netns, NS_GET_USERNS);
    h->jail = number_of(netns);
    h->owner = number_of(owner);
    (void)pthread_mutex_init(&h->lock, NULL);
    if (h->jail && h->owner)
        return h;
    free(h);
    return NULL;
}

bool unix_holders_have(struct unix_holders *h, int fd, const uint32_t *numbers, size_t count)
{
    struct hunt hunt = {.holders = h, .file = fd, .numbers = numbers, .count = count};
    struct timespec pause = {0, PAUSE_NS};

    if (look_at_recent(&hunt) || look_at_all(&hunt))
        return true;
    hunt.threads = true;
    for (int i = 1; i < (numbers ? PASSES : PASSES_UNNAMED); i++, pause.tv_nsec *= 2) {
        (void)nanosleep(&pause, NULL);
        if (look_at_all(&hunt))
            return true;
    }
    return false;
}
