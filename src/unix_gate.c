/* unix_gate.c: the threads that make the jail's connections.
 *
 * Only connect(2) is notified. Each notification is taken by one thread, which copies the address
 * once, takes the socket itself by pidfd_getfd(2), judges both, and makes the connection on that
 * socket with that copy: what the command changes in its memory or its descriptors meanwhile
 * changes nothing. SECCOMP_USER_NOTIF_FLAG_CONTINUE is never answered. Right before the connection
 * is made, the kernel is asked whether the caller still waits for it; if not, none is made.
 *
 * A connect that blocks (a full backlog) blocks its thread: there is always one more thread that
 * waits for the next notification, up to THREADS_MAX. If the caller is interrupted by a signal or
 * killed meanwhile, its notification becomes invalid; a janitor sees that and interrupts the
 * thread, so that nothing stays behind. The signal then has in the command the effect that it has
 * outside: EINTR, or the call is made again (signal(7)), which is a new notification.
 *
 * An AF_UNIX path is judged in unix_judge.c. Sockets of other families are in the jail's network,
 * where connecting is free, but for netlink: to another socket than the kernel's, and to a group,
 * connecting takes a capability over the network (netlink(7)), which this process has and the
 * command has not. A socket of the host's network, which somebody passed in, is refused whatever
 * its family. */
#include "src/unix_gate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/msg.h"
#include "src/unix_judge.h"
#include "src/util.h"

#define THREADS_MAX 4096
#define THREADS_IDLE 4 /* more than these go when they have nothing to do */
#define THREAD_STACK (192u << 10)
#define FDS_PER_THREAD 16 /* of the limit on descriptors: a thread holds at most six */
#define JANITOR_MS 50
#define JANITOR_CHECKS 64   /* with the lock held, before others may go on */
#define JANITOR_BREATH_MS 2 /* until the next so many */
#define ORPHANS_MAX 64
#define INTERRUPT (SIGRTMIN + 3) /* none that is forwarded to the command */

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* A thread that serves a notification: the janitor looks at these. */
struct busy {
    uint64_t id;
    pid_t tid;
    pthread_t thread;
    struct busy *next, **at;
};

/* A connection that was made when its caller did not wait any more; see was_orphaned. */
struct orphan {
    pid_t tid;
    ino_t socket;
};

struct gate {
    struct unix_gate what;
    uint64_t host_netns;
    unsigned threads_max;
    pthread_mutex_t lock; /* guards what follows */
    unsigned threads, idle;
    struct orphan orphans[ORPHANS_MAX]; /* ring */
    size_t orphan_next;
    struct busy *busy;
    struct busy *sweep; /* the next one that the janitor looks at; NULL: begin anew */
};

static void start_thread(struct gate *g, void *(*start)(void *));

/* --- one notification --- */

struct call {
    struct unix_asker who;
    int number; /* the socket's, among the caller's descriptors */
    int socket; /* -1: it is not held */
    ino_t inode;
};

static bool still_valid(const struct gate *g, uint64_t id)
{
    int r;

    do
        r = ioctl(g->what.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id);
    while (r < 0 && errno == EINTR); /* by the janitor */
    if (r < 0 && errno != ENOENT)    /* the caller would wait for ever */
        die("the gate cannot tell who waits: %s", strerror(errno));
    return r == 0;
}

static bool asker_waits(const struct unix_asker *c)
{
    return still_valid(c->arg, c->id);
}

static int copy_address(pid_t tid, uint64_t from, size_t len, struct sockaddr_storage *to)
{
    struct iovec local = {.iov_base = to, .iov_len = len};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)from, .iov_len = len};

    memset(to, 0, sizeof(*to));
    if (len == 0)
        return 0;
    return process_vm_readv(tid, &local, 1, &remote, 1, 0) == (ssize_t)len ? 0 : -EFAULT;
}

/* A thread may have descriptors of its own (unshare(2) with CLONE_FILES); older kernels know the
 * process's only. */
static int open_pidfd(struct unix_asker *c)
{
    int fd = (int)syscall(SYS_pidfd_open, c->tid, PIDFD_THREAD);

    if (fd < 0 && unix_caller_read(c->tid, &c->ids) == 0)
        fd = (int)syscall(SYS_pidfd_open, c->ids.tgid, 0);
    return fd;
}

/* The caller's descriptor of that number. What is returned on failure is what connect(2) then
 * returns. */
