/* raw_udp.c: UDP to raw endpoints, a pair of sockets a flow.
 *
 *   jail  --tproxy-->  the listener of G            the first datagrams of a flow
 *   jail  <--------->  the flow's socket of G  <-- copied -->  the flow's socket of the host
 *
 * A flow is the jail's port and a destination. Its first datagram comes to the listener, is judged,
 * and is sent by a socket of the host's network that is connected to the destination; the socket in
 * G, which takes the rest of the flow and sends the answers, is made meanwhile (raw_maker.h).
 * Answers wait until it is there. Datagrams are copied and not read. As is UDP's way, what finds no
 * room is lost.
 *
 * What the host's kernel learns of a destination (a closed port, no route) the jail's client is
 * told by dnsproxy, which has the sockets to say so (MSG_UNREACHABLE), as what is not allowed.
 *
 * There are FLOWS_MAX flows at the most; the one that was idle for longest makes room.
 *
 * Syscalls: recvmmsg, sendmsg, send, socket, connect, setsockopt, close, recvmsg. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/raw_parts.h"
#include "src/raw_maker.h"
#include "src/util.h"

#define FLOWS_MAX 1024
#define BUCKETS 1024
#define ANSWERED_MS 120000 /* RFC 4787, REQ-5: two minutes at least */
#define UNANSWERED_MS 30000
#define TICK_SECONDS 5
#define BATCH 16
#define DATAGRAM_MAX 65536 /* bytes: more than any holds */
#define BUFFER (1 << 20)
#define ASKED_MAX 64 /* of the maker, at once */
#define TELL_PER_TICK 1000
#define TELL_MS 100
#define LISTENERS 2

enum { JAIL, HOST };

struct flow {
    struct raw_udp *raw;
    struct msg_tuple tuple;
    int fd[2]; /* [JAIL]: -1 until it is made */
    struct event *event[2];
    bool answered;
    uint64_t last; /* ms */
    struct flow *next, **at;
    struct flow *older, *newer;
};

struct listener {
    int fd;
    struct event *event;
};

struct raw_udp {
    struct raw_setup what;
    struct channel *channel; /* to dnsproxy; NULL: gone */
    int maker;               /* -1: gone */
    struct event *maker_event, *timer;
    struct listener listeners[LISTENERS];
    size_t listener_count, count, max;
    struct flow *buckets[BUCKETS], *oldest, *newest;
    struct msg_tuple asked[ASKED_MAX]; /* a ring */
    size_t asked_first, asked_count;
    uint64_t told_since; /* ms */
    unsigned told;
    struct mmsghdr messages[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_storage sources[BATCH];
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(struct sockaddr_in6))];
    } control[BATCH];
    char data[BATCH][DATAGRAM_MAX];
};

/* --- flows --- */

static struct flow *find(struct raw_udp *r, const struct msg_tuple *t)
{
    struct flow *f = r->buckets[raw_hash(t) % BUCKETS];

    while (f && memcmp(&f->tuple, t, sizeof(*t)) != 0)
        f = f->next;
    return f;
}

static void age_remove(struct flow *f)
{
    *(f->older ? &f->older->newer : &f->raw->oldest) = f->newer;
    *(f->newer ? &f->newer->older : &f->raw->newest) = f->older;
}

static void age_add(struct flow *f)
{
    struct raw_udp *r = f->raw;

    f->last = now_ms();
    f->older = r->newest;
    f->newer = NULL;
    /* The analyser does not see that the newest is another one when the oldest has ended. */
    *(r->newest ? &r->newest->newer : &r->oldest) = f; /* NOLINT(clang-analyzer-unix.Malloc) */
    r->newest = f;
}

static void touch(struct flow *f)
{
    age_remove(f);
    age_add(f);
}

static void end_flow(struct flow *f)
{
    for (int i = JAIL; i <= HOST; i++) {
        if (f->event[i])
            event_free(f->event[i]);
        if (f->fd[i] >= 0)
            (void)close(f->fd[i]);
    }
    age_remove(f);
    *f->at = f->next;
    if (f->next)
        f->next->at = f->at;
    f->raw->count--;
    free(f);
}

static struct flow *add_flow(struct raw_udp *r, const struct msg_tuple *t, int host)
{
    struct flow **bucket = &r->buckets[raw_hash(t) % BUCKETS];
    struct flow *f;

    if (r->count >= r->max && r->oldest)
        end_flow(r->oldest);
    f = xcalloc(1, sizeof(*f));
    *f = (struct flow){.raw = r, .tuple = *t, .fd = {-1, host}, .next = *bucket, .at = bucket};
    if (f->next)
        f->next->at = &f->next;
    *bucket = f;
    age_add(f);
    r->count++;
    return f;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct raw_udp *r = arg;
    uint64_t now = now_ms();

