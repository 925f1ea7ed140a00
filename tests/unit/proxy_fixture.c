/* proxy_fixture.c: cijail-httpproxy in the test's own process; see proxy_fixture.h. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/err.h>

#include "tests/unit/proxy_fixture.h"

#include "httpproxy/log.h"
#include "httpproxy/session.h"
#include "src/msg_batch.h"
#include "src/util.h"

#define TURNS 20

static _Alignas(uint64_t) char message[MSG_MAX];

static void pair(int type, int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

void fixture_start(struct fixture *f, const char *text, const char *roots)
{
    struct policy policy;
    struct error e;
    int fds[2];

    f->batch.used = 0;
    f->batch_at = 0;
    pair(SOCK_SEQPACKET, fds);
    policy_init(&policy);
    assert_int_equal(policy_parse(&policy, "test", text, strlen(text), &e), 0);
    bool https = policy_has_scheme(&policy, URL_HTTPS);
    f->channel = fds[0];
    f->proxy = proxy_new(&policy, roots ? xstrdup(roots) : NULL, roots ? strlen(roots) : 0, fds[1],
                         100, &e);
    assert_non_null(f->proxy);
    assert_int_equal(proxy_send_ca(f->proxy, &e), 0);
    if (https) {
        assert_true(recv(f->channel, message, sizeof(message), 0) > 0);
        assert_int_equal(((struct msg_head *)(void *)message)->type, MSG_CA);
    }
    assert_true(fixture_silent(f));
}

void fixture_stop(struct fixture *f)
{
    assert_true(fixture_silent(f));
    proxy_free(f->proxy, NULL);
    (void)close(f->channel);
}

void fixture_turn(struct fixture *f)
{
    for (int i = 0; i < TURNS; i++)
        (void)event_base_loop(f->proxy->base, EVLOOP_NONBLOCK);
    log_flush(f->proxy);
}

int fixture_client(struct fixture *f)
{
    int fds[2];

    pair(SOCK_STREAM, fds);
    session_new(f->proxy, fds[1]);
    fixture_turn(f);
    return fds[0];
}

int fixture_intercepted(struct fixture *f, const char *address, unsigned port)
{
    struct url_authority dialled = {.port = (uint16_t)port};
    int fds[2];

    dialled.kind = strchr(address, ':') ? URL_HOST_IPV6 : URL_HOST_IPV4;
    copy_string(dialled.host, sizeof(dialled.host), address);
    pair(SOCK_STREAM, fds);
    session_new_transparent(f->proxy, fds[1], &dialled, FIXTURE_CLIENT_PORT);
    fixture_turn(f);
    return fds[0];
}

SSL *fixture_handshake(struct fixture *f, SSL_CTX *ctx, int fd, const char *sni, const char *verify,
                       int *result)
{
    SSL *ssl = SSL_new(ctx);

    assert_non_null(ssl);
    SSL_set_fd(ssl, fd);
    if (sni)
        SSL_set_tlsext_host_name(ssl, sni);
    if (verify && (verify[0] < '0' || verify[0] > '9'))
        SSL_set1_host(ssl, verify);
    else if (verify)
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), verify);
    for (int i = 0; i < 50; i++) {
        ERR_clear_error();
        *result = SSL_connect(ssl);
        if (*result == 1 || SSL_get_error(ssl, *result) != SSL_ERROR_WANT_READ)
            break;
        fixture_turn(f);
    }
    (void)fixture_decline_early(f); /* test_opening.c */
    return ssl;
}

const char *fixture_talk(struct fixture *f, SSL *ssl, const char *request)
{
    static char got[65536];
    size_t have = 0;

    if (request)
        assert_true(SSL_write(ssl, request, (int)strlen(request)) > 0);
    for (int i = 0; i < 5; i++) {
        fixture_turn(f);
        int n = SSL_read(ssl, got + have, (int)(sizeof(got) - 1 - have));
        have += n > 0 ? (size_t)n : 0;
    }
    got[have] = '\0';
    return got;
}

void fixture_leave(struct fixture *f, SSL *ssl, int fd)
{
    SSL_free(ssl);
    (void)close(fd);
    fixture_turn(f);
}

void fixture_send(struct fixture *f, int fd, const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        assert_true(n > 0 || errno == EAGAIN);
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
        fixture_turn(f);
    }
}

void fixture_expect(struct fixture *f, int fd, const char *text)
{
    char got[65536];
    size_t want = strlen(text);
    size_t have = 0;

    assert_true(want < sizeof(got));
    for (int i = 0; i < 50 && have < want; i++) {
        fixture_turn(f);
        ssize_t n = recv(fd, got + have, want - have, 0);
        if (n > 0)
            have += (size_t)n;
    }
    got[have] = '\0';
    assert_string_equal(got, text);
}

const char *fixture_read(struct fixture *f, int fd)
{
    static char got[1 << 20];
    size_t have = 0;

    for (int quiet = 0; quiet < 3;) {
        fixture_turn(f);
        ssize_t n = recv(fd, got + have, sizeof(got) - 1 - have, 0);
        if (n > 0)
            have += (size_t)n;
        else
            quiet++;
    }
    got[have] = '\0';
    return got;
}

