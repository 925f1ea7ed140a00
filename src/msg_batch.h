/* msg_batch.h: the entries of a MSG_LOG_BATCH: requests that were allowed and answered. */
#ifndef CIJAIL_MSG_BATCH_H
#define CIJAIL_MSG_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "src/msg.h"

struct msg_batch_entry {
    uint64_t bytes_sent, bytes_received; /* as in struct msg_log_request */
    uint32_t endpoint;
    int32_t status;
    const char *method, *url; /* cut where msg_log_request has no room */
};

/* Empties a batch. */
void msg_batch_init(struct msg_log_batch *b);

/* False: there is no room. */
bool msg_batch_add(struct msg_log_batch *b, const struct msg_batch_entry *e);

/* Reads the entry at *at (0 at first) into out, an allowed request, and moves on. False: there is
 * none any more, or b is malformed there (which msg_check has excluded of a message that came). */
bool msg_batch_next(const struct msg_log_batch *b, size_t *at, struct msg_log_request *out);

/* Its fields; length: of the message. */
bool msg_batch_check(const struct msg_log_batch *b, size_t length);

#endif
