/* test_msg.c: a well-formed message passes, and the same message with one thing wrong does not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "src/msg.h"
#include "src/msg_batch.h"
#include "src/url.h"
#include "src/util.h"

#define GOOD(m) assert_int_equal(msg_check(&(m), msg_length(&(m))), 0)
#define BAD(m) assert_int_equal(msg_check(&(m), msg_length(&(m))), -EPROTO)

static void test_head(void **state)
{
    (void)state;
    struct msg_ready m = {0};
    msg_init(&m, MSG_READY, sizeof(m));
    assert_int_equal(msg_length(&m), sizeof(m));
    GOOD(m);
    assert_int_equal(msg_check(&m, sizeof(m) - 1), -EPROTO);
    assert_int_equal(msg_check(&m, 0), -EPROTO);
    m.head.type = 0;
    BAD(m);
    m.head.type = MSG_TYPE_END;
    BAD(m);
    m.head.type = UINT32_MAX;
    BAD(m);
    msg_init(&m, MSG_READY, sizeof(m) + 1);
    assert_int_equal(msg_check(&m, sizeof(m)), -EPROTO);
}

static void test_each_length_is_exact(void **state)
{
    (void)state;
    const size_t lengths[MSG_TYPE_END] = {
        [MSG_READY] = sizeof(struct msg_ready),
        [MSG_CA] = sizeof(struct msg_ca),
        [MSG_DIAL] = sizeof(struct msg_dial),
        [MSG_DIALED] = sizeof(struct msg_dialed),
        [MSG_QUERY] = sizeof(struct msg_query),
        [MSG_REPLY] = offsetof(struct msg_reply, data),
        [MSG_LOG_REQUEST] = sizeof(struct msg_log_request),
        [MSG_LOG_RESOLVE] = sizeof(struct msg_log_resolve),
        [MSG_LOG_CONNECT] = sizeof(struct msg_log_connect),
        [MSG_FINISH] = sizeof(struct msg_finish),
        [MSG_OPEN] = sizeof(struct msg_open),
        [MSG_OPENED] = sizeof(struct msg_opened),
        [MSG_UNREACHABLE] = sizeof(struct msg_unreachable),
        [MSG_LEARN] = sizeof(struct msg_learn),
        [MSG_LOG_BATCH] = offsetof(struct msg_log_batch, data) + 1,
        [MSG_LOG_TUNNEL] = sizeof(struct msg_log_tunnel),
        [MSG_PARENT] = sizeof(struct msg_parent),
        [MSG_SECRET] = sizeof(struct msg_secret),
        [MSG_LOOKUP] = sizeof(struct msg_lookup),
        [MSG_ADDRESSES] = sizeof(struct msg_addresses),
        [MSG_TLS_DIAL] = sizeof(struct msg_tls_dial),
        [MSG_TLS_DIALED] = sizeof(struct msg_tls_dialed),
        [MSG_TLS_FAILED] = sizeof(struct msg_tls_failed),
    };
    uint64_t *buf = xcalloc(1, MSG_MAX + 8);
    for (unsigned t = MSG_READY; t < MSG_TYPE_END; t++) {
        for (size_t len = 0; len <= lengths[t] + 8; len++) {
            memset(buf, 1, MSG_MAX); /* no field is right but the head; strings do not end */
            msg_init(buf, (enum msg_type)t, len);
            bool bare = t == MSG_READY || t == MSG_FINISH; /* nothing but a head */
            int expected = bare && len == lengths[t] ? 0 : -EPROTO;
            assert_int_equal(msg_check(buf, len), expected);
        }
    }
    free(buf);
}

static void test_ca(void **state)
{
    (void)state;
    struct msg_ca m = {.pem_len = 3, .pem = "abc"};
    msg_init(&m, MSG_CA, sizeof(m));
    GOOD(m);
    m.pem_len = 4;
    BAD(m); /* a NUL inside */
    m.pem_len = 0;
    BAD(m);
    memset(m.pem, 'x', sizeof(m.pem));
    m.pem_len = MSG_PEM_MAX;
    BAD(m); /* no end */
    m.pem[--m.pem_len] = '\0';
    GOOD(m);
}

