/* answer.h: what the client is told, rebuilt out of what upstream said. */
#ifndef CIJAIL_DNSPROXY_ANSWER_H
#define CIJAIL_DNSPROXY_ANSWER_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsproxy/query.h"
#include "src/policy.h"

#define ANSWER_CHAIN_MAX 16     /* CNAMEs in a row */
#define ANSWER_RECORDS_MAX 5461 /* more do not fit into a message: 12 bytes each */
#define ANSWER_TTL_MAX 604800   /* seconds; what is longer is cut (RFC 8767, 4) */
#define ANSWER_OPT_LEN 11
#define ANSWER_ADDRESSES_MAX 4096 /* more do not fit into a message */
#define ANSWER_BODY_MAX (DNS_MESSAGE_MAX - DNS_HEADER_LEN - DNS_QUESTION_MAX - ANSWER_OPT_LEN)

/* The records of a reply as they stand behind its question. Names in it point (RFC 1035, 4.1.4) to
 * the question and into the body itself, so it fits behind any question of the same name, in
 * whatever letter case. */
struct answer_view {
    uint8_t rcode;      /* NOERROR, NXDOMAIN */
    uint16_t ancount;   /* CNAMEs and answers */
    uint16_t nscount;   /* the SOA of a negative answer */
    size_t len;         /* of body */
    uint32_t age;       /* seconds that are taken off each TTL */
    uint32_t stale_ttl; /* if not 0: what each TTL is instead (RFC 8767) */
    const uint8_t *body;
    const uint16_t *ttl_at; /* of each record, in body */
};

/* An address that is told. */
struct answer_address {
    uint8_t family;      /* AF_INET, AF_INET6 */
    uint8_t address[16]; /* IPv4 in the first four bytes */
};

struct answer {
    uint8_t rcode;
    uint16_t ancount;
    uint16_t nscount;
    size_t len;
    unsigned withheld;                    /* addresses that answer_address_allowed leaves out; in a
                                             dry run they are told */
    char withheld_text[INET6_ADDRSTRLEN]; /* the first of them */
    uint32_t cache_ttl; /* how long it holds: the shortest of its times, and of a negative answer by
                           its SOA (RFC 2308, 5); 0: not at all */
    /* The addresses that are told: of an A or AAAA question, or the hints of SVCB. */
    uint32_t ttl; /* the longest of their times */
    unsigned address_count;
    uint8_t body[ANSWER_BODY_MAX];
    uint16_t ttl_at[ANSWER_RECORDS_MAX];
    struct answer_address address[ANSWER_ADDRESSES_MAX];
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
    bool unjudged;    /* addresses are not withheld: who asked judges them */
    const char *name; /* canonical */
};

/* What q's client is to be told; it lives as long as a does. */
struct answer_view answer_view(const struct answer *a);

/* May this address (4 or 16 bytes in network order) stand in an answer? Only a public one: a name's
 * owner chooses its addresses, and one of the host's own networks (the cloud's metadata service, a
 * router) is never honest in a public name: DNS rebinding. Or one that the policy itself names
 * (ADDRESS:PORT, ADDRESS/LEN:PORT), or a private one if it has NAME!private for that name. */
bool answer_address_allowed(const struct policy *policy, const char *name, int family,
                            const uint8_t *address);

/* Judges and rebuilds an upstream message. Pure; a is filled if the status is ANSWER_GOOD. */
enum answer_status answer_build(const struct policy *policy, const struct asked *asked,
                                const uint8_t *wire, size_t len, struct answer *a);

/* Answers that are made here: localhost (RFC 6761, 6.3), ANY (RFC 8482, 4.2), the name of an
 * address (canonical), and no data at all. */
void answer_localhost(struct answer *a, uint16_t qtype);
void answer_ptr(struct answer *a, const char *name);
void answer_any(struct answer *a);
void answer_empty(struct answer *a);

/* Writes the reply to q into buf (DNS_MESSAGE_MAX bytes): a, or if a is NULL no records. rcode is
 * used if a is NULL. Over UDP a reply that is too long for the client becomes an empty one with TC.
 * Returns its length. */
size_t answer_write(const struct query *q, uint16_t rcode, const struct answer *a, uint8_t *buf);
size_t answer_write_view(const struct query *q, uint16_t rcode, const struct answer_view *v,
                         uint8_t *buf);

#endif
