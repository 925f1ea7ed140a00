/* via.c: what is said to a proxy of the host's network, and read from it; see via.h.
 *
 *   via (src/msg.h)   the dialer has           here                            then upstream_dialed
 *   CONNECT           connected, asked         read the answer                 the socket itself
 *   TLS_CONNECT       connected                TLS, ask, read the answer       a bridge
 *   HTTP              connected                -                               the socket itself
 *   TLS_HTTP          connected                TLS                             a bridge
 *
 * The answer is read to its last byte and no further: what follows is the tunnel's. From a plain
 * socket it is therefore looked at first (MSG_PEEK), and taken if it is of the head. It is bounded
 * in length and time, read by head_response.c, and nothing of it but its status goes anywhere.
 *
 * TLS with the proxy is ended here, and a pair of sockets leads to whoever uses the connection
 * (via_bridge.c): TLS within TLS, and the relays of tunnels, then need no code of their own.
 *
 * To a proxy that takes URLs the credentials are sent with each request. Such proxies put the whole
 * request into the pages of their errors, so of an answer that tells of one, only the status is
 * passed on (via_withholds).
 *
 * Syscalls beyond those of streams: recvfrom with MSG_PEEK, socketpair. */
#include "httpproxy/via.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "httpproxy/limits.h"
#include "src/parent.h"
#include "src/util.h"

enum via_phase { VIA_HANDSHAKE, VIA_ASKING, VIA_ANSWER };

/* One connection on its way. */
struct via {
    TAILQ_ENTRY(via) all;
    struct vias *vias;
    uint64_t dial;
    enum msg_via kind;
    enum via_phase phase;
    struct upstream *up; /* the proxy */
    struct event timer;
    char target[MSG_TEXT_SIZE];
    struct buf request;
    size_t have;     /* bytes in answer */
    size_t consumed; /* of them, those that are off the socket already */
    char answer[LIMIT_VIA_HEAD];
};

TAILQ_HEAD(via_list, via);

struct vias {
    struct proxy *proxy;
    bool told[MSG_PARENTS];
    struct msg_parent parents[MSG_PARENTS];
    struct via_list list;
    struct via_bridges bridges;
};

struct vias *vias_new(struct proxy *p)
{
    struct vias *v = xcalloc(1, sizeof(*v));

    v->proxy = p;
    TAILQ_INIT(&v->list);
    TAILQ_INIT(&v->bridges);
    return v;
}

static void free_via(struct via *c)
{
    TAILQ_REMOVE(&c->vias->list, c, all);
    (void)event_del(&c->timer);
    upstream_drop(c->up);
    buf_free(&c->request);
    free(c);
}

void vias_free(struct vias *v)
{
    struct via *c, *next;
    struct via_bridge *b;

    if (!v)
        return;
    for (c = TAILQ_FIRST(&v->list); c; c = next) {
        next = TAILQ_NEXT(c, all);
        free_via(c);
    }
    while ((b = TAILQ_FIRST(&v->bridges)))
        via_bridge_free(b);
    explicit_bzero(v->parents, sizeof(v->parents));
    free(v);
}

void vias_told(struct vias *v, const struct msg_parent *m)
{
    v->parents[m->use] = *m;
    v->told[m->use] = true;
}

size_t vias_undelivered(const struct vias *v)
{
    size_t n = 0;

    for (struct via_bridge *b = TAILQ_FIRST(&v->bridges); b; b = via_bridge_next(b))
        n += via_bridge_undelivered(b);
    return n;
}

/* --- ends --- */

static void fail(struct via *c, int err, const char *text)
{
    struct proxy *p = c->vias->proxy;
    uint64_t dial = c->dial;

    free_via(c);
    upstream_dialed(p, dial, -1, err, text, false);
}

void via_explain(int status, const char *target, char *buf, size_t size)
{
    if (status == 407)
        (void)snprintf(buf, size,
                       "this host's proxy wants other credentials than those of the caller's "
                       "https_proxy or http_proxy, or has been given none (407)");
    else if (status == 403 || status == 405)
        (void)snprintf(buf, size, "this host's proxy does not allow %s (%d)", target, status);
    else
        (void)snprintf(buf, size, "this host's proxy cannot connect to %s (%d)", target, status);
}

/* The connection leads to where it should. */
static void done(struct via *c)
{
    struct proxy *p = c->vias->proxy;
    bool absolute = c->kind == MSG_VIA_HTTP || c->kind == MSG_VIA_TLS_HTTP;
    uint64_t dial = c->dial;
    int fd;

    if (c->up->stream.ssl) {
        struct upstream *up = c->up;
        c->up = NULL;
        fd = via_bridge_start(&c->vias->bridges, up, c->answer, c->have);
        if (fd < 0) {
            fail(c, -fd, "no room for the connection to this host's proxy");
            return;
        }
    } else {
        fd = stream_detach(&c->up->stream);
    }
    free_via(c);
    upstream_dialed(p, dial, fd, 0, "", absolute);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    fail(arg, ETIMEDOUT, "this host's proxy did not answer in time");
}

