/* upstream.c: questions that are under way to the dialer.
 *
 * What crosses to the dialer is the canonical name, the type, the transport and the server that was
 * asked, never a byte of the client's packet. Each question has a slot; its id is the slot's number
 * and a count that never repeats, so a reply to a question that is over finds nothing. The same
 * question of many clients is asked once. A reply cut short over UDP is asked for again over TCP.
 * Answers go into the cache; one in there that holds no longer is told when upstream fails, or has
 * said nothing for STALE_MS (RFC 8767), while the question goes on.
 * The log is told of a question when it is over, since it says why there was no answer.
 * Slots, clients that wait and their time are bounded; SERVFAIL is what they get when a bound is
 * met. */
#include <errno.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#include "dnsproxy/dnsproxy.h"
#include "src/util.h"

#define SLOTS 4096 /* a power of two */
#define BUCKETS 4096
#define WAITERS_MAX 8192 /* over all slots */
#define TIMEOUT_MS 12000 /* from the first client's question, TCP included */
#define STALE_MS 1800    /* likewise, after which a stale answer is told (RFC 8767, 5) */
#define LEARN_S 60       /* for which the supervisor takes an address at least (learned.h) */
#define NONE UINT32_MAX

struct waiter {
    struct waiter *next;
    struct client client;
    struct query query;
};

struct slot {
    uint64_t id; /* 0: free */
    uint64_t stale_ms, deadline_ms;
    struct cache_key key; /* of name and server below */
    uint32_t endpoint;
    uint32_t next;         /* in its bucket, or among the free ones */
    uint32_t older, newer; /* by deadline */
    bool tcp;
    struct msg_server server;
    struct waiter *waiters;
    char name[NAME_SIZE];
};

struct upstream {
    struct dnsproxy *p;
    struct event *timer;
    uint64_t generation;
    uint32_t free, oldest, newest;
    uint32_t stale; /* the oldest slot whose stale_ms has not come */
    size_t waiters, waiters_used;
    struct waiter *free_waiter;
    struct waiter pool[WAITERS_MAX]; /* of which waiters_used have been taken ever */
    struct slot slots[SLOTS];
    uint32_t buckets[BUCKETS];
};

static uint32_t find(const struct upstream *u, const struct cache_key *key)
{
    for (uint32_t i = u->buckets[key->hash % BUCKETS]; i != NONE; i = u->slots[i].next)
        if (cache_key_equal(&u->slots[i].key, key))
            return i;
    return NONE;
}

static struct waiter *waiter_take(struct upstream *u)
{
    struct waiter *w = u->free_waiter;
    if (w)
        u->free_waiter = w->next;
    else
        w = &u->pool[u->waiters_used++];
    u->waiters++;
    return w;
}

static void waiter_give(struct upstream *u, struct waiter *w)
{
    w->next = u->free_waiter;
    u->free_waiter = w;
    u->waiters--;
}

static void arm(struct upstream *u)
{
    if (u->oldest == NONE)
        return;
    uint64_t now = now_ms(), due = u->slots[u->oldest].deadline_ms;
    if (u->stale != NONE && u->slots[u->stale].stale_ms < due)
        due = u->slots[u->stale].stale_ms;
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
                          .qtype = s->key.qtype,
                          .transport = s->tcp ? MSG_TCP : MSG_UDP,
                          .server = s->server};
    msg_init(&m, MSG_QUERY, sizeof(m));
    memcpy(m.name, s->name, s->key.name_len);
    return channel_send_soon(u->p->channel, &m);
}

/* Takes a free slot, which there is, into the bucket and to the end of the deadlines. */
static void slot_take(struct upstream *u, const struct cache_key *key, uint32_t endpoint)
{
    uint32_t i = u->free, *bucket = &u->buckets[key->hash % BUCKETS];
    struct slot *s = &u->slots[i];
    uint64_t now = now_ms();
    u->free = s->next;
    s->stale_ms = now + STALE_MS;
    s->deadline_ms = now + TIMEOUT_MS;
    s->endpoint = endpoint;
    s->tcp = false;
    s->waiters = NULL;
    s->server = *key->server;
    memcpy(s->name, key->name, key->name_len);
    s->name[key->name_len] = '\0';
    s->key = *key;
    s->key.name = s->name;
    s->key.server = &s->server;
    s->next = *bucket;
    *bucket = i;
    s->older = u->newest;
    s->newer = NONE;
    *(u->newest != NONE ? &u->slots[u->newest].newer : &u->oldest) = i;
    u->newest = i;
    if (u->stale == NONE)
        u->stale = i;
    if (u->oldest == i)
        arm(u);
}

