/* upstream_dns.c: MSG_QUERY in, a reply's bytes out.
 *
 * dnsproxy sends a name and a type, never a packet, and the address of a server if the jail asked
 * one that is not the gateway. The policy is asked again here; then a query is built from name and
 * type alone: a fresh random id, one question, recursion desired, an EDNS record with a UDP size of
 * 1232 and no option (RFC 6891). It goes to that server, or to the host's (resolv.conf(5)) in turn,
 * each query from a socket of its own, so with a source port of its own (RFC 5452). What comes back
 * from the connected socket with the right id is handed on as it is: nothing of it is parsed here
 * but the id. */
#include "src/upstream_dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/resolver.h"
#include "src/util.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define SERVERS_MAX 3 /* as resolv.conf(5) has it */
#define QUERIES_MAX 1024
#define ROUNDS 2 /* each server is asked this often */
#define UDP_SECONDS 2
#define TCP_SECONDS 4
#define TOTAL_SECONDS 10
#define QUERY_SIZE (2 + 12 + NAME_SIZE + 2 + 4 + 11)
#define EDNS_UDP_SIZE 1232 /* as agreed on DNS flag day 2020 */
#define DNS_PORT_UPSTREAM 53

struct query {
    struct upstream_dns *owner;
    struct channel *channel;
    uint64_t id;
    uint16_t dns_id;
    bool tcp;
    union resolver_address server; /* the one to ask; family 0: the host's in turn */
    unsigned attempt;
    uint64_t deadline; /* now_ms() */
    int fd;
    struct event *event;
    uint8_t packet[QUERY_SIZE]; /* with the two bytes of TCP's length before it */
    size_t packet_len;          /* without these */
    size_t sent;                /* TCP */
    uint8_t *in;                /* TCP: length and reply */
    size_t in_len;
    struct query *next, **at;
};

struct upstream_dns {
    struct event_base *base;
    const struct policy *policy;
    struct learn *learn; /* NULL: nothing is learned */
    union resolver_address servers[SERVERS_MAX];
    size_t server_count;
    struct query *queries;
    size_t query_count;
};

static bool parse_server(const char *text, union resolver_address *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&out->storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&out->storage;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(DNS_PORT_UPSTREAM);
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(DNS_PORT_UPSTREAM);
        return true;
    }
    return false; /* a scoped address (fe80::1%eth0) is not among a build machine's servers */
}

static void read_resolv_conf(struct upstream_dns *u)
{
    cleanup_free char *text = NULL;
    char *line, *save = NULL;
    char server[64];
    size_t len;

    u->server_count = 0;
    if (read_file(RESOLV_CONF, 65536, &text, &len, NULL) == 0)
        for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
            if (u->server_count < SERVERS_MAX && sscanf(line, " nameserver %63s", server) == 1 &&
                parse_server(server, &u->servers[u->server_count]))
                u->server_count++;
    if (u->server_count == 0 && parse_server("127.0.0.1", &u->servers[0]))
        u->server_count = 1; /* as resolv.conf(5) has it */
}

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* RFC 1035, 4.1; RFC 6891, 6.1.2. The name is canonical: labels of 1 to 63, 253 in all. */
static void build_packet(struct query *q, const char *name, uint16_t qtype)
{
    uint8_t *start = q->packet + 2, *p = start;

    put16(p, q->dns_id);
    put16(p + 2, 0x0100); /* RD */
    put16(p + 4, 1);
    put16(p + 6, 0);
    put16(p + 8, 0);
    put16(p + 10, 1); /* the OPT record */
    p += 12;
    for (const char *label = name; *label;) {
        size_t n = strcspn(label, ".");
        *p++ = (uint8_t)n;
        memcpy(p, label, n);
        p += n;
        label += n + (label[n] == '.');
    }
    *p++ = 0;
    put16(p, qtype);
    put16(p + 2, 1); /* IN */
    p += 4;
    *p++ = 0;
    put16(p, 41); /* OPT */
    put16(p + 2, EDNS_UDP_SIZE);
    memset(p + 4, 0, 6); /* extended rcode, version, flags, no options */
    p += 10;
    q->packet_len = (size_t)(p - start);
    put16(q->packet, (unsigned)q->packet_len);
}

