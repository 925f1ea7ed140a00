/* raw_maker.c: a child of the keeper that makes UDP sockets in G.
 *
 * The supervisor relays UDP with a socket a flow, whose address is the one that the jail sends to:
 * so the kernel finds it for each later datagram (tproxy asks for connected sockets first), and
 * answers come from where they are expected. Such a socket is made in G, with a capability over it.
 * This process has these and a few system calls, reads requests of the supervisor alone, and sees
 * no byte of the jail. It ends with the keeper, or with the supervisor's end of its socket.
 *
 * Syscalls: recvfrom, sendmsg, socket, setsockopt, bind, connect, close. */
#include "src/filters.h"
#include "src/raw_maker.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/isolate.h"
#include "src/raw_parts.h"
#include "src/util.h"

#define BUFFER (1 << 20) /* bytes: some datagrams of the greatest size */

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int make_socket(const struct msg_tuple *t)
{
    struct sockaddr_storage source, destination;
    socklen_t len = raw_source(t, &source);
    bool v6 = t->family == AF_INET6;
    cleanup_close int fd = socket(t->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r;

    if (fd < 0)
        return -errno;
    (void)raw_destination(t, &destination);
    (void)set_option(fd, SOL_SOCKET, SO_RCVBUF, BUFFER);
    /* Other flows have the same address. */
    r = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (r == 0)
        r = set_option(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT,
                       1);
    if (r == 0 && v6)
        r = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (r < 0)
        return r;
    /* Bound and not connected it gets nothing: tproxy passes it over. */
    if (bind(fd, (struct sockaddr *)&destination, len) < 0 ||
        connect(fd, (struct sockaddr *)&source, len) < 0)
        return -errno;
    return steal_fd(&fd);
}

static int answer(int fd, int32_t err, int made)
{
    struct iovec iov = {.iov_base = &err, .iov_len = sizeof(err)};
    union fd_control control = {0};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t r;

    attach_fd(&h, &control, made);
    do
        r = sendmsg(fd, &h, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

static int keep_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};

    data[0].effective = data[0].permitted =
        CAP_TO_MASK(CAP_NET_ADMIN) | CAP_TO_MASK(CAP_NET_BIND_SERVICE);
    return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static void lock_down(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        keep_capabilities() < 0)
        _exit(125);
    struct error e;
    if (isolate_seccomp(&filter_raw_maker, &e) < 0)
        _exit(125);
}

void raw_maker_main(int fd)
{
    struct msg_tuple t;

    lock_down();
    for (;;) {
        ssize_t n = recv(fd, &t, sizeof(t), 0);
        int made, r;

        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)sizeof(t))
            _exit(0);
        made = make_socket(&t);
        r = answer(fd, made < 0 ? -made : 0, made);
        if (r == -ETOOMANYREFS) /* of all the user's processes (unix(7)) */
            r = answer(fd, ETOOMANYREFS, -1);
        if (made >= 0)
            (void)close(made);
        if (r < 0)
            _exit(0);
    }
}

int raw_maker_ask(int fd, const struct msg_tuple *tuple)
{
    ssize_t r = send(fd, tuple, sizeof(*tuple), MSG_DONTWAIT | MSG_NOSIGNAL);

    return r < 0 ? -errno : 0;
}

int raw_maker_receive(int fd, int *made)
{
    int32_t err = 0;
    struct iovec iov = {.iov_base = &err, .iov_len = sizeof(err)};
    union fd_control control = {0};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    *made = -1;
    if (n < 0)
        return -errno;
    if (n != (ssize_t)sizeof(err))
        return -EPIPE;
    *made = attached_fd(&h);
    return *made >= 0 ? 0 : err ? err : EMFILE; /* the descriptor found no room here */
}