bool fixture_ended(struct fixture *f, int fd)
{
    char byte;

    fixture_turn(f);
    ssize_t n = recv(fd, &byte, 1, 0);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static const struct msg_head *next_message(struct fixture *f)
{
    fixture_turn(f);
    ssize_t n = recv(f->channel, message, sizeof(message), 0);
    assert_true(n > 0);
    assert_int_equal(msg_check(message, (size_t)n), 0);
    return (const struct msg_head *)(const void *)message;
}

uint64_t fixture_dial(struct fixture *f, enum url_scheme scheme, const char *host, unsigned port)
{
    const struct msg_head *m = next_message(f);
    const struct msg_dial *d = (const struct msg_dial *)(const void *)m;

    assert_int_equal(m->type, MSG_DIAL);
    assert_string_equal(d->host, host);
    assert_int_equal(d->port, port);
    assert_int_equal(d->scheme, scheme);
    return d->id;
}

uint64_t fixture_dial_raw(struct fixture *f, const char *host, unsigned port, unsigned client_port)
{
    const struct msg_head *m = next_message(f);
    const struct msg_dial *d = (const struct msg_dial *)(const void *)m;

    assert_int_equal(m->type, MSG_DIAL);
    assert_string_equal(d->host, host);
    assert_int_equal(d->port, port);
    assert_int_equal(d->scheme, MSG_DIAL_RAW);
    assert_int_equal(d->client_port, client_port);
    return d->id;
}

static void answer(struct fixture *f, uint64_t id, int err, const char *text, int fd)
{
    struct msg_dialed m;
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = &m, .iov_len = sizeof(m)};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

    memset(&m, 0, sizeof(m));
    msg_init(&m, MSG_DIALED, sizeof(m));
    m.id = id;
    m.error = err;
    copy_string(m.text, sizeof(m.text), text);
    if (fd >= 0) {
        memset(&control, 0, sizeof(control));
        h.msg_control = control.buf;
        h.msg_controllen = sizeof(control.buf);
        struct cmsghdr *cm = CMSG_FIRSTHDR(&h);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
    }
    assert_int_equal(sendmsg(f->channel, &h, 0), sizeof(m));
    fixture_turn(f);
}

int fixture_accept(struct fixture *f, uint64_t id)
{
    int fds[2];

    pair(SOCK_STREAM, fds);
    answer(f, id, 0, "", fds[1]);
    (void)close(fds[1]);
    return fds[0];
}

void fixture_refuse(struct fixture *f, uint64_t id, int err, const char *text)
{
    answer(f, id, err, text, -1);
}

const struct msg_log_request *fixture_log(struct fixture *f)
{
    static struct msg_log_request gathered;

    if (msg_batch_next(&f->batch, &f->batch_at, &gathered))
        return &gathered;
    const struct msg_head *m = next_message(f);
    if (m->type == MSG_LOG_BATCH) {
        memcpy(&f->batch, m, m->length);
        f->batch_at = 0;
        assert_true(msg_batch_next(&f->batch, &f->batch_at, &gathered));
        return &gathered;
    }
    assert_int_equal(m->type, MSG_LOG_REQUEST);
    return (const struct msg_log_request *)(const void *)m;
}

const struct msg_log_tunnel *fixture_log_tunnel(struct fixture *f)
{
    const struct msg_head *m = next_message(f);

    assert_int_equal(m->type, MSG_LOG_TUNNEL);
    return (const struct msg_log_tunnel *)(const void *)m;
}

SSL_CTX *fixture_client_tls(struct fixture *f)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    assert_non_null(ctx);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca_certificate(f->proxy->ca));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

bool fixture_decline_early(struct fixture *f)
{
    const struct msg_dial *d = (const struct msg_dial *)(const void *)message;

    fixture_turn(f);
    ssize_t n = recv(f->channel, message, sizeof(message), MSG_PEEK);
    if (n < (ssize_t)sizeof(*d) || d->head.type != MSG_DIAL || d->scheme != URL_HTTPS)
        return false;
    const struct msg_head *m = next_message(f);
    assert_int_equal(m->type, MSG_DIAL);
    fixture_refuse(f, d->id, ECONNREFUSED, "the early one");
    return true;
}

bool fixture_silent(struct fixture *f)
{
    char byte;

    fixture_turn(f);
    if (f->batch_at < f->batch.used)
        return false;
    return recv(f->channel, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

void fixture_time_out(struct fixture *f)
{
    for (struct session *s = TAILQ_FIRST(&f->proxy->sessions); s; s = TAILQ_NEXT(s, all))
        s->deadline = 0;
    event_active(&f->proxy->tick, EV_TIMEOUT, 1);
    fixture_turn(f);
}

int fixture_request(struct fixture *f, const char *request, const char *sent, int *server)
{
    int c = fixture_client(f);

    fixture_send(f, c, request);
    *server = fixture_accept(f, fixture_dial(f, URL_HTTP, "a.test", 80));
    fixture_expect(f, *server, sent);
    return c;
}