static void send_reply(struct channel *c, uint64_t id, int err, uint16_t dns_id,
                       const uint8_t *data, size_t len)
{
    struct msg_reply *m = xcalloc(1, sizeof(*m));

    m->id = id;
    m->error = err;
    m->dns_id = dns_id;
    m->data_len = (uint16_t)len;
    if (len)
        memcpy(m->data, data, len);
    msg_init(m, MSG_REPLY, offsetof(struct msg_reply, data) + len);
    (void)channel_send(c, m, -1);
    free(m);
}

static void close_attempt(struct query *q)
{
    if (q->event)
        event_free(q->event);
    q->event = NULL;
    if (q->fd >= 0)
        (void)close(q->fd);
    q->fd = -1;
    q->sent = q->in_len = 0;
}

static void finish(struct query *q, int err, const uint8_t *data, size_t len)
{
    close_attempt(q);
    if (q->channel)
        send_reply(q->channel, q->id, err, q->dns_id, data, len);
    *q->at = q->next;
    if (q->next)
        q->next->at = q->at;
    q->owner->query_count--;
    free(q->in);
    free(q);
}

static void start_attempt(struct query *q);

static void on_udp(struct query *q)
{
    uint8_t data[EDNS_UDP_SIZE +
                 2816]; /* servers that send more than they were told are heard, up to 4 KiB */
    ssize_t n = recv(q->fd, data, sizeof(data), 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) { /* ECONNREFUSED: nobody listens there */
        start_attempt(q);
        return;
    }
    if (n >= 12 && get16(data) == q->dns_id)
        finish(q, 0, data, (size_t)n);
    /* else: not the answer; the right one may still come */
}

static void on_tcp_readable(struct query *q)
{
    size_t want = q->in_len < 2 ? 2 : 2 + (size_t)get16(q->in);
    ssize_t n = recv(q->fd, q->in + q->in_len, want - q->in_len, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        start_attempt(q);
        return;
    }
    q->in_len += (size_t)n;
    if (q->in_len < 2 || q->in_len < 2 + (size_t)get16(q->in))
        return;
    if (q->in_len >= 2 + 12 && get16(q->in + 2) == q->dns_id)
        finish(q, 0, q->in + 2, q->in_len - 2);
    else
        start_attempt(q);
}

static void on_event(evutil_socket_t fd, short what, void *arg);

/* (Re)arms the one event of the attempt at hand. */
static void watch(struct query *q, short what)
{
    struct timeval timeout = {q->tcp ? TCP_SECONDS : UDP_SECONDS, 0};

    if (q->event)
        event_free(q->event);
    q->event = event_new(q->owner->base, q->fd, what, on_event, q);
    if (!q->event || event_add(q->event, &timeout) < 0)
        die("out of memory");
}

static void on_tcp_writable(struct query *q)
{
    size_t len = q->packet_len + 2;
    ssize_t n = send(q->fd, q->packet + q->sent, len - q->sent, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        start_attempt(q);
        return;
    }
    if (n > 0)
        q->sent += (size_t)n;
    watch(q, q->sent == len ? EV_READ | EV_PERSIST : EV_WRITE);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct query *q = arg;

    (void)fd;
    if (what & EV_TIMEOUT)
        start_attempt(q);
    else if (!q->tcp)
        on_udp(q);
    else if (what & EV_WRITE)
        on_tcp_writable(q);
    else
        on_tcp_readable(q);
}

