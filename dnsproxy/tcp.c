/* tcp.c: queries over TCP (RFC 7766), each behind its length.
 *
 * A client may pipeline; replies come in the order in which they are ready. Bounds: connections;
 * queries of one connection that wait for upstream, and bytes of replies that wait for the client,
 * over which no more is read from it; the length of a query. One timer a connection, started anew
 * by each whole query and whenever all replies are written, but not by single bytes, ends one that
 * idles, dribbles or does not read. When all connections are taken, a new one takes the place of
 * the one that has been idle for longest.
 *
 * A connection that ends while its queries are with upstream stays as a shell until the last of
 * them is over. */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <string.h>
#include <sys/socket.h>

#include "dnsproxy/dnsproxy.h"
#include "src/util.h"

#define CONNECTIONS_MAX 256
#define IDLE_S 10
#define IN_FLIGHT_MAX 32
#define OUTPUT_HIGH (64 * 1024) /* over this no more is read */
#define OUTPUT_MAX (256 * 1024) /* over this the connection ends */
#define INPUT_MAX (2 * (QUERY_MAX + 2))
#define ACCEPT_BATCH 16
#define ACCEPT_PAUSE_MS 100 /* when descriptors or memory are short */

struct tcp_connection {
    struct tcp *tcp;
    struct bufferevent *bev; /* NULL: a shell */
    struct msg_server server;
    struct event *timer;
    struct tcp_connection *prev, *next; /* idle for longest first */
    unsigned in_flight;
    bool eof, broken;
    bool busy;   /* inside advance() */
    bool paused; /* nothing is read */
};

struct tcp {
    struct dnsproxy *p;
    struct event *listeners[2], *pause;
    struct tcp_connection *first, *last;
    size_t count;
};

static void link_last(struct tcp_connection *c)
{
    struct tcp *t = c->tcp;
    c->prev = t->last;
    c->next = NULL;
    if (t->last)
        t->last->next = c;
    else
        t->first = c;
    t->last = c;
    t->count++;
}

static void unlink_connection(struct tcp_connection *c)
{
    struct tcp *t = c->tcp;
    if (c->prev)
        c->prev->next = c->next;
    else
        t->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    else
        t->last = c->prev;
    t->count--;
}

static size_t output_length(const struct tcp_connection *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->bev));
}

static void end(struct tcp_connection *c)
{
    unlink_connection(c);
    event_free(c->timer);
    bufferevent_free(c->bev);
    c->bev = NULL;
    if (c->in_flight == 0)
        free(c);
}

/* Something whole has happened: the timer starts anew, and the connection is the youngest. */
static void touch(struct tcp_connection *c)
{
    unlink_connection(c);
    link_last(c);
    (void)event_add(c->timer, &(struct timeval){.tv_sec = IDLE_S});
}

/* Too much waits for upstream, or for the client to read. */
static bool stalled(const struct tcp_connection *c)
{
    return c->in_flight >= IN_FLIGHT_MAX || output_length(c) > OUTPUT_HIGH;
}

/* Serves one whole query, if there is one and it may be served now. */
static bool take_query(struct tcp_connection *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    uint8_t prefix[2];
    if (c->broken || stalled(c) || evbuffer_copyout(in, prefix, sizeof(prefix)) != sizeof(prefix))
        return false;
    size_t len = (size_t)(prefix[0] << 8 | prefix[1]);
    if (len < DNS_HEADER_LEN || len > QUERY_MAX) {
        c->broken = true;
        return false;
    }
    if (evbuffer_get_length(in) < sizeof(prefix) + len)
        return false;
    UNINITIALIZED uint8_t query[QUERY_MAX];
    (void)evbuffer_drain(in, sizeof(prefix));
    (void)evbuffer_remove(in, query, len);
    touch(c);
    c->in_flight++;
    serve_query(c->tcp->p, &(struct client){.connection = c, .server = c->server}, query, len);
    return true;
}

/* Reads on, or not. Libevent's own watermark would call on_read again and again while the input
 * stays above it. */
static void pause_or_resume(struct tcp_connection *c)
{
    bool pause = c->eof || stalled(c);
    if (pause != c->paused)
        (void)(pause ? bufferevent_disable(c->bev, EV_READ) : bufferevent_enable(c->bev, EV_READ));
    c->paused = pause;
}

/* Goes on with the connection as far as it can; it may be gone after this. */
static void advance(struct tcp_connection *c)
{
    c->busy = true;
    while (take_query(c))
        ;
    c->busy = false;
    if (c->broken || (c->eof && c->in_flight == 0 && output_length(c) == 0))
        end(c);
    else
        pause_or_resume(c);
}

