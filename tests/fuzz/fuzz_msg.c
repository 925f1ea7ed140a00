/* fuzz_msg.c: msg_check over any bytes; of what it lets through, everything that a receiver goes by
 * is read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/msg.h"
#include "src/msg_batch.h"
#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

/* All of a message that has passed must be entries. */
static size_t read_batch(const struct msg_log_batch *b)
{
    struct msg_log_request r;
    size_t at = 0, sum = 0;

    while (msg_batch_next(b, &at, &r)) {
        r.head.length = sizeof(r);
        sum += strlen(r.method) + strlen(r.url) + strlen(r.reason);
    }
    if (at != b->used)
        abort();
    return sum;
}

/* Strings must end inside their arrays: strlen over the exact allocation lets ASan see one that
 * does not. */
static size_t read_strings(const void *m)
{
    const struct msg_head *head = m;
    switch (head->type) {
    case MSG_DIAL:
        return strlen(((const struct msg_dial *)m)->host);
    case MSG_DIALED:
        return strlen(((const struct msg_dialed *)m)->text);
    case MSG_QUERY:
        return strlen(((const struct msg_query *)m)->name);
    case MSG_LOG_REQUEST: {
        const struct msg_log_request *r = m;
        return strlen(r->method) + strlen(r->url) + strlen(r->reason);
    }
    case MSG_LOG_BATCH:
        return read_batch(m);
    case MSG_LOG_RESOLVE: {
        const struct msg_log_resolve *r = m;
        return strlen(r->name) + strlen(r->reason);
    }
    case MSG_REPLY: {
        const struct msg_reply *r = m;
        return r->data_len ? r->data[r->data_len - 1] : 0;
    }
    case MSG_LEARN: {
        const struct msg_learn *l = m;
        return strlen(l->name) + l->address[l->count - 1][15];
    }
    case MSG_LOOKUP:
        return strlen(((const struct msg_lookup *)m)->name);
    case MSG_ADDRESSES: {
        const struct msg_addresses *a = m;
        return a->count ? a->address[a->count - 1].address[15] : 0;
    }
    case MSG_TLS_DIALED: {
        const struct msg_tls_dialed *d = m;
        return strlen(d->name) + strlen(d->address);
    }
    case MSG_TLS_FAILED:
        return strlen(((const struct msg_tls_failed *)m)->text);
    case MSG_LOG_TUNNEL: {
        const struct msg_log_tunnel *t = m;
        return strlen(t->name) + strlen(t->reason);
    }
    default:
        return 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *m = xmalloc(size); /* aligned, and of the exact size */
    memcpy(m, data, size);
    if (msg_check(m, size) == 0) {
        const struct msg_head *head = m;
        if (head->type == 0 || head->type >= MSG_TYPE_END || msg_length(m) != size)
            abort();
        sink = read_strings(m);
    }
    free(m);
    return 0;
}