static void test_dial(void **state)
{
    (void)state;
    struct msg_dial m = {.scheme = URL_HTTPS, .port = 443, .host = "staex.io"};
    msg_init(&m, MSG_DIAL, sizeof(m));
    GOOD(m);
    m.client_port = 1;
    BAD(m); /* an intercepted client's tunnels alone */
    m.scheme = MSG_DIAL_RAW;
    GOOD(m);
    m.client_port = 65535;
    GOOD(m);
    m.client_port++;
    BAD(m);
    m.client_port = 0;
    GOOD(m);
    m.scheme = MSG_DIAL_RAW + 1;
    BAD(m);
    m.scheme = URL_HTTP;
    m.port = 0;
    BAD(m);
    m.port = 65536;
    BAD(m);
    m.port = 65535;
    GOOD(m);
    m.host[0] = '\0';
    BAD(m);
    memset(m.host, 'a', sizeof(m.host));
    BAD(m);
    m.host[sizeof(m.host) - 1] = '\0';
    GOOD(m);
}

static void test_dialed(void **state)
{
    (void)state;
    struct msg_dialed m = {.error = ECONNREFUSED, .text = "refused"};
    msg_init(&m, MSG_DIALED, sizeof(m));
    GOOD(m);
    m.error = -1;
    BAD(m);
    m.error = ECONNREFUSED;
    m.via = MSG_VIA_CONNECT;
    BAD(m); /* a connection alone leads somewhere */
    m.error = 0;
    for (m.via = MSG_VIA_NOTHING; m.via < MSG_VIA_END; m.via++)
        GOOD(m);
    BAD(m);
    m.via = MSG_VIA_NOTHING;
    m.error = 0;
    GOOD(m);
    memset(m.text, 'a', sizeof(m.text));
    BAD(m);
}

static void test_lookup(void **state)
{
    (void)state;
    struct msg_lookup m = {.name = "registry.example"};
    msg_init(&m, MSG_LOOKUP, sizeof(m));
    GOOD(m);
    m.name[0] = ' ';
    BAD(m);
    m.name[0] = '\0';
    BAD(m);
    memset(m.name, 'a', sizeof(m.name));
    BAD(m);
}

static void test_addresses(void **state)
{
    (void)state;
    struct msg_addresses m = {.count = 1};
    msg_init(&m, MSG_ADDRESSES, sizeof(m));
    BAD(m); /* of no family */
    m.address[0].family = AF_INET;
    GOOD(m);
    m.error = ENOENT;
    BAD(m); /* addresses, or an error */
    m.count = 0;
    GOOD(m);
    m.error = -1;
    BAD(m);
    m.error = 0;
    BAD(m);
    for (unsigned i = 0; i < MSG_ADDRESSES_MAX; i++)
        m.address[i].family = AF_INET6;
    m.count = MSG_ADDRESSES_MAX;
    GOOD(m);
    m.address[MSG_ADDRESSES_MAX - 1].family = AF_UNIX;
    BAD(m);
    m.count++;
    BAD(m);
}

static void test_tls(void **state)
{
    (void)state;
    struct msg_tls_dial dial = {.server = MSG_TLS_SERVERS - 1};
    struct msg_tls_dialed dialed = {.address = "192.0.2.53"};
    struct msg_tls_failed failed = {.text = "nobody listens"};
    msg_init(&dial, MSG_TLS_DIAL, sizeof(dial));
    GOOD(dial);
    dial.server++;
    BAD(dial);
    msg_init(&dialed, MSG_TLS_DIALED, sizeof(dialed));
    GOOD(dialed); /* without a name the address is verified */
    copy_string(dialed.name, sizeof(dialed.name), "dns.example");
    GOOD(dialed);
    dialed.error = -1;
    BAD(dialed);
    dialed.error = 0;
    dialed.address[0] = '\0';
    BAD(dialed);
    msg_init(&failed, MSG_TLS_FAILED, sizeof(failed));
    GOOD(failed);
    failed.server = MSG_TLS_SERVERS;
    BAD(failed);
    failed.server = 0;
    memset(failed.text, 'a', sizeof(failed.text));
    BAD(failed);
    failed.text[0] = '\0';
    BAD(failed);
}

