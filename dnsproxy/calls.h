/* calls.h: the system calls that cijail-dnsproxy makes once all is open: the code of this folder,
 * channel.c and libevent; isolate_rules.c adds memory, time and exit. */
#ifndef CIJAIL_DNSPROXY_CALLS_H
#define CIJAIL_DNSPROXY_CALLS_H

#include <sys/syscall.h>

static const int dnsproxy_calls[] = {
#ifdef SYS_epoll_wait
    SYS_epoll_wait, /* older architectures have both */
#endif
    SYS_epoll_pwait, SYS_epoll_ctl, /* libevent */
    SYS_recvmsg,     SYS_sendmsg,   /* channel.c, nflog.c */
    SYS_recvmmsg,    SYS_sendmmsg,  /* udp.c, channel.c */
    SYS_sendto,                     /* reject.c, log.c */
#ifdef SYS_poll
    SYS_poll, /* log.c, channel.c, at the end */
#endif
    SYS_ppoll,       SYS_accept4,   SYS_getsockname,
    SYS_readv,       SYS_writev,    SYS_ioctl, /* tcp.c: libevent asks for FIONREAD */
    SYS_close,                                 /* tcp.c, channel.c */
    SYS_write,                                 /* warn_text */
    SYS_sysinfo,                               /* secure.c: qsort, when libcrypto sorts the roots */
};

#endif
