/* test_tunnel.c: CONNECT, TLS on both sides, and that everybody agrees on the host. */
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
#include "httpproxy/mitm.h"
#include "src/util.h"

#define POLICY                                                                                     \
    "https://b.test/ok/\nhttps://*.w.test/\nhttp://plain.test/\nhttps://192.0.2.1:8443/\n"
#define CONNECT_B "CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n"
#define ESTABLISHED "HTTP/1.1 200 Connection established\r\n\r\n"
#define GET_B "GET /ok/x HTTP/1.1\r\nHost: b.test\r\n\r\n"

static struct fixture f;
static struct ca *world; /* signs the origin servers' certificates */
static SSL_CTX *client_ctx;

static int set_up(void **state)
{
    size_t len;
    struct error e;

    (void)state;
    world = ca_new(&e);
    assert_non_null(world);
    fixture_start(&f, POLICY, ca_pem(world, &len));
    client_ctx = fixture_client_tls(&f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    SSL_CTX_free(client_ctx);
    fixture_stop(&f);
    ca_free(world);
    return 0;
}

/* A client inside of a tunnel, its handshake done or failed. */
static SSL *enter(int *c, const char *target, const char *sni, const char *verify_host, int *result)
{
    char request[512];

    *c = fixture_client(&f);
    (void)snprintf(request, sizeof(request), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target,
                   target);
    fixture_send(&f, *c, request);
    fixture_expect(&f, *c, ESTABLISHED);
    return fixture_handshake(&f, client_ctx, *c, sni, verify_host, result);
}

/* An origin server that proves to be name, on the connection that the proxy just asked for. */
static SSL *serve(struct mitm *m, struct mitm_hello *hello, int server)
{
    struct error e;
    SSL *ssl = mitm_accept(m, hello, &e);

    SSL_CTX_set_alpn_select_cb(SSL_get_SSL_CTX(ssl), NULL, NULL); /* HTTP/1.1 */

    assert_non_null(ssl);
    SSL_set_fd(ssl, server);
    for (int i = 0; i < 50; i++) {
        ERR_clear_error();
        int r = SSL_do_handshake(ssl);
        if (r == 1 || SSL_get_error(ssl, r) != SSL_ERROR_WANT_READ)
            break;
        fixture_turn(&f);
    }
    return ssl;
}

static void expect_denied_connect(const char *target)
{
    char request[256];
    int c = fixture_client(&f);

    (void)snprintf(request, sizeof(request), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target,
                   target);
    fixture_send(&f, c, request);
    const struct msg_log_request *l = fixture_log(&f);
    assert_int_equal(l->decision, MSG_DENY);
    assert_string_equal(l->method, "CONNECT");
    assert_string_equal(l->url, target);
    assert_true(fixture_silent(&f));
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 403 "));
    assert_true(fixture_ended(&f, c));
    (void)close(c);
}

static void test_connect(void **state)
{
    static const char *const allowed[] = {"b.test:443", "x.w.test:443", "plain.test:80",
                                          "192.0.2.1:8443"};

    (void)state;
    expect_denied_connect("c.test:443");
    expect_denied_connect("b.test:444");
    expect_denied_connect("b.test:80");
    expect_denied_connect("w.test:443");
    expect_denied_connect("plain.test:443");
    expect_denied_connect("192.0.2.1:443");
    expect_denied_connect("192.0.2.2:8443");
    expect_denied_connect("[2001:db8::1]:443");
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        char request[256];
        int c = fixture_client(&f);
        (void)snprintf(request, sizeof(request), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n",
                       allowed[i], allowed[i]);
        fixture_send(&f, c, request);
        fixture_expect(&f, c, ESTABLISHED);
        assert_true(fixture_silent(&f)); /* nothing is dialled yet */
        (void)close(c);
    }
}

static void test_bad_connects(void **state)
{
    static const char *const bad[] = {
        "CONNECT b.test HTTP/1.1\r\nHost: b.test\r\n\r\n",
        "CONNECT b.test:443 HTTP/1.1\r\nHost: c.test:443\r\n\r\n",
        "CONNECT http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n",
        "CONNECT b.test:443 HTTP/1.1\r\nHost: b.test\r\nContent-Length: 5\r\n\r\nhello",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int c = fixture_client(&f);
        fixture_send(&f, c, bad[i]);
        assert_int_equal(fixture_log(&f)->decision, MSG_DENY);
        assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 400 "));
        assert_true(fixture_ended(&f, c));
        (void)close(c);
    }
}