/* --- the answer to CONNECT --- */

/* The first have bytes of the answer are there. The length of a whole head, 0, or a negative errno
 * with the reason in e. */
static int find_head(struct via *c, struct error *e)
{
    int end = head_find_end(c->answer, c->have, 0);

    if (end > 0 || (end == 0 && c->have < sizeof(c->answer)))
        return end;
    return error_set(e, EPROTO, "the answer of this host's proxy is too long");
}

/* Takes the first len bytes of the answer from the socket, if they are still there. */
static int consume(struct via *c, size_t len)
{
    size_t more = len > c->consumed ? len - c->consumed : 0;

    if (c->up->stream.ssl || more == 0)
        return 0;
    if (recv(c->up->stream.fd, c->answer + c->consumed, more, 0) != (ssize_t)more)
        return -EIO;
    c->consumed += more;
    return 0;
}

/* Takes a whole head away. */
static int take_head(struct via *c, size_t len)
{
    if (consume(c, len) < 0)
        return -EIO;
    c->consumed = 0;
    c->have -= len;
    memmove(c->answer, c->answer + len, c->have);
    return 0;
}

/* A head is there: true if that ended c. */
static bool judge(struct via *c, size_t len)
{
    struct scratch *t = &c->vias->proxy->scratch;
    struct head_response *r = &t->response;
    char text[MSG_TEXT_SIZE];
    struct error e;
    int status;

    if (head_read_response(c->answer, len, "CONNECT", t->mended, r, &e) < 0) {
        fail(c, EPROTO, "the answer of this host's proxy is malformed");
        return true;
    }
    status = r->status;
    if (status < 300 && take_head(c, len) < 0) {
        fail(c, EPROTO, "the answer of this host's proxy cannot be read");
    } else if (status < 200) {
        return false;
    } else if (status < 300) {
        done(c);
    } else {
        via_explain(status, c->target, text, sizeof(text));
        fail(c, EHOSTUNREACH, text);
    }
    return true;
}

/* More bytes of the answer: > 0, 0 at the end, or a negative errno. */
static ssize_t read_more(struct via *c)
{
    struct stream *s = &c->up->stream;
    ssize_t n;

    if (s->ssl) {
        n = stream_read(s, c->answer + c->have, sizeof(c->answer) - c->have);
        c->have += n > 0 ? (size_t)n : 0;
        return n;
    }
    n = recv(s->fd, c->answer + c->consumed, sizeof(c->answer) - c->consumed, MSG_PEEK);
    if (n < 0)
        return -errno;
    c->have = c->consumed + (size_t)n;
    return n;
}

/* True if that ended c. */
static bool read_answer(struct via *c)
{
    struct error e;
    int end;

    for (;;) {
        ssize_t n = read_more(c);
        if (n == -EAGAIN)
            return false;
        if (n <= 0) {
            fail(c, ECONNRESET, "this host's proxy ended the connection without an answer");
            return true;
        }
        while ((end = find_head(c, &e)) > 0)
            if (judge(c, (size_t)end))
                return true;
        if (end == 0 && consume(c, c->have) == 0) /* all of it is of the head */
            continue;
        fail(c, EPROTO, end < 0 ? e.text : "the answer of this host's proxy cannot be read");
        return true;
    }
}

/* --- TLS --- */

static void ask(struct via *c)
{
    const struct msg_parent *parent = &c->vias->parents[MSG_PARENT_TUNNEL];
    char text[PARENT_CONNECT_SIZE];
    int len = parent_write_connect(c->target, parent->authorization, text, sizeof(text));

    c->phase = VIA_ASKING;
    if (len > 0)
        buf_append(&c->request, text, (size_t)len);
    explicit_bzero(text, sizeof(text));
}

/* The same return. */
static bool handshake(struct via *c)
{
    char text[MSG_TEXT_SIZE];
    struct error e;
    int r = stream_handshake(&c->up->stream, &e);

    if (r == -EAGAIN)
        return false;
    if (r < 0) {
        upstream_tls_failed(c->up);
        (void)snprintf(text, sizeof(text), "TLS with this host's proxy failed: %.400s", e.text);
        fail(c, EHOSTUNREACH, text);
        return true;
    }
    if (c->kind == MSG_VIA_TLS_HTTP) {
        done(c);
        return true;
    }
    ask(c);
    return false;
}

static bool write_request(struct via *c)
{
    while (buf_len(&c->request) > 0) {
        ssize_t n = stream_write(&c->up->stream, buf_begin(&c->request), buf_len(&c->request));
        if (n == -EAGAIN)
            return false;
        if (n < 0) {
            fail(c, EHOSTUNREACH, "this host's proxy cannot be asked");
            return true;
        }
        buf_consume(&c->request, (size_t)n);
    }
    c->phase = VIA_ANSWER;
    return false;
}