/* Gives a slot back and returns those who waited for it. */
static struct waiter *slot_release(struct upstream *u, uint32_t i)
{
    struct slot *s = &u->slots[i];
    struct waiter *waiters = s->waiters;
    uint32_t *link = &u->buckets[s->key.hash % BUCKETS];
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
    if (u->stale == i)
        u->stale = s->newer;
    s->id = 0;
    s->next = u->free;
    u->free = i;
    return waiters;
}

/* Everyone who waits gets it, or (v NULL) rcode. */
static void answer_waiters(struct upstream *u, struct waiter *w, uint16_t rcode,
                           const struct answer_view *v)
{
    while (w) {
        struct waiter *next = w->next;
        serve_answer(u->p, &w->client, &w->query, rcode, v);
        waiter_give(u, w);
        w = next;
    }
}

static void finish(struct upstream *u, uint32_t i, uint16_t rcode, const struct answer_view *v)
{
    answer_waiters(u, slot_release(u, i), rcode, v);
}

int upstream_ask(struct upstream *u, const struct client *c, const struct query *q,
                 const struct cache_key *key, uint32_t endpoint)
{
    uint32_t i = find(u, key);
    if (u->waiters >= WAITERS_MAX || (i == NONE && u->free == NONE))
        return -ENOBUFS;
    if (i == NONE) {
        i = u->free;
        slot_take(u, key, endpoint);
        int err = send_question(u, i);
        if (err < 0) {
            (void)slot_release(u, i);
            return err;
        }
    }
    struct waiter *w = waiter_take(u);
    w->next = u->slots[i].waiters;
    w->client = *c;
    w->query = *q;
    u->slots[i].waiters = w;
    return 0;
}

/* reason: "", or why there is no answer. In a dry run what no endpoint allows was logged before. */
static void log_asked(struct upstream *u, const struct slot *s, const char *reason)
{
    if (s->endpoint != POLICY_INDEX_NONE)
        log_allow(u->p, s->name, s->key.qtype, s->endpoint, reason, 1);
}

static void log_withheld(struct upstream *u, const struct slot *s, const struct answer *a)
{
    bool dry_run = u->p->policy.dry_run;
    char reason[MSG_TEXT_SIZE];
    snprintf(reason, sizeof(reason), "answer %s %swithheld: private address (rebinding)",
             a->withheld_text, dry_run ? "would be " : "");
    (dry_run ? log_would_deny : log_deny)(u->p, s->name, s->key.qtype, reason, 1);
}

/* The addresses that follow the first and are of its family, up to a message's worth. */
static unsigned teach_some(struct dnsproxy *p, const char *name, const struct answer_address *a,
                           unsigned count, uint32_t ttl)
{
    struct msg_learn m = {.ttl = ttl, .family = a->family};
    msg_init(&m, MSG_LEARN, sizeof(m));
    while (m.count < count && m.count < MSG_LEARN_MAX && a[m.count].family == a->family) {
        memcpy(m.address[m.count], a[m.count].address, sizeof(m.address[0]));
        m.count++;
    }
    copy_string(m.name, sizeof(m.name), name);
    (void)channel_send(p->channel, &m, -1);
    return m.count;
}

void upstream_teach(struct upstream *u, const char *name, const struct answer_address *a,
                    unsigned count, uint32_t ttl)
{
    struct dnsproxy *p = u->p;

    if (count == 0 || p->draining || (!p->policy.dry_run && !policy_has_ports(&p->policy, name)))
        return;
    for (unsigned i = 0; i < count;)
        i += teach_some(p, name, a + i, count - i, ttl);
}

/* Of what is told now. */
static void remember(struct upstream *u, const struct slot *s, const struct answer *a)
{
    for (unsigned i = 0; i < a->address_count; i++)
        reverse_add(u->p->reverse, &a->address[i], s->name);
    upstream_teach(u, s->name, a->address, a->address_count, a->ttl);
}

/* Of a question for A alone: there are servers that know no other type, and say NXDOMAIN to AAAA,
 * or to HTTPS, of a name that has an A (RFC 4074, 4.2). */
static bool tells_of_nothing(const struct slot *s, const struct answer *a)
{
    return a->rcode == LDNS_RCODE_NXDOMAIN && a->ancount == 0 && s->key.qtype == LDNS_RR_TYPE_A;
}