static int get_fd(const struct unix_asker *who, int number)
{
    int fd = (int)syscall(SYS_pidfd_getfd, who->pidfd, number, 0);

    return fd >= 0 ? fd : errno == EBADF ? -EBADF : -EACCES;
}

static int take_socket(struct call *c)
{
    struct stat st;

    c->who.pidfd = open_pidfd(&c->who);
    if (c->who.pidfd < 0)
        return -EACCES;
    c->socket = get_fd(&c->who, c->number);
    if (c->socket < 0)
        return c->socket;
    c->inode = fstat(c->socket, &st) < 0 ? 0 : st.st_ino;
    return 0;
}

static void drop_socket(struct call *c)
{
    if (c->socket >= 0)
        (void)close(c->socket);
    c->socket = -1;
}

/* AF_*, or -errno: of no socket, or of one of the host's network. */
static int family_of(const struct gate *g, int fd)
{
    uint64_t netns = 0;
    socklen_t size = sizeof(int), netns_size = sizeof(netns);
    int family;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0)
        return -errno; /* ENOTSOCK */
    if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &netns, &netns_size) < 0 ||
        netns == g->host_netns)
        return -ENETUNREACH;
    return family;
}

/* Once more, of the same call: the descriptor may be of another one meanwhile. */
static int take_again(const struct unix_asker *who)
{
    const struct call *c = (const struct call *)(const void *)who;
    cleanup_close int fd = get_fd(who, c->number);
    int family = fd < 0 ? fd : family_of(who->arg, fd);

    if (family < 0)
        return family;
    return family == AF_UNIX ? steal_fd(&fd) : -EINVAL;
}

/* Before the caller has its answer: what it did is in the supervisor's socket when it ends. */
static void report(const struct gate *g, const struct unix_verdict *v, const char *path)
{
    struct msg_log_unix m = {.decision = v->decision, .endpoint = v->endpoint};
    ssize_t r;

    msg_init(&m, MSG_LOG_UNIX, sizeof(m));
    copy_string(m.path, sizeof(m.path), path);
    copy_string(m.real, sizeof(m.real), v->real);
    do
        r = send(g->what.reports, &m, sizeof(m), MSG_NOSIGNAL);
    while (r < 0 && (errno == EINTR || errno == ENOBUFS || errno == ENOMEM));
    if (r < 0)
        die("the supervisor has gone");
}

/* The ids are read here alone: a socket of the internet is connected to without them, and often.
 * The socket is let go first: a path may lead into a file system of the jail's own (FUSE) that does
 * not answer, and whose end, /dev/fuse, is under way in that very socket. */
static int connect_unix(const struct gate *g, struct call *c,
                        const struct sockaddr_storage *address, size_t len)
{
    char path[UNIX_JUDGE_PATH_SIZE];
    struct unix_verdict v;
    int r;

    drop_socket(c);
    if (unix_caller_read(c->who.tid, &c->who.ids) < 0)
        return -EACCES;
    if (!asker_waits(&c->who)) /* else they may be those of a process with a recycled number */
        return -EINTR;
    r = unix_judge_connect(g->what.judge, &c->who, address, len, path, &v);
    if (v.logged)
        report(g, &v, path);
    return r;
}

/* The kernel's own check would be made with this process's capabilities. */
static bool is_free_netlink(const struct sockaddr_storage *address)
{
    const struct sockaddr_nl *nl = (const struct sockaddr_nl *)(const void *)address;

    return address->ss_family != AF_NETLINK || (nl->nl_pid == 0 && nl->nl_groups == 0);
}

/* The connection itself: 0 or -errno, as the caller will see it. */
static int make_connection(const struct gate *g, struct call *c,
                           const struct sockaddr_storage *address, size_t len)
{
    int family = family_of(g, c->socket);

    if (family < 0)
        return family;
    if (family == AF_UNIX)
        return connect_unix(g, c, address, len);
    if (family == AF_NETLINK && !is_free_netlink(address))
        return -EPERM;
    if (!asker_waits(&c->who))
        return -EINTR;
    return connect(c->socket, (const struct sockaddr *)address, (socklen_t)len) < 0 ? -errno : 0;
}

/* --- callers that were interrupted --- */

static void add_orphan(struct gate *g, pid_t tid, ino_t socket)
{
    (void)pthread_mutex_lock(&g->lock);
    g->orphans[g->orphan_next++ % ORPHANS_MAX] = (struct orphan){tid, socket};
    (void)pthread_mutex_unlock(&g->lock);
}

