/* udp.c: queries over UDP, in batches; a turn of the loop takes a bounded number of them, and what
 * it answers, at once or because upstream has, leaves in batches, too. A reply that the socket has
 * no room for is lost, as UDP may lose any: the client asks again.
 *
 * With each query comes the address that it was sent to (IP_ORIGDSTADDR), and from there its reply
 * leaves (IP_PKTINFO), which clients insist upon. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "dnsproxy/dnsproxy.h"
#include "src/util.h"

#define BATCH 32
#define BATCHES 4 /* a turn */

/* Room for one control message of either family. */
union control {
    struct cmsghdr align;
    uint8_t origin4[CMSG_SPACE(sizeof(struct sockaddr_in))];
    uint8_t origin6[CMSG_SPACE(sizeof(struct sockaddr_in6))];
    uint8_t info4[CMSG_SPACE(sizeof(struct in_pktinfo))];
    uint8_t info6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct reply {
    struct sockaddr_storage to;
    uint8_t data[DNS_UDP_EDNS];
    union control control;
};

struct udp {
    struct dnsproxy *p;
    int fd;
    struct event *event, *flush;
    unsigned waiting; /* replies */
    struct client clients[BATCH];
    union control control[BATCH];
    uint8_t data[BATCH][QUERY_MAX +
                        1]; /* one more than query_parse takes: a cut query is seen as too long */
    struct mmsghdr in[BATCH], out[BATCH];
    struct iovec in_iov[BATCH], out_iov[BATCH];
    struct reply replies[BATCH];
};

/* Whom the query was sent to. Without a word about it: nobody. */
static bool identify(const struct udp *u, struct msghdr *m, struct msg_server *server)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR) ||
            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR))
            return server_identify(&u->p->policy, (const struct sockaddr *)(void *)CMSG_DATA(c),
                                   server);
    return false;
}

/* One batch. Returns how many came. */
static unsigned read_batch(struct udp *u)
{
    for (unsigned i = 0; i < BATCH; i++) {
        u->in[i].msg_hdr.msg_namelen = sizeof(u->clients[i].address);
        u->in[i].msg_hdr.msg_controllen = sizeof(u->control[i]);
    }
    int n = recvmmsg(u->fd, u->in, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        u->clients[i].address_len = u->in[i].msg_hdr.msg_namelen;
        if (!identify(u, &u->in[i].msg_hdr, &u->clients[i].server))
            continue;
        log_server(u->p, IPPROTO_UDP, &u->clients[i].server);
        serve_query(u->p, &u->clients[i], u->data[i], u->in[i].msg_len);
    }
    return n > 0 ? (unsigned)n : 0;
}

/* Sends the replies that wait. One that cannot be sent is skipped: those behind it may have better
 * luck. */
void udp_flush(struct udp *u)
{
    unsigned count = u->waiting;
    u->waiting = 0;
    for (unsigned i = 0; i < count;) {
        int n = sendmmsg(u->fd, u->out + i, count - i, MSG_DONTWAIT | MSG_NOSIGNAL);
        i += n > 0 ? (unsigned)n : 1;
    }
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    udp_flush(arg);
}

void udp_read(struct udp *u)
{
    for (int i = 0; i < BATCHES && read_batch(u) == BATCH; i++)
        ;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    udp_read(arg);
}

static void *put_control(struct msghdr *m, int level, int type, size_t len)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    m->msg_controllen = CMSG_SPACE(len);
    return CMSG_DATA(c);
}

/* The address that the reply leaves from. */
static void set_source(struct msghdr *m, union control *control, const struct msg_server *server)
{
    *control = (union control){.align = {0}};
    m->msg_control = control;
    m->msg_controllen = sizeof(*control);
    if (server->family == AF_INET) {
        struct in_pktinfo info = {.ipi_ifindex = 0};
        memcpy(&info.ipi_spec_dst, server->address, sizeof(info.ipi_spec_dst));
        memcpy(put_control(m, IPPROTO_IP, IP_PKTINFO, sizeof(info)), &info, sizeof(info));
    } else {
        struct in6_pktinfo info = {.ipi6_ifindex = 0};
        memcpy(&info.ipi6_addr, server->address, sizeof(info.ipi6_addr));
        memcpy(put_control(m, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info)), &info, sizeof(info));
    }
}

void udp_reply(const struct client *c, const uint8_t *data, size_t len)
{
    struct udp *u = c->udp;
    if (u->waiting == BATCH)
        udp_flush(u);
    if (u->waiting == 0)
        event_active(u->flush, EV_WRITE, 0);
    struct reply *r = &u->replies[u->waiting];
    struct msghdr *m = &u->out[u->waiting].msg_hdr;
    u->out_iov[u->waiting++] = (struct iovec){r->data, len};
    memcpy(r->data, data, len);
    memcpy(&r->to, &c->address, sizeof(c->address));
    m->msg_namelen = c->address_len;
    m->msg_control = NULL;
    m->msg_controllen = 0;
    if (c->server.family != 0)
        set_source(m, &r->control, &c->server);
}

/* IPv6 first: its sockets take the option of IPv4, too. */
static int want_destination(int fd)
{
    const int on = 1;
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, &on, sizeof(on)) == 0)
        return 0;
    return setsockopt(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, &on, sizeof(on));
}

static void prepare(struct udp *u)
{
    for (unsigned i = 0; i < BATCH; i++) {
        u->clients[i].udp = u;
        u->in_iov[i] = (struct iovec){u->data[i], sizeof(u->data[i])};
        u->in[i].msg_hdr = (struct msghdr){.msg_name = &u->clients[i].address,
                                           .msg_iov = &u->in_iov[i],
                                           .msg_iovlen = 1,
                                           .msg_control = &u->control[i]};
        u->out[i].msg_hdr = (struct msghdr){
            .msg_name = &u->replies[i].to, .msg_iov = &u->out_iov[i], .msg_iovlen = 1};
    }
}

struct udp *udp_new(struct dnsproxy *p, int fd)
{
    struct udp *u = xcalloc(1, sizeof(*u));
    u->p = p;
    u->fd = fd;
    prepare(u);
    u->event = event_new(p->base, fd, EV_READ | EV_PERSIST, on_readable, u);
    u->flush = event_new(p->base, -1, 0, on_flush, u);
    if (want_destination(fd) < 0 || !u->event || !u->flush || event_add(u->event, NULL) < 0)
        die("cannot watch the UDP socket");
    return u;
}

void udp_free(struct udp *u)
{
    if (!u)
        return;
    udp_flush(u);
    event_free(u->event);
    event_free(u->flush);
    free(u);
}
