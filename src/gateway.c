/* gateway.c: the keeper of the gateway namespace.
 *
 * One clone(2) gave it the user namespace U1 and a PID namespace P1 of which it is the init: when
 * it ends, however it ends, the kernel kills all that lives in P1, the proxies and the jail with
 * it; and it ends with the supervisor (PR_SET_PDEATHSIG). It makes the network namespace G and
 * builds the network, while init makes J and prepares the mounts:
 *
 *   unshare G -> clone init (P2) -> sockets -> httpproxy, if it makes a CA -> sysctls, rules
 *   -> routes -> wait for J -> veth pair, addresses -> tell init
 *
 * Of a container's jail (container.c) init is not cloned here: its part is the envoy's, which makes
 * the pair, since this process has no rights over J. There the proxies start at once, and nothing
 * is executed once the container runs.
 *
 * After that it holds the sockets of the proxies that have not started, starts each when something
 * waits for it (proxy_process.c), and waits for its children; when a proxy ends before its time it
 * takes the link away. It never reads a byte of the jail. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nft/ruleset.h"
#include "src/launch.h"
#include "src/net.h"
#include "src/netns.h"
#include "src/proxy_process.h"
#include "src/raw_maker.h"
#include "src/userns.h"
#include "src/util.h"

#define OTHER_ENDS_MS 250

struct gateway {
    struct launch *l;
    bool ipv6;
    bool ending; /* the supervisor has said so */
    pid_t init;
    int mounts;   /* the jail's mount namespace */
    int children; /* signalfd for SIGCHLD */
    struct proxy_process dns, http;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

enum purpose { FOR_DNS, FOR_PROXY, FOR_INTERCEPTION };

/* Whether the policy asks for the transparent listeners, and for DNS sockets that are transparent.
 */
static bool intercepts_urls(const struct ruleset *rules)
{
    return rules->url_port_count > 0 || rules->names;
}

static bool intercepts_dns(const struct ruleset *rules)
{
    return rules->dns4.count > 0 || rules->dns6.count > 0;
}

static int open_sockets(struct gateway *g, const struct ruleset *rules, struct error *e)
{
    struct row {
        int *where;
        enum purpose purpose;
        int family, type;
        unsigned short port;
    } rows[] = {
        {&g->dns.fds[DNS_FD_UDP4], FOR_DNS, AF_INET, SOCK_DGRAM, DNS_PORT},
        {&g->dns.fds[DNS_FD_UDP6], FOR_DNS, AF_INET6, SOCK_DGRAM, DNS_PORT},
        {&g->dns.fds[DNS_FD_TCP4], FOR_DNS, AF_INET, SOCK_STREAM, DNS_PORT},
        {&g->dns.fds[DNS_FD_TCP6], FOR_DNS, AF_INET6, SOCK_STREAM, DNS_PORT},
        {&g->http.fds[HTTP_FD_LISTEN4], FOR_PROXY, AF_INET, SOCK_STREAM, PROXY_PORT},
        {&g->http.fds[HTTP_FD_LISTEN6], FOR_PROXY, AF_INET6, SOCK_STREAM, PROXY_PORT},
        {&g->http.fds[HTTP_FD_TRANSPARENT4], FOR_INTERCEPTION, AF_INET, SOCK_STREAM,
         TRANSPARENT_PORT},
        {&g->http.fds[HTTP_FD_TRANSPARENT6], FOR_INTERCEPTION, AF_INET6, SOCK_STREAM,
         TRANSPARENT_PORT},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        int r;

        if ((row->family == AF_INET6 && !g->ipv6) ||
            (row->purpose == FOR_INTERCEPTION && !intercepts_urls(rules)))
            continue;
        *row->where = netns_listen(row->family, row->type, row->port, e);
        if (*row->where < 0)
            return *row->where;
        if (row->purpose == FOR_PROXY || (row->purpose == FOR_DNS && !intercepts_dns(rules)))
            continue;
        if ((r = netns_make_transparent(*row->where, row->family, e)) < 0)
            return r;
    }
    return 0;
}

