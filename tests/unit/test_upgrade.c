/* test_upgrade.c: requests that switch protocols, and the tunnel behind the 101. */
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

#include "tests/unit/proxy_fixture.h"

#include "httpproxy/limits.h"
#include "src/util.h"

#define POLICY "http://a.test/ok/\n"
#define URL "http://a.test/ok/x"
#define ASK(fields) "GET " URL " HTTP/1.1\r\nHost: a.test\r\n" fields "\r\n"
#define ASK_WS ASK("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n")
#define SENT(fields) "GET /ok/x HTTP/1.1\r\nHost: a.test\r\n" fields "\r\n"
#define SENT_WS SENT("Sec-WebSocket-Key: k\r\nConnection: upgrade\r\nUpgrade: websocket\r\n")
#define SWITCH(fields) "HTTP/1.1 101 Switching Protocols\r\n" fields "\r\n"
#define SWITCH_WS SWITCH("Connection: upgrade\r\nUpgrade: websocket\r\n")
#define MEGABYTE (1 << 20)

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

static void expect_log(int status, uint64_t sent, uint64_t received, const char *reason)
{
    const struct msg_log_request *l = fixture_log(&f);

    assert_int_equal(l->decision, MSG_ALLOW);
    assert_int_equal(l->status, status);
    assert_string_equal(l->method, "GET");
    assert_string_equal(l->url, URL);
    assert_int_equal(l->bytes_sent, sent);
    assert_int_equal(l->bytes_received, received);
    if (reason)
        assert_non_null(strstr(l->reason, reason));
    else
        assert_string_equal(l->reason, "");
}

/* The same, switched. */
static int tunnel(int *server)
{
    int c = fixture_request(&f, ASK_WS, SENT_WS, server);

    fixture_send(&f, *server, SWITCH_WS);
    fixture_expect(&f, c, SWITCH_WS);
    return c;
}

static void close_both(int c, int server)
{
    (void)close(c);
    (void)close(server);
    fixture_turn(&f);
}

static void test_tunnel(void **state)
{
    int server;

    (void)state;
    int c = fixture_request(&f, ASK_WS, SENT_WS, &server);
    fixture_send(&f, server,
                 "HTTP/1.1 101 Go\r\nUPGRADE: WebSocket\r\nConnection: x, Upgrade\r\nX: 1\r\n"
                 "Sec-WebSocket-Accept: a\r\nKeep-Alive: 5\r\n\r\nfirst bytes");
    fixture_expect(&f, c,
                   "HTTP/1.1 101 Go\r\nSec-WebSocket-Accept: a\r\nConnection: upgrade\r\n"
                   "Upgrade: WebSocket\r\n\r\nfirst bytes");
    fixture_send(&f, c, "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n");
    fixture_expect(&f, server, "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n");
    fixture_send(&f, server, "HTTP/1.1 200 OK\r\n\r\n");
    fixture_expect(&f, c, "HTTP/1.1 200 OK\r\n\r\n");
    assert_true(fixture_silent(&f));
    (void)shutdown(c, SHUT_WR);
    assert_true(fixture_ended(&f, server));
    (void)shutdown(server, SHUT_WR);
    assert_true(fixture_ended(&f, c));
    expect_log(101, 51, 11 + 19, NULL);
    close_both(c, server);
}

/* Each side may end first, and still gets what the other says. */
static void test_half_close(void **state)
{
    int server;

    (void)state;
    int c = tunnel(&server);
    fixture_send(&f, c, "last");
    (void)shutdown(c, SHUT_WR);
    fixture_expect(&f, server, "last");
    assert_true(fixture_ended(&f, server));
    fixture_send(&f, server, "an answer");
    fixture_expect(&f, c, "an answer");
    (void)shutdown(server, SHUT_WR);
    assert_true(fixture_ended(&f, c));
    expect_log(101, 4, 9, NULL);
    close_both(c, server);

    c = tunnel(&server);
    (void)shutdown(server, SHUT_WR);
    assert_true(fixture_ended(&f, c));
    fixture_send(&f, c, "more");
    fixture_expect(&f, server, "more");
    (void)shutdown(c, SHUT_WR);
    assert_true(fixture_ended(&f, server));
    expect_log(101, 4, 0, NULL);
    close_both(c, server);
}

