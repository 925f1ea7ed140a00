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
 *                     |  |  ^          |
 *               cache.c query.c    answer.c, svcb.c      over ldns
 *                           +----------+
 *   upstream.c, lookup.c  ->  secure.c, secure_connection.c, frames.c   by TLS, over OpenSSL
 *   nflog.c  ->  reject.c (ICMP errors), log.c       what the rules rejected
 *   nflog.c  ->  held.c  ->  channel, packet.c       what the rules hold: TCP to raw endpoints
 *   log.c    ->  fold.c  ->  channel                 repeats folded, floods bounded
 *
 * One thread, one event loop. The process ends when the channel does. */
#include "config.h"

#include "dnsproxy/dnsproxy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "dnsproxy/packet.h"
#include "src/filters.h"
#include "src/isolate.h"
#include "src/net.h"
#include "src/tls_client.h"
#include "src/util.h"

#define NFLOG_BATCH 64  /* netlink datagrams a turn */
#define DRAIN_ROUNDS 16 /* at the end */

/* Asked before anything else is opened, which could get the number of one that is not there. */
static void look_at_fds(struct dnsproxy *p)
{
    for (int fd = 0; fd <= PROXY_FD_MAX; fd++)
        p->inherited[fd] = fcntl(fd, F_GETFD) >= 0;
}

static int if_open(const struct dnsproxy *p, int fd)
{
    return p->inherited[fd] ? fd : -1;
}

static void on_packet(void *arg, const struct nflog_packet *packet)
{
    struct dnsproxy *p = arg;
    if (packet->tcp_syn) /* the kernel's own answer is enough for the rest */
        reject_answer(p->reject, packet, EACCES);
    log_reject(p, packet);
}

static void on_held_packet(void *arg, const struct nflog_packet *packet)
{
    struct dnsproxy *p = arg;
    held_packet(p->held, packet);
}

static void read_log(struct dnsproxy *p, int fd, nflog_packet_cb *cb, struct event **event)
{
    if (*event && !nflog_read(fd, p->nflog_buffer, sizeof(p->nflog_buffer), NFLOG_BATCH, cb, p)) {
        warn_text("the log of rejected packets is lost");
        event_free(*event);
        *event = NULL;
    }
}

static void read_nflog(struct dnsproxy *p)
{
    read_log(p, DNS_FD_NFLOG, on_packet, &p->nflog_event);
}

static void read_held(struct dnsproxy *p)
{
    read_log(p, DNS_FD_HELD, on_held_packet, &p->held_event);
}

static void on_nflog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    read_nflog(arg);
}

static void on_held(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    read_held(arg);
}

/* The jail is over. What it did just before may still wait in the sockets: it is read, and what of
 * it belongs into the log is sent, if the supervisor still listens (log.c). */
static void finish(struct dnsproxy *p, struct channel *c, bool answered)
{
    channel_drain(c, DRAIN_MS);
    p->draining = true;
    for (int i = 0; i < DRAIN_ROUNDS; i++) {
        for (unsigned k = 0; k < ARRAY_LEN(p->udp); k++)
            if (p->udp[k])
                udp_read(p->udp[k]);
        read_nflog(p);
        read_held(p);
    }
    if (p->held)
        held_flush(p->held);
    upstream_flush(p->upstream);
    log_flush(p);
    if (answered)
        log_finish(p);
    channel_free(c);
    p->channel = NULL;
    (void)event_base_loopbreak(p->base);
}

/* Of a UDP flow, which the supervisor relays. */
static void on_unreachable(struct dnsproxy *p, const struct msg_unreachable *m)
{
    struct packet head = {0};
    struct nflog_packet packet;
    packet_datagram(&m->tuple, &head, &packet);
    if (m->error == EACCES)
        log_reject(p, &packet);
    reject_answer(p->reject, &packet, m->error);
}

void dnsproxy_answered(struct dnsproxy *p, const struct outcome *r)
{
    if (r->id & LOOKUP_ID)
        lookup_reply(p->lookups, r);
    else
        upstream_reply(p->upstream, r);
}

static void on_reply(struct dnsproxy *p, const struct msg_reply *m)
{
    const struct outcome r = {.id = m->id,
                              .error = m->error,
                              .dns_id = m->dns_id,
                              .hosts_below = m->hosts_below != 0,
                              .data = m->data,
                              .len = m->data_len};

    if (m->over_tls && p->secure)
        secure_ask(p->secure, m);
    else
        dnsproxy_answered(p, &r);
}

static void on_dialed(struct dnsproxy *p, const struct msg_tls_dialed *m, int fd)
{
    if (p->secure)
        secure_dialed(p->secure, m, fd);
    else if (fd >= 0)
        (void)close(fd);
}

static void on_message(struct channel *c, const struct msg_head *m, int fd, void *arg)
{
    struct dnsproxy *p = arg; /* fd: of TLS_DIALED alone */
    switch (m->type) {
    case MSG_FINISH:
        finish(p, c, true);
        break;
    case MSG_OPENED:
        if (p->held)
            held_opened(p->held, (const struct msg_opened *)(const void *)m);
        break;
    case MSG_UNREACHABLE:
        on_unreachable(p, (const struct msg_unreachable *)(const void *)m);
        break;
    case MSG_LOOKUP:
        lookup_begin(p->lookups, (const struct msg_lookup *)(const void *)m);
        break;
    case MSG_TLS_DIALED:
        on_dialed(p, (const struct msg_tls_dialed *)(const void *)m, fd);
        break;
    default:
        on_reply(p, (const struct msg_reply *)(const void *)m);
        break;
    }
}

