/* mirror_udp.c: datagrams between clients in the jail and a UDP port of the host's loopback.
 *
 *   clients in J  <-->  the socket that init has bound  <-- copied -->  a socket of the host
 *                       (one of the port)                               (one of the client)
 *
 * A flow is a client's address and port, and the mirrored one. The host's socket is connected, so
 * answers come from that port alone, and go to that client alone. Datagrams are not read.
 *
 * Where the host's port refuses a flow, the flow ends; unless others are there (a server may have
 * connected its socket to one of them), the jail's socket goes too, and the kernel then refuses in
 * the jail what the host's refuses outside.
 *
 * Syscalls: sendto; those of udp_flows.c. */
#include "src/mirror_udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "src/raw_parts.h"
#include "src/udp_flows.h"
#include "src/util.h"

struct mirror_udp {
    struct mirror_udp_setup what;
    struct udp_flows *flows;
};

static bool key_of(const struct sockaddr_storage *source, const struct launch_listen *at,
                   struct udp_key *key)
{
    memset(key, 0, sizeof(*key));
    if (!raw_tuple(source, &at->address, &key->tuple))
        return false;
    if (source->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)source;
        memcpy(key->source, &in->sin_addr, sizeof(in->sin_addr));
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)source;
        memcpy(key->source, &in6->sin6_addr, sizeof(in6->sin6_addr));
    }
    return key->tuple.source_port != 0; /* there is no answer to that port */
}

static struct launch_listen address_of(const struct msg_tuple *t)
{
    struct launch_listen at = {.type = SOCK_DGRAM};

    at.len = raw_destination(t, &at.address);
    return at;
}

static bool same_destination(const struct msg_tuple *a, const struct msg_tuple *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

static bool has_flow_to(const struct udp_flows *flows, const struct msg_tuple *t)
{
    for (const struct udp_flow *f = flows->oldest; f; f = f->newer)
        if (same_destination(&f->key.tuple, t))
            return true;
    return false;
}

/* Whether the jail's socket is there no more. */
static bool refuse(struct mirror_udp *u, struct udp_flow *f)
{
    const struct msg_tuple t = f->key.tuple;
    struct launch_listen at = address_of(&t);

    udp_flow_end(f);
    if (has_flow_to(u->flows, &t))
        return false;
    u->what.refused(&at, u->what.arg);
    return true;
}

static void on_host(evutil_socket_t fd, short what, void *arg)
{
    struct udp_flow *f = arg;
    struct udp_batch *b = &f->flows->batch;
    int err, n = udp_receive(b, fd, false, &err);

    (void)what;
    if (err == ECONNREFUSED) {
        (void)refuse(f->flows->owner, f);
        return;
    }
    for (int i = 0; i < n; i++)
        (void)sendto(f->shared, b->data[i], b->messages[i].msg_len, MSG_DONTWAIT | MSG_NOSIGNAL,
                     (const struct sockaddr *)&f->client, f->client_len);
    f->answered = f->answered || n > 0;
    udp_flow_touch(f);
}

static struct udp_flow *begin_flow(struct mirror_udp *u, const struct udp_key *key,
                                   uint32_t endpoint)
{
    const struct raw_verdict v = {.decision = MSG_ALLOW, .endpoint = endpoint};
    int host = udp_open_host(&key->tuple);
    struct udp_flow *f;

    if (host < 0)
        return NULL;
    raw_log(u->what.log, &v, IPPROTO_UDP, &key->tuple);
    f = udp_flows_add(u->flows, key, host);
    f->event[UDP_HOST] = event_new(u->what.base, host, EV_READ | EV_PERSIST, on_host, f);
    if (!f->event[UDP_HOST] || event_add(f->event[UDP_HOST], NULL) < 0)
        die("cannot watch a descriptor");
    return f;
}

bool mirror_udp_receive(struct mirror_udp *u, int fd, const struct launch_listen *at,
                        uint32_t endpoint)
{
    struct udp_batch *b = &u->flows->batch;
    int err, n = udp_receive(b, fd, true, &err);

    for (int i = 0; i < n; i++) {
        struct udp_key key;
        struct udp_flow *f;

        if (!key_of(&b->sources[i], at, &key))
            continue;
        f = udp_flows_find(u->flows, &key);
        if (!f)
            f = begin_flow(u, &key, endpoint);
        if (!f)
            continue;
        f->shared = fd;
        f->client = b->sources[i];
        f->client_len = b->messages[i].msg_hdr.msg_namelen;
        udp_flow_touch(f);
        err = udp_flow_send(f, b->data[i], b->messages[i].msg_len);
        if (err == -EDQUOT)
            raw_log_over(u->what.log, IPPROTO_UDP, &key.tuple);
        if (err == -ECONNREFUSED && refuse(u, f))
            return false;
    }
    return n == UDP_BATCH;
}

void mirror_udp_forget(struct mirror_udp *u, const struct launch_listen *at)
{
    struct udp_key key;

    if (!key_of(&at->address, at, &key))
        return;
    for (struct udp_flow *f = u->flows->oldest, *newer; f; f = newer) {
        newer = f->newer;
        if (same_destination(&f->key.tuple, &key.tuple))
            udp_flow_end(f);
    }
}

struct mirror_udp *mirror_udp_new(const struct mirror_udp_setup *setup)
{
    struct mirror_udp *u = xcalloc(1, sizeof(*u));

    u->what = *setup;
    u->flows = udp_flows_new(setup->base, setup->max, u);
    u->flows->quota = setup->quota;
    return u;
}
