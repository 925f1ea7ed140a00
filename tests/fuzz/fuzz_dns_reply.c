/* fuzz_dns_reply.c: an upstream message. Its own question is what was asked, so that the fuzzer
 * comes past the check of it; whatever is believed must be a reply that ldns reads, with no private
 * address in it. */
#include <ldns/ldns.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dnsproxy/answer.h"
#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct answer answer;
static const struct policy policy; /* empty */
static uint8_t reply[DNS_MESSAGE_MAX];

/* The message's first question as a client would ask it. */
static bool ask(const uint8_t *data, size_t size, struct query *q)
{
    uint8_t m[DNS_HEADER_LEN + DNS_QUESTION_MAX] = {0};
    ldns_rr *rr = NULL;
    size_t pos = DNS_HEADER_LEN;
    if (size < DNS_HEADER_LEN ||
        ldns_wire2rr(&rr, data, size, &pos, LDNS_SECTION_QUESTION) != LDNS_STATUS_OK)
        return false;
    size_t n = ldns_rdf_size(ldns_rr_owner(rr));
    memcpy(m, data, 2);
    m[5] = 1;
    memcpy(m + DNS_HEADER_LEN, ldns_rdf_data(ldns_rr_owner(rr)), n);
    ldns_write_uint16(m + DNS_HEADER_LEN + n, (uint16_t)ldns_rr_get_type(rr));
    ldns_write_uint16(m + DNS_HEADER_LEN + n + 2, LDNS_RR_CLASS_IN);
    ldns_rr_free(rr);
    return query_parse(m, DNS_HEADER_LEN + n + 4, q) == QUERY_GOOD && q->name[0];
}

static void check_record(const ldns_rr *rr)
{
    ldns_rr_type type = ldns_rr_get_type(rr);
    if (type != LDNS_RR_TYPE_A && type != LDNS_RR_TYPE_AAAA)
        return;
    int family = type == LDNS_RR_TYPE_A ? AF_INET : AF_INET6;
    if (!answer_address_allowed(&policy, "a.example", family, ldns_rdf_data(ldns_rr_rdf(rr, 0))))
        abort();
}

static void check_reply(size_t len)
{
    ldns_pkt *pkt = NULL;
    if (ldns_wire2pkt(&pkt, reply, len) != LDNS_STATUS_OK)
        abort();
    for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_pkt_answer(pkt)); i++)
        check_record(ldns_rr_list_rr(ldns_pkt_answer(pkt), i));
    ldns_pkt_free(pkt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct query q;
    if (!ask(data, size, &q))
        return 0;
    struct asked asked = {.dns_id = q.id, .qtype = q.qtype, .name = q.name};
    if (answer_build(&policy, &asked, data, size, &answer) != ANSWER_GOOD)
        return 0;
    q.tcp = true;
    check_reply(answer_write(&q, 0, &answer, reply));
    q.tcp = false;
    if (answer_write(&q, 0, &answer, reply) > DNS_UDP_PLAIN)
        abort();
    return 0;
}
