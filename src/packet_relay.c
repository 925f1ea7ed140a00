/* packet_relay.c: records from one socket to another.
 *
 * splice(2) keeps no borders between records, so here each is copied through a buffer, unread. A
 * direction takes one record at a time, and no other before the receiver has taken that one: a
 * receiver that does not read stops its sender. A turn moves TURN records at most.
 *
 *   end of stream   passed on as shutdown(SHUT_WR); a record of no bytes is none: it comes with a
 *                   timestamp (SO_TIMESTAMP), the end without
 *   closed          POLLHUP: nothing that is sent there can arrive, so the other direction ends too
 *   descriptors     do not pass, and stay at their sender
 *   error           both sides are closed
 *
 * Syscalls: recv, recvmsg, send, shutdown, poll, setsockopt, close, epoll_ctl. */
#include "src/packet_relay.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "src/quota.h"
#include "src/util.h"

#define TURN 64

/* From fd[i] to fd[!i]. */
struct lane {
    bool holds, done;
    char *record; /* that could not be sent yet */
    size_t len;
};

struct packet_relay {
    struct packet_relays *set;
    int fd[2];
    struct event *read[2], *write[2]; /* of fd[i] */
    struct lane lane[2];
    packet_relay_done_cb *done;
    void *arg;
    struct packet_relay *next, **at;
};

struct packet_relays {
    struct event_base *base;
    struct quota *quota; /* NULL: no limit */
    struct packet_relay *first;
    size_t count;
    char buffer[PACKET_MAX];
};

static void end_relay(struct packet_relay *r, int error)
{
    for (int i = 0; i < 2; i++) {
        event_free(r->read[i]);
        event_free(r->write[i]);
        (void)close(r->fd[i]);
        free(r->lane[i].record);
    }
    *r->at = r->next;
    if (r->next)
        r->next->at = r->at;
    r->set->count--;
    if (r->done)
        r->done(error, r->arg);
    free(r);
}

/* --- one record --- */

static void end_lane(struct packet_relay *r, int i)
{
    struct lane *l = &r->lane[i];

    free(l->record);
    *l = (struct lane){.done = true};
}

/* Receives a record whose length is known. *real: is it one, and not the end of the stream? */
static ssize_t take(int fd, char *buf, size_t len, bool *real)
{
    union {
        char room[CMSG_SPACE(sizeof(struct timeval))]; /* and for no descriptor besides */
        struct cmsghdr align;
    } control;
    struct iovec iov = {buf, len};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m);

    *real = n > 0 || (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMP);
    return n < 0 ? -errno : n;
}

/* Sends what the lane holds or, if it holds nothing, len bytes of the buffer. 0 or -errno; on
 * -EAGAIN the lane holds it. */
static int put(struct packet_relay *r, int i, const char *data, size_t len)
{
    struct lane *l = &r->lane[i];
    bool sent = send(r->fd[!i], data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    int e = sent ? 0 : -errno;

    if (e == -EAGAIN && !l->holds) {
        l->record = xmalloc(len + 1);
        memcpy(l->record, data, len);
        l->len = len;
        l->holds = true;
    } else if (e == 0 && l->holds) {
        free(l->record);
        *l = (struct lane){0};
    }
    return e;
}

static bool is_closed(int fd)
{
    struct pollfd p = {.fd = fd};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

/* A record of n bytes may be sent in lane i: counts it. Else -EDQUOT. */
static int count(const struct packet_relay *r, int i, size_t n)
{
    struct quota *quota = i == 0 ? r->set->quota : NULL;

    if (quota_left(quota) < n)
        return -EDQUOT;
    quota_count(quota, n);
    return 0;
}

/* Moves one record in lane i, or passes on the end. 0 if it did, else -errno. */
static int move(struct packet_relay *r, int i)
{
    char *buf = r->set->buffer;
    bool real;
    ssize_t n;

    if (r->lane[i].holds)
        return put(r, i, r->lane[i].record, r->lane[i].len);
    n = recv(r->fd[i], buf, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    if (n > (ssize_t)PACKET_MAX)
        return -EMSGSIZE;
    n = take(r->fd[i], buf, PACKET_MAX, &real);
    if (n < 0)
        return (int)n;
    if (real)
        return count(r, i, (size_t)n) < 0 ? -EDQUOT : put(r, i, buf, (size_t)n);
    (void)shutdown(r->fd[!i], SHUT_WR);
    end_lane(r, i);
    if (is_closed(r->fd[i]))
        end_lane(r, !i);
    return 0;
}

/* 0, or the -errno with which the relay has failed. */
static int pump(struct packet_relay *r, int i)
{
    int e = 0;

    for (int n = 0; n < TURN && e == 0 && !r->lane[i].done; n++)
        e = move(r, i);
    if (e == -EPIPE) { /* who should get it has gone */
        end_lane(r, i);
        (void)shutdown(r->fd[i], SHUT_RD);
        e = 0;
    }
    return e == -EAGAIN || e == -EINTR ? 0 : e;
}

/* --- events --- */

static void want(struct event *event, bool wanted)
{
    if (!wanted)
        (void)event_del(event);
    else if (event_add(event, NULL) < 0)
        die("cannot watch a descriptor");
}

static void wait_for_more(struct packet_relay *r)
{
    for (int i = 0; i < 2; i++) {
        const struct lane *l = &r->lane[i];
        want(r->read[i], !l->done && !l->holds);
        want(r->write[!i], !l->done && l->holds);
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct packet_relay *r = arg;
    int e = 0;

    (void)fd;
    (void)what;
    for (int i = 0; i < 2 && e == 0; i++)
        e = pump(r, i);
    if (e < 0 || (r->lane[0].done && r->lane[1].done))
        end_relay(r, -e);
    else
        wait_for_more(r);
}

/* --- public --- */

struct packet_relays *packet_relays_new(struct event_base *base)
{
    struct packet_relays *s = xcalloc(1, sizeof(*s));

    s->base = base;
    return s;
}

void packet_relays_free(struct packet_relays *s)
{
    while (s->first)            /* the analyser does not see that it is taken out of the list */
        end_relay(s->first, 0); /* NOLINT(clang-analyzer-unix.Malloc) */
    free(s);
}

void packet_relays_limit(struct packet_relays *s, struct quota *quota)
{
    s->quota = quota;
}

void packet_relay_start(struct packet_relays *s, int a, int b, packet_relay_done_cb *done,
                        void *arg)
{
    const int one = 1, size = PACKET_MAX;
    struct packet_relay *r = xcalloc(1, sizeof(*r));

    *r = (struct packet_relay){.set = s, .fd = {a, b}, .done = done, .arg = arg, .next = s->first};
    r->at = &s->first;
    if (r->next)
        r->next->at = &r->next;
    s->first = r;
    s->count++;
    for (int i = 0; i < 2; i++) {
        (void)setsockopt(r->fd[i], SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one));
        /* As far as the system lets it: what the sender could send is to be sent on. */
        (void)setsockopt(r->fd[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        r->read[i] = event_new(s->base, r->fd[i], EV_READ | EV_PERSIST, on_ready, r);
        r->write[i] = event_new(s->base, r->fd[i], EV_WRITE | EV_PERSIST, on_ready, r);
        if (!r->read[i] || !r->write[i])
            die("cannot watch a descriptor");
    }
    wait_for_more(r);
}

size_t packet_relays_count(const struct packet_relays *s)
{
    return s->count;
}

size_t packet_relays_undelivered(const struct packet_relays *s)
{
    size_t n = 0;

    for (const struct packet_relay *r = s->first; r; r = r->next)
        n += !r->lane[0].done;
    return n;
}