static void test_parent(void **state)
{
    (void)state;
    struct msg_parent m = {.use = MSG_PARENT_TUNNEL, .port = 3128, .host = "proxy.example"};
    msg_init(&m, MSG_PARENT, sizeof(m));
    GOOD(m);
    copy_string(m.authorization, sizeof(m.authorization), "Basic YTpiLys=");
    GOOD(m);
    copy_string(m.authorization, sizeof(m.authorization), "Basic a\r\nB: c");
    BAD(m);
    memset(m.authorization, 'a', sizeof(m.authorization));
    BAD(m);
    m.authorization[0] = '\0';
    GOOD(m);
    m.use = MSG_PARENTS;
    BAD(m);
    m.use = MSG_PARENT_HTTP;
    m.port = 0;
    BAD(m);
    m.port = 65536;
    BAD(m);
    m.port = 1;
    m.host[0] = '\0';
    BAD(m);
}

static void test_secret(void **state)
{
    (void)state;
    struct msg_secret m = {.name = "TOKEN", .places = "https://a.test/", .value = "12345678"};
    msg_init(&m, MSG_SECRET, sizeof(m));
    BAD(m);
    memset(m.placeholder, 'a', SECRET_PLACEHOLDER_LEN);
    GOOD(m);
    m.value[7] = '\0';
    BAD(m);
    m.value[7] = '\n';
    BAD(m);
    memset(m.value, 'a', sizeof(m.value));
    BAD(m);
    m.value[SECRET_VALUE_MAX] = '\0';
    GOOD(m);
    m.placeholder[0] = '\0';
    BAD(m);
    memset(m.placeholder, 'a', sizeof(m.placeholder));
    BAD(m);
    m.placeholder[SECRET_PLACEHOLDER_LEN] = '\0';
    GOOD(m);
    memset(m.field, 'a', sizeof(m.field));
    BAD(m);
    m.field[0] = '\0';
    m.places[0] = '\0';
    BAD(m);
    memset(m.places, 'a', sizeof(m.places));
    BAD(m);
    m.places[1] = '\0';
    m.name[0] = '\0';
    BAD(m);
}

static void test_query(void **state)
{
    (void)state;
    struct msg_query m = {.qtype = 1, .transport = MSG_UDP, .name = "staex.io"};
    msg_init(&m, MSG_QUERY, sizeof(m));
    GOOD(m);
    m.transport = 3;
    BAD(m);
    m.transport = MSG_TCP;
    m.qtype = 0;
    BAD(m);
    m.qtype = 65535;
    GOOD(m);
    m.server.family = AF_INET;
    GOOD(m);
    m.server.family = AF_INET6;
    GOOD(m);
    m.server.family = AF_UNIX;
    BAD(m);
    m.server.family = 0;
    GOOD(m);
    m.name[0] = '\0';
    BAD(m);
    memset(m.name, 'a', sizeof(m.name));
    BAD(m);
}

static void test_reply(void **state)
{
    (void)state;
    struct msg_reply *m = xcalloc(1, sizeof(*m));
    size_t fixed = offsetof(struct msg_reply, data);
    m->data_len = 12;
    msg_init(m, MSG_REPLY, fixed + 12);
    GOOD(*m);
    m->error = ETIMEDOUT; /* with data */
    BAD(*m);
    m->data_len = 0;
    BAD(*m); /* longer than it says */
    msg_init(m, MSG_REPLY, fixed);
    GOOD(*m);
    m->error = -ETIMEDOUT;
    BAD(*m);
    m->error = 0;
    m->data_len = MSG_REPLY_MAX;
    BAD(*m);
    msg_init(m, MSG_REPLY, fixed + MSG_REPLY_MAX);
    GOOD(*m);
    m->hosts_below = 1;
    GOOD(*m);
    m->hosts_below = 2;
    BAD(*m);
    free(m);
}

static void test_log_request(void **state)
{
    (void)state;
    struct msg_log_request m = {.decision = MSG_ALLOW, .status = 200, .method = "GET"};
    msg_init(&m, MSG_LOG_REQUEST, sizeof(m));
    GOOD(m);
    m.decision = 0;
    BAD(m);
    m.decision = MSG_DENY;
    m.status = -1;
    BAD(m);
    m.status = 1000;
    BAD(m);
    m.status = 0;
    GOOD(m);
    memset(m.url, 'u', sizeof(m.url));
    BAD(m);
    memset(m.url, 0, sizeof(m.url));
    memset(m.method, 'm', sizeof(m.method));
    BAD(m);
    memset(m.method, 0, sizeof(m.method));
    memset(m.reason, 'r', sizeof(m.reason));
    BAD(m);
}

