/* udp_flows.c: a pair of sockets a flow, found by source and destination.
 *
 * RFC 4787, REQ-5: a flow is kept for two minutes at least; here one that has had no answer yet is
 * not. There are FLOWS_MAX flows at the most; the one that was idle for longest makes room. As is
 * UDP's way, what finds no room is lost.
 *
 * Syscalls: recvmmsg, send, socket, connect, setsockopt, close. */
#include "src/udp_flows.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "src/raw_parts.h"
#include "src/util.h"

#define FLOWS_MAX 1024
#define ANSWERED_MS 120000
#define UNANSWERED_MS 30000
#define TICK_SECONDS 5
#define BUFFER (1 << 20)

static struct udp_flow **bucket_of(struct udp_flows *u, const struct udp_key *key)
{
    return &u->buckets[hash_bytes(HASH_START, key, sizeof(*key)) % UDP_FLOW_BUCKETS];
}

struct udp_flow *udp_flows_find(struct udp_flows *u, const struct udp_key *key)
{
    struct udp_flow *f = *bucket_of(u, key);

    while (f && memcmp(&f->key, key, sizeof(*key)) != 0)
        f = f->next;
    return f;
}

static void age_remove(struct udp_flow *f)
{
    *(f->older ? &f->older->newer : &f->flows->oldest) = f->newer;
    *(f->newer ? &f->newer->older : &f->flows->newest) = f->older;
}

static void age_add(struct udp_flow *f)
{
    struct udp_flows *u = f->flows;

    f->last = now_ms();
    f->older = u->newest;
    f->newer = NULL;
    /* The analyser does not see that the newest is another one when the oldest has ended. */
    *(u->newest ? &u->newest->newer : &u->oldest) = f; /* NOLINT(clang-analyzer-unix.Malloc) */
    u->newest = f;
}

void udp_flow_touch(struct udp_flow *f)
{
    age_remove(f);
    age_add(f);
}

void udp_flow_end(struct udp_flow *f)
{
    for (int i = UDP_JAIL; i <= UDP_HOST; i++) {
        if (f->event[i])
            event_free(f->event[i]);
        if (f->fd[i] >= 0)
            (void)close(f->fd[i]);
    }
    age_remove(f);
    *f->at = f->next;
    if (f->next)
        f->next->at = f->at;
    f->flows->count--;
    free(f);
}

/* Most jails have no flow, and nothing to wake up for. */
static void start_timer(struct udp_flows *u)
{
    static const struct timeval tick = {TICK_SECONDS, 0};

    if (event_add(u->timer, &tick) < 0)
        die("cannot start a timer");
}

struct udp_flow *udp_flows_add(struct udp_flows *u, const struct udp_key *key, int host)
{
    struct udp_flow **bucket = bucket_of(u, key);
    struct udp_flow *f;

    if (u->count >= u->max && u->oldest)
        udp_flow_end(u->oldest);
    if (u->count == 0)
        start_timer(u);
    f = xcalloc(1, sizeof(*f));
    *f = (struct udp_flow){
        .flows = u, .key = *key, .fd = {-1, host}, .shared = -1, .next = *bucket, .at = bucket};
    if (f->next)
        f->next->at = &f->next;
    *bucket = f;
    age_add(f);
    u->count++;
    return f;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct udp_flows *u = arg;
    uint64_t now = now_ms();

    (void)fd;
    (void)what;
    for (struct udp_flow *f = u->oldest, *newer; f; f = newer) {
        newer = f->newer;
        if (now - f->last > (f->answered ? ANSWERED_MS : UNANSWERED_MS))
            udp_flow_end(f);
    }
    if (u->count == 0)
        (void)event_del(u->timer);
}

struct udp_flows *udp_flows_new(struct event_base *base, size_t max, void *owner)
{
    struct udp_flows *u = xcalloc(1, sizeof(*u));

    u->owner = owner;
    u->max = max < FLOWS_MAX ? max : FLOWS_MAX;
    u->timer = event_new(base, -1, EV_PERSIST, on_timer, u);
    if (!u->timer)
        die("cannot make a timer");
    return u;
}

/* --- datagrams --- */

void udp_set_buffers(int fd)
{
    const int bytes = BUFFER;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

int udp_open_host(const struct msg_tuple *t)
{
    struct sockaddr_storage to;
    socklen_t len = raw_destination(t, &to);
    cleanup_close int fd = socket(t->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    udp_set_buffers(fd);
    return connect(fd, (struct sockaddr *)&to, len) < 0 ? -errno : steal_fd(&fd);
}

/* An error of an earlier datagram is reported by a send, which then has sent nothing: once more. */
int udp_flow_send(struct udp_flow *f, const void *data, size_t len)
{
    size_t counted = len > 0 ? len : 1; /* that it is sent, and where to, says something, too */
    int err = 0;

    if (quota_left(f->flows->quota) < counted) {
        err = f->over ? 0 : -EDQUOT;
        f->over = true;
        return err;
    }
    quota_count(f->flows->quota, counted);
    for (int tries = 0; tries < 2; tries++) {
        if (send(f->fd[UDP_HOST], data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            break;
        if (errno == EAGAIN || errno == ENOBUFS)
            break;
        err = -errno;
    }
    return err;
}

int udp_receive(struct udp_batch *b, int fd, bool with_addresses, int *err)
{
    int n;

    for (int i = 0; i < UDP_BATCH; i++) {
        struct msghdr *h = &b->messages[i].msg_hdr;
        b->iov[i] = (struct iovec){b->data[i], UDP_DATAGRAM_MAX};
        *h = (struct msghdr){.msg_iov = &b->iov[i], .msg_iovlen = 1};
        if (!with_addresses)
            continue;
        h->msg_name = &b->sources[i];
        h->msg_namelen = sizeof(b->sources[i]);
        h->msg_control = &b->control[i];
        h->msg_controllen = sizeof(b->control[i]);
    }
    n = recvmmsg(fd, b->messages, UDP_BATCH, MSG_DONTWAIT, NULL);
    *err = n < 0 ? errno : 0;
    return n < 0 ? 0 : n;
}
