/* supervisor.c: the process on the host's network, from the first clone to the exit status.
 *
 *   set-up    sockets, policy and roots as memfds; clone the keeper, map its ids; it builds the
 *             network and starts init (gateway.c, child.c), which gets the word to go, and the CA
 *   running   from when the command's process is ready: dials and asks upstream for the proxies,
 *             logs what they report, passes signals on to the command
 *   ending    init reports the command's status; the proxies report what they still hold
 *             (MSG_FINISH); the keeper is killed, and with it, by the kernel, all that is left in
 *             its PID namespace
 *
 * One event loop. From the proxies come typed messages of fixed length only (channel.h); what a
 * proxy may ask for is judged again by the dialer. A proxy that breaks the protocol, or ends, ends
 * the jail's network: it is not started anew, and the keeper takes the link away (gateway.c). */
#include "src/supervisor.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/channel.h"
#include "src/container.h"
#include "src/dialer.h"
#include "src/gate_process.h"
#include "src/launch.h"
#include "src/learn.h"
#include "src/learned.h"
#include "src/libexec.h"
#include "src/log.h"
#include "src/memfd.h"
#include "src/mirror.h"
#include "src/parent.h"
#include "src/progress.h"
#include "src/quota.h"
#include "src/raw.h"
#include "src/relay.h"
#include "src/resolver.h"
#include "src/summary.h"
#include "src/supervisor_parts.h"
#include "src/upstream_dialer.h"
#include "src/upstream_dns.h"
#include "src/userns.h"
#include "src/util.h"

#define SETUP_SECONDS 30
#define FINISH_MS 3000 /* a machine with much else to do may leave a process alone for a second */
#define DRAIN_MS 10
#define MAPPED_BYTES 32768 /* allocations of that size are mappings */
#define HUNG_MS 1000
#define END_MS 4000       /* of what has been killed: much memory takes a while */
#define PROXY_WORD_MS 500 /* from the end of a proxy's channel to the keeper's word of its own */

/* --- ends --- */

static void stop_loop(struct supervisor *s, int result)
{
    s->result = result;
    (void)event_base_loopbreak(s->base);
}

void supervisor_give_up(struct supervisor *s, int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(s->error.text, sizeof(s->error.text), fmt, ap);
    va_end(ap);
    stop_loop(s, -err);
}

void supervisor_finish_if_all_said(struct supervisor *s)
{
    if (s->phase != PHASE_ENDING || s->dns.channel || s->http.channel)
        return;
    if (!raw_drain(s->raw))
        return;
    if (s->mirror ? mirror_is_drained(s->mirror) : relays_undelivered(s->relays) == 0)
        (void)event_base_loopbreak(s->base);
}

/* While the last bytes of the jail are on their way to the host. */
static void on_drain(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    supervisor_finish_if_all_said(arg);
}

void supervisor_await_keeper(struct supervisor *s, const bool *word)
{
    struct pollfd p = {.fd = s->launch.gate_supervisor, .events = POLLIN};
    int result = s->result; /* the keeper's own end changes it */

    while (!*word && !s->network_ended && s->result == result && poll(&p, 1, PROXY_WORD_MS) > 0)
        supervisor_on_gate(p.fd, EV_READ, s);
}

/* A command that ends with its connection to a proxy that ended may be quicker than the keeper with
 * its word of that end. Where the proxy's channel is not closed yet, that it does not answer
 * MSG_FINISH will tell (supervisor_on_proxy_closed). */
static void await_word_of_proxy(struct supervisor *s)
{
    if (s->dns.channel)
        channel_catch_up(s->dns.channel);
    if (s->http.channel)
        channel_catch_up(s->http.channel);
    if (s->closed)
        supervisor_await_keeper(s, &s->network_ended);
    if (s->closed && !s->network_ended)
        log_error(s->log, "%s closed its channel; the jail's network had ended", s->closed);
}

static void tell_to_finish(struct proxy *p)
{
    struct msg_finish m;

    if (!p->channel)
        return;
    msg_init(&m, MSG_FINISH, sizeof(m));
    channel_allow(p->channel, MSG_FINISH); /* the answer */
    (void)channel_send(p->channel, &m, -1);
}

