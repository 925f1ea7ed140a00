/* dnsproxy.c: the DNS server of the jail.
 *
 * It lives in the gateway's network namespace, which has no route out, and holds the sockets that
 * it inherited and nothing else: no file, no capability, no system call that could open or make
 * one. What it may do is answer the jail, and ask the dialer on the other end of the channel to
 * resolve a (name, type), which the dialer judges again.
 *
 * Queries come to the gateway's own addresses, or to a DNS server that the policy names: the rules
 * give those to the same sockets (server.c).
 *
 *   udp.c, tcp.c  ->  serve.c  ->  upstream.c  ->  channel  ->  dialer
 *                        |  ^          |
 *                    query.c|      answer.c      both over ldns
 *                           +----------+
 *   nflog.c  ->  reject.c (ICMP errors), log.c       what the rules rejected
 *   log.c    ->  fold.c  ->  channel                 repeats folded, floods bounded
 *
 * One thread, one event loop. The process ends when the channel does. */
#include "config.h"

#include "dnsproxy/dnsproxy.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "src/isolate.h"
#include "src/net.h"
#include "src/util.h"

#define NFLOG_BATCH 64  /* netlink datagrams a turn */
#define DRAIN_ROUNDS 16 /* at the end */

static int if_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0 ? fd : -1;
}

static void on_packet(void *arg, const struct nflog_packet *packet)
{
    struct dnsproxy *p = arg;
    reject_answer(p->reject, packet);
    log_reject(p, packet);
}

static void read_nflog(struct dnsproxy *p)
{
    if (p->nflog_event && !nflog_read(DNS_FD_NFLOG, p->nflog_buffer, sizeof(p->nflog_buffer),
                                      NFLOG_BATCH, on_packet, p)) {
        warn_text("the log of rejected packets is lost");
        event_free(p->nflog_event);
        p->nflog_event = NULL;
    }
}

static void on_nflog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    read_nflog(arg);
}

/* The jail is over. What it did just before may still wait in the sockets: it is read, and what of
 * it belongs into the log is sent, if the supervisor still listens (log.c). */
static void finish(struct dnsproxy *p, struct channel *c)
{
    p->draining = true;
    for (int i = 0; i < DRAIN_ROUNDS; i++) {
        for (unsigned k = 0; k < ARRAY_LEN(p->udp); k++)
            if (p->udp[k])
                udp_read(p->udp[k]);
        read_nflog(p);
    }
    log_flush(p);
    channel_free(c);
    p->channel = NULL;
    (void)event_base_loopbreak(p->base);
}

static void on_message(struct channel *c, const struct msg_head *m, int fd, void *arg)
{
    (void)fd; /* the channel lets none through */
    struct dnsproxy *p = arg;
    if (m->type == MSG_FINISH)
        finish(p, c);
    else
        upstream_reply(p->upstream, (const struct msg_reply *)(const void *)m);
}

static void on_closed(struct channel *c, const char *reason, void *arg)
{
    struct dnsproxy *p = arg;
    if (reason)
        warn_text("the supervisor broke the protocol: %s", reason);
    finish(p, c);
}

static void read_policy(struct dnsproxy *p)
{
    struct error e;
    cleanup_free char *text = NULL;
    size_t len;
    policy_init(&p->policy);
    if (isolate_read_fd(PROXY_FD_CONFIG, POLICY_CONFIG_MAX, &text, &len, &e) < 0 ||
        policy_from_config(&p->policy, text, len, &e) < 0)
        die("%s", e.text);
}

static void open_all(struct dnsproxy *p)
{
    p->base = event_base_new();
    if (!p->base)
        die("cannot make an event loop");
    p->channel = channel_new(p->base, PROXY_FD_CHANNEL, 1u << MSG_REPLY | 1u << MSG_FINISH, 0,
                             on_message, on_closed, p);
    log_open(p);
    p->upstream = upstream_new(p);
    if (if_open(DNS_FD_UDP4) >= 0)
        p->udp[0] = udp_new(p, DNS_FD_UDP4);
    if (if_open(DNS_FD_UDP6) >= 0)
        p->udp[1] = udp_new(p, DNS_FD_UDP6);
    p->tcp = tcp_new(p, if_open(DNS_FD_TCP4), if_open(DNS_FD_TCP6));
    p->reject = reject_new(p->base, if_open(DNS_FD_ICMP4), if_open(DNS_FD_ICMP6));
    if (if_open(DNS_FD_NFLOG) >= 0) {
        p->nflog_event = event_new(p->base, DNS_FD_NFLOG, EV_READ | EV_PERSIST, on_nflog, p);
        if (!p->nflog_event || event_add(p->nflog_event, NULL) < 0)
            die("cannot watch the log of rejected packets");
    }
}

static void close_all(struct dnsproxy *p)
{
    upstream_free(p->upstream);
    tcp_free(p->tcp);
    for (unsigned k = 0; k < ARRAY_LEN(p->udp); k++)
        udp_free(p->udp[k]);
    reject_free(p->reject);
    if (p->nflog_event)
        event_free(p->nflog_event);
    log_close(p);
    event_base_free(p->base);
    policy_free(&p->policy);
}

/* The last stage: no system call from here on but what the code of this folder, channel.c and
 * libevent make once all is open; isolate.c adds memory, time and exit. */
static void lock_calls(void)
{
#ifndef CIJAIL_SANITIZED
    static const int calls[] = {
#ifdef SYS_epoll_wait
        SYS_epoll_wait, /* older architectures have both */
#endif
        SYS_epoll_pwait, SYS_epoll_ctl, /* libevent */
        SYS_recvmsg,     SYS_sendmsg,   /* channel.c, nflog.c */
        SYS_recvmmsg,    SYS_sendto,    /* udp.c, reject.c, log.c */
#ifdef SYS_poll
        SYS_poll, /* log.c, at the end */
#endif
        SYS_ppoll,       SYS_accept4,   SYS_getsockname,
        SYS_readv,       SYS_writev,    SYS_ioctl, /* tcp.c: libevent asks for FIONREAD */
        SYS_close,                                 /* tcp.c, channel.c */
        SYS_write,                                 /* warn_text */
    };
    struct error e;
    if (isolate_seccomp(calls, ARRAY_LEN(calls), &e) < 0)
        die("%s", e.text);
#endif
}

void dnsproxy_run(struct dnsproxy *p)
{
    struct error e;
    if (isolate_start(PROXY_FD_MAX, &e) < 0)
        die("%s", e.text);
    read_policy(p);
    (void)raise_nofile();
    if (isolate_confine(&e) < 0)
        die("%s", e.text);
    open_all(p);
    lock_calls();
    struct msg_ready ready = {0};
    msg_init(&ready, MSG_READY, sizeof(ready));
    (void)channel_send(p->channel, &ready, -1);
    (void)event_base_dispatch(p->base);
    close_all(p);
}
