/* channel.c: one end of a SOCK_SEQPACKET socket in a libevent loop.
 *
 * Receiving: one recvmsg a message, into an aligned buffer of the channel; or, where many small
 * messages come at once (channel_batch), one recvmmsg for several. A message that is too long,
 * carries a descriptor that its type may not carry, carries more than one, fails msg_check, or is
 * of a type that the peer may not send, ends the channel; every descriptor that came with it is
 * closed. A turn of the loop takes at most READ_BATCH messages, so that a peer which floods does
 * not starve the rest.
 *
 * Sending: with channel_send_soon together with what else is sent so in this turn of the loop, by
 * one sendmmsg; else at once if nothing waits, else into a queue bounded in messages and bytes,
 * drained as the socket becomes writable. When the kernel is short of something other than the
 * socket's buffer (memory, descriptors in flight: unix(7), ETOOMANYREFS), writability says nothing,
 * so a timer tries again.
 *
 * Death: if sending finds that the peer is gone, what it had sent before is still read, then the
 * closed callback runs; always from the loop, never from inside channel_send. A callback may free
 * the channel: while one runs the memory stays, and goes when the outermost one has returned. */
#include "src/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "src/util.h"

#define READ_BATCH 64
#define FDS_MAX 8 /* room for descriptors in one control message; more are closed by the kernel */
#define RETRY_MS 10
#define BATCH 16         /* messages of one recvmmsg */
#define SOON_MAX 64      /* messages of one sendmmsg */
#define SOON_BYTES 32768 /* of them */

struct queued {
    struct queued *next;
    int fd;
    size_t len;
    unsigned char data[];
};

