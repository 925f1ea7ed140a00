/* client.c: the one HTTP/1.1 client of all the proxies' tables.
 *
 *     client [-x] [-p] ADDRESS PORT AUTHORITY
 *
 * Connections go to ADDRESS (IPv4) and PORT; -x: that is a proxy, which is asked by CONNECT for
 * AUTHORITY (NAME:PORT); -p: no TLS. No certificate is verified: it is the servers' work that is
 * measured. Orders come by standard input, a line each:
 *
 *     kept N SECONDS PATH      N connections, one request after the other on each
 *     new N SECONDS PATH       N at a time: connect, CONNECT, handshake, one request, close
 *     fetch N COUNT PATH       N connections, until COUNT requests are answered
 *     idle N 0 PATH            N connections, one request on each; then they are only held
 *
 * The answer to an order is "ready" when its connections stand (new: at once). Then, after a line
 * "go", the order is carried out, and a line "REQUESTS MICROSECONDS BYTES FAILURES CLOSED" says
 * what was done: answers with status 200, the time from "go", bytes of their bodies, what went
 * wrong, and connections that the server closed. All is one thread that waits in epoll(7),
 * edge-triggered. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define FAILURES_MAX 1000
#define READ_SIZE (256 * 1024)
#define HEAD_SIZE 16384

enum state { CONNECTING, ASKING, ANSWERED, SHAKING, IDLE, SENDING, HEAD, BODY };
enum mode { KEPT, NEW, FETCH, HOLD };
enum step { GO_ON, WAIT, FAILED, CLOSED };

struct connection {
    int fd;
    SSL *ssl;
    enum state state;
    bool used; /* one request at least was answered */
    size_t head_len;
    long long left; /* bytes of the body that are still to come */
    char head[HEAD_SIZE];
};

struct client {
    struct sockaddr_in to;
    const char *authority;
    char name[256]; /* of authority */
    bool proxy, tls;
    SSL_CTX *tls_context;
    int epoll;
    struct connection *connections;
    /* the order */
    enum mode mode;
    int n;
    double limit; /* seconds or requests */
    char request[1024];
    int request_len;
    bool running;
    int idle; /* connections that stand ready */
    /* what was done */
    long long requests, bytes, failures, closed;
    char data[READ_SIZE];
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- bytes --- */

/* What SSL_get_error(3) makes of a call that returned r. */
static enum step tls_step(struct connection *c, int r)
{
    int error = SSL_get_error(c->ssl, r);

    ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return WAIT;
    return error == SSL_ERROR_ZERO_RETURN ? CLOSED : FAILED;
}

static enum step get(struct connection *c, void *to, size_t size, size_t *got)
{
    ssize_t r;

    if (c->ssl != NULL) {
        r = SSL_read(c->ssl, to, (int)size);
        if (r <= 0)
            return tls_step(c, (int)r);
    } else {
        r = read(c->fd, to, size);
        if (r == 0)
            return CLOSED;
        if (r < 0)
            return errno == EAGAIN ? WAIT : FAILED;
    }
    *got = (size_t)r;
    return GO_ON;
}

/* A request is far smaller than a socket's buffer: it goes at once or never. */
static enum step put(struct connection *c, const char *data, int size)
{
    ssize_t r = c->ssl != NULL ? SSL_write(c->ssl, data, size) : write(c->fd, data, (size_t)size);

