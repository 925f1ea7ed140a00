/* upstream_dns.c: MSG_QUERY in, a reply's bytes out.
 *
 * dnsproxy sends a name and a type, never a packet, and the address of a server if the jail asked
 * one that is not the gateway. The policy is asked again here; then a query is built from name and
 * type alone: a fresh random id, one question, recursion desired, an EDNS record with a UDP size of
 * 1232 and no option (RFC 6891). It goes to that server, or to the host's (resolv.conf(5)). What
 * comes back from the connected socket with the right id and question is handed on as it is;
 * nothing of it is parsed here but these and the rcode. A name of hosts(5) is answered out of that
 * file, as everywhere on the host.
 *
 * With --upstream its servers stand in the place of resolv.conf's. Over TLS (RFC 7858) what comes
 * back here is not to be read, so the query that was built goes to dnsproxy, which sends it
 * (dnsproxy/secure.c): the name was judged here all the same.
 *
 * The servers are asked in their order. One that was silent comes behind the others for a while,
 * which doubles each time. Three rounds, each with twice the patience of the one before; the last
 * attempt has what is left. A server that was silent with EDNS is asked without in the next round.
 * An error of the server (SERVFAIL and the like) counts as soon as all have been asked.
 *
 * Of resolv.conf's options "attempts" is the number of rounds, and "rotate" has each question begin
 * with another server. "timeout" does not lengthen an attempt: a C library that has one question
 * can wait 5 s for a dead server, but who asks here does not wait for that and for the next one,
 * too. It shortens the whole: where a program of the host would have given up, so does this. */
#include "src/upstream_dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "src/address.h"
#include "src/net.h"
#include "src/resolv_conf.h"
#include "src/upstream_parts.h"
#include "src/util.h"

#define QUERIES_MAX 4096
#define SERVERS_MAX 64 /* that are remembered, in use or not */
#define ROUNDS 3       /* if resolv.conf says nothing of attempts */
#define UDP_MS 1000    /* of an attempt in the first round */
#define TCP_MS 4000
#define TOTAL_MS 10000
#define TICK_MS 100
#define PLAIN_MS 300000
#define PENALTY_MS 500 /* after one failure */
#define PENALTY_MAX_MS 30000
#define SILENT_MAX 3 /* times in a row until it is said: packets are lost, names may be slow */
#define RANDOM_STORE 128
#define HOSTS "/etc/hosts"

enum { TYPE_A = 1, TYPE_AAAA = 28 };

struct upstream_dns {
    struct event_base *base;
    const struct policy *policy;
    struct learn *learn; /* NULL: nothing is learned */
    struct log *log;     /* NULL: nothing is said */
    struct event *tick;  /* while anything is under way */
    struct resolv_conf conf;
    const struct upstream_servers *fixed; /* NULL: those of conf */
    const struct resolver *resolver;      /* with them; NULL */
    union resolver_address fixed_addresses[UPSTREAM_SERVERS_MAX];
    struct hosts_file *hosts;
    struct upstream_server *servers;
    size_t server_count;
    size_t turn; /* "rotate": how many questions have begun */
    struct upstream_query *active, *free;
    size_t used; /* of pool, ever */
    uint16_t random[RANDOM_STORE];
    size_t random_left;
    struct msg_reply reply; /* the one that is being sent */
    struct upstream_query pool[QUERIES_MAX];
};

struct event_base *upstream_base(const struct upstream_dns *u)
{
    return u->base;
}

uint16_t upstream_random(struct upstream_dns *u)
{
    if (u->random_left == 0) {
        if (getrandom(u->random, sizeof(u->random), 0) != (ssize_t)sizeof(u->random))
            die("getrandom: %s", strerror(errno));
        u->random_left = RANDOM_STORE;
    }
    return u->random[--u->random_left];
}

/* --- replies --- */

