/* upstream_parts.h: what upstream_dns.c, upstream_udp.c, upstream_tcp.c and upstream_packet.c have
 * of one another. */
#ifndef CIJAIL_UPSTREAM_PARTS_H
#define CIJAIL_UPSTREAM_PARTS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "src/channel.h"
#include "src/hosts_file.h"
#include "src/resolver.h"
#include "src/upstream_judge.h"

#define UPSTREAM_PADDING 128 /* RFC 8467, 4.1 */
#define UPSTREAM_QUERY_SIZE (2 + 12 + NAME_SIZE + 2 + 4 + 11 + 4 + UPSTREAM_PADDING)
#define UPSTREAM_SOCKETS 8 /* of one server, at one time */
#define UPSTREAM_HOSTS_MAX (UPSTREAM_QUERY_SIZE + HOSTS_FILE_ADDRESSES * 28)

struct upstream_dns;
struct upstream_server;
struct upstream_socket;

struct upstream_query {
    struct upstream_dns *owner;
    struct channel *channel; /* NULL: nobody waits any more */
    uint64_t id;
    uint16_t dns_id, qtype;
    bool tcp, plain;                  /* plain: the packet, without EDNS */
    union resolver_address wanted;    /* the server to ask; family 0: the host's in turn */
    unsigned round, rounds, tried;    /* tried: servers of this round: bits */
    size_t first;                     /* index of the server that a round begins with */
    unsigned asked, with_edns;        /* the one of the attempt; those asked with EDNS: bits */
    uint64_t attempt_ms, deadline_ms; /* now_ms(): their ends */
    struct upstream_server *server;   /* of the attempt; NULL: between two */
    struct upstream_socket *socket;   /* UDP */
    struct upstream_query *same;      /* the next in the socket's bucket */
    int fd;                           /* TCP */
    struct event *event;
    size_t sent, in_len;
    uint8_t *in;                         /* TCP: length and reply */
    uint8_t packet[UPSTREAM_QUERY_SIZE]; /* with the two bytes of TCP's length before it */
    size_t packet_len;                   /* without these */
    size_t question_len;
    char name[NAME_SIZE];              /* that was asked for; canonical */
    struct upstream_query *next, **at; /* in active, or among the free ones */
};

struct upstream_server {
    union resolver_address address;
    struct upstream_dns *owner;
    unsigned failures;   /* in a row */
    bool said;           /* that it cannot be asked */
    uint64_t penalty_ms; /* until then others are asked first */
    unsigned users;      /* attempts */
    bool edns;           /* it has answered a query with EDNS */
    uint64_t plain_ms;   /* until then it is asked without: it was silent, or refused, with it */
    struct upstream_socket *sockets[UPSTREAM_SOCKETS];
    struct upstream_socket *old; /* not used for further queries */
    struct upstream_server *next;
};

/* --- upstream_dns.c --- */

struct event_base *upstream_base(const struct upstream_dns *u);
/* A random number, out of a store that getrandom(2) fills. */
uint16_t upstream_random(struct upstream_dns *u);
/* A message that is of the right server, id and question; the attempt is over. */
void upstream_answered(struct upstream_query *q, const uint8_t *data, size_t len);
/* The attempt has failed, with that errno (ETIMEDOUT: no answer): the next one begins, or the query
 * ends. */
void upstream_failed(struct upstream_query *q, int err);

/* --- upstream_udp.c: see there --- */

/* Sends the query at the end of this turn of the loop. 0, or a negative errno: it cannot be. */
int upstream_udp_start(struct upstream_server *s, struct upstream_query *q);
void upstream_udp_stop(struct upstream_query *q);
/* Closes sockets that are old or out of use; true if any stays. Called now and then. */
bool upstream_udp_tidy(struct upstream_server *s, uint64_t now);

/* --- upstream_tcp.c --- */

int upstream_tcp_start(struct upstream_server *s, struct upstream_query *q);
void upstream_tcp_stop(struct upstream_query *q);

/* --- upstream_packet.c: pure --- */

/* RFC 1035, 4.1; RFC 6891, 6.1.2. The name is canonical: labels of 1 to 63, 253 in all. */
void upstream_packet_build(struct upstream_query *q, const char *name);
void upstream_packet_set_id(struct upstream_query *q, uint16_t id);
/* Takes the OPT record off, or puts it back. */
void upstream_packet_set_plain(struct upstream_query *q, bool plain);

/* To a multiple of UPSTREAM_PADDING (RFC 7830), once. */
void upstream_packet_pad(struct upstream_query *q);

/* upstream_judge of the query's message. */
enum upstream_verdict upstream_packet_judge(const struct upstream_query *q, const uint8_t *data,
                                            size_t len);

/* The answer to q as a message, out of hosts(5): n addresses. Returns its length. */
size_t upstream_packet_from_hosts(const struct upstream_query *q, uint8_t (*address)[16], size_t n,
                                  uint8_t out[UPSTREAM_HOSTS_MAX]);

#endif