/* The command has ended, s->result is set: the proxies' last words, but not for long. */
void supervisor_begin_ending(struct supervisor *s, int result)
{
    static const struct timeval wait = {FINISH_MS / 1000, FINISH_MS % 1000 * 1000};
    static const struct timeval drain = {0, DRAIN_MS * 1000};

    s->result = result;
    if (s->gate.channel)
        channel_catch_up(s->gate.channel); /* what the command did is there */
    await_word_of_proxy(s);
    s->phase = PHASE_ENDING;
    (void)launch_send(s->launch.gate_supervisor, LAUNCH_ENDING, 0, NULL);
    tell_to_finish(&s->dns);
    tell_to_finish(&s->http);
    (void)event_add(s->timer, &wait);
    (void)event_add(s->drain_timer, &drain);
    supervisor_finish_if_all_said(s);
}

/* A proxy that is stopped, or hangs. */
static void tell_of_silence(const struct supervisor *s)
{
    const struct proxy *proxies[] = {&s->dns, &s->http};

    for (size_t i = 0; i < ARRAY_LEN(proxies); i++)
        if (proxies[i]->channel)
            log_error(s->log, "%s did not end in time: what it had to report is not in the log",
                      proxies[i]->name);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct supervisor *s = arg;

    (void)fd;
    (void)what;
    if (s->phase == PHASE_ENDING) {
        tell_of_silence(s);
        (void)event_base_loopbreak(s->base);
    } else if (s->phase == PHASE_SETUP) {
        supervisor_give_up(s, ETIMEDOUT, "the jail was not ready after %d s", SETUP_SECONDS);
    }
}

/* --- set-up --- */

/* Standard descriptors that are closed would be taken by sockets of ours. */
static int fill_standard_fds(struct error *e)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return error_errno(e, errno, "cannot open /dev/null");
    (void)close(fd);
    return 0;
}

static void warn_of_sockets(void)
{
    static const char *const names[] = {"input", "output", "error"};
    struct stat st;

    for (int fd = 0; fd <= 2; fd++)
        if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
            warn_text("warning: standard %s is a socket, a way out that cijail does not guard",
                      names[fd]);
}

static int open_pair(int *a, int *b, struct error *e)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return error_errno(e, errno, "socketpair");
    *a = fds[0];
    *b = fds[1];
    return 0;
}

static int open_config(const struct policy *policy, struct error *e)
{
    cleanup_free char *text = NULL;
    cleanup_close int fd = memfd_open("cijail-policy", e);
    size_t len;
    int r;

    if (fd < 0)
        return fd;
    text = policy_to_config(policy, &len);
    if ((r = write_all(fd, text, len)) < 0)
        return error_errno(e, -r, "cannot write a memfd");
    r = memfd_seal(fd, e);
    return r < 0 ? r : steal_fd(&fd);
}

static int prepare(struct supervisor *s, struct error *e)
{
    struct launch *l = &s->launch;
    int r;

    l->options = s->options;
    l->policy = s->policy;
    l->root = geteuid() == 0;
    l->roots = l->quota = -1;
    if ((r = supervisor_find_parents(s, e)) < 0)
        return r;
    l->container = s->container;
    if (!s->container && !getcwd(l->cwd, sizeof(l->cwd)))
        return launch_explain_cwd(errno, NULL, e);
    if ((r = libexec_find("cijail-dnsproxy", "dnsproxy", l->dnsproxy_path, e)) < 0 ||
        (r = libexec_find("cijail-httpproxy", "httpproxy", l->httpproxy_path, e)) < 0 ||
        (r = open_pair(&l->gate_supervisor, &l->gate_keeper, e)) < 0 ||
        (r = open_pair(&l->init_supervisor, &l->init_child, e)) < 0 ||
        (r = open_pair(&l->pair_keeper, &l->pair_init, e)) < 0 ||
        (r = open_pair(&l->dns_supervisor, &l->dns_proxy, e)) < 0 ||
        (r = open_pair(&l->http_supervisor, &l->http_proxy, e)) < 0 ||
        (r = open_pair(&l->maker_supervisor, &l->maker, e)) < 0 ||
        (r = supervisor_tell_secrets(s, e)) < 0)
        return r;
    if ((l->config = open_config(s->policy, e)) < 0)
        return l->config;
    if (s->options->upload_limit > 0 && !s->options->dry_run &&
        (l->quota = quota_open(s->options->upload_limit, &s->quota, e)) < 0)
        return l->quota;
    if (!supervisor_needs_roots(s))
        return 0;
    if ((r = ca_bundle_find(&l->bundle, e)) < 0)
        return r;
    l->roots = ca_bundle_roots(&l->bundle, e);
    return l->roots < 0 ? l->roots : 0;
}

