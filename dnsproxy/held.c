/* held.c: a connection to a raw endpoint begins when its other half is there.
 *
 *   jail         rules               this process          supervisor
 *   SYN    --->  logged, dropped --> OPEN            --->  judges, connects on the host's network
 *                                    OPENED          <---  connected: kept for the listener
 *                lo <--------------- the SYN, made anew
 *          <---  SYN, ACK of the supervisor's listener; the rest passes the rules by itself
 *
 * So connect(2) in the jail ends as it would outside: refused with a RST, unreachable with an ICMP
 * error, and silent where the other side is. What is not allowed is logged and answered as the
 * rules do it (reject.h).
 *
 * A SYN that is sent again is known by its addresses, ports and sequence number: it is asked about
 * once, and once given back it is given back again. The table is bounded; what does not fit waits
 * for the client's next try. */
#include "dnsproxy/held.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "dnsproxy/dnsproxy.h"
#include "dnsproxy/packet.h"
#include "src/net.h"
#include "src/util.h"

#define ENTRIES 4096
#define BUCKETS 4096
#define ASKED_MS 150000 /* longer than the kernel tries to connect (tcp_syn_retries) */
#define GIVEN_MS 5000   /* a copy of the SYN may still be under way */
#define TICK_MS 1000
#define NONE UINT16_MAX

enum state { FREE, ASKED, GIVEN };

struct entry {
    enum state state;
    uint16_t next;           /* in its bucket, or among the free ones */
    uint16_t older, newer;   /* among those of its state */
    uint32_t turn, sequence; /* turn: how often this place was used */
    uint32_t to;             /* GIVEN */
    uint64_t until;          /* ms */
    struct msg_tuple tuple;
    struct nflog_packet packet; /* its data is copied */
    uint8_t data[NFLOG_SNAPLEN];
};

struct list {
    uint16_t oldest, newest;
};

struct held {
    struct dnsproxy *p;
    struct held_sockets sockets;
    struct event *timer;
    struct list lists[GIVEN + 1];
    uint16_t free, buckets[BUCKETS];
    struct entry entries[ENTRIES];
};

/* --- the table --- */

static uint16_t *bucket_of(struct held *h, const struct msg_tuple *t)
{
    return &h->buckets[hash_bytes(HASH_START, t, sizeof(*t)) % BUCKETS];
}

static struct entry *find(struct held *h, const struct msg_tuple *t)
{
    for (uint16_t i = *bucket_of(h, t); i != NONE; i = h->entries[i].next)
        if (memcmp(&h->entries[i].tuple, t, sizeof(*t)) == 0)
            return &h->entries[i];
    return NULL;
}

static uint16_t index_of(const struct held *h, const struct entry *e)
{
    return (uint16_t)(e - h->entries);
}

static void list_remove(struct held *h, struct entry *e)
{
    struct list *l = &h->lists[e->state];

    *(e->older == NONE ? &l->oldest : &h->entries[e->older].newer) = e->newer;
    *(e->newer == NONE ? &l->newest : &h->entries[e->newer].older) = e->older;
}

static void list_add(struct held *h, struct entry *e, enum state state, unsigned ms)
{
    struct list *l = &h->lists[state];

    e->state = state;
    e->until = now_ms() + ms;
    e->older = l->newest;
    e->newer = NONE;
    *(l->newest == NONE ? &l->oldest : &h->entries[l->newest].newer) = index_of(h, e);
    l->newest = index_of(h, e);
}

static void forget(struct held *h, struct entry *e)
{
    uint16_t *at = bucket_of(h, &e->tuple);

    while (*at != index_of(h, e))
        at = &h->entries[*at].next;
    *at = e->next;
    list_remove(h, e);
    e->state = FREE;
    e->next = h->free;
    h->free = index_of(h, e);
}

/* The oldest of those that are done makes room, if there is none. */
static struct entry *add(struct held *h, const struct msg_tuple *t)
{
    uint16_t *bucket = bucket_of(h, t);
    struct entry *e;

    if (h->free == NONE && h->lists[GIVEN].oldest != NONE)
        forget(h, &h->entries[h->lists[GIVEN].oldest]);
    if (h->free == NONE)
        return NULL;
    e = &h->entries[h->free];
    h->free = e->next;
    e->tuple = *t;
    e->turn++;
    e->next = *bucket;
    *bucket = index_of(h, e);
    list_add(h, e, ASKED, ASKED_MS);
    return e;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct held *h = arg;
    uint64_t now = now_ms();

    (void)fd;
    (void)what;
    for (int state = ASKED; state <= GIVEN; state++)
        while (h->lists[state].oldest != NONE && h->entries[h->lists[state].oldest].until <= now)
            forget(h, &h->entries[h->lists[state].oldest]);
}

/* --- answers --- */

