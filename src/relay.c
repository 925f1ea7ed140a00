/* relay.c: bytes from one socket to another that this process never has in its memory.
 *
 *   socket a --splice--> pipe --splice--> socket b        and the same from b to a
 *
 * Each direction takes from its socket only while its pipe is empty, so what is under way is never
 * more than a pipe holds, and a peer that does not read stops its sender by TCP's own window. A
 * direction has a pipe only while it holds bytes: an idle relay is two descriptors, and is kept for
 * as long as its peers keep it.
 *
 *   end of stream    passed on as shutdown(SHUT_WR), once all before it is delivered; the other
 *                    direction goes on
 *   error            both sockets are reset (SO_LINGER of 0), so a RST on one side is one on the
 *                    other
 *   EPIPE            the reader has gone, but what it said before may still be under way (a server
 *                    that answers without reading the request to its end): this direction ends, the
 *                    other is delivered first
 *
 * The sockets are registered once, edge-triggered: what a socket is ready for is remembered until
 * splice(2) answers EAGAIN. Errors are seen in this way in every state, a half-closed one included.
 * A relay moves BUDGET bytes at most before others have their turn.
 *
 * Syscalls: splice, pipe2, shutdown, close, poll, epoll_ctl, getsockopt, setsockopt. */
#include "src/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/quota.h"
#include "src/util.h"

#define CHUNK (64u << 10)   /* what a pipe holds */
#define BUDGET (512u << 10) /* bytes of a relay in one turn */
#define SPARE_PIPES 32

struct pipe {
    int read, write;
};

/* From fd[i] to fd[!i]. */
struct direction {
    bool has_pipe, eof, done;
    struct pipe pipe;
    size_t held; /* bytes in the pipe */
    uint64_t bytes;
};

struct relay {
    struct relays *set;
    int fd[2];
    struct event *event[2], *again;
    bool readable[2], writable[2];
    struct direction dir[2];
    relay_done_cb *done;
    void *arg;
    struct relay *next, **at;
};

struct relays {
    struct event_base *base;
    struct relay *first;
    size_t count, max;
    struct quota *quota;
    struct pipe spare[SPARE_PIPES]; /* empty ones */
    size_t spares;
};

/* --- pipes --- */

static int take_pipe(struct relays *s, struct direction *d)
{
    int fds[2];

    if (d->has_pipe)
        return 0;
    if (s->spares > 0) {
        d->pipe = s->spare[--s->spares];
    } else {
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
            return -errno;
        d->pipe = (struct pipe){fds[0], fds[1]};
    }
    d->has_pipe = true;
    return 0;
}

static void drop_pipe(struct relays *s, struct direction *d)
{
    if (!d->has_pipe)
        return;
    d->has_pipe = false;
    if (d->held == 0 && s->spares < SPARE_PIPES) {
        s->spare[s->spares++] = d->pipe;
        return;
    }
    (void)close(d->pipe.read);
    (void)close(d->pipe.write);
    d->held = 0;
}

/* --- the end of a relay --- */

void relay_reset(int fd)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    (void)close(fd);
}

/* error: 0, or the errno for which both sides are reset. */
static void end_relay(struct relay *r, int error)
{
    struct relay_end end = {.bytes = {r->dir[0].bytes, r->dir[1].bytes}, .error = error};

    for (int i = 0; i < 2; i++) {
        event_free(r->event[i]);
        drop_pipe(r->set, &r->dir[i]);
        if (error)
            relay_reset(r->fd[i]);
        else
            (void)close(r->fd[i]);
    }
    event_free(r->again);
    *r->at = r->next;
    if (r->next)
        r->next->at = r->at;
    r->set->count--;
    if (r->done)
        r->done(&end, r->arg);
    free(r);
}

/* --- moving bytes --- */

/* Nothing more can be delivered in direction i; its sender learns of it by its next write, where
 * the socket has a way to say so (AF_UNIX). */
static void cut_direction(struct relay *r, int i)
{
    struct direction *d = &r->dir[i];

    drop_pipe(r->set, d);
    d->done = d->eof = true;
    (void)shutdown(r->fd[i], SHUT_RD);
}

/* How much may be taken at once. */
static size_t share(const struct relay *r, int i)
{
    uint64_t left = i == 0 ? quota_left(r->set->quota) : CHUNK;

    return left > 0 && left < CHUNK ? (size_t)left : CHUNK;
}

/* n bytes were taken. */
static int count(const struct relay *r, int i, size_t n)
{
    if (i != 0 || n == 0)
        return 0;
    if (quota_left(r->set->quota) == 0)
        return -EDQUOT;
    quota_count(r->set->quota, n);
    return 0;
}

/* Each returns 0 if it moved bytes or came to the end of the stream, -EAGAIN if the socket is not
 * ready, or another -errno. */
static int fill_pipe(struct relay *r, int i)
{
    struct direction *d = &r->dir[i];
    ssize_t n;
    int e;

    if (!r->readable[i])
        return -EAGAIN;
    if ((e = take_pipe(r->set, d)) < 0)
        return e;
    n = splice(r->fd[i], NULL, d->pipe.write, NULL, share(r, i), SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0) {
        e = -errno;
        if (e == -EAGAIN)
            r->readable[i] = false;
        return e;
    }
    d->held = (size_t)n;
    d->eof = n == 0;
    return count(r, i, d->held);
}