    return r == size ? GO_ON : FAILED;
}

/* --- a connection's life --- */

static void begin(struct client *k, struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(c->fd, (struct sockaddr *)&k->to, sizeof(k->to)) < 0 && errno != EINPROGRESS)
        die("connect");
    if (epoll_ctl(k->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
        die("epoll_ctl");
    c->ssl = NULL;
    c->state = CONNECTING;
    c->used = false;
    c->head_len = 0;
}

static void end(struct connection *c)
{
    if (c->ssl != NULL) {
        SSL_shutdown(c->ssl);
        ERR_clear_error();
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static enum step connected(struct client *k, struct connection *c)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    int error = 0;
    socklen_t error_len = sizeof(error);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0 || error != 0)
        return FAILED;
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return FAILED;
    if (info.tcpi_state != TCP_ESTABLISHED)
        return WAIT;
    c->state = k->proxy ? ASKING : k->tls ? SHAKING : IDLE;
    return GO_ON;
}

static enum step ask(struct client *k, struct connection *c)
{
    char text[600];
    int len = snprintf(text, sizeof(text), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", k->authority,
                       k->authority);

    c->state = ANSWERED;
    return put(c, text, len);
}

/* Reads a head: byte by byte at its end after CONNECT, so that nothing of what follows is taken. */
static enum step read_head(struct connection *c, size_t at_most, char **end_of_head)
{
    size_t got;
    enum step step;

    if (c->head_len + at_most >= HEAD_SIZE)
        return FAILED;
    step = get(c, c->head + c->head_len, at_most, &got);
    if (step != GO_ON)
        return step;
    c->head_len += got;
    c->head[c->head_len] = '\0';
    *end_of_head = strstr(c->head, "\r\n\r\n");
    return GO_ON;
}

static enum step answered(struct client *k, struct connection *c)
{
    char *head_end;
    enum step step = read_head(c, 1, &head_end);

    if (step != GO_ON || head_end == NULL)
        return step;
    if (strncmp(c->head, "HTTP/1.1 200", 12) != 0 && strncmp(c->head, "HTTP/1.0 200", 12) != 0)
        return FAILED;
    c->head_len = 0;
    c->state = k->tls ? SHAKING : IDLE;
    return GO_ON;
}

static enum step shake(struct client *k, struct connection *c)
{
    int r;

    if (c->ssl == NULL) {
        c->ssl = SSL_new(k->tls_context);
        if (c->ssl == NULL)
            die("SSL_new");
        SSL_set_fd(c->ssl, c->fd);
        SSL_set_tlsext_host_name(c->ssl, k->name);
    }
    r = SSL_connect(c->ssl);
    if (r != 1)
        return tls_step(c, r);
    c->state = IDLE;
    return GO_ON;
}

/* The connection stands. Before "go", each has a request of its own (but not for fetch), then
 * waits. */
static enum step stand(struct client *k, struct connection *c)
{
    if (!k->running && (c->used || k->mode == FETCH)) {
        k->idle++;
        return WAIT;
    }
    c->state = SENDING;
    return GO_ON;
}

static enum step send_request(struct client *k, struct connection *c)
{
    c->head_len = 0;
    c->state = HEAD;
    return put(c, k->request, k->request_len);
}

/* The value of Content-Length; -1 if there is none. */
static long long content_length(const char *head)
{
    const char *line;

    for (line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, "content-length:", 15) == 0)
            return strtoll(line + 15, NULL, 10);
    }
    return -1;
}

static void finished(struct client *k, struct connection *c)
{
    c->used = true;
    if (k->running)
        k->requests++;
    if (k->mode == NEW) {
        end(c);
        begin(k, c);
    } else {
        c->state = IDLE;
    }
}

static enum step head_came(struct client *k, struct connection *c)
{
    char *head_end;
    enum step step = read_head(c, 4096, &head_end);
    long long length, with_head;

    if (step != GO_ON || head_end == NULL)
        return step;
    length = content_length(c->head);
    if (strncmp(c->head, "HTTP/1.1 200", 12) != 0 || length < 0)
        return FAILED;
    with_head = (long long)(c->head_len - (size_t)(head_end + 4 - c->head));
    if (k->running)
        k->bytes += with_head;
    c->left = length - with_head;
    c->state = BODY;
    if (c->left == 0)
        finished(k, c);
    return c->left < 0 ? FAILED : GO_ON;
}

static enum step body(struct client *k, struct connection *c)
{
    size_t want = c->left < READ_SIZE ? (size_t)c->left : READ_SIZE;
    size_t got;
    enum step step = get(c, k->data, want, &got);

    if (step != GO_ON)
        return step;
    if (k->running)
        k->bytes += (long long)got;
    c->left -= (long long)got;
    if (c->left == 0)
        finished(k, c);
    return GO_ON;
}

static enum step one_step(struct client *k, struct connection *c)
{
    switch (c->state) {
    case CONNECTING:
        return connected(k, c);
    case ASKING:
        return ask(k, c);
    case ANSWERED:
        return answered(k, c);
    case SHAKING:
        return shake(k, c);
    case IDLE:
        return stand(k, c);
    case SENDING:
        return send_request(k, c);
    case HEAD:
        return head_came(k, c);
    case BODY:
        return body(k, c);
    }
    return FAILED;
}

/* Goes on with c as far as it goes. A connection that the server closed, or that failed, is begun
 * anew. */
