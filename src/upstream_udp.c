/* upstream_udp.c: queries to one server over UDP, several to a socket, in batches.
 *
 * A server has UPSTREAM_SOCKETS sockets at most, connected, each with a source port of the kernel's
 * random choice; a query takes one by chance, and an id by chance that no other query of the socket
 * has (RFC 5452, 9.2). A socket is used for ROTATE_MS, so at low load each query has a port of its
 * own, and at high load who has found a port out has no time to make use of it. It stays open for
 * the answers to what was sent, and is then closed.
 *
 * What is to be sent in one turn of the loop leaves by one sendmmsg a socket; answers are read by
 * recvmmsg. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/upstream_parts.h"
#include "src/util.h"

#define ROTATE_MS 100
#define BATCH 16
#define QUEUE 32
#define BUCKETS 256
#define UDP_MAX 4096 /* servers that send more than they were told are heard, up to this */

struct upstream_socket {
    struct upstream_server *server;
    int fd;
    struct event *event, *flush;
    uint64_t opened_ms;
    unsigned pending; /* queries that wait for their answer, and callbacks that run */
    unsigned queued;
    int error; /* errno: nobody listens there, or it cannot be reached; 0 */
    struct upstream_query *queue[QUEUE];
    struct upstream_query *buckets[BUCKETS];
    struct upstream_socket *next; /* among the old ones */
};

/* Buffers of one read; the loop has one thread. */
struct batch {
    struct mmsghdr h[BATCH];
    struct iovec iov[BATCH];
    uint8_t data[BATCH][UDP_MAX];
};

static void release(struct upstream_socket *s)
{
    event_free(s->event);
    event_free(s->flush);
    (void)close(s->fd);
    free(s);
}

static struct upstream_query *find(const struct upstream_socket *s, unsigned id)
{
    struct upstream_query *q = s->buckets[id % BUCKETS];

    while (q && q->dns_id != id)
        q = q->same;
    return q;
}

void upstream_udp_stop(struct upstream_query *q)
{
    struct upstream_socket *s = q->socket;
    struct upstream_query **at;

    if (!s)
        return;
    at = &s->buckets[q->dns_id % BUCKETS];
    while (*at != q)
        at = &(*at)->same;
    *at = q->same;
    for (unsigned i = 0; i < s->queued; i++)
        if (s->queue[i] == q)
            s->queue[i] = NULL;
    s->pending--;
    q->socket = NULL;
}

/* All of the socket's queries go elsewhere; new ones come by another socket. From the loop alone:
 * queries end in it. */
static void fail_all(struct upstream_socket *s)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        while (s->buckets[i])
            upstream_failed(s->buckets[i], s->error);
}

static void flush(struct upstream_socket *s)
{
    UNINITIALIZED struct mmsghdr h[QUEUE];
    UNINITIALIZED struct iovec iov[QUEUE];
    unsigned n = 0;

    for (unsigned i = 0; i < s->queued; i++) {
        struct upstream_query *q = s->queue[i];

        if (!q)
            continue;
        iov[n] = (struct iovec){q->packet + 2, q->packet_len};
        h[n].msg_hdr = (struct msghdr){.msg_iov = &iov[n], .msg_iovlen = 1};
        n++;
    }
    s->queued = 0;
    for (unsigned i = 0; i < n;) {
        int sent = sendmmsg(s->fd, h + i, n - i, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
            s->error = errno;
            return;
        }
        i += sent > 0 ? (unsigned)sent : 1; /* what found no room is lost, as a packet may be */
    }
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
    struct upstream_socket *s = arg;

    (void)fd;
    (void)what;
    s->pending++; /* it stays, whatever its queries bring about */
    flush(s);
    if (s->error)
        fail_all(s);
    s->pending--;
}

