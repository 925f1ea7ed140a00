/* raw.c: a tunnel to NAME:PORT or ADDRESS:PORT, from the dial to the relay.
 *
 *   DIALING -> LOOKING -> FLUSHING -> a relay (src/relay.c), and the session is gone
 *      |          |
 *      |          +-> an alert of TLS, SESSION_LINGER       the ClientHello is not for here
 *      +-> an answer of HTTP, or a reset                    the dialer said no
 *
 * The server is dialled before anything is answered, so that the client learns what it would learn
 * outside: a 200 means a connection. What the server says first (ssh, SMTP, databases) is passed on
 * at once. What the client says first is looked at: if it is TLS, the ClientHello must name a
 * server that a NAME:PORT endpoint of this port allows, and after CONNECT NAME:PORT just that NAME.
 * With ECH (encrypted_client_hello) that is the outer name, which is all that a network sees. What
 * else is not TLS is passed on; and what is said inside of TLS is between the client and the
 * server.
 *
 * A client that was intercepted is taken to the address that it dialled, if the jail has been told
 * it for a name of the policy: the dialer says whether. If URL endpoints have the same port
 * (SORTING), its first bytes decide: TLS with the SNI of a NAME:PORT endpoint, and what is neither
 * TLS nor, where there is an http endpoint, may be HTTP, are tunnels; the rest is transparent.c's.
 *
 * Syscalls beyond those of sessions: getpeername, and what relay.c lists. */
#include "httpproxy/raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "httpproxy/limits.h"
#include "httpproxy/log.h"
#include "httpproxy/reply.h"
#include "httpproxy/upstream.h"
#include "src/quota.h"
#include "src/relay.h"
#include "src/util.h"

#define ALERT_UNEXPECTED_MESSAGE 10 /* RFC 8446, 6.2 */
#define ALERT_DECODE_ERROR 50
#define ALERT_UNRECOGNIZED_NAME 112
#define READ_AHEAD 65536 /* of the client, at most: more than any ClientHello that is read */

static struct raw *raw_new(struct session *s, enum raw_phase phase)
{
    if (!s->raw) {
        s->raw = xcalloc(1, sizeof(*s->raw));
        s->raw->server.fd = -1;
        s->proxy->raw_count++;
    }
    s->raw->phase = phase;
    return s->raw;
}

void raw_free(struct session *s)
{
    struct raw *raw = s->raw;

    if (!raw)
        return;
    if (raw->phase == RAW_DIALING)
        upstream_cancel(s->proxy, raw->dial);
    stream_close(&raw->server);
    client_hello_free(&raw->hello);
    free(raw);
    s->raw = NULL;
    s->proxy->raw_count--;
}

bool raw_has_room(const struct proxy *p)
{
    return p->raw_count <= relays_room(p->relays);
}

/* --- words --- */