static int open_log(struct gateway *g, struct error *e)
{
    if ((g->dns.fds[DNS_FD_NFLOG] = netns_open_nflog(NFLOG_GROUP, e)) < 0)
        return g->dns.fds[DNS_FD_NFLOG];
    if ((g->dns.fds[DNS_FD_ICMP4] = netns_open_icmp(AF_INET, e)) < 0)
        return g->dns.fds[DNS_FD_ICMP4];
    if (g->ipv6 && (g->dns.fds[DNS_FD_ICMP6] = netns_open_icmp(AF_INET6, e)) < 0)
        return g->dns.fds[DNS_FD_ICMP6];
    return 0;
}

/* What dnsproxy needs for held connections (dnsproxy/held.c). */
static int open_held(struct gateway *g, struct error *e)
{
    static const struct {
        int fd, family;
        uint32_t mark;
    } rows[] = {
        {DNS_FD_RELAY4, AF_INET, RELAY_MARK},
        {DNS_FD_INTERCEPT4, AF_INET, INTERCEPT_MARK},
        {DNS_FD_RELAY6, AF_INET6, RELAY_MARK},
        {DNS_FD_INTERCEPT6, AF_INET6, INTERCEPT_MARK},
    };

    if ((g->dns.fds[DNS_FD_HELD] = netns_open_nflog(HELD_GROUP, e)) < 0)
        return g->dns.fds[DNS_FD_HELD];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int *fd = &g->dns.fds[rows[i].fd];
        if (rows[i].family == AF_INET || g->ipv6)
            if ((*fd = netns_open_raw(rows[i].family, rows[i].mark, e)) < 0)
                return *fd;
    }
    return 0;
}

/* The supervisor's sockets in G. */
static int send_relays(struct gateway *g, struct error *e)
{
    static const struct {
        int family, type;
    } rows[LAUNCH_RELAYS] = {
        [LAUNCH_TCP4] = {AF_INET, SOCK_STREAM},
        [LAUNCH_TCP6] = {AF_INET6, SOCK_STREAM},
        [LAUNCH_UDP4] = {AF_INET, SOCK_DGRAM},
        [LAUNCH_UDP6] = {AF_INET6, SOCK_DGRAM},
    };

    for (int i = 0; i < LAUNCH_RELAYS; i++) {
        cleanup_close int fd = -1;
        int r;

        if (rows[i].family == AF_INET6 && !g->ipv6)
            continue;
        if ((fd = netns_listen(rows[i].family, rows[i].type, RELAY_PORT, e)) < 0)
            return fd;
        if ((r = netns_make_transparent(fd, rows[i].family, e)) < 0)
            return r;
        if ((r = launch_send_fd(g->l->gate_keeper, LAUNCH_RELAY, i, fd)) < 0)
            return launch_explain_pass(r, e);
    }
    return 0;
}

static int start_maker(struct gateway *g, struct error *e)
{
    int fd = g->l->maker;
    pid_t pid = fork();

    if (pid < 0)
        return error_errno(e, errno, "cannot fork for the maker of UDP sockets");
    if (pid > 0)
        return 0;
    (void)setsid();
    if ((fd > 3 && close_range(3, (unsigned)fd - 1, 0) < 0) ||
        close_range((unsigned)fd + 1, ~0U, 0) < 0)
        _exit(125);
    raw_maker_main(fd);
}