static bool take_orphan(struct gate *g, pid_t tid, ino_t socket)
{
    bool found = false;

    (void)pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < ORPHANS_MAX && !found; i++)
        if (g->orphans[i].tid == tid && g->orphans[i].socket == socket) {
            g->orphans[i] = (struct orphan){0, 0};
            found = true;
        }
    (void)pthread_mutex_unlock(&g->lock);
    return found;
}

/* Interrupts the threads that still serve an earlier call of this caller, which does not wait for
 * them any more. False if there is none. */
static bool interrupt_earlier(struct gate *g, uint64_t id, pid_t tid)
{
    bool found = false;

    (void)pthread_mutex_lock(&g->lock);
    for (struct busy *b = g->busy; b; b = b->next)
        if (b->tid == tid && b->id != id) {
            (void)pthread_kill(b->thread, INTERRUPT);
            found = true;
        }
    (void)pthread_mutex_unlock(&g->lock);
    return found;
}

/* A call is made again after a signal (SA_RESTART), or by the program after EINTR, while the thread
 * of the interrupted one may still be in connect(2). Two at once on one socket would wait for each
 * other's places in the backlog: so the earlier one ends first. If it made the connection before it
 * could be stopped, this call has succeeded. */
static bool was_orphaned(struct gate *g, uint64_t id, const struct call *c)
{
    const struct timespec pause = {0, 500000};

    while (interrupt_earlier(g, id, c->who.tid) && still_valid(g, id))
        (void)nanosleep(&pause, NULL);
    return take_orphan(g, c->who.tid, c->inode);
}

/* --- serving --- */

/* Reads what the caller wants. False if the caller has gone. Else *r is 0 or what to answer. */
static bool take_request(struct gate *g, const struct seccomp_notif *n, struct call *c,
                         struct sockaddr_storage *address, int *r)
{
    int len = (int)n->data.args[2];

    if (len < 0 || (size_t)len > sizeof(*address)) {
        *r = -EINVAL; /* move_addr_to_kernel */
        return true;
    }
    *r = copy_address(c->who.tid, n->data.args[1], (size_t)len, address);
    if (*r == 0)
        *r = take_socket(c);
    /* If it is valid now, all that was read above was the caller's, not of a process with a
     * recycled number. */
    return still_valid(g, n->id);
}

/* False if the caller does not wait any more. One that would wait for ever is not left behind. */
static bool send_answer(const struct gate *g, struct seccomp_notif_resp *resp)
{
    int r;

    do
        r = ioctl(g->what.listener, SECCOMP_IOCTL_NOTIF_SEND, resp);
    while (r < 0 && errno == EINTR);
    if (r < 0 && errno != ENOENT)
        die("the gate cannot answer the jail: %s", strerror(errno));
    return r == 0;
}

static void answer(struct gate *g, const struct seccomp_notif *n)
{
    struct call c = {.who = {.tid = (pid_t)n->pid,
                             .pidfd = -1,
                             .take = take_again,
                             .waits = asker_waits,
                             .arg = g,
                             .id = n->id},
                     .number = (int)n->data.args[0],
                     .socket = -1};
    struct seccomp_notif_resp resp = {.id = n->id};
    struct sockaddr_storage address;
    int r;

    if (take_request(g, n, &c, &address, &r)) {
        if (r == 0 && !was_orphaned(g, n->id, &c))
            r = make_connection(g, &c, &address, (size_t)n->data.args[2]);
        resp.error = r;
        if (!send_answer(g, &resp) && r == 0)
            add_orphan(g, c.who.tid, c.inode);
    }
    drop_socket(&c);
    if (c.who.pidfd >= 0)
        (void)close(c.who.pidfd);
}

/* --- threads --- */

static void begin_busy(struct gate *g, struct busy *b, const struct seccomp_notif *n)
{
    bool more;

    *b = (struct busy){.id = n->id, .tid = (pid_t)n->pid, .thread = pthread_self()};
    (void)pthread_mutex_lock(&g->lock);
    b->next = g->busy;
    if (b->next)
        b->next->at = &b->next;
    b->at = &g->busy;
    g->busy = b;
    g->idle--;
    more = g->idle == 0 && g->threads < g->threads_max;
    if (more)
        g->threads++, g->idle++;
    (void)pthread_mutex_unlock(&g->lock);
    if (more)
        start_thread(g, NULL);
}

