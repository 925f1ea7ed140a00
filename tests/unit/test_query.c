/* test_query.c: what a client may ask, and each way of asking that it may not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#include "dnsproxy/query.h"

/* id 0x1234, RD, one question, and what the rest of the counts says */
#define HEAD "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00"
#define PLAIN HEAD "\x00"
#define WITH_OPT HEAD "\x01"
#define STAEX "\5staex\2io\0"
#define A_IN "\0\1\0\1"
static const uint8_t root_a_in[] = {0, 0, 1, 0, 1}; /* the end of a name, type and class */
#define OPT "\0\0\x29\x04\xd0\0\0\0\0\0\0"

#define PARSE(q, bytes) query_parse((const uint8_t *)(bytes), sizeof(bytes) - 1, q)

static void expect_error(struct query *q, const char *bytes, size_t len, unsigned rcode)
{
    assert_int_equal(query_parse((const uint8_t *)bytes, len, q), QUERY_ERROR);
    assert_int_equal(q->rcode, rcode);
}
#define ERROR(q, bytes, rcode) expect_error(q, bytes, sizeof(bytes) - 1, rcode)

static void test_plain(void **state)
{
    (void)state;
    struct query q;
    assert_int_equal(PARSE(&q, PLAIN STAEX A_IN), QUERY_GOOD);
    assert_int_equal(q.id, 0x1234);
    assert_true(q.rd);
    assert_false(q.cd);
    assert_false(q.edns);
    assert_int_equal(q.qtype, LDNS_RR_TYPE_A);
    assert_int_equal(q.qclass, LDNS_RR_CLASS_IN);
    assert_string_equal(q.name, "staex.io");
    assert_int_equal(q.question_len, 14);
    assert_memory_equal(q.question, STAEX A_IN, 14);
}

static void test_musl(void **state)
{
    (void)state;
    struct query q;
    assert_int_equal(PARSE(&q, "\x12\x34\1\x20\0\1\0\0\0\0\0\0" STAEX A_IN), QUERY_GOOD);
    assert_true(query_is_of_musl(&q));
    assert_int_equal(PARSE(&q, PLAIN STAEX A_IN), QUERY_GOOD);
    assert_false(query_is_of_musl(&q));
    assert_int_equal(
        PARSE(&q, "\x12\x34\1\x20\0\1\0\0\0\0\0\1" STAEX A_IN "\0\0\x29\4\xd0\0\0\0\0\0\0"),
        QUERY_GOOD);
    assert_false(query_is_of_musl(&q));
}

static void test_case_is_kept_for_the_echo_only(void **state)
{
    (void)state;
    struct query q;
    assert_int_equal(PARSE(&q, PLAIN "\5StAeX\2iO\0" A_IN), QUERY_GOOD);
    assert_string_equal(q.name, "staex.io");
    assert_memory_equal(q.question, "\5StAeX\2iO\0", 10);
}

static void test_edns(void **state)
{
    (void)state;
    struct query q;
    assert_int_equal(PARSE(&q, WITH_OPT STAEX A_IN OPT), QUERY_GOOD);
    assert_true(q.edns);
    assert_int_equal(q.udp_size, 1232);
    /* options are skipped */
    assert_int_equal(PARSE(&q, WITH_OPT STAEX A_IN "\0\0\x29\x04\xd0\0\0\0\0\0\6\0\x0a\0\2hi"),
                     QUERY_GOOD);
    /* version 1: the question and an OPT come back */
    ERROR(&q, WITH_OPT STAEX A_IN "\0\0\x29\x04\xd0\0\1\0\0\0\0", 16);
    assert_true(q.edns);
    assert_int_equal(q.question_len, 14);
}

static void test_edns_malformed(void **state)
{
    (void)state;
    struct query q;
    ERROR(&q, WITH_OPT STAEX A_IN, LDNS_RCODE_FORMERR);  /* announced, absent */
    ERROR(&q, PLAIN STAEX A_IN OPT, LDNS_RCODE_FORMERR); /* present, not announced */
    ERROR(&q, WITH_OPT STAEX A_IN "\1a\0\0\x29\x04\xd0\0\0\0\0\0\0",
          LDNS_RCODE_FORMERR); /* not the root */
    ERROR(&q, WITH_OPT STAEX A_IN "\xc0\x14\0\x29\x04\xd0\0\0\0\0\0\0",
          LDNS_RCODE_FORMERR); /* a pointer to it */
    ERROR(&q, WITH_OPT STAEX A_IN "\0\0\1\0\1\0\0\0\0\0\4abcd",
          LDNS_RCODE_FORMERR); /* an A record */
    ERROR(&q, WITH_OPT STAEX A_IN "\0\0\x29\x04\xd0\0\0\0\0\0\4",
          LDNS_RCODE_FORMERR);                                  /* rdata cut */
    ERROR(&q, WITH_OPT STAEX A_IN OPT "x", LDNS_RCODE_FORMERR); /* bytes behind it */
}