/* What a proxy has beside its sockets. */
static int prepare_proxies(struct gateway *g, struct error *e)
{
    struct launch *l = g->l;

    g->dns.fds[PROXY_FD_CHANNEL] = l->dns_proxy;
    g->dns.fds[PROXY_FD_CONFIG] = fcntl(l->config, F_DUPFD_CLOEXEC, 0);
    if (g->dns.fds[PROXY_FD_CONFIG] < 0)
        return error_errno(e, errno, "cannot duplicate a descriptor");
    if (l->options->upstream.tls) {
        g->dns.fds[DNS_FD_ROOTS] = fcntl(l->roots, F_DUPFD_CLOEXEC, 0);
        if (g->dns.fds[DNS_FD_ROOTS] < 0)
            return error_errno(e, errno, "cannot duplicate a descriptor");
    }
    g->http.fds[PROXY_FD_CHANNEL] = l->http_proxy;
    g->http.fds[PROXY_FD_CONFIG] = l->config;
    g->http.fds[HTTP_FD_ROOTS] = l->roots;
    g->http.fds[HTTP_FD_QUOTA] = l->quota;
    return 0;
}

/* httpproxy starts at once where the jail's bundle needs its CA, which takes longer than all that
 * is done meanwhile. */
static int start_for_ca(struct gateway *g, struct error *e)
{
    return !policy_needs_ca(g->l->policy) ? 0 : proxy_process_start(&g->http, -1, e);
}

/* A container's are both there before it starts. */
static int start_for_container(struct gateway *g, struct error *e)
{
    int r = proxy_process_start(&g->dns, -1, e);

    return r == 0 && g->http.pid == 0 ? proxy_process_start(&g->http, -1, e) : r;
}

/* What takes raw endpoints, beside dnsproxy's sockets. */
static int open_raw(struct gateway *g, struct error *e)
{
    int r = send_relays(g, e);

    return r < 0 ? r : start_maker(g, e);
}

/* All that can be there before the link: nothing reaches it yet, the rules or none. */
static int prepare_network(struct gateway *g, const struct ruleset *rules, struct error *e)
{
    int r = open_sockets(g, rules, e);

    if (r == 0)
        r = prepare_proxies(g, e);
    if (r == 0)
        r = start_for_ca(g, e);
    if (r == 0)
        r = netns_prepare_gateway(e);
    if (r == 0)
        r = ruleset_install(rules, e);
    if (r == 0)
        r = open_log(g, e);
    if (r == 0 && ruleset_takes_raw(rules))
        r = open_held(g, e);
    if (r == 0 && g->l->container)
        r = start_for_container(g, e);
    if (r == 0 && (intercepts_urls(rules) || intercepts_dns(rules) || ruleset_takes_raw(rules)))
        r = netns_intercept(g->ipv6, e);
    if (r == 0 && ruleset_takes_raw(rules))
        r = open_raw(g, e);
    close_fd(&g->l->maker);
    return r;
}

/* The envoy makes the link. */
static int send_gateway(struct gateway *g, struct error *e)
{
    cleanup_close int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int r;

    if (ns < 0)
        return error_errno(e, errno, "cannot open /proc/self/ns/net");
    r = launch_send_fd(g->l->pair_keeper, LAUNCH_GATEWAY, 0, ns);
    return r < 0 && r != -EPIPE ? launch_explain_pass(r, e) : 0; /* if it ended, it said why */
}

/* Init has its network now. If it has ended, it has told the supervisor why. */
static int wait_for_jail(struct gateway *g, struct error *e)
{
    struct launch_msg m;
    int r = launch_recv_fd(g->l->pair_keeper, &m, &g->mounts);

    if (r == -EPIPE)
        for (;;)
            (void)pause();
    return r < 0 ? error_errno(e, -r, "cannot read what the jail's init says") : 0;
}

static int build_network(struct gateway *g, struct error *e)
{
    struct ruleset rules;
    int r;

    g->ipv6 = netns_begin_gateway();
    ruleset_from_policy(&rules, g->l->policy);
    rules.with_ipv6 = g->ipv6;
    rules.names |= g->l->by_parent; /* to the transparent listeners: httpproxy asks that proxy */
    r = prepare_network(g, &rules, e);
    ruleset_free(&rules);
    if (r == 0 && g->l->container)
        r = send_gateway(g, e);
    if (r < 0)
        return r;
    r = wait_for_jail(g, e);
    return r < 0 ? r : netns_link_gateway(g->init, g->ipv6, e);
}