static int drain_pipe(struct relay *r, int i)
{
    struct direction *d = &r->dir[i];
    ssize_t n;

    if (!r->writable[!i])
        return -EAGAIN;
    n = splice(d->pipe.read, NULL, r->fd[!i], NULL, d->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0) {
        if (errno == EAGAIN)
            r->writable[!i] = false;
        return -errno;
    }
    d->held -= (size_t)n;
    d->bytes += (uint64_t)n;
    return 0;
}

/* Moves what it can in direction i. True if the budget is used up. *error: an errno that ends the
 * relay. */
static bool pump(struct relay *r, int i, int *error)
{
    struct direction *d = &r->dir[i];
    uint64_t from = d->bytes;
    int e = 0;

    while (!d->done && e == 0 && d->bytes - from < BUDGET) {
        if (d->held > 0) {
            e = drain_pipe(r, i);
        } else if (!d->eof) {
            e = fill_pipe(r, i);
        } else {
            (void)shutdown(r->fd[!i], SHUT_WR);
            d->done = true;
        }
    }
    if (e == -EPIPE)
        cut_direction(r, i);
    else if (e < 0 && e != -EAGAIN)
        *error = -e;
    if (d->held == 0)
        drop_pipe(r->set, d);
    return !d->done && e == 0;
}

/* Errors that no splice(2) has met: of a socket that nothing is wanted from at the moment. Also a
 * peer that has closed an AF_UNIX socket altogether, which is more than the end of its stream. */
static void look_for_end(struct relay *r, int i, int *error)
{
    struct pollfd p = {.fd = r->fd[i]};
    socklen_t size = sizeof(int);
    int e = 0;

    if (poll(&p, 1, 0) <= 0 || !(p.revents & (POLLERR | POLLHUP)))
        return;
    (void)getsockopt(r->fd[i], SOL_SOCKET, SO_ERROR, &e, &size);
    if (e != 0 && e != EPIPE)
        *error = e;
    else if (r->dir[i].eof && !r->dir[!i].done)
        cut_direction(r, !i);
}

static void pump_both(struct relay *r)
{
    static const struct timeval now = {0, 0};
    bool again = false;
    int error = 0;

    for (int i = 0; i < 2 && !error; i++)
        again |= pump(r, i, &error);
    for (int i = 0; i < 2 && !error; i++)
        look_for_end(r, i, &error);
    if (error || (r->dir[0].done && r->dir[1].done))
        end_relay(r, error);
    else if (again)
        (void)event_add(r->again, &now); /* after the events of others that wait already */
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct relay *r = arg;
    int i = fd == r->fd[0] ? 0 : 1;

    if (what & EV_READ)
        r->readable[i] = true;
    if (what & EV_WRITE)
        r->writable[i] = true;
    pump_both(r);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pump_both(arg);
}

/* --- public --- */

struct relays *relays_new(struct event_base *base, size_t max)
{
    struct relays *s = xcalloc(1, sizeof(*s));

    s->base = base;
    s->max = max < RELAYS_MAX ? max : RELAYS_MAX;
    return s;
}

void relays_free(struct relays *s)
{
    while (s->first) /* the analyser does not see that it is taken out of the list */
        end_relay(s->first, s->first->dir[0].done /* NOLINT(clang-analyzer-unix.Malloc) */
                                ? 0
                                : ECANCELED);
    while (s->spares > 0) {
        s->spares--;
        (void)close(s->spare[s->spares].read);
        (void)close(s->spare[s->spares].write);
    }
    free(s);
}

void relays_limit(struct relays *s, struct quota *quota)
{
    s->quota = quota;
}

int relay_start(struct relays *s, int a, int b, relay_done_cb *done, void *arg)
{
    struct relay *r;

    if (relays_room(s) == 0)
        return -EMFILE;
    r = xcalloc(1, sizeof(*r));
    *r = (struct relay){.set = s, .fd = {a, b}, .done = done, .arg = arg, .next = s->first};
    r->at = &s->first;
    if (r->next)
        r->next->at = &r->next;
    s->first = r;
    s->count++;
    r->again = evtimer_new(s->base, on_again, r);
    for (int i = 0; i < 2; i++) {
        (void)set_nonblocking(r->fd[i]);
        set_tcp_options(r->fd[i]);
        r->event[i] =
            event_new(s->base, r->fd[i], EV_READ | EV_WRITE | EV_ET | EV_PERSIST, on_ready, r);
        if (!r->again || !r->event[i] || event_add(r->event[i], NULL) < 0)
            die("cannot watch a descriptor");
    }
    return 0;
}

size_t relays_count(const struct relays *s)
{
    return s->count;
}

size_t relays_room(const struct relays *s)
{
    return s->max - s->count;
}

size_t relays_undelivered(const struct relays *s)
{
    size_t n = 0;

    for (const struct relay *r = s->first; r; r = r->next)
        n += !r->dir[0].done;
    return n;
}
