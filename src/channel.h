/* channel.h: one end of a SOCK_SEQPACKET socket in a libevent loop, with a bounded queue to send.
 */
#ifndef CIJAIL_CHANNEL_H
#define CIJAIL_CHANNEL_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/msg.h"

#define CHANNEL_QUEUE_MAX 65536         /* messages */
#define CHANNEL_QUEUE_BYTES (64u << 20) /* bytes of them */

struct channel;

/* A good message (msg_check passed, type in the set given to channel_new). fd is the descriptor
 * that came with it, and the callee owns it; or -1, also if this process may open no more. */
typedef void channel_message_cb(struct channel *c, const struct msg_head *m, int fd, void *arg);

/* The channel is dead: the peer went away (reason NULL), or broke the protocol (reason says how).
 * Called once; the callee frees the channel. */
typedef void channel_closed_cb(struct channel *c, const char *reason, void *arg);

/* fd: owned by the channel. types: bit (1u << enum msg_type) set for each type that the peer may
 * send; fd_types: likewise for those that may carry one descriptor (others with one break the
 * protocol). Ends the process if memory is out. */
struct channel *channel_new(struct event_base *base, int fd, unsigned types, unsigned fd_types,
                            channel_message_cb *message, channel_closed_cb *closed, void *arg);
void channel_free(struct channel *c);

/* From here on the peer may send messages of that type, too; without a descriptor. */
void channel_allow(struct channel *c, enum msg_type type);

/* Sends or queues m; a descriptor (or -1) goes along and is closed here in any case. -ENOBUFS if
 * the queue is full (the message is dropped), -EPIPE if the channel is dead. */
int channel_send(struct channel *c, const void *m, int fd);

/* For many small messages at once: several are read by one system call from here on, and
 * channel_send_soon may be used. The process may call recvmmsg and sendmmsg. first (or NULL) is
 * called, with channel_new's arg, before what was sent "soon" leaves at the end of a turn: for what
 * is more urgent still. It may send on the channel, but not free it. */
typedef void channel_first_cb(void *arg);
void channel_batch(struct channel *c, channel_first_cb *first);

/* The same as channel_send, at the end of this turn of the loop, with what else is sent so; before
 * anything that channel_send sends later. */
int channel_send_soon(struct channel *c, const void *m);
/* Not at the end of this turn, but now. */
void channel_flush(struct channel *c);
/* The same, and all that waits for room in the socket: to a peer that reads nothing for ms, no
 * more. The process may call poll. */
void channel_drain(struct channel *c, int ms);

/* Handles what has come already, at most CHANNEL_CATCH_UP messages, as if the loop had found them
 * now. Not from inside of a callback of this channel; the channel may be gone afterwards. */
#define CHANNEL_CATCH_UP 1024
void channel_catch_up(struct channel *c);

/* Is it over, or was it freed while one of its callbacks runs? Nothing is to be kept for it then.
 */
bool channel_is_over(const struct channel *c);

/* Messages waiting to be sent. */
size_t channel_queued(const struct channel *c);

#endif
