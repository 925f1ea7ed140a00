/* unix_ids.c: a thread takes the ids of a process of the jail for one connection, so that the
 * file's permissions count for that process, and its ids are what the listener gets by SO_PEERCRED.
 *
 * In a user's jail there is one user, and nothing to change. In a root's jail the supervisor is
 * root: the effective ids and the groups are set, and given back out of the saved set-user-ID. A
 * process of the jail that is uid 0 but has given up capabilities lends no more than it has.
 *
 * The system calls are made directly: those of the libc would change all threads. */
#include "src/unix_ids.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/util.h"

/* --- who asks --- */

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
    const char *tgid, *caps;
    unsigned uid, gid;
    char path[64];
    size_t len;
    int r;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    r = read_file(path, 65536, &text, &len, NULL);
    if (r < 0)
        return r;
    *out = (struct unix_caller){0};
    tgid = strstr(text, "\nTgid:");
    caps = strstr(text, "\nCapEff:");
    if (!tgid || !caps || !read_fs_id(text, "\nUid:", &uid) || !read_fs_id(text, "\nGid:", &gid))
        return -EPROTO;
    out->tgid = (pid_t)strtol(tgid + strlen("\nTgid:"), NULL, 10);
    out->caps = strtoull(caps + strlen("\nCapEff:"), NULL, 16);
    out->fsuid = uid;
    out->fsgid = gid;
    read_groups(text, out);
    return out->tgid > 0 ? 0 : -EPROTO;
}

int unix_caller_of_peer(int fd, struct unix_caller *out)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    *out = (struct unix_caller){0};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    out->tgid = peer.pid;
    out->fsuid = peer.uid;
    out->fsgid = peer.gid;
    size = sizeof(out->groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, out->groups, &size) == 0)
        out->group_count = size / sizeof(out->groups[0]);
    return 0; /* with more groups than fit: none of them */
}

/* --- being it --- */

static int get_caps(uint64_t *effective, struct __user_cap_data_struct data[2])
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

    if (syscall(SYS_capget, &head, data) < 0)
        return -errno;
    *effective = data[0].effective | (uint64_t)data[1].effective << 32;
    return 0;
}

static int set_effective_caps(uint64_t effective)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    uint64_t before;

    if (get_caps(&before, data) < 0)
        return -errno;
    data[0].effective = (uint32_t)effective;
    data[1].effective = (uint32_t)(effective >> 32);
    return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int remember(struct unix_ids *own)
{
    struct __user_cap_data_struct data[2];
    int n = getgroups(UNIX_CALLER_GROUPS, own->groups);

    own->uid = geteuid();
    own->gid = getegid();
    own->groups_known = n >= 0;
    own->group_count = n < 0 ? 0 : (size_t)n; /* more than fit: root needs none */
    return get_caps(&own->caps, data);
}

/* Where setgroups(2) is denied (user_namespaces(7)) nobody has other groups. */
static bool same_groups(const struct unix_caller *caller, const struct unix_ids *own)
{
    return own->groups_known && caller->group_count == own->group_count &&
           memcmp(caller->groups, own->groups, own->group_count * sizeof(own->groups[0])) == 0;
}

static int set_ids(const struct unix_caller *caller, struct unix_ids *own)
{
    if (!same_groups(caller, own)) {
        if (syscall(SYS_setgroups, caller->group_count, caller->groups) < 0)
            return -errno;
        own->groups_changed = true;
    }
    if (syscall(SYS_setresgid, -1, caller->fsgid, -1) < 0 ||
        syscall(SYS_setresuid, -1, caller->fsuid, -1) < 0)
        return -errno;
    return 0;
}

int unix_ids_borrow(const struct unix_caller *caller, struct unix_ids *own)
{
    bool same;

    *own = (struct unix_ids){0};
    if (remember(own) < 0)
        return -EACCES;
    same = caller->fsuid == own->uid && caller->fsgid == own->gid;
    if (own->caps == 0) /* a user's jail */
        return same ? 0 : -EACCES;
    own->changed = true;
    if ((same && own->uid != 0) || set_ids(caller, own) == 0)
        if (set_effective_caps(caller->fsuid == own->uid ? own->caps & caller->caps : 0) == 0)
            return 0;
    unix_ids_return(own);
    return -EACCES;
}

void unix_ids_return(const struct unix_ids *own)
{
    if (!own->changed)
        return;
    /* The user first: with it come the capabilities for the rest, or by the line after. */
    if (syscall(SYS_setresuid, -1, own->uid, -1) < 0 || set_effective_caps(own->caps) < 0 ||
        syscall(SYS_setresgid, -1, own->gid, -1) < 0 ||
        (own->groups_changed && syscall(SYS_setgroups, own->group_count, own->groups) < 0))
        die("cannot take own ids back: %s", strerror(errno));
}
