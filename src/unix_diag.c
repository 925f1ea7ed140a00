/* unix_diag.c: a bound AF_UNIX socket's inode belongs to that socket for good: bind(2) makes a new
 * inode, and none is ever bound twice. So whether a listener is the jail's is a question about the
 * inode, with no race in it: is there a socket in the jail's network namespace that is bound to it?
 * The kernel answers it by UDIAG_SHOW_VFS, with the lower 32 bits of the inode's number: good
 * enough to find the socket by, not to believe it.
 *
 * Only sockets that a connect(2) can meet are asked for: those that listen, and those that are
 * bound and do not listen yet (TCP_CLOSE). The name that a socket was bound to stays its name,
 * whatever is done to the file afterwards.
 *
 * The device is that of the file system (s_dev). On btrfs and on an overlayfs over several file
 * systems stat(2) tells another one, of the subvolume or the layer; the mount that the inode was
 * reached by tells the file system's (proc_pid_mountinfo(5)).
 *
 * Whether a socket of any network namespace at all is bound to an inode is learnt by a datagram
 * socket's connect(2): ECONNREFUSED if there is none, EPROTOTYPE if there is one of another type.
 * A datagram socket that is connected to does not notice it. */
#include "src/unix_diag.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/magic.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "src/util.h"

#define FOREIGN_MAX 64    /* messages in a row that are not the kernel's */
#define MOUNTS_MAX 100000 /* lines of mountinfo that are looked at */

struct search {
    uint32_t ino, dev;
    const char *name; /* NULL: any */
    struct unix_diag_found *found;
};

int unix_diag_open(struct error *e)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    if (fd < 0)
        return error_errno(e, errno, "cannot open a sock_diag socket");
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int err = errno;
        (void)close(fd);
        return error_errno(e, err, "cannot bind a sock_diag socket");
    }
    return fd;
}

struct socket_entry {
    bool inode, name; /* are those that are searched for */
    const struct search *search;
};

static int on_attribute(const struct nlattr *attr, void *data)
{
    struct socket_entry *entry = data;
    const struct search *s = entry->search;
    const struct unix_diag_vfs *vfs = mnl_attr_get_payload(attr);
    const char *name = mnl_attr_get_payload(attr);
    size_t len = mnl_attr_get_payload_len(attr);

    if (mnl_attr_get_type(attr) == UNIX_DIAG_VFS && len >= sizeof(*vfs))
        entry->inode = vfs->udiag_vfs_ino == s->ino && vfs->udiag_vfs_dev == s->dev;
    else if (mnl_attr_get_type(attr) == UNIX_DIAG_NAME && s->name)
        entry->name =
            strnlen(name, len) == strlen(s->name) && memcmp(name, s->name, strlen(s->name)) == 0;
    return MNL_CB_OK;
}

static int on_socket(const struct nlmsghdr *head, void *data)
{
    const struct search *s = data;
    const struct unix_diag_msg *m = mnl_nlmsg_get_payload(head);
    struct socket_entry entry = {.name = !s->name, .search = s};

    if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY || mnl_nlmsg_get_payload_len(head) < sizeof(*m))
        return MNL_CB_OK;
    (void)mnl_attr_parse(head, sizeof(*m), on_attribute, &entry);
    if (entry.inode && entry.name && s->found->count < UNIX_DIAG_FOUND_MAX)
        s->found->numbers[s->found->count++] = m->udiag_ino;
    return MNL_CB_OK;
}

/* As the kernel has a device number inside (MKDEV: 20 bits of minor). */
static uint32_t kernel_dev(dev_t dev)
{
    return (uint32_t)(major(dev) << 20 | minor(dev));
}

/* What an earlier dump that broke off has left. */
static void discard(int fd, void *buf, size_t size)
{
    while (recv(fd, buf, size, MSG_DONTWAIT) > 0)
        ;
}

/* Whoever has CAP_NET_ADMIN in the network namespace can send to the socket, too, and keep it full.
 */
static ssize_t recv_of_kernel(int fd, void *buf, size_t size)
{
    for (int i = 0; i < FOREIGN_MAX; i++) {
        struct sockaddr_nl from = {0};
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(fd, buf, size, 0, (struct sockaddr *)&from, &len);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n >= 0 && len == sizeof(from) && from.nl_pid == 0)
            return n;
    }
    return -EPROTO;
}

/* 0, or -errno. */
static int dump(int fd, struct search *s)
{
    struct {
        struct nlmsghdr head;
        struct unix_diag_req req;
    } q = {.head = {.nlmsg_len = sizeof(q),
                    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
           .req = {.sdiag_family = AF_UNIX,
                   .udiag_states = 1u << TCP_LISTEN | 1u << TCP_CLOSE,
                   .udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_NAME}};
    static _Atomic unsigned sequence;
    UNINITIALIZED _Alignas(struct nlmsghdr) char buf[32768];
    int r = MNL_CB_OK;

    discard(fd, buf, sizeof(buf));
    q.head.nlmsg_seq = ++sequence;
    if (send(fd, &q, sizeof(q), 0) < 0)
        return -errno;
    while (r > MNL_CB_STOP) {
        ssize_t n = recv_of_kernel(fd, buf, sizeof(buf));
        if (n < 0)
            return (int)n;
        r = mnl_cb_run(buf, (size_t)n, q.head.nlmsg_seq, 0, on_socket, s);
    }
    return r < 0 ? -errno : 0;
}

int unix_diag_find(int fd, const struct unix_inode *inode, const char *name,
                   struct unix_diag_found *found)
{
    struct search s = {(uint32_t)inode->ino, kernel_dev(inode->dev), name, found};
    int r;

    found->count = 0;
    r = dump(fd, &s);
    if (r < 0)
        found->count = 0;
    return r;
}

/* --- which inode --- */

/* "ID PARENT MAJOR:MINOR ...", proc_pid_mountinfo(5). False if the mount is not there: it is not
 * below the thread's root, or is detached. */
static bool device_of_mount(pid_t tid, uint64_t mount, dev_t *dev)
{
    cleanup_free char *line = NULL;
    char path[64];
    size_t size = 0;
    bool found = false;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)tid);
    f = fopen(path, "re");
    if (!f)
        return false;
    for (unsigned i = 0; i < MOUNTS_MAX && !found && getline(&line, &size, f) > 0; i++) {
        unsigned long long id;
        unsigned maj, min;
        if (sscanf(line, "%llu %*u %u:%u", &id, &maj, &min) == 3 && id == mount) {
            *dev = makedev(maj, min);
            found = true;
        }
    }
    (void)fclose(f);
    return found;
}

struct unix_inode unix_diag_inode(int fd, const struct stat *st, pid_t tid)
{
    struct unix_inode inode = {st->st_ino, st->st_dev};
    struct statx sx;
    struct statfs fs;

    if (fstatfs(fd, &fs) == 0 &&
        (fs.f_type == OVERLAYFS_SUPER_MAGIC || fs.f_type == (long)BTRFS_SUPER_MAGIC) &&
        statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) == 0 && (sx.stx_mask & STATX_MNT_ID))
        (void)device_of_mount(tid, sx.stx_mnt_id, &inode.dev);
    return inode;
}

bool unix_diag_is_bound_anywhere(int fd)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    cleanup_close int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d", fd);
    return probe < 0 || connect(probe, (struct sockaddr *)&to, sizeof(to)) == 0 ||
           errno != ECONNREFUSED;
}