static void write_reply(struct tcp_connection *c, const uint8_t *data, size_t len)
{
    uint8_t prefix[2] = {(uint8_t)(len >> 8), (uint8_t)len};
    if (output_length(c) + sizeof(prefix) + len > OUTPUT_MAX ||
        bufferevent_write(c->bev, prefix, sizeof(prefix)) < 0 ||
        bufferevent_write(c->bev, data, len) < 0)
        c->broken = true;
}

void tcp_reply(struct tcp_connection *c, const uint8_t *data, size_t len)
{
    c->in_flight--;
    if (!c->bev) {
        if (c->in_flight == 0)
            free(c);
        return;
    }
    if (data)
        write_reply(c, data, len);
    else
        c->broken = true;
    if (!c->busy)
        advance(c);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    advance(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    (void)bev;
    touch(arg);
    advance(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct tcp_connection *c = arg;
    if (what & BEV_EVENT_EOF)
        c->eof = true;
    if (what & BEV_EVENT_ERROR)
        c->broken = true;
    advance(c);
}

static void on_idle(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct tcp_connection *c = arg;
    if (c->in_flight > 0 && output_length(c) == 0)
        (void)event_add(c->timer, &(struct timeval){.tv_sec = IDLE_S});
    else
        end(c);
}

/* Makes room for one more, if there is none and there can be. */
static bool make_room(struct tcp *t)
{
    if (t->count < CONNECTIONS_MAX)
        return true;
    for (struct tcp_connection *c = t->first; c; c = c->next) {
        /* The analyser does not see that end() takes c out of the list (unlink_connection). */
        if (c->in_flight == 0 && output_length(c) == 0) { /* NOLINT(clang-analyzer-unix.Malloc) */
            end(c);
            return true;
        }
    }
    return false;
}

/* Whom the client connected to. */
static bool identify(const struct tcp *t, int fd, struct msg_server *server)
{
    struct sockaddr_storage local;
    socklen_t len = sizeof(local);
    return getsockname(fd, (struct sockaddr *)&local, &len) == 0 &&
           server_identify(&t->p->policy, (const struct sockaddr *)&local, server);
}

static void start(struct tcp *t, int fd)
{
    struct msg_server server;
    if (!identify(t, fd, &server)) {
        (void)close(fd);
        return;
    }
    log_server(t->p, IPPROTO_TCP, &server);
    struct tcp_connection *c = xcalloc(1, sizeof(*c));
    c->tcp = t;
    c->server = server;
    c->bev = bufferevent_socket_new(t->p->base, fd, BEV_OPT_CLOSE_ON_FREE);
    c->timer = event_new(t->p->base, -1, 0, on_idle, c);
    if (!c->bev || !c->timer)
        die("out of memory (TCP connection)");
    link_last(c);
    touch(c);
    bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, INPUT_MAX);
    (void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
    (void)what;
    struct tcp *t = arg;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            if (make_room(t))
                start(t, fd);
            else
                (void)close(fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            for (unsigned k = 0; k < ARRAY_LEN(t->listeners); k++)
                if (t->listeners[k])
                    (void)event_del(t->listeners[k]);
            (void)event_add(t->pause, &(struct timeval){.tv_usec = ACCEPT_PAUSE_MS * 1000});
            return;
        } /* else the connection that was to be accepted is gone (accept(2)) */
    }
}

static void listen_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct tcp *t = arg;
    for (unsigned k = 0; k < ARRAY_LEN(t->listeners); k++)
        if (t->listeners[k])
            (void)event_add(t->listeners[k], NULL);
}

struct tcp *tcp_new(struct dnsproxy *p, int fd4, int fd6)
{
    struct tcp *t = xcalloc(1, sizeof(*t));
    const int fds[] = {fd4, fd6};
    t->p = p;
    for (unsigned k = 0; k < ARRAY_LEN(t->listeners); k++) {
        if (fds[k] < 0)
            continue;
        t->listeners[k] = event_new(p->base, fds[k], EV_READ | EV_PERSIST, on_accept, t);
        if (!t->listeners[k] || set_nonblocking(fds[k]) < 0)
            die("cannot watch the TCP socket");
    }
    t->pause = event_new(p->base, -1, 0, listen_again, t);
    if (!t->pause)
        die("cannot make a timer");
    listen_again(-1, 0, t);
    return t;
}

/* To be called when no query of a connection is under way any more (upstream_free). */
void tcp_free(struct tcp *t)
{
    if (!t)
        return;
    for (struct tcp_connection *c = t->first, *next; c; c = next) {
        next = c->next;
        end(c);
    }
    for (unsigned k = 0; k < ARRAY_LEN(t->listeners); k++)
        if (t->listeners[k])
            event_free(t->listeners[k]);
    event_free(t->pause);
    free(t);
}