static void test_request(void **state)
{
    struct error e;
    struct url_authority b = {.kind = URL_HOST_NAME, .port = 443, .host = "b.test"};
    struct mitm_hello hello = {.authority = &b};
    struct mitm *m = mitm_new(world, &e);
    int c;
    int result;

    (void)state;
    SSL *ssl = enter(&c, "b.test:443", "b.test", "b.test", &result);
    assert_int_equal(result, 1);
    assert_true(fixture_silent(&f));
    assert_true(SSL_write(ssl, GET_B, sizeof(GET_B) - 1) > 0);
    int server = fixture_accept(&f, fixture_dial(&f, URL_HTTPS, "b.test", 443));
    SSL *origin = serve(m, &hello, server);
    assert_true(SSL_is_init_finished(origin));
    assert_string_equal(fixture_talk(&f, origin, NULL), GET_B);
    assert_string_equal(
        fixture_talk(&f, origin, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), "");
    assert_string_equal(fixture_talk(&f, ssl, NULL),
                        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_string_equal(fixture_log(&f)->url, "https://b.test/ok/x");
    /* the next one over the same connection; one outside of the prefix over none */
    assert_string_equal(fixture_talk(&f, ssl, GET_B), "");
    assert_string_equal(fixture_talk(&f, origin, "HTTP/1.1 204 No Content\r\n\r\n"), GET_B);
    assert_string_equal(fixture_talk(&f, ssl, NULL), "HTTP/1.1 204 No Content\r\n\r\n");
    assert_int_equal(fixture_log(&f)->status, 204);
    assert_non_null(
        strstr(fixture_talk(&f, ssl, "GET /evil HTTP/1.1\r\nHost: b.test\r\n\r\n"), " 403 "));
    assert_int_equal(fixture_log(&f)->decision, MSG_DENY);
    assert_string_equal(fixture_talk(&f, origin, NULL), "");
    SSL_free(origin);
    (void)close(server);
    fixture_leave(&f, ssl, c);
    mitm_free(m);
}

/* The server does not prove to be who it should be: 502, and not one byte of the request was sent
 * to it. */
static void test_unverified(void **state)
{
    struct error e;
    struct ca *evil = ca_new(&e);
    struct url_authority b = {.kind = URL_HOST_NAME, .port = 443, .host = "b.test"};
    struct url_authority other = {.kind = URL_HOST_NAME, .port = 443, .host = "other.test"};

    (void)state;
    for (int wrong = 0; wrong < 2; wrong++) {
        struct mitm *m = mitm_new(wrong ? evil : world, &e);
        struct mitm_hello hello = {.authority = wrong ? &b : &other};
        int c;
        int result;
        SSL *ssl = enter(&c, "b.test:443", "b.test", "b.test", &result);
        assert_int_equal(result, 1);
        assert_true(SSL_write(ssl, GET_B, sizeof(GET_B) - 1) > 0);
        int server = fixture_accept(&f, fixture_dial(&f, URL_HTTPS, "b.test", 443));
        if (!wrong)
            hello.authority = &b; /* the SNI is right, the certificate is not */
        SSL *origin = mitm_accept(m, &hello, &e);
        if (!wrong)
            SSL_use_certificate(origin, ca_leaf(world, &other, &e));
        SSL_set_fd(origin, server);
        for (int i = 0; i < 20; i++) {
            ERR_clear_error();
            (void)SSL_do_handshake(origin);
            fixture_turn(&f);
        }
        assert_string_equal(fixture_talk(&f, origin, NULL), "");
        const char *got = fixture_talk(&f, ssl, NULL);
        assert_non_null(strstr(got, "HTTP/1.1 502 "));
        assert_non_null(strstr(got, wrong ? "unable to get local issuer" : "hostname mismatch"));
        const struct msg_log_request *l = fixture_log(&f);
        assert_int_equal(l->status, 0);
        assert_non_null(strstr(l->reason, "TLS with b.test failed"));
        SSL_free(origin);
        (void)close(server);
        fixture_leave(&f, ssl, c);
        mitm_free(m);
    }
    ca_free(evil);
}

static void expect_sni(const char *target, const char *sni, bool good)
{
    int c;
    int result;
    SSL *ssl = enter(&c, target, sni, NULL, &result);

    if (good) {
        assert_int_equal(result, 1);
    } else {
        assert_int_not_equal(result, 1);
        assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_UNRECOGNIZED_NAME);
        const struct msg_log_request *l = fixture_log(&f);
        assert_int_equal(l->decision, MSG_DENY);
        assert_string_equal(l->url, target);
        assert_non_null(strstr(l->reason, "differs from CONNECT"));
    }
    fixture_leave(&f, ssl, c);
}

static void test_sni(void **state)
{
    (void)state;
    expect_sni("b.test:443", "b.test", true);
    expect_sni("b.test:443", "B.Test", true);
    expect_sni("b.test:443", NULL, true);
    expect_sni("192.0.2.1:8443", NULL, true);
    expect_sni("b.test:443", "x.w.test", false);
    expect_sni("b.test:443", "evil.test", false);
    expect_sni("x.w.test:443", "y.w.test", false);
    expect_sni("192.0.2.1:8443", "b.test", false);
}