static void send_reply(struct upstream_dns *u, struct channel *c, uint64_t id, int err,
                       uint16_t dns_id, bool hosts_below, const uint8_t *data, size_t len)
{
    struct msg_reply *m = &u->reply;

    m->id = id;
    m->error = err;
    m->dns_id = dns_id;
    m->data_len = (uint16_t)len;
    m->hosts_below = hosts_below;
    if (len)
        memcpy(m->data, data, len);
    msg_init(m, MSG_REPLY, offsetof(struct msg_reply, data) + len);
    (void)channel_send_soon(c, m);
}

static void stop_attempt(struct upstream_query *q)
{
    upstream_udp_stop(q);
    upstream_tcp_stop(q);
    if (q->server)
        q->server->users--;
    q->server = NULL;
}

/* What an NXDOMAIN must not cut off (RFC 8020). */
static bool hosts_hold_below(const struct upstream_query *q, const uint8_t *data, size_t len)
{
    return len >= UPSTREAM_HEADER && (data[3] & 15) == RCODE_NXDOMAIN &&
           q->wanted.sa.sa_family == 0 && hosts_file_has_below(q->owner->hosts, q->name);
}

static void finish(struct upstream_query *q, int err, const uint8_t *data, size_t len)
{
    struct upstream_dns *u = q->owner;

    if (q->channel)
        send_reply(u, q->channel, q->id, err, q->dns_id, hosts_hold_below(q, data, len), data, len);
    stop_attempt(q);
    free(q->in);
    *q->at = q->next;
    if (q->next)
        q->next->at = q->at;
    q->next = u->free;
    u->free = q;
}

/* --- servers --- */

static bool same_address(const union resolver_address *a, const union resolver_address *b)
{
    return memcmp(&a->storage, &b->storage, sizeof(a->storage)) == 0;
}

/* One that nobody uses makes room. */
static void drop_server(struct upstream_dns *u)
{
    for (struct upstream_server **at = &u->servers, *s; (s = *at); at = &s->next) {
        if (s->users > 0 || upstream_udp_tidy(s, now_ms()))
            continue;
        *at = s->next;
        free(s);
        u->server_count--;
        return;
    }
}

static struct upstream_server *find_server(const struct upstream_dns *u,
                                           const union resolver_address *address)
{
    struct upstream_server *s = u->servers;

    while (s && !same_address(&s->address, address))
        s = s->next;
    return s;
}

/* NULL: too many are in use. */
static struct upstream_server *get_server(struct upstream_dns *u,
                                          const union resolver_address *address)
{
    struct upstream_server *s = find_server(u, address);

    if (s)
        return s;
    if (u->server_count >= SERVERS_MAX)
        drop_server(u);
    if (u->server_count >= SERVERS_MAX)
        return NULL;
    s = xcalloc(1, sizeof(*s));
    s->address = *address;
    s->owner = u;
    s->next = u->servers;
    u->servers = s;
    u->server_count++;
    return s;
}

static void say_failed(struct upstream_server *s, int err)
{
    const union resolver_address *a = &s->address;
    bool v4 = a->sa.sa_family == AF_INET;
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)a;
    unsigned port = ntohs(v4 ? in->sin_port : in6->sin6_port);
    char text[ADDRESS_TEXT_SIZE];

    s->said = true;
    address_format(a->sa.sa_family,
                   v4 ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr,
                   port == DNS_PORT ? 0 : port, text);
    log_error(s->owner->log, "the DNS server %s cannot be asked: %s", text,
              err == ETIMEDOUT ? "it does not answer" : strerror(err));
}

/* Said once: of the host's servers and those of --upstream, not of those that the jail names. */
static void set_failed(const struct upstream_query *q, struct upstream_server *s, int err)
{
    uint64_t ms = (uint64_t)PENALTY_MS << (s->failures < 6 ? s->failures : 6);

    s->failures++;
    s->penalty_ms = now_ms() + (ms < PENALTY_MAX_MS ? ms : PENALTY_MAX_MS);
    if (s->owner->log && !s->said && q->wanted.sa.sa_family == 0 &&
        (err != ETIMEDOUT || s->failures >= SILENT_MAX))
        say_failed(s, err);
}

