/* resolver.c: up to THREADS threads call getaddrinfo(3), as every program of the host does:
 * /etc/hosts, nsswitch.conf and the host's resolver hold. The event loop and the threads share one
 * queue of lookups under one lock; a finished lookup goes to a list that an eventfd announces.
 * Everything else (waiters, cache) belongs to the loop alone. A lookup whose server is dead keeps
 * its thread for half a minute or longer, so each has a thread of its own as long as there are
 * fewer than THREADS, and waits behind others only then. Of those that are done some stay.
 *
 * With --upstream there are no threads: dnsproxy is asked (LOOKUP), which asks those servers, in
 * the end by way of upstream_dns.c, and parses what they say (ADDRESSES). It answers each. */
#include "src/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "src/name.h"
#include "src/util.h"

#define THREADS 64
#define IDLE_MAX 8
#define LOOKUPS_MAX 4096
#define WAITERS_MAX 65536
#define CACHE_MS 5000
#define THREAD_STACK (256u << 10)

struct waiter {
    resolver_cb *cb;
    void *arg;
    struct waiter *next;
};

struct lookup {
    char name[NAME_SIZE];
    struct waiter *waiters;
    struct lookup *next;       /* in lookups */
    struct lookup *queue_next; /* in pending or finished */
    uint64_t id;               /* of LOOKUP */
    bool done;
    bool answering;   /* in use further up the stack: not to be freed */
    uint64_t expires; /* now_ms(), once done */
    int error;        /* of getaddrinfo */
    size_t n;
    union resolver_address addresses[RESOLVER_ADDRESSES];
};

struct resolver {
    struct event *event;
    int eventfd;
    struct lookup *lookups; /* all: waiting, running and cached */
    size_t lookup_count, waiter_count;
    resolver_ask_fn *ask; /* NULL: getaddrinfo */
    void *ask_arg;
    uint64_t last_id;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    unsigned threads, idle; /* idle: that wait, or have been woken and not run yet */
    struct lookup *pending, **pending_end;
    unsigned pending_count;
    struct lookup *finished;
};

static void look_up(struct lookup *l)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list = NULL;

    l->error = getaddrinfo(l->name, NULL, &hints, &list);
    for (struct addrinfo *a = list; l->error == 0 && a && l->n < RESOLVER_ADDRESSES; a = a->ai_next)
        if (a->ai_addrlen <= sizeof(l->addresses[0]) &&
            (a->ai_family == AF_INET || a->ai_family == AF_INET6))
            memcpy(&l->addresses[l->n++], a->ai_addr, a->ai_addrlen);
    if (list)
        freeaddrinfo(list);
}

static void *thread_main(void *arg)
{
    struct resolver *r = arg;
    const uint64_t one = 1;

    (void)pthread_mutex_lock(&r->lock);
    for (;;) {
        struct lookup *l = r->pending;
        if (!l && r->idle == IDLE_MAX)
            break;
        if (!l) {
            r->idle++;
            (void)pthread_cond_wait(&r->wake, &r->lock);
            r->idle--;
            continue;
        }
        r->pending = l->queue_next;
        r->pending_count--;
        if (!r->pending)
            r->pending_end = &r->pending;
        (void)pthread_mutex_unlock(&r->lock);
        look_up(l);
        (void)pthread_mutex_lock(&r->lock);
        l->queue_next = r->finished;
        r->finished = l;
        (void)write_all(r->eventfd, &one, sizeof(one));
    }
    r->threads--;
    (void)pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* It could not be made: those that there are go on. */
static void no_thread(struct resolver *r, int err)
{
    unsigned left;

    (void)pthread_mutex_lock(&r->lock);
    left = --r->threads;
    (void)pthread_mutex_unlock(&r->lock);
    if (left == 0)
        die("cannot start a thread to resolve names: %s", strerror(err));
}

/* One that has been counted. */
static void start_thread(struct resolver *r)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;
    int err;

    (void)sigfillset(&all); /* signals are the event loop's */
    (void)pthread_sigmask(SIG_BLOCK, &all, &old);
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, THREAD_STACK);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    err = pthread_create(&thread, &attr, thread_main, r);
    if (err)
        no_thread(r, err);
    (void)pthread_attr_destroy(&attr);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void enqueue(struct resolver *r, struct lookup *l)
{
    bool more;

    (void)pthread_mutex_lock(&r->lock);
    *r->pending_end = l;
    r->pending_end = &l->queue_next;
    r->pending_count++;
    more = r->idle < r->pending_count && r->threads < THREADS;
    r->threads += more;
    (void)pthread_cond_signal(&r->wake);
    (void)pthread_mutex_unlock(&r->lock);
    if (more)
        start_thread(r);
}

