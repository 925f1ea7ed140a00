/* test_transparent.c: clients that were intercepted: whom they are taken to, by SNI and by Host. */
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
#include "src/util.h"

#define POLICY                                                                                     \
    "https://b.test/ok/\nhttps://*.w.test/\nhttp://plain.test/ok/\nhttps://192.0.2.1:8443/\n"      \
    "http://h.test:8080/\nhttps://[2001:db8::1]/\n"
#define ECH 0xfe0d
#define DIALLED "203.0.113.9"

static struct fixture f;
static SSL_CTX *client_ctx;

static int set_up(void **state)
{
    (void)state;
    fixture_start(&f, POLICY, NULL);
    client_ctx = fixture_client_tls(&f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    SSL_CTX_free(client_ctx);
    fixture_stop(&f);
    return 0;
}

/* A client that dialled that address and sends that SNI; the result of its handshake. */
static SSL *enter(int *c, const char *address, unsigned port, const char *sni, const char *verify,
                  int *result)
{
    *c = fixture_intercepted(&f, address, port);
    return fixture_handshake(&f, client_ctx, *c, sni, verify, result);
}

static void expect_denial(const char *url, const char *reason)
{
    const struct msg_log_request *l = fixture_log(&f);

    assert_int_equal(l->decision, MSG_DENY);
    assert_string_equal(l->method, "CONNECT");
    assert_string_equal(l->url, url);
    if (!strstr(l->reason, reason))
        fail_msg("%s instead of %s", l->reason, reason);
    assert_true(fixture_silent(&f)); /* nothing is dialled */
}

/* TLS goes to the host of the SNI, whatever was dialled, and to no other address. */
static void test_sni(void **state)
{
    static const struct {
        const char *address, *sni, *host;
        unsigned port;
    } cases[] = {
        {DIALLED, "b.test", "b.test", 443},
        {DIALLED, "B.Test", "b.test", 443},
        {"2001:db8::99", "x.w.test", "x.w.test", 443},
        {"192.0.2.1", "b.test", "b.test", 443},
        {"192.0.2.1", NULL, "192.0.2.1", 8443}, /* the host of that endpoint is the address */
        {"2001:db8::1", NULL, "2001:db8::1", 443},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char request[256];
        int c;
        int result;
        SSL *ssl = enter(&c, cases[i].address, cases[i].port, cases[i].sni, cases[i].host, &result);
        assert_int_equal(result, 1);
        assert_true(fixture_silent(&f));
        (void)snprintf(request, sizeof(request), "GET /ok/x HTTP/1.1\r\nHost: %s%s%s%s\r\n\r\n",
                       strchr(cases[i].host, ':') ? "[" : "", cases[i].host,
                       strchr(cases[i].host, ':') ? "]" : "", cases[i].port == 8443 ? ":8443" : "");
        assert_true(SSL_write(ssl, request, (int)strlen(request)) > 0);
        uint64_t id = fixture_dial(&f, URL_HTTPS, cases[i].host, cases[i].port);
        fixture_refuse(&f, id, ECONNREFUSED, "refused");
        assert_string_equal(fixture_log(&f)->reason, "refused");
        fixture_leave(&f, ssl, c);
    }
}

static void expect_refused(const char *address, unsigned port, const char *sni, const char *url,
                           const char *reason)
{
    int c;
    int result;
    SSL *ssl = enter(&c, address, port, sni, NULL, &result);

    assert_int_not_equal(result, 1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_UNRECOGNIZED_NAME);
    expect_denial(url, reason);
    fixture_leave(&f, ssl, c);
}

static void test_refused(void **state)
{
    (void)state;
    expect_refused(DIALLED, 443, "evil.test", "evil.test:443", "no https endpoint has this host");
    expect_refused(DIALLED, 443, "w.test", "w.test:443", "no https endpoint has this host");
    expect_refused(DIALLED, 443, "plain.test", "plain.test:443", "no https endpoint");
    expect_refused(DIALLED, 8443, "b.test", "b.test:8443", "no https endpoint");
    expect_refused(DIALLED, 443, NULL, DIALLED ":443", "without SNI");
    expect_refused("192.0.2.2", 8443, NULL, "192.0.2.2:8443", "without SNI");
    expect_refused("192.0.2.1", 443, NULL, "192.0.2.1:443", "without SNI");
    expect_refused("2001:db8::2", 443, NULL, "[2001:db8::2]:443", "without SNI");
    expect_refused(DIALLED, 443, "a b", DIALLED ":443", "SNI a b is no host name");
    expect_refused(DIALLED, 443, "b.test:443", DIALLED ":443", "is no host name");
}

static int add_ech(SSL *s, unsigned type, unsigned context, const unsigned char **out, size_t *len,
                   X509 *x, size_t index, int *alert, void *arg)
{
    static const unsigned char outer[] = {0, 0, 1, 0, 1, 7, 0, 0, 0, 0};

    (void)s, (void)type, (void)context, (void)x, (void)index, (void)alert, (void)arg;
    *out = outer;
    *len = sizeof(outer);
    return 1;
}

/* The SNI that can be read is judged, and if it is not allowed the reason says what hides. */
static void test_ech(void **state)
{
    int c;
    int result;

    (void)state;
    assert_int_equal(SSL_CTX_add_custom_ext(client_ctx, ECH, SSL_EXT_CLIENT_HELLO, add_ech, NULL,
                                            NULL, NULL, NULL),
                     1);
    expect_refused(DIALLED, 443, "front.test", "front.test:443", "ECH hides the name");
    expect_refused(DIALLED, 443, NULL, DIALLED ":443", "ECH hides the name");
    SSL *ssl = enter(&c, DIALLED, 443, "b.test", "b.test", &result);
    assert_int_equal(result, 1);
    fixture_leave(&f, ssl, c);
}

/* The Host of what is inside, an absolute target, and CONNECT. */
static void test_host_unlike_sni(void **state)
{
    static const char *const bad[] = {
        "GET /ok/x HTTP/1.1\r\nHost: x.w.test\r\n\r\n",
        "GET https://x.w.test/ HTTP/1.1\r\nHost: x.w.test\r\n\r\n",
        "GET http://b.test/ok/ HTTP/1.1\r\nHost: b.test\r\n\r\n",
        "CONNECT b.test:443 HTTP/1.1\r\nHost: b.test\r\n\r\n",
    };
    int c;
    int result;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        SSL *ssl = enter(&c, DIALLED, 443, "b.test", "b.test", &result);
        assert_int_equal(result, 1);
        assert_non_null(strstr(fixture_talk(&f, ssl, bad[i]), "HTTP/1.1 400 "));
        assert_int_equal(fixture_log(&f)->decision, MSG_DENY);
        assert_true(fixture_silent(&f));
        fixture_leave(&f, ssl, c);
    }
    SSL *ssl = enter(&c, DIALLED, 443, "b.test", "b.test", &result);
    assert_non_null(
        strstr(fixture_talk(&f, ssl, "GET /evil HTTP/1.1\r\nHost: b.test\r\n\r\n"), " 403 "));
    assert_string_equal(fixture_log(&f)->url, "https://b.test/evil");
    fixture_leave(&f, ssl, c);
}

