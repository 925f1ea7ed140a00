/* secure.c: questions over TLS (RFC 7858, in the strict profile of RFC 8310): to a server that has
 * proved its name or address, or to none. There is no falling back to anything.
 *
 * What is asked was judged by the supervisor, which has also built the query (upstream_dns.c); the
 * id is given here, new for each connection's use of a slot. Each server has one connection, which
 * is kept, and on which questions are pipelined and answered in any order (RFC 7766, 6.2). It is
 * made when the first question is there, and let go when it has been idle for IDLE_MS.
 *
 * A server that fails (it cannot be connected to, is not who it should be, breaks off, is silent)
 * is said once, until it answers; its questions go to the next one, and it comes behind the others
 * for a while that doubles each time. Where there is no other one they wait for that while. A
 * connection that ends when it was idle, or has brought answers, is no failure, and its questions
 * are asked on a new one. A question is given to connections TRIES times in all, and
 * TOTAL_MS; then it has failed. */
#include "dnsproxy/secure.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#include "dnsproxy/dnsproxy.h"
#include "src/tls_client.h"
#include "src/upstream_judge.h"
#include "src/util.h"

#define SLOTS 4096 /* a power of two; an id has its bits, and 4 that count */
#define TRIES 4
#define TOTAL_MS 10000
#define OPEN_MS 4000   /* connection and handshake */
#define ANSWER_MS 4000 /* of one try */
#define IDLE_MS 30000
#define TICK_MS 100
#define PENALTY_MS 100 /* after one failure */
#define PENALTY_MAX_MS 2000

enum state { CLOSED, DIALING, SHAKING_HANDS, OPEN };

struct server;

struct question {
    uint64_t id; /* the sender's; 0: free */
    struct server *server;
    TAILQ_ENTRY(question) entry;   /* of the server, or among the free ones */
    unsigned count, tries, tried;  /* count: uses of the slot; tried: servers, bits */
    uint64_t deadline_ms, sent_ms; /* sent_ms: 0: it waits for a connection */
    size_t len, question_len;
    bool hosts_below;
    uint8_t packet[SECURE_QUERY_MAX];
};

TAILQ_HEAD(questions, question);

struct server {
    struct secure *owner;
    uint32_t index;
    enum state state;
    uint64_t dial;               /* its id, while DIALING */
    uint64_t since_ms, heard_ms; /* when the state began; when a message came last */
    uint64_t penalty_ms;         /* until then others are asked, and it is not dialled */
    unsigned failures;           /* in a row */
    bool said;                   /* and it is in the log */
    bool heard;                  /* on this connection */
    struct secure_connection *connection;
    SSL_SESSION *session;
    struct questions questions;
};

struct secure {
    struct dnsproxy *p;
    SSL_CTX *ctx;
    struct event *timer;
    uint64_t last_dial;
    size_t count; /* of servers; 0: not known yet */
    size_t under_way;
    struct server servers[MSG_TLS_SERVERS];
    struct questions free;
    struct question slots[SLOTS];
};

static void assign(struct secure *s, struct question *q);

static void arm(struct secure *s, long ms)
{
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    (void)event_add(s->timer, &wait);
}

/* --- questions --- */

static void leave(struct question *q)
{
    if (q->server)
        TAILQ_REMOVE(&q->server->questions, q, entry);
    q->server = NULL;
    q->sent_ms = 0;
}

/* Answers it with data, or with err. */
static void finish(struct secure *s, struct question *q, int err, const uint8_t *data, size_t len)
{
    struct outcome r = {.id = q->id,
                        .error = err,
                        .dns_id = (uint16_t)(q->packet[0] << 8 | q->packet[1]),
                        .tcp = true,
                        .hosts_below = q->hosts_below,
                        .data = data,
                        .len = len};

    leave(q);
    q->id = 0;
    TAILQ_INSERT_HEAD(&s->free, q, entry);
    s->under_way--;
    dnsproxy_answered(s->p, &r);
}

static void send_question(struct server *v, struct question *q)
{
    unsigned slot = (unsigned)(q - v->owner->slots), id = (++q->count % 16) * SLOTS + slot;

    q->packet[0] = (uint8_t)(id >> 8);
    q->packet[1] = (uint8_t)id;
    q->sent_ms = now_ms();
    secure_connection_send(v->connection, q->packet, q->len);
}

/* --- servers --- */

static void dial(struct server *v)
{
    struct secure *s = v->owner;
    struct msg_tls_dial m = {.id = ++s->last_dial, .server = v->index};

    v->state = DIALING;
    v->since_ms = now_ms();
    v->dial = m.id;
    msg_init(&m, MSG_TLS_DIAL, sizeof(m));
    if (!s->p->draining)
        (void)channel_send(s->p->channel, &m, -1);
}

static void hang_up(struct server *v)
{
    secure_connection_free(v->connection);
    v->connection = NULL;
    v->state = CLOSED;
    v->since_ms = now_ms();
}