static void close_supervisors_ends(struct launch *l)
{
    (void)close(l->gate_supervisor);
    (void)close(l->init_supervisor);
    (void)close(l->dns_supervisor);
    (void)close(l->http_supervisor);
    (void)close(l->maker_supervisor);
}

static void close_others_ends(struct launch *l)
{
    (void)close(l->gate_keeper);
    (void)close(l->init_child);
    (void)close(l->pair_keeper);
    (void)close(l->pair_init);
    (void)close(l->dns_proxy);
    (void)close(l->http_proxy);
    (void)close(l->maker);
    (void)close(l->config);
    if (l->roots >= 0)
        (void)close(l->roots);
    if (l->quota >= 0)
        (void)close(l->quota);
}

/* What set-up failed with, r and *e, may come of the end of the keeper, which has said why. */
static int keepers_word(struct supervisor *s, int r, struct error *e)
{
    struct launch_msg m;

    if (!launch_waits(s->launch.gate_supervisor) ||
        launch_recv(s->launch.gate_supervisor, &m) < 0 || m.type != LAUNCH_ERROR)
        return r;
    return error_set(e, -r, "%s", m.text);
}

static int start_keeper(struct supervisor *s, struct error *e)
{
    struct launch_msg m;
    int r;

    s->keeper = launch_clone(CLONE_NEWUSER | CLONE_NEWPID);
    if (s->keeper < 0)
        return userns_explain(-s->keeper, "cannot make the jail's user and PID namespaces", e);
    if (s->keeper == 0) {
        parents_forget(&s->parents);
        close_supervisors_ends(&s->launch);
        if (s->container)
            container_close(s->container);
        gateway_main(&s->launch);
    }
    r = s->container ? supervisor_start_envoy(s, e) : 0;
    close_others_ends(&s->launch);
    if (r < 0)
        return r;
    r = launch_recv(s->launch.gate_supervisor, &m);
    if (r < 0 || m.type != LAUNCH_NUMBER)
        return error_set(e, EPROTO, "the keeper of the jail's network ended at once");
    s->keeper_fd = (int)syscall(SYS_pidfd_open, s->keeper, 0);
    if (s->keeper_fd < 0)
        return error_errno(e, errno, "pidfd_open");
    r = userns_map("/proc", m.value, s->launch.root, e);
    if (r < 0)
        return keepers_word(s, r, e);
    (void)launch_send(s->launch.gate_supervisor, LAUNCH_MAPPED, 0, NULL);
    return 0; /* if it has ended, its last message says why */
}

struct event *supervisor_watch(struct supervisor *s, int fd, event_callback_fn cb, bool add)
{
    struct event *ev = event_new(s->base, fd, EV_READ | EV_PERSIST, cb, s);

    if (!ev || (add && event_add(ev, NULL) < 0))
        die("cannot watch a descriptor");
    return ev;
}

static void start_proxy_channel(struct supervisor *s, struct proxy *p, const char *name, int fd,
                                unsigned types)
{
    *p = (struct proxy){.supervisor = s, .name = name};
    p->channel = channel_new(s->base, fd, types, 0, supervisor_on_proxy_message,
                             supervisor_on_proxy_closed, p);
}

static void start_raw(struct supervisor *s)
{
    const struct raw_setup setup = {
        .base = s->base,
        .judge = {.policy = s->policy, .learned = s->learned, .parents = &s->parents},
        .log = s->log,
        .relays = s->relays,
        .quota = s->quota,
    };

    s->raw = raw_new(&setup, s->launch.maker_supervisor, s->nofile / FDS_PER_FLOW);
}

