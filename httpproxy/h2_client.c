/* h2_client.c: a client that speaks HTTP/2; see h2.h.
 *
 * Its session holds the connection and nothing else. Each request stream is a session of its own,
 * made for it, which reads the request as text, has it judged and answers, as every session does;
 * it counts like a client, too. It runs in the next turn of the loop, never inside of the
 * connection's. What it writes goes out when the connection runs again, with what the other streams
 * have written meanwhile. */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "httpproxy/session.h"
#include "src/util.h"

/* Sec-WebSocket-Key is 16 random bytes (RFC 6455, 4.1). */
static void make_key(struct h2_stream *st)
{
    unsigned char nonce[16];

    (void)RAND_bytes(nonce, sizeof(nonce));
    (void)EVP_EncodeBlock((unsigned char *)st->key, nonce, sizeof(nonce));
}

static void on_request(struct h2_stream *st)
{
    const struct session *parent = st->conn->owner;
    struct proxy *p = parent->proxy;
    const char *scheme = url_scheme_name(parent->scheme);
    struct h2_request_form form = {
        .scheme = scheme, .body = !st->in_done && !st->tunnel, .key = st->key};
    struct error e;

    if (p->session_count >= p->session_max) {
        (void)nghttp2_submit_rst_stream(st->conn->ng, NGHTTP2_FLAG_NONE, st->id,
                                        NGHTTP2_REFUSED_STREAM);
        return;
    }
    struct session *s = session_new_inner(parent);
    stream_open_inner(&s->client, &h2_stream_ops, st, session_ready, s);
    st->user = &s->client;
    st->conn->count++;
    if (st->tunnel)
        make_key(st);
    int r = h2_fields_request(st->fields, &form, &st->in, &e);
    st->head_left = buf_len(&st->in);
    if (r < 0) {
        request_refuse(s, buf_begin(&st->in), buf_len(&st->in), -r, e.text);
        buf_free(&st->in);
        st->head_left = 0;
        return;
    }
    st->head_only = memcmp(buf_begin(&st->in), "HEAD ", 5) == 0;
}

static void on_notify(struct h2_stream *st)
{
    struct session *s = st->user->arg;

    proxy_run_later(s->proxy, s);
}

static void on_wake(struct h2_conn *c)
{
    struct session *s = c->owner;

    proxy_run_later(s->proxy, s);
}

static const struct h2_side side = {.request = on_request, .notify = on_notify, .wake = on_wake};

void h2_client_begin(struct session *s)
{
    s->h2 = h2_conn_new(s->proxy, &s->client, true, &side, s);
    session_enter(s, s->h2 ? SESSION_H2 : SESSION_DEAD);
    s->deadline = now_ms() + LIMIT_HEAD_MS;
    if (s->h2 && buf_len(&s->in) > 0)
        h2_conn_feed(s->h2, buf_begin(&s->in), buf_len(&s->in));
    buf_free(&s->in);
}

/* Streams that have a user have deadlines of their own. Without any the client is idle; or it does
 * not read what is left for it, and then no frame gives it more time. */
static void set_deadline(struct session *s, bool moved)
{
    if (s->h2->count > 0)
        s->deadline = UINT64_MAX;
    else if ((moved && TAILQ_EMPTY(&s->h2->streams)) || s->deadline == UINT64_MAX)
        s->deadline = now_ms() + LIMIT_IDLE_MS;
}

bool h2_client_step(struct session *s)
{
    bool moved = h2_run(s->h2);

    if (!h2_conn_over(s->h2)) {
        set_deadline(s, moved);
        return false; /* h2_run went on until nothing moved, or asked for another turn */
    }
    session_enter(s, s->h2->failed ? SESSION_DEAD : SESSION_LINGER);
    h2_conn_free(s->h2);
    s->h2 = NULL;
    return true;
}

void h2_client_timeout(struct session *s)
{
    h2_conn_end(s->h2, NGHTTP2_NO_ERROR);
    s->deadline = now_ms() + LIMIT_LINGER_MS;
    if (++s->h2->timeouts > 1)
        session_enter(s, SESSION_DEAD);
}
