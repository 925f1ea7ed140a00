/* channel.c: one end of a SOCK_SEQPACKET socket in a libevent loop.
 *
 * Receiving: one recvmsg a message, into an aligned buffer of the channel. A message that is too
 * long, carries a descriptor that its type may not carry, carries more than one, fails msg_check,
 * or is of a type that the peer may not send, ends the channel; every descriptor that came with it
 * is closed. A turn of the loop takes at most READ_BATCH messages, so that a peer which floods does
 * not starve the rest.
 *
 * Sending: at once if nothing waits, else into a queue bounded in messages and bytes, drained as
 * the socket becomes writable. When the kernel is short of something other than the socket's buffer
 * (memory, descriptors in flight: unix(7), ETOOMANYREFS), writability says nothing, so a timer
 * tries again.
 *
 * Death: if sending finds that the peer is gone, what it had sent before is still read, then the
 * closed callback runs; always from the loop, never from inside channel_send. A callback may free
 * the channel: while one runs the memory stays, and goes when the outermost one has returned. */
#include "src/channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "src/util.h"

#define READ_BATCH 64
#define FDS_MAX 8 /* room for descriptors in one control message; more are closed by the kernel */
#define RETRY_MS 10

struct queued {
    struct queued *next;
    int fd;
    size_t len;
    unsigned char data[];
};

struct channel {
    int fd;
    unsigned types, fd_types;
    channel_message_cb *message;
    channel_closed_cb *closed;
    void *arg;
    struct event *read_event, *write_event, *retry_event;
    struct queued *first, **last;
    size_t count, bytes;
    bool broken; /* sending failed: the peer is gone */
    bool dead;   /* the closed callback has been called */
    bool busy;   /* inside a callback */
    bool freed;  /* channel_free was called while busy */
    _Alignas(uint64_t) unsigned char buffer[MSG_MAX];
};

static void queue_drop(struct channel *c)
{
    struct queued *q = c->first;
    while (q) {
        struct queued *next = q->next;
        if (q->fd >= 0)
            (void)close(q->fd);
        free(q);
        q = next;
    }
    c->first = NULL;
    c->last = &c->first;
    c->count = c->bytes = 0;
}

static void release(struct channel *c)
{
    queue_drop(c);
    event_free(c->read_event);
    event_free(c->write_event);
    event_free(c->retry_event);
    (void)close(c->fd);
    free(c);
}

static void stop(struct channel *c)
{
    (void)event_del(c->read_event);
    (void)event_del(c->write_event);
    (void)event_del(c->retry_event);
    queue_drop(c);
    c->dead = true;
}

/* The caller has set busy and returns at once. */
static void channel_died(struct channel *c, const char *reason)
{
    stop(c);
    c->closed(c, reason, c->arg);
}

/* Takes the descriptors out of the control data: the first into *fd, any other is closed. Returns
 * how many. */
static size_t take_fds(struct msghdr *h, int *fd)
{
    size_t n = 0;
    *fd = -1;
    for (struct cmsghdr *cm = CMSG_FIRSTHDR(h); cm; cm = CMSG_NXTHDR(h, cm)) {
        if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
            continue;
        size_t k = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < k; i++, n++) {
            int got;
            memcpy(&got, CMSG_DATA(cm) + i * sizeof(int), sizeof(got));
            if (n == 0)
                *fd = got;
            else
                (void)close(got);
        }
    }
    return n;
}

/* Why the message that was read breaks the protocol, or NULL. */
static const char *judge(const struct channel *c, const struct msghdr *h, size_t len, size_t fds)
{
    const struct msg_head *m = (const struct msg_head *)(const void *)c->buffer;
    if (h->msg_flags & MSG_TRUNC)
        return "a message is too long";
    if (h->msg_flags & MSG_CTRUNC || fds > 1)
        return "a message carries more than one descriptor";
    if (msg_check(c->buffer, len) < 0)
        return "a message is malformed";
    if (!(c->types & (1u << m->type)))
        return "a message is of a type that may not be sent this way";
    if (fds && !(c->fd_types & (1u << m->type)))
        return "a message carries a descriptor that it may not carry";
    return NULL;
}

/* Reads and handles one message. Returns false if there is none, or the channel has ended. */
static bool read_one(struct channel *c)
{
    union {
        char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = c->buffer, .iov_len = sizeof(c->buffer)};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.buf,
                       .msg_controllen = sizeof(control.buf)};
    ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) {
        if (errno == EINTR)
            return true;
        if (c->broken || (errno != EAGAIN && errno != EWOULDBLOCK))
            channel_died(c, NULL);
        return false;
    }
    int fd;
    size_t fds = take_fds(&h, &fd);
    const char *reason = n == 0 ? NULL : judge(c, &h, (size_t)n, fds);
    if (n == 0 ||
        reason) { /* an empty message cannot be told from the end: no peer of ours sends one */
        if (fd >= 0)
            (void)close(fd);
        channel_died(c, reason);
        return false;
    }
    c->message(c, (const struct msg_head *)(const void *)c->buffer, fd, c->arg);
    return !c->freed && !c->dead;
}