/* Those that may be asked. */
static const union resolver_address *candidates(const struct upstream_query *q, size_t *count)
{
    const struct upstream_dns *u = q->owner;

    *count = 1;
    if (q->wanted.sa.sa_family != 0)
        return &q->wanted;
    *count = u->fixed ? u->fixed->count : u->conf.count;
    return u->fixed ? u->fixed_addresses : u->conf.servers;
}

static bool failed_lately(const struct upstream_dns *u, const union resolver_address *address)
{
    const struct upstream_server *s = find_server(u, address);

    return s && s->penalty_ms > now_ms();
}

/* The next one of this round: the first (of those from q->first on) that has not been asked and did
 * not fail lately, else the first that has not been asked; NULL: all have been, or too many servers
 * are in use. */
static struct upstream_server *next_server(struct upstream_query *q)
{
    size_t count, best;
    const union resolver_address *list = candidates(q, &count);

    best = count;
    for (size_t k = 0; k < count; k++) {
        size_t i = (q->first + k) % count;

        if (q->tried & 1u << i)
            continue;
        if (!failed_lately(q->owner, &list[i])) {
            best = i;
            break;
        }
        if (best == count)
            best = i;
    }
    if (best == count)
        return NULL;
    q->asked = 1u << best;
    q->tried |= q->asked;
    return get_server(q->owner, &list[best]);
}

static bool all_tried(const struct upstream_query *q)
{
    size_t count;

    (void)candidates(q, &count);
    return (q->tried + 1) >> count != 0;
}

/* --- attempts --- */

/* Of an attempt, in ms: the last one has what is left, since a server may be slow. */
static uint64_t patience(const struct upstream_query *q)
{
    if (q->tcp)
        return TCP_MS;
    return q->round + 1 == q->rounds && all_tried(q) ? TOTAL_MS : (uint64_t)UDP_MS << q->round;
}

/* Without EDNS? As that server is known, whatever others have made of it; or because it has not
 * answered this query with it, which over TCP has other reasons. */
static bool wants_plain(const struct upstream_query *q, const struct upstream_server *s)
{
    return s->plain_ms > now_ms() || (!q->tcp && (q->with_edns & q->asked));
}

/* 0 or a negative errno. */
static int start_at(struct upstream_query *q, struct upstream_server *s)
{
    q->server = s;
    s->users++;
    q->attempt_ms = now_ms() + patience(q);
    upstream_packet_set_plain(q, wants_plain(q, s));
    if (!q->plain)
        q->with_edns |= q->asked;
    return q->tcp ? upstream_tcp_start(s, q) : upstream_udp_start(s, q);
}

/* Goes on with the next server; ends the query when all have been asked. May free q. */
static void start_attempt(struct upstream_query *q)
{
    int r;

    for (;;) {
        struct upstream_server *s = next_server(q);

        stop_attempt(q);
        if (!s && ++q->round < q->rounds) {
            q->tried = 0;
            s = next_server(q);
        }
        if (!s || now_ms() >= q->deadline_ms) {
            finish(q, ETIMEDOUT, NULL, 0);
            return;
        }
        r = start_at(q, s);
        if (r == 0)
            return;
        set_failed(q, s, -r);
    }
}

void upstream_failed(struct upstream_query *q, int err)
{
    set_failed(q, q->server, err);
    start_attempt(q);
}

/* After silence it was asked without EDNS: some drop what they do not know (RFC 6891, 7). */
static void learn_edns(const struct upstream_query *q, struct upstream_server *s)
{
    if (q->tcp)
        return;
    if (!q->plain)
        s->edns = true;
    else if (!s->edns && (q->with_edns & q->asked))
        s->plain_ms = now_ms() + PLAIN_MS;
}