/* Returns init's number, or 0 if there is none: a container has its own. */
static pid_t start_init(struct gateway *g, struct error *e)
{
    pid_t pid = g->l->container ? 0 : launch_clone(CLONE_NEWPID);

    if (pid < 0)
        return userns_explain(-pid, "cannot make the jail's PID namespace", e);
    if (pid == 0 && !g->l->container) {
        close_fd(&g->l->gate_keeper);
        close_fd(&g->l->pair_keeper);
        close_fd(&g->l->dns_proxy);
        close_fd(&g->l->http_proxy);
        close_fd(&g->l->maker);
        close_fd(&g->l->config);
        close_fd(&g->l->roots);
        close_fd(&g->l->quota);
        init_main(g->l);
    }
    close_fd(&g->l->init_child);
    close_fd(&g->l->pair_init);
    return pid;
}

/* --- once it runs --- */

/* Does the supervisor's word wait that the end is due (LAUNCH_ENDING)? It says nothing else. */
static void look_at_gate(struct gateway *g)
{
    char byte;
    ssize_t n = recv(g->l->gate_keeper, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n == 0)
        _exit(125); /* no supervisor, no jail */
    if (n > 0)
        g->ending = true;
}

/* Of a proxy that runs: does it end by itself in that time? */
static bool ends_within(const struct gateway *g, const struct proxy_process *p, uint64_t ms,
                        int *status)
{
    struct pollfd child = {.fd = g->children, .events = POLLIN};
    struct signalfd_siginfo info;
    uint64_t until = now_ms() + ms, now;

    while (waitpid(p->pid, status, WNOHANG) == 0) {
        if ((now = now_ms()) >= until || poll(&child, 1, (int)(until - now)) <= 0)
            return false;
        (void)!read(g->children, &info, sizeof(info)); /* whose end is asked next */
    }
    return true;
}

/* A proxy ended. Before its time that ends the whole network of the jail, so that what was said to
 * one proxy is not gone round by the other, and no denial goes unlogged. The other is killed first,
 * by which the kernel tells its clients that their connections have ended, and nothing is served
 * any more; one that has not started never will. One that ended well was let go by the supervisor
 * because of the other one's end, which is waited for. The supervisor is told before the link is
 * taken away, since init, which may still be setting it up, would have another reason to give; if
 * it cannot be taken away, this process ends and takes the jail with it. */
static void on_proxy_end(struct gateway *g, struct proxy_process *p, int status)
{
    struct proxy_process *other = p == &g->dns ? &g->http : &g->dns;
    struct error e;
    int others = 0;
    bool both = other->pid > 0;

    p->pid = 0;
    if (g->ending) {
        (void)launch_send(g->l->gate_keeper, LAUNCH_PROXY_ENDED, status, p->name);
        return;
    }
    if (both && !ends_within(g, other, status == 0 ? OTHER_ENDS_MS : 0, &others)) {
        (void)kill(other->pid, SIGKILL);
        (void)waitpid(other->pid, &others, 0);
        both = !WIFSIGNALED(others) || WTERMSIG(others) != SIGKILL; /* by itself after all */
    }
    other->pid = 0;
    proxy_process_close(other);
    (void)launch_send(g->l->gate_keeper, LAUNCH_PROXY_ENDED, status, p->name);
    if (both)
        (void)launch_send(g->l->gate_keeper, LAUNCH_PROXY_ENDED, others, other->name);
    if (netns_cut(&e) < 0)
        launch_fail(g->l->gate_keeper, &e);
    (void)launch_send(g->l->gate_keeper, LAUNCH_CUT, 0, NULL);
}

