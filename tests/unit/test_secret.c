/* test_secret.c: values in the place of placeholders, and the other way round. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "httpproxy/secret.h"
#include "src/base64.h"
#include "src/secret.h"
#include "src/util.h"

#define P "cijailabcdefghijklmnopqrstuvwxyz23456722"
#define Q "cijailqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
#define VALUE "s3cret/V+lue 9"

static struct head_request request;
static struct head_response response;
static struct secret_text text;
static struct url url;

static void add(struct secrets *s, const char *field, const char *placeholder, const char *places,
                const char *value)
{
    struct msg_secret m = {.name = "TOKEN"};
    struct error e;

    msg_init(&m, MSG_SECRET, sizeof(m));
    copy_string(m.field, sizeof(m.field), field);
    copy_string(m.placeholder, sizeof(m.placeholder), placeholder);
    copy_string(m.places, sizeof(m.places), places);
    copy_string(m.value, sizeof(m.value), value);
    assert_int_equal(msg_check(&m, sizeof(m)), 0);
    assert_int_equal(secrets_add(s, &m, &e), 0);
}

static int set_up(void **state)
{
    struct secrets *s = secrets_new();

    add(s, "", P, "https://h.test/ https://pre.test/a/", VALUE);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    secrets_free(*state);
    return 0;
}

/* The head of a request to that URL, with these field lines. */
static int put(struct secrets *s, const char *method, const char *to, const char *lines,
               struct error *e)
{
    static char head[HEAD_MAX + 1];

    assert_int_equal(url_parse(to, strlen(to), &url, e), 0);
    (void)snprintf(head, sizeof(head), "%s / HTTP/1.1\r\nHost: %s\r\n%s\r\n", method,
                   url.authority.host, lines);
    if (head_parse_request(head, strlen(head), &request, e) != 0)
        fail_msg("%s", e->text);
    return secrets_put(s, &request, &url, &text, e);
}

/* The value of the field behind Host. */
static const char *field(void)
{
    static char value[HEAD_MAX];

    (void)snprintf(value, sizeof(value), "%.*s", request.fields[1].value_len,
                   request.fields[1].value);
    return value;
}

/* "NAME: SCHEME BASE64" */
static const char *line_of(const char *before, const char *plain)
{
    static char line[1024];
    char encoded[512];

    (void)base64_encode(plain, strlen(plain), encoded);
    (void)snprintf(line, sizeof(line), "%s%s\r\n", before, encoded);
    return line;
}

static void test_plain(void **state)
{
    static const struct {
        const char *line, *value;
    } rows[] = {
        {"Authorization: Bearer " P "\r\n", "Bearer " VALUE},
        {"authorization: token " P "\r\n", "token " VALUE},
        {"Authorization: " P "\r\n", VALUE},
        {"Authorization: A=" P ", b=\"" P "\"\r\n", "A=" VALUE ", b=\"" VALUE "\""},
        {"PRIVATE-TOKEN: " P "\r\n", VALUE},
        {"X-Api-Key: " P "\r\n", VALUE},
    };
    struct error e;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(put(*state, "GET", "https://h.test/x", rows[i].line, &e), 1);
        assert_string_equal(field(), rows[i].value);
    }
    assert_int_equal(put(*state, "GET", "https://h.test/", "Authorization: Bearer other\r\n", &e),
                     0);
    assert_string_equal(field(), "Bearer other");
}

static void test_base64(void **state)
{
    static const struct {
        const char *before, *plain, *value;
    } rows[] = {
        {"Authorization: Basic ", "user:" P, "user:" VALUE},
        {"Authorization: basic  ", P ":", VALUE ":"},
        {"Authorization: Basic ", P, VALUE},
        {"Authorization: Bearer ", P, VALUE},
        {"Authorization: ", "x-access-token:" P, "x-access-token:" VALUE},
        {"Authorization: Basic ", P ":" P, VALUE ":" VALUE},
    };
    struct error e;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(
            put(*state, "GET", "https://h.test/", line_of(rows[i].before, rows[i].plain), &e), 1);
        cleanup_free char *got = xasprintf("Authorization: %s\r\n", field());
        const char *expected = line_of(rows[i].before, rows[i].value);
        assert_string_equal(got, expected);
    }
}

