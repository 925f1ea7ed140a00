/* raw_tcp.c: TCP to raw endpoints, the host's side first.
 *
 * - open: dnsproxy has a SYN of the jail that the rules hold (dnsproxy/held.c). It is judged, and
 *   a socket of this network connects, for as long as the kernel tries.
 * - kept: connected; dnsproxy gives the SYN back, and the kernel of the gateway completes
 *   the jail's connection with the transparent listener.
 * - joined: that connection is accepted, known by the jail's port and the destination,
 *   and relayed (relay.h).
 *
 * What is kept for a NAME:PORT endpoint (MSG_TO_INTERCEPT) is claimed by httpproxy, which has
 * accepted the jail's connection and looks for a ClientHello before it relays.
 *
 * Nothing that the jail sends is read here, and no connection of the jail is accepted whose other
 * half is not there. What is kept and not claimed is closed. The descriptors of what is under way
 * are taken from the relays' share.
 *
 * Syscalls: socket, connect, getsockopt, accept4, getsockname, getpeername,
 * fcntl (F_DUPFD_CLOEXEC), close. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/raw_parts.h"
#include "src/util.h"

#define BUCKETS 1024
#define KEPT_SECONDS 10
#define RETRY_MS 100
#define ACCEPT_MAX 64 /* in one turn */
#define LISTENERS 2

/* A connection from socket(2) until it is joined. */
struct opening {
    struct raw_tcp *raw;
    struct channel *channel; /* NULL: nobody waits any more */
    uint64_t id;
    struct msg_tuple tuple;
    struct raw_verdict verdict;
    int fd;
    bool kept;
    struct event *event;
    struct opening *next, **at;
};

struct listener {
    int fd;
    struct event *event;
};

struct raw_tcp {
    struct raw_setup what;
    struct listener listeners[LISTENERS];
    size_t listener_count, count;
    int spare; /* given up where no other descriptor is left; -1: none */
    struct event *retry;
    struct opening *buckets[BUCKETS];
};

/* --- the table --- */

static struct opening *find(struct raw_tcp *r, const struct msg_tuple *t)
{
    struct opening *o = r->buckets[raw_hash(t) % BUCKETS];

    while (o && memcmp(&o->tuple, t, sizeof(*t)) != 0)
        o = o->next;
    return o;
}

/* The descriptor is the caller's. */
static int unlink_opening(struct opening *o)
{
    int fd = o->fd;

    if (o->event)
        event_free(o->event);
    *o->at = o->next;
    if (o->next)
        o->next->at = o->at;
    o->raw->count--;
    free(o);
    return fd;
}

static struct opening *link_opening(struct raw_tcp *r, struct channel *c, const struct msg_open *m,
                                    const struct raw_verdict *v)
{
    struct opening **bucket = &r->buckets[raw_hash(&m->tuple) % BUCKETS];
    struct opening *o = xcalloc(1, sizeof(*o));

    *o = (struct opening){.raw = r,
                          .channel = c,
                          .id = m->id,
                          .tuple = m->tuple,
                          .verdict = *v,
                          .fd = -1,
                          .next = *bucket,
                          .at = bucket};
    if (o->next)
        o->next->at = &o->next;
    *bucket = o;
    r->count++;
    return o;
}

/* --- the host's side --- */

static void answer(struct channel *c, uint64_t id, int err, enum msg_opened_to to)
{
    struct msg_opened m = {.id = id, .error = err, .to = err ? 0 : to};

    msg_init(&m, MSG_OPENED, sizeof(m));
    if (c)
        (void)channel_send(c, &m, -1);
}

/* As the jail is told of it: EACCES is the policy's, and what this process is short of passes. */
static int told_errno(int err)
{
    switch (err) {
    case EACCES:
    case EPERM:
        return EHOSTUNREACH;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRNOTAVAIL:
        return EAGAIN;
    default:
        return err;
    }
}

