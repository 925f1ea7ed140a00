/* gateway.c: the keeper of the gateway namespace.
 *
 * One clone(2) gave it the user namespace U1, the network namespace G and a PID namespace P1 of
 * which it is the init: when it ends, however it ends, the kernel kills all that lives in P1, the
 * proxies and the jail with it; and it ends with the supervisor (PR_SET_PDEATHSIG). It builds the
 * network while init prepares the mounts:
 *
 *   clone init (J, P2, mounts, IPC) -> veth pair, addresses -> rules, routes -> sockets -> exec
 * both proxies -> tell init
 *
 * After that it holds no socket of G and only waits for its children; when a proxy ends before its
 * time it takes the link away. It never reads a byte of the
 * jail. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "nft/ruleset.h"
#include "src/launch.h"
#include "src/net.h"
#include "src/netns.h"
#include "src/raw_maker.h"
#include "src/util.h"

/* A proxy needs these until it has locked itself down (isolate.c): an own mount namespace and
 * dropping its bounding set. They are capabilities over U1 alone. */
static const int proxy_caps[] = {CAP_SYS_ADMIN, CAP_SETPCAP};

struct gateway {
    struct launch *l;
    bool ipv6;
    pid_t dns, http, init;
    int dns_fds[PROXY_FD_MAX + 1]; /* by final number; -1: not there */
    int http_fds[PROXY_FD_MAX + 1];
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static int keep_caps_over_exec(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &head, data) < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_LEN(proxy_caps); i++)
        data[CAP_TO_INDEX(proxy_caps[i])].inheritable |= CAP_TO_MASK(proxy_caps[i]);
    if (syscall(SYS_capset, &head, data) < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_LEN(proxy_caps); i++)
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, proxy_caps[i], 0, 0) < 0)
            return -errno;
    return 0;
}

/* Moves fds[n] to descriptor n, for every n, by way of numbers that collide with none of them. */
static int place_fds(const int fds[PROXY_FD_MAX + 1])
{
    int high[PROXY_FD_MAX + 1];

    for (int n = 0; n <= PROXY_FD_MAX; n++) {
        high[n] = fds[n] < 0 ? -1 : fcntl(fds[n], F_DUPFD_CLOEXEC, PROXY_FD_MAX + 1);
        if (fds[n] >= 0 && high[n] < 0)
            return -errno;
    }
    for (int n = 3; n <= PROXY_FD_MAX; n++) {
        if (high[n] < 0)
            (void)close(n);
        else if (dup2(high[n], n) < 0)
            return -errno;
    }
    if (close_range(PROXY_FD_MAX + 1, ~0U, 0) < 0)
        return -errno;
    return 0;
}

/* What a proxy's environment holds: nothing, but for the sanitizers' options in a build with these.
 */
