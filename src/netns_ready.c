/* netns_ready.c: waits until the link and its addresses are really usable.
 *
 * Two things are not done yet when their requests return, and on a busy machine not for many
 * milliseconds; what is sent before is dropped without a word. The loss of a SYN-ACK costs the
 * build a second, of a DNS answer five.
 *
 *   The link: whichever end of a veth pair is brought up second (jail0) can send when that returns.
 * The first (gw0) had no carrier until then and gets its transmit queue from a kernel thread
 * ("linkwatch"). J waits for it, since J can look: jail0's entry tells the index of its peer and
 * the namespace that this is in (IFLA_LINK, IFLA_LINK_NETNSID), and who has CAP_NET_ADMIN over that
 * namespace may ask there (IFLA_TARGET_NETNSID, rtnetlink(7)). The operational state (RFC 2863) is
 * up when the thread has been there.
 *
 *   An IPv6 address: also without duplicate detection the kernel makes the local route, by which
 * packets are taken in, on a work queue. Each side waits for its own. */
#include "src/netns_ready.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "src/util.h"

#define WAIT_MS 2000
#define PAUSE_NS 50000
#define MESSAGE_MAX 32768 /* a link's entry takes about 2 KiB */

struct link_state {
    bool has_peer, has_nsid, has_state;
    uint32_t peer; /* index of the other end */
    uint32_t nsid; /* its namespace, by the number that it has in this one */
    uint8_t state; /* IF_OPER_* */
};

struct message {
    uint8_t buf[MESSAGE_MAX] __attribute__((aligned(8)));
};

static int ready_socket(void)
{
    const struct timeval timeout = {.tv_sec = WAIT_MS / 1000};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    return fd;
}

/* Sends the request in m and puts the answer in its place. Whether it is one of that type. */
static bool ready_ask(int fd, struct message *m, uint16_t answer)
{
    struct nlmsghdr *h = (struct nlmsghdr *)m->buf;
    ssize_t n;

    if (send(fd, h, h->nlmsg_len, 0) < 0)
        return false;
    n = recv(fd, m->buf, sizeof m->buf, 0);
    return n > 0 && mnl_nlmsg_ok(h, (int)n) && h->nlmsg_type == answer;
}

static void ready_pause(void)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};

    (void)nanosleep(&pause, NULL);
}

static int link_attribute(const struct nlattr *a, void *arg)
{
    struct link_state *s = arg;

    switch (mnl_attr_get_type(a)) {
    case IFLA_LINK:
        s->has_peer = mnl_attr_validate(a, MNL_TYPE_U32) == 0;
        s->peer = s->has_peer ? mnl_attr_get_u32(a) : 0;
        break;
    case IFLA_LINK_NETNSID:
        s->has_nsid = mnl_attr_validate(a, MNL_TYPE_U32) == 0;
        s->nsid = s->has_nsid ? mnl_attr_get_u32(a) : 0;
        break;
    case IFLA_OPERSTATE:
        s->has_state = mnl_attr_validate(a, MNL_TYPE_U8) == 0;
        s->state = s->has_state ? mnl_attr_get_u8(a) : 0;
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

/* Asks for one link, in the namespace of that number if nsid is not NULL. */
static bool link_get(int fd, uint32_t ifindex, const uint32_t *nsid, struct link_state *s)
{
    UNINITIALIZED struct message m;
    struct nlmsghdr *h = mnl_nlmsg_put_header(m.buf);
    struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof *ifi);

    h->nlmsg_type = RTM_GETLINK;
    h->nlmsg_flags = NLM_F_REQUEST;
    ifi->ifi_index = (int)ifindex;
    if (nsid)
        mnl_attr_put_u32(h, IFLA_TARGET_NETNSID, *nsid);
    return ready_ask(fd, &m, RTM_NEWLINK) &&
           mnl_attr_parse(h, sizeof *ifi, link_attribute, s) >= MNL_CB_OK;
}

/* Up, or not to be found out. */
static bool link_is_up(int fd, uint32_t ifindex, const uint32_t *nsid)
{
    struct link_state s = {.has_peer = false};

    return !link_get(fd, ifindex, nsid, &s) || !s.has_state || s.state == IF_OPER_UP;
}

void netns_ready_link(int ifindex)
{
    struct link_state own = {.has_peer = false};
    cleanup_close int fd = ready_socket();
    uint64_t end = now_ms() + WAIT_MS;

    if (fd < 0 || !link_get(fd, (uint32_t)ifindex, NULL, &own) || !own.has_peer || !own.has_nsid)
        return;
    while (!link_is_up(fd, own.peer, &own.nsid) || !link_is_up(fd, (uint32_t)ifindex, NULL)) {
        if (now_ms() >= end)
            return;
        ready_pause();
    }
}

/* Whether the kernel would take a packet to that address for itself. */
static bool address_is_local(int fd, const struct in6_addr *address)
{
    UNINITIALIZED struct message m;
    struct nlmsghdr *h = mnl_nlmsg_put_header(m.buf);
    struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof *rt);

    h->nlmsg_type = RTM_GETROUTE;
    h->nlmsg_flags = NLM_F_REQUEST;
    rt->rtm_family = AF_INET6;
    rt->rtm_dst_len = 128;
    mnl_attr_put(h, RTA_DST, sizeof *address, address);
    return ready_ask(fd, &m, RTM_NEWROUTE) && rt->rtm_type == RTN_LOCAL;
}

void netns_ready_address(const char *ipv6)
{
    struct in6_addr address;
    cleanup_close int fd = ready_socket();
    uint64_t end = now_ms() + WAIT_MS;

    if (fd < 0 || inet_pton(AF_INET6, ipv6, &address) != 1)
        return;
    while (!address_is_local(fd, &address) && now_ms() < end)
        ready_pause();
}