/* Base64 that is none, or says nothing of it, is sent on. */
static void test_no_base64(void **state)
{
    static const char *const lines[] = {
        "Authorization: Basic\r\n",
        "Authorization: Basic \r\n",
        "Authorization: Basic Y2lqYWlsY2lqYWlsY2lqYWlsY2lqYWlsY2lqYWlsY2lqYWlsY2lqYWls\r\n",
        "Authorization: Basic Y2lqYWls*2lqYWlsY2lqYWlsY2lqYWlsY2lqYWlsY2lqYWlsY2lqYWls\r\n",
        "Authorization: Basic Y2lqYWlsY2lqYWlsY2lqYWlsY2lqYWlsY2lqYWlsY2lqYWlsY2lqYWlsY\r\n",
    };
    struct error e;

    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_int_equal(put(*state, "GET", "https://h.test/", lines[i], &e), 0);
}

static void test_elsewhere(void **state)
{
    static const struct {
        const char *url, *line, *reason;
    } rows[] = {
        {"https://other.test/", "Authorization: Bearer " P "\r\n", "does not name this host"},
        {"https://h.test:8443/", "Authorization: Bearer " P "\r\n", "does not name this host"},
        {"https://a.h.test/", "Authorization: Bearer " P "\r\n", "does not name this host"},
        {"https://pre.test/b/", "Authorization: Bearer " P "\r\n", "does not name this host"},
        {"http://h.test/", "Authorization: Bearer " P "\r\n", "https alone"},
        {"http://h.test/", "X-Anything: " P "\r\n", "https alone"},
        {"https://h.test/", "X-Anything: " P "\r\n", "not put into this field"},
        {"https://h.test/", "User-Agent: " P "\r\n", "not put into this field"},
    };
    struct error e;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(put(*state, "GET", rows[i].url, rows[i].line, &e), -EACCES);
        assert_non_null(strstr(e.text, rows[i].reason));
        assert_non_null(strstr(e.text, "TOKEN"));
        assert_null(strstr(e.text, VALUE));
        assert_null(memmem(text.data, text.len, VALUE, strlen(VALUE)));
    }
    assert_int_equal(
        put(*state, "GET", "https://other.test/", line_of("Authorization: Basic ", "a:" P), &e),
        -EACCES);
    assert_int_equal(
        put(*state, "GET", "https://pre.test/a/x", "Authorization: Bearer " P "\r\n", &e), 1);
}

/* A part of another field, and what is of this hop alone, go on as they are, or not at all. */
static void test_other_fields(void **state)
{
    static const char *const lines[] = {
        "Referer: https://h.test/?" P "\r\n",
        "Cookie: a=" P "\r\n",
        "Proxy-Authorization: Bearer " P "\r\n",
        "Authorization: Bearer " P "\r\nConnection: authorization\r\n",
    };
    struct error e;

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        assert_int_equal(put(*state, "GET", "https://h.test/", lines[i], &e), 0);
        assert_non_null(strstr(field(), P));
    }
}

static void test_named_field(void **state)
{
    struct secrets *s = *state;
    struct error e;

    add(s, "x-key", Q, "https://k.test/", "another value");
    assert_int_equal(put(s, "POST", "https://k.test/", "X-KEY: a " Q "\r\n", &e), 1);
    assert_string_equal(field(), "a another value");
    assert_int_equal(put(s, "POST", "https://k.test/", "Authorization: Bearer " Q "\r\n", &e),
                     -EACCES);
    assert_int_equal(put(s, "POST", "https://k.test/", "X-Key: " P "\r\n", &e), -EACCES);
    add(s, "", Q, "https://k.test/", "another value"); /* a second option of the variable */
    assert_int_equal(
        put(s, "POST", "https://k.test/", "Authorization: Bearer " Q "\r\nX-Key: " Q "\r\n", &e),
        2);
    assert_string_equal(field(), "Bearer another value");
}

