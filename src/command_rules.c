/* command_rules.c: ways out that are no packets of the jail's network.
 *
 * A deny list: builds use nearly all of the kernel, and the namespaces do the confinement. What is
 * refused here are the calls by which a process speaks without them: socket families other than
 * AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK (vsock reaches the hypervisor), and of netlink the
 * protocols other than NETLINK_ROUTE and NETLINK_NETFILTER, unless the policy says [netlink];
 * AF_UNIX datagram sockets and pairs of them (sendto on one reaches any path: syslog, journald,
 * sd_notify); io_uring, which makes sockets and connects them without system calls that a filter
 * sees; typing into the terminal (TIOCSTI, TIOCLINUX), which runs commands in the caller's shell;
 * the kernel's keyrings, which are the host user's too, and whose request_key(2) has a program of
 * the host resolve names (request-key(8), dns_resolver). The last ones of the list are no ways out
 * by themselves, but what attacks on the kernel are made of, and refused to an ordinary user of
 * most hosts anyway; builds and nested user namespaces do without.
 * connect(2) is not refused but notified: unix_gate.c makes the connection.
 * Calls of another architecture (x32, i386) answer ENOSYS: no rule can be gone around by them. */
#include "src/filter_rules.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "src/util.h"

#define LOW32 0xffffffffu
#define SOCK_TYPE_BITS 0xfu
#define FAMILIES_MAX 64
#define PROTOCOL_SMC 256 /* IPPROTO_SMC, in newer headers */

struct rules {
    scmp_filter_ctx ctx;
    int r; /* the first error */
};

static void refuse(struct rules *rules, int err, int call, unsigned n,
                   const struct scmp_arg_cmp *args)
{
    if (rules->r == 0)
        rules->r = seccomp_rule_add_array(rules->ctx, SCMP_ACT_ERRNO((uint32_t)err), call, n, args);
}

/* Families: everything but the four, up to a number that no kernel has yet (AF_MAX is 46). Compared
 * in 32 bits, as the kernel takes them. */
static void refuse_families(struct rules *rules, int call)
{
    for (int family = 0; family < FAMILIES_MAX; family++) {
        const struct scmp_arg_cmp arg = SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, (scmp_datum_t)family);
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6 && family != AF_NETLINK)
            refuse(rules, EAFNOSUPPORT, call, 1, &arg);
    }
}

/* What a build needs of netlink: its own network's links, addresses and routes, and, for a jail in
 * this jail, the rules of that. */
static void refuse_netlink(struct rules *rules)
{
    for (unsigned protocol = 0; protocol < MAX_LINKS; protocol++) {
        const struct scmp_arg_cmp netlink[] = {SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, AF_NETLINK),
                                               SCMP_A2(SCMP_CMP_MASKED_EQ, LOW32, protocol)};
        if (protocol != NETLINK_ROUTE && protocol != NETLINK_NETFILTER)
            refuse(rules, EPROTONOSUPPORT, SCMP_SYS(socket), 2, netlink);
    }
}

/* with_unix: AF_UNIX sockets of streams are free, else pairs of them alone. */
static void refuse_sockets(struct rules *rules, bool with_unix)
{
    const struct scmp_arg_cmp unix_dgram[] = {
        SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, AF_UNIX),
        SCMP_A1(SCMP_CMP_MASKED_EQ, SOCK_TYPE_BITS, SOCK_DGRAM)};
    /* AF_UNIX takes SOCK_RAW for SOCK_DGRAM (unix(7)). */
    const struct scmp_arg_cmp unix_raw[] = {SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, AF_UNIX),
                                            SCMP_A1(SCMP_CMP_MASKED_EQ, SOCK_TYPE_BITS, SOCK_RAW)};

    /* The kernel takes it for AF_PACKET (packet(7)). */
    const struct scmp_arg_cmp packet[] = {SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, AF_INET),
                                          SCMP_A1(SCMP_CMP_MASKED_EQ, SOCK_TYPE_BITS, SOCK_PACKET)};

    refuse_families(rules, SCMP_SYS(socket));
    refuse_families(rules, SCMP_SYS(socketpair));
    refuse(rules, EAFNOSUPPORT, SCMP_SYS(socket), 2, packet);
    if (with_unix) {
        refuse(rules, EPROTONOSUPPORT, SCMP_SYS(socket), 2, unix_dgram);
        refuse(rules, EPROTONOSUPPORT, SCMP_SYS(socket), 2, unix_raw);
    } else {
        refuse(rules, EAFNOSUPPORT, SCMP_SYS(socket), 1, unix_dgram);
    }
    refuse(rules, EPROTONOSUPPORT, SCMP_SYS(socketpair), 2, unix_dgram);
    refuse(rules, EPROTONOSUPPORT, SCMP_SYS(socketpair), 2, unix_raw);
}