static void on_ready(void *arg)
{
    struct via *c = arg;

    if (c->phase == VIA_HANDSHAKE && handshake(c))
        return;
    if (c->phase == VIA_ASKING && write_request(c))
        return;
    if (c->phase == VIA_ANSWER)
        (void)read_answer(c);
}

static bool start_tls(struct via *c, struct error *e)
{
    enum msg_parent_use use = c->kind == MSG_VIA_TLS_HTTP ? MSG_PARENT_HTTP : MSG_PARENT_TUNNEL;
    const struct msg_parent *m = &c->vias->parents[use];
    struct url_authority *a = &c->up->authority;

    if (!c->vias->told[use]) {
        (void)error_set(e, EPROTO, "this host's proxy is not known");
        return false;
    }
    a->kind = strchr(m->host, ':')                            ? URL_HOST_IPV6
              : name_ends_in_number(m->host, strlen(m->host)) ? URL_HOST_IPV4
                                                              : URL_HOST_NAME;
    a->port = (uint16_t)m->port;
    copy_string(a->host, sizeof(a->host), m->host);
    c->up->http1_only = true; /* CONNECT is written as text */
    return upstream_start_tls(c->up, e) == 0;
}

void via_begin(struct vias *v, const struct msg_dialed *m, int fd)
{
    static const struct timeval limit = {.tv_sec = LIMIT_VIA_MS / 1000};
    static const struct url_authority nobody;
    struct error e = {.text = ""};
    struct via *c;

    if (m->via == MSG_VIA_HTTP) {
        upstream_dialed(v->proxy, m->id, fd, 0, "", true);
        return;
    }
    c = xcalloc(1, sizeof(*c));
    c->vias = v;
    c->dial = m->id;
    c->kind = (enum msg_via)m->via;
    c->phase = m->via == MSG_VIA_CONNECT ? VIA_ANSWER : VIA_HANDSHAKE;
    copy_string(c->target, sizeof(c->target), m->text);
    TAILQ_INSERT_HEAD(&v->list, c, all);
    (void)evtimer_assign(&c->timer, v->proxy->base, on_timer, c);
    (void)event_add(&c->timer, &limit);
    c->up = upstream_new(v->proxy, fd, URL_HTTPS, &nobody, on_ready, c, &e);
    if (!c->up || (c->phase == VIA_HANDSHAKE && !start_tls(c, &e)))
        fail(c, EHOSTUNREACH, e.text);
    else
        on_ready(c);
}

/* --- URLs --- */

void via_rewrite(struct exchange *x)
{
    const struct msg_parent *parent = &x->session->proxy->vias->parents[MSG_PARENT_HTTP];
    char host[URL_HOST_SIZE + 16];
    const char *head = buf_begin(&x->send), *target, *end;
    struct buf new = {0};

    if (!x->upstream->absolute || x->rewritten)
        return;
    target = memchr(head, ' ', x->head_len);
    end = target ? memchr(target, '\n', x->head_len - (size_t)(target - head)) : NULL;
    if (!end || url_format_host(&x->authority, URL_HTTP, host, sizeof(host)) < 0) {
        exchange_fail(x, 502, "the request cannot be written for this host's proxy");
        return;
    }
    target++;
    buf_append(&new, head, (size_t)(target - head));
    buf_append(&new, "http://", 7);
    buf_append(&new, host, strlen(host));
    if (*target == '*') /* RFC 9112, 3.2.4 */
        target++;
    buf_append(&new, target, (size_t)(end + 1 - target));
    if (parent->authorization[0]) {
        buf_append(&new, "Proxy-Authorization: ", 21);
        buf_append(&new, parent->authorization, strlen(parent->authorization));
        buf_append(&new, "\r\n", 2);
    }
    buf_append(&new, end + 1, buf_len(&x->send) - (size_t)(end + 1 - head));
    x->head_len += buf_len(&new) - buf_len(&x->send);
    x->rewritten = true;
    buf_free(&x->send);
    x->send = new;
}

bool via_withholds(struct exchange *x, int status)
{
    const struct vias *v = x->session->proxy->vias;
    bool trace = strcmp(x->method, "TRACE") == 0;
    char text[MSG_TEXT_SIZE];

    if (!x->upstream->absolute)
        return false;
    if (status == 407) {
        via_explain(status, "", text, sizeof(text));
        exchange_fail(x, 502, "%s", text);
        return true;
    }
    if (!v->parents[MSG_PARENT_HTTP].authorization[0] || (status < 400 && !trace))
        return false;
    x->status = status;
    exchange_fail(x, status < 400 ? 502 : status,
                  "the answer came by this host's proxy with the status %d; its text is withheld, "
                  "since it may repeat the credentials of that proxy",
                  status);
    return true;
}