static void test_trace(void **state)
{
    struct error e;

    assert_int_equal(put(*state, "TRACE", "https://h.test/", "Authorization: Bearer " P "\r\n", &e),
                     -EPERM);
    assert_int_equal(put(*state, "TRACE", "https://h.test/", "Authorization: Bearer x\r\n", &e), 0);
}

/* The bound is that of heads as they come in. */
static void test_too_long(void **state)
{
    cleanup_free char *value = xmalloc(SECRET_VALUE_MAX + 1);
    cleanup_free char *line = xmalloc(HEAD_MAX);
    struct error e;
    size_t len = 0;

    memset(value, 'v', SECRET_VALUE_MAX);
    value[SECRET_VALUE_MAX] = '\0';
    add(*state, "", Q, "https://long.test/", value);
    len = (size_t)snprintf(line, HEAD_MAX, "Authorization: ");
    for (int i = 0; i < 15; i++)
        len += (size_t)snprintf(line + len, HEAD_MAX - len, Q);
    (void)snprintf(line + len, HEAD_MAX - len, "\r\n");
    assert_int_equal(put(*state, "GET", "https://long.test/", line, &e), 1);
    assert_int_equal(strlen(field()), 15 * SECRET_VALUE_MAX);
    for (int i = 0; i < 2; i++)
        len += (size_t)snprintf(line + len, HEAD_MAX - len, Q);
    (void)snprintf(line + len, HEAD_MAX - len, "\r\n");
    assert_int_equal(put(*state, "GET", "https://long.test/", line, &e), -ENOSPC);
    len = 0;
    for (int i = 0; i < 100; i++)
        len += (size_t)snprintf(line + len, HEAD_MAX - len, "Authorization: Bearer " Q "\r\n");
    assert_int_equal(put(*state, "GET", "https://long.test/", line, &e), -ENOSPC);
}

/* --- answers --- */

static int hide(struct secrets *s, const char *host, const char *head)
{
    struct url_authority a = {.kind = URL_HOST_NAME, .port = 443};
    struct error e;

    copy_string(a.host, sizeof(a.host), host);
    if (head_parse_response(head, strlen(head), "GET", &response, &e) != 0)
        fail_msg("%s", e.text);
    return secrets_hide(s, &a, &response, &text);
}

static void expect_answer(size_t i, const char *value)
{
    assert_int_equal(response.fields[i].value_len, strlen(value));
    assert_memory_equal(response.fields[i].value, value, strlen(value));
}

static void test_hide(void **state)
{
    static const char head[] = "HTTP/1.1 200 It is " VALUE "\r\nX-A: " VALUE "," VALUE "\r\n"
                               "Location: https://h.test/?t=" VALUE "\r\nX-B: other\r\n\r\n";

    assert_int_equal(hide(*state, "h.test", head), 0);
    assert_int_equal(response.reason_len, 0);
    expect_answer(0, P "," P);
    expect_answer(1, "https://h.test/?t=" P);
    expect_answer(2, "other");
    assert_int_equal(hide(*state, "other.test", head), 0); /* it never had it */
    expect_answer(0, VALUE "," VALUE);
}

static int hide_trailers(struct secrets *s, const char *host, const char *lines, struct buf *b)
{
    struct url_authority a = {.kind = URL_HOST_NAME, .port = 443};

    copy_string(a.host, sizeof(a.host), host);
    buf_free(b);
    buf_append(b, lines, strlen(lines));
    return secrets_hide_trailers(s, &a, b, &text);
}

static void expect_trailers(const struct buf *b, const char *lines)
{
    assert_int_equal(buf_len(b), strlen(lines));
    assert_memory_equal(buf_begin(b), lines, strlen(lines));
}