static void test_dropped(void **state)
{
    (void)state;
    struct query q;
    assert_int_equal(PARSE(&q, ""), QUERY_DROP);
    assert_int_equal(PARSE(&q, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00"), QUERY_DROP);
    assert_int_equal(PARSE(&q, "\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00" STAEX A_IN),
                     QUERY_DROP);
}

static void test_header_errors(void **state)
{
    (void)state;
    struct query q;
    ERROR(&q, "\x12\x34\x11\x00\x00\x01\x00\x00\x00\x00\x00\x00" STAEX A_IN,
          LDNS_RCODE_NOTIMPL); /* STATUS */
    assert_int_equal(q.opcode, 2);
    assert_int_equal(q.question_len, 0);
    ERROR(&q, "\x12\x34\x29\x00\x00\x01\x00\x00\x00\x00\x00\x00" STAEX A_IN,
          LDNS_RCODE_NOTIMPL); /* UPDATE */
    ERROR(&q, "\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00",
          LDNS_RCODE_FORMERR); /* no question */
    ERROR(&q, "\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00" STAEX A_IN STAEX A_IN,
          LDNS_RCODE_FORMERR);
    ERROR(&q, "\x12\x34\x01\x00\x00\x01\x00\x01\x00\x00\x00\x00" STAEX A_IN OPT,
          LDNS_RCODE_FORMERR);
    ERROR(&q, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x01\x00\x00" STAEX A_IN OPT,
          LDNS_RCODE_FORMERR);
    ERROR(&q, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x02" STAEX A_IN OPT OPT,
          LDNS_RCODE_FORMERR);
}

static void test_question_errors(void **state)
{
    (void)state;
    struct query q;
    ERROR(&q, PLAIN, LDNS_RCODE_FORMERR);
    ERROR(&q, PLAIN STAEX "\0\1\0", LDNS_RCODE_FORMERR);
    ERROR(&q, PLAIN STAEX A_IN "\0", LDNS_RCODE_FORMERR);        /* a byte behind it */
    ERROR(&q, PLAIN "\xc0\x04" A_IN, LDNS_RCODE_FORMERR);        /* a pointer into the header */
    ERROR(&q, PLAIN "\xc0\x0c" A_IN, LDNS_RCODE_FORMERR);        /* to itself */
    ERROR(&q, PLAIN "\5staex\xc0\x04" A_IN, LDNS_RCODE_FORMERR); /* a suffix */
    ERROR(&q, PLAIN "\x40" STAEX A_IN, LDNS_RCODE_FORMERR); /* a label type that does not exist */
    ERROR(&q, PLAIN STAEX "\0\1\0\3", LDNS_RCODE_REFUSED);  /* class CH: read, and refused */
    assert_string_equal(q.name, "staex.io");
    ERROR(&q, PLAIN STAEX "\0\1\0\xff", LDNS_RCODE_REFUSED);
}

/* The longest name has 255 bytes on the wire. */
static void test_long_names(void **state)
{
    (void)state;
    uint8_t m[512] = PLAIN;
    size_t n = DNS_HEADER_LEN;
    struct query q;
    for (int i = 0; i < 4; i++) {
        size_t label = i < 3 ? 63 : 61;
        m[n++] = (uint8_t)label;
        memset(m + n, 'a' + i, label);
        n += label;
    }
    memcpy(m + n, root_a_in, sizeof(root_a_in));
    assert_int_equal(query_parse(m, n + 5, &q), QUERY_GOOD);
    assert_int_equal(strlen(q.name), 253);
    m[DNS_HEADER_LEN + 3 * 64] = 62; /* 256 bytes */
    memset(m + n, 'd', 1);
    memcpy(m + n + 1, root_a_in, sizeof(root_a_in));
    assert_int_equal(query_parse(m, n + 6, &q), QUERY_ERROR);
    assert_int_equal(q.rcode, LDNS_RCODE_FORMERR);
}

static void test_too_long(void **state)
{
    (void)state;
    static uint8_t m[QUERY_MAX + 1] = WITH_OPT STAEX A_IN "\0\0\x29\x04\xd0\0\0\0\0";
    size_t at = DNS_HEADER_LEN + 14 + 9, rdlen = QUERY_MAX - at - 2;
    struct query q;
    ldns_write_uint16(m + at, (uint16_t)rdlen);
    assert_int_equal(query_parse(m, QUERY_MAX, &q), QUERY_GOOD);
    ldns_write_uint16(m + at, (uint16_t)(rdlen + 1));
    assert_int_equal(query_parse(m, QUERY_MAX + 1, &q), QUERY_ERROR);
    assert_int_equal(q.rcode, LDNS_RCODE_FORMERR);
}

static void test_names_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        size_t len;
        const char *text;
    } cases[] = {
        {"\0" A_IN, 5, "."},
        {"\3a b\2IO\0" A_IN, 12, "a\\032b.io"},
        {"\3a.b\2io\0" A_IN, 12, "a\\046b.io"},
        {"\3a\0b\2io\0" A_IN, 12, "a\\000b.io"},
        {"\4\x1b[2J\2io\0" A_IN, 13, "\\027\\0912j.io"},
        {"\2\xc3\xa9\2io\0" A_IN, 11, "\\195\\169.io"},
        {"\1*\2io\0" A_IN, 10, "\\042.io"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t m[64] = PLAIN;
        struct query q;
        char text[QUERY_TEXT_SIZE];
        memcpy(m + DNS_HEADER_LEN, cases[i].wire, cases[i].len);
        assert_int_equal(query_parse(m, DNS_HEADER_LEN + cases[i].len, &q), QUERY_GOOD);
        assert_string_equal(q.name, "");
        query_text(&q, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* The longest text: 250 bytes, each of four characters. */
static void test_longest_text(void **state)
{
    (void)state;
    uint8_t m[512] = PLAIN;
    size_t n = DNS_HEADER_LEN;
    struct query q;
    char text[QUERY_TEXT_SIZE];
    for (int i = 0; i < 4; i++) {
        size_t label = i < 3 ? 63 : 61;
        m[n++] = (uint8_t)label;
        memset(m + n, 0xff, label);
        n += label;
    }
    memcpy(m + n, root_a_in, sizeof(root_a_in));
    assert_int_equal(query_parse(m, n + 5, &q), QUERY_GOOD);
    query_text(&q, text);
    assert_int_equal(strlen(text), 250 * 4 + 3);
}

static void test_types(void **state)
{
    (void)state;
    static const uint16_t meta[] = {
        0, LDNS_RR_TYPE_OPT, 128, LDNS_RR_TYPE_TKEY, LDNS_RR_TYPE_IXFR, LDNS_RR_TYPE_AXFR, 254};
    static const uint16_t data[] = {
        1, 28, 16, 46, 64, 65, 127, LDNS_RR_TYPE_ANY, LDNS_RR_TYPE_CAA, 65535};
    for (size_t i = 0; i < sizeof(meta) / sizeof(meta[0]); i++)
        assert_true(query_type_is_meta(meta[i]));
    for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
        assert_false(query_type_is_meta(data[i]));
}

static void test_localhost(void **state)
{
    (void)state;
    static const char *const yes[] = {"localhost", "a.localhost", "a.b.localhost"};
    static const char *const no[] = {"", "localhost.example", "xlocalhost", "local.host",
                                     "ocalhost"};
    struct query q = {0};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        snprintf(q.name, sizeof(q.name), "%s", yes[i]);
        assert_true(query_is_localhost(&q));
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        snprintf(q.name, sizeof(q.name), "%s", no[i]);
        assert_false(query_is_localhost(&q));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_musl),
        cmocka_unit_test(test_case_is_kept_for_the_echo_only),
        cmocka_unit_test(test_edns),
        cmocka_unit_test(test_edns_malformed),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_header_errors),
        cmocka_unit_test(test_question_errors),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_names_that_are_none),
        cmocka_unit_test(test_longest_text),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_localhost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
