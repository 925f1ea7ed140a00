/* answer.h: what the client is told, rebuilt out of what upstream said. */
#ifndef CIJAIL_DNSPROXY_ANSWER_H
#define CIJAIL_DNSPROXY_ANSWER_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsproxy/query.h"
#include "src/policy.h"

#define ANSWER_CHAIN_MAX 16 /* CNAMEs in a row */
#define ANSWER_OPT_LEN 11
#define ANSWER_ADDRESSES_MAX 4096 /* more do not fit into a message */
#define ANSWER_BODY_MAX (DNS_MESSAGE_MAX - DNS_HEADER_LEN - DNS_QUESTION_MAX - ANSWER_OPT_LEN)

/* The records of a reply as they stand behind its question. Names in it point (RFC 1035, 4.1.4) to
 * the question and into the body itself, so it fits behind any question of the same name, in
 * whatever letter case. */
struct answer {
    uint8_t rcode;    /* NOERROR, NXDOMAIN */
    uint16_t ancount; /* CNAMEs and answers */
    uint16_t nscount; /* the SOA of a negative answer */
    size_t len;
    unsigned withheld;                    /* addresses left out for answer_address_allowed */
    char withheld_text[INET6_ADDRSTRLEN]; /* the first of them */
    /* Of an A or AAAA question: the addresses that are told. */
    int family;   /* AF_INET, AF_INET6, or 0: another question */
    uint32_t ttl; /* the longest of their times */
    unsigned address_count;
    uint8_t body[ANSWER_BODY_MAX];
    uint8_t address[ANSWER_ADDRESSES_MAX][16]; /* IPv4 in the first four bytes */
};

enum answer_status {
    ANSWER_GOOD,
    ANSWER_TRUNCATED, /* to be asked again over TCP */
    ANSWER_BAD,       /* not believed, or an error of upstream: SERVFAIL */
};

/* What was asked upstream. */
struct asked {
    uint16_t dns_id;
    uint16_t qtype;
    bool tcp;
    const char *name; /* canonical */
};

/* May this address (4 or 16 bytes in network order) stand in an answer? Only a public one: a name's
 * owner chooses its addresses, and one of the host's own networks (the cloud's metadata service, a
 * router) is never honest in a public name: DNS rebinding. Or one that the policy itself names
 * (ADDRESS:PORT, ADDRESS/LEN:PORT). */
bool answer_address_allowed(const struct policy *policy, int family, const uint8_t *address);

/* Judges and rebuilds an upstream message. Pure; a is filled if the status is ANSWER_GOOD. */
enum answer_status answer_build(const struct policy *policy, const struct asked *asked,
                                const uint8_t *wire, size_t len, struct answer *a);

/* Answers that are made here: localhost (RFC 6761, 6.3), ANY (RFC 8482, 4.2), and no data at all.
 */
void answer_localhost(struct answer *a, uint16_t qtype);
void answer_any(struct answer *a);
void answer_empty(struct answer *a);

/* Writes the reply to q into buf (DNS_MESSAGE_MAX bytes): a, or if a is NULL no records. rcode is
 * used if a is NULL. Over UDP a reply that is too long for the client becomes an empty one with TC.
 * Returns its length. */
size_t answer_write(const struct query *q, uint16_t rcode, const struct answer *a, uint8_t *buf);

#endif
