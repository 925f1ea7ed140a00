/* test_opening.c: connections that are begun before there is a request for them, or that several
 * requests wait for. (HTTP/2 servers: tests/e2e/36-retries.sh.) */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/unit/proxy_fixture.h"

#include "httpproxy/ca.h"
#include "httpproxy/limits.h"
#include "httpproxy/mitm.h"
#include "httpproxy/opening.h"
#include "httpproxy/upstream.h"
#include "src/util.h"

#define POLICY "https://b.test/ok/\nhttps://*.w.test/\nhttp://plain.test/\n"
#define GET_B "GET /ok/x HTTP/1.1\r\nHost: b.test\r\n\r\n"
#define ANSWER "HTTP/1.1 204 No Content\r\n\r\n"
#define TURNS 30

static struct fixture f;
static struct ca *world; /* signs the origin servers' certificates */
static struct mitm *origins;
static SSL_CTX *client_ctx;

static int tear_down(void **state)
{
    (void)state;
    mitm_free(origins);
    ca_free(world);
    fixture_stop(&f);
    SSL_CTX_free(client_ctx);
    return 0;
}

static int set_up(void **state)
{
    struct error e;
    size_t len;

    (void)state;
    world = ca_new(&e);
    origins = world ? mitm_new(world, &e) : NULL;
    assert_non_null(origins);
    fixture_start(&f, POLICY, ca_pem(world, &len));
    client_ctx = fixture_client_tls(&f);
    return 0;
}

struct peer {
    SSL *ssl;
    int fd;
    struct url_authority authority; /* of an origin */
    struct mitm_hello hello;
};

static void leave(struct peer *p)
{
    SSL_free(p->ssl);
    (void)close(p->fd);
    fixture_turn(&f);
}

/* A client in a tunnel to host, at the beginning of its handshake: its ClientHello is out, its
 * Finished is not. */
static void knock(struct peer *p, const char *host)
{
    char request[256];

    p->fd = fixture_client(&f);
    (void)snprintf(request, sizeof(request), "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n",
                   host, host);
    fixture_send(&f, p->fd, request);
    fixture_expect(&f, p->fd, "HTTP/1.1 200 Connection established\r\n\r\n");
    p->ssl = SSL_new(client_ctx);
    SSL_set_fd(p->ssl, p->fd);
    SSL_set_tlsext_host_name(p->ssl, host);
    ERR_clear_error();
    assert_int_equal(SSL_get_error(p->ssl, SSL_connect(p->ssl)), SSL_ERROR_WANT_READ);
    fixture_turn(&f);
}

static void enter(struct peer *p)
{
    for (int i = 0; i < TURNS && !SSL_is_init_finished(p->ssl); i++) {
        ERR_clear_error();
        (void)SSL_connect(p->ssl);
        fixture_turn(&f);
    }
    assert_true(SSL_is_init_finished(p->ssl));
}

/* The origin server host, which speaks HTTP/1.1, at the connection that was dialled with id. */
static void answer(struct peer *p, uint64_t id, const char *host)
{
    struct error e;

    *p = (struct peer){.authority = {.kind = URL_HOST_NAME, .port = 443}};
    copy_string(p->authority.host, sizeof(p->authority.host), host);
    p->hello.authority = &p->authority;
    p->fd = fixture_accept(&f, id);
    p->ssl = mitm_accept(origins, &p->hello, &e);
    assert_non_null(p->ssl);
    SSL_CTX_set_alpn_select_cb(SSL_get_SSL_CTX(p->ssl), NULL, NULL);
    SSL_set_fd(p->ssl, p->fd);
}

static void shake(struct peer *p)
{
    for (int i = 0; i < TURNS && !SSL_is_init_finished(p->ssl); i++) {
        ERR_clear_error();
        (void)SSL_do_handshake(p->ssl);
        fixture_turn(&f);
    }
    assert_true(SSL_is_init_finished(p->ssl));
}

static void say(struct peer *p, const char *text)
{
    assert_true(SSL_write(p->ssl, text, (int)strlen(text)) > 0);
    fixture_turn(&f);
}

static const char *hear(struct peer *p)
{
    static char got[65536];
    size_t have = 0;

    for (int i = 0; i < 5; i++) {
        fixture_turn(&f);
        int n = SSL_read(p->ssl, got + have, (int)(sizeof(got) - 1 - have));
        have += n > 0 ? (size_t)n : 0;
    }
    got[have] = '\0';
    return got;
}

static void expect_answered(struct peer *client, struct peer *origin)
{
    assert_string_equal(hear(origin), GET_B);
    say(origin, ANSWER);
    assert_string_equal(hear(client), ANSWER);
    assert_int_equal(fixture_log(&f)->status, 204);
}