static void failed(struct opening *o, int err)
{
    struct channel *c = o->channel;
    uint64_t id = o->id;
    int fd = unlink_opening(o);

    if (fd >= 0)
        (void)close(fd);
    answer(c, id, told_errno(err), 0);
}

static void on_unclaimed(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    relay_reset(unlink_opening(arg));
}

static void keep(struct opening *o)
{
    static const struct timeval wait = {KEPT_SECONDS, 0};

    if (o->event)
        event_free(o->event);
    o->event = evtimer_new(o->raw->what.base, on_unclaimed, o);
    if (!o->event || event_add(o->event, &wait) < 0)
        die("cannot start a timer");
    o->kept = true;
    answer(o->channel, o->id, 0, o->verdict.to);
}

static void refused(struct opening *o)
{
    struct channel *c = o->channel;
    uint64_t id = o->id;

    (void)close(unlink_opening(o));
    answer(c, id, EACCES, 0);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct opening *o = arg;
    socklen_t size = sizeof(int);
    int err = 0;

    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0)
        err = errno;
    if (err)
        failed(o, err);
    else if (!raw_may_keep(&o->raw->what.judge, &o->tuple, fd))
        refused(o);
    else
        keep(o);
}

static void begin(struct opening *o)
{
    struct sockaddr_storage to;
    socklen_t len = raw_destination(&o->tuple, &to);

    o->fd = socket(o->tuple.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (o->fd < 0 || (connect(o->fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS)) {
        failed(o, errno);
        return;
    }
    /* At once, if it is connected already. */
    o->event = event_new(o->raw->what.base, o->fd, EV_WRITE, on_writable, o);
    if (!o->event || event_add(o->event, NULL) < 0)
        failed(o, ENOMEM);
}

void raw_tcp_open(struct raw_tcp *r, struct channel *c, const struct msg_open *m)
{
    struct raw_verdict v = raw_judge(&r->what.judge, IPPROTO_TCP, &m->tuple);
    struct opening *earlier = find(r, &m->tuple);

    if (earlier) /* its client has given it up for this one */
        relay_reset(unlink_opening(earlier));
    if (!v.allowed)
        answer(c, m->id, EACCES, 0);
    else if (!v.connect)
        answer(c, m->id, 0, v.to);
    else if (relays_room(r->what.relays) <= r->count)
        answer(c, m->id, EAGAIN, 0);
    else
        begin(link_opening(r, c, m, &v));
}

void raw_tcp_forget(struct raw_tcp *r, const struct channel *c)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct opening *o = r->buckets[i], *next; o; o = next) {
            next = o->next;
            if (o->channel == c && o->kept)
                o->channel = NULL;
            else if (o->channel == c)
                (void)close(unlink_opening(o));
        }
}

/* --- the jail's side --- */

static bool tuple_of(int client, struct msg_tuple *t)
{
    struct sockaddr_storage source = {0}, destination = {0};
    socklen_t source_len = sizeof(source), destination_len = sizeof(destination);

    return getpeername(client, (struct sockaddr *)&source, &source_len) == 0 &&
           getsockname(client, (struct sockaddr *)&destination, &destination_len) == 0 &&
           raw_tuple(&source, &destination, t);
}

/* A relay whose end may be that it sent too much. */
struct joined {
    struct log *log;
    struct msg_tuple tuple;
};

static void on_relay_end(const struct relay_end *end, void *arg)
{
    struct joined *j = arg;

    if (end->error == EDQUOT)
        raw_log_over(j->log, IPPROTO_TCP, &j->tuple);
    free(j);
}

static int start_relay(struct raw_tcp *r, int client, int host, const struct msg_tuple *t)
{
    struct joined *j;
    int err;

    if (!r->what.quota)
        return relay_start(r->what.relays, client, host, NULL, NULL);
    j = xmalloc(sizeof(*j));
    *j = (struct joined){.log = r->what.log, .tuple = *t};
    err = relay_start(r->what.relays, client, host, on_relay_end, j);
    if (err < 0)
        free(j);
    return err;
}

