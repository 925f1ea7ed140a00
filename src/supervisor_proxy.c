/* supervisor_proxy.c: what the proxies and the gate say, and their ends. */
#include "src/supervisor_parts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "src/confine.h"
#include "src/dialer.h"
#include "src/hosts_file.h"
#include "src/learn.h"
#include "src/learned.h"
#include "src/log.h"
#include "src/mirror.h"
#include "src/raw.h"
#include "src/upstream_dialer.h"
#include "src/upstream_dns.h"
#include "src/util.h"

/* From here on the supervisor has the files that resolving reads, and no other process's. What is
 * written at the end (supervisor.c, open_records) is open. */
static int give_files_up(struct supervisor *s, struct error *e)
{
    struct confine c = {.borrows_ids =
                            s->policy->dry_run || policy_has_kind(s->policy, ENDPOINT_ABSTRACT),
                        .learn_folder = learn_folder(s->learn)};
    int r = confine_supervisor(&c, e);

    if (r == 0 && c.without_landlock && s->options->verbose)
        warn_text("no Landlock is to be had (landlock(7)): cijail itself can read files");
    return r;
}

static void go(void *arg)
{
    struct supervisor *s = arg;
    struct error e;

    if (s->phase != PHASE_SETUP)
        return;
    if (give_files_up(s, &e) < 0)
        supervisor_give_up(s, EPERM, "%s", e.text);
    else /* if it has ended, its last message, or the keeper's, says why */
        (void)launch_send(s->launch.init_supervisor, LAUNCH_GO, 0, s->ca_pem);
}

/* Init has the rest of the set-up to do, and may be far from it: what it is told waits. */
void supervisor_go_if_ready(struct supervisor *s)
{
    struct mirror_setup mirror = {.base = s->base,
                                  .quota = s->quota,
                                  .policy = s->policy,
                                  .allow_loopback = s->options->allow_loopback,
                                  .flows = s->nofile / FDS_PER_MIRRORED,
                                  .log = s->log,
                                  .relays = s->relays,
                                  .init = s->launch.init_supervisor};

    if (s->went || !s->gate.ready || (policy_needs_ca(s->policy) && !s->ca_pem[0]))
        return;
    if (s->container && !(s->dns.ready && s->http.ready))
        return;
    s->went = true;
    if (mirror_is_wanted(s->policy, s->options->allow_loopback))
        s->mirror = mirror_start(&mirror, go, s);
    else
        go(s);
}

static void take_addresses(struct supervisor *s, const struct msg_learn *m)
{
    learned_add(s->learned, m);
    for (size_t i = 0; i < m->count; i++)
        learn_address(s->learn, m->name, m->family, m->address[i]);
}

static void take_unix(struct supervisor *s, const struct msg_log_unix *m)
{
    log_unix(s->log, m->decision, m->path, m->real, m->endpoint);
}

/* Once, and before the command begins. */
static void take_ca(struct supervisor *s, const struct msg_ca *m)
{
    if (s->went || !policy_needs_ca(s->policy))
        return;
    copy_string(s->ca_pem, sizeof(s->ca_pem), m->pem);
    supervisor_go_if_ready(s);
}

void supervisor_on_proxy_message(struct channel *c, const struct msg_head *m, int fd, void *arg)
{
    struct proxy *p = arg;
    struct supervisor *s = p->supervisor;

    if (fd >= 0)
        (void)close(fd);
    switch (m->type) {
    case MSG_READY: /* nothing waits for the proxies' */
        p->ready = true;
        supervisor_go_if_ready(s);
        break;
    case MSG_FINISH:
        p->finished = true;
        break;
    case MSG_CA:
        take_ca(s, (const struct msg_ca *)(const void *)m);
        break;
    case MSG_DIAL:
        dialer_dial(s->dialer, c, (const struct msg_dial *)(const void *)m);
        break;
    case MSG_QUERY:
        upstream_dns_query(s->upstream, c, (const struct msg_query *)(const void *)m);
        break;
    case MSG_ADDRESSES:
        resolver_take(s->resolver, (const struct msg_addresses *)(const void *)m);
        break;
    case MSG_TLS_DIAL:
        upstream_dialer_dial(s->upstream_dialer, c, (const struct msg_tls_dial *)(const void *)m);
        break;
    case MSG_TLS_FAILED:
        upstream_dialer_failed(s->upstream_dialer, (const struct msg_tls_failed *)(const void *)m);
        break;
    case MSG_OPEN:
        raw_open(s->raw, c, (const struct msg_open *)(const void *)m);
        break;
    case MSG_LEARN:
        take_addresses(s, (const struct msg_learn *)(const void *)m);
        break;
    case MSG_LOG_TUNNEL:
        log_tunnel(s->log, (const struct msg_log_tunnel *)(const void *)m);
        break;
    case MSG_LOG_REQUEST:
        log_request(s->log, (const struct msg_log_request *)(const void *)m);
        break;
    case MSG_LOG_BATCH:
        log_batch(s->log, (const struct msg_log_batch *)(const void *)m);
        break;
    case MSG_LOG_RESOLVE:
        log_resolve(s->log, (const struct msg_log_resolve *)(const void *)m);
        break;
    case MSG_LOG_CONNECT:
        log_connect(s->log, (const struct msg_log_connect *)(const void *)m);
        break;
    case MSG_LOG_UNIX:
        take_unix(s, (const struct msg_log_unix *)(const void *)m);
        break;
    default:
        break; /* the channel lets no other type through */
    }
}

