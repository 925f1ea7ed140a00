/* test_client_hello.c: what is a ClientHello, for whom it is, and that nothing else passes for one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/ssl.h>

#include "httpproxy/client_hello.h"
#include "src/util.h"

/* A message being made. */
static uint8_t made[70000];
static size_t made_len;

static void put(const void *data, size_t len)
{
    memcpy(made + made_len, data, len);
    made_len += len;
}

static void put_number(size_t v, size_t bytes)
{
    while (bytes-- > 0)
        made[made_len++] = (uint8_t)(v >> bytes * 8);
}

static size_t open_vector(size_t bytes)
{
    put_number(0, bytes);
    return made_len;
}

static void close_vector(size_t start, size_t bytes)
{
    size_t end = made_len, len = end - start;

    made_len = start - bytes;
    put_number(len, bytes);
    made_len = end;
}

static size_t begin_extensions(void)
{
    static const uint8_t fixed[] = {1, 0, 0, 0, 3, 3};

    made_len = 0;
    put(fixed, sizeof(fixed));
    for (int i = 0; i < 32; i++)
        put_number(7, 1);
    put("\4abcd", 5);               /* session id */
    put("\0\4\x13\x01\x13\x02", 6); /* cipher suites */
    put("\1\0", 2);                 /* compression */
    return open_vector(2);
}

static void end_message(void)
{
    size_t end = made_len;

    made_len = 1;
    put_number(end - 4, 3);
    made_len = end;
}

static void put_sni(const char *name, size_t len)
{
    put_number(0, 2);
    put_number(len + 5, 2);
    put_number(len + 3, 2);
    put_number(0, 1);
    put_number(len, 2);
    put(name, len);
}

static void make(const char *name)
{
    size_t extensions = begin_extensions();

    put("\0\x17\0\0", 4); /* extended_master_secret */
    if (name)
        put_sni(name, strlen(name));
    put("\x0a\x0a\0\1z", 5); /* GREASE */
    close_vector(extensions, 2);
    end_message();
}

static void expect(const uint8_t *message, size_t len, enum client_hello_status status,
                   const char *sni, const char *why)
{
    char got[NAME_SIZE];
    const char *problem = NULL;

    assert_int_equal(client_hello_parse(message, len, got, &problem), status);
    if (status == CLIENT_HELLO_GOOD)
        assert_string_equal(got, sni);
    if (status == CLIENT_HELLO_BAD && !strstr(problem, why))
        fail_msg("%s instead of %s", problem, why);
}

static void expect_made(enum client_hello_status status, const char *sni, const char *why)
{
    expect(made, made_len, status, sni, why);
}