static void join(struct raw_tcp *r, int client)
{
    struct msg_tuple t;
    struct opening *o = tuple_of(client, &t) ? find(r, &t) : NULL;
    struct raw_verdict v;
    int host;

    if (!o || !o->kept || o->verdict.to != MSG_TO_RELAY) {
        relay_reset(client);
        return;
    }
    v = o->verdict;
    host = unlink_opening(o);
    if (start_relay(r, client, host, &t) < 0) {
        relay_reset(client);
        relay_reset(host);
        return;
    }
    raw_log(r->what.log, &v, IPPROTO_TCP, &t);
}

int raw_tcp_claim(struct raw_tcp *r, const struct msg_tuple *t, uint32_t *endpoint)
{
    struct opening *o = find(r, t);

    if (!o || !o->kept || o->verdict.to != MSG_TO_INTERCEPT)
        return -1;
    *endpoint = o->verdict.endpoint;
    return unlink_opening(o);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct raw_tcp *r = arg;

    (void)fd;
    (void)what;
    for (size_t i = 0; i < r->listener_count; i++)
        (void)event_add(r->listeners[i].event, NULL);
}

/* For want of a descriptor one connection of the jail is reset, with the one outside that is kept
 * for it: were none accepted, those that are kept would keep the descriptors. False: there is no
 * spare. */
static bool reset_one(struct raw_tcp *r, int listener)
{
    struct msg_tuple t;
    struct opening *o;
    int client;

    if (r->spare < 0)
        return false;
    (void)close(r->spare);
    client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0) {
        o = tuple_of(client, &t) ? find(r, &t) : NULL;
        if (o && o->kept)
            relay_reset(unlink_opening(o));
        relay_reset(client);
    }
    r->spare = fcntl(listener, F_DUPFD_CLOEXEC, 0);
    return client >= 0;
}

/* What cannot be taken now waits in the backlog. */
static void pause_listening(struct raw_tcp *r)
{
    static const struct timeval wait = {0, RETRY_MS * 1000};

    for (size_t i = 0; i < r->listener_count; i++)
        (void)event_del(r->listeners[i].event);
    (void)event_add(r->retry, &wait);
}

/* Was that all? */
static bool accept_some(struct raw_tcp *r, int fd)
{
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client >= 0) {
            join(r, client);
            continue;
        }
        if ((errno == EMFILE || errno == ENFILE) && reset_one(r, fd))
            continue;
        if (errno == EAGAIN)
            return true;
        if (errno != ECONNABORTED && errno != EINTR)
            pause_listening(r);
        return false;
    }
    return false;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    (void)accept_some(arg, fd);
}

bool raw_tcp_drain(struct raw_tcp *r)
{
    bool all = true;

    for (size_t i = 0; i < r->listener_count; i++)
        all = accept_some(r, r->listeners[i].fd) && all;
    return all;
}

void raw_tcp_listen(struct raw_tcp *r, int fd)
{
    struct listener *l = &r->listeners[r->listener_count];

    if (r->listener_count == LISTENERS) {
        (void)close(fd);
        return;
    }
    l->fd = fd;
    l->event = event_new(r->what.base, fd, EV_READ | EV_PERSIST, on_accept, r);
    if (!l->event || event_add(l->event, NULL) < 0)
        die("cannot watch a descriptor");
    if (r->spare < 0)
        r->spare = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    r->listener_count++;
}

struct raw_tcp *raw_tcp_new(const struct raw_setup *setup)
{
    struct raw_tcp *r = xcalloc(1, sizeof(*r));

    r->what = *setup;
    r->spare = -1;
    r->retry = evtimer_new(setup->base, on_retry, r);
    if (!r->retry)
        die("cannot make a timer");
    return r;
}