/* Opens the socket to one server and sends or begins to; false if that failed at once. */
static bool try_server(struct query *q, const union resolver_address *to)
{
    int type = (q->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    socklen_t len =
        to->sa.sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

    q->fd = socket(to->sa.sa_family, type, 0);
    if (q->fd < 0)
        return false;
    if (connect(q->fd, &to->sa, len) < 0 && errno != EINPROGRESS)
        return false;
    if (!q->tcp && send(q->fd, q->packet + 2, q->packet_len, MSG_NOSIGNAL) < 0)
        return false;
    watch(q, q->tcp ? EV_WRITE : EV_READ | EV_PERSIST);
    return true;
}

/* The server of that attempt, or NULL after the last. */
static const union resolver_address *server_of(const struct query *q, unsigned attempt)
{
    const struct upstream_dns *u = q->owner;

    if (q->server.sa.sa_family != 0)
        return attempt < ROUNDS ? &q->server : NULL;
    return attempt < ROUNDS * u->server_count ? &u->servers[attempt % u->server_count] : NULL;
}

/* Goes on with the next server; ends the query when all have been asked. May free q. */
static void start_attempt(struct query *q)
{
    for (;;) {
        const union resolver_address *server = server_of(q, q->attempt++);

        close_attempt(q);
        if (!server || now_ms() >= q->deadline) {
            finish(q, ETIMEDOUT, NULL, 0);
            return;
        }
        if (try_server(q, server))
            return;
    }
}

struct upstream_dns *upstream_dns_new(struct event_base *base, const struct policy *policy)
{
    struct upstream_dns *u = xcalloc(1, sizeof(*u));

    *u = (struct upstream_dns){.base = base, .policy = policy};
    return u;
}

void upstream_dns_set_learn(struct upstream_dns *u, struct learn *learn)
{
    u->learn = learn;
}

/* The name is canonical and in the policy, and so is the server, if it is not the host's; or this
 * is a dry run. */
static bool is_allowed(const struct upstream_dns *u, const struct msg_query *m)
{
    char canonical[NAME_SIZE];

    return name_canon(m->name, strlen(m->name), canonical, NULL) >= 0 &&
           strcmp(canonical, m->name) == 0 &&
           (u->policy->dry_run || policy_match_resolve(u->policy, m->name)) &&
           (m->server.family == 0 ||
            policy_passes_dns_server(u->policy, m->server.family, m->server.address));
}

static void set_server(union resolver_address *out, const struct msg_server *s)
{
    char text[INET6_ADDRSTRLEN];

    if (s->family == 0 || !inet_ntop(s->family, s->address, text, sizeof(text)) ||
        !parse_server(text, out))
        memset(out, 0, sizeof(*out));
}

void upstream_dns_query(struct upstream_dns *u, struct channel *c, const struct msg_query *m)
{
    struct query *q;

    if (!is_allowed(u, m)) {
        send_reply(c, m->id, EACCES, 0, NULL, 0);
        return;
    }
    learn_asked(u->learn, m->name, &m->server);
    if (u->query_count >= QUERIES_MAX) {
        send_reply(c, m->id, EAGAIN, 0, NULL, 0);
        return;
    }
    if (u->server_count == 0)
        read_resolv_conf(u);
    q = xcalloc(1, sizeof(*q));
    *q = (struct query){
        .owner = u, .channel = c, .id = m->id, .tcp = m->transport == MSG_TCP, .fd = -1};
    set_server(&q->server, &m->server);
    q->deadline = now_ms() + TOTAL_SECONDS * 1000;
    if (getrandom(&q->dns_id, sizeof(q->dns_id), 0) != (ssize_t)sizeof(q->dns_id))
        die("getrandom: %s", strerror(errno));
    if (q->tcp)
        q->in = xmalloc(2 + MSG_REPLY_MAX);
    build_packet(q, m->name, m->qtype);
    q->next = u->queries;
    if (q->next)
        q->next->at = &q->next;
    q->at = &u->queries;
    u->queries = q;
    u->query_count++;
    start_attempt(q);
}

void upstream_dns_forget(struct upstream_dns *u, struct channel *c)
{
    for (struct query *q = u->queries; q; q = q->next)
        if (q->channel == c)
            q->channel = NULL;
}