/* to: where the packet is routed to. One that cannot be sent is lost, as any packet may be. */
static void transmit(const struct held *h, uint32_t which, const struct packet *p, const char *to4,
                     const char *to6)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    uint32_t i = which == MSG_TO_INTERCEPT ? 1 : 0;

    if (p->family == AF_INET && inet_pton(AF_INET, to4, &in.sin_addr) == 1)
        (void)sendto(h->sockets.fd4[i], p->data, p->len, MSG_DONTWAIT, (struct sockaddr *)&in,
                     sizeof(in));
    if (p->family == AF_INET6 && inet_pton(AF_INET6, to6, &in6.sin6_addr) == 1)
        (void)sendto(h->sockets.fd6[i], p->data, p->len, MSG_DONTWAIT, (struct sockaddr *)&in6,
                     sizeof(in6));
}

/* By way of lo, where the rules give it to the listener by the socket's mark. */
static void give_back(const struct held *h, const struct entry *e)
{
    struct packet p = {0};

    packet_syn(&e->packet, &p);
    transmit(h, e->to, &p, "127.0.0.1", "::1");
}

static void refuse(const struct held *h, const struct entry *e)
{
    struct packet p = {0};

    packet_reset(&e->packet, &p);
    transmit(h, MSG_TO_RELAY, &p, JAIL_IPV4, JAIL_IPV6);
}

static void deny(const struct held *h, const struct nflog_packet *p)
{
    log_reject(h->p, p);
    reject_answer(h->p->reject, p, EACCES);
}

void held_opened(struct held *h, const struct msg_opened *m)
{
    struct entry *e = &h->entries[m->id % ENTRIES];

    if (e->state != ASKED || m->id / ENTRIES != e->turn)
        return;
    switch (m->error) {
    case 0:
        e->to = m->to;
        list_remove(h, e);
        list_add(h, e, GIVEN, GIVEN_MS);
        give_back(h, e);
        return;
    case ECONNREFUSED:
    case ECONNRESET:
        refuse(h, e);
        break;
    case EACCES:
        deny(h, &e->packet);
        break;
    case EAGAIN: /* the client tries again */
    case ETIMEDOUT:
        break;
    default:
        reject_answer(h->p->reject, &e->packet, m->error);
        break;
    }
    forget(h, e);
}

/* --- packets --- */

static void ask(struct held *h, struct entry *e)
{
    struct msg_open m = {.id = (uint64_t)e->turn * ENTRIES + index_of(h, e), .tuple = e->tuple};

    msg_init(&m, MSG_OPEN, sizeof(m));
    if (!h->p->draining && channel_send(h->p->channel, &m, -1) < 0)
        forget(h, e);
}

static void keep_packet(struct entry *e, const struct nflog_packet *p, uint32_t sequence)
{
    e->sequence = sequence;
    e->packet = *p;
    e->packet.len = p->len < sizeof(e->data) ? p->len : sizeof(e->data);
    memcpy(e->data, p->data, e->packet.len);
    e->packet.data = e->data;
}

void held_packet(struct held *h, const struct nflog_packet *p)
{
    struct msg_tuple t;
    struct entry *e;
    uint32_t sequence;

    if (p->len > NFLOG_SNAPLEN || packet_tuple(p, &t, &sequence) < 0) {
        deny(h, p);
        return;
    }
    e = find(h, &t);
    if (e && e->sequence == sequence) {
        if (e->state == GIVEN)
            give_back(h, e);
        return;
    }
    if (e)
        forget(h, e); /* the client has given up that one */
    e = add(h, &t);
    if (!e)
        return;
    keep_packet(e, p, sequence);
    ask(h, e);
}

/* By the policy alone: what this process cannot know is not taken for denied. */
static bool is_denied(const struct policy *policy, const struct msg_tuple *t)
{
    for (size_t i = 0; i < policy->count; i++) {
        const struct endpoint *ep = &policy->endpoints[i];
        if ((ep->kind == ENDPOINT_NAME_PORT || ep->kind == ENDPOINT_URL) && ep->port == t->port)
            return false;
    }
    return !policy_match_address(policy, t->family, t->address, t->port);
}

void held_flush(struct held *h)
{
    for (uint16_t i = h->lists[ASKED].oldest; i != NONE; i = h->entries[i].newer)
        if (is_denied(&h->p->policy, &h->entries[i].tuple))
            log_reject(h->p, &h->entries[i].packet);
}

struct held *held_new(struct dnsproxy *p, const struct held_sockets *sockets)
{
    static const struct timeval tick = {TICK_MS / 1000, 0};
    struct held *h = xcalloc(1, sizeof(*h));

    h->p = p;
    h->sockets = *sockets;
    for (size_t i = 0; i < BUCKETS; i++)
        h->buckets[i] = NONE;
    for (int state = FREE; state <= GIVEN; state++)
        h->lists[state] = (struct list){NONE, NONE};
    h->free = NONE;
    for (uint16_t i = ENTRIES; i > 0; i--) {
        h->entries[i - 1].next = h->free;
        h->free = (uint16_t)(i - 1);
    }
    h->timer = event_new(p->base, -1, EV_PERSIST, on_timer, h);
    if (!h->timer || event_add(h->timer, &tick) < 0)
        die("cannot make a timer");
    return h;
}

void held_free(struct held *h)
{
    if (!h)
        return;
    event_free(h->timer);
    free(h);
}
