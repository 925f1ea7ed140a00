/* upstream_judge.h: whether a message of a DNS server is the answer to a query. */
#ifndef CIJAIL_UPSTREAM_JUDGE_H
#define CIJAIL_UPSTREAM_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPSTREAM_HEADER 12
#define RCODE_NXDOMAIN 3

enum upstream_verdict {
    UPSTREAM_STRANGE, /* not the answer: the right one may still come */
    UPSTREAM_ANSWER,
    UPSTREAM_NO_EDNS, /* the server does not know the OPT record (RFC 6891, 7) */
    UPSTREAM_ERROR,   /* another server may know better: SERVFAIL, REFUSED and the like */
};

/* By id, question and rcode; nothing else of data is looked at. query: the message that was sent,
 * whose question has question_len bytes; plain: it had no OPT record. RFC 5452, 9.1. */
enum upstream_verdict upstream_judge(const uint8_t *query, size_t question_len, bool plain,
                                     const uint8_t *data, size_t len);

#endif