/* Bytes that begin as TLS and are none. */
static void test_malformed(void **state)
{
    static const unsigned char garbage[] = {0x16, 0x03, 0x01, 0x00, 0x08, 0x01, 0x00,
                                            0x00, 0x04, 0x03, 0x03, 0x00, 0x00};

    (void)state;
    int c = fixture_intercepted(&f, DIALLED, 443);
    assert_int_equal(send(c, garbage, sizeof(garbage), MSG_NOSIGNAL), sizeof(garbage));
    expect_denial(DIALLED ":443", "TLS with the client failed");
    (void)close(c);
}

static void expect_plain(unsigned port, const char *request, const char *host)
{
    int c = fixture_intercepted(&f, DIALLED, port);

    fixture_send(&f, c, request);
    fixture_refuse(&f, fixture_dial(&f, URL_HTTP, host, port), ECONNREFUSED, "refused");
    assert_string_equal(fixture_log(&f)->reason, "refused");
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 502 "));
    (void)close(c);
}

static void test_plain(void **state)
{
    (void)state;
    expect_plain(80, "GET /ok/x HTTP/1.1\r\nHost: plain.test\r\n\r\n", "plain.test");
    expect_plain(80, "GET /ok/x HTTP/1.1\r\nHost: PLAIN.test:80\r\n\r\n", "plain.test");
    expect_plain(80, "GET http://plain.test/ok/ HTTP/1.1\r\nHost: plain.test\r\n\r\n",
                 "plain.test");
    expect_plain(8080, "GET / HTTP/1.1\r\nHost: h.test:8080\r\n\r\n", "h.test");
    expect_plain(80, "GET /ok/ HTTP/1.0\r\nHost: plain.test\r\n\r\n", "plain.test");
}