void upstream_answered(struct upstream_query *q, const uint8_t *data, size_t len)
{
    struct upstream_server *s = q->server;
    int r;

    s->failures = 0;
    s->penalty_ms = 0;
    switch (upstream_packet_judge(q, data, len)) {
    case UPSTREAM_NO_EDNS:
        s->plain_ms = now_ms() + PLAIN_MS;
        stop_attempt(q);
        r = start_at(q, s);
        if (r < 0)
            upstream_failed(q, -r);
        return;
    case UPSTREAM_ERROR:
        if (!all_tried(q)) {
            start_attempt(q);
            return;
        }
        break;
    default:
        learn_edns(q, s);
        break;
    }
    finish(q, 0, data, len);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval tick = {0, TICK_MS * 1000};
    struct upstream_dns *u = arg;
    uint64_t now = now_ms();
    bool busy = false;

    (void)fd;
    (void)what;
    for (struct upstream_query *q = u->active, *next; q; q = next) {
        next = q->next; /* what an attempt frees is q alone */
        if (q->attempt_ms <= now || q->deadline_ms <= now)
            upstream_failed(q, ETIMEDOUT);
    }
    for (struct upstream_server *s = u->servers; s; s = s->next)
        busy = upstream_udp_tidy(s, now) || busy;
    if (busy || u->active)
        (void)event_add(u->tick, &tick);
}

/* --- questions --- */

/* A name that this process itself has asked for. */
static bool is_own(const struct upstream_dns *u, const struct msg_query *m)
{
    return m->lookup && u->resolver && resolver_is_asking(u->resolver, m->name);
}

/* The name is canonical and in the policy, and so is the server, if it is not the host's; or this
 * is a dry run, or the name is this process's own question. */
static bool is_allowed(const struct upstream_dns *u, const struct msg_query *m)
{
    char canonical[NAME_SIZE];

    return name_canon(m->name, strlen(m->name), canonical, NULL) >= 0 &&
           strcmp(canonical, m->name) == 0 &&
           (u->policy->dry_run || policy_match_resolve(u->policy, m->name) || is_own(u, m)) &&
           (m->server.family == 0 ||
            policy_passes_dns_server(u->policy, m->server.family, m->server.address));
}

static void set_server(union resolver_address *out, const struct msg_server *s)
{
    char text[INET6_ADDRSTRLEN];

    if (s->family == 0 || !inet_ntop(s->family, s->address, text, sizeof(text)) ||
        !resolv_conf_address(text, 53, out))
        memset(out, 0, sizeof(*out));
}

/* How long a program of the host would try, which waits twice as long in each round, of which each
 * server has its share, but for the first (glibc's res_send.c). */
static uint64_t host_patience(const struct resolv_conf *c, unsigned rounds)
{
    uint64_t timeout = c->timeout_s ? c->timeout_s : RESOLV_CONF_TIMEOUT;
    uint64_t seconds = timeout * c->count;

    for (unsigned i = 1; i < rounds; i++)
        seconds += timeout << i > c->count ? timeout << i : c->count;
    return seconds * 1000;
}

/* When and where its attempts begin and end. */
static void set_schedule(struct upstream_query *q)
{
    struct upstream_dns *u = q->owner;
    uint64_t ms = TOTAL_MS;

    q->rounds = ROUNDS;
    if (!u->fixed && q->wanted.sa.sa_family == 0) {
        if (u->conf.attempts)
            q->rounds = u->conf.attempts;
        if (!q->tcp && host_patience(&u->conf, q->rounds) < ms)
            ms = host_patience(&u->conf, q->rounds);
        if (u->conf.rotate)
            q->first = u->turn++ % u->conf.count;
    }
    q->deadline_ms = now_ms() + ms;
}

/* NULL: too many are under way. */
static struct upstream_query *take_query(struct upstream_dns *u)
{
    struct upstream_query *q = u->free;

    if (q)
        u->free = q->next;
    else if (u->used < QUERIES_MAX)
        q = &u->pool[u->used++];
    return q;
}

static void link_active(struct upstream_dns *u, struct upstream_query *q)
{
    q->next = u->active;
    if (q->next)
        q->next->at = &q->next;
    q->at = &u->active;
    u->active = q;
}

/* A name of hosts(5), asked of the host's own servers. whole: as getaddrinfo(3) has it, which asks
 * nobody for what the file knows by another family's address. */