/* Where the tunnel leads, or was to lead. */
static void find_address(const struct session *s, struct msg_log_tunnel *m)
{
    union {
        struct sockaddr sa;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer = {.v6 = {0}};
    socklen_t len = sizeof(peer);
    int fd = s->raw->server.fd;

    m->port = s->authority.port;
    m->family = s->authority.kind == URL_HOST_IPV6 ? AF_INET6 : AF_INET;
    if (s->authority.kind != URL_HOST_NAME)
        (void)inet_pton(m->family, s->authority.host, m->address);
    if (fd < 0 || s->raw->via || getpeername(fd, &peer.sa, &len) < 0)
        return;
    if (peer.sa.sa_family == AF_INET)
        memcpy(m->address, &peer.v4.sin_addr, sizeof(peer.v4.sin_addr));
    else if (peer.sa.sa_family == AF_INET6)
        memcpy(m->address, &peer.v6.sin6_addr, sizeof(peer.v6.sin6_addr));
    else
        return;
    m->family = (uint8_t)peer.sa.sa_family;
}

static void send_log(struct proxy *p, struct msg_log_tunnel *m)
{
    msg_init(m, MSG_LOG_TUNNEL, sizeof(*m));
    log_flush(p);
    if (channel_send(p->channel, m, -1) == -ENOBUFS)
        warn_text("a line of the log is lost: the supervisor does not read");
}

static void log_refused(struct session *s, const char *sni, const char *reason)
{
    char target[URL_HOST_SIZE + 16];
    struct msg_log_tunnel m;

    if (s->raw->via && s->authority.kind == URL_HOST_NAME) { /* no address is known */
        connect_target(&s->authority, target, sizeof(target));
        log_deny(s->proxy, "CONNECT", target, reason);
        return;
    }
    memset(&m, 0, sizeof(m));
    find_address(s, &m);
    copy_string(m.name, sizeof(m.name), sni);
    copy_string(m.reason, sizeof(m.reason), reason);
    send_log(s->proxy, &m);
}

static void log_failed(struct session *s, enum msg_decision decision, const char *reason)
{
    connect_log(s, decision, policy_match_raw(&s->proxy->policy, &s->authority), reason);
}

/* --- the dial --- */

/* There is no connection: says so in the way that the client understands. */
static void fail(struct session *s, int status, enum msg_decision decision, const char *reason)
{
    char *text = s->proxy->scratch.text;
    bool connect = s->raw->connect;

    if (s->authority.kind != URL_HOST_NAME && !connect && decision == MSG_DENY)
        log_refused(s, "", reason);
    else
        log_failed(s, decision, reason);
    raw_free(s);
    if (!connect) {
        stream_reset(&s->client);
        session_enter(s, SESSION_DEAD);
        return;
    }
    reply_failed(text, sizeof(s->proxy->scratch.text), reason, NULL, NULL);
    session_reply(s, status, text, false, 0, SESSION_LINGER);
}

static void begin(struct session *s, bool check, bool connect, unsigned client_port)
{
    struct raw *raw = raw_new(s, RAW_LOOKING); /* nothing is dialled yet */
    struct error e;

    raw->check = check;
    raw->connect = connect;
    session_enter(s, SESSION_RAW);
    if (!raw_has_room(s->proxy)) {
        fail(s, 503, MSG_ALLOW, "too many tunnels at once");
    } else if (upstream_dial_raw(s, &s->authority, client_port, &raw->dial, &e) < 0) {
        fail(s, 503, MSG_ALLOW, e.text);
    } else {
        raw->phase = RAW_DIALING;
        s->deadline = now_ms() + LIMIT_DIAL_MS;
    }
}

void raw_begin(struct session *s, bool check, unsigned client_port)
{
    begin(s, check, client_port == 0, client_port);
}

void raw_begin_answered(struct session *s)
{
    begin(s, false, false, 0);
}

static void on_server_ready(void *arg)
{
    session_run(arg);
}

/* The client may go on. */
static void let_pass(struct session *s)
{
    client_hello_free(&s->raw->hello);
    s->raw->phase = RAW_FLUSHING;
    s->deadline = now_ms() + LIMIT_STALL_MS;
}

void raw_dialed(struct session *s, int fd, int err, const char *text)
{
    static const char ok[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    struct raw *raw = s->raw;
    const char *reason = text && text[0] ? text : strerror(err);

    raw->phase = RAW_LOOKING; /* the dial is over, whatever follows */
    if (fd < 0) {
        fail(s,
             err == EACCES      ? 403
             : err == ETIMEDOUT ? 504
                                : 502,
             err == EACCES ? MSG_DENY : MSG_ALLOW, reason);
        return;
    }
    (void)set_nonblocking(fd);
    set_tcp_options(fd);
    if (stream_open(&raw->server, s->proxy->base, fd, on_server_ready, s) < 0) {
        fail(s, 502, MSG_ALLOW, "the connection cannot be watched");
        return;
    }
    if (raw->connect)
        buf_append(&s->out, ok, sizeof(ok) - 1);
    s->deadline = UINT64_MAX; /* a client may listen for as long as it likes */
    if (!raw->check || raw->hello.status != CLIENT_HELLO_MORE)
        let_pass(s);
}

/* --- looking --- */

/* Refuses what the client has said. */
static void refuse(struct session *s, uint8_t alert, const char *sni, const char *reason)
{
    const char record[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, (char)alert};

    log_refused(s, sni, reason);
    raw_free(s);
    buf_append(&s->out, record, sizeof(record));
    s->skip = 0;
    s->next = SESSION_LINGER;
    session_enter(s, SESSION_REPLY);
}

static void judge_name(struct session *s)
{
    const char *sni = s->raw->hello.sni;
    char name[NAME_SIZE], reason[MSG_TEXT_SIZE];

    if (s->authority.kind == URL_HOST_NAME
            ? strcmp(sni, s->authority.host) == 0
            : policy_match_name_port(&s->proxy->policy, sni, s->authority.port) != NULL) {
        let_pass(s);
        return;
    }
    copy_string(name, sizeof(name), sni); /* before it is freed */
    if (s->authority.kind == URL_HOST_NAME)
        (void)snprintf(reason, sizeof(reason), "SNI %.200s differs from CONNECT %.200s", name,
                       s->authority.host);
    else
        (void)snprintf(reason, sizeof(reason),
                       "SNI %s: no NAME:PORT endpoint has this name and port", name);
    refuse(s, ALERT_UNRECOGNIZED_NAME, name, reason);
}

static void judge(struct session *s)
{
    const struct client_hello *h = &s->raw->hello;

    switch (h->status) {
    case CLIENT_HELLO_MORE:
        if (s->eof && h->header_len == 0) /* nothing said, and nothing will be */
            let_pass(s);
        else if (s->eof)
            refuse(s, ALERT_DECODE_ERROR, "", "the ClientHello is cut off");
        break;
    case CLIENT_HELLO_NOT_TLS:
        let_pass(s);
        break;
    case CLIENT_HELLO_GOOD:
        judge_name(s);
        break;
    case CLIENT_HELLO_NO_SNI:
        refuse(s, ALERT_UNRECOGNIZED_NAME, "",
               "TLS without SNI, so it cannot be told for which host it is");
        break;
    case CLIENT_HELLO_BAD:
        refuse(s, ALERT_DECODE_ERROR, "", h->problem);
        break;
    }
}

/* Reads from the client, for as long as its first bytes do not tell what it is. 1, 0, -errno. */
static int look(struct session *s)
{
    struct raw *raw = s->raw;
    bool was_silent = raw->hello.header_len == 0;
    int r = 0;

    if (buf_len(&s->in) == raw->looked) {
        if (s->in.data && buf_room(&s->in) == 0 && s->in.size < READ_AHEAD)
            buf_reserve(&s->in, LIMIT_BUFFER);
        r = session_fill(s);
    }
    if (buf_len(&s->in) > raw->looked) {
        (void)client_hello_feed(&raw->hello, buf_begin(&s->in) + raw->looked,
                                buf_len(&s->in) - raw->looked);
        raw->looked = buf_len(&s->in);
        if (was_silent)
            s->deadline = now_ms() + LIMIT_HANDSHAKE_MS;
        return 1;
    }
    return r < 0 ? r : 0;
}

/* What the server says meanwhile. 1, 0, -errno. */
static int pass_on(struct session *s)
{
    struct raw *raw = s->raw;
    int r = session_flush(s);
    ssize_t n;

    if (r < 0 || buf_len(&s->out) > 0 || raw->server_end)
        return r;
    buf_reserve(&s->out, LIMIT_BUFFER);
    n = stream_read(&raw->server, buf_tail(&s->out), buf_room(&s->out));
    if (n == -EAGAIN)
        return r;
    if (n < 0)
        return (int)n;
    buf_added(&s->out, (size_t)n);
    if (n == 0) {
        raw->server_end = true;
        stream_shutdown(&s->client);
    }
    return 1;
}

/* Either side has failed: so does the other. */
static bool cut(struct session *s)
{
    stream_reset(&s->raw->server);
    stream_reset(&s->client);
    session_enter(s, SESSION_DEAD);
    return true;
}

static bool step_looking(struct session *s)
{
    bool was_eof = s->eof;
    int in = look(s);
    int out = in < 0 ? 0 : pass_on(s);

    if (in < 0 || out < 0)
        return cut(s);
    if (in > 0 || (s->eof && !was_eof))
        judge(s);
    return in > 0 || out > 0 || s->eof != was_eof;
}

/* --- the relay --- */

/* A tunnel that is relayed. */
struct joined {
    struct proxy *proxy;
    struct msg_log_tunnel log; /* if it is cut because too much was sent */
};

static void on_relay_done(const struct relay_end *end, void *arg)
{
    struct joined *j = arg;
    struct proxy *p = j->proxy;

    if (end->error == EDQUOT)
        send_log(p, &j->log);
    free(j);
    proxy_changed(p);
}

static bool hand_over(struct session *s)
{
    struct proxy *p = s->proxy;
    struct joined *j = xcalloc(1, sizeof(*j));
    j->proxy = p;
    find_address(s, &j->log);
    copy_string(j->log.reason, sizeof(j->log.reason), QUOTA_REASON);
    int client = stream_detach(&s->client);
    int server = stream_detach(&s->raw->server);

    if (relay_start(p->relays, client, server, on_relay_done, j) < 0) {
        free(j);
        relay_reset(client);
        relay_reset(server);
    }
    session_enter(s, SESSION_DEAD);
    return true;
}

static bool step_flushing(struct session *s)
{
    int out = session_flush(s);
    ssize_t n = 0;

    if (buf_len(&s->in) > 0)
        n = proxy_send(s->proxy, &s->raw->server, buf_begin(&s->in), buf_len(&s->in));
    if (n == -EDQUOT)
        log_refused(s, "", QUOTA_REASON);
    if (out < 0 || (n < 0 && n != -EAGAIN))
        return cut(s);
    if (n > 0)
        buf_consume(&s->in, (size_t)n);
    if (buf_len(&s->in) == 0 && buf_len(&s->out) == 0)
        return hand_over(s);
    return out > 0 || n > 0;
}

/* --- clients at a port that both kinds of endpoints have --- */

void raw_sort(struct session *s)
{
    (void)raw_new(s, RAW_SORTING);
    session_enter(s, SESSION_RAW);
    s->deadline = now_ms() + LIMIT_IDLE_MS;
}

static bool is_for_tunnel(const struct session *s)
{
    const struct client_hello *h = &s->raw->hello;
    const struct policy *policy = &s->proxy->policy;
    uint16_t port = s->authority.port;

    if (h->status == CLIENT_HELLO_NOT_TLS)
        return !policy_has_port(policy, URL_HTTP, port);
    return h->status == CLIENT_HELLO_GOOD && policy_match_name_port(policy, h->sni, port);
}

/* Its first bytes are in; they stay in session.in. */
static void sort(struct session *s)
{
    bool tls = s->raw->hello.status != CLIENT_HELLO_NOT_TLS;

    if (is_for_tunnel(s)) {
        raw_begin(s, true, s->client_port);
        return;
    }
    raw_free(s);
    transparent_first(s, tls);
}

static bool step_sorting(struct session *s)
{
    int r = look(s);

    if (r < 0) {
        session_enter(s, SESSION_DEAD);
    } else if (s->raw->hello.status != CLIENT_HELLO_MORE || (s->eof && buf_len(&s->in) > 0)) {
        sort(s);
    } else if (s->eof) {
        session_enter(s, SESSION_LINGER);
    } else {
        return r > 0;
    }
    return true;
}

/* --- */

bool raw_step(struct session *s)
{
    switch (s->raw->phase) {
    case RAW_SORTING:
        return step_sorting(s);
    case RAW_DIALING:
        break;
    case RAW_LOOKING:
        return step_looking(s);
    case RAW_FLUSHING:
        return step_flushing(s);
    }
    return false;
}

void raw_timeout(struct session *s)
{
    switch (s->raw->phase) {
    case RAW_SORTING:
        if (buf_len(&s->in) == 0)
            transparent_silent(s);
        session_enter(s, SESSION_DEAD);
        break;
    case RAW_DIALING:
        fail(s, 504, MSG_ALLOW, "no connection in time");
        break;
    case RAW_LOOKING:
        refuse(s, ALERT_UNEXPECTED_MESSAGE, "", "the ClientHello did not come in time");
        break;
    case RAW_FLUSHING:
        (void)cut(s);
        break;
    }
}