static void advance(struct client *k, struct connection *c)
{
    enum step step = GO_ON;

    while (step == GO_ON) {
        if (k->running && k->mode == FETCH && c->state == IDLE && (double)k->requests >= k->limit)
            return;
        step = one_step(k, c);
    }
    if (step == WAIT)
        return;
    if (step == CLOSED && c->used)
        k->closed++;
    else
        k->failures++;
    if (k->failures > FAILURES_MAX)
        return;
    end(c);
    begin(k, c);
}

/* --- orders --- */

static void wait_for_events(struct client *k)
{
    struct epoll_event events[256];
    int i, n = epoll_wait(k->epoll, events, 256, 100);

    if (n < 0 && errno != EINTR)
        die("epoll_wait");
    for (i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;

        if (c->state != IDLE || k->running)
            advance(k, c);
    }
}

static bool over(const struct client *k, double start)
{
    if (k->failures > FAILURES_MAX)
        return true;
    switch (k->mode) {
    case FETCH:
        return (double)k->requests >= k->limit;
    case HOLD:
        return true;
    default:
        return now() - start >= k->limit;
    }
}

static void await_go(void)
{
    char line[16];

    puts("ready");
    fflush(stdout);
    if (fgets(line, sizeof(line), stdin) == NULL)
        exit(0);
}

static void carry_out(struct client *k)
{
    double start;
    int i;

    k->idle = 0;
    k->running = false;
    k->requests = k->bytes = k->failures = k->closed = 0;
    for (i = 0; i < k->n && k->mode != NEW; i++)
        begin(k, &k->connections[i]);
    while (k->mode != NEW && k->idle < k->n && k->failures <= FAILURES_MAX)
        wait_for_events(k);
    await_go();
    start = now();
    k->running = true;
    for (i = 0; i < k->n && k->mode != HOLD; i++) {
        if (k->mode == NEW)
            begin(k, &k->connections[i]);
        else
            advance(k, &k->connections[i]);
    }
    while (!over(k, start))
        wait_for_events(k);
    printf("%lld %.0f %lld %lld %lld\n", k->requests, (now() - start) * 1e6, k->bytes, k->failures,
           k->closed);
    fflush(stdout);
    if (k->mode == HOLD) /* until the next order comes */
        ungetc(getc(stdin), stdin);
    for (i = 0; i < k->n; i++)
        end(&k->connections[i]);
}

/* Parses an order; false: it is none. */
static bool take_order(struct client *k, const char *line)
{
    static const char *const names[] = {"kept", "new", "fetch", "idle"};
    char mode[8], path[256];
    size_t i;

    if (sscanf(line, "%7s %d %lf %255s", mode, &k->n, &k->limit, path) != 4)
        return false;
    if (k->n < 1 || k->n > CONNECTIONS_MAX)
        return false;
    k->request_len =
        snprintf(k->request, sizeof(k->request),
                 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n", path,
                 k->authority);
    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(mode, names[i]) == 0) {
            k->mode = (enum mode)i;
            return true;
        }
    }
    return false;
}

static void set_up(struct client *k, const char *address, const char *port, const char *authority)
{
    k->to.sin_family = AF_INET;
    k->to.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    if (inet_pton(AF_INET, address, &k->to.sin_addr) != 1)
        die(address);
    k->authority = authority;
    snprintf(k->name, sizeof(k->name), "%.*s", (int)strcspn(authority, ":"), authority);
    k->tls_context = SSL_CTX_new(TLS_client_method());
    k->epoll = epoll_create1(EPOLL_CLOEXEC);
    k->connections = calloc(CONNECTIONS_MAX, sizeof(*k->connections));
    if (k->tls_context == NULL || k->epoll < 0 || k->connections == NULL)
        die("set-up");
    SSL_CTX_set_session_cache_mode(k->tls_context, SSL_SESS_CACHE_OFF);
}

int main(int argc, char **argv)
{
    static struct client client = {.tls = true};
    char line[400];
    int option;

    while ((option = getopt(argc, argv, "xp")) != -1) {
        if (option == 'x')
            client.proxy = true;
        else if (option == 'p')
            client.tls = false;
        else
            return 2;
    }
    if (argc - optind != 3) {
        fprintf(stderr, "usage: client [-x] [-p] ADDRESS PORT AUTHORITY\n");
        return 2;
    }
    set_up(&client, argv[optind], argv[optind + 1], argv[optind + 2]);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (!take_order(&client, line)) {
            fprintf(stderr, "client: not an order: %s", line);
            return 2;
        }
        carry_out(&client);
    }
    return 0;
}
