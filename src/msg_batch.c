/* msg_batch.c: many requests in one message; see msg_batch.h.
 *
 *   lengths and numbers (struct packed) | method | URL      one after the other, no padding between
 *
 * A request that was allowed and answered is the common case, and the one that must cost little: a
 * message of its own of 4 KiB for each, and a wake-up of the supervisor, would cost more than the
 * judgement. */
#include "src/msg_batch.h"

#include <string.h>

#include "src/util.h"

struct packed {
    uint64_t bytes_sent, bytes_received;
    uint32_t endpoint;
    int32_t status;
    uint16_t method_len, url_len; /* without NUL */
    uint32_t pad;
};

void msg_batch_init(struct msg_log_batch *b)
{
    b->used = 0;
    msg_init(b, MSG_LOG_BATCH, offsetof(struct msg_log_batch, data));
}

bool msg_batch_add(struct msg_log_batch *b, const struct msg_batch_entry *e)
{
    struct packed p = {.bytes_sent = e->bytes_sent,
                       .bytes_received = e->bytes_received,
                       .endpoint = e->endpoint,
                       .status = e->status,
                       .method_len = (uint16_t)strnlen(e->method, MSG_METHOD_SIZE - 1),
                       .url_len = (uint16_t)strnlen(e->url, MSG_URL_SIZE - 1)};
    size_t len = sizeof(p) + p.method_len + p.url_len;
    uint8_t *to = b->data + b->used;

    if (len > sizeof(b->data) - b->used)
        return false;
    memcpy(to, &p, sizeof(p));
    memcpy(to + sizeof(p), e->method, p.method_len);
    memcpy(to + sizeof(p) + p.method_len, e->url, p.url_len);
    b->used += (uint32_t)len;
    b->head.length = (uint32_t)(offsetof(struct msg_log_batch, data) + b->used);
    return true;
}

/* The entry at *at: its numbers and where its strings begin, or NULL. Moves on. */
static const uint8_t *take(const struct msg_log_batch *b, size_t *at, struct packed *p)
{
    size_t left = b->used - *at;
    const uint8_t *from = b->data + *at;

    if (left < sizeof(*p))
        return NULL;
    memcpy(p, from, sizeof(*p));
    left -= sizeof(*p);
    if (p->status < 0 || p->status > 999 || p->method_len >= MSG_METHOD_SIZE ||
        p->url_len >= MSG_URL_SIZE || (size_t)p->method_len + p->url_len > left)
        return NULL;
    *at += sizeof(*p) + p->method_len + p->url_len;
    return from + sizeof(*p);
}

static void put_string(char *to, const uint8_t *from, size_t len)
{
    memcpy(to, from, len);
    to[len] = '\0';
}

bool msg_batch_next(const struct msg_log_batch *b, size_t *at, struct msg_log_request *out)
{
    struct packed p;
    const uint8_t *strings = take(b, at, &p);

    if (!strings)
        return false;
    msg_init(out, MSG_LOG_REQUEST, sizeof(*out));
    out->decision = MSG_ALLOW;
    out->endpoint = p.endpoint;
    out->status = p.status;
    out->bytes_sent = p.bytes_sent;
    out->bytes_received = p.bytes_received;
    put_string(out->method, strings, p.method_len);
    put_string(out->url, strings + p.method_len, p.url_len);
    out->reason[0] = '\0';
    return true;
}

bool msg_batch_check(const struct msg_log_batch *b, size_t length)
{
    struct packed p;
    size_t at = 0;

    if (length < offsetof(struct msg_log_batch, data) ||
        length - offsetof(struct msg_log_batch, data) != b->used || b->used == 0 ||
        b->used > sizeof(b->data))
        return false;
    while (at < b->used) {
        const uint8_t *strings = take(b, &at, &p);
        if (!strings || memchr(strings, '\0', (size_t)p.method_len + p.url_len))
            return false;
    }
    return true;
}