static void answer(struct resolver *r, struct lookup *l)
{
    const char *text = l->n ? NULL : l->error ? gai_strerror(l->error) : "no usable address";
    struct waiter *w = l->waiters;

    l->waiters = NULL;
    l->answering = true; /* a callback may look up again, and drop what has expired */
    while (w) {
        struct waiter *next = w->next;
        w->cb(w->arg, l->addresses, l->n, text);
        free(w);
        r->waiter_count--;
        w = next;
    }
    l->answering = false;
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = arg;
    struct lookup *l;
    uint64_t n;

    (void)what;
    (void)!read(fd, &n, sizeof(n));
    (void)pthread_mutex_lock(&r->lock);
    l = r->finished;
    r->finished = NULL;
    (void)pthread_mutex_unlock(&r->lock);
    while (l) {
        struct lookup *next = l->queue_next;
        l->done = true;
        l->expires = now_ms() + (l->n ? CACHE_MS : 0);
        answer(r, l);
        l = next;
    }
}

/* The lookup of that name that may still be used; drops what has expired on the way. */
static struct lookup *find(struct resolver *r, const char *name)
{
    struct lookup **at = &r->lookups, *l, *found = NULL;
    uint64_t now = now_ms();

    while ((l = *at)) {
        if (l->done && !l->waiters && !l->answering && l->expires <= now) {
            *at = l->next;
            r->lookup_count--;
            free(l);
            continue;
        }
        if (!strcmp(l->name, name) && (!l->done || l->expires > now))
            found = l;
        at = &l->next;
    }
    return found;
}

static void on_cached(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = arg;

    (void)fd;
    (void)what;
    for (struct lookup *l = r->lookups; l;) {
        if (l->done && l->waiters && !l->answering) {
            answer(r, l);
            l = r->lookups; /* the list may have changed */
        } else {
            l = l->next;
        }
    }
}

/* getaddrinfo(3) loads modules that nsswitch.conf(5) names when the first name is looked up, and
 * again when that file changes: code that the command may have put there, if it can write to where
 * they are. Then the two that are part of the C library are all there is. */
static void load_no_modules(void)
{
    const char *path = getenv("LD_LIBRARY_PATH");

    if ((geteuid() == 0 || (path && path[0])) && __nss_configure_lookup("hosts", "files dns") != 0)
        die("nsswitch: %s", strerror(errno));
}

struct resolver *resolver_new(struct event_base *base)
{
    struct resolver *r = xcalloc(1, sizeof(*r));

    load_no_modules();
    r->pending_end = &r->pending;
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->wake, NULL);
    r->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->eventfd < 0)
        die("eventfd: %s", strerror(errno));
    r->event = event_new(base, r->eventfd, EV_READ | EV_PERSIST, on_finished, r);
    if (!r->event || event_add(r->event, NULL) < 0)
        die("cannot watch an eventfd");
    return r;
}

static void answer_later(struct resolver *r)
{
    static const struct timeval now = {0, 0};

    (void)event_base_once(event_get_base(r->event), -1, EV_TIMEOUT, on_cached, r, &now);
}