static void test_hide_trailers(void **state)
{
    static const char lines[] = "X-A: " VALUE "," VALUE "\r\nX-B:other\r\n\r\n";
    cleanup_free char *many = xcalloc(1, CHUNK_TRAILER_MAX + 1);
    struct buf b = {0};
    size_t n = 0;

    assert_int_equal(hide_trailers(*state, "h.test", lines, &b), 0);
    expect_trailers(&b, "X-A: " P "," P "\r\nX-B: other\r\n\r\n");
    assert_int_equal(hide_trailers(*state, "other.test", lines, &b), 0); /* it never had it */
    expect_trailers(&b, lines);
    assert_int_equal(hide_trailers(*state, "h.test", line_of("X-A: ", "a" VALUE), &b), -EPROTO);
    assert_int_equal(hide_trailers(*state, "h.test", "\r\n", &b), 0);
    expect_trailers(&b, "\r\n");
    while (n < CHUNK_TRAILER_MAX - 64)
        n += (size_t)sprintf(many + n, "A: " VALUE "\r\n");
    (void)sprintf(many + n, "\r\n");
    assert_int_equal(hide_trailers(*state, "h.test", many, &b), -ENOSPC);
    buf_free(&b);
}

/* Wherever in the text the value begins, and whatever stands around it. */
static void test_hide_base64(void **state)
{
    static const char *const plain[] = {VALUE,           "a" VALUE,       "ab" VALUE,
                                        "abc" VALUE "d", "a:" VALUE "de", "user:" VALUE "x"};
    char head[2048];

    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%s\r\n",
                       line_of("X-A: b64,", plain[i]));
        assert_int_equal(hide(*state, "h.test", head), 0);
        expect_answer(0, P);
        (void)snprintf(head, sizeof(head), "HTTP/1.1 200 %sX-A: b\r\n\r\n", line_of("", plain[i]));
        assert_int_equal(hide(*state, "h.test", head), 0);
        assert_int_equal(response.reason_len, 0);
    }
}

static void test_hide_too_long(void **state)
{
    cleanup_free char *head = xmalloc(HEAD_MAX);
    size_t len;

    add(*state, "", Q, "https://short.test/", "12345678");
    len = (size_t)snprintf(head, HEAD_MAX, "HTTP/1.1 200 OK\r\nX-A: ");
    for (int i = 0; i < 4000; i++)
        len += (size_t)snprintf(head + len, HEAD_MAX - len, "12345678");
    (void)snprintf(head + len, HEAD_MAX - len, "\r\n\r\n");
    assert_int_equal(hide(*state, "short.test", head), -ENOSPC);
}

/* --- the parts --- */

static void test_base64_strict(void **state)
{
    static const struct {
        const char *text;
        long len;
    } rows[] = {{"", 0},
                {"YQ==", 1},
                {"YQ", 1},
                {"YWI=", 2},
                {"YWI", 2},
                {"YWJj", 3},
                {"YWJjZA==", 4},
                {"Y", -EINVAL},
                {"YQ=", -EINVAL},
                {"YR==", -EINVAL},
                {"YWJ=", -EINVAL},
                {"YWJj=", -EINVAL},
                {"YWJj====", -EINVAL},
                {"=", -EINVAL},
                {"==", -EINVAL},
                {"YW=j", -EINVAL},
                {"YWJ\n", -EINVAL},
                {"YWJ-", -EINVAL},
                {"YWJjZGVmZ2hp", -ENOSPC}};
    char out[8], again[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        long n = base64_decode(rows[i].text, strlen(rows[i].text), out, sizeof(out));
        assert_int_equal(n, rows[i].len);
        if (n > 0 && strlen(rows[i].text) % 4 == 0) {
            assert_int_equal(base64_encode(out, (size_t)n, again), strlen(rows[i].text));
            assert_string_equal(again, rows[i].text);
        }
    }
}

static void test_placeholders(void **state)
{
    char a[SECRET_PLACEHOLDER_LEN + 1], b[SECRET_PLACEHOLDER_LEN + 1];
    struct error e;

    (void)state;
    assert_int_equal(secret_make_placeholder(a, &e), 0);
    assert_int_equal(secret_make_placeholder(b, &e), 0);
    assert_int_equal(strlen(a), SECRET_PLACEHOLDER_LEN);
    assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz234567"), SECRET_PLACEHOLDER_LEN);
    assert_memory_equal(a, "cijail", 6);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_base64, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_base64, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_named_field, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hide, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hide_base64, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hide_trailers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hide_too_long, set_up, tear_down),
        cmocka_unit_test(test_base64_strict),
        cmocka_unit_test(test_placeholders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