static void expect_bad(unsigned port, const char *request, const char *reason)
{
    int c = fixture_intercepted(&f, DIALLED, port);
    const struct msg_log_request *l;

    fixture_send(&f, c, request);
    l = fixture_log(&f);
    assert_int_equal(l->decision, MSG_DENY);
    if (!strstr(l->reason, reason))
        fail_msg("%s instead of %s", l->reason, reason);
    assert_true(fixture_silent(&f));
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 400 "));
    assert_true(fixture_ended(&f, c));
    (void)close(c);
}

static void test_plain_refused(void **state)
{
    (void)state;
    expect_bad(80, "GET / HTTP/1.1\r\nHost: h.test:8080\r\n\r\n", "port 8080");
    expect_bad(8080, "GET / HTTP/1.1\r\nHost: h.test\r\n\r\n", "port 80,");
    expect_bad(8080, "GET http://plain.test/ok/ HTTP/1.1\r\nHost: plain.test\r\n\r\n", "port 80,");
    expect_bad(80, "GET /ok/ HTTP/1.0\r\n\r\n", "no Host field");
    expect_bad(80, "GET /ok/ HTTP/1.1\r\nHost: \r\n\r\n", "Host");
    expect_bad(80, "GET http://plain.test/ok/ HTTP/1.1\r\nHost: b.test\r\n\r\n", "Host is not");
    expect_bad(80, "GET https://b.test/ok/ HTTP/1.1\r\nHost: b.test\r\n\r\n", "https URL");
    expect_bad(80, "CONNECT b.test:443 HTTP/1.1\r\nHost: b.test\r\n\r\n", "not to the proxy");
    /* a port that only https endpoints have */
    expect_bad(443, "SSH-2.0-client\r\n", "no http endpoint has this port");
    expect_bad(443, "GET /ok/ HTTP/1.1\r\nHost: b.test\r\n\r\n", "no http endpoint has this port");
}

/* Each request of a connection is judged by its own Host. */
static void test_plain_judged(void **state)
{
    (void)state;
    int c = fixture_intercepted(&f, DIALLED, 80);
    fixture_send(&f, c, "GET /evil HTTP/1.1\r\nHost: plain.test\r\n\r\n");
    assert_string_equal(fixture_log(&f)->url, "http://plain.test/evil");
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 403 "));
    fixture_send(&f, c, "GET /ok/ HTTP/1.1\r\nHost: evil.test\r\n\r\n");
    assert_string_equal(fixture_log(&f)->url, "http://evil.test/ok/");
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 403 "));
    assert_true(fixture_silent(&f));
    fixture_send(&f, c, "GET /ok/ HTTP/1.1\r\nHost: plain.test\r\n\r\n");
    fixture_refuse(&f, fixture_dial(&f, URL_HTTP, "plain.test", 80), ECONNREFUSED, "refused");
    assert_string_equal(fixture_log(&f)->url, "http://plain.test/ok/");
    (void)close(c);
}

/* Who only comes and goes is no denial; who waits for the server to speak is. */
static void test_silent(void **state)
{
    (void)state;
    int c = fixture_intercepted(&f, DIALLED, 443);
    (void)close(c);
    assert_true(fixture_silent(&f));
    c = fixture_intercepted(&f, DIALLED, 443);
    fixture_time_out(&f);
    expect_denial(DIALLED ":443", "said nothing");
    assert_true(fixture_ended(&f, c));
    (void)close(c);
}

/* Without any https endpoint there is no CA; TLS gets an alert all the same. */
static void test_without_ca(void **state)
{
    struct fixture plain;

    (void)state;
    fixture_start(&plain, "http://plain.test/\n", NULL);
    int c = fixture_intercepted(&plain, DIALLED, 80);
    fixture_send(&plain, c, "\x16\x03\x01\x01\x01");
    const struct msg_log_request *l = fixture_log(&plain);
    assert_int_equal(l->decision, MSG_DENY);
    assert_non_null(strstr(l->reason, "no https endpoint"));
    assert_memory_equal(fixture_read(&plain, c), "\x15\x03\x03\x00\x02\x02\x70", 7);
    assert_true(fixture_ended(&plain, c));
    (void)close(c);
    fixture_stop(&plain);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sni),          TEST(test_refused),
        TEST(test_ech),          TEST(test_host_unlike_sni),
        TEST(test_malformed),    TEST(test_plain),
        TEST(test_silent),       TEST(test_plain_refused),
        TEST(test_plain_judged), cmocka_unit_test(test_without_ca),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
