/* via_bridge.c: a plain socket for what is said by TLS to a proxy of the host's network.
 *
 *   user -- one end of a pair | the other end -- to_proxy -> TLS -- the proxy
 *                             |               <- to_user --
 *
 * Each way holds at most LIMIT_BUFFER bytes; the slower side sets the pace. An end of one side is
 * passed on to the other; an error of one ends both. */
#include <errno.h>
#include <sys/socket.h>

#include "httpproxy/limits.h"
#include "httpproxy/via.h"
#include "src/util.h"

struct side {
    struct stream *stream;
    struct buf to; /* on the way to it */
    bool ended;    /* it has */
    bool told;     /* that the other has */
};

struct via_bridge {
    TAILQ_ENTRY(via_bridge) all;
    struct via_bridges *list;
    struct upstream *up;
    struct stream user;
    struct side sides[2];
    struct event again;
};

struct via_bridge *via_bridge_next(const struct via_bridge *b)
{
    return TAILQ_NEXT(b, all);
}

bool via_bridge_undelivered(const struct via_bridge *b)
{
    return buf_len(&b->sides[1].to) > 0 || (b->sides[0].ended && !b->sides[1].told);
}

void via_bridge_free(struct via_bridge *b)
{
    TAILQ_REMOVE(b->list, b, all);
    (void)event_del(&b->again);
    stream_close(&b->user);
    upstream_drop(b->up);
    buf_free(&b->sides[0].to);
    buf_free(&b->sides[1].to);
    free(b);
}

/* From one side to the other: 1 if anything moved, 0, or a negative errno. */
static int move(struct side *from, struct side *to)
{
    bool moved = false;
    ssize_t n;

    if (!from->ended && buf_len(&to->to) == 0) {
        buf_reserve(&to->to, LIMIT_BUFFER);
        n = stream_read(from->stream, buf_tail(&to->to), buf_room(&to->to));
        if (n < 0 && n != -EAGAIN)
            return (int)n;
        if (n >= 0)
            moved = true;
        if (n == 0)
            from->ended = true;
        if (n > 0)
            buf_added(&to->to, (size_t)n);
    }
    if (buf_len(&to->to) > 0) {
        n = stream_write(to->stream, buf_begin(&to->to), buf_len(&to->to));
        if (n < 0 && n != -EAGAIN)
            return (int)n;
        if (n > 0) {
            buf_consume(&to->to, (size_t)n);
            moved = true;
        }
    }
    if (from->ended && !to->told && buf_len(&to->to) == 0 && stream_end(to->stream) == 0)
        to->told = moved = true;
    buf_tidy(&to->to);
    return moved;
}

static void run(void *arg)
{
    static const struct timeval now = {0, 0};
    struct via_bridge *b = arg;
    int out = 0, in = 0;

    for (int i = 0; i < LIMIT_STEPS; i++) {
        out = move(&b->sides[0], &b->sides[1]);
        in = out < 0 ? 0 : move(&b->sides[1], &b->sides[0]);
        if (out < 0 || in < 0 || (b->sides[0].told && b->sides[1].told)) {
            via_bridge_free(b);
            return;
        }
        if (!out && !in)
            return;
    }
    (void)event_add(&b->again, &now);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    run(arg);
}

int via_bridge_start(struct via_bridges *list, struct upstream *up, const char *data, size_t len)
{
    static const struct timeval now = {0, 0};
    struct via_bridge *b;
    int fds[2], err;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
        err = errno;
        upstream_drop(up);
        return -err;
    }
    b = xcalloc(1, sizeof(*b));
    b->list = list;
    b->up = up;
    TAILQ_INSERT_HEAD(list, b, all);
    (void)evtimer_assign(&b->again, up->proxy->base, on_again, b);
    stream_set_owner(&up->stream, run, b);
    b->user.fd = -1;
    if (stream_open(&b->user, up->proxy->base, fds[1], run, b) < 0) {
        via_bridge_free(b);
        (void)close(fds[0]);
        return -EIO;
    }
    b->sides[0].stream = &b->user;
    b->sides[1].stream = &up->stream;
    if (len > 0)
        buf_append(&b->sides[0].to, data, len);
    (void)event_add(&b->again, &now); /* what has come meanwhile makes no edge */
    return fds[0];
}
