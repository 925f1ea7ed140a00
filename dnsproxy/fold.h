/* fold.h: log messages, with repeats folded into a count and floods bounded. */
#ifndef CIJAIL_DNSPROXY_FOLD_H
#define CIJAIL_DNSPROXY_FOLD_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#define FOLD_SLOTS 1024     /* different messages remembered */
#define FOLD_WINDOW_MS 1000 /* the same message again within this time only counts up */
#define FOLD_PER_SECOND 200 /* messages sent; what is over waits, and is counted */

struct fold;

/* Sends msg; it is the callee's until it returns. */
typedef void fold_send_cb(void *arg, const void *msg);

/* Of what tells msg from most others, but not of its count. */
typedef uint32_t fold_hash_cb(uint32_t seed, const void *msg);

/* size: of the messages. count_at: offset of their uint32_t count. others: a message (copied) that
 * stands for all those that found no slot; its count is filled in. */
struct fold *fold_new(struct event_base *base, size_t size, size_t count_at, const void *others,
                      fold_hash_cb *hash, fold_send_cb *send, void *arg);
void fold_free(struct fold *f);

/* count events, at least 1. msg is all of the message, zeroed where nothing stands, its count
 * ignored: two events are the same if all bytes else are. */
void fold_add(struct fold *f, const void *msg, uint32_t count);

/* Sends every count that waits, whatever the rate: at the end. At most FOLD_SLOTS + 1 messages. */
void fold_flush(struct fold *f);

#endif