/* Room for the descriptors of one message. */
union fds_control {
    char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

/* What was sent "soon" and waits for the end of the turn. */
struct soon {
    struct event *event;
    channel_first_cb *first;
    unsigned count;
    size_t len;
    size_t lens[SOON_MAX];
    _Alignas(uint64_t) unsigned char data[SOON_BYTES];
};

/* Several messages read at once. */
struct batch {
    union fds_control control[BATCH];
    _Alignas(uint64_t) unsigned char buffer[BATCH][(MSG_MAX + 7) / 8 * 8];
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
    bool broken;         /* sending failed: the peer is gone */
    bool dead;           /* the closed callback has been called */
    bool busy;           /* inside a callback */
    bool freed;          /* channel_free was called while busy */
    struct soon *soon;   /* NULL until channel_batch */
    struct batch *batch; /* likewise */
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
    if (c->soon)
        event_free(c->soon->event);
    free(c->soon);
    free(c->batch);
    (void)close(c->fd);
    free(c);
}

static void stop(struct channel *c)
{
    (void)event_del(c->read_event);
    (void)event_del(c->write_event);
    (void)event_del(c->retry_event);
    if (c->soon)
        c->soon->count = 0;
    queue_drop(c);
    c->dead = true;
}

/* The caller has set busy and returns at once. The peer may have ended what it sends alone: it
 * still gets what waits for the end of this turn. */
static void channel_died(struct channel *c, const char *reason)
{
    channel_flush(c);
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
    const struct msg_head *m = h->msg_iov->iov_base;
    if (h->msg_flags & MSG_TRUNC)
        return "a message is too long";
    /* cut and none there: this process can have no more, so the callee gets none */
    if ((h->msg_flags & MSG_CTRUNC && fds > 0) || fds > 1)
        return "a message carries more than one descriptor";
    if (msg_check(m, len) < 0)
        return "a message is malformed";
    if (!(c->types & (1u << m->type)))
        return "a message is of a type that may not be sent this way";
    if ((fds || h->msg_flags & MSG_CTRUNC) && !(c->fd_types & (1u << m->type)))
        return "a message carries a descriptor that it may not carry";
    return NULL;
}

/* Nothing could be read. ECONNRESET comes once, before the last words of a peer that did not read
 * all it was sent. Returns false if there is nothing more, or the channel has ended. */
static bool goes_on(struct channel *c, int err)
{
    if (err == EINTR || err == ECONNRESET)
        return true;
    if (c->broken || (err != EAGAIN && err != EWOULDBLOCK))
        channel_died(c, NULL);
    return false;
}

/* One message that was read. Returns false if the channel has ended. */
static bool take(struct channel *c, struct msghdr *h, size_t len)
{
    int fd;
    size_t fds = take_fds(h, &fd);
    const char *reason = len == 0 ? NULL : judge(c, h, len, fds);
    if (len == 0 ||
        reason) { /* an empty message cannot be told from the end: no peer of ours sends one */
        if (fd >= 0)
            (void)close(fd);
        channel_died(c, reason);
        return false;
    }
    c->message(c, h->msg_iov->iov_base, fd, c->arg);
    return !c->freed && !c->dead;
}

/* Reads and handles one message. Returns false if there is none, or the channel has ended. */
static bool read_one(struct channel *c)
{
    union fds_control control;
    struct iovec iov = {.iov_base = c->buffer, .iov_len = MSG_MAX};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return goes_on(c, errno);
    return take(c, &h, (size_t)n);
}

static void drop_message(struct msghdr *h)
{
    int fd;
    if (take_fds(h, &fd) > 0)
        (void)close(fd);
}

/* The same of up to BATCH messages, with fewer system calls. Returns false if there were fewer. */
static bool read_several(struct channel *c)
{
    UNINITIALIZED struct mmsghdr h[BATCH];
    UNINITIALIZED struct iovec iov[BATCH];
    bool more = true;
    for (unsigned i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){.iov_base = c->batch->buffer[i], .iov_len = MSG_MAX};
        h[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
                                       .msg_iovlen = 1,
                                       .msg_control = c->batch->control[i].room,
                                       .msg_controllen = sizeof(c->batch->control[i].room)};
    }
    int n = recvmmsg(c->fd, h, BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
    if (n < 0)
        return goes_on(c, errno);
    for (int i = 0; i < n; i++) {
        if (more)
            more = take(c, &h[i].msg_hdr, h[i].msg_len);
        else
            drop_message(&h[i].msg_hdr);
    }
    return more && n == BATCH;
}

/* At most max messages; c may be gone afterwards. */
static void read_batch(struct channel *c, int max)
{
    if (c->dead)
        return;
    c->busy = true;
    bool more = true;
    if (c->batch)
        for (int i = 0; i < max && more; i += BATCH)
            more = read_several(c);
    else
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

/* As much of the queue as the socket takes. */
static void send_queue(struct channel *c)
{
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

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    send_queue(arg);
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

/* After what was sent "soon": fd goes along and is closed in any case. */
static int send_now(struct channel *c, const void *m, size_t len, int fd)
{
    cleanup_close int owned = fd;
    if (!c->first) {
        int err = transmit(c, m, len, owned);
        if (err == 0)
            return 0;
        if (!try_later(c, err))
            return -EPIPE;
    }
    return enqueue(c, m, len, steal_fd(&owned));
}

/* Sends what waits for the end of the turn; what does not go waits in the queue, or is lost with a
 * queue that is full, which is one of a peer that hangs. */
static void send_soon(struct channel *c)
{
    UNINITIALIZED struct mmsghdr h[SOON_MAX];
    UNINITIALIZED struct iovec iov[SOON_MAX];
    struct soon *s = c->soon;
    unsigned count = s->count, sent = 0;
    size_t at = 0;
    s->count = 0;
    s->len = 0;
    for (unsigned i = 0; i < count; i++) {
        iov[i] = (struct iovec){.iov_base = s->data + at, .iov_len = s->lens[i]};
        h[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
        at += (s->lens[i] + 7) / 8 * 8;
    }
    if (!c->first) {
        int n = sendmmsg(c->fd, h, count, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent = n > 0 ? (unsigned)n : 0;
    }
    for (unsigned i = sent; i < count && !c->broken; i++)
        (void)send_now(c, iov[i].iov_base, iov[i].iov_len, -1);
}

void channel_flush(struct channel *c)
{
    if (!c->dead && !c->broken && c->soon && c->soon->count > 0)
        send_soon(c);
}

void channel_drain(struct channel *c, int ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLOUT};
    size_t before = SIZE_MAX;
    channel_flush(c);
    while (c->first && c->count < before && poll(&p, 1, ms) == 1 && p.revents & POLLOUT) {
        before = c->count;
        send_queue(c);
    }
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct channel *c = arg;
    if (c->soon->first)
        c->soon->first(c->arg);
    channel_flush(c);
}

static int check_sending(const struct channel *c, size_t len)
{
    if (len < sizeof(struct msg_head) || len > MSG_MAX)
        return -EINVAL;
    return c->dead || c->broken || c->freed ? -EPIPE : 0;
}

int channel_send(struct channel *c, const void *m, int fd)
{
    cleanup_close int owned = fd;
    size_t len = msg_length(m);
    int err = check_sending(c, len);
    if (err < 0)
        return err;
    channel_flush(c);
    if (c->broken)
        return -EPIPE;
    return send_now(c, m, len, steal_fd(&owned));
}

int channel_send_soon(struct channel *c, const void *m)
{
    struct soon *s = c->soon;
    size_t len = msg_length(m);
    int err = check_sending(c, len);
    if (err < 0)
        return err;
    if (!s || len > SOON_BYTES / 2)
        return channel_send(c, m, -1);
    if (c->count >= CHANNEL_QUEUE_MAX - SOON_MAX || c->bytes > CHANNEL_QUEUE_BYTES - SOON_BYTES)
        return -ENOBUFS;
    if (s->count == SOON_MAX || s->len + len > SOON_BYTES - 8)
        send_soon(c);
    if (c->broken)
        return -EPIPE;
    if (s->count == 0)
        event_active(s->event, EV_WRITE, 0);
    memcpy(s->data + s->len, m, len);
    s->len += (len + 7) / 8 * 8;
    s->lens[s->count++] = len;
    return 0;
}

void channel_batch(struct channel *c, channel_first_cb *first)
{
    c->soon = xcalloc(1, sizeof(*c->soon));
    c->soon->first = first;
    c->batch = xmalloc(sizeof(*c->batch)); /* of which what is used is touched */
    c->soon->event = event_new(event_get_base(c->read_event), -1, 0, on_soon, c);
    if (!c->soon->event)
        die("cannot watch the channel");
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

void channel_allow(struct channel *c, enum msg_type type)
{
    c->types |= 1u << type;
}

size_t channel_queued(const struct channel *c)
{
    return c->count;
}
