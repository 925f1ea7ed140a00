/* proxy.h: the one struct of a cijail-httpproxy process. */
#ifndef CIJAIL_HTTPPROXY_PROXY_H
#define CIJAIL_HTTPPROXY_PROXY_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/bio.h>
#include <sys/queue.h>

#include "httpproxy/ca.h"
#include "httpproxy/head.h"
#include "httpproxy/mitm.h"
#include "httpproxy/secret.h"
#include "src/channel.h"
#include "src/msg.h"
#include "src/policy.h"

struct h2_pool;
struct openings;
struct relays;
struct session;
struct upstreams;
struct vias;

TAILQ_HEAD(session_list, session);

/* Large things that are needed while one head is read and written, and never across a turn of the
 * loop. */
struct scratch {
    struct head_request request;
    struct head_response response;
    struct url url;
    char url_text[URL_TEXT_SIZE];
    char text[URL_TEXT_SIZE * 2];
    char head[HEAD_MAX + URL_TEXT_SIZE];
    char mended[HEAD_MAX]; /* a response head */
    struct secret_text secrets;
};

struct listener {
    struct proxy *proxy;
    int fd; /* -1: none */
    bool transparent;
    struct event event;
};

struct proxy {
    struct event_base *base;
    struct channel *channel;
    struct policy policy;
    struct ca *ca; /* NULL: no https endpoint, and no dry run */
    struct mitm *mitm;
    BIO_METHOD *bio;
    struct upstreams *upstreams;
    struct h2_pool *h2;        /* connections to servers that speak HTTP/2 */
    size_t h2_wider;           /* of their streams: bytes beyond LIMIT_H2_WINDOW each */
    struct openings *openings; /* connections to servers that no request owns yet */
    struct vias *vias;         /* what goes by a proxy of the host's network */
    struct secrets *secrets;
    struct quota *quota;          /* NULL: no limit to what is sent */
    struct relays *relays;        /* tunnels that are nobody's session any more (raw.c) */
    size_t raw_count;             /* sessions that may become one */
    struct session_list sessions; /* all of them */
    struct session_list queue;    /* those that have more to do than one turn allows */
    size_t session_count, session_max, queue_len;
    size_t ahead_count;                     /* of all sessions (pipeline.h) */
    unsigned handshakes, handshakes_before; /* since memory was given back; at the last tick */
    struct listener listeners[4];
    bool accepting;
    bool finishing; /* MSG_FINISH has come: the loop ends when all is sent */
    bool ended_all; /* after that: what goes on are tunnels alone */
    bool answered;  /* the same is the answer */
    bool ending;    /* it is being freed, one part after the other */
    uint64_t finish_deadline;
    struct event tick, run, accept_again;
    struct event flush; /* of what is gathered (log.c) */
    struct msg_log_batch gathered;
    struct scratch scratch;
};

/* Takes over the policy, and roots (PEM text of roots_len bytes or NULL, malloc'ed). channel_fd: to
 * the supervisor; taken over in any case. Makes the CA if the policy has an https endpoint, or in a
 * dry run. NULL and the reason. */
struct proxy *proxy_new(struct policy *policy, char *roots, size_t roots_len, int channel_fd,
                        size_t session_max, struct error *e);

/* The certificate of the CA, if there is one, to the supervisor, which lets the command start. 0 or
 * -errno. */
int proxy_send_ca(struct proxy *p, struct error *e);

/* What the supervisor has sent already, before this process was started: the caller's proxies and
 * secrets. To be called once, before the jail is served. */
void proxy_take_configuration(struct proxy *p);

/* Ends all connections; requests under way are reported with why (NULL: they are not). */
void proxy_free(struct proxy *p, const char *why);

/* What the jail may send is limited by this (quota.h). */
void proxy_limit(struct proxy *p, struct quota *quota);

/* As stream_write, to a server: counted, and no more than the limit has left; -EDQUOT if it has
 * nothing. */
struct stream;
ssize_t proxy_send(struct proxy *p, struct stream *server, const void *data, size_t len);

/* A session has more to do: it runs again in the next turn of the loop. */
void proxy_run_later(struct proxy *p, struct session *s);

/* Too many messages wait in the channel: no new request is begun. */
bool proxy_congested(const struct proxy *p);

/* A session, a kept connection or a dial came or went: the clock runs and clients are accepted as
 * need be. */
void proxy_changed(struct proxy *p);

/* The whole life of the process; returns its exit status. */
int proxy_main(void);

/* --- listen.c --- */

/* Accepts from a listening socket, which is taken over. transparent: its clients dialled other
 * addresses (IP_TRANSPARENT). 0 or -errno and the reason. */
int listen_add(struct proxy *p, int fd, bool transparent, struct error *e);

/* Accepts as long as there is room for clients, else leaves them in the backlog. */
void listen_update(struct proxy *p);
void listen_take_rest(struct proxy *p); /* those that wait now */
void listen_close(struct proxy *p);
void listen_init(struct proxy *p);

#endif
