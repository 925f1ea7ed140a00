/* upgrade.c: an allowed request after which the connection is no longer HTTP: WebSocket and its
 * like (RFC 9110, 7.8 and 15.2.2).
 *
 *   client -> session.in -> server
 *   client <- session.out (the 101's head), then exchange.recv <- server
 *
 * The request was judged as any other and offers protocols (head_upgrade.c). Until the server has
 * chosen one of them, what the client sends waits in session.in: it is the next request if the
 * server answers anything but 101, and the first bytes of the new protocol if it does. It is never
 * both, and it is never sent before the 101. A 101 is taken only if the whole request has been
 * sent, and only for what was offered; any other is a 502.
 *
 * From there on bytes are passed on unread, both ways, until both sides have ended theirs. Each way
 * has one buffer of LIMIT_BUFFER, and nothing is read while it is full (backpressure). An end is
 * passed on as an end (TLS: close_notify), once what came before it was delivered, and the other
 * way goes on (half-close). What broke is passed on as broken: after a reset a reset, after TLS
 * without close_notify an end without one.
 *
 * Such connections are silent for hours, so it is not silence that ends them, but a server that
 * answers no keepalive of TCP (upstream.c). The client is on this machine: its end is always seen.
 */
#include <errno.h>
#include <string.h>

#include "httpproxy/exchange.h"
#include "httpproxy/limits.h"
#include "src/util.h"

void upgrade_begin(struct exchange *x, const struct head_response *r)
{
    struct scratch *t = &x->session->proxy->scratch;

    if (!x->upgrade[0]) {
        exchange_fail(x, 502, "%s switched protocols without being asked to", x->authority.host);
        return;
    }
    if (!head_upgrade_offered(x->upgrade, r->upgrade)) {
        exchange_fail(x, 502, "%s switched to a protocol that was not offered", x->authority.host);
        return;
    }
    if (!x->request.done || x->send_failed || buf_len(&x->send) > 0) {
        exchange_fail(x, 502, "%s switched protocols before it had the whole request",
                      x->authority.host);
        return;
    }
    int n = head_write_response(r, BODY_NONE, false, true, t->head, sizeof(t->head));
    if (n < 0) {
        exchange_fail(x, 502, "the response head of %s is too long", x->authority.host);
        return;
    }
    buf_append(&x->session->out, t->head, (size_t)n);
    buf_free(&x->send);
    x->status = r->status;
    x->responded = true;
    x->phase = EXCHANGE_UPGRADED;
}

/* --- client to server --- */

static bool pull_client(struct exchange *x)
{
    struct session *s = x->session;
    int r = session_fill(s);

    if (r < 0) {
        x->client_error = r;
        s->eof = true;
        return true;
    }
    return r > 0;
}

/* The server takes no more, but may still have something to say. */
static bool refuse_client(struct exchange *x)
{
    size_t n = buf_len(&x->session->in);

    buf_consume(&x->session->in, n);
    return n > 0;
}

static bool push_server(struct exchange *x)
{
    struct session *s = x->session;
    struct stream *server = &x->upstream->stream;

    if (x->send_failed)
        return refuse_client(x);
    if (buf_len(&s->in) == 0)
        return false;
    ssize_t n = proxy_send(s->proxy, server, buf_begin(&s->in), buf_len(&s->in));
    if (n == -EAGAIN)
        return false;
    if (n == -EDQUOT) {
        x->reset = true;
        exchange_over(x);
        return true;
    }
    if (n < 0) {
        x->send_failed = true;
        server->readable = true;
        return true;
    }
    x->request.bytes += (uint64_t)n;
    buf_consume(&s->in, (size_t)n);
    return true;
}

static bool end_server(struct exchange *x)
{
    const struct session *s = x->session;

    if (!s->eof || x->server_told || buf_len(&s->in) > 0)
        return false;
    if (x->client_error) {
        x->reset = x->client_error != -ECONNABORTED;
        exchange_cut(x, "the client went away: %s", stream_error(x->client_error));
        return true;
    }
    x->server_told = x->send_failed || stream_end(&x->upstream->stream) != -EAGAIN;
    return x->server_told;
}

/* --- server to client --- */

static bool push_client(struct exchange *x)
{
    struct session *s = x->session;
    struct buf *from = buf_len(&s->out) > 0 ? &s->out : &x->recv;

    if (buf_len(from) == 0)
        return false;
    ssize_t n = stream_write(&s->client, buf_begin(from), buf_len(from));
    if (n == -EAGAIN)
        return false;
    if (n < 0) {
        x->reset = n != -ECONNABORTED;
        exchange_cut(x, "the client went away: %s", stream_error((int)n));
        return true;
    }
    if (from == &x->recv)
        x->response.bytes += (uint64_t)n;
    buf_consume(from, (size_t)n);
    return true;
}

static bool end_client(struct exchange *x)
{
    struct session *s = x->session;

    if (!x->upstream_end || x->client_told || buf_len(&x->recv) > 0 || buf_len(&s->out) > 0)
        return false;
    if (x->upstream_error || x->send_failed) {
        x->reset = x->upstream_error != -ECONNABORTED;
        exchange_cut(x, "%s broke the connection: %s", x->authority.host,
                     stream_error(x->upstream_error));
        return true;
    }
    x->client_told = stream_end(&s->client) != -EAGAIN;
    return x->client_told;
}

bool upgrade_step(struct exchange *x)
{
    bool moved = pull_client(x);

    moved = push_server(x) || moved;
    moved = response_pull(x) || moved;
    moved = push_client(x) || moved;
    if (x->end == EXCHANGE_GOES_ON)
        moved = end_server(x) || moved;
    if (x->end == EXCHANGE_GOES_ON)
        moved = end_client(x) || moved;
    if (x->end == EXCHANGE_GOES_ON && x->server_told && x->client_told)
        x->end = EXCHANGE_DONE;
    return moved || x->end != EXCHANGE_GOES_ON;
}
