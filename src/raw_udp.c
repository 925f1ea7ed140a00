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
 * The flows are bounded, and expire (udp_flows.c).
 *
 * Syscalls: send, recv, setsockopt, close; those of udp_flows.c and raw_maker.c. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/raw_parts.h"
#include "src/raw_maker.h"
#include "src/udp_flows.h"
#include "src/util.h"

#define ASKED_MAX 64    /* of the maker, at once */
#define DRAIN_MAX 16384 /* datagrams, at the end: the receive buffers of several flows */
#define TELL_PER_TICK 1000
#define TELL_MS 100
#define LISTENERS 2

struct listener {
    int fd;
    struct event *event;
};

struct raw_udp {
    struct raw_setup what;
    struct channel *channel; /* to dnsproxy; NULL: gone */
    int maker;               /* -1: gone */
    struct event *maker_event;
    struct listener listeners[LISTENERS];
    size_t listener_count;
    struct udp_flows *flows;
    struct msg_tuple asked[ASKED_MAX]; /* a ring */
    size_t asked_first, asked_count;
    uint64_t told_since; /* ms */
    unsigned told;
};

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

static void send_host(struct raw_udp *r, struct udp_flow *f, const void *data, size_t len)
{
    int err = udp_flow_send(f, data, len);

    if (err == -EDQUOT)
        raw_log_over(r->what.log, IPPROTO_UDP, &f->key.tuple);
    else if (err)
        tell_error(r, &f->key.tuple, -err);
}

/* A batch of the rest of a flow; how many datagrams. */
static int take_rest(struct udp_flow *f)
{
    struct raw_udp *r = f->flows->owner;
    struct udp_batch *b = &f->flows->batch;
    int err, n = udp_receive(b, f->fd[UDP_JAIL], false, &err);

    for (int i = 0; i < n; i++)
        send_host(r, f, b->data[i], b->messages[i].msg_len);
    return n;
}

static void on_jail(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)take_rest(arg);
    udp_flow_touch(arg);
}

static void on_host(evutil_socket_t fd, short what, void *arg)
{
    struct udp_flow *f = arg;
    struct raw_udp *r = f->flows->owner;
    struct udp_batch *b = &f->flows->batch;
    int err, n = udp_receive(b, fd, false, &err);

    (void)what;
    if (err)
        tell_error(r, &f->key.tuple, err);
    for (int i = 0; i < n; i++)
        (void)send(f->fd[UDP_JAIL], b->data[i], b->messages[i].msg_len,
                   MSG_DONTWAIT | MSG_NOSIGNAL);
    f->answered = f->answered || n > 0;
    udp_flow_touch(f);
}

/* --- beginning --- */

static bool ask_maker(struct raw_udp *r, const struct msg_tuple *t)
{
    if (r->maker < 0 || r->asked_count == ASKED_MAX || raw_maker_ask(r->maker, t) < 0)
        return false;
    r->asked[(r->asked_first + r->asked_count++) % ASKED_MAX] = *t;
    return true;
}

static struct udp_flow *begin_flow(struct raw_udp *r, const struct msg_tuple *t)
{
    const struct udp_key key = {.tuple = *t};
    struct raw_verdict v = raw_judge(&r->what.judge, IPPROTO_UDP, t);
    int host;

    if (!v.allowed) {
        tell(r, t, EACCES);
        return NULL;
    }
    if (r->asked_count == ASKED_MAX)
        return NULL;
    host = udp_open_host(t);
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
    return udp_flows_add(r->flows, &key, host);
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
    struct udp_key key = {0};
    struct udp_flow *f;
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
    key.tuple = r->asked[r->asked_first];
    r->asked_first = (r->asked_first + 1) % ASKED_MAX;
    r->asked_count--;
    f = udp_flows_find(r->flows, &key);
    if (!f || f->fd[UDP_JAIL] >= 0) {
        if (made >= 0)
            (void)close(made);
        return;
    }
    if (made < 0) {
        udp_flow_end(f);
        return;
    }
    f->fd[UDP_JAIL] = made;
    f->event[UDP_JAIL] = watch(r, made, on_jail, f);
    f->event[UDP_HOST] = watch(r, f->fd[UDP_HOST], on_host, f);
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

/* A batch of what a listener has; how many datagrams. */
static int take_first(struct raw_udp *r, int listener)
{
    struct udp_batch *b = &r->flows->batch;
    int err, n = udp_receive(b, listener, true, &err);

    for (int i = 0; i < n; i++) {
        struct udp_key key = {0};
        struct udp_flow *f;

        if (!tuple_of(&b->messages[i].msg_hdr, &b->sources[i], &key.tuple))
            continue;
        f = udp_flows_find(r->flows, &key);
        if (!f)
            f = begin_flow(r, &key.tuple);
        if (!f)
            continue;
        send_host(r, f, b->data[i], b->messages[i].msg_len);
        udp_flow_touch(f);
    }
    return n;
}

static void on_listener(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    (void)take_first(arg, fd);
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

bool raw_udp_drain(struct raw_udp *r)
{
    int left = DRAIN_MAX; /* whatever of the jail still lives may go on sending */

    for (size_t i = 0; i < r->listener_count; i++)
        for (int n = 1; n > 0 && left > 0; left -= n)
            n = take_first(r, r->listeners[i].fd);
    for (struct udp_flow *f = r->flows->oldest; f; f = f->newer)
        for (int n = 1; f->fd[UDP_JAIL] >= 0 && n > 0 && left > 0; left -= n)
            n = take_rest(f);
    /* A socket that is made has the rest of its flow already, and may be on its way here. */
    return r->maker < 0 || r->asked_count == 0;
}

void raw_udp_set_channel(struct raw_udp *r, struct channel *dnsproxy)
{
    r->channel = dnsproxy;
}

struct raw_udp *raw_udp_new(const struct raw_setup *setup, int maker, size_t max)
{
    struct raw_udp *r = xcalloc(1, sizeof(*r));

    r->what = *setup;
    r->maker = maker;
    r->flows = udp_flows_new(setup->base, max, r);
    r->flows->quota = setup->quota;
    r->maker_event = watch(r, maker, on_made, r);
    return r;
}
