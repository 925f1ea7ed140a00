/* test_upstream_packet.c: which messages of a server are taken for the answer, and hosts(5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/upstream_parts.h"

static struct upstream_query query;
static uint8_t data[512];
static size_t len;

/* What an honest server answers: the query's own head and question, QR set. */
static void begin(void)
{
    memset(&query, 0, sizeof(query));
    query.qtype = 1;
    upstream_packet_build(&query, "a.example");
    upstream_packet_set_id(&query, 0x1234);
    len = UPSTREAM_HEADER + query.question_len;
    memcpy(data, query.packet + 2, len);
    data[2] |= 0x80;
    data[11] = 0;
}

static void expect(enum upstream_verdict v)
{
    assert_int_equal(upstream_packet_judge(&query, data, len), v);
}

static void test_query(void **state)
{
    (void)state;
    begin();
    assert_int_equal(query.packet_len, 12 + 11 + 4 + 11);
    assert_memory_equal(query.packet + 2,
                        "\x12\x34\1\0\0\1\0\0\0\0\0\1\1a\7example\0\0\1\0\1"
                        "\0\0\x29\4\xd0\0\0\0\0\0\0",
                        query.packet_len);
    upstream_packet_set_plain(&query, true);
    assert_int_equal(query.packet_len, 12 + 11 + 4);
    assert_int_equal(query.packet[1], query.packet_len);
    assert_int_equal(query.packet[2 + 11], 0);
    upstream_packet_set_plain(&query, false); /* for the next server */
    assert_int_equal(query.packet_len, 12 + 11 + 4 + 11);
    assert_int_equal(query.packet[1], query.packet_len);
    assert_int_equal(query.packet[2 + 11], 1);
}

/* RFC 7830; RFC 8467, 4.1 */
static void test_padding(void **state)
{
    char name[NAME_SIZE];

    (void)state;
    for (size_t n = 1; n <= 253; n++) {
        memset(name, 'a', n);
        name[n] = '\0';
        for (size_t i = 60; i < n; i += 60)
            name[i] = '.';
        if (name[n - 1] == '.')
            continue;
        memset(&query, 0, sizeof(query));
        upstream_packet_build(&query, name);
        size_t plain = query.packet_len;
        upstream_packet_pad(&query);
        assert_int_equal(query.packet_len % UPSTREAM_PADDING, 0);
        assert_true(query.packet_len >= plain + 4 && query.packet_len < plain + 4 + 128);
        assert_true(2 + query.packet_len <= sizeof(query.packet));
        assert_int_equal(query.packet[0] << 8 | query.packet[1], query.packet_len);
        const uint8_t *option = query.packet + 2 + plain;
        size_t padding = query.packet_len - plain - 4;
        assert_int_equal(option[-2] << 8 | option[-1], padding + 4); /* the OPT record's */
        assert_int_equal(option[0] << 8 | option[1], 12);
        assert_int_equal(option[2] << 8 | option[3], padding);
    }
}

static void test_answer(void **state)
{
    (void)state;
    begin();
    expect(UPSTREAM_ANSWER);
    data[13] = 'A'; /* letter case is the server's */
    expect(UPSTREAM_ANSWER);
    data[3] = 3;
    expect(UPSTREAM_ANSWER); /* NXDOMAIN */
}

/* RFC 5452, 9.1 */
static void test_not_the_answer(void **state)
{
    (void)state;
    begin();
    data[0] ^= 1;
    expect(UPSTREAM_STRANGE); /* id */
    begin();
    data[2] &= 0x7f;
    expect(UPSTREAM_STRANGE); /* a query */
    begin();
    data[13] = 'b';
    expect(UPSTREAM_STRANGE); /* name */
    begin();
    data[len - 3] = 28;
    expect(UPSTREAM_STRANGE); /* type */
    begin();
    data[len - 1] = 3;
    expect(UPSTREAM_STRANGE); /* class */
    begin();
    data[5] = 0;
    expect(UPSTREAM_STRANGE); /* no question, and no error either */
    begin();
    len--;
    expect(UPSTREAM_STRANGE); /* cut */
    len = 11;
    expect(UPSTREAM_STRANGE);
    len = 0;
    expect(UPSTREAM_STRANGE);
}

static void test_errors(void **state)
{
    (void)state;
    begin();
    data[3] = 2;
    expect(UPSTREAM_ERROR); /* SERVFAIL */
    data[3] = 5;
    expect(UPSTREAM_ERROR); /* REFUSED */
    data[3] = 1;
    expect(UPSTREAM_NO_EDNS); /* FORMERR */
    data[3] = 4;
    expect(UPSTREAM_NO_EDNS); /* NOTIMP */
    upstream_packet_set_plain(&query, true);
    expect(UPSTREAM_ERROR);
    begin();
    data[3] = 1;
    data[5] = 0;
    len = UPSTREAM_HEADER; /* a server that did not even read the question */
    expect(UPSTREAM_NO_EDNS);
}

static void write_hosts(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void test_hosts(void **state)
{
    char path[] = "/tmp/cijail-hosts-XXXXXX";
    uint8_t a[HOSTS_FILE_ADDRESSES][16];
    int fd = mkstemp(path);
    struct hosts_file *h;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    write_hosts(path, "# comment\n10.0.0.5 Reg.Corp.example reg # 10.0.0.6 x\n"
                      "10.0.0.7\treg.corp.example\r\nfd00::1 reg.corp.example\nbad a.example\n"
                      "192.0.2.999 a.example\n10.0.0.9 last");
    h = hosts_file_new(path);
    assert_int_equal(hosts_file_find(h, "reg.corp.example", AF_INET, a), 2);
    assert_memory_equal(a[0], "\12\0\0\5", 4);
    assert_memory_equal(a[1], "\12\0\0\7", 4);
    assert_int_equal(hosts_file_find(h, "reg.corp.example", AF_INET6, a), 1);
    assert_int_equal(hosts_file_find(h, "reg", AF_INET, a), 1);
    assert_int_equal(hosts_file_find(h, "last", AF_INET, a), 1);
    assert_int_equal(hosts_file_find(h, "x", AF_INET, a), 0);
    assert_int_equal(hosts_file_find(h, "a.example", AF_INET, a), 0);
    hosts_file_free(h);
    assert_int_equal(unlink(path), 0);
    h = hosts_file_new(path);
    assert_int_equal(hosts_file_find(h, "reg", AF_INET, a), 0);
    hosts_file_free(h);
}

/* The answer is one that is believed. */
static void test_from_hosts(void **state)
{
    uint8_t address[2][16] = {{10, 0, 0, 5}, {10, 0, 0, 6}}, out[UPSTREAM_HOSTS_MAX];

    (void)state;
    begin();
    len = upstream_packet_from_hosts(&query, address, 2, out);
    assert_int_equal(upstream_packet_judge(&query, out, len), UPSTREAM_ANSWER);
    assert_int_equal(len, UPSTREAM_HEADER + query.question_len + 2 * 16);
    assert_int_equal(out[7], 2);
    assert_memory_equal(out + len - 4, "\12\0\0\6", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),      cmocka_unit_test(test_padding),
        cmocka_unit_test(test_answer),     cmocka_unit_test(test_not_the_answer),
        cmocka_unit_test(test_errors),     cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_from_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
