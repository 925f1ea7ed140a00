/* udp.c: queries over UDP, in batches; a turn of the loop takes a bounded number of them. A reply
 * that the socket has no room for is lost, as UDP may lose any: the client asks again. */
#include <errno.h>
#include <sys/socket.h>

#include "dnsproxy/dnsproxy.h"
#include "src/util.h"

#define BATCH 32
#define BATCHES 4 /* a turn */

struct udp {
    struct dnsproxy *p;
    int fd;
    struct event *event;
    struct client clients[BATCH];
    uint8_t data[BATCH][QUERY_MAX +
                        1]; /* one more than query_parse takes: a cut query is seen as too long */
};

/* One batch. Returns how many came. */
static unsigned read_batch(struct udp *u)
{
    struct mmsghdr h[BATCH] = {0};
    struct iovec iov[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        u->clients[i] = (struct client){.fd = u->fd};
        iov[i] = (struct iovec){u->data[i], sizeof(u->data[i])};
        h[i].msg_hdr = (struct msghdr){.msg_name = &u->clients[i].address,
                                       .msg_namelen = sizeof(u->clients[i].address),
                                       .msg_iov = &iov[i],
                                       .msg_iovlen = 1};
    }
    int n = recvmmsg(u->fd, h, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        u->clients[i].address_len = h[i].msg_hdr.msg_namelen;
        serve_query(u->p, &u->clients[i], u->data[i], h[i].msg_len);
    }
    return n > 0 ? (unsigned)n : 0;
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

void udp_reply(const struct client *c, const uint8_t *data, size_t len)
{
    (void)sendto(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, &c->address.sa, c->address_len);
}

struct udp *udp_new(struct dnsproxy *p, int fd)
{
    struct udp *u = xcalloc(1, sizeof(*u));
    u->p = p;
    u->fd = fd;
    u->event = event_new(p->base, fd, EV_READ | EV_PERSIST, on_readable, u);
    if (!u->event || event_add(u->event, NULL) < 0)
        die("cannot watch the UDP socket");
    return u;
}

void udp_free(struct udp *u)
{
    if (!u)
        return;
    event_free(u->event);
    free(u);
}
