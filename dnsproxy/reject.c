/* reject.c: why a rejected connect(2) needs a second answer.
 *
 * The rules reject a packet with an ICMP error, which the kernel sends at once: over a veth pair so
 * fast that it is there before the connect(2) that sent the SYN has let go of its socket. TCP does
 * not take a hard error for a socket that its owner has locked (tcp_v4_err, sock_owned_by_user), so
 * a blocking connect sleeps through it until the SYN is sent again after a second. This process
 * sees the same packet through nflog a moment later, and answers it too: once at once, and once
 * more after some milliseconds, since the first may still be early.
 *
 * IPv4: type 3 code 9, "network administratively prohibited"; IPv6: type 1 code 0, "no route".
 * Linux makes ENETUNREACH out of both. Other codes tell why a connection that is allowed was not
 * made (held.c), or that a UDP port is closed. The answer quotes the packet as it was logged, and
 * goes to the jail's own address and nowhere else. The kernel of the jail takes an error only for a
 * connection that it has, by ports and sequence number, so the jail can fool none but itself. */
#include "dnsproxy/reject.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "dnsproxy/packet.h"
#include "dnsproxy/rate.h"
#include "src/util.h"

#define ICMP_HEADER 8
#define QUOTE_MIN 8 /* of the transport header: ports and sequence number */
#define QUOTE_MAX 28
#define RING 256
#define REPEAT_US 3000

struct repeat {
    uint64_t due_us;
    struct reject_message message;
};

struct reject {
    int fd4, fd6;
    struct rate rate;
    struct event *timer;
    size_t first, count; /* in the ring; due in order */
    struct repeat ring[RING];
};

static bool from_jail(const struct nflog_packet *p)
{
    uint8_t jail[16] = {0};
    if (inet_pton(p->family, p->family == AF_INET ? JAIL_IPV4 : JAIL_IPV6, jail) != 1)
        return false;
    return memcmp(jail, p->source, sizeof(jail)) == 0;
}

/* Of "destination unreachable", so that the kernel makes that errno of it (icmp_err_convert,
 * icmpv6_err_convert). */
static uint8_t code_of(const struct nflog_packet *p, int error)
{
    bool v4 = p->family == AF_INET;
    switch (error) {
    case EACCES:
        if (!v4) /* as the rules do: no route for TCP, administratively prohibited for the rest */
            return p->protocol == IPPROTO_TCP ? 0 : 1;
        return 9;
    case ECONNREFUSED:
        return v4 ? 3 : 4;
    case ENETUNREACH:
        return 0;
    default: /* EHOSTUNREACH */
        return v4 ? 1 : 3;
    }
}

int reject_build(const struct nflog_packet *p, int error, struct reject_message *m)
{
    size_t behind = p->len - p->transport;
    if ((!p->tcp_syn && p->protocol != IPPROTO_UDP) || !from_jail(p) || behind < QUOTE_MIN)
        return -EINVAL;
    size_t quote = p->transport + (behind > QUOTE_MAX ? QUOTE_MAX : behind);
    if (ICMP_HEADER + quote > sizeof(m->data))
        return -EINVAL;
    memset(m, 0, sizeof(*m));
    m->family = p->family;
    m->len = ICMP_HEADER + quote;
    m->data[0] = p->family == AF_INET ? 3 : 1; /* destination unreachable */
    m->data[1] = code_of(p, error);
    memcpy(m->data + ICMP_HEADER, p->data, quote);
    if (p->family == AF_INET) {
        uint16_t sum = packet_checksum(packet_sum(0, m->data, m->len));
        m->data[2] = (uint8_t)(sum >> 8);
        m->data[3] = (uint8_t)sum;
    }
    return 0;
}

/* A message that cannot be sent is lost, as any packet may be. */
static void transmit(struct reject *r, const struct reject_message *m)
{
    if (!rate_take(&r->rate, now_us()))
        return;
    if (m->family == AF_INET) {
        struct sockaddr_in to = {.sin_family = AF_INET};
        (void)inet_pton(AF_INET, JAIL_IPV4, &to.sin_addr);
        (void)sendto(r->fd4, m->data, m->len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
    } else {
        struct sockaddr_in6 to = {.sin6_family = AF_INET6};
        (void)inet_pton(AF_INET6, JAIL_IPV6, &to.sin6_addr);
        (void)sendto(r->fd6, m->data, m->len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
    }
}

static void arm(struct reject *r, uint64_t now)
{
    if (r->count == 0)
        return;
    uint64_t due = r->ring[r->first].due_us;
    struct timeval tv = {.tv_usec = due > now ? (suseconds_t)(due - now) : 0};
    (void)event_add(r->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct reject *r = arg;
    uint64_t now = now_us();
    while (r->count > 0 && r->ring[r->first].due_us <= now) {
        transmit(r, &r->ring[r->first].message);
        r->first = (r->first + 1) % RING;
        r->count--;
    }
    arm(r, now);
}

void reject_answer(struct reject *r, const struct nflog_packet *p, int error)
{
    struct reject_message m;
    if (reject_build(p, error, &m) < 0 || (m.family == AF_INET ? r->fd4 : r->fd6) < 0)
        return;
    transmit(r, &m);
    if (!p->tcp_syn || r->count == RING)
        return;
    uint64_t now = now_us();
    r->ring[(r->first + r->count) % RING] = (struct repeat){now + REPEAT_US, m};
    if (r->count++ == 0)
        arm(r, now);
}

struct reject *reject_new(struct event_base *base, int fd4, int fd6)
{
    struct reject *r = xcalloc(1, sizeof(*r));
    r->fd4 = fd4;
    r->fd6 = fd6;
    r->rate = rate_init(REJECT_PER_SECOND, now_us());
    r->timer = event_new(base, -1, 0, on_timer, r);
    if (!r->timer)
        die("cannot make a timer");
    return r;
}

void reject_free(struct reject *r)
{
    if (!r)
        return;
    event_free(r->timer);
    free(r);
}
