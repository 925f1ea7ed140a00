/* netns_socket.c: the sockets of the gateway's network, opened while its capabilities are there and
 * then inherited by the proxies, which could open none themselves.
 *
 * nflog: the rules copy the head of each packet that they reject to a netlink multicast group
 * (nft/ruleset.c); one message a packet, at once, since what the jail's log shows and the second
 * answer to the client both hang on it. Lost messages are counted by nobody: a jail that floods
 * loses lines of its own log, not the packets' rejection. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/icmp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "src/net.h"
#include "src/netns.h"
#include "src/util.h"

#define UDP_BUFFER (1 << 20)   /* bytes: a burst of some thousand queries */
#define NFLOG_BUFFER (1 << 20) /* bytes */
#define NFLOG_TIMEOUT 1        /* hundredths of a second; each packet is its own batch anyway */
#define BACKLOG 65535          /* the kernel takes the smaller of this and net.core.somaxconn */

static int socket_open(int family, int type, int protocol, const char *what, struct error *e)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

    return fd < 0 ? error_errno(e, errno, "open %s", what) : fd;
}

/* Past net.core.rmem_max where that is permitted. */
static void socket_receive_buffer(int fd, int bytes)
{
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

static int socket_set(int fd, int level, int option, int value, struct error *e)
{
    if (setsockopt(fd, level, option, &value, sizeof value) < 0)
        return error_errno(e, errno, "socket option %d of level %d", option, level);
    return 0;
}

static int socket_bind(int fd, int family, unsigned short port, struct error *e)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int r;

    if (family == AF_INET) {
        (void)inet_pton(AF_INET, GW_IPV4, &in.sin_addr);
        r = bind(fd, (struct sockaddr *)&in, sizeof in);
    } else {
        (void)inet_pton(AF_INET6, GW_IPV6, &in6.sin6_addr);
        r = bind(fd, (struct sockaddr *)&in6, sizeof in6);
    }
    if (r < 0)
        return error_errno(e, errno, "bind to %s port %u", family == AF_INET ? GW_IPV4 : GW_IPV6,
                           (unsigned)port);
    return 0;
}

int netns_listen(int family, int type, unsigned short port, struct error *e)
{
    cleanup_close int fd = -1;
    int r;

    if ((family != AF_INET && family != AF_INET6) || (type != SOCK_DGRAM && type != SOCK_STREAM))
        return error_set(e, EINVAL, "netns_listen: family %d, type %d", family, type);
    fd = socket_open(family, type, 0, "a socket of the gateway", e);
    if (fd < 0)
        return fd;
    r = socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1, e);
    if (r == 0 && family == AF_INET6)
        r = socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, e);
    if (r == 0)
        r = family == AF_INET ? socket_set(fd, IPPROTO_IP, IP_FREEBIND, 1, e)
                              : socket_set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1, e);
    if (r == 0)
        r = socket_bind(fd, family, port, e);
    if (r < 0)
        return r;
    if (type == SOCK_DGRAM)
        socket_receive_buffer(fd, UDP_BUFFER);
    else if (listen(fd, BACKLOG) < 0)
        return error_errno(e, errno, "listen at port %u", (unsigned)port);
    return steal_fd(&fd);
}

/* The message that binds the socket to the group and says what a message shall hold. */
static size_t nflog_request(char *buf, uint16_t group)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct nfgenmsg *g;
    struct nfulnl_msg_config_cmd cmd = {.command = NFULNL_CFG_CMD_BIND};
    struct nfulnl_msg_config_mode mode = {.copy_range = htonl(NFLOG_SNAPLEN),
                                          .copy_mode = NFULNL_COPY_PACKET};

    h->nlmsg_type = (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    h->nlmsg_seq = 1;
    g = mnl_nlmsg_put_extra_header(h, sizeof *g);
    g->nfgen_family = AF_UNSPEC;
    g->version = NFNETLINK_V0;
    g->res_id = htons(group);
    mnl_attr_put(h, NFULA_CFG_CMD, sizeof cmd, &cmd);
    mnl_attr_put(h, NFULA_CFG_MODE, sizeof mode, &mode);
    mnl_attr_put_u32(h, NFULA_CFG_TIMEOUT, htonl(NFLOG_TIMEOUT));
    mnl_attr_put_u32(h, NFULA_CFG_QTHRESH, htonl(1));
    return h->nlmsg_len;
}