static char **proxy_environment(char *keep[4])
{
    size_t n = 0;
#ifdef CIJAIL_SANITIZED
    static const char *const names[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "T_REPORTS"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (getenv(names[i]))
            keep[n++] = xasprintf("%s=%s", names[i], getenv(names[i]));
#endif
    keep[n] = NULL;
    return keep;
}

static void exec_proxy(const char *path, const char *name, const int fds[PROXY_FD_MAX + 1])
{
    char *argv[] = {(char *)(uintptr_t)name, NULL};
    char *envp[4];
    struct error e;
    sigset_t none;
    int err;

    (void)sigemptyset(&none);
    /* The terminal's signals are not for it. */
    if (setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0 || keep_caps_over_exec() < 0 ||
        place_fds(fds) < 0)
        _exit(125); /* told to the supervisor as LAUNCH_PROXY_ENDED */
    (void)execve(path, argv, proxy_environment(envp));
    err = errno;
    (void)error_errno(&e, err, "cannot execute %s", path);
    warn_text("%s", e.text);
    _exit(err == ENOENT ? 127 : 126);
}

static pid_t spawn_proxy(const char *path, const char *name, const int fds[PROXY_FD_MAX + 1],
                         struct error *e)
{
    pid_t pid = fork();

    if (pid < 0)
        return error_errno(e, errno, "cannot fork for %s", name);
    if (pid == 0)
        exec_proxy(path, name, fds);
    return pid;
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
        {&g->dns_fds[DNS_FD_UDP4], FOR_DNS, AF_INET, SOCK_DGRAM, DNS_PORT},
        {&g->dns_fds[DNS_FD_UDP6], FOR_DNS, AF_INET6, SOCK_DGRAM, DNS_PORT},
        {&g->dns_fds[DNS_FD_TCP4], FOR_DNS, AF_INET, SOCK_STREAM, DNS_PORT},
        {&g->dns_fds[DNS_FD_TCP6], FOR_DNS, AF_INET6, SOCK_STREAM, DNS_PORT},
        {&g->http_fds[HTTP_FD_LISTEN4], FOR_PROXY, AF_INET, SOCK_STREAM, PROXY_PORT},
        {&g->http_fds[HTTP_FD_LISTEN6], FOR_PROXY, AF_INET6, SOCK_STREAM, PROXY_PORT},
        {&g->http_fds[HTTP_FD_TRANSPARENT4], FOR_INTERCEPTION, AF_INET, SOCK_STREAM,
         TRANSPARENT_PORT},
        {&g->http_fds[HTTP_FD_TRANSPARENT6], FOR_INTERCEPTION, AF_INET6, SOCK_STREAM,
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
    if ((g->dns_fds[DNS_FD_NFLOG] = netns_open_nflog(NFLOG_GROUP, e)) < 0)
        return g->dns_fds[DNS_FD_NFLOG];
    if ((g->dns_fds[DNS_FD_ICMP4] = netns_open_icmp(AF_INET, e)) < 0)
        return g->dns_fds[DNS_FD_ICMP4];
    if (g->ipv6 && (g->dns_fds[DNS_FD_ICMP6] = netns_open_icmp(AF_INET6, e)) < 0)
        return g->dns_fds[DNS_FD_ICMP6];
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

    if ((g->dns_fds[DNS_FD_HELD] = netns_open_nflog(HELD_GROUP, e)) < 0)
        return g->dns_fds[DNS_FD_HELD];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int *fd = &g->dns_fds[rows[i].fd];
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
        if (launch_send_fd(g->l->gate_keeper, LAUNCH_RELAY, i, fd) < 0)
            return error_set(e, EPIPE, "the supervisor has gone");
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

static int build_network(struct gateway *g, struct error *e)
{
    struct ruleset rules;
    int r = netns_setup_gateway(g->init, &g->ipv6, e);

    if (r < 0)
        return r;
    ruleset_from_policy(&rules, g->l->policy);
    rules.with_ipv6 = g->ipv6;
    r = ruleset_install(&rules, e);
    if (r == 0 && (intercepts_urls(&rules) || intercepts_dns(&rules) || ruleset_takes_raw(&rules)))
        r = netns_intercept(g->ipv6, e);
    if (r == 0)
        r = open_sockets(g, &rules, e);
    if (r == 0)
        r = open_log(g, e);
    if (r == 0 && ruleset_takes_raw(&rules))
        r = open_held(g, e);
    if (r == 0 && ruleset_takes_raw(&rules))
        r = send_relays(g, e);
    if (r == 0 && ruleset_takes_raw(&rules))
        r = start_maker(g, e);
    close_fd(&g->l->maker);
    ruleset_free(&rules);
    return r;
}

static int start_proxies(struct gateway *g, struct error *e)
{
    struct launch *l = g->l;

    g->dns_fds[PROXY_FD_CHANNEL] = l->dns_proxy;
    g->dns_fds[PROXY_FD_CONFIG] = l->config;
    g->dns = spawn_proxy(l->dnsproxy_path, "cijail-dnsproxy", g->dns_fds, e);
    if (g->dns < 0)
        return g->dns;
    g->http_fds[PROXY_FD_CHANNEL] = l->http_proxy;
    g->http_fds[PROXY_FD_CONFIG] = l->config;
    g->http_fds[HTTP_FD_ROOTS] = l->roots;
    g->http = spawn_proxy(l->httpproxy_path, "cijail-httpproxy", g->http_fds, e);
    if (g->http < 0)
        return g->http;
    for (int n = 0; n <= PROXY_FD_MAX; n++) {
        if (n != PROXY_FD_CONFIG)
            close_fd(&g->dns_fds[n]);
        close_fd(&g->http_fds[n]);
    }
    return 0;
}

static pid_t start_init(struct gateway *g, struct error *e)
{
    pid_t pid = launch_clone(CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC);

    if (pid < 0)
        return error_errno(e, -pid,
                           "cannot make the jail's network, PID, mount and IPC namespaces");
    if (pid == 0) {
        close_fd(&g->l->gate_keeper);
        close_fd(&g->l->pair_keeper);
        close_fd(&g->l->dns_proxy);
        close_fd(&g->l->http_proxy);
        close_fd(&g->l->maker);
        close_fd(&g->l->config);
        close_fd(&g->l->roots);
        init_main(g->l);
    }
    close_fd(&g->l->init_child);
    close_fd(&g->l->pair_init);
    return pid;
}

/* A proxy ended. Before its time that ends the whole network of the jail, so that what was said to
 * one proxy is not gone round by the other, and no denial goes unlogged. The other is killed first,
 * by which the kernel tells its clients that their connections have ended, and nothing is served
 * any more. The supervisor is told before the link is taken away, since init, which may still be
 * setting it up, would have another reason to give; if it cannot be taken away, this process ends
 * and takes the jail with it. */
static void on_proxy_end(struct gateway *g, const char *name, int status, pid_t other)
{
    char byte;
    bool due = recv(g->l->gate_keeper, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0; /* LAUNCH_ENDING */
    struct error e;

    if (due)
        return;
    if (other > 0 && kill(other, SIGKILL) == 0)
        (void)waitpid(other, NULL, 0);
    g->dns = g->http = 0;
    (void)launch_send(g->l->gate_keeper, LAUNCH_PROXY_ENDED, status, name);
    if (netns_cut(&e) < 0)
        launch_fail(g->l->gate_keeper, &e);
    (void)launch_send(g->l->gate_keeper, LAUNCH_CUT, 0, NULL);
}

/* Ends never by itself but as above: the supervisor kills this process when all is done. */
static void watch_children(struct gateway *g) __attribute__((noreturn));
static void watch_children(struct gateway *g)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        if (pid < 0 && errno == ECHILD)
            (void)pause();
        if (pid > 0 && pid == g->dns)
            on_proxy_end(g, "cijail-dnsproxy", status, g->http);
        else if (pid > 0 && pid == g->http)
            on_proxy_end(g, "cijail-httpproxy", status, g->dns);
    }
}

void gateway_main(struct launch *l)
{
    struct gateway g = {.l = l};
    struct launch_msg m;
    struct error e;

    for (int n = 0; n <= PROXY_FD_MAX; n++)
        g.dns_fds[n] = g.http_fds[n] = -1;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
        launch_send(l->gate_keeper, LAUNCH_NUMBER, launch_number_in_proc(), NULL) < 0)
        _exit(125);
    /* The end of the supervisor before the line above shows here: nothing comes. */
    if (launch_recv(l->gate_keeper, &m) < 0 || m.type != LAUNCH_MAPPED)
        _exit(125);
    g.init = start_init(&g, &e);
    if (g.init < 0)
        launch_fail(l->gate_keeper, &e);
    if (setsid() < 0) { /* out of the command's process group: kill(0, ...) does not reach it */
        (void)error_errno(&e, errno, "setsid");
        launch_fail(l->gate_keeper, &e);
    }
    if (build_network(&g, &e) < 0 || start_proxies(&g, &e) < 0)
        launch_fail(l->gate_keeper, &e);
    if (launch_send(l->pair_keeper, LAUNCH_NET, g.ipv6, NULL) < 0)
        _exit(125);
    close_fd(&l->pair_keeper);
    watch_children(&g);
}