/* False if the thread is not needed any more. */
static bool end_busy(struct gate *g, struct busy *b)
{
    bool stay;

    (void)pthread_mutex_lock(&g->lock);
    *b->at = b->next;
    if (b->next)
        b->next->at = b->at;
    if (g->sweep == b)
        g->sweep = b->next;
    stay = g->idle < THREADS_IDLE;
    if (stay)
        g->idle++;
    else
        g->threads--;
    (void)pthread_mutex_unlock(&g->lock);
    return stay;
}

/* No process has the filter any more. Linux 6.11 says so by ENOENT, again and again. */
static bool is_over(const struct gate *g)
{
    struct pollfd p = {.fd = g->what.listener};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

static void *thread_main(void *arg)
{
    struct gate *g = arg;
    struct busy b;
    union {
        struct seccomp_notif n;
        char room[512]; /* a newer kernel's may be longer */
    } u;

    for (;;) {
        memset(&u, 0, sizeof(u));
        if (ioctl(g->what.listener, SECCOMP_IOCTL_NOTIF_RECV, &u.n) < 0) {
            if (errno == EINTR || (errno == ENOENT && !is_over(g)))
                continue;
            if (!is_over(g))
                die("the gate cannot take the jail's connections: %s", strerror(errno));
            return NULL;
        }
        begin_busy(g, &b, &u.n);
        answer(g, &u.n);
        if (!end_busy(g, &b))
            return NULL;
    }
}

/* Interrupts some of the threads whose caller waits no more. False once all have been looked at. */
static bool sweep_some(struct gate *g)
{
    struct busy *b;
    unsigned n;

    (void)pthread_mutex_lock(&g->lock);
    b = g->sweep ? g->sweep : g->busy;
    for (n = 0; b && n < JANITOR_CHECKS; n++, b = b->next)
        if (!still_valid(g, b->id))
            (void)pthread_kill(b->thread, INTERRUPT);
    g->sweep = b;
    (void)pthread_mutex_unlock(&g->lock);
    return b != NULL;
}

static void *janitor_main(void *arg)
{
    const struct timespec pause = {0, JANITOR_MS * 1000000};
    const struct timespec breath = {0, JANITOR_BREATH_MS * 1000000};

    for (;;)
        (void)nanosleep(sweep_some(arg) ? &breath : &pause, NULL);
    return NULL;
}

static void start_thread(struct gate *g, void *(*start)(void *))
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t set, old;
    int r;

    (void)sigfillset(&set);
    (void)sigdelset(&set, INTERRUPT);
    (void)pthread_sigmask(SIG_SETMASK, &set, &old);
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, THREAD_STACK);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    r = pthread_create(&thread, &attr, start ? start : thread_main, g);
    (void)pthread_attr_destroy(&attr);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r == 0)
        return;
    if (start)
        die("cannot start a thread for connect(2): %s", strerror(r));
    (void)pthread_mutex_lock(&g->lock); /* out of memory: those that there are must do */
    g->threads--;
    g->idle--;
    if (g->threads == 0)
        die("cannot start a thread for connect(2): %s", strerror(r));
    (void)pthread_mutex_unlock(&g->lock);
}

/* --- public --- */

static void on_interrupt(int signal)
{
    (void)signal; /* only to make connect(2) return EINTR */
}

static int own_netns_cookie(uint64_t *cookie, struct error *e)
{
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof(*cookie);

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &size) < 0)
        return error_errno(e, errno,
                           "cannot tell network namespaces apart (SO_NETNS_COOKIE, Linux 5.14)");
    return 0;
}

int unix_gate_start(const struct unix_gate *what, struct error *e)
{
    struct sigaction action = {.sa_handler = on_interrupt}; /* without SA_RESTART */
    struct gate *g = xcalloc(1, sizeof(*g));                /* lives as long as the process */
    int r;

    *g = (struct gate){.what = *what, .threads = 1, .idle = 1};
    g->threads_max = raise_nofile() / FDS_PER_THREAD < THREADS_MAX
                         ? (unsigned)(raise_nofile() / FDS_PER_THREAD)
                         : THREADS_MAX;
    r = own_netns_cookie(&g->host_netns, e);
    if (r < 0)
        return r;
    (void)pthread_mutex_init(&g->lock, NULL);
    (void)sigaction(INTERRUPT, &action, NULL);
    start_thread(g, NULL);
    start_thread(g, janitor_main);
    return 0;
}
