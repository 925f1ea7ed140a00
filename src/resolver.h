/* resolver.h: getaddrinfo(3) off the event loop. */
#ifndef CIJAIL_RESOLVER_H
#define CIJAIL_RESOLVER_H

#include <event2/event.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "src/msg.h"
#include "src/url.h"

#define RESOLVER_ADDRESSES 16

struct resolver;

union resolver_address {
    struct sockaddr sa;
    struct sockaddr_storage storage;
};

/* The addresses of a name, ports 0, in getaddrinfo's order (RFC 6724). n is 0 exactly if text says
 * why. The array lives during the call alone. */
typedef void resolver_cb(void *arg, const union resolver_address *addresses, size_t n,
                         const char *text);

struct resolver *resolver_new(struct event_base *base);

/* Answers by cb, from the event loop, once. Identical questions share one lookup; an answer is used
 * for 5 s more. A full queue is answered at once with an error. */
void resolver_lookup(struct resolver *r, const char *name, resolver_cb *cb, void *arg);

/* An address that is a URL's host, with its port. False if it is none. */
bool resolver_literal(const struct url_authority *a, union resolver_address *out);
void resolver_set_port(union resolver_address *a, uint16_t port);
void resolver_format(const union resolver_address *a, char out[INET6_ADDRSTRLEN]);

/* With --upstream names are not resolved by the host's own means, but by who is asked here: ask
 * sends one LOOKUP, and returns 0 or -errno; what is answered goes to resolver_take. */
typedef int resolver_ask_fn(void *arg, const struct msg_lookup *m);
void resolver_set_remote(struct resolver *r, resolver_ask_fn *ask, void *arg);
void resolver_take(struct resolver *r, const struct msg_addresses *m);

/* Has it asked for that name, and not heard yet? */
bool resolver_is_asking(const struct resolver *r, const char *name);

#endif