static void ask_remote(struct resolver *r, struct lookup *l)
{
    struct msg_lookup m = {.id = l->id = ++r->last_id};

    msg_init(&m, MSG_LOOKUP, sizeof(m));
    copy_string(m.name, sizeof(m.name), l->name);
    if (r->ask(r->ask_arg, &m) == 0)
        return;
    l->done = true;
    l->error = EAI_AGAIN;
    answer_later(r);
}

void resolver_set_remote(struct resolver *r, resolver_ask_fn *ask, void *arg)
{
    r->ask = ask;
    r->ask_arg = arg;
}

static void take_address(const struct msg_address *from, union resolver_address *to)
{
    memset(to, 0, sizeof(*to));
    to->sa.sa_family = from->family;
    if (from->family == AF_INET)
        memcpy(&((struct sockaddr_in *)(void *)&to->sa)->sin_addr, from->address, 4);
    else
        memcpy(&((struct sockaddr_in6 *)(void *)&to->sa)->sin6_addr, from->address, 16);
}

void resolver_take(struct resolver *r, const struct msg_addresses *m)
{
    struct lookup *l = r->lookups;

    while (l && (l->done || l->id != m->id))
        l = l->next;
    if (!l || !r->ask)
        return;
    l->error = m->error == 0 ? 0 : m->error == ENOENT ? EAI_NONAME : EAI_AGAIN;
    for (uint32_t i = 0; i < m->count && l->n < RESOLVER_ADDRESSES; i++)
        take_address(&m->address[i], &l->addresses[l->n++]);
    l->done = true;
    l->expires = now_ms() + (l->n ? CACHE_MS : 0);
    answer(r, l);
}

bool resolver_is_asking(const struct resolver *r, const char *name)
{
    for (const struct lookup *l = r->lookups; l; l = l->next)
        if (!l->done && strcmp(l->name, name) == 0)
            return true;
    return false;
}

void resolver_lookup(struct resolver *r, const char *name, resolver_cb *cb, void *arg)
{
    struct lookup *l = find(r, name);
    struct waiter *w;

    if (r->waiter_count >= WAITERS_MAX || (!l && r->lookup_count >= LOOKUPS_MAX)) {
        cb(arg, NULL, 0, "too many lookups at once");
        return;
    }
    w = xcalloc(1, sizeof(*w));
    *w = (struct waiter){.cb = cb, .arg = arg};
    r->waiter_count++;
    if (l) {
        w->next = l->waiters;
        l->waiters = w;
        if (l->done) /* from the loop, not from inside of this call */
            answer_later(r);
        return;
    }
    l = xcalloc(1, sizeof(*l));
    copy_string(l->name, sizeof(l->name), name);
    l->waiters = w;
    l->next = r->lookups;
    r->lookups = l;
    r->lookup_count++;
    if (r->ask)
        ask_remote(r, l);
    else
        enqueue(r, l);
}

void resolver_set_port(union resolver_address *a, uint16_t port)
{
    if (a->sa.sa_family == AF_INET)
        ((struct sockaddr_in *)(void *)&a->sa)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)&a->sa)->sin6_port = htons(port);
}

void resolver_format(const union resolver_address *a, char out[INET6_ADDRSTRLEN])
{
    const void *data = a->sa.sa_family == AF_INET
                           ? (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr
                           : &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;

    if (!inet_ntop(a->sa.sa_family, data, out, INET6_ADDRSTRLEN))
        out[0] = '\0';
}

bool resolver_literal(const struct url_authority *a, union resolver_address *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&out->sa;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&out->sa;
    int family = a->kind == URL_HOST_IPV4 ? AF_INET : AF_INET6;

    memset(out, 0, sizeof(*out));
    out->sa.sa_family = (sa_family_t)family;
    resolver_set_port(out, a->port);
    return a->kind != URL_HOST_NAME &&
           inet_pton(family, a->host,
                     family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr) == 1;
}