/* Names by the servers of --upstream, which dnsproxy reads. */
static int ask_dns(void *arg, const struct msg_lookup *m)
{
    struct supervisor *s = arg;

    return s->dns.channel ? channel_send(s->dns.channel, m, -1) : -EPIPE;
}

static void start_upstream(struct supervisor *s)
{
    const struct upstream_servers *servers = &s->options->upstream;

    s->upstream = upstream_dns_new(s->base, s->policy);
    upstream_dns_set_learn(s->upstream, s->learn);
    upstream_dns_set_log(s->upstream, s->log);
    if (servers->count == 0)
        return;
    upstream_dns_set_servers(s->upstream, servers, s->resolver);
    resolver_set_remote(s->resolver, ask_dns, s);
    if (servers->tls)
        s->upstream_dialer = upstream_dialer_new(s->base, servers, s->log);
}

/* What dnsproxy may say. */
static unsigned dns_types(const struct supervisor *s)
{
    unsigned types = 1u << MSG_READY | 1u << MSG_QUERY | 1u << MSG_LEARN | 1u << MSG_LOG_RESOLVE |
                     1u << MSG_LOG_CONNECT | 1u << MSG_OPEN;

    if (s->options->upstream.count > 0)
        types |= 1u << MSG_ADDRESSES;
    return s->upstream_dialer ? types | 1u << MSG_TLS_DIAL | 1u << MSG_TLS_FAILED : types;
}

static void start_loop(struct supervisor *s, const sigset_t *signals)
{
    static const struct timeval setup = {SETUP_SECONDS, 0};
    struct launch *l = &s->launch;

    s->nofile = raise_nofile(); /* of this process: the command keeps the caller's limit */
    s->base = event_base_new();
    s->signals = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (!s->base || s->signals < 0)
        die("cannot start the event loop");
    s->resolver = resolver_new(s->base);
    s->relays = relays_new(s->base, s->nofile / FDS_PER_RELAY);
    relays_limit(s->relays, s->quota);
    s->learned = learned_new(s->policy, now_ms, supervisor_catch_up_with_dns, s);
    start_raw(s);
    s->dialer = dialer_new(&(struct dialer_setup){.base = s->base,
                                                  .policy = s->policy,
                                                  .resolver = s->resolver,
                                                  .learned = s->learned,
                                                  .raw = s->raw,
                                                  .log = s->log,
                                                  .parents = &s->parents});
    start_upstream(s);
    start_proxy_channel(s, &s->dns, "cijail-dnsproxy", l->dns_supervisor, dns_types(s));
    channel_batch(s->dns.channel, NULL);
    raw_set_channel(s->raw, s->dns.channel);
    start_proxy_channel(s, &s->http, "cijail-httpproxy", l->http_supervisor,
                        1u << MSG_READY | 1u << MSG_CA | 1u << MSG_DIAL | 1u << MSG_LOG_REQUEST |
                            1u << MSG_LOG_BATCH | 1u << MSG_LOG_TUNNEL);
    s->gate = (struct proxy){.supervisor = s, .name = "the gate", .ready = s->container != NULL};
    if (!s->container)
        s->gate.channel =
            channel_new(s->base, s->gate_process.fd, 1u << MSG_READY | 1u << MSG_LOG_UNIX, 0,
                        supervisor_on_proxy_message, supervisor_on_gate_closed, &s->gate);
    supervisor_tell_parents(s);
    s->gate_event = supervisor_watch(s, l->gate_supervisor, supervisor_on_gate, true);
    s->init_event = supervisor_watch(s, l->init_supervisor, supervisor_on_init, true);
    s->signal_event = supervisor_watch(s, s->signals, supervisor_on_signal, false);
    if (s->container)
        supervisor_watch_container(s);
    s->timer = evtimer_new(s->base, on_timer, s);
    s->drain_timer = event_new(s->base, -1, EV_PERSIST, on_drain, s);
    if (!s->timer || !s->drain_timer || event_add(s->timer, &setup) < 0)
        die("cannot start the event loop");
}

/* An init that hangs may be held by a debugger, without which the kernel does not finish the end of
 * what has been killed; and a process that waits for a FUSE file system of the jail's own, whose
 * daemon has been killed, never ends: that goes on after this process, then. */