static void learn_host(void *arg, const char *name, int family, const uint8_t address[16])
{
    struct supervisor *s = arg;
    struct msg_learn m = {.ttl = LEARNED_TTL_MAX, .family = (uint8_t)family, .count = 1};

    if (!policy_has_ports(s->policy, name))
        return;
    msg_init(&m, MSG_LEARN, sizeof(m));
    memcpy(m.address[0], address, sizeof(m.address[0]));
    copy_string(m.name, sizeof(m.name), name);
    learned_add(s->learned, &m);
}

/* For names of hosts(5), which is the jail's as well, nobody is asked. */
static void learn_hosts(struct supervisor *s)
{
    struct hosts_file *hosts = upstream_dns_hosts(s->upstream);
    uint64_t now = now_ms();

    if (!hosts_file_changed(hosts, &s->hosts_generation) &&
        now - s->hosts_learned_ms < LEARNED_TTL_MAX * UINT64_C(500))
        return;
    s->hosts_learned_ms = now;
    hosts_file_each(hosts, learn_host, s);
}

void supervisor_catch_up_with_dns(void *arg)
{
    struct supervisor *s = arg;

    if (s->dns.channel)
        channel_catch_up(s->dns.channel);
    if (policy_has_kind(s->policy, ENDPOINT_NAME_PORT))
        learn_hosts(s);
}

static void drop_proxy(struct proxy *p)
{
    struct supervisor *s = p->supervisor;

    if (!p->channel)
        return;
    dialer_forget(s->dialer, p->channel);
    upstream_dns_forget(s->upstream, p->channel);
    if (s->upstream_dialer)
        upstream_dialer_forget(s->upstream_dialer, p->channel);
    if (p == &s->dns)
        raw_set_channel(s->raw, NULL);
    channel_free(p->channel);
    p->channel = NULL;
}

/* One proxy without the other is not what the policy was written for: without its channel the other
 * one ends too. */
void supervisor_on_proxy_closed(struct channel *c, const char *reason, void *arg)
{
    struct proxy *p = arg;
    struct supervisor *s = p->supervisor;

    (void)c;
    drop_proxy(p);
    if (s->phase == PHASE_ENDING && !p->finished)
        supervisor_await_keeper(s, &p->over);
    if (s->phase == PHASE_ENDING)
        supervisor_finish_if_all_said(s);
    if (s->phase == PHASE_RUNNING) {
        s->closed = s->closed ? s->closed : p->name;
        drop_proxy(&s->dns);
        drop_proxy(&s->http);
    }
    if (s->phase != PHASE_ENDING && reason) {
        log_error(s->log, "%s broke the protocol (%s); the jail's network has ended", p->name,
                  reason);
        s->network_ended = true;
    }
    if (s->phase == PHASE_SETUP && reason)
        supervisor_give_up(s, EPROTO, "%s broke the protocol: %s", p->name, reason);
    /* Without a reason the keeper tells how it ended. */
}

void supervisor_on_gate_closed(struct channel *c, const char *reason, void *arg)
{
    struct supervisor *s = ((struct proxy *)arg)->supervisor;

    channel_free(c);
    s->gate.channel = NULL;
    s->gate_process.fd = -1; /* was the channel's */
    gate_process_speak(&s->gate_process);
    if (s->phase != PHASE_ENDING)
        supervisor_give_up(s, EPIPE, "the gate for the jail's connections %s",
                           reason ? reason : "ended unexpectedly");
}