static void test_log_batch(void **state)
{
    (void)state;
    struct msg_log_batch *m = xcalloc(1, sizeof(*m));
    struct msg_batch_entry e = {.endpoint = 3,
                                .status = 200,
                                .bytes_sent = 1,
                                .bytes_received = UINT64_MAX,
                                .method = "GET",
                                .url = "https://a.test/x"};
    struct msg_log_request r;
    size_t at = 0;

    msg_batch_init(m);
    assert_int_equal(msg_check(m, msg_length(m)), -EPROTO); /* an empty one is not sent */
    assert_true(msg_batch_add(m, &e));
    e.method = "HEAD";
    e.url = "";
    assert_true(msg_batch_add(m, &e));
    size_t len = msg_length(m);
    assert_int_equal(msg_check(m, len), 0);
    assert_true(msg_batch_next(m, &at, &r));
    assert_int_equal(msg_check(&r, sizeof(r)), 0);
    assert_string_equal(r.method, "GET");
    assert_string_equal(r.url, "https://a.test/x");
    assert_int_equal(r.decision, MSG_ALLOW);
    assert_int_equal(r.endpoint, 3);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.bytes_sent, 1);
    assert_true(r.bytes_received == UINT64_MAX);
    assert_true(msg_batch_next(m, &at, &r));
    assert_string_equal(r.method, "HEAD");
    assert_string_equal(r.url, "");
    assert_false(msg_batch_next(m, &at, &r));
    /* Each byte more or less is an entry that is cut off, or another length. */
    for (size_t n = offsetof(struct msg_log_batch, data); n < len; n++) {
        m->head.length = (uint32_t)n;
        m->used = (uint32_t)(n - offsetof(struct msg_log_batch, data));
        bool first = m->used == 32 + 3 + 16;
        assert_int_equal(msg_check(m, n), first ? 0 : -EPROTO);
    }
    free(m);
}

static void test_log_batch_fields(void **state)
{
    (void)state;
    struct msg_log_batch *m = xcalloc(1, sizeof(*m));
    char url[MSG_URL_SIZE + 100];
    struct msg_batch_entry e = {.status = 200, .method = "GET", .url = url};
    struct msg_log_request r;
    size_t n = 0, at = 0;

    memset(url, 'u', sizeof(url) - 1);
    url[sizeof(url) - 1] = '\0';
    msg_batch_init(m);
    while (msg_batch_add(m, &e))
        n++;
    assert_int_equal(n, 3); /* cut to MSG_URL_SIZE */
    assert_int_equal(msg_check(m, msg_length(m)), 0);
    assert_true(msg_batch_next(m, &at, &r));
    assert_int_equal(strlen(r.url), MSG_URL_SIZE - 1);
    m->data[40] = '\0'; /* inside of the URL */
    assert_int_equal(msg_check(m, msg_length(m)), -EPROTO);
    m->data[40] = 'u';
    assert_int_equal(msg_check(m, msg_length(m)), 0);
    e.status = 1000;
    e.url = "";
    msg_batch_init(m);
    assert_true(msg_batch_add(m, &e));
    assert_int_equal(msg_check(m, msg_length(m)), -EPROTO);
    e.status = -1;
    msg_batch_init(m);
    assert_true(msg_batch_add(m, &e));
    assert_int_equal(msg_check(m, msg_length(m)), -EPROTO);
    free(m);
}

static void test_log_resolve(void **state)
{
    (void)state;
    struct msg_log_resolve m = {.decision = MSG_DENY, .count = 1, .name = "attacker.tld"};
    msg_init(&m, MSG_LOG_RESOLVE, sizeof(m));
    GOOD(m);
    m.count = 0;
    BAD(m);
    m.count = 1;
    m.decision = MSG_WOULD_DENY;
    GOOD(m);
    m.decision = 4;
    BAD(m);
    m.decision = MSG_ALLOW;
    GOOD(m);
    memset(m.name, 'a', sizeof(m.name));
    BAD(m);
    m.name[sizeof(m.name) - 1] = '\0';
    memset(m.reason, 'r', sizeof(m.reason));
    BAD(m);
}