/* Refused whatever their arguments. */
static const struct {
    int call, err;
} refused[] = {
    {SCMP_SYS(io_uring_setup), ENOSYS},
    {SCMP_SYS(io_uring_enter), ENOSYS},
    {SCMP_SYS(io_uring_register), ENOSYS},
    {SCMP_SYS(add_key), ENOSYS}, /* as in a kernel without keys: runc and crun go on */
    {SCMP_SYS(request_key), ENOSYS},
    {SCMP_SYS(keyctl), ENOSYS},
    {SCMP_SYS(bpf), EPERM},
    {SCMP_SYS(perf_event_open), EPERM},
    {SCMP_SYS(userfaultfd), EPERM},
    {SCMP_SYS(open_by_handle_at), EPERM}, /* files below what is covered */
    {SCMP_SYS(kexec_load), EPERM},
    {SCMP_SYS(kexec_file_load), EPERM},
    {SCMP_SYS(init_module), EPERM},
    {SCMP_SYS(finit_module), EPERM},
    {SCMP_SYS(delete_module), EPERM},
};

/* SMC has two entrances: a family, and since Linux 6.10 a protocol of the internet's. */
static void refuse_smc(struct rules *rules)
{
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        const struct scmp_arg_cmp smc[] = {
            SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, (scmp_datum_t)families[i]),
            SCMP_A2(SCMP_CMP_MASKED_EQ, LOW32, PROTOCOL_SMC)};
        refuse(rules, EPROTONOSUPPORT, SCMP_SYS(socket), 2, smc);
    }
}

static void refuse_others(struct rules *rules)
{
    const struct scmp_arg_cmp sti = SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, TIOCSTI);
    const struct scmp_arg_cmp linux_console = SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, TIOCLINUX);

    refuse(rules, EPERM, SCMP_SYS(ioctl), 1, &sti);
    refuse(rules, EPERM, SCMP_SYS(ioctl), 1, &linux_console);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        refuse(rules, refused[i].err, refused[i].call, 0, NULL);
}

/* The rules that hold in any jail. */
static void add_rules(struct rules *rules, bool with_unix, bool with_netlink)
{
    rules->r = seccomp_attr_set(rules->ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    if (rules->r == 0)
        rules->r = seccomp_attr_set(rules->ctx, SCMP_FLTATR_CTL_NNP, 0);
    if (rules->r == 0) /* a binary tree over the call numbers: most calls meet few comparisons */
        rules->r = seccomp_attr_set(rules->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    refuse_sockets(rules, with_unix);
    if (!with_netlink)
        refuse_netlink(rules);
    refuse_smc(rules);
    refuse_others(rules);
}

scmp_filter_ctx command_rules(bool with_unix, bool with_netlink)
{
    struct rules rules = {.ctx = seccomp_init(SCMP_ACT_ALLOW)};

    if (!rules.ctx)
        return NULL;
    add_rules(&rules, with_unix, with_netlink);
    if (with_unix && rules.r == 0)
        rules.r = seccomp_rule_add(rules.ctx, SCMP_ACT_NOTIFY, SCMP_SYS(connect), 0);
    if (rules.r == 0)
        return rules.ctx;
    seccomp_release(rules.ctx);
    return NULL;
}

/* Programs that turn core files off, as many do that hold keys, are told that they have. */
scmp_filter_ctx core_rules(void)
{
    const struct scmp_arg_cmp set[] = {SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, RLIMIT_CORE)};
    const struct scmp_arg_cmp set_of[] = {SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, RLIMIT_CORE),
                                          SCMP_A2(SCMP_CMP_NE, 0, 0), SCMP_A3(SCMP_CMP_EQ, 0, 0)};
    const struct scmp_arg_cmp swap[] = {SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, RLIMIT_CORE),
                                        SCMP_A2(SCMP_CMP_NE, 0, 0), SCMP_A3(SCMP_CMP_NE, 0, 0)};
    struct rules rules = {.ctx = seccomp_init(SCMP_ACT_ALLOW)};

    if (!rules.ctx)
        return NULL;
    rules.r = seccomp_attr_set(rules.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
    refuse(&rules, 0, SCMP_SYS(setrlimit), 1, set);
    refuse(&rules, 0, SCMP_SYS(prlimit64), 3, set_of);
    refuse(&rules, EPERM, SCMP_SYS(prlimit64), 3, swap); /* which is told the old one, too */
    if (rules.r == 0)
        return rules.ctx;
    seccomp_release(rules.ctx);
    return NULL;
}