/* Ended before the switch: that is passed on after it. */
static void test_end_before_switch(void **state)
{
    int server;

    (void)state;
    int c = fixture_request(&f, ASK_WS "early", SENT_WS, &server);
    (void)shutdown(c, SHUT_WR);
    fixture_turn(&f);
    fixture_send(&f, server, SWITCH_WS);
    fixture_expect(&f, server, "early");
    assert_true(fixture_ended(&f, server));
    fixture_expect(&f, c, SWITCH_WS);
    (void)close(server);
    fixture_turn(&f);
    expect_log(101, 5, 0, NULL);
    (void)close(c);
}

/* What is sent before the 101 waits, and belongs to whatever the answer makes of it. */
static void test_pipelined(void **state)
{
    static const char next[] = "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n";
    char request[1024];
    int server;

    (void)state;
    (void)snprintf(request, sizeof(request), "%s%s", ASK_WS, next);
    int c = fixture_request(&f, request, SENT_WS, &server);
    assert_string_equal(fixture_read(&f, server), "");
    assert_true(fixture_silent(&f));
    fixture_send(&f, server, SWITCH_WS);
    fixture_expect(&f, server, next);
    assert_string_equal(fixture_read(&f, c), SWITCH_WS);
    close_both(c, server);
    expect_log(101, strlen(next), 0, NULL);

    c = fixture_request(&f, request, SENT_WS, &server);
    fixture_send(&f, server,
                 "HTTP/1.1 426 No\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                 "Content-Length: 2\r\n\r\nno");
    expect_log(426, 0, 2, NULL);
    const struct msg_log_request *l = fixture_log(&f);
    assert_int_equal(l->decision, MSG_DENY);
    assert_string_equal(l->url, "http://evil.test/");
    assert_string_equal(fixture_read(&f, server), "");
    assert_non_null(strstr(fixture_read(&f, c), "\r\n\r\nnoHTTP/1.1 403 "));
    assert_true(fixture_ended(&f, server)); /* nor is that connection used again */
    close_both(c, server);
}

static void test_pieces(void **state)
{
    static const char early[] = "HTTP/1.1 103 Early Hints\r\n\r\n";
    static const char head[] = SWITCH_WS;
    int server;

    (void)state;
    int c = fixture_request(&f, ASK_WS, SENT_WS, &server);
    fixture_send(&f, server, early);
    fixture_expect(&f, c, early);
    for (size_t i = 0; i + 1 < strlen(head); i++) {
        fixture_send(&f, server, (char[]){head[i], '\0'});
        assert_string_equal(fixture_read(&f, c), "");
    }
    fixture_send(&f, server, "\nrest");
    fixture_expect(&f, c, SWITCH_WS "rest");
    close_both(c, server);
    expect_log(101, 0, 4, NULL);
}

/* Offers that are passed on, or are not. */
static void test_offers(void **state)
{
    static const struct {
        const char *request, *sent;
    } rows[] = {
        {ASK("Connection: upgrade\r\nUpgrade: foo/1,, bar\t, h2c\r\nUpgrade: baz\r\n"),
         SENT("Connection: upgrade\r\nUpgrade: foo/1, bar, baz\r\n")},
        /* HTTP by another name */
        {ASK("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"),
         SENT("")},
        {ASK("Connection: upgrade\r\nUpgrade: H2C, HTTP/2.0, TLS/1.2, h2c-14, h2, http\r\n"),
         SENT("")},
        {ASK("Connection: Upgrade\r\nUpgrade: h2c, websocket\r\nHTTP2-Settings: AA\r\n"),
         SENT("Connection: upgrade\r\nUpgrade: websocket\r\n")},
        {ASK("Upgrade: websocket\r\n"), SENT("")},
        {ASK("Connection: upgrade\r\n"), SENT("")},
        {"GET " URL " HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", SENT("")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int server;
        int c = fixture_request(&f, rows[i].request, rows[i].sent, &server);
        bool offered = strstr(rows[i].sent, "Upgrade") != NULL;
        if (!offered) { /* and so no answer may take it */
            fixture_send(&f, server, SWITCH("Connection: upgrade\r\nUpgrade: h2c\r\n"));
            expect_log(0, 0, 0, "without being asked");
            assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 502 "));
        }
        close_both(c, server);
        if (offered)
            expect_log(0, 0, 0, "");
    }
}

/* Answers that take nothing of what was offered. */
static void test_bad_switches(void **state)
{
    static const char *const rows[] = {
        SWITCH("Connection: upgrade\r\nUpgrade: h2c\r\n"),
        SWITCH("Connection: upgrade\r\nUpgrade: websocket, h2c\r\n"),
        SWITCH("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n"),
        SWITCH("Connection: upgrade\r\nUpgrade: websocket/2\r\n"),
        SWITCH("Connection: upgrade\r\nUpgrade: web socket\r\n"),
        SWITCH("Connection: upgrade\r\nUpgrade: ,\r\n"),
        SWITCH("Connection: upgrade\r\n"),
        SWITCH("Upgrade: websocket\r\n"),
        SWITCH(""),
        SWITCH("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n"),
        "HTTP/1.0 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int server;
        int c = fixture_request(&f, ASK_WS "more", SENT_WS, &server);
        fixture_send(&f, server, rows[i]);
        expect_log(0, 0, 0, "");
        assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 502 "));
        assert_string_equal(fixture_read(&f, server), "");
        assert_true(fixture_ended(&f, server));
        close_both(c, server);
    }
}

/* Of several protocols that were offered, the server may choose any. */
static void test_choice(void **state)
{
    int server;

    (void)state;
    int c = fixture_request(&f, ASK("Connection: upgrade\r\nUpgrade: foo/2, foo/1, bar\r\n"),
                            SENT("Connection: upgrade\r\nUpgrade: foo/2, foo/1, bar\r\n"), &server);
    fixture_send(&f, server, SWITCH("Connection: upgrade\r\nUpgrade: bar, foo/1\r\n"));
    fixture_expect(&f, c, SWITCH("Connection: upgrade\r\nUpgrade: bar, foo/1\r\n"));
    close_both(c, server);
    expect_log(101, 0, 0, NULL);
}

#define BODY(framing)                                                                              \
    "POST " URL " HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: x\r\n" framing "\r"  \
    "\n"

static void test_bodies(void **state)
{
    static const char *const refused[] = {
        BODY("Transfer-Encoding: chunked\r\n") "3\r\nabc\r\n0\r\n\r\n",
        BODY("Content-Length: 65537\r\n"),
        ASK("Connection: upgrade\r\nUpgrade: a b\r\n"),
        ASK("Connection: upgrade\r\nUpgrade: a/\r\n"),
        ASK("Connection: upgrade\r\nUpgrade: a/1/2\r\n"),
    };
    int server;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        int c = fixture_client(&f);
        fixture_send(&f, c, refused[i]);
        const struct msg_log_request *l = fixture_log(&f);
        assert_int_equal(l->decision, MSG_DENY);
        assert_non_null(strstr(l->reason, "Upgrade"));
        assert_true(fixture_silent(&f));
        assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 400 "));
        (void)close(c);
        fixture_turn(&f);
    }
    int c =
        fixture_request(&f, BODY("Content-Length: 5\r\n") "hel",
                        "POST /ok/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nConnection: "
                        "upgrade\r\nUpgrade: x\r\n\r\nhel",
                        &server);
    fixture_send(&f, server, SWITCH("Connection: upgrade\r\nUpgrade: x\r\n"));
    const struct msg_log_request *l = fixture_log(&f);
    assert_int_equal(l->status, 0);
    assert_non_null(strstr(l->reason, "before it had the whole request"));
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 502 "));
    close_both(c, server);

    c = fixture_request(&f, BODY("Content-Length: 5\r\n") "hello",
                        "POST /ok/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nConnection: "
                        "upgrade\r\nUpgrade: x\r\n\r\nhello",
                        &server);
    fixture_send(&f, server, SWITCH("Connection: upgrade\r\nUpgrade: x\r\n"));
    fixture_expect(&f, c, SWITCH("Connection: upgrade\r\nUpgrade: x\r\n"));
    fixture_send(&f, c, "more");
    fixture_expect(&f, server, "more");
    close_both(c, server);
    l = fixture_log(&f);
    assert_int_equal(l->status, 101);
    assert_int_equal(l->bytes_sent, 9);
}

static void test_denied(void **state)
{
    (void)state;
    int c = fixture_client(&f);
    fixture_send(&f, c,
                 "GET http://a.test/evil HTTP/1.1\r\nHost: a.test\r\nConnection: "
                 "upgrade\r\nUpgrade: websocket\r\n\r\n");
    const struct msg_log_request *l = fixture_log(&f);
    assert_int_equal(l->decision, MSG_DENY);
    assert_string_equal(l->url, "http://a.test/evil");
    assert_true(fixture_silent(&f));
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 403 "));
    (void)close(c);
    fixture_turn(&f);
}

/* A kept connection is not for this: the switch is the first request of its own. */
static void test_own_connection(void **state)
{
    int kept, server;

    (void)state;
    int c = fixture_request(&f, ASK(""), SENT(""), &kept);
    fixture_send(&f, kept, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    fixture_expect(&f, c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect_log(200, 0, 0, NULL);
    fixture_send(&f, c, ASK_WS);
    server = fixture_accept(&f, fixture_dial(&f, URL_HTTP, "a.test", 80));
    fixture_expect(&f, server, SENT_WS);
    fixture_send(&f, server, SWITCH_WS);
    fixture_expect(&f, c, SWITCH_WS);
    close_both(c, server);
    expect_log(101, 0, 0, NULL);
    (void)close(kept);
}

/* Writes as much of a megabyte to from as it takes; returns how much. */
static size_t flood(int from)
{
    static char bytes[4096];
    size_t sent = 0;

    for (int idle = 0; idle < 3 && sent < MEGABYTE;) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)((sent + i) % 251);
        ssize_t n = send(from, bytes, sizeof(bytes), MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        fixture_turn(&f);
    }
    return sent;
}

/* Reads until want bytes have come, which must be flood's. */
static void drain(int to, size_t want)
{
    static char bytes[4096];
    size_t got = 0;

    for (int idle = 0; idle < 3 && got < want;) {
        ssize_t n = recv(to, bytes, sizeof(bytes), 0);
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal((unsigned char)bytes[i], (got + (size_t)i) % 251);
        got += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        fixture_turn(&f);
    }
    assert_int_equal(got, want);
}

/* Who does not read holds back who writes, in each direction alone. */
static void test_backpressure(void **state)
{
    int size = 4096, server;

    (void)state;
    int c = tunnel(&server);
    (void)setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    (void)setsockopt(server, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    size_t up = flood(c), down = flood(server);
    assert_in_range(up, LIMIT_BUFFER, MEGABYTE - 1);
    assert_in_range(down, LIMIT_BUFFER, MEGABYTE - 1);
    assert_true(fixture_silent(&f));
    (void)shutdown(c, SHUT_WR);
    drain(c, down);
    drain(server, up);
    assert_true(fixture_ended(&f, server));
    close_both(c, server);
    expect_log(101, up, down, NULL);
}

static void test_gone(void **state)
{
    int server;

    (void)state;
    int c = tunnel(&server);
    (void)close(c);
    assert_true(fixture_ended(&f, server));
    fixture_send(&f, server, "x");
    expect_log(101, 0, 0, "the client went away");
    (void)close(server);

    c = tunnel(&server);
    fixture_send(&f, server, "bye");
    (void)close(server);
    fixture_turn(&f);
    fixture_expect(&f, c, "bye");
    assert_true(fixture_ended(&f, c));
    (void)send(c, "x", 1, MSG_NOSIGNAL);
    (void)close(c);
    fixture_turn(&f);
    expect_log(101, 0, 3, "");
}

static void test_time_out(void **state)
{
    int server;

    (void)state;
    int c = tunnel(&server);
    fixture_time_out(&f);
    expect_log(101, 0, 0, "too long");
    assert_true(fixture_ended(&f, c));
    assert_true(fixture_ended(&f, server));
    close_both(c, server);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tunnel),         TEST(test_half_close),   TEST(test_end_before_switch),
        TEST(test_pipelined),      TEST(test_pieces),       TEST(test_offers),
        TEST(test_bad_switches),   TEST(test_choice),       TEST(test_bodies),
        TEST(test_denied),         TEST(test_gone),         TEST(test_time_out),
        TEST(test_own_connection), TEST(test_backpressure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