static bool may_wait(const struct supervisor *s)
{
    bool ended = wait_readable(s->keeper_fd, s->hangs ? HUNG_MS : END_MS);

    if (!ended && !s->hangs && s->log)
        log_error(s->log, "the jail's processes have been killed, and do not end: one waits for a "
                          "file system of the jail's own (FUSE), perhaps");
    return ended;
}

/* The keeper is the init of its PID namespace: when it is reaped, nothing of the jail lives any
 * more. */
static void end_processes(struct supervisor *s)
{
    if (s->gate.channel)
        channel_free(s->gate.channel);
    else if (s->gate_process.fd >= 0)
        (void)close(s->gate_process.fd);
    if (s->keeper_fd >= 0 && syscall(SYS_pidfd_send_signal, s->keeper_fd, SIGKILL, NULL, 0) == 0 &&
        may_wait(s))
        while (waitpid(s->keeper, NULL, 0) < 0 && errno == EINTR)
            ;
    gate_process_end(&s->gate_process);
}

/* A dry run never looks like a run; what was not run at all (126, 127) is none. */
static int own_status(const struct supervisor *s)
{
    if (s->options->dry_run)
        return s->ran ? 99 : s->result;
    if (s->options->fail_on_deny && s->result == 0 && log_denials(s->log) > 0)
        return 98;
    return s->result;
}

/* What is written beside what the command writes. */
static int open_records(struct supervisor *s, struct error *e)
{
    int r = log_open(&s->log, s->options, s->policy, e);

    if (r == 0 && s->options->summary_path)
        r = summary_open(&s->summary, s->options, s->policy, s->log, e);
    if (r < 0 || !s->options->learn_path)
        return r;
    r = learn_open(&s->learn, s->options, s->policy, e);
    log_set_learn(s->log, s->learn);
    return r;
}

static int run(struct supervisor *s, struct error *e)
{
    sigset_t signals;
    int r = open_records(s, e);

    if (r < 0)
        return r;
    supervisor_block_signals(s, &signals);
    r = start_keeper(s, e);
    if (r == 0 && !s->container)
        r = gate_process_start(&s->gate_process, s->policy, e);
    if (r < 0) {
        end_processes(s);
        return r;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    start_loop(s, &signals);
    supervisor_go_if_ready(s);
    if (event_base_dispatch(s->base) < 0)
        supervisor_give_up(s, EIO, "the event loop has failed");
    progress_stop(s->progress);
    end_processes(s);
    if ((s->ran || s->phase == PHASE_RUNNING) && s->learn && learn_write(s->learn, e) < 0) {
        log_error(s->log, "%s", e->text);
        s->result = s->result < 0 ? s->result : 125;
    } else if (s->result >= 0) {
        s->result = own_status(s);
    }
    if (s->result < 0) {
        *e = s->error;
        return s->result;
    }
    if (summary_write(s->summary, s->result, e) < 0) {
        log_error(s->log, "%s", e->text);
        s->result = 125;
    }
    if (log_close(s->log) < 0)
        s->result = 125;
    return s->result;
}

static int supervise(const struct options *options, const struct policy *policy,
                     struct container *container, struct error *e)
{
    static struct supervisor state; /* this process has one, as long as it lives */
    struct supervisor *s = &state;
    int r;

    /* What is allocated zeroed and seldom used whole, buffers above all, is not touched. */
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    s->options = options;
    s->policy = policy;
    s->container = container;
    s->diag = s->keeper_fd = s->gate_process.fd = s->gate_process.pidfd = s->gate_process.words =
        -1;
    s->init_fd = s->command_fd = -1;
    if ((r = fill_standard_fds(e)) < 0)
        return r;
    if (!container)
        warn_of_sockets();
    if ((r = prepare(s, e)) < 0)
        return r;
    return run(s, e);
}

int supervisor_run(const struct options *options, const struct policy *policy, struct error *e)
{
    return supervise(options, policy, NULL, e);
}

int supervisor_run_container(const struct options *options, const struct policy *policy,
                             struct container *container, struct error *e)
{
    return supervise(options, policy, container, e);
}