static void say(struct server *v, const char *why)
{
    struct dnsproxy *p = v->owner->p;
    struct msg_tls_failed m = {.server = v->index};

    if (v->said || p->draining)
        return;
    v->said = true;
    msg_init(&m, MSG_TLS_FAILED, sizeof(m));
    copy_string(m.text, sizeof(m.text), why);
    (void)channel_send(p->channel, &m, -1);
}

/* All of its questions go elsewhere, or wait for it. */
static void give_away(struct server *v)
{
    struct questions list = TAILQ_HEAD_INITIALIZER(list);
    struct question *q;

    TAILQ_CONCAT(&list, &v->questions, entry);
    while ((q = TAILQ_FIRST(&list))) {
        TAILQ_REMOVE(&list, q, entry);
        q->server = NULL;
        q->sent_ms = 0;
        assign(v->owner, q);
    }
}

static void server_failed(struct server *v, const char *why)
{
    uint64_t ms = (uint64_t)PENALTY_MS << (v->failures < 6 ? v->failures : 6);

    hang_up(v);
    SSL_SESSION_free(v->session);
    v->session = NULL;
    v->failures++;
    v->penalty_ms = now_ms() + (ms < PENALTY_MAX_MS ? ms : PENALTY_MAX_MS);
    say(v, why);
    give_away(v);
}

static void on_open(void *arg)
{
    struct server *v = arg;
    struct question *q;

    v->state = OPEN;
    v->since_ms = v->heard_ms = now_ms();
    v->heard = false;
    for (q = TAILQ_FIRST(&v->questions); q; q = TAILQ_NEXT(q, entry))
        send_question(v, q);
}

static struct question *find(struct server *v, unsigned id)
{
    struct question *q = &v->owner->slots[id % SLOTS];

    return q->id != 0 && q->server == v && q->sent_ms != 0 ? q : NULL;
}

static bool others_left(const struct secure *s, const struct question *q)
{
    return (q->tried + 1) >> s->count == 0 && q->tries < TRIES;
}

static void on_message(void *arg, const uint8_t *message, size_t len)
{
    struct server *v = arg;
    struct secure *s = v->owner;
    struct question *q = find(v, (unsigned)(message[0] << 8 | message[1]));

    v->heard_ms = now_ms();
    v->heard = true;
    if (!q)
        return;
    switch (upstream_judge(q->packet, q->question_len, true, message, len)) {
    case UPSTREAM_STRANGE: /* of an earlier use of the slot, or nonsense */
        return;
    case UPSTREAM_ERROR:
        if (others_left(s, q)) {
            leave(q);
            assign(s, q);
            return;
        }
        break;
    default:
        break;
    }
    v->failures = 0;
    v->penalty_ms = 0;
    v->said = false;
    finish(s, q, 0, message, len);
}

static void on_closed(void *arg, const char *why)
{
    struct server *v = arg;
    struct question *q;

    if (!why && !v->heard && !TAILQ_EMPTY(&v->questions))
        why = "it ended the connection without an answer";
    if (why) {
        server_failed(v, why);
        return;
    }
    hang_up(v);
    for (q = TAILQ_FIRST(&v->questions); q; q = TAILQ_NEXT(q, entry))
        q->tried &= ~(1u << v->index);
    give_away(v);
}

void secure_dialed(struct secure *s, const struct msg_tls_dialed *m, int fd)
{
    struct server *v = s->servers;

    while (v < s->servers + s->count && (v->state != DIALING || v->dial != m->id))
        v++;
    if (v == s->servers + s->count) { /* it took too long */
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    if (fd < 0) {
        server_failed(v, strerror(m->error ? m->error : EMFILE));
        return;
    }
    v->connection = secure_connection_new(
        s->p->base, s->ctx, m, fd, &v->session,
        &(struct secure_owner){
            .open = on_open, .message = on_message, .closed = on_closed, .arg = v});
    if (!v->connection)
        server_failed(v, "memory is out");
    else
        v->state = SHAKING_HANDS;
}

/* --- which server a question goes to --- */

/* The first that was not asked and did not fail lately, else the first that was not asked. When all
 * have been: the one whose time comes first. */
static struct server *choose(struct secure *s, struct question *q)
{
    uint64_t now = now_ms();
    struct server *best = NULL;

    if ((q->tried + 1) >> s->count != 0)
        q->tried = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct server *v = &s->servers[i];
        if (q->tried & 1u << i)
            continue;
        if (v->penalty_ms <= now)
            return v;
        if (!best || v->penalty_ms < best->penalty_ms)
            best = v;
    }
    return best;
}

