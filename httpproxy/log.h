/* log.h: what became of each request, for the supervisor's log. */
#ifndef CIJAIL_HTTPPROXY_LOG_H
#define CIJAIL_HTTPPROXY_LOG_H

#include <stdint.h>

#include "httpproxy/proxy.h"
#include "src/msg.h"

struct log_entry {
    enum msg_decision decision;
    const struct endpoint *endpoint; /* NULL: none */
    int status;
    uint64_t sent, received;
    const char *method, *url,
        *reason; /* text, cut where a message has no room; reason may be NULL */
};

/* Requests that were allowed and answered are gathered, for LIMIT_LOG_MS at most; all others go at
 * once, after those. */
void log_request(struct proxy *p, const struct log_entry *l);

/* Sends what was gathered. */
void log_flush(struct proxy *p);

/* Once, before any of the others; and its end, which sends nothing. */
void log_init(struct proxy *p);
void log_end(struct proxy *p);

/* A denied request. */
void log_deny(struct proxy *p, const char *method, const char *url, const char *reason);

/* The request line of a head that could not be read, as far as it looks like one. */
void log_deny_head(struct proxy *p, const char *head, size_t len, const char *reason);

#endif
