/* upstream.c: questions that are under way to the dialer.
 *
 * What crosses to the dialer is the canonical name, the type, the transport and the server that was
 * asked, never a byte of the client's packet. Each question has a slot; its id is the slot's number
 * and a count that never repeats, so a reply to a question that is over finds nothing. The same
 * question of many clients is asked once. A reply cut short over UDP is asked for again over TCP.
 * Slots, clients that wait and their time are bounded; SERVFAIL is what they get when a bound is
 * met. */
#include <errno.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "dnsproxy/dnsproxy.h"
#include "src/util.h"

#define SLOTS 4096 /* a power of two */
#define BUCKETS 4096
#define WAITERS_MAX 8192 /* over all slots */
#define TIMEOUT_MS 12000 /* from the first client's question, TCP included */
#define NONE UINT32_MAX

struct waiter {
    struct waiter *next;
    struct client client;
    struct query query;
};

struct slot {
    uint64_t id; /* 0: free */
    uint64_t deadline_ms;
    uint32_t hash;
    uint32_t next;         /* in its bucket, or among the free ones */
    uint32_t older, newer; /* by deadline */
    uint16_t qtype;
    bool tcp;
    struct msg_server server;
    struct waiter *waiters;
    char name[NAME_SIZE];
};

struct upstream {
    struct dnsproxy *p;
    struct event *timer;
    uint64_t generation;
    uint32_t seed, free, oldest, newest;
    size_t waiters;
    struct slot slots[SLOTS];
    uint32_t buckets[BUCKETS];
};

static uint32_t hash(const struct upstream *u, const char *name, uint16_t qtype,
                     const struct msg_server *server)
{
    uint32_t h = hash_bytes(HASH_START ^ u->seed, name, strlen(name));

    h = hash_bytes(h, server, sizeof(*server));
    h = hash_bytes(h, &qtype, sizeof(qtype));
    return h ^ h >> 15;
}

static uint32_t find(const struct upstream *u, const char *name, uint16_t qtype,
                     const struct msg_server *server, uint32_t h)
{
    for (uint32_t i = u->buckets[h % BUCKETS]; i != NONE; i = u->slots[i].next) {
        const struct slot *s = &u->slots[i];
        if (s->hash == h && s->qtype == qtype && strcmp(s->name, name) == 0 &&
            memcmp(&s->server, server, sizeof(*server)) == 0)
            return i;
    }
    return NONE;
}

static void arm(struct upstream *u)
{
    if (u->oldest == NONE)
        return;
    uint64_t now = now_ms(), due = u->slots[u->oldest].deadline_ms;
    uint64_t wait = due > now ? due - now : 0;
    (void)event_add(u->timer, &(struct timeval){.tv_sec = (time_t)(wait / 1000),
                                                .tv_usec = (suseconds_t)(wait % 1000 * 1000)});
}

/* Sends the slot's question under a fresh id. 0 or a negative errno of channel_send. */
static int send_question(struct upstream *u, uint32_t i)
{
    struct slot *s = &u->slots[i];
    s->id = ++u->generation * SLOTS + i;
    if (u->p->draining)
        return -EPIPE;
    struct msg_query m = {.id = s->id,
                          .qtype = s->qtype,
                          .transport = s->tcp ? MSG_TCP : MSG_UDP,
                          .server = s->server};
    msg_init(&m, MSG_QUERY, sizeof(m));
    copy_string(m.name, sizeof(m.name), s->name);
    return channel_send(u->p->channel, &m, -1);
}

/* Takes a free slot, which there is, into the bucket and to the end of the deadlines. */
static void slot_take(struct upstream *u, const struct client *c, const struct query *q, uint32_t h)
{
    uint32_t i = u->free;
    struct slot *s = &u->slots[i];
    u->free = s->next;
    *s = (struct slot){.deadline_ms = now_ms() + TIMEOUT_MS,
                       .hash = h,
                       .next = u->buckets[h % BUCKETS],
                       .older = u->newest,
                       .newer = NONE,
                       .qtype = q->qtype,
                       .server = c->server};
    copy_string(s->name, sizeof(s->name), q->name);
    u->buckets[h % BUCKETS] = i;
    if (u->newest != NONE)
        u->slots[u->newest].newer = i;
    else
        u->oldest = i;
    u->newest = i;
    if (u->oldest == i)
        arm(u);
}

/* Gives a slot back and returns those who waited for it. */
static struct waiter *slot_release(struct upstream *u, uint32_t i)
{
    struct slot *s = &u->slots[i];
    struct waiter *waiters = s->waiters;
    uint32_t *link = &u->buckets[s->hash % BUCKETS];
    while (*link != i)
        link = &u->slots[*link].next;
    *link = s->next;
    if (s->older != NONE)
        u->slots[s->older].newer = s->newer;
    else
        u->oldest = s->newer;
    if (s->newer != NONE)
        u->slots[s->newer].older = s->older;
    else
        u->newest = s->older;
    *s = (struct slot){.next = u->free};
    u->free = i;
    return waiters;
}

