/* dnsproxy.h: the state of this process, and what its parts call of one another. */
#ifndef CIJAIL_DNSPROXY_H
#define CIJAIL_DNSPROXY_H

#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "dnsproxy/answer.h"
#include "dnsproxy/cache.h"
#include "dnsproxy/fold.h"
#include "dnsproxy/held.h"
#include "dnsproxy/nflog.h"
#include "dnsproxy/query.h"
#include "dnsproxy/reject.h"
#include "dnsproxy/reverse.h"
#include "dnsproxy/secure.h"
#include "src/channel.h"
#include "src/net.h"
#include "src/policy.h"
#include "src/search_list.h"

struct lookups;
struct tcp;
struct tcp_connection;
struct udp;
struct upstream;

#define DRAIN_MS 1000 /* at the end, for room in the socket: a machine can be busy */

struct dnsproxy {
    bool inherited[PROXY_FD_MAX + 1]; /* which descriptors are there */
    struct event_base *base;
    struct channel *channel;
    struct policy policy;
    struct fold *allowed, *denied, *rejected; /* log messages */
    struct upstream *upstream;
    struct lookups *lookups;
    char *roots; /* PEM text, until secure has read it; or NULL */
    size_t roots_len;
    struct secure *secure; /* NULL: no --upstream tls:// */
    struct cache *cache;
    struct reverse *reverse;
    struct search_list search;
    char hostname[NAME_SIZE]; /* canonical, or "": it has none that could be asked for */
    struct udp *udp[2];
    struct tcp *tcp;
    struct reject *reject;
    struct held *held; /* NULL: the policy has no raw endpoint */
    struct event *nflog_event, *held_event;
    bool draining;                  /* the channel has ended: what was received is still logged */
    bool mute;                      /* and nobody listens any more */
    struct answer answer;           /* the one that is being made */
    uint8_t reply[DNS_MESSAGE_MAX]; /* the message that is being sent */
    _Alignas(uint64_t) uint8_t nflog_buffer[NFLOG_BUFFER];
};

/* Where a reply goes. */
struct client {
    struct tcp_connection *connection; /* NULL: UDP, and the rest says where */
    struct msg_server server; /* whom it asked: one of the policy, or family 0: the gateway */
    struct udp *udp;
    socklen_t address_len;
    union {
        struct sockaddr sa;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
};

/* What became of a question: of the jail's (upstream.c), or, with LOOKUP_ID in its id, of the
 * supervisor's (lookup.c). */
struct outcome {
    uint64_t id;
    int error;       /* 0, or a positive errno: EACCES: refused by policy */
    uint16_t dns_id; /* that the answer must carry */
    bool tcp;        /* it came over TCP, or TLS */
    bool hosts_below;
    const uint8_t *data;
    size_t len;
};

#define LOOKUP_ID (1ULL << 63)

void dnsproxy_answered(struct dnsproxy *p, const struct outcome *r);

/* dnsproxy.c: runs until the channel ends. Ends the process with 125 if it cannot be set up. */
void dnsproxy_run(struct dnsproxy *p);

/* server.c */

/* Whom a packet to that address was sent to: out->family is 0 if that is the gateway itself. False
 * if it is neither the gateway nor a server that may be asked, which the rules let through to
 * nobody. */
bool server_identify(const struct policy *p, const struct sockaddr *address,
                     struct msg_server *out);

/* serve.c: one message of a client; each gets exactly one serve_answer or serve_drop, now or later.
 */
void serve_query(struct dnsproxy *p, const struct client *c, const uint8_t *wire, size_t len);

/* Answers it: with v, or if that is NULL with rcode alone. */
void serve_answer(struct dnsproxy *p, const struct client *c, const struct query *q, uint16_t rcode,
                  const struct answer_view *v);

/* upstream.c */
struct upstream *upstream_new(struct dnsproxy *p);
void upstream_free(struct upstream *u);

/* Asks for the name and type of q, which are those of key, and remembers the client. q->name has
 * been allowed by that endpoint of the policy, or (POLICY_INDEX_NONE) passes in a dry run, which
 * has been logged. -ENOBUFS if too much is under way (the client is not remembered then), or an
 * error of channel_send. */
int upstream_ask(struct upstream *u, const struct client *c, const struct query *q,
                 const struct cache_key *key, uint32_t endpoint);
void upstream_reply(struct upstream *u, const struct outcome *r);
void upstream_flush(struct upstream *u); /* tells the log of the questions that are under way */
/* For a name with a NAME:PORT endpoint the supervisor is told the addresses before the clients are,
 * so that who connects to one of them right away is let through (learned.c). In a dry run it is
 * told those of every name, for the policy that is learned. */
void upstream_teach(struct upstream *u, const char *name, const struct answer_address *a,
                    unsigned count, uint32_t ttl);

/* lookup.c: one answer (ADDRESSES) to each. */
struct lookups *lookups_new(struct dnsproxy *p);
void lookups_free(struct lookups *l);
void lookup_begin(struct lookups *l, const struct msg_lookup *m);
void lookup_reply(struct lookups *l, const struct outcome *r);

/* udp.c: fd is a bound socket and stays the caller's. */
struct udp *udp_new(struct dnsproxy *p, int fd);
void udp_free(struct udp *u);
void udp_read(struct udp *u); /* what is there, up to a bound */
/* With other replies at the end of this turn of the loop. len: at most DNS_UDP_EDNS. */
void udp_reply(const struct client *c, const uint8_t *data, size_t len);
void udp_flush(struct udp *u); /* not at the end of this turn, but now */

/* tcp.c: the descriptors listen, or are -1; they stay the caller's. */
struct tcp *tcp_new(struct dnsproxy *p, int fd4, int fd6);
void tcp_free(struct tcp *t);
/* The reply to one query of the connection, or (data NULL) none: the connection is closed then. */
void tcp_reply(struct tcp_connection *c, const uint8_t *data, size_t len);

/* log.c */
void log_open(struct dnsproxy *p);
void log_close(struct dnsproxy *p);
void log_flush(struct dnsproxy *p);
void log_finish(struct dnsproxy *p); /* after the last message */
void log_allow(struct dnsproxy *p, const char *name, uint16_t qtype, uint32_t endpoint,
               const char *reason, uint32_t count); /* reason: "", or why there was no answer */
void log_deny(struct dnsproxy *p, const char *name, uint16_t qtype, const char *reason,
              uint32_t count);
void log_would_deny(struct dnsproxy *p, const char *name, uint16_t qtype, const char *reason,
                    uint32_t count);
/* A lookup that was answered out of the cache; the log is told now and then, in sum. */
void log_hit(struct dnsproxy *p, struct cached *e, uint64_t now);
/* In a dry run, where the rules give every server to this process: that it was spoken to. */
void log_server(struct dnsproxy *p, uint8_t protocol, const struct msg_server *server);
void log_reject(struct dnsproxy *p, const struct nflog_packet *packet);

#endif
