/* udp_flows.h: flows of UDP that are copied between a socket of the jail's side and one of the
 * host's: a bounded table of them, and their datagrams. */
#ifndef CIJAIL_UDP_FLOWS_H
#define CIJAIL_UDP_FLOWS_H

#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "src/msg.h"
#include "src/quota.h"

#define UDP_BATCH 16
#define UDP_DATAGRAM_MAX 65536 /* bytes: more than any holds */
#define UDP_FLOW_BUCKETS 1024

enum { UDP_JAIL, UDP_HOST };

struct udp_key {
    struct msg_tuple tuple;
    uint8_t source[16]; /* zero where all have the same */
};

struct udp_flow {
    struct udp_flows *flows;
    struct udp_key key;
    int fd[2];              /* owned; [UDP_JAIL]: -1 until there is one */
    struct event *event[2]; /* owned; NULL until it is watched */
    bool answered;
    bool over; /* it has wanted to send more than the count has left */
    /* Where many flows share the jail's socket: that one, not owned, and where answers go. */
    int shared;
    struct sockaddr_storage client;
    socklen_t client_len;
    uint64_t last; /* ms */
    struct udp_flow *next, **at;
    struct udp_flow *older, *newer;
};

/* Datagrams that were received at once. */
struct udp_batch {
    struct mmsghdr messages[UDP_BATCH];
    struct iovec iov[UDP_BATCH];
    struct sockaddr_storage sources[UDP_BATCH];
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(struct sockaddr_in6))];
    } control[UDP_BATCH];
    char data[UDP_BATCH][UDP_DATAGRAM_MAX];
};

struct udp_flows {
    void *owner;
    struct quota *quota; /* NULL: no limit */
    struct event *timer;
    size_t count, max;
    struct udp_flow *buckets[UDP_FLOW_BUCKETS], *oldest, *newest;
    struct udp_batch batch;
};

/* max: flows at once, no more than 1024 in any case. It lives as long as the process. */
struct udp_flows *udp_flows_new(struct event_base *base, size_t max, void *owner);

struct udp_flow *udp_flows_find(struct udp_flows *u, const struct udp_key *key);

/* A flow that is not there yet; host: its socket, owned from here on. Where there is no room, the
 * one that was idle for longest ends. */
struct udp_flow *udp_flows_add(struct udp_flows *u, const struct udp_key *key, int host);

void udp_flow_touch(struct udp_flow *f);
void udp_flow_end(struct udp_flow *f);

/* A socket of this network that is connected to the tuple's destination, or -errno. */
int udp_open_host(const struct msg_tuple *t);

/* To that socket. 0, or -errno: -EDQUOT is the count's, and comes once for each flow; others are
 * what was learned of the destination, maybe by an earlier datagram. What finds no room is lost,
 * which is no error. */
int udp_flow_send(struct udp_flow *f, const void *data, size_t len);

/* Receives up to UDP_BATCH datagrams; how many. *err: the errno if there is none, else 0. */
int udp_receive(struct udp_batch *b, int fd, bool with_addresses, int *err);

/* Room for bursts, as far as the system grants it. */
void udp_set_buffers(int fd);

#endif