static void test_log_connect(void **state)
{
    (void)state;
    struct msg_log_connect m = {.decision = MSG_DENY, .count = 1, .family = AF_INET6, .port = 53};
    msg_init(&m, MSG_LOG_CONNECT, sizeof(m));
    GOOD(m);
    m.decision = 0;
    BAD(m);
    m.decision = MSG_WOULD_DENY;
    GOOD(m);
    m.family = AF_UNIX;
    BAD(m);
    m.family = AF_INET;
    GOOD(m);
    m.count = 0;
    BAD(m);
}

static void test_open(void **state)
{
    (void)state;
    struct msg_open m = {.tuple = {.family = AF_INET6, .port = 22}}; /* from port 0: so be it */
    msg_init(&m, MSG_OPEN, sizeof(m));
    GOOD(m);
    m.tuple.family = AF_UNIX;
    BAD(m);
    m.tuple.family = 0;
    BAD(m);
    m.tuple.family = AF_INET;
    GOOD(m);
    m.tuple.port = 0;
    BAD(m);
}

static void test_opened(void **state)
{
    (void)state;
    struct msg_opened m = {.to = MSG_TO_RELAY};
    msg_init(&m, MSG_OPENED, sizeof(m));
    GOOD(m);
    m.to = MSG_TO_INTERCEPT;
    GOOD(m);
    m.to = MSG_TO_INTERCEPT + 1;
    BAD(m);
    m.to = 0;
    BAD(m);
    m.error = ECONNREFUSED;
    GOOD(m);
    m.to = MSG_TO_RELAY;
    BAD(m);
    m.to = 0;
    m.error = -1;
    BAD(m);
}

static void test_unreachable(void **state)
{
    (void)state;
    struct msg_unreachable m = {.tuple = {.family = AF_INET, .port = 22}, .error = ECONNREFUSED};
    msg_init(&m, MSG_UNREACHABLE, sizeof(m));
    GOOD(m);
    m.error = 0;
    BAD(m);
    m.error = -1;
    BAD(m);
    m.error = 1;
    m.tuple.port = 0;
    BAD(m);
}

static void test_learn(void **state)
{
    (void)state;
    struct msg_learn m = {.family = AF_INET, .count = 1, .name = "staex.io"};
    msg_init(&m, MSG_LEARN, sizeof(m));
    GOOD(m);
    m.count = MSG_LEARN_MAX;
    GOOD(m);
    m.count++;
    BAD(m);
    m.count = 0;
    BAD(m);
    m.count = 2;
    m.family = AF_INET6;
    GOOD(m);
    m.family = AF_UNIX;
    BAD(m);
    m.family = AF_INET6;
    m.name[0] = '\0';
    BAD(m);
    memset(m.name, 'a', sizeof(m.name));
    BAD(m);
    copy_string(m.name, sizeof(m.name), "*.staex.io");
    BAD(m);
}

static void test_log_tunnel(void **state)
{
    (void)state;
    struct msg_log_tunnel m = {.family = AF_INET6, .port = 443};
    msg_init(&m, MSG_LOG_TUNNEL, sizeof(m));
    GOOD(m);
    m.family = 0;
    BAD(m);
    m.family = AF_INET;
    GOOD(m);
    m.port = 0;
    BAD(m);
    m.port = 1;
    memset(m.name, 'a', sizeof(m.name));
    BAD(m);
    m.name[sizeof(m.name) - 1] = '\0';
    GOOD(m);
    memset(m.reason, 'r', sizeof(m.reason));
    BAD(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),        cmocka_unit_test(test_each_length_is_exact),
        cmocka_unit_test(test_ca),          cmocka_unit_test(test_dial),
        cmocka_unit_test(test_dialed),      cmocka_unit_test(test_parent),
        cmocka_unit_test(test_lookup),      cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_tls),         cmocka_unit_test(test_query),
        cmocka_unit_test(test_reply),       cmocka_unit_test(test_log_request),
        cmocka_unit_test(test_log_batch),   cmocka_unit_test(test_log_batch_fields),
        cmocka_unit_test(test_log_resolve), cmocka_unit_test(test_log_connect),
        cmocka_unit_test(test_open),        cmocka_unit_test(test_opened),
        cmocka_unit_test(test_unreachable), cmocka_unit_test(test_learn),
        cmocka_unit_test(test_log_tunnel),  cmocka_unit_test(test_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
