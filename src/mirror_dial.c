/* mirror_dial.c: the host's side of a mirrored connection.
 *
 * The client has been accepted before the host's socket is connected, so what goes wrong there
 * shows in the jail as a reset connection and not as one refused. The mirror sees to it that this
 * is rare: a port is there only while the host's is.
 *
 * A socket of the host that gets a connection by AF_UNIX sees the ids of the process of the jail
 * that made it (unix_ids.h), and the process number of the supervisor. AF_UNIX has no connection
 * under way: where the backlog is full, connect(2) answers EAGAIN, and is tried again.
 *
 * Syscalls: socket, connect, getsockopt, close; those of unix_ids.c. */
#include "src/mirror_dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/quota.h"
#include "src/unix_ids.h"
#include "src/util.h"

#define RETRY_MS 20
#define UNIX_WAIT_MS 30000

struct dial {
    struct mirror_dialer *dialer;
    struct launch_listen at;
    uint32_t endpoint;
    int client, host; /* the host's: -1 before socket(2) */
    struct event *event;
    uint64_t until; /* AF_UNIX: ms */
};

static struct msg_log_connect connect_to(const struct sockaddr_storage *a)
{
    struct msg_log_connect m = {
        .count = 1, .protocol = IPPROTO_TCP, .family = (uint8_t)a->ss_family};

    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a;
        m.port = ntohs(in->sin_port);
        memcpy(m.address, &in->sin_addr, sizeof(in->sin_addr));
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)a;
        m.port = ntohs(in6->sin6_port);
        memcpy(m.address, &in6->sin6_addr, sizeof(in6->sin6_addr));
    }
    return m;
}

static void log_it(struct log *log, const struct launch_listen *at, enum msg_decision decision,
                   uint32_t endpoint, const char *reason)
{
    struct msg_log_connect m;

    if (at->address.ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&at->address;
        char name[sizeof(un->sun_path) + 1] = "@";
        memcpy(name + 1, un->sun_path + 1, at->len - offsetof(struct sockaddr_un, sun_path) - 1);
        if (decision == MSG_ALLOW && endpoint == POLICY_INDEX_NONE)
            decision = MSG_WOULD_DENY;
        log_unix(log, decision, name, name, endpoint);
        return;
    }
    m = connect_to(&at->address);
    m.decision = decision;
    m.endpoint = endpoint;
    log_named_connect(log, &m, "", reason);
}

/* A connection that is relayed. */
struct joined {
    struct mirror_dialer *dialer;
    struct launch_listen at;
};

static void on_packets_end(int error, void *arg)
{
    struct joined *j = arg;
    struct mirror_dialer *dialer = j->dialer;

    if (error == EDQUOT)
        log_it(dialer->log, &j->at, MSG_DENY, POLICY_INDEX_NONE, QUOTA_REASON);
    free(j);
    dialer->ended(dialer->arg);
}

static void on_relay_end(const struct relay_end *end, void *arg)
{
    on_packets_end(end->error, arg);
}

static int start_relay(const struct dial *d)
{
    struct mirror_dialer *dialer = d->dialer;
    struct joined *j = xmalloc(sizeof(*j));
    int r = 0;

    *j = (struct joined){.dialer = dialer, .at = d->at};
    if (d->at.type == SOCK_SEQPACKET)
        packet_relay_start(dialer->packets, d->client, d->host, on_packets_end, j);
    else
        r = relay_start(dialer->relays, d->client, d->host, on_relay_end, j);
    if (r < 0)
        free(j);
    return r;
}

/* err: 0 if connected. */
static void end_dial(struct dial *d, int err)
{
    struct mirror_dialer *dialer = d->dialer;

    dialer->count--;
    if (d->event)
        event_free(d->event);
    if (err == 0) {
        log_it(dialer->log, &d->at, MSG_ALLOW, d->endpoint, "");
        if (start_relay(d) < 0)
            err = EMFILE;
    }
    if (err) {
        relay_reset(d->client);
        if (d->host >= 0)
            (void)close(d->host);
    }
    if (err == ECONNREFUSED)
        dialer->refused(&d->at, dialer->arg);
    if (err)
        dialer->ended(dialer->arg);
    free(d);
}

static int connect_as_peer(const struct dial *d)
{
    struct unix_caller caller;
    struct unix_ids own;
    int r = unix_caller_of_peer(d->client, &caller);

    if (r < 0 || (r = unix_ids_borrow(&caller, &own)) < 0)
        return r;
    r = connect(d->host, (const struct sockaddr *)&d->at.address, d->at.len) < 0 ? -errno : 0;
    unix_ids_return(&own);
    return r;
}

static void on_event(evutil_socket_t fd, short what, void *arg);

static void wait_for(struct dial *d, short what, const struct timeval *timeout)
{
    if (!d->event)
        d->event = event_new(d->dialer->base, what ? d->host : -1, what, on_event, d);
    if (!d->event || event_add(d->event, timeout) < 0)
        end_dial(d, ENOMEM);
}

static void attempt(struct dial *d)
{
    static const struct timeval retry = {0, RETRY_MS * 1000};
    int r;

    if (d->at.address.ss_family == AF_UNIX) {
        r = connect_as_peer(d);
        if (r == -EAGAIN && now_ms() < d->until)
            wait_for(d, 0, &retry);
        else
            end_dial(d, -r);
        return;
    }
    r = connect(d->host, (const struct sockaddr *)&d->at.address, d->at.len) < 0 ? -errno : 0;
    if (r == -EINPROGRESS)
        wait_for(d, EV_WRITE, NULL); /* as long as the kernel tries */
    else
        end_dial(d, -r);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct dial *d = arg;
    socklen_t size = sizeof(int);
    int err = 0;

    (void)what;
    if (d->at.address.ss_family == AF_UNIX) {
        attempt(d);
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0)
        err = errno;
    end_dial(d, err);
}

void mirror_dial(struct mirror_dialer *dialer, const struct launch_listen *at, uint32_t endpoint,
                 int client)
{
    struct dial *d = xcalloc(1, sizeof(*d));

    *d = (struct dial){.dialer = dialer, .at = *at, .endpoint = endpoint, .client = client};
    d->until = now_ms() + UNIX_WAIT_MS;
    dialer->count++;
    d->host = socket(at->address.ss_family, at->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (d->host < 0)
        end_dial(d, errno);
    else
        attempt(d);
}