/* The kernel answers inside of send: the acknowledgement is there when that returns. A logged
 * packet may be in the queue before it: those are no loss, nothing of the jail runs yet. */
static int nflog_acknowledged(int fd)
{
    UNINITIALIZED char buf[8192] __attribute__((aligned(8)));

    for (int i = 0; i < 64; i++) {
        const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
        const struct nlmsgerr *err;
        ssize_t n = recv(fd, buf, sizeof buf, 0);

        if (n < 0)
            return -errno;
        if (!mnl_nlmsg_ok(h, (int)n))
            return -EPROTO;
        if (h->nlmsg_type != NLMSG_ERROR)
            continue;
        if (mnl_nlmsg_get_payload_len(h) < sizeof *err)
            return -EPROTO;
        err = mnl_nlmsg_get_payload(h);
        return err->error;
    }
    return -EPROTO;
}

int netns_open_nflog(uint16_t group, struct error *e)
{
    char buf[256] __attribute__((aligned(8)));
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    size_t len = nflog_request(buf, group);
    cleanup_close int fd = -1;
    int r;

    fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0)
        return error_errno(e, errno, "open a netfilter netlink socket (modprobe nfnetlink)");
    if (sendto(fd, buf, len, 0, (struct sockaddr *)&kernel, sizeof kernel) != (ssize_t)len)
        return error_errno(e, errno, "bind to the log of the rules");
    r = nflog_acknowledged(fd);
    if (r == -EOPNOTSUPP || r == -EINVAL)
        return error_set(e, EOPNOTSUPP,
                         "the kernel has no nfnetlink_log, which reports what the rules reject: as "
                         "root, on the host: modprobe nfnetlink_log");
    if (r < 0)
        return error_errno(e, -r, "bind to the log of the rules");
    socket_receive_buffer(fd, NFLOG_BUFFER);
    (void)socket_set(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1, NULL);
    return steal_fd(&fd);
}

/* Nothing shall be received: these sockets only send. */
static int icmp_block_all(int fd, int family)
{
    struct icmp_filter none4 = {.data = ~0U};
    struct icmp6_filter none6;

    if (family == AF_INET)
        return setsockopt(fd, SOL_RAW, ICMP_FILTER, &none4, sizeof none4);
    ICMP6_FILTER_SETBLOCKALL(&none6);
    return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &none6, sizeof none6);
}

int netns_open_icmp(int family, struct error *e)
{
    cleanup_close int fd = -1;

    if (family != AF_INET && family != AF_INET6)
        return error_set(e, EINVAL, "netns_open_icmp: family %d", family);
    fd = socket_open(family, SOCK_RAW, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6,
                     "a raw socket for ICMP", e);
    if (fd < 0)
        return fd;
    if (icmp_block_all(fd, family) < 0)
        return error_errno(e, errno, "filter of the raw ICMP socket");
    return steal_fd(&fd);
}

int netns_open_raw(int family, uint32_t mark, struct error *e)
{
    cleanup_close int fd = -1;
    int r;

    if (family != AF_INET && family != AF_INET6)
        return error_set(e, EINVAL, "netns_open_raw: family %d", family);
    /* IPPROTO_RAW: with the caller's header, and no packet is ever of that protocol (raw(7)). */
    fd = socket_open(family, SOCK_RAW, IPPROTO_RAW, "a raw socket for held connections", e);
    if (fd < 0)
        return fd;
    r = socket_set(fd, SOL_SOCKET, SO_MARK, (int)mark, e);
    return r < 0 ? r : steal_fd(&fd);
}
