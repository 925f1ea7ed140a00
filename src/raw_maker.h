/* raw_maker.h: sockets of the gateway's network, made for the supervisor, which is not in it. */
#ifndef CIJAIL_RAW_MAKER_H
#define CIJAIL_RAW_MAKER_H

#include "src/error.h"
#include "src/msg.h"

/* In G, with CAP_NET_ADMIN over it: the maker's whole life. fd: a SOCK_SEQPACKET socket, on which
 * it answers each struct msg_tuple with an int32_t errno, or 0 and a descriptor: a nonblocking UDP
 * socket that is bound to the tuple's destination and connected to its source in the jail. */
void raw_maker_main(int fd) __attribute__((noreturn));

/* The other end. Neither waits: -EAGAIN. The answers come in the order of the requests.
 * raw_maker_receive: *made is the caller's, or -1 with the errno of making it as the result; -EPIPE
 * if the maker has gone. */
int raw_maker_ask(int fd, const struct msg_tuple *tuple);
int raw_maker_receive(int fd, int *made);

#endif