    (void)fd;
    (void)what;
    for (struct flow *f = r->oldest, *newer; f; f = newer) {
        newer = f->newer;
        if (now - f->last > (f->answered ? ANSWERED_MS : UNANSWERED_MS))
            end_flow(f);
    }
}

/* --- telling the jail --- */

/* A destination that refuses each datagram is not to keep this process busy. */
static bool may_tell(struct raw_udp *r)
{
    uint64_t now = now_ms();

    if (now - r->told_since >= TELL_MS) {
        r->told_since = now;
        r->told = 0;
    }
    return r->told++ < TELL_PER_TICK * TELL_MS / 1000;
}

static void tell(struct raw_udp *r, const struct msg_tuple *t, int err)
{
    struct msg_unreachable m = {.tuple = *t, .error = err};

    msg_init(&m, MSG_UNREACHABLE, sizeof(m));
    if (r->channel && may_tell(r))
        (void)channel_send(r->channel, &m, -1);
}

/* Of an error of the host's socket: what its destination is, not what this process is short of. */
static void tell_error(struct raw_udp *r, const struct msg_tuple *t, int err)
{
    switch (err) {
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
        tell(r, t, err);
        break;
    case EACCES: /* not the policy's: broadcast, or a firewall */
    case EPERM:
    case ENETDOWN:
    case EHOSTDOWN:
    case EINVAL:
        tell(r, t, EHOSTUNREACH);
        break;
    default:
        break;
    }
}

/* --- copying --- */

/* Up to BATCH datagrams; how many. *err: the errno if there is none. */
static int receive(struct raw_udp *r, int fd, bool with_addresses, int *err)
{
    int n;

    for (int i = 0; i < BATCH; i++) {
        struct msghdr *h = &r->messages[i].msg_hdr;
        r->iov[i] = (struct iovec){r->data[i], DATAGRAM_MAX};
        *h = (struct msghdr){.msg_iov = &r->iov[i], .msg_iovlen = 1};
        if (!with_addresses)
            continue;
        h->msg_name = &r->sources[i];
        h->msg_namelen = sizeof(r->sources[i]);
        h->msg_control = &r->control[i];
        h->msg_controllen = sizeof(r->control[i]);
    }
    n = recvmmsg(fd, r->messages, BATCH, MSG_DONTWAIT, NULL);
    *err = n < 0 ? errno : 0;
    return n < 0 ? 0 : n;
}