/* Ends a question: everyone who waits gets the answer, or rcode. */
static void finish(struct upstream *u, uint32_t i, uint16_t rcode, const struct answer *a)
{
    struct waiter *w = slot_release(u, i);
    while (w) {
        struct waiter *next = w->next;
        u->waiters--;
        serve_answer(u->p, &w->client, &w->query, rcode, a);
        free(w);
        w = next;
    }
}

int upstream_ask(struct upstream *u, const struct client *c, const struct query *q,
                 uint32_t endpoint)
{
    uint32_t h = hash(u, q->name, q->qtype, &c->server);
    uint32_t i = find(u, q->name, q->qtype, &c->server, h);
    if (u->waiters >= WAITERS_MAX || (i == NONE && u->free == NONE))
        return -ENOBUFS;
    if (i == NONE) {
        i = u->free;
        slot_take(u, c, q, h);
        int err = send_question(u, i);
        if (err < 0) {
            (void)slot_release(u, i);
            return err;
        }
        if (endpoint != POLICY_INDEX_NONE)
            log_allow(u->p, q, endpoint);
    }
    struct waiter *w = xmalloc(sizeof(*w));
    *w = (struct waiter){.next = u->slots[i].waiters, .client = *c, .query = *q};
    u->slots[i].waiters = w;
    u->waiters++;
    return 0;
}

static void log_withheld(struct upstream *u, const struct slot *s, const struct answer *a)
{
    bool dry_run = u->p->policy.dry_run;
    char reason[MSG_TEXT_SIZE];
    snprintf(reason, sizeof(reason), "answer %s %swithheld: private address (rebinding)",
             a->withheld_text, dry_run ? "would be " : "");
    (dry_run ? log_would_deny : log_deny)(u->p, s->name, s->qtype, reason);
}

static bool has_name_port(const struct policy *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->endpoints[i].kind == ENDPOINT_NAME_PORT && name_match(p->endpoints[i].host, name))
            return true;
    return false;
}

/* For a name with a NAME:PORT endpoint the supervisor is told the addresses before the clients are,
 * so that who connects to one of them right away is let through (learned.c). In a dry run it is
 * told those of every name, for the policy that is learned. */
static void teach(struct upstream *u, const struct slot *s, const struct answer *a)
{
    const struct policy *p = &u->p->policy;

    if (a->address_count == 0 || u->p->draining || (!p->dry_run && !has_name_port(p, s->name)))
        return;
    for (unsigned i = 0; i < a->address_count; i += MSG_LEARN_MAX) {
        unsigned n = a->address_count - i;
        struct msg_learn m = {.ttl = a->ttl, .family = (uint8_t)a->family};
        if (n > MSG_LEARN_MAX)
            n = MSG_LEARN_MAX;
        msg_init(&m, MSG_LEARN, sizeof(m));
        m.count = (uint16_t)n;
        memcpy(m.address, a->address[i], n * sizeof(a->address[0]));
        copy_string(m.name, sizeof(m.name), s->name);
        (void)channel_send(u->p->channel, &m, -1);
    }
}

void upstream_reply(struct upstream *u, const struct msg_reply *m)
{
    uint32_t i = (uint32_t)(m->id % SLOTS);
    struct slot *s = &u->slots[i];
    if (s->id == 0 || s->id != m->id)
        return;
    if (m->error != 0) {
        finish(u, i, m->error == EACCES ? LDNS_RCODE_REFUSED : LDNS_RCODE_SERVFAIL, NULL);
        return;
    }
    struct asked asked = {.dns_id = m->dns_id, .qtype = s->qtype, .tcp = s->tcp, .name = s->name};
    struct answer *a = &u->p->answer;
    switch (answer_build(&u->p->policy, &asked, m->data, m->data_len, a)) {
    case ANSWER_GOOD:
        if (a->withheld > 0)
            log_withheld(u, s, a);
        teach(u, s, a);
        finish(u, i, 0, a);
        return;
    case ANSWER_TRUNCATED:
        s->tcp = true;
        if (send_question(u, i) == 0)
            return;
        break;
    case ANSWER_BAD:
        break;
    }
    finish(u, i, LDNS_RCODE_SERVFAIL, NULL);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct upstream *u = arg;
    uint64_t now = now_ms();
    while (u->oldest != NONE && u->slots[u->oldest].deadline_ms <= now)
        finish(u, u->oldest, LDNS_RCODE_SERVFAIL, NULL);
    arm(u);
}

struct upstream *upstream_new(struct dnsproxy *p)
{
    struct upstream *u = xcalloc(1, sizeof(*u));
    u->p = p;
    u->oldest = u->newest = NONE;
    for (uint32_t i = 0; i < BUCKETS; i++)
        u->buckets[i] = NONE;
    for (uint32_t i = 0; i < SLOTS; i++)
        u->slots[i].next = i + 1 < SLOTS ? i + 1 : NONE;
    if (getrandom(&u->seed, sizeof(u->seed), 0) != sizeof(u->seed))
        die("getrandom failed");
    u->timer = event_new(p->base, -1, 0, on_timer, u);
    if (!u->timer)
        die("cannot make a timer");
    return u;
}

void upstream_free(struct upstream *u)
{
    if (!u)
        return;
    while (u->oldest != NONE)
        finish(u, u->oldest, LDNS_RCODE_SERVFAIL, NULL);
    event_free(u->timer);
    free(u);
}