static void test_names(void **state)
{
    static const struct {
        const char *name, *sni, *why;
    } cases[] = {
        {"registry.example", "registry.example", NULL},
        {"Registry.EXAMPLE", "registry.example", NULL},
        {"xn--bcher-kva.example", "xn--bcher-kva.example", NULL},
        {"h", "h", NULL},
        {"registry.example.", NULL, "canonical"},
        {"", NULL, "malformed"},
        {".", NULL, "no host name"},
        {"a..b", NULL, "no host name"},
        {"*.example", NULL, "no host name"},
        {"a b", NULL, "characters"},
        {"b\xc3\xbc"
         "cher.example",
         NULL, "characters"},
        {"h:443", NULL, "no host name"},
        {"198.51.100.10", NULL, "no host name"},
        {"h/", NULL, "no host name"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        make(cases[i].name);
        expect_made(cases[i].sni ? CLIENT_HELLO_GOOD : CLIENT_HELLO_BAD, cases[i].sni,
                    cases[i].why);
    }
    make(NULL);
    expect_made(CLIENT_HELLO_NO_SNI, NULL, NULL);
    size_t extensions = begin_extensions();
    put_sni("h\0.evil", 7);
    close_vector(extensions, 2);
    end_message();
    expect_made(CLIENT_HELLO_BAD, NULL, "characters");
}

/* Every message that is cut, or has a byte more, is refused; and no byte that is wrong is read
 * outside of the message (the sanitizers see to that). */
static void test_cut(void **state)
{
    char sni[NAME_SIZE];
    const char *problem;

    (void)state;
    make("registry.example");
    for (size_t i = 0; i < made_len; i++) {
        uint8_t *exact = xmalloc(i + 1);
        memcpy(exact, made, i);
        assert_int_equal(client_hello_parse(exact, i, sni, &problem), CLIENT_HELLO_BAD);
        free(exact);
    }
    put_number(0, 1);
    expect_made(CLIENT_HELLO_BAD, NULL, "malformed");
    for (size_t i = 0; i + 1 < made_len; i++)
        for (int bit = 0; bit < 8; bit++) {
            uint8_t *exact = xmalloc(made_len - 1);
            memcpy(exact, made, made_len - 1);
            exact[i] = (uint8_t)(exact[i] ^ 1 << bit);
            (void)client_hello_parse(exact, made_len - 1, sni, &problem);
            free(exact);
        }
}

static void test_server_name_once(void **state)
{
    (void)state;
    size_t extensions = begin_extensions();
    put_sni("a.test", 6);
    put_sni("a.test", 6);
    close_vector(extensions, 2);
    end_message();
    expect_made(CLIENT_HELLO_BAD, NULL, "two server_name");

    extensions = begin_extensions(); /* two names in one */
    put_number(0, 2);
    size_t ext = open_vector(2), list = open_vector(2);
    put("\0\0\6a.test\0\0\6b.test", 18);
    close_vector(list, 2);
    close_vector(ext, 2);
    close_vector(extensions, 2);
    end_message();
    expect_made(CLIENT_HELLO_BAD, NULL, "exactly one");

    extensions = begin_extensions(); /* another type */
    put_number(0, 2);
    ext = open_vector(2), list = open_vector(2);
    put("\1\0\6a.test", 9);
    close_vector(list, 2);
    close_vector(ext, 2);
    close_vector(extensions, 2);
    end_message();
    expect_made(CLIENT_HELLO_BAD, NULL, "exactly one");

    extensions = begin_extensions(); /* bytes behind the list */
    put_number(0, 2);
    ext = open_vector(2), list = open_vector(2);
    put("\0\0\6a.test", 9);
    close_vector(list, 2);
    put("x", 1);
    close_vector(ext, 2);
    close_vector(extensions, 2);
    end_message();
    expect_made(CLIENT_HELLO_BAD, NULL, "malformed");
}

/* --- records --- */

static uint8_t wire[200000];
static size_t wire_len;

/* The made message as records of at most that size. */
static void wrap(size_t size)
{
    wire_len = 0;
    for (size_t i = 0; i < made_len; i += size) {
        size_t n = made_len - i < size ? made_len - i : size;
        const uint8_t header[] = {22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n};
        memcpy(wire + wire_len, header, sizeof(header));
        memcpy(wire + wire_len + sizeof(header), made + i, n);
        wire_len += sizeof(header) + n;
    }
}

/* Feeds the wire in segments of that size: the status, and that it is not known before the end. */
static void feed(size_t segment, enum client_hello_status status, const char *sni, const char *why)
{
    struct client_hello h = {0};

    for (size_t i = 0; i < wire_len; i += segment) {
        uint8_t *exact = xmalloc(segment);
        size_t n = wire_len - i < segment ? wire_len - i : segment;
        memcpy(exact, wire + i, n);
        (void)client_hello_feed(&h, exact, n);
        free(exact);
        if (status == CLIENT_HELLO_GOOD && i + n < wire_len)
            assert_int_equal(h.status, CLIENT_HELLO_MORE);
    }
    assert_int_equal(h.status, status);
    if (status == CLIENT_HELLO_GOOD)
        assert_string_equal(h.sni, sni);
    if (status == CLIENT_HELLO_BAD && !strstr(h.problem, why))
        fail_msg("%s instead of %s", h.problem, why);
    client_hello_free(&h);
}

static void test_fragments(void **state)
{
    (void)state;
    make("registry.example");
    for (size_t size = 2; size < 300; size++) {
        wrap(size);
        feed(1, CLIENT_HELLO_GOOD, "registry.example", NULL);
        feed(7, CLIENT_HELLO_GOOD, "registry.example", NULL);
        feed(wire_len, CLIENT_HELLO_GOOD, "registry.example", NULL);
    }
    wrap(1);
    feed(wire_len, CLIENT_HELLO_BAD, NULL, "too many records");
}

static void test_long(void **state)
{
    static char filler[40000];

    (void)state;
    for (size_t n = 30000; n <= 40000; n += 10000) {
        size_t extensions = begin_extensions();
        put_number(51, 2);
        put_number(n, 2);
        put(filler, n);
        put_sni("h.test", 6);
        close_vector(extensions, 2);
        end_message();
        wrap(16384);
        if (n == 30000)
            feed(4096, CLIENT_HELLO_GOOD, "h.test", NULL);
        else
            feed(4096, CLIENT_HELLO_BAD, NULL, "too long");
    }
    wrap(16385);
    feed(wire_len, CLIENT_HELLO_BAD, NULL, "length that is not allowed");
}

static void expect_wire(const char *bytes, size_t len, enum client_hello_status status,
                        const char *why)
{
    memcpy(wire, bytes, len);
    wire_len = len;
    feed(1, status, NULL, why);
    feed(len, status, NULL, why);
}

static void test_records(void **state)
{
#define WIRE(bytes, status, why) expect_wire(bytes, sizeof(bytes) - 1, status, why)
    (void)state;
    WIRE("SSH-2.0-x\r\n", CLIENT_HELLO_NOT_TLS, NULL);
    WIRE("GET / HTTP/1.1\r\n", CLIENT_HELLO_NOT_TLS, NULL);
    WIRE("\0\0\0\x08\x04\xd2\x16\x2f", CLIENT_HELLO_NOT_TLS, NULL);    /* PostgreSQL's SSLRequest */
    WIRE("\x80\x2e\x01\x03\x03\x00\x15", CLIENT_HELLO_BAD, "SSL 2.0"); /* OpenSSL takes it */
    WIRE("\xbf\xff\x01\x03\x00", CLIENT_HELLO_BAD, "SSL 2.0");
    WIRE("\x80\x2e\x01\x00\x02", CLIENT_HELLO_BAD, "SSL 2.0");
    WIRE("\x80\x2e\x01\x03", CLIENT_HELLO_MORE, NULL);
    WIRE("\x80\x2e\x01\x00\x01", CLIENT_HELLO_NOT_TLS, NULL);
    WIRE("\x80\x2e\x01\x04", CLIENT_HELLO_NOT_TLS, NULL);
    WIRE("\x80\x2e\x04", CLIENT_HELLO_NOT_TLS, NULL);
    WIRE("\xff\xfd\x01", CLIENT_HELLO_NOT_TLS, NULL); /* Telnet's DO ECHO */
    WIRE("\x16\x10", CLIENT_HELLO_NOT_TLS, NULL);
    WIRE("\x13\x03", CLIENT_HELLO_NOT_TLS, NULL);
    WIRE("\x19\x03", CLIENT_HELLO_NOT_TLS, NULL);
    WIRE("\x16", CLIENT_HELLO_MORE, NULL);
    WIRE("\x16\x03\x01\x00", CLIENT_HELLO_MORE, NULL);
    WIRE("\x16\x03\x01\x00\x05\x01\x00\x00", CLIENT_HELLO_MORE, NULL);
    WIRE("\x16\x02\x01\x00\x05", CLIENT_HELLO_BAD, "unknown version");
    WIRE("\x16\x0f\x01\x00\x05", CLIENT_HELLO_BAD, "unknown version");
    WIRE("\x15\x03\x01\x00\x02\x01\x00", CLIENT_HELLO_BAD, "does not begin");
    WIRE("\x15\x00\x00\x00\x02", CLIENT_HELLO_BAD, "does not begin");
    WIRE("\x14\x03\x01\x00\x01\x01", CLIENT_HELLO_BAD, "does not begin");
    WIRE("\x17\x03\x03\x00\x01x", CLIENT_HELLO_BAD, "does not begin");
    WIRE("\x16\x03\x01\x00\x00", CLIENT_HELLO_BAD, "length that is not allowed");
    WIRE("\x16\x03\x01\x00\x04\x02\x00\x00\x00", CLIENT_HELLO_BAD, "does not begin");
    WIRE("\x16\x03\x01\x00\x04\x01\x00\x00\x00", CLIENT_HELLO_BAD, "malformed");
    WIRE("\x16\x03\x01\x00\x05\x01\x00\x00\x00x", CLIENT_HELLO_BAD, "does not end");
    WIRE("\x16\x03\x01\x00\x02\x01\x00\x15\x03\x01\x00\x02", CLIENT_HELLO_BAD, "interrupted");
    WIRE("\x16\x03\x01\x00\x04\x01\xff\xff\xff", CLIENT_HELLO_BAD, "too long");
#undef WIRE
    make("h.test");
    put("more", 4);
    wrap(16384);
    feed(wire_len, CLIENT_HELLO_BAD, NULL, "does not end");
}

/* What follows the ClientHello is not looked at. */
static void test_rest(void **state)
{
    struct client_hello h = {0};

    (void)state;
    make("h.test");
    wrap(16384);
    memcpy(wire + wire_len, "anything", 8);
    assert_int_equal(client_hello_feed(&h, wire, wire_len + 8), CLIENT_HELLO_GOOD);
    assert_int_equal(client_hello_feed(&h, "anything", 8), CLIENT_HELLO_GOOD);
    client_hello_free(&h);
    assert_string_equal(h.sni, "h.test");
}

/* What clients really send. */
static void test_openssl(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(versions) * 2; i++) {
        SSL *ssl = SSL_new(ctx);
        BIO *out = BIO_new(BIO_s_mem());
        char *data;
        SSL_set_max_proto_version(ssl, versions[i / 2]);
        SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
        if (i % 2 == 0)
            SSL_set_tlsext_host_name(ssl, "Registry.example");
        assert_int_equal(SSL_connect(ssl), -1);
        wire_len = (size_t)BIO_get_mem_data(out, &data);
        memcpy(wire, data, wire_len);
        feed(1, i % 2 ? CLIENT_HELLO_NO_SNI : CLIENT_HELLO_GOOD, "registry.example", NULL);
        SSL_free(ssl);
    }
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_cut),
        cmocka_unit_test(test_rest),    cmocka_unit_test(test_server_name_once),
        cmocka_unit_test(test_records), cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_long),    cmocka_unit_test(test_openssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
