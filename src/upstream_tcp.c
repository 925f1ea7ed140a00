/* upstream_tcp.c: a query over TCP (RFC 7766), on a connection of its own. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/upstream_parts.h"
#include "src/util.h"

static size_t wanted(const struct upstream_query *q)
{
    return q->in_len < 2 ? 2 : 2 + (size_t)(q->in[0] << 8 | q->in[1]);
}

static void on_readable(struct upstream_query *q)
{
    ssize_t n = recv(q->fd, q->in + q->in_len, wanted(q) - q->in_len, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        upstream_failed(q, n < 0 ? errno : ECONNRESET);
        return;
    }
    q->in_len += (size_t)n;
    if (q->in_len < 2 || q->in_len < wanted(q))
        return;
    if (upstream_packet_judge(q, q->in + 2, q->in_len - 2) != UPSTREAM_STRANGE)
        upstream_answered(q, q->in + 2, q->in_len - 2);
    else
        upstream_failed(q, EPROTO);
}

static void watch(struct upstream_query *q, short what);

static void on_writable(struct upstream_query *q)
{
    size_t len = q->packet_len + 2;
    ssize_t n = send(q->fd, q->packet + q->sent, len - q->sent, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        upstream_failed(q, errno);
        return;
    }
    if (n > 0)
        q->sent += (size_t)n;
    if (q->sent == len)
        watch(q, EV_READ | EV_PERSIST);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    if (what & EV_WRITE)
        on_writable(arg);
    else
        on_readable(arg);
}

/* (Re)arms the one event of the attempt at hand. */
static void watch(struct upstream_query *q, short what)
{
    if (q->event)
        event_free(q->event);
    q->event = event_new(upstream_base(q->owner), q->fd, what, on_event, q);
    if (!q->event || event_add(q->event, NULL) < 0)
        die("out of memory");
}

int upstream_tcp_start(struct upstream_server *server, struct upstream_query *q)
{
    const union resolver_address *to = &server->address;
    socklen_t len =
        to->sa.sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

    q->fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (q->fd < 0 || (connect(q->fd, &to->sa, len) < 0 && errno != EINPROGRESS))
        return -errno;
    if (!q->in)
        q->in = xmalloc(2 + MSG_REPLY_MAX);
    upstream_packet_set_id(q, upstream_random(q->owner));
    watch(q, EV_WRITE | EV_PERSIST);
    return 0;
}

void upstream_tcp_stop(struct upstream_query *q)
{
    if (q->event)
        event_free(q->event);
    q->event = NULL;
    if (q->fd >= 0)
        (void)close(q->fd);
    q->fd = -1;
    q->sent = q->in_len = 0;
}
