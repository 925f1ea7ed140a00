/* fuzz_dns_query.c: a client's message, and the replies to whatever was read of it. */
#include <ldns/ldns.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dnsproxy/answer.h"
#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct answer answer;
static uint8_t reply[DNS_MESSAGE_MAX];

/* A reply carries the id and echoes the question, and is one that ldns reads. */
static void check_reply(const struct query *q, size_t len)
{
    ldns_pkt *pkt = NULL;
    if (len < DNS_HEADER_LEN + q->question_len || LDNS_ID_WIRE(reply) != q->id ||
        !LDNS_QR_WIRE(reply))
        abort();
    if (memcmp(reply + DNS_HEADER_LEN, q->question, q->question_len) != 0)
        abort();
    if (ldns_wire2pkt(&pkt, reply, len) != LDNS_STATUS_OK)
        abort();
    ldns_pkt_free(pkt);
}

static void check_names(const struct query *q)
{
    char text[QUERY_TEXT_SIZE];
    query_text(q, text);
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~')
            abort();
    if (strspn(q->name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(q->name))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct query q;
    enum query_verdict verdict = query_parse(data, size, &q);
    if (verdict == QUERY_DROP)
        return 0;
    if ((verdict == QUERY_ERROR) != (q.rcode != 0))
        abort();
    check_names(&q);
    check_reply(&q, answer_write(&q, q.rcode, NULL, reply));
    if (verdict == QUERY_GOOD) {
        answer_any(&answer);
        check_reply(&q, answer_write(&q, 0, &answer, reply));
        answer_localhost(&answer, q.qtype);
        check_reply(&q, answer_write(&q, 0, &answer, reply));
    }
    return 0;
}
