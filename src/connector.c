/* connector.c: RFC 8305, sections 4 and 5. Each attempt is a nonblocking socket with an event; the
 * first to connect wins, the others are closed. */
#include "src/connector.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/util.h"

#define ATTEMPT_DELAY_MS 250 /* RFC 8305, section 5 */
#define TOTAL_SECONDS 30

struct attempt {
    struct connector *owner;
    struct event *event;
    int fd;
};

struct connector {
    struct event_base *base;
    struct event *next_timer, *total_timer;
    connector_cb *cb;
    void *arg;
    size_t n, started, open;
    int err;
    union resolver_address addresses[RESOLVER_ADDRESSES];
    struct attempt attempts[RESOLVER_ADDRESSES];
};

static void finish(struct connector *c, int fd, int err)
{
    connector_cb *cb = c->cb;
    void *arg = c->arg;

    for (size_t i = 0; i < c->started; i++) {
        if (c->attempts[i].event)
            event_free(c->attempts[i].event);
        if (c->attempts[i].fd >= 0 && c->attempts[i].fd != fd)
            (void)close(c->attempts[i].fd);
    }
    event_free(c->next_timer);
    event_free(c->total_timer);
    free(c);
    cb(arg, fd, err);
}

static void start_next(struct connector *c);

static void attempt_failed(struct connector *c, struct attempt *a, int err)
{
    if (a->event)
        event_free(a->event);
    a->event = NULL;
    (void)close(a->fd);
    a->fd = -1;
    c->open--;
    /* "Refused" says more than "unreachable", which a missing address family gives. */
    if (c->err == 0 || c->err == ENETUNREACH || c->err == EAFNOSUPPORT)
        c->err = err;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct attempt *a = arg;
    struct connector *c = a->owner;
    socklen_t len = sizeof(int);
    int err = 0;

    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err == 0) {
        finish(c, fd, 0);
        return;
    }
    attempt_failed(c, a, err);
    start_next(c);
}

/* One attempt: 0 if it is under way. */
static int start_attempt(struct connector *c, struct attempt *a, const union resolver_address *to)
{
    socklen_t len =
        to->sa.sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int err;

    *a = (struct attempt){.owner = c, .fd = -1};
    a->fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd < 0)
        return -errno;
    c->open++;
    if (connect(a->fd, &to->sa, len) < 0 && errno != EINPROGRESS) {
        err = errno;
        attempt_failed(c, a, err);
        return -err;
    }
    a->event =
        event_new(c->base, a->fd, EV_WRITE, on_writable, a); /* at once, if already connected */
    if (!a->event || event_add(a->event, NULL) < 0) {
        attempt_failed(c, a, ENOMEM);
        return -ENOMEM;
    }
    return 0;
}

/* Starts attempts until one is under way; finishes if none is left. May free c. */
static void start_next(struct connector *c)
{
    static const struct timeval delay = {0, ATTEMPT_DELAY_MS * 1000};

    while (c->started < c->n) {
        size_t i = c->started++;
        int r = start_attempt(c, &c->attempts[i], &c->addresses[i]);
        if (r == 0) {
            if (c->started < c->n)
                (void)event_add(c->next_timer, &delay);
            return;
        }
        if (c->err == 0)
            c->err = -r;
    }
    if (c->open == 0)
        finish(c, -1, c->err ? c->err : EHOSTUNREACH);
}

static void on_next(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    start_next(arg);
}

static void on_total(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    finish(arg, -1, ETIMEDOUT);
}

/* RFC 8305, section 4: the families alternate, beginning with the first address's. */
static void interleave(struct connector *c, const union resolver_address *addresses, size_t n)
{
    bool used[RESOLVER_ADDRESSES] = {false};
    int want = addresses[0].sa.sa_family;

    for (size_t out = 0; out < n; out++) {
        size_t pick = n;
        for (size_t i = 0; i < n; i++) {
            if (used[i])
                continue;
            if (addresses[i].sa.sa_family == want) {
                pick = i;
                break;
            }
            if (pick == n)
                pick = i;
        }
        used[pick] = true;
        c->addresses[out] = addresses[pick];
        want = addresses[pick].sa.sa_family == AF_INET ? AF_INET6 : AF_INET;
    }
}

static void on_start(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    start_next(arg);
}

void connector_start(struct event_base *base, const union resolver_address *addresses, size_t n,
                     connector_cb *cb, void *arg)
{
    static const struct timeval now = {0, 0}, total = {TOTAL_SECONDS, 0};
    struct connector *c = xcalloc(1, sizeof(*c));

    if (n > RESOLVER_ADDRESSES)
        n = RESOLVER_ADDRESSES;
    *c = (struct connector){.base = base, .cb = cb, .arg = arg, .n = n};
    interleave(c, addresses, n);
    c->next_timer = evtimer_new(base, on_next, c);
    c->total_timer = evtimer_new(base, on_total, c);
    if (!c->next_timer || !c->total_timer || event_add(c->total_timer, &total) < 0 ||
        event_base_once(base, -1, EV_TIMEOUT, on_start, c, &now) < 0)
        die("out of memory");
}