static bool answer_from_hosts(struct upstream_query *q, const char *name, bool whole)
{
    uint8_t address[HOSTS_FILE_ADDRESSES][16], data[UPSTREAM_HOSTS_MAX];
    int family = q->qtype == TYPE_A ? AF_INET : AF_INET6;
    int other = q->qtype == TYPE_A ? AF_INET6 : AF_INET;
    size_t n;

    if (q->wanted.sa.sa_family != 0 || (q->qtype != TYPE_A && q->qtype != TYPE_AAAA))
        return false;
    n = hosts_file_find(q->owner->hosts, name, family, address);
    if (n == 0 && (!whole || hosts_file_find(q->owner->hosts, name, other, address) == 0))
        return false;
    finish(q, 0, data, upstream_packet_from_hosts(q, address, n, data));
    return true;
}

/* To dnsproxy, which has the connections by TLS. */
static void hand_over(struct upstream_query *q)
{
    struct upstream_dns *u = q->owner;

    upstream_packet_pad(q);
    u->reply.over_tls = (uint8_t)u->fixed->count;
    send_reply(u, q->channel, q->id, 0, q->dns_id, hosts_file_has_below(u->hosts, q->name),
               q->packet + 2, q->packet_len);
    u->reply.over_tls = 0;
    q->channel = NULL; /* has been answered */
    finish(q, 0, NULL, 0);
}

void upstream_dns_query(struct upstream_dns *u, struct channel *c, const struct msg_query *m)
{
    static const struct timeval tick = {0, TICK_MS * 1000};
    struct upstream_query *q;

    if (!is_allowed(u, m)) {
        send_reply(u, c, m->id, EACCES, 0, false, NULL, 0);
        return;
    }
    if (!is_own(u, m))
        learn_asked(u->learn, m->name, &m->server);
    q = take_query(u);
    if (!q) {
        send_reply(u, c, m->id, EAGAIN, 0, false, NULL, 0);
        return;
    }
    if (!u->fixed)
        resolv_conf_update(&u->conf);
    memset(q, 0, offsetof(struct upstream_query, packet));
    q->owner = u;
    q->channel = c;
    q->id = m->id;
    q->qtype = m->qtype;
    q->tcp = m->transport == MSG_TCP || (u->conf.tcp && m->server.family == 0 && !u->fixed);
    q->fd = -1;
    set_server(&q->wanted, &m->server);
    set_schedule(q);
    upstream_packet_build(q, m->name);
    link_active(u, q);
    copy_string(q->name, sizeof(q->name), m->name);
    if (!event_pending(u->tick, EV_TIMEOUT, NULL))
        (void)event_add(u->tick, &tick);
    if (answer_from_hosts(q, m->name, m->lookup != 0))
        return;
    if (u->fixed && u->fixed->tls && q->wanted.sa.sa_family == 0)
        hand_over(q);
    else
        start_attempt(q);
}

void upstream_dns_forget(struct upstream_dns *u, struct channel *c)
{
    for (struct upstream_query *q = u->active; q; q = q->next)
        if (q->channel == c)
            q->channel = NULL;
}

struct upstream_dns *upstream_dns_new(struct event_base *base, const struct policy *policy)
{
    struct upstream_dns *u = xcalloc(1, sizeof(*u));

    u->base = base;
    u->policy = policy;
    u->hosts = hosts_file_new(HOSTS);
    u->tick = event_new(base, -1, 0, on_tick, u);
    if (!u->tick)
        die("out of memory");
    return u;
}

void upstream_dns_set_servers(struct upstream_dns *u, const struct upstream_servers *servers,
                              const struct resolver *resolver)
{
    for (size_t i = 0; i < servers->count; i++)
        u->fixed_addresses[i] = servers->at[i].address;
    u->fixed = servers;
    u->resolver = resolver;
}

void upstream_dns_set_log(struct upstream_dns *u, struct log *log)
{
    u->log = log;
}

void upstream_dns_set_learn(struct upstream_dns *u, struct learn *learn)
{
    u->learn = learn;
}

struct hosts_file *upstream_dns_hosts(struct upstream_dns *u)
{
    return u->hosts;
}