/* A client that has asked for GET_B while the connection that was begun for it is on its way; its
 * dial. */
static uint64_t ask(struct peer *client)
{
    knock(client, "b.test");
    uint64_t id = fixture_dial(&f, URL_HTTPS, "b.test", 443);
    enter(client);
    say(client, GET_B);
    return id;
}

/* It is begun while the client is at its handshake, and the first request takes it. */
static void test_taken(void **state)
{
    struct peer client, origin;

    (void)state;
    knock(&client, "b.test");
    uint64_t id = fixture_dial(&f, URL_HTTPS, "b.test", 443);
    assert_int_equal(openings_count(f.proxy->openings), 1);
    enter(&client);
    answer(&origin, id, "b.test");
    shake(&origin);
    assert_int_equal(openings_count(f.proxy->openings), 0);
    assert_int_equal(upstreams_idle(f.proxy->upstreams), 1);
    assert_string_equal(hear(&origin), ""); /* nothing that was not judged */
    say(&client, GET_B);
    assert_true(fixture_silent(&f));
    expect_answered(&client, &origin);
    leave(&origin);
    leave(&client);
}

/* A request that comes while it is on its way waits for it: for the dialer, or for TLS. */
static void test_waited_for(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct peer client, origin;
        knock(&client, "b.test");
        uint64_t id = fixture_dial(&f, URL_HTTPS, "b.test", 443);
        enter(&client);
        if (late)
            answer(&origin, id, "b.test");
        say(&client, GET_B);
        assert_true(fixture_silent(&f));
        if (!late)
            answer(&origin, id, "b.test");
        shake(&origin);
        expect_answered(&client, &origin);
        leave(&origin);
        leave(&client);
    }
}

/* For a host that the policy does not have, a handshake that is refused, or plain HTTP: none. */
static void test_not_begun(void **state)
{
    struct peer client;

    (void)state;
    knock(&client, "b.test");
    assert_true(fixture_decline_early(&f));
    leave(&client);
    client.fd = fixture_client(&f);
    fixture_send(&f, client.fd, "CONNECT plain.test:80 HTTP/1.1\r\nHost: plain.test\r\n\r\n");
    fixture_expect(&f, client.fd, "HTTP/1.1 200 Connection established\r\n\r\n");
    assert_true(fixture_silent(&f));
    (void)close(client.fd);
    client.fd = fixture_client(&f); /* half a ClientHello */
    fixture_send(&f, client.fd, "CONNECT b.test:443 HTTP/1.1\r\nHost: b.test\r\n\r\n");
    fixture_expect(&f, client.fd, "HTTP/1.1 200 Connection established\r\n\r\n");
    fixture_send(&f, client.fd, "\x16\x03\x01\x01\x01");
    assert_true(fixture_silent(&f));
    (void)close(client.fd);
    fixture_turn(&f);
    assert_int_equal(openings_count(f.proxy->openings), 0);
}

/* Where a connection is kept there is no need. */
static void test_kept(void **state)
{
    struct peer first, second, origin;

    (void)state;
    knock(&first, "b.test");
    uint64_t id = fixture_dial(&f, URL_HTTPS, "b.test", 443);
    enter(&first);
    answer(&origin, id, "b.test");
    shake(&origin);
    knock(&second, "b.test");
    assert_true(fixture_silent(&f));
    enter(&second);
    say(&second, GET_B);
    expect_answered(&second, &origin);
    leave(&origin);
    leave(&first);
    leave(&second);
}

/* It fails with nobody waiting: the request that comes dials, and has an error of its own; with
 * one waiting: that has this one's. */
static void test_errors(void **state)
{
    struct peer client, origin;

    (void)state;
    knock(&client, "b.test");
    assert_true(fixture_decline_early(&f));
    enter(&client);
    say(&client, GET_B);
    fixture_refuse(&f, fixture_dial(&f, URL_HTTPS, "b.test", 443), EHOSTUNREACH, "no such host");
    const char *got = hear(&client);
    assert_non_null(strstr(got, "HTTP/1.1 502 "));
    assert_non_null(strstr(got, "no such host"));
    assert_string_equal(fixture_log(&f)->reason, "no such host");
    leave(&client);

    uint64_t id = ask(&client);
    fixture_refuse(&f, id, ETIMEDOUT, "not in time");
    got = hear(&client);
    assert_non_null(strstr(got, "HTTP/1.1 504 "));
    assert_non_null(strstr(got, "not in time"));
    assert_string_equal(fixture_log(&f)->reason, "not in time");
    leave(&client);

    id = ask(&client);
    answer(&origin, id, "b.test");
    (void)shutdown(origin.fd, SHUT_RDWR);
    got = hear(&client);
    assert_non_null(strstr(got, "HTTP/1.1 502 "));
    assert_non_null(strstr(got, "TLS with b.test failed"));
    assert_non_null(strstr(fixture_log(&f)->reason, "TLS with b.test failed"));
    leave(&origin);
    leave(&client);
}