static void succeed(struct upstream *u, uint32_t i, const struct answer *a, bool hosts_below)
{
    struct slot *s = &u->slots[i];
    struct answer_view v = answer_view(a);
    uint64_t now = now_ms();
    log_asked(u, s, "");
    if (a->withheld > 0)
        log_withheld(u, s, a);
    remember(u, s, a);
    struct cached *e = cache_put(u->p->cache, &s->key, a, now);
    if (e) {
        e->endpoint = s->endpoint;
        e->taught_s = now / 1000;
    }
    if (tells_of_nothing(s, a) && !hosts_below)
        cache_put_cut(u->p->cache, s->name, &s->server, a, now);
    else if (a->rcode == LDNS_RCODE_NOERROR)
        cache_drop_cut(u->p->cache, s->name, &s->server);
    finish(u, i, 0, &v);
}

/* What there is of an older answer; its addresses are told to the supervisor once more. */
static bool stale_view(struct upstream *u, const struct slot *s, struct answer_view *v)
{
    uint64_t now = now_ms();
    struct cached *e = cache_find(u->p->cache, &s->key, now);
    if (!e)
        return false;
    e->recheck_ms = now + CACHE_RECHECK_MS;
    upstream_teach(u, s->name, e->address, e->address_count, LEARN_S);
    *v = cache_view(e, now);
    return true;
}

static void fail(struct upstream *u, uint32_t i, const char *why)
{
    struct answer_view v;
    bool stale = stale_view(u, &u->slots[i], &v);
    log_asked(u, &u->slots[i], stale ? "" : why);
    finish(u, i, LDNS_RCODE_SERVFAIL, stale ? &v : NULL);
}

void upstream_reply(struct upstream *u, const struct outcome *r)
{
    uint32_t i = (uint32_t)(r->id % SLOTS);
    struct slot *s = &u->slots[i];
    if (s->id == 0 || s->id != r->id)
        return;
    if (r->error == EACCES) {
        log_asked(u, s, "the supervisor refuses it");
        finish(u, i, LDNS_RCODE_REFUSED, NULL);
        return;
    }
    if (r->error != 0) {
        fail(u, i, r->error == EAGAIN ? "too many questions at once" : "no DNS server answers");
        return;
    }
    struct asked asked = {
        .dns_id = r->dns_id, .qtype = s->key.qtype, .tcp = s->tcp || r->tcp, .name = s->name};
    struct answer *a = &u->p->answer;
    switch (answer_build(&u->p->policy, &asked, r->data, r->len, a)) {
    case ANSWER_GOOD:
        succeed(u, i, a, r->hosts_below);
        return;
    case ANSWER_TRUNCATED:
        s->tcp = true;
        if (send_question(u, i) == 0)
            return;
        break;
    case ANSWER_BAD:
        break;
    }
    fail(u, i, "a DNS server answers with an error");
}

/* Upstream takes long: those who wait get what there is, and the question goes on. */
static void tell_stale(struct upstream *u, struct slot *s)
{
    struct answer_view v;
    if (!s->waiters || !stale_view(u, s, &v))
        return;
    struct waiter *w = s->waiters;
    s->waiters = NULL;
    answer_waiters(u, w, 0, &v);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct upstream *u = arg;
    uint64_t now = now_ms();
    while (u->oldest != NONE && u->slots[u->oldest].deadline_ms <= now)
        fail(u, u->oldest, "no DNS server answers");
    while (u->stale != NONE && u->slots[u->stale].stale_ms <= now) {
        struct slot *s = &u->slots[u->stale];
        u->stale = s->newer;
        tell_stale(u, s);
    }
    arm(u);
}

struct upstream *upstream_new(struct dnsproxy *p)
{
    struct upstream *u = xcalloc(1, sizeof(*u));
    u->p = p;
    u->oldest = u->newest = u->stale = NONE;
    for (uint32_t i = 0; i < BUCKETS; i++)
        u->buckets[i] = NONE;
    for (uint32_t i = 0; i < SLOTS; i++)
        u->slots[i].next = i + 1 < SLOTS ? i + 1 : NONE;
    u->timer = event_new(p->base, -1, 0, on_timer, u);
    if (!u->timer)
        die("cannot make a timer");
    return u;
}

void upstream_flush(struct upstream *u)
{
    for (uint32_t i = u->oldest; i != NONE; i = u->slots[i].newer)
        log_asked(u, &u->slots[i], "no answer before the end");
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