static void take(struct upstream_socket *s, const uint8_t *data, size_t len)
{
    struct upstream_query *q =
        len >= UPSTREAM_HEADER ? find(s, (unsigned)(data[0] << 8 | data[1])) : NULL;

    if (q && upstream_packet_judge(q, data, len) != UPSTREAM_STRANGE)
        upstream_answered(q, data, len);
    /* else: not the answer; the right one may still come */
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct upstream_socket *s = arg;
    UNINITIALIZED struct batch b;
    int n;

    (void)what;
    for (unsigned i = 0; i < BATCH; i++) {
        b.iov[i] = (struct iovec){b.data[i], sizeof(b.data[i])};
        b.h[i].msg_hdr = (struct msghdr){.msg_iov = &b.iov[i], .msg_iovlen = 1};
    }
    n = recvmmsg(fd, b.h, BATCH, MSG_DONTWAIT, NULL);
    s->pending++; /* as in on_flush */
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        s->error = errno;
        fail_all(s);
    }
    for (int i = 0; i < n; i++)
        take(s, b.data[i], b.h[i].msg_len);
    s->pending--;
}

/* NULL and errno: the server cannot be reached. */
static struct upstream_socket *open_socket(struct upstream_server *server)
{
    const union resolver_address *to = &server->address;
    socklen_t len =
        to->sa.sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    cleanup_close int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct upstream_socket *s;

    if (fd < 0 || connect(fd, &to->sa, len) < 0)
        return NULL;
    s = xcalloc(1, sizeof(*s));
    s->server = server;
    s->fd = steal_fd(&fd);
    s->opened_ms = now_ms();
    s->event = event_new(upstream_base(server->owner), s->fd, EV_READ | EV_PERSIST, on_readable, s);
    s->flush = event_new(upstream_base(server->owner), -1, 0, on_flush, s);
    if (!s->event || !s->flush || event_add(s->event, NULL) < 0)
        die("out of memory");
    return s;
}

static void retire(struct upstream_server *server, unsigned i)
{
    struct upstream_socket *s = server->sockets[i];

    server->sockets[i] = NULL;
    s->next = server->old;
    server->old = s;
}

/* A socket by chance, which may be a new one; NULL and errno: there is none. */
static struct upstream_socket *choose(struct upstream_server *server)
{
    unsigned i = upstream_random(server->owner) % UPSTREAM_SOCKETS;
    struct upstream_socket *s = server->sockets[i];

    if (s && (s->error || now_ms() - s->opened_ms >= ROTATE_MS))
        retire(server, i);
    if (!server->sockets[i])
        server->sockets[i] = open_socket(server);
    return server->sockets[i];
}

int upstream_udp_start(struct upstream_server *server, struct upstream_query *q)
{
    struct upstream_socket *s = choose(server);
    uint16_t id;

    if (!s)
        return -errno;
    do
        id = upstream_random(server->owner);
    while (find(s, id));
    upstream_packet_set_id(q, id);
    q->socket = s;
    q->same = s->buckets[id % BUCKETS];
    s->buckets[id % BUCKETS] = q;
    s->pending++;
    if (s->queued == QUEUE)
        flush(s);
    if (s->queued == 0)
        event_active(s->flush, EV_WRITE, 0);
    s->queue[s->queued++] = q;
    return 0;
}

static bool is_over(const struct upstream_socket *s, uint64_t now)
{
    return s->pending == 0 && now - s->opened_ms >= ROTATE_MS;
}

bool upstream_udp_tidy(struct upstream_server *server, uint64_t now)
{
    struct upstream_socket **at = &server->old, *s;
    bool any = false;

    for (unsigned i = 0; i < UPSTREAM_SOCKETS; i++) {
        if (server->sockets[i] && is_over(server->sockets[i], now))
            retire(server, i);
        any = any || server->sockets[i];
    }
    while ((s = *at)) {
        if (is_over(s, now)) {
            *at = s->next;
            release(s);
        } else {
            at = &s->next;
        }
    }
    return any || server->old;
}