/* Each host gets a certificate of its own, and no other. */
static void test_certificates(void **state)
{
    static const struct {
        const char *target, *host;
        bool good;
    } cases[] = {
        {"x.w.test:443", "x.w.test", true},
        {"x.w.test:443", "y.w.test", false},
        {"192.0.2.1:8443", "192.0.2.1", true},
        {"192.0.2.1:8443", "192.0.2.2", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int c;
        int result;
        SSL *ssl = enter(&c, cases[i].target, NULL, cases[i].host, &result);
        assert_int_equal(result == 1, cases[i].good);
        fixture_leave(&f, ssl, c);
        if (!cases[i].good) /* the client's alert is worth a line */
            assert_non_null(strstr(fixture_log(&f)->reason, "TLS with the client failed"));
    }
}

/* Inside of a tunnel, the Host field and an absolute target name its host, too. */
static void test_other_host_inside(void **state)
{
    static const char *const bad[] = {
        "GET /ok/x HTTP/1.1\r\nHost: x.w.test\r\n\r\n",
        "GET https://x.w.test/ok/x HTTP/1.1\r\nHost: x.w.test\r\n\r\n",
        "GET http://b.test/ok/x HTTP/1.1\r\nHost: b.test\r\n\r\n",
        CONNECT_B,
    };
    int c;
    int result;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        SSL *ssl = enter(&c, "b.test:443", "b.test", "b.test", &result);
        assert_non_null(strstr(fixture_talk(&f, ssl, bad[i]), "HTTP/1.1 400 "));
        assert_int_equal(fixture_log(&f)->decision, MSG_DENY);
        assert_true(fixture_silent(&f));
        fixture_leave(&f, ssl, c);
    }
    SSL *ssl = enter(&c, "b.test:443", "b.test", "b.test", &result);
    assert_string_equal(
        fixture_talk(&f, ssl, "GET https://b.test/ok/x HTTP/1.1\r\nHost: b.test\r\n\r\n"), "");
    fixture_refuse(&f, fixture_dial(&f, URL_HTTPS, "b.test", 443), ECONNREFUSED, "refused");
    assert_string_equal(fixture_log(&f)->reason, "refused");
    fixture_leave(&f, ssl, c);
}

/* Without a tunnel: the proxy is asked for the https URL itself. */
static void test_no_tunnel(void **state)
{
    (void)state;
    int c = fixture_client(&f);
    fixture_send(&f, c,
                 "GET https://b.test/evil HTTP/1.1\r\nHost: b.test\r\n\r\n"
                 "GET https://b.test/ok/x HTTP/1.1\r\nHost: b.test\r\n\r\n");
    assert_string_equal(fixture_log(&f)->url, "https://b.test/evil");
    fixture_refuse(&f, fixture_dial(&f, URL_HTTPS, "b.test", 443), ECONNREFUSED, "refused");
    assert_string_equal(fixture_log(&f)->url, "https://b.test/ok/x");
    fixture_send(&f, c, "GET https://b.test/ok/x HTTP/1.1\r\nHost: x.w.test\r\n\r\n");
    assert_int_equal(fixture_log(&f)->decision, MSG_DENY);
    assert_true(fixture_silent(&f));
    (void)close(c);
}

static void test_plain_inside(void **state)
{
    (void)state;
    int c = fixture_client(&f);
    fixture_send(&f, c, "CONNECT plain.test:80 HTTP/1.1\r\nHost: plain.test:80\r\n\r\n");
    fixture_expect(&f, c, ESTABLISHED);
    fixture_send(&f, c, "GET /x HTTP/1.1\r\nHost: plain.test\r\n\r\n");
    fixture_refuse(&f, fixture_dial(&f, URL_HTTP, "plain.test", 80), ECONNREFUSED, "refused");
    assert_string_equal(fixture_log(&f)->url, "http://plain.test/x");
    (void)close(c);
    c = fixture_client(&f); /* but not where only https is allowed */
    fixture_send(&f, c, CONNECT_B);
    fixture_expect(&f, c, ESTABLISHED);
    fixture_send(&f, c, GET_B);
    assert_int_equal(fixture_log(&f)->decision, MSG_DENY);
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 400 "));
    (void)close(c);
    c = fixture_client(&f); /* nor TLS where only http is */
    fixture_send(&f, c, "CONNECT plain.test:80 HTTP/1.1\r\nHost: plain.test:80\r\n\r\n");
    fixture_expect(&f, c, ESTABLISHED);
    fixture_send(&f, c, "\x16\x03\x01\x01\x01");
    assert_int_equal(fixture_log(&f)->decision, MSG_DENY);
    assert_true(fixture_ended(&f, c));
    (void)close(c);
}

/* A client may send its ClientHello without waiting for the 200. */
static void test_bytes_behind_connect(void **state)
{
    (void)state;
    int c = fixture_client(&f);
    fixture_send(&f, c,
                 "CONNECT plain.test:80 HTTP/1.1\r\nHost: plain.test:80\r\n\r\n"
                 "GET /x HTTP/1.1\r\nHost: plain.test\r\n\r\n");
    fixture_expect(&f, c, ESTABLISHED);
    fixture_refuse(&f, fixture_dial(&f, URL_HTTP, "plain.test", 80), ECONNREFUSED, "refused");
    assert_string_equal(fixture_log(&f)->url, "http://plain.test/x");
    (void)close(c);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_connect),
        TEST(test_bad_connects),
        TEST(test_request),
        TEST(test_unverified),
        TEST(test_sni),
        TEST(test_certificates),
        TEST(test_other_host_inside),
        TEST(test_no_tunnel),
        TEST(test_plain_inside),
        TEST(test_bytes_behind_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
