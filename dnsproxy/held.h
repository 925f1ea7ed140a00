/* held.h: TCP connections that the rules hold until the supervisor has made them. */
#ifndef CIJAIL_DNSPROXY_HELD_H
#define CIJAIL_DNSPROXY_HELD_H

#include <event2/event.h>

#include "dnsproxy/nflog.h"
#include "src/msg.h"

struct dnsproxy;
struct held;

/* What it sends through: raw sockets of the gateway, or -1; they stay the caller's. By enum
 * msg_opened_to - 1. */
struct held_sockets {
    int fd4[2], fd6[2];
};

struct held *held_new(struct dnsproxy *p, const struct held_sockets *sockets);
void held_free(struct held *h);

/* A held packet. The supervisor is asked, once, however often the client sends it. */
void held_packet(struct held *h, const struct nflog_packet *p);

/* The supervisor's answer. An id that is not known is passed over. */
void held_opened(struct held *h, const struct msg_opened *m);

/* Logs what was not answered and is not allowed: at the end. */
void held_flush(struct held *h);

#endif
