/* test_raw.c: tunnels that are not read: the dial comes first, then the ClientHello, then the
 * relay. */
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

#include "src/address.h"
#include "src/relay.h"
#include "src/util.h"

#define POLICY                                                                                     \
    "n.test:22 n.test:443 *.w.test:443 other.test:443 198.51.100.9:22 [2001:db8::9]:22 "           \
    "https://url.test/ https://n.test:8443/ http://n.test:8080/ n.test:8080 n.test:8443 "          \
    "https://198.51.100.10:443/"
#define OK "HTTP/1.1 200 Connection established\r\n\r\n"
#define UNRECOGNIZED_NAME "\x15\x03\x03\x00\x02\x02\x70"
#define DECODE_ERROR "\x15\x03\x03\x00\x02\x02\x32"

static struct fixture f;

static int set_up(void **state)
{
    (void)state;
    fixture_start(&f, POLICY, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static int ask(const char *target)
{
    char request[512];
    int c = fixture_client(&f);

    (void)snprintf(request, sizeof(request), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target,
                   target);
    fixture_send(&f, c, request);
    return c;
}

static void finish(int a, int b)
{
    (void)close(a);
    (void)close(b);
    fixture_turn(&f);
    assert_int_equal(relays_count(f.proxy->relays), 0);
}

/* A ClientHello, as OpenSSL makes it. */
static char hello[8192];
static size_t hello_len;

static void make_hello(const char *sni)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *out = BIO_new(BIO_s_mem());
    char *data;

    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    if (sni)
        SSL_set_tlsext_host_name(ssl, sni);
    (void)SSL_connect(ssl);
    hello_len = (size_t)BIO_get_mem_data(out, &data);
    memcpy(hello, data, hello_len);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void send_hello(int fd, size_t piece)
{
    for (size_t i = 0; i < hello_len; i += piece) {
        size_t n = hello_len - i < piece ? hello_len - i : piece;
        assert_int_equal(send(fd, hello + i, n, MSG_NOSIGNAL), n);
        fixture_turn(&f);
    }
}

static void expect_hello(int fd)
{
    char got[sizeof(hello)];

    fixture_turn(&f);
    assert_int_equal(recv(fd, got, sizeof(got), 0), hello_len);
    assert_memory_equal(got, hello, hello_len);
}

static void expect_nothing(int fd)
{
    char byte;

    fixture_turn(&f);
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

static void expect_relayed(int c, int server)
{
    assert_int_equal(relays_count(f.proxy->relays), 1);
    fixture_send(&f, c, "up");
    fixture_expect(&f, server, "up");
    fixture_send(&f, server, "down");
    fixture_expect(&f, c, "down");
}

/* The server speaks first, to a client that has said nothing yet. */
static void test_server_first(void **state)
{
    (void)state;
    int c = ask("N.test:22");
    uint64_t id = fixture_dial_raw(&f, "n.test", 22, 0);
    expect_nothing(c); /* no 200 without a connection */
    int server = fixture_accept(&f, id);
    fixture_expect(&f, c, OK);
    for (int i = 0; i < 3; i++) {
        fixture_send(&f, server, "SSH-2.0-server\r\n");
        fixture_expect(&f, c, "SSH-2.0-server\r\n");
    }
    assert_int_equal(relays_count(f.proxy->relays), 0);
    fixture_send(&f, c, "SSH-2.0-client\r\n");
    fixture_expect(&f, server, "SSH-2.0-client\r\n");
    expect_relayed(c, server);
    assert_int_equal(shutdown(c, SHUT_WR), 0);
    assert_true(fixture_ended(&f, server));
    fixture_send(&f, server, "last words");
    fixture_expect(&f, c, "last words");
    finish(server, c);
}

static void test_connect_failures(void **state)
{
    static const struct {
        int err;
        const char *status, *reason;
        enum msg_decision decision;
    } cases[] = {{ECONNREFUSED, "HTTP/1.1 502 ", "Connection refused", MSG_ALLOW},
                 {ETIMEDOUT, "HTTP/1.1 504 ", "Connection timed out", MSG_ALLOW},
                 {EHOSTUNREACH, "HTTP/1.1 502 ", "cannot resolve", MSG_ALLOW},
                 {EACCES, "HTTP/1.1 403 ", "withheld", MSG_DENY}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int c = ask("n.test:22");
        fixture_refuse(&f, fixture_dial_raw(&f, "n.test", 22, 0), cases[i].err, cases[i].reason);
        const struct msg_log_request *l = fixture_log(&f);
        assert_int_equal(l->decision, cases[i].decision);
        assert_string_equal(l->method, "CONNECT");
        assert_string_equal(l->url, "n.test:22");
        assert_string_equal(l->reason, cases[i].reason);
        const char *got = fixture_read(&f, c);
        assert_memory_equal(got, cases[i].status, strlen(cases[i].status));
        assert_non_null(strstr(got, cases[i].reason));
        (void)close(c);
        fixture_turn(&f);
    }
    int c = ask("n.test:22"); /* the client does not wait */
    uint64_t id = fixture_dial_raw(&f, "n.test", 22, 0);
    (void)close(c);
    fixture_turn(&f);
    int server = fixture_accept(&f, id);
    assert_true(fixture_ended(&f, server));
    (void)close(server);
    assert_int_equal(f.proxy->raw_count, 0);
}

static void test_tls(void **state)
{
    (void)state;
    make_hello("N.TEST");
    for (size_t piece = 1; piece <= 1024; piece += 1023) {
        int c = ask("n.test:443");
        int server = fixture_accept(&f, fixture_dial_raw(&f, "n.test", 443, 0));
        fixture_expect(&f, c, OK);
        send_hello(c, piece);
        expect_hello(server);
        expect_relayed(c, server);
        finish(c, server);
    }
}

static void expect_refusal(int c, int server, const char *address, const char *sni,
                           const char *reason, const char *alert)
{
    const struct msg_log_tunnel *l = fixture_log_tunnel(&f);
    char shown[64];

    address_format(l->family, l->address, l->port, shown);
    assert_string_equal(shown, address);
    assert_string_equal(l->name, sni);
    if (!strstr(l->reason, reason))
        fail_msg("%s instead of %s", l->reason, reason);
    assert_memory_equal(fixture_read(&f, c), alert, 7);
    assert_true(fixture_ended(&f, c));
    if (server >= 0) {
        assert_true(fixture_ended(&f, server)); /* and not a byte before */
        (void)close(server);
    }
    (void)close(c);
    fixture_turn(&f);
    assert_int_equal(f.proxy->raw_count, 0);
}

static void test_tls_refused(void **state)
{
    static const struct {
        const char *target, *host, *sni, *reason;
        unsigned port;
    } cases[] = {
        {"n.test:443", "n.test", "evil.test", "differs from CONNECT n.test", 443},
        {"n.test:443", "n.test", "other.test", "differs from CONNECT n.test", 443},
        {"n.test:443", "n.test", "url.test", "differs from CONNECT n.test", 443},
        {"x.w.test:443", "x.w.test", "y.w.test", "differs from CONNECT x.w.test", 443},
        {"n.test:22", "n.test", "evil.test", "differs", 22},
        {"n.test:22", "n.test", NULL, "TLS without SNI", 22},
        {"n.test:443", "n.test", NULL, "TLS without SNI", 443},
        {"203.0.113.1:443", "203.0.113.1", "evil.test", "no NAME:PORT endpoint", 443},
        {"203.0.113.1:443", "203.0.113.1", "url.test", "no NAME:PORT endpoint", 443},
        {"203.0.113.1:443", "203.0.113.1", NULL, "TLS without SNI", 443},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char address[64];
        int c = ask(cases[i].target);
        int server = fixture_accept(&f, fixture_dial_raw(&f, cases[i].host, cases[i].port, 0));
        fixture_expect(&f, c, OK);
        make_hello(cases[i].sni);
        send_hello(c, 4096);
        (void)snprintf(address, sizeof(address), "%s:%u",
                       cases[i].host[0] == '2' ? cases[i].host : "0.0.0.0", cases[i].port);
        expect_refusal(c, server, address, cases[i].sni ? cases[i].sni : "", cases[i].reason,
                       UNRECOGNIZED_NAME);
    }
}

static void test_bad_hello(void **state)
{
    static const char *const bytes[] = {"\x16\x03\x01\x01", "\x15\x03\x01\x01", "\x16\x02\x01\x01"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
        int c = ask("n.test:443");
        int server = fixture_accept(&f, fixture_dial_raw(&f, "n.test", 443, 0));
        fixture_expect(&f, c, OK);
        fixture_send(&f, c, bytes[i]);
        if (i == 0) {
            expect_nothing(server);
            assert_int_equal(shutdown(c, SHUT_WR), 0);
            expect_refusal(c, server, "0.0.0.0:443", "", "cut off", DECODE_ERROR);
        } else {
            fixture_send(&f, c, "\x01\x01");
            expect_refusal(c, server, "0.0.0.0:443", "", "", DECODE_ERROR);
        }
    }
    int c = ask("n.test:443"); /* too slow */
    int server = fixture_accept(&f, fixture_dial_raw(&f, "n.test", 443, 0));
    fixture_expect(&f, c, OK);
    fixture_time_out(&f); /* a client that has said nothing may go on saying nothing, */
    fixture_send(&f, c, "\x16");
    fixture_time_out(&f); /* but not for ever begin */
    const struct msg_log_tunnel *l = fixture_log_tunnel(&f);
    assert_non_null(strstr(l->reason, "did not come in time"));
    (void)close(c);
    (void)close(server);
    fixture_turn(&f);
}

/* Ends and errors of either side, before the client has said what it is. */
static void test_ends(void **state)
{
    (void)state;
    int c = ask("n.test:22"); /* the client says nothing, and will not */
    int server = fixture_accept(&f, fixture_dial_raw(&f, "n.test", 22, 0));
    fixture_expect(&f, c, OK);
    assert_int_equal(shutdown(c, SHUT_WR), 0);
    assert_true(fixture_ended(&f, server));
    fixture_send(&f, server, "an answer to nothing");
    fixture_expect(&f, c, "an answer to nothing");
    finish(server, c);

    c = ask("n.test:22"); /* the server ends */
    server = fixture_accept(&f, fixture_dial_raw(&f, "n.test", 22, 0));
    fixture_send(&f, server, "bye");
    assert_int_equal(shutdown(server, SHUT_WR), 0);
    fixture_expect(&f, c, OK "bye");
    assert_true(fixture_ended(&f, c));
    fixture_send(&f, c, "so long");
    fixture_expect(&f, server, "so long");
    finish(c, server);
}

/* The address's own endpoint lets everything through, TLS for any name too. */
static void test_address(void **state)
{
    static const char *const targets[] = {"198.51.100.9:22", "[2001:db8::9]:22"};
    static const char *const hosts[] = {"198.51.100.9", "2001:db8::9"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        int c = ask(targets[i]);
        int server = fixture_accept(&f, fixture_dial_raw(&f, hosts[i], 22, 0));
        fixture_expect(&f, c, OK);
        expect_relayed(c, server);
        make_hello("evil.test");
        send_hello(c, 4096);
        expect_hello(server);
        finish(c, server);
    }
}

/* What the dialer is not even asked about. */
static void test_denied(void **state)
{
    static const char *const targets[] = {"evil.test:22", "w.test:443", "n.test:23",
                                          "198.51.100.9:23", "203.0.113.1:25"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        int c = ask(targets[i]);
        const struct msg_log_request *l = fixture_log(&f);
        assert_int_equal(l->decision, MSG_DENY);
        assert_string_equal(l->url, targets[i]);
        assert_memory_equal(fixture_read(&f, c), "HTTP/1.1 403 ", 13);
        (void)close(c);
        fixture_turn(&f);
    }
    int c = ask("198.51.100.10:443"); /* a URL's host, and not known as an address of a name */
    fixture_expect(&f, c, OK);
    assert_true(fixture_silent(&f));
    (void)close(c);
}

/* Clients that were intercepted at a port that no URL endpoint has. */
static void test_intercepted(void **state)
{
    (void)state;
    int c = fixture_intercepted(&f, "203.0.113.1", 22);
    uint64_t id = fixture_dial_raw(&f, "203.0.113.1", 22, FIXTURE_CLIENT_PORT);
    int server = fixture_accept(&f, id);
    fixture_send(&f, server, "SSH-2.0-server\r\n");
    fixture_expect(&f, c, "SSH-2.0-server\r\n");
    fixture_send(&f, c, "SSH-2.0-client\r\n");
    fixture_expect(&f, server, "SSH-2.0-client\r\n");
    expect_relayed(c, server);
    finish(c, server);

    c = fixture_intercepted(&f, "203.0.113.1", 22);
    id = fixture_dial_raw(&f, "203.0.113.1", 22, FIXTURE_CLIENT_PORT);
    server = fixture_accept(&f, id);
    make_hello("evil.test");
    send_hello(c, 4096);
    expect_refusal(c, server, "203.0.113.1:22", "evil.test", "no NAME:PORT", UNRECOGNIZED_NAME);

    c = fixture_intercepted(&f, "2001:db8::1", 22); /* it was never told that address */
    id = fixture_dial_raw(&f, "2001:db8::1", 22, FIXTURE_CLIENT_PORT);
    fixture_refuse(&f, id, EACCES, "not resolved to it");
    const struct msg_log_tunnel *l = fixture_log_tunnel(&f);
    assert_int_equal(l->family, AF_INET6);
    assert_string_equal(l->reason, "not resolved to it");
    assert_true(fixture_ended(&f, c));
    (void)close(c);
    fixture_turn(&f);
}

/* Both kinds of endpoints have the port: the client's first bytes decide. */
static void test_shared_port(void **state)
{
    (void)state;
    int c = fixture_intercepted(&f, "203.0.113.1", 443);
    assert_true(fixture_silent(&f));
    make_hello("x.w.test");
    send_hello(c, 1);
    uint64_t id = fixture_dial_raw(&f, "203.0.113.1", 443, FIXTURE_CLIENT_PORT);
    int server = fixture_accept(&f, id);
    expect_hello(server);
    expect_relayed(c, server);
    finish(c, server);

    c = fixture_intercepted(&f, "203.0.113.1", 443); /* a URL's: TLS is ended here */
    make_hello("url.test");
    send_hello(c, 100);
    assert_true(fixture_decline_early(&f)); /* of the URL, not of the tunnel */
    assert_true(fixture_silent(&f));
    assert_int_equal(fixture_read(&f, c)[0], 0x16);
    (void)close(c);
    fixture_turn(&f);

    c = fixture_intercepted(&f, "203.0.113.1", 443); /* nobody's */
    make_hello("evil.test");
    send_hello(c, 100);
    const struct msg_log_request *l = fixture_log(&f);
    assert_int_equal(l->decision, MSG_DENY);
    assert_string_equal(l->url, "evil.test:443");
    (void)close(c);
    fixture_turn(&f);

    c = fixture_intercepted(&f, "203.0.113.1", 443); /* neither TLS, nor HTTP at this port */
    fixture_send(&f, c, "SSH-2.0-client\r\n");
    id = fixture_dial_raw(&f, "203.0.113.1", 443, FIXTURE_CLIENT_PORT);
    server = fixture_accept(&f, id);
    fixture_expect(&f, server, "SSH-2.0-client\r\n");
    expect_relayed(c, server);
    finish(c, server);

    c = fixture_intercepted(&f, "203.0.113.1", 8443); /* both kinds have the name: the wider one */
    make_hello("n.test");
    send_hello(c, 4096);
    id = fixture_dial_raw(&f, "203.0.113.1", 8443, FIXTURE_CLIENT_PORT);
    server = fixture_accept(&f, id);
    expect_hello(server);
    finish(c, server);

    c = fixture_intercepted(&f, "203.0.113.1", 8080); /* plain HTTP goes by its Host */
    fixture_send(&f, c, "GET /x HTTP/1.1\r\nHost: n.test:8080\r\n\r\n");
    id = fixture_dial(&f, URL_HTTP, "n.test", 8080);
    fixture_refuse(&f, id, ECONNREFUSED, "refused");
    assert_string_equal(fixture_log(&f)->reason, "refused");
    (void)close(c);
    fixture_turn(&f);
}

/* Clients whose http_proxy is set send plain http to the proxy, whatever the port. */
static void test_plain_request(void **state)
{
    (void)state;
    int c = fixture_client(&f);
    fixture_send(&f, c, "GET http://n.test:22/x HTTP/1.1\r\nHost: n.test:22\r\n\r\n");
    fixture_refuse(&f, fixture_dial(&f, URL_HTTP, "n.test", 22), ECONNREFUSED, "refused");
    const struct msg_log_request *l = fixture_log(&f);
    assert_int_equal(l->endpoint, 0);
    fixture_read(&f, c);
    fixture_send(&f, c, "GET http://198.51.100.9:22/x HTTP/1.1\r\nHost: 198.51.100.9:22\r\n\r\n");
    fixture_refuse(&f, fixture_dial(&f, URL_HTTP, "198.51.100.9", 22), ECONNREFUSED, "refused");
    assert_int_equal(fixture_log(&f)->endpoint, 4);
    fixture_read(&f, c);
    fixture_send(&f, c, "GET http://n.test:23/x HTTP/1.1\r\nHost: n.test:23\r\n\r\n");
    assert_int_equal(fixture_log(&f)->decision, MSG_DENY);
    (void)close(c);
    fixture_turn(&f);
}

/* Without https endpoints there is no CA, and none is needed. */
static void test_without_ca(void **state)
{
    struct fixture saved = f;

    (void)state;
    fixture_start(&f, "n.test:443", NULL);
    assert_null(f.proxy->ca);
    int c = ask("n.test:443");
    int server = fixture_accept(&f, fixture_dial_raw(&f, "n.test", 443, 0));
    fixture_expect(&f, c, OK);
    make_hello("n.test");
    send_hello(c, 4096);
    expect_hello(server);
    finish(c, server);
    fixture_stop(&f);
    f = saved;
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_server_first), TEST(test_connect_failures), TEST(test_tls),
        TEST(test_tls_refused),  TEST(test_bad_hello),        TEST(test_ends),
        TEST(test_address),      TEST(test_denied),           TEST(test_intercepted),
        TEST(test_shared_port),  TEST(test_plain_request),    cmocka_unit_test(test_without_ca),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