/* To a server, or at the end of its tries. q belongs to none. May call back. */
static void assign(struct secure *s, struct question *q)
{
    struct server *v;

    if (q->tries++ == TRIES || now_ms() >= q->deadline_ms) {
        finish(s, q, ETIMEDOUT, NULL, 0);
        return;
    }
    v = choose(s, q);
    q->tried |= 1u << v->index;
    q->server = v;
    TAILQ_INSERT_TAIL(&v->questions, q, entry);
    if (v->state == OPEN)
        send_question(v, q);
    else if (v->state == CLOSED && v->penalty_ms <= now_ms())
        dial(v);
    arm(s, TICK_MS);
}

/* The bytes of the question behind the header; 0: it is none. */
static size_t measure_question(const uint8_t *packet, size_t len)
{
    size_t at = UPSTREAM_HEADER;

    while (at < len && packet[at] != 0)
        at += (size_t)packet[at] + 1;
    at += 1 + 4;
    return at <= len ? at - UPSTREAM_HEADER : 0;
}

void secure_ask(struct secure *s, const struct msg_reply *m)
{
    struct question *q = TAILQ_FIRST(&s->free);
    size_t question_len = measure_question(m->data, m->data_len);

    s->count = m->over_tls;
    if (!q || m->data_len > SECURE_QUERY_MAX || question_len == 0) {
        dnsproxy_answered(s->p, &(struct outcome){.id = m->id, .error = EAGAIN});
        return;
    }
    TAILQ_REMOVE(&s->free, q, entry);
    s->under_way++;
    q->id = m->id;
    q->server = NULL;
    q->tries = q->tried = 0;
    q->deadline_ms = now_ms() + TOTAL_MS;
    q->sent_ms = 0;
    q->len = m->data_len;
    q->question_len = question_len;
    q->hosts_below = m->hosts_below != 0;
    memcpy(q->packet, m->data, m->data_len);
    assign(s, q);
}

/* --- time --- */

/* Of the server alone: is it too late for what it is at? now may lie before what has just begun. */
static void look_at_server(struct server *v, uint64_t now)
{
    if (v->state == DIALING && now >= v->since_ms + OPEN_MS)
        server_failed(v, "it cannot be connected to in time");
    else if (v->state == SHAKING_HANDS && now >= v->since_ms + OPEN_MS)
        server_failed(v, "the handshake was not done in time");
    else if (v->state == OPEN && TAILQ_EMPTY(&v->questions) && now >= v->heard_ms + IDLE_MS)
        hang_up(v);
    else if (v->state == CLOSED && !TAILQ_EMPTY(&v->questions) && v->penalty_ms <= now)
        dial(v);
}

/* One without an answer goes to the next server; where nothing has come at all since it was sent,
 * the connection is dead. */
static void look_at_question(struct question *q, uint64_t now)
{
    struct server *v = q->server;
    struct secure *s = v->owner;
    bool late = q->sent_ms != 0 && now >= q->sent_ms + ANSWER_MS;

    if (late && v->state == OPEN && v->heard_ms <= q->sent_ms) {
        server_failed(v, "it does not answer");
    } else if (late) {
        leave(q);
        assign(s, q);
    } else if (now >= q->deadline_ms) {
        finish(s, q, ETIMEDOUT, NULL, 0);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct secure *s = arg;
    uint64_t now = now_ms();
    bool open = false;

    (void)fd;
    (void)what;
    for (size_t i = 0; s->under_way > 0 && i < SLOTS; i++)
        if (s->slots[i].id != 0 && s->slots[i].server)
            look_at_question(&s->slots[i], now);
    for (size_t i = 0; i < s->count; i++) {
        look_at_server(&s->servers[i], now);
        open = open || s->servers[i].state != CLOSED;
    }
    if (s->under_way > 0)
        arm(s, TICK_MS);
    else if (open)
        arm(s, IDLE_MS / 4);
}

/* --- its life --- */

struct secure *secure_new(struct dnsproxy *p, const char *roots, size_t len)
{
    struct secure *s = xcalloc(1, sizeof(*s));
    struct error e;

    s->p = p;
    s->ctx = tls_client_new(roots, len, &e);
    if (!s->ctx)
        die("%s", e.text);
    secure_connection_prepare(s->ctx);
    s->timer = event_new(p->base, -1, 0, on_timer, s);
    if (!s->timer)
        die("cannot make a timer");
    TAILQ_INIT(&s->free);
    for (size_t i = 0; i < SLOTS; i++)
        TAILQ_INSERT_TAIL(&s->free, &s->slots[i], entry);
    for (uint32_t i = 0; i < MSG_TLS_SERVERS; i++) {
        s->servers[i].owner = s;
        s->servers[i].index = i;
        TAILQ_INIT(&s->servers[i].questions);
    }
    return s;
}

/* Questions that are under way are nobody's any more (upstream_free). */
void secure_free(struct secure *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < MSG_TLS_SERVERS; i++) {
        secure_connection_free(s->servers[i].connection);
        SSL_SESSION_free(s->servers[i].session);
    }
    event_free(s->timer);
    SSL_CTX_free(s->ctx);
    free(s);
}