/* An error of an earlier datagram is reported by a send, which then has sent nothing: once more. */
static void send_host(struct raw_udp *r, struct flow *f, const void *data, size_t len)
{
    for (int tries = 0; tries < 2; tries++) {
        if (send(f->fd[HOST], data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return;
        if (errno == EAGAIN || errno == ENOBUFS)
            return;
        tell_error(r, &f->tuple, errno);
    }
}

static void on_jail(evutil_socket_t fd, short what, void *arg)
{
    struct flow *f = arg;
    struct raw_udp *r = f->raw;
    int err, n = receive(r, fd, false, &err);

    (void)what;
    for (int i = 0; i < n; i++)
        send_host(r, f, r->data[i], r->messages[i].msg_len);
    touch(f);
}

static void on_host(evutil_socket_t fd, short what, void *arg)
{
    struct flow *f = arg;
    struct raw_udp *r = f->raw;
    int err, n = receive(r, fd, false, &err);

    (void)what;
    if (err)
        tell_error(r, &f->tuple, err);
    for (int i = 0; i < n; i++)
        (void)send(f->fd[JAIL], r->data[i], r->messages[i].msg_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    f->answered = f->answered || n > 0;
    touch(f);
}

/* --- beginning --- */

static int open_host(const struct msg_tuple *t)
{
    struct sockaddr_storage to;
    socklen_t len = raw_destination(t, &to);
    const int bytes = BUFFER;
    cleanup_close int fd = socket(t->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    return connect(fd, (struct sockaddr *)&to, len) < 0 ? -errno : steal_fd(&fd);
}

static bool ask_maker(struct raw_udp *r, const struct msg_tuple *t)
{
    if (r->maker < 0 || r->asked_count == ASKED_MAX || raw_maker_ask(r->maker, t) < 0)
        return false;
    r->asked[(r->asked_first + r->asked_count++) % ASKED_MAX] = *t;
    return true;
}

static struct flow *begin_flow(struct raw_udp *r, const struct msg_tuple *t)
{
    struct raw_verdict v = raw_judge(&r->what.judge, IPPROTO_UDP, t);
    int host;

    if (!v.allowed) {
        tell(r, t, EACCES);
        return NULL;
    }
    if (r->asked_count == ASKED_MAX)
        return NULL;
    host = open_host(t);
    if (host < 0) {
        tell_error(r, t, -host);
        return NULL;
    }
    if (!raw_may_keep(&r->what.judge, t, host)) {
        (void)close(host);
        tell(r, t, EACCES);
        return NULL;
    }
    if (!ask_maker(r, t)) {
        (void)close(host);
        return NULL;
    }
    raw_log(r->what.log, &v, IPPROTO_UDP, t);
    return add_flow(r, t, host);
}

static struct event *watch(struct raw_udp *r, int fd, event_callback_fn cb, void *arg)
{
    struct event *event = event_new(r->what.base, fd, EV_READ | EV_PERSIST, cb, arg);

    if (!event || event_add(event, NULL) < 0)
        die("cannot watch a descriptor");
    return event;
}

static void maker_gone(struct raw_udp *r)
{
    event_free(r->maker_event);
    (void)close(r->maker);
    r->maker_event = NULL;
    r->maker = -1;
}

/* The flow may be over by now, or have got its socket from an earlier request of the same tuple. */
static void on_made(evutil_socket_t fd, short what, void *arg)
{
    struct raw_udp *r = arg;
    struct msg_tuple t;
    struct flow *f;
    int made, err = raw_maker_receive(fd, &made);

    (void)what;
    if (err == -EAGAIN || err == -EINTR)
        return;
    if (err < 0 || r->asked_count == 0) {
        if (made >= 0)
            (void)close(made);
        if (r->listener_count > 0)
            log_error(r->what.log, "the maker of UDP sockets ended; no UDP passes any more");
        maker_gone(r);
        return;
    }
    t = r->asked[r->asked_first];
    r->asked_first = (r->asked_first + 1) % ASKED_MAX;
    r->asked_count--;
    f = find(r, &t);
    if (!f || f->fd[JAIL] >= 0) {
        if (made >= 0)
            (void)close(made);
        return;
    }
    if (made < 0) {
        end_flow(f);
        return;
    }
    f->fd[JAIL] = made;
    f->event[JAIL] = watch(r, made, on_jail, f);
    f->event[HOST] = watch(r, f->fd[HOST], on_host, f);
}

/* --- the listeners --- */

/* Whose datagram that is: its source, and where the jail sent it to. */
static bool tuple_of(struct msghdr *h, const struct sockaddr_storage *source, struct msg_tuple *t)
{
    struct sockaddr_storage destination = {0};

    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR)
            memcpy(&destination, CMSG_DATA(c), sizeof(struct sockaddr_in));
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR)
            memcpy(&destination, CMSG_DATA(c), sizeof(struct sockaddr_in6));
    }
    return raw_tuple(source, &destination, t);
}

static void on_listener(evutil_socket_t fd, short what, void *arg)
{
    struct raw_udp *r = arg;
    int err, n = receive(r, fd, true, &err);

    (void)what;
    for (int i = 0; i < n; i++) {
        struct msg_tuple t;
        struct flow *f;

        if (!tuple_of(&r->messages[i].msg_hdr, &r->sources[i], &t))
            continue;
        f = find(r, &t);
        if (!f)
            f = begin_flow(r, &t);
        if (!f)
            continue;
        send_host(r, f, r->data[i], r->messages[i].msg_len);
        touch(f);
    }
}

void raw_udp_listen(struct raw_udp *r, int fd, int family)
{
    struct listener *l = &r->listeners[r->listener_count];
    const int on = 1;
    bool v6 = family == AF_INET6;

    if (r->listener_count == LISTENERS ||
        setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                   v6 ? IPV6_RECVORIGDSTADDR : IP_RECVORIGDSTADDR, &on, sizeof(on)) < 0) {
        (void)close(fd);
        return;
    }
    l->fd = fd;
    l->event = watch(r, fd, on_listener, r);
    r->listener_count++;
}

void raw_udp_drain(struct raw_udp *r)
{
    struct flow *f;

    for (size_t i = 0; i < r->listener_count; i++)
        on_listener(r->listeners[i].fd, EV_READ, r);
    f = r->oldest;
    for (size_t left = r->count; left > 0 && f;
         left--) { /* what was read goes to the end of the list */
        struct flow *newer = f->newer;
        if (f->fd[JAIL] >= 0 && recv(f->fd[JAIL], NULL, 0, MSG_PEEK | MSG_DONTWAIT) >= 0)
            on_jail(f->fd[JAIL], EV_READ, f);
        f = newer;
    }
}

void raw_udp_set_channel(struct raw_udp *r, struct channel *dnsproxy)
{
    r->channel = dnsproxy;
}

struct raw_udp *raw_udp_new(const struct raw_setup *setup, int maker, size_t max)
{
    static const struct timeval tick = {TICK_SECONDS, 0};
    struct raw_udp *r = xcalloc(1, sizeof(*r));

    r->what = *setup;
    r->maker = maker;
    r->max = max < FLOWS_MAX ? max : FLOWS_MAX;
    r->maker_event = watch(r, maker, on_made, r);
    r->timer = event_new(setup->base, -1, EV_PERSIST, on_timer, r);
    if (!r->timer || event_add(r->timer, &tick) < 0)
        die("cannot start a timer");
    return r;
}
