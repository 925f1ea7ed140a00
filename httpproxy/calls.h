/* calls.h: the system calls that cijail-httpproxy makes once it serves. */
#ifndef CIJAIL_HTTPPROXY_CALLS_H
#define CIJAIL_HTTPPROXY_CALLS_H

#include <seccomp.h>

/* What serving needs, beside what every process does (isolate.c). The loop: epoll. Sockets: those
 * that are accepted here or come over the channel; none can be made, but for pairs of AF_UNIX
 * (via_bridge.c). Tunnels (relay.c, raw.c): the last line but one. sysinfo: qsort of the C
 * library asks for the size of the memory when libcrypto sorts the roots. write: words on stderr.
 */
static const int httpproxy_calls[] = {
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl),
    SCMP_SYS(accept4),    SCMP_SYS(recvfrom),    SCMP_SYS(recvmsg),      SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),    SCMP_SYS(setsockopt),  SCMP_SYS(shutdown),     SCMP_SYS(close),
    SCMP_SYS(fcntl),      SCMP_SYS(sysinfo),     SCMP_SYS(write),        SCMP_SYS(getsockname),
    SCMP_SYS(splice),     SCMP_SYS(pipe2),       SCMP_SYS(getsockopt),   SCMP_SYS(poll),
    SCMP_SYS(ppoll),      SCMP_SYS(getpeername), SCMP_SYS(socketpair),
};

#endif