/* The client leaves while its request waits, and before; what was begun is kept for the next. */
static void test_left(void **state)
{
    (void)state;
    for (int waits = 0; waits < 2; waits++) {
        struct peer client, next, origin;
        knock(&client, "b.test");
        uint64_t id = fixture_dial(&f, URL_HTTPS, "b.test", 443);
        enter(&client);
        if (waits)
            say(&client, GET_B);
        leave(&client); /* tickets were not read: a reset */
        if (waits)
            assert_non_null(strstr(fixture_log(&f)->reason, "the client went away"));
        answer(&origin, id, "b.test");
        shake(&origin);
        knock(&next, "b.test");
        assert_true(fixture_silent(&f));
        enter(&next);
        say(&next, GET_B);
        expect_answered(&next, &origin);
        leave(&origin);
        leave(&next);
    }
}

/* As long as it is not known that the server speaks HTTP/1.1, one; then one for each client, up to
 * a bound, also over all servers. */
static void test_bounds(void **state)
{
    static struct peer clients[LIMIT_OPENINGS + 8];
    static uint64_t ids[LIMIT_OPENINGS + 8];
    struct peer origin;
    size_t n = 0, begun = 0;

    (void)state;
    knock(&clients[n++], "b.test");
    ids[begun++] = fixture_dial(&f, URL_HTTPS, "b.test", 443);
    knock(&clients[n++], "b.test");
    assert_true(fixture_silent(&f));
    answer(&origin, ids[0], "b.test"); /* known from here on */
    shake(&origin);
    leave(&origin); /* while it is kept */
    begun = 0;
    while (n < LIMIT_EARLY_PER_AUTHORITY + 4) {
        knock(&clients[n++], "b.test");
        if (begun < LIMIT_EARLY_PER_AUTHORITY)
            ids[begun++] = fixture_dial(&f, URL_HTTPS, "b.test", 443);
        assert_true(fixture_silent(&f));
    }
    while (n < ARRAY_LEN(clients)) {
        char host[32];
        (void)snprintf(host, sizeof(host), "n%zu.w.test", n);
        knock(&clients[n++], host);
        if (begun < LIMIT_OPENINGS / 2)
            ids[begun++] = fixture_dial(&f, URL_HTTPS, host, 443);
        assert_true(fixture_silent(&f));
    }
    assert_int_equal(openings_count(f.proxy->openings), LIMIT_OPENINGS / 2);
    for (size_t i = 0; i < begun; i++)
        fixture_refuse(&f, ids[i], ECONNREFUSED, "no");
    assert_int_equal(openings_count(f.proxy->openings), 0);
    for (size_t i = 0; i < n; i++)
        leave(&clients[i]);
}

/* The proxy ends, or the time is over. */
static void test_ends(void **state)
{
    struct peer client, origin;

    (void)state;
    knock(&client, "b.test");
    uint64_t id = fixture_dial(&f, URL_HTTPS, "b.test", 443);
    openings_expire(f.proxy->openings, now_ms() + LIMIT_DIAL_MS + 1);
    assert_int_equal(openings_count(f.proxy->openings), 0);
    assert_int_equal(upstreams_orphans(f.proxy->upstreams), 1);
    fixture_refuse(&f, id, ECONNREFUSED, "late"); /* nobody's */
    assert_int_equal(upstreams_orphans(f.proxy->upstreams), 0);
    leave(&client);

    id = ask(&client);
    answer(&origin, id, "b.test");
    openings_expire(f.proxy->openings, now_ms() + LIMIT_SERVER_TLS_MS + 1);
    assert_non_null(strstr(hear(&client), "HTTP/1.1 504 "));
    assert_string_equal(fixture_log(&f)->reason, "the TLS handshake with b.test took too long");
    leave(&origin);
    leave(&client);

    struct peer other;
    knock(&client, "b.test");
    (void)fixture_dial(&f, URL_HTTPS, "b.test", 443);
    knock(&other, "n.w.test");
    answer(&origin, fixture_dial(&f, URL_HTTPS, "n.w.test", 443), "n.w.test");
    leave(&client);
    leave(&other);
    assert_int_equal(openings_count(f.proxy->openings), 2); /* tear_down ends them */
    SSL_free(origin.ssl);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_taken),  TEST(test_waited_for), TEST(test_not_begun), TEST(test_kept),
        TEST(test_errors), TEST(test_left),       TEST(test_bounds),    TEST(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