static void reap(struct gateway *g)
{
    struct signalfd_siginfo info;
    pid_t pid;
    int status;

    (void)!read(g->children, &info, sizeof(info));
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == g->dns.pid)
            on_proxy_end(g, &g->dns, status);
        else if (pid == g->http.pid)
            on_proxy_end(g, &g->http, status);
    }
}

/* A proxy that cannot be started is one that has ended. At the end of the jail the one that nothing
 * waits for is let go: the end of its channel tells the supervisor that it has nothing to say. */
static void start_if_needed(struct gateway *g, struct proxy_process *p)
{
    struct error e;

    if (!proxy_process_is_needed(p)) {
        if (g->ending && proxy_process_waits(p)) {
            (void)launch_send(g->l->gate_keeper, LAUNCH_PROXY_IDLE, 0, p->name);
            proxy_process_close(p);
        }
    } else if (!g->ending && proxy_process_is_let_go(p)) {
        proxy_process_close(p);
        on_proxy_end(g, p, 0);
    } else if (proxy_process_start(p, g->mounts, &e) < 0) {
        warn_text("%s", e.text);
        proxy_process_close(p);
        on_proxy_end(g, p, W_EXITCODE(125, 0));
    }
}

/* Ends never by itself but as above: the supervisor kills this process when all is done. */
static void serve(struct gateway *g) __attribute__((noreturn));
static void serve(struct gateway *g)
{
    struct pollfd p[2 + 2 * PROXY_PROCESS_WATCHED];
    struct error e;

    for (;;) {
        size_t n = 0;
        p[n++] = (struct pollfd){.fd = g->children, .events = POLLIN};
        p[n++] = (struct pollfd){.fd = g->ending ? -1 : g->l->gate_keeper, .events = POLLIN};
        n += proxy_process_watch(&g->dns, p + n);
        n += proxy_process_watch(&g->http, p + n);
        if (poll(p, n, -1) < 0 && errno != EINTR) {
            (void)error_errno(&e, errno, "poll");
            launch_fail(g->l->gate_keeper, &e);
        }
        look_at_gate(g); /* first: it is said before a proxy is told to end */
        reap(g);
        start_if_needed(g, &g->dns);
        start_if_needed(g, &g->http);
    }
}

/* SIGCHLD is read, not handled. */
static int watch_children(struct gateway *g, struct error *e)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        g->children = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return g->children < 0 ? error_errno(e, errno, "signalfd") : 0;
}

void gateway_main(struct launch *l)
{
    struct gateway g = {.l = l, .mounts = -1, .children = -1};
    struct launch_msg m;
    struct error e;

    proxy_process_init(&g.dns, "cijail-dnsproxy", l->dnsproxy_path, DNS_FD_ROOTS);
    proxy_process_init(&g.http, "cijail-httpproxy", l->httpproxy_path, HTTP_FD_ROOTS);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
        launch_send(l->gate_keeper, LAUNCH_NUMBER, launch_number_in_proc(), NULL) < 0)
        _exit(125);
    if (unshare(CLONE_NEWNET) < 0) {
        (void)userns_explain(errno, "cannot make the gateway's network namespace", &e);
        launch_fail(l->gate_keeper, &e);
    }
    /* The end of the supervisor before the prctl above shows here: nothing comes. */
    if (launch_recv(l->gate_keeper, &m) < 0 || m.type != LAUNCH_MAPPED)
        _exit(125);
    g.init = start_init(&g, &e);
    if (g.init < 0)
        launch_fail(l->gate_keeper, &e);
    if (setsid() < 0) { /* out of the command's process group: kill(0, ...) does not reach it */
        (void)error_errno(&e, errno, "setsid");
        launch_fail(l->gate_keeper, &e);
    }
    if (watch_children(&g, &e) < 0 || build_network(&g, &e) < 0)
        launch_fail(l->gate_keeper, &e);
    if (launch_send(l->pair_keeper, LAUNCH_NET, g.ipv6, NULL) < 0)
        _exit(125);
    close_fd(&l->pair_keeper);
    serve(&g);
}