static void on_closed(struct channel *c, const char *reason, void *arg)
{
    struct dnsproxy *p = arg;
    if (reason)
        warn_text("the supervisor broke the protocol: %s", reason);
    finish(p, c, false);
}

/* A client waits for its answer; the log can wait for that. */
static void answer_first(void *arg)
{
    struct dnsproxy *p = arg;
    for (unsigned k = 0; k < ARRAY_LEN(p->udp); k++)
        if (p->udp[k])
            udp_flush(p->udp[k]);
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

/* They are there if DNS goes by TLS. */
static void read_roots(struct dnsproxy *p)
{
    struct error e;
    if (!p->inherited[DNS_FD_ROOTS])
        return;
    if (tls_client_init(&e) < 0 ||
        isolate_read_fd(DNS_FD_ROOTS, TLS_ROOTS_MAX, &p->roots, &p->roots_len, &e) < 0)
        die("%s", e.text);
    (void)close(DNS_FD_ROOTS);
}

/* The host's: the jail has no other. */
static void read_hostname(struct dnsproxy *p)
{
    struct utsname u;
    if (uname(&u) < 0 || name_canon(u.nodename, strlen(u.nodename), p->hostname, NULL) < 0)
        p->hostname[0] = '\0';
}

static struct event *watch_log(struct dnsproxy *p, int fd, event_callback_fn cb)
{
    struct event *event;
    if (if_open(p, fd) < 0)
        return NULL;
    event = event_new(p->base, fd, EV_READ | EV_PERSIST, cb, p);
    if (!event || event_add(event, NULL) < 0)
        die("cannot watch the log of rejected packets");
    return event;
}

static void open_all(struct dnsproxy *p)
{
    p->base = event_base_new();
    if (!p->base)
        die("cannot make an event loop");
    p->channel = channel_new(p->base, PROXY_FD_CHANNEL,
                             1u << MSG_REPLY | 1u << MSG_FINISH | 1u << MSG_OPENED |
                                 1u << MSG_UNREACHABLE | 1u << MSG_LOOKUP | 1u << MSG_TLS_DIALED,
                             1u << MSG_TLS_DIALED, on_message, on_closed, p);
    channel_batch(p->channel, answer_first);
    log_open(p);
    p->reverse = reverse_new();
    p->upstream = upstream_new(p);
    p->lookups = lookups_new(p);
    if (p->roots)
        p->secure = secure_new(p, p->roots, p->roots_len);
    free(p->roots);
    p->roots = NULL;
    if (if_open(p, DNS_FD_UDP4) >= 0)
        p->udp[0] = udp_new(p, DNS_FD_UDP4);
    if (if_open(p, DNS_FD_UDP6) >= 0)
        p->udp[1] = udp_new(p, DNS_FD_UDP6);
    p->tcp = tcp_new(p, if_open(p, DNS_FD_TCP4), if_open(p, DNS_FD_TCP6));
    p->reject = reject_new(p->base, if_open(p, DNS_FD_ICMP4), if_open(p, DNS_FD_ICMP6));
    p->nflog_event = watch_log(p, DNS_FD_NFLOG, on_nflog);
    p->held_event = watch_log(p, DNS_FD_HELD, on_held);
    if (p->held_event) {
        const struct held_sockets sockets = {
            {if_open(p, DNS_FD_RELAY4), if_open(p, DNS_FD_INTERCEPT4)},
            {if_open(p, DNS_FD_RELAY6), if_open(p, DNS_FD_INTERCEPT6)},
        };
        p->held = held_new(p, &sockets);
    }
}

static void close_all(struct dnsproxy *p)
{
    upstream_free(p->upstream);
    secure_free(p->secure);
    lookups_free(p->lookups);
    tcp_free(p->tcp);
    for (unsigned k = 0; k < ARRAY_LEN(p->udp); k++)
        udp_free(p->udp[k]);
    held_free(p->held);
    reject_free(p->reject);
    reverse_free(p->reverse);
    if (p->nflog_event)
        event_free(p->nflog_event);
    if (p->held_event)
        event_free(p->held_event);
    log_close(p);
    event_base_free(p->base);
    policy_free(&p->policy);
}

/* The last stage: no system call from here on but those of calls.h. */
static void lock_calls(void)
{
    struct error e;
    if (isolate_seccomp(&filter_dnsproxy, &e) < 0)
        die("%s", e.text);
}

void dnsproxy_run(struct dnsproxy *p)
{
    struct error e;
    if (isolate_start(PROXY_FD_MAX, &e) < 0)
        die("%s", e.text);
    look_at_fds(p);
    read_policy(p);
    read_roots(p);
    read_hostname(p);
    search_list_read(&p->search);
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
    tls_client_end();
}
