/* test_session.c: requests through the proxy, from the head to the log line. */
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
#include "httpproxy/session.h"
#include "httpproxy/upstream.h"
#include "src/util.h"

#define POLICY "http://a.test/ok/\nGET:http://get.test/\n"
#define GET_OK "GET http://a.test/ok/x HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define SENT_OK "GET /ok/x HTTP/1.1\r\nHost: a.test\r\n\r\n"

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

static void expect_log(enum msg_decision decision, int status, const char *method, const char *url,
                       const char *reason)
{
    const struct msg_log_request *l = fixture_log(&f);

    assert_string_equal(l->url, url);
    assert_string_equal(l->method, method);
    assert_int_equal(l->decision, decision);
    assert_int_equal(l->status, status);
    if (reason)
        assert_non_null(strstr(l->reason, reason));
    else
        assert_string_equal(l->reason, "");
    assert_int_equal(l->endpoint == POLICY_INDEX_NONE, decision == MSG_DENY);
}

static void test_allowed(void **state)
{
    int server;

    (void)state;
    int c = fixture_request(&f, GET_OK, SENT_OK, &server);
    fixture_send(&f, server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    fixture_expect(&f, c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    const struct msg_log_request *l = fixture_log(&f);
    assert_int_equal(l->decision, MSG_ALLOW);
    assert_int_equal(l->endpoint, 0);
    assert_int_equal(l->status, 200);
    assert_int_equal(l->bytes_received, 5);
    assert_string_equal(l->url, "http://a.test/ok/x");
    assert_false(fixture_ended(&f, c));
    (void)close(c);
    (void)close(server);
}

/* Nothing is dialled for a denied request, and the connection goes on. */
static void test_denied(void **state)
{
    (void)state;
    int c = fixture_client(&f);
    fixture_send(&f, c, "GET http://a.test/evil HTTP/1.1\r\nHost: a.test\r\n\r\n");
    expect_log(MSG_DENY, 0, "GET", "http://a.test/evil", "no endpoint");
    const char *got = fixture_read(&f, c);
    assert_non_null(strstr(got, "HTTP/1.1 403 Forbidden\r\n"));
    assert_non_null(strstr(got, "GET,HEAD:http://a.test/\n"));
    fixture_send(
        &f, c,
        "POST http://get.test/ HTTP/1.1\r\nHost: get.test\r\nContent-Length: 5\r\n\r\nhello"
        "GET http://a.test/ok/../evil HTTP/1.1\r\nHost: a.test\r\n\r\n"
        "GET https://a.test/ok/x HTTP/1.1\r\nHost: a.test\r\n\r\n");
    expect_log(MSG_DENY, 0, "POST", "http://get.test/", "no endpoint");
    expect_log(MSG_DENY, 0, "GET", "http://a.test/evil", "no endpoint");
    expect_log(MSG_DENY, 0, "GET", "https://a.test/ok/x", "no endpoint");
    assert_true(fixture_silent(&f));
    fixture_read(&f, c);
    fixture_send(&f, c, GET_OK);
    fixture_refuse(&f, fixture_dial(&f, URL_HTTP, "a.test", 80), EHOSTUNREACH, "no such host");
    expect_log(MSG_ALLOW, 0, "GET", "http://a.test/ok/x", "no such host");
    got = fixture_read(&f, c);
    assert_non_null(strstr(got, "HTTP/1.1 502 "));
    assert_non_null(strstr(got, "no such host"));
    (void)close(c);
}

static void test_bad_requests(void **state)
{
    static const struct {
        const char *request, *status;
    } bad[] = {
        {"GET /ok/x HTTP/1.1\r\nHost: a.test\r\n\r\n", "HTTP/1.1 400 "},
        {"GET http://a.test/ok/x HTTP/1.1\r\nHost: b.test\r\n\r\n", "HTTP/1.1 400 "},
        {"GET http://a.test/ok/x HTTP/3.0\r\nHost: a.test\r\n\r\n", "HTTP/1.1 505 "},
        {"GET http://u:p@a.test/ok/x HTTP/1.1\r\nHost: a.test\r\n\r\n", "HTTP/1.1 400 "},
        {"\x16\x03\x01 \r\n\r\n", "HTTP/1.1 400 "},
        {"\x16\x03\x01\x02", "HTTP/1.1 400 "}, /* no end of a head is waited for */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int c = fixture_client(&f);
        fixture_send(&f, c, bad[i].request);
        assert_int_equal(fixture_log(&f)->decision, MSG_DENY);
        assert_true(fixture_silent(&f));
        const char *got = fixture_read(&f, c);
        assert_int_equal(strncmp(got, bad[i].status, strlen(bad[i].status)), 0);
        assert_true(fixture_ended(&f, c));
        (void)close(c);
    }
}

static void test_too_long(void **state)
{
    char *head = xcalloc(1, HEAD_MAX + 1000);

    (void)state;
    int c = fixture_client(&f);
    (void)snprintf(head, 100, "GET http://a.test/ok/x HTTP/1.1\r\nHost: a.test\r\nX: ");
    memset(head + strlen(head), 'x', HEAD_MAX);
    fixture_send(&f, c, head);
    expect_log(MSG_DENY, 0, "GET", "http://a.test/ok/x", "too long");
    assert_int_equal(strncmp(fixture_read(&f, c), "HTTP/1.1 431 ", 13), 0);
    free(head);
    (void)close(c);
}

/* The second request goes over the same connection; the third, after that has died unseen, over a
 * new one. */
static void test_kept_connection(void **state)
{
    int server;

    (void)state;
    int c = fixture_request(&f, GET_OK, SENT_OK, &server);
    fixture_send(&f, server, "HTTP/1.1 204 No Content\r\n\r\n");
    fixture_expect(&f, c, "HTTP/1.1 204 No Content\r\n\r\n");
    expect_log(MSG_ALLOW, 204, "GET", "http://a.test/ok/x", NULL);
    assert_int_equal(upstreams_idle(f.proxy->upstreams), 1);
    fixture_send(&f, c, GET_OK);
    assert_true(fixture_silent(&f));
    fixture_expect(&f, server, SENT_OK);
    (void)close(server);
    server = fixture_accept(&f, fixture_dial(&f, URL_HTTP, "a.test", 80));
    fixture_expect(&f, server, SENT_OK);
    fixture_send(&f, server, "HTTP/1.1 204 No Content\r\n\r\n");
    fixture_expect(&f, c, "HTTP/1.1 204 No Content\r\n\r\n");
    expect_log(MSG_ALLOW, 204, "GET", "http://a.test/ok/x", NULL);
    (void)close(server); /* while idle: noticed at once */
    fixture_turn(&f);
    assert_int_equal(upstreams_idle(f.proxy->upstreams), 0);
    (void)close(c);
}

/* What may have had an effect is not sent twice; what cannot have had one is. */
static void test_no_second_post(void **state)
{
    int server;
    static const char post[] =
        "POST http://a.test/ok/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: ";

    (void)state;
    for (int body = 0; body < 2; body++) {
        int c = fixture_request(&f, GET_OK, SENT_OK, &server);
        fixture_send(&f, server, "HTTP/1.1 204 No Content\r\n\r\n");
        fixture_expect(&f, c, "HTTP/1.1 204 No Content\r\n\r\n");
        expect_log(MSG_ALLOW, 204, "GET", "http://a.test/ok/x", NULL);
        fixture_send(&f, c, post);
        fixture_send(&f, c, body ? "5\r\n\r\n" : "0\r\n\r\n");
        assert_non_null(strstr(fixture_read(&f, server), "POST /ok/x"));
        (void)close(server);
        if (body) { /* the head alone went out: the body goes to a new connection */
            server = fixture_accept(&f, fixture_dial(&f, URL_HTTP, "a.test", 80));
            assert_non_null(strstr(fixture_read(&f, server), "POST /ok/x"));
            fixture_send(&f, c, "hello");
            fixture_expect(&f, server, "hello");
            (void)close(server);
        }
        expect_log(MSG_ALLOW, 0, "POST", "http://a.test/ok/x", "gave no response");
        assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 502 "));
        (void)close(c);
    }
}

/* Bytes that nobody asked for: the connection is not used again. */
static void test_unasked_bytes(void **state)
{
    int server;

    (void)state;
    int c = fixture_request(&f, GET_OK, SENT_OK, &server);
    fixture_send(&f, server, "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    fixture_expect(&f, c, "HTTP/1.1 204 No Content\r\n\r\n");
    expect_log(MSG_ALLOW, 204, "GET", "http://a.test/ok/x", NULL);
    assert_int_equal(upstreams_idle(f.proxy->upstreams), 0);
    assert_true(fixture_ended(&f, server));
    (void)close(server);
    (void)close(c);
}

static void test_cut_off(void **state)
{
    static const struct {
        const char *from_server, *to_client; /* to_client NULL: the response is whole */
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
         "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
        {"HTTP/1.1 200 OK\r\n\r\nhello", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int server;
        int c = fixture_request(&f, GET_OK, SENT_OK, &server);
        fixture_send(&f, server, cases[i].from_server);
        (void)close(server);
        const struct msg_log_request *l = fixture_log(&f);
        assert_int_equal(l->status, 200);
        assert_int_equal(l->reason[0] != '\0', cases[i].to_client != NULL);
        if (cases[i].to_client) {
            fixture_expect(&f, c, cases[i].to_client);
            assert_true(fixture_ended(&f, c));
        } else {
            assert_non_null(strstr(fixture_read(&f, c), "hello"));
            assert_false(fixture_ended(&f, c));
        }
        (void)close(c);
    }
}

/* A body up to the end of the connection: chunks for HTTP/1.1, the same for HTTP/1.0. */
static void test_until_close(void **state)
{
    int server;

    (void)state;
    int c = fixture_request(&f, GET_OK, SENT_OK, &server);
    fixture_send(&f, server, "HTTP/1.1 200 OK\r\n\r\nhello");
    (void)close(server);
    fixture_expect(&f, c,
                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    expect_log(MSG_ALLOW, 200, "GET", "http://a.test/ok/x", NULL);
    (void)close(c);
    c = fixture_request(&f, "GET http://a.test/ok/x HTTP/1.0\r\n\r\n", SENT_OK, &server);
    fixture_send(&f, server,
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    expect_log(MSG_ALLOW, 200, "GET", "http://a.test/ok/x", NULL);
    const char *got = fixture_read(&f, c);
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\nhello");
    assert_null(strstr(got, "chunked"));
    assert_true(fixture_ended(&f, c));
    (void)close(c);
    (void)close(server);
}

static void test_continue(void **state)
{
    int server;

    (void)state;
    int c = fixture_client(&f);
    fixture_send(&f, c,
                 "PUT http://a.test/ok/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n"
                 "Expect: 100-continue\r\n\r\n");
    server = fixture_accept(&f, fixture_dial(&f, URL_HTTP, "a.test", 80));
    assert_non_null(strstr(fixture_read(&f, server), "Expect: 100-continue\r\n"));
    fixture_send(&f, server, "HTTP/1.1 100 Continue\r\n\r\n");
    fixture_expect(&f, c, "HTTP/1.1 100 Continue\r\n\r\n");
    fixture_send(&f, c, "hello");
    fixture_expect(&f, server, "hello");
    fixture_send(&f, server, "HTTP/1.1 204 No Content\r\n\r\n");
    fixture_expect(&f, c, "HTTP/1.1 204 No Content\r\n\r\n");
    expect_log(MSG_ALLOW, 204, "PUT", "http://a.test/ok/x", NULL);
    (void)close(server);
    (void)close(c);
}

/* What a list of methods does not allow does not go along with one that it allows. */
static void test_upload(void **state)
{
    static const char *const refused[] = {
        "GET http://get.test/x HTTP/1.1\r\nHost: get.test\r\nContent-Length: 3\r\n\r\nabc",
        "GET http://get.test/x HTTP/1.1\r\nHost: get.test\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
    };
    int server;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        int c = fixture_client(&f);
        fixture_send(&f, c, refused[i]);
        expect_log(MSG_DENY, 0, "GET", "http://get.test/x", "with a body");
        assert_true(fixture_silent(&f));
        const char *got = fixture_read(&f, c);
        assert_non_null(strstr(got, "HTTP/1.1 403 "));
        assert_non_null(strstr(got, "is an upload"));
        (void)close(c);
        fixture_turn(&f);
    }
    int c = fixture_client(&f);
    fixture_send(&f, c,
                 "GET http://get.test/x HTTP/1.1\r\nHost: get.test\r\nContent-Length: 0\r\n\r\n");
    server = fixture_accept(&f, fixture_dial(&f, URL_HTTP, "get.test", 80));
    fixture_expect(&f, server, "GET /x HTTP/1.1\r\nHost: get.test\r\nContent-Length: 0\r\n\r\n");
    fixture_send(&f, server, "HTTP/1.1 204 No Content\r\n\r\n");
    expect_log(MSG_ALLOW, 204, "GET", "http://get.test/x", NULL);
    (void)close(server);
    (void)close(c);
    c = fixture_request(
        &f, "GET http://a.test/ok/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc",
        "GET /ok/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc", &server);
    fixture_send(&f, server, "HTTP/1.1 204 No Content\r\n\r\n");
    expect_log(MSG_ALLOW, 204, "GET", "http://a.test/ok/x", NULL);
    (void)close(server);
    (void)close(c);
}

/* A switch of protocols that nobody asked for would be a way around the judge. */
static void test_switch(void **state)
{
    int server;

    (void)state;
    int c =
        fixture_request(&f, "GET http://a.test/ok/x HTTP/1.1\r\nHost: a.test\r\nUpgrade: x\r\n\r\n",
                        SENT_OK, &server);
    fixture_send(&f, server,
                 "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    expect_log(MSG_ALLOW, 0, "GET", "http://a.test/ok/x", "switched protocols");
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 502 "));
    (void)close(server);
    (void)close(c);
}

static void test_early_response(void **state)
{
    int server;

    (void)state;
    int c = fixture_client(&f);
    fixture_send(
        &f, c,
        "PUT http://a.test/ok/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000000\r\n\r\nabc");
    server = fixture_accept(&f, fixture_dial(&f, URL_HTTP, "a.test", 80));
    fixture_read(&f, server);
    fixture_send(&f, server, "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
    fixture_expect(&f, c, "HTTP/1.1 413 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    expect_log(MSG_ALLOW, 413, "PUT", "http://a.test/ok/x", NULL);
    assert_true(fixture_ended(&f, c));
    assert_true(fixture_ended(&f, server));
    (void)close(server);
    (void)close(c);
}

/* Who does not read is not read for. */
static void test_backpressure(void **state)
{
    static char block[65536];
    int server;
    size_t taken = 0;

    (void)state;
    int c = fixture_request(&f, GET_OK, SENT_OK, &server);
    fixture_send(&f, server, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    for (int i = 0; i < 1000; i++) {
        ssize_t n = send(server, block, sizeof(block), MSG_NOSIGNAL);
        fixture_turn(&f);
        taken += n > 0 ? (size_t)n : 0;
    }
    assert_true(taken < (2u << 20)); /* the sockets' own buffers, and ours */
    size_t before = taken;
    for (int i = 0; i < 1000; i++) {
        (void)recv(c, block, sizeof(block), 0);
        ssize_t n = send(server, block, sizeof(block), MSG_NOSIGNAL);
        fixture_turn(&f);
        taken += n > 0 ? (size_t)n : 0;
    }
    assert_true(taken > before + (20u << 20));
    (void)close(server);
    while (recv(c, block, sizeof(block), 0) > 0)
        fixture_turn(&f);
    expect_log(MSG_ALLOW, 200, "GET", "http://a.test/ok/x", "too early");
    (void)close(c);
}

static void test_pipeline(void **state)
{
    enum { REQUESTS = 1000 };
    static const char one[] = "GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n";
    static char many[REQUESTS * sizeof(one)];
    const size_t len = sizeof(one) - 1;
    int denied = 0;

    (void)state;
    int c = fixture_client(&f);
    for (int i = 0; i < REQUESTS; i++)
        memcpy(many + (size_t)i * len, one, len);
    size_t sent = 0;
    for (int i = 0; i < 10000 && denied < REQUESTS; i++) {
        ssize_t n = send(c, many + sent, REQUESTS * len - sent, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        for (const char *p = fixture_read(&f, c); (p = strstr(p, "HTTP/1.1 403 ")); p++)
            denied++;
        while (!fixture_silent(&f))
            assert_int_equal(fixture_log(&f)->decision, MSG_DENY);
    }
    assert_int_equal(denied, REQUESTS);
    (void)close(c);
}

/* Answers to dials that nobody waits for, or that nobody asked for: the socket is closed, nothing
 * else happens. */
static void test_stray_dialed(void **state)
{
    (void)state;
    int c = fixture_client(&f);
    fixture_send(&f, c, GET_OK);
    uint64_t id = fixture_dial(&f, URL_HTTP, "a.test", 80);
    int stray = fixture_accept(&f, id + 1);
    assert_true(fixture_ended(&f, stray));
    (void)close(stray);
    stray = fixture_accept(&f, id ^ (1ull << 40));
    assert_true(fixture_ended(&f, stray));
    (void)close(stray);
    int server = fixture_accept(&f, id);
    fixture_expect(&f, server, SENT_OK);
    stray = fixture_accept(&f, id); /* once is enough */
    assert_true(fixture_ended(&f, stray));
    (void)close(stray);
    assert_false(fixture_ended(&f, server));
    (void)close(server);
    expect_log(MSG_ALLOW, 0, "GET", "http://a.test/ok/x", "no response");
    (void)close(c);
}

static void test_client_leaves(void **state)
{
    struct linger l = {.l_onoff = 1};

    (void)state;
    int c = fixture_client(&f);
    fixture_send(&f, c,
                 "PUT http://a.test/ok/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nabc");
    uint64_t id = fixture_dial(&f, URL_HTTP, "a.test", 80);
    assert_int_equal(f.proxy->session_count, 1);
    (void)setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    (void)close(c);
    fixture_turn(&f);
    int server =
        fixture_accept(&f, id); /* perhaps after the client's end was noticed, perhaps before */
    expect_log(MSG_ALLOW, 0, "PUT", "http://a.test/ok/x", "the client went away");
    assert_int_equal(f.proxy->session_count, 0);
    assert_int_equal(upstreams_orphans(f.proxy->upstreams), 0);
    (void)fixture_read(&f, server);
    assert_true(fixture_ended(&f, server));
    (void)close(server);
}

/* A client that has ended its side may still read; it is waited for, though not for as long. */
static void test_half_close(void **state)
{
    int server;

    (void)state;
    int c = fixture_request(&f, GET_OK, SENT_OK, &server);
    uint64_t before = TAILQ_FIRST(&f.proxy->sessions)->deadline;
    assert_int_equal(shutdown(c, SHUT_WR), 0);
    fixture_turn(&f);
    assert_true(TAILQ_FIRST(&f.proxy->sessions)->deadline < before);
    fixture_send(&f, server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    fixture_expect(&f, c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    expect_log(MSG_ALLOW, 200, "GET", "http://a.test/ok/x", NULL);
    assert_true(fixture_ended(&f, c));
    (void)close(c);
    (void)close(server);
}

static void test_time_outs(void **state)
{
    int server;

    (void)state;
    int c = fixture_client(&f); /* idle */
    fixture_time_out(&f);
    assert_true(fixture_ended(&f, c));
    (void)close(c);
    c = fixture_client(&f); /* half a head */
    fixture_send(&f, c, "GET http://a.test/");
    fixture_time_out(&f);
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 408 "));
    (void)close(c);
    c = fixture_client(&f); /* the dialer does not answer */
    fixture_send(&f, c, GET_OK);
    uint64_t id = fixture_dial(&f, URL_HTTP, "a.test", 80);
    fixture_time_out(&f);
    expect_log(MSG_ALLOW, 0, "GET", "http://a.test/ok/x", "in time");
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 504 "));
    assert_int_equal(upstreams_orphans(f.proxy->upstreams), 1);
    fixture_refuse(&f, id, ETIMEDOUT, "");
    assert_int_equal(upstreams_orphans(f.proxy->upstreams), 0);
    (void)close(c);
    c = fixture_request(&f, GET_OK, SENT_OK, &server); /* the server does not */
    fixture_time_out(&f);
    expect_log(MSG_ALLOW, 0, "GET", "http://a.test/ok/x", "too long");
    assert_non_null(strstr(fixture_read(&f, c), "HTTP/1.1 504 "));
    (void)close(c);
    (void)close(server);
    c = fixture_request(&f, GET_OK, SENT_OK, &server); /* or stops in the middle */
    fixture_send(&f, server, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    fixture_time_out(&f);
    expect_log(MSG_ALLOW, 200, "GET", "http://a.test/ok/x", "too long");
    (void)fixture_read(&f, c);
    assert_true(fixture_ended(&f, c));
    (void)close(c);
    (void)close(server);
}

/* The command has ended: what is under way is reported, and the loop ends. */
static void test_finish(void **state)
{
    int server;
    struct msg_finish m;

    (void)state;
    int c = fixture_request(&f, GET_OK, SENT_OK, &server);
    memset(&m, 0, sizeof(m));
    msg_init(&m, MSG_FINISH, sizeof(m));
    assert_int_equal(send(f.channel, &m, sizeof(m), 0), sizeof(m));
    assert_int_equal(event_base_dispatch(f.proxy->base), 0);
    expect_log(MSG_ALLOW, 0, "GET", "http://a.test/ok/x", "the command ended first");
    assert_int_equal(recv(f.channel, &m, sizeof(m), MSG_DONTWAIT), sizeof(m)); /* the answer */
    assert_int_equal(m.head.type, MSG_FINISH);
    assert_true(fixture_ended(&f, c));
    assert_true(fixture_ended(&f, server));
    (void)close(c);
    (void)close(server);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_allowed),       TEST(test_denied),          TEST(test_bad_requests),
        TEST(test_too_long),      TEST(test_kept_connection), TEST(test_no_second_post),
        TEST(test_unasked_bytes), TEST(test_cut_off),         TEST(test_until_close),
        TEST(test_continue),      TEST(test_switch),          TEST(test_early_response),
        TEST(test_backpressure),  TEST(test_pipeline),        TEST(test_stray_dialed),
        TEST(test_client_leaves), TEST(test_time_outs),       TEST(test_half_close),
        TEST(test_finish),        TEST(test_upload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