/* At most max messages; c may be gone afterwards. */
static void read_batch(struct channel *c, int max)
{
    if (c->dead)
        return;
    c->busy = true;
    bool more = true;
    for (int i = 0; i < max && more; i++)
        more = read_one(c);
    c->busy = false;
    if (c->freed)
        release(c);
    else if (more && c->broken)
        event_active(c->read_event, EV_READ, 0);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    read_batch(arg, READ_BATCH);
}

/* One message to the socket: 0 or -errno. */
static int transmit(const struct channel *c, const void *data, size_t len, int fd)
{
    union fd_control control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    attach_fd(&h, &control, fd);
    ssize_t n;
    do {
        n = sendmsg(c->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* After a failed transmit: arms what tries again and returns true, or marks the peer as gone. */
static bool try_later(struct channel *c, int err)
{
    switch (err) {
    case -EAGAIN:
        (void)event_add(c->write_event, NULL);
        return true;
    case -ENOBUFS:
    case -ENOMEM:
    case -ETOOMANYREFS:
        (void)event_add(c->retry_event, &(struct timeval){.tv_usec = RETRY_MS * 1000});
        return true;
    default:
        c->broken = true;
        queue_drop(c);
        (void)event_del(c->write_event);
        (void)event_del(c->retry_event);
        event_active(c->read_event, EV_READ, 0);
        return false;
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct channel *c = arg;
    while (c->first) {
        struct queued *q = c->first;
        int err = transmit(c, q->data, q->len, q->fd);
        if (err < 0) {
            (void)try_later(c, err);
            return;
        }
        c->first = q->next;
        if (!c->first)
            c->last = &c->first;
        c->count--;
        c->bytes -= q->len;
        if (q->fd >= 0)
            (void)close(q->fd);
        free(q);
    }
}

/* Takes over fd, also on failure. */
static int enqueue(struct channel *c, const void *m, size_t len, int fd)
{
    if (c->count >= CHANNEL_QUEUE_MAX || c->bytes + len > CHANNEL_QUEUE_BYTES) {
        if (fd >= 0)
            (void)close(fd);
        return -ENOBUFS;
    }
    struct queued *q = xmalloc(sizeof(*q) + len);
    q->next = NULL;
    q->fd = fd;
    q->len = len;
    memcpy(q->data, m, len);
    *c->last = q;
    c->last = &q->next;
    c->count++;
    c->bytes += len;
    return 0;
}

int channel_send(struct channel *c, const void *m, int fd)
{
    cleanup_close int owned = fd;
    size_t len = msg_length(m);
    if (len < sizeof(struct msg_head) || len > MSG_MAX)
        return -EINVAL;
    if (c->dead || c->broken || c->freed)
        return -EPIPE;
    if (!c->first) {
        int err = transmit(c, m, len, owned);
        if (err == 0)
            return 0;
        if (!try_later(c, err))
            return -EPIPE;
    }
    return enqueue(c, m, len, steal_fd(&owned));
}

struct channel *channel_new(struct event_base *base, int fd, unsigned types, unsigned fd_types,
                            channel_message_cb *message, channel_closed_cb *closed, void *arg)
{
    struct channel *c = xcalloc(1, sizeof(*c));
    c->fd = fd;
    c->types = types;
    c->fd_types = fd_types;
    c->message = message;
    c->closed = closed;
    c->arg = arg;
    c->last = &c->first;
    c->read_event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
    c->write_event = event_new(base, fd, EV_WRITE, on_writable, c);
    c->retry_event = event_new(base, -1, 0, on_writable, c);
    if (!c->read_event || !c->write_event || !c->retry_event || event_add(c->read_event, NULL) < 0)
        die("cannot watch the channel");
    return c;
}

void channel_free(struct channel *c)
{
    if (!c || c->freed)
        return;
    if (c->busy) {
        stop(c);
        c->freed = true;
    } else {
        release(c);
    }
}

void channel_catch_up(struct channel *c)
{
    if (!c->busy)
        read_batch(c, CHANNEL_CATCH_UP);
}

bool channel_is_over(const struct channel *c)
{
    return c->dead || c->freed;
}

size_t channel_queued(const struct channel *c)
{
    return c->count;
}
