/* raw_maker_calls.h: the system calls of the maker of UDP sockets (raw_maker.c). */
#ifndef CIJAIL_RAW_MAKER_CALLS_H
#define CIJAIL_RAW_MAKER_CALLS_H

#include <sys/syscall.h>

static const int raw_maker_calls[] = {SYS_recvfrom, SYS_sendmsg, SYS_socket, SYS_setsockopt,
                                      SYS_bind,     SYS_connect, SYS_close};

#endif
