/* query.h: what a client asked. */
#ifndef CIJAIL_DNSPROXY_QUERY_H
#define CIJAIL_DNSPROXY_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/name.h"

#define DNS_HEADER_LEN 12
#define DNS_NAME_WIRE_MAX 255
#define DNS_QUESTION_MAX (DNS_NAME_WIRE_MAX + 4)
#define DNS_MESSAGE_MAX 65535
#define DNS_UDP_PLAIN 512 /* the longest UDP reply without EDNS (RFC 1035, 4.2.1) */
#define DNS_UDP_EDNS 1232 /* and with it: what no path fragments */
#define QUERY_MAX 4096    /* bytes of a query; an honest one has a few hundred at most */
#define QUERY_TEXT_SIZE (NAME_SIZE * 4)

enum query_verdict {
    QUERY_DROP,  /* no query at all: no answer */
    QUERY_ERROR, /* to be answered with query.rcode and nothing more */
    QUERY_GOOD,
};

struct query {
    uint16_t id;
    uint8_t opcode;
    bool rd, ad, cd;
    bool tcp;               /* it came over TCP: the reply may be long; set by the caller */
    bool edns;              /* it had an OPT record, so the reply gets one */
    uint16_t udp_size;      /* of that record */
    uint16_t qtype, qclass; /* host byte order */
    uint16_t rcode;         /* of QUERY_ERROR; over 15: extended (RFC 6891, 6.1.3) */
    size_t name_len;        /* of name, or 0 */
    size_t question_len;    /* 0: the question was not read and is not echoed */
    uint8_t question[DNS_QUESTION_MAX]; /* as asked, letter case included; not compressed */
    char name[NAME_SIZE];               /* canonical, or empty if the bytes are no host name */
};

/* Parses one message of a client. Pure. RFC 1035, 4.1; RFC 6891; RFC 9619 (QDCOUNT is 1). */
enum query_verdict query_parse(const uint8_t *wire, size_t len, struct query *q);

/* The name as asked for the log: canonical if it can be, else with every other byte as \DDD (RFC
 * 1035, 5.1). Empty if no question was read. */
void query_text(const struct query *q, char out[QUERY_TEXT_SIZE]);

/* Types that never go upstream, whatever the name: 0, OPT and the meta types 128 to 254 (RFC
 * 6895, 3.1; TKEY, TSIG, IXFR, AXFR, MAILB, MAILA). ANY is none of these: it is answered here (RFC
 * 8482). */
bool query_type_is_meta(uint16_t qtype);

/* Whether it looks like one of musl's resolver: over UDP or TCP with AD, and without EDNS. To that
 * any error but NXDOMAIN is no answer at all, and it waits for five seconds (its res_msend.c). */
bool query_is_of_musl(const struct query *q);

/* "localhost" or a name under it (RFC 6761, 6.3). */
bool query_is_localhost(const struct query *q);

#endif
