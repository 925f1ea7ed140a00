/* container.c: the envoy, which does in a container's network what init does in a command's jail
 * (child.c).
 *
 * The container, its namespaces and mounts are the runtime's; the hook (oci/) is called when they
 * are there and nothing of the container runs yet. The network namespace belongs to the user
 * namespace that the runtime is in, or to one below it, so the keeper, which is in U1, has no
 * rights there. The supervisor has; but it must stay in the host's network, and a process that
 * entered the container's may not come back in a rootless runtime. Hence a child, which
 *
 *   enters J -> sees that there is only lo -> sysctls -> waits for G -> makes the link, with its
 *   end gw0 in G -> tells the keeper -> addresses, routes -> waits for the word to go, and the CA
 *   -> appends the CA to the container's bundles -> READY
 *
 * and then makes listening sockets in J when the supervisor asks for them, and ends the
 * connections of J when the link was taken away. It has nothing of the container's but its network;
 * and ends with the supervisor. */
#include "src/container.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "src/jail_abort.h"
#include "src/jail_listen.h"
#include "src/netns.h"
#include "src/unix_diag.h"
#include "src/util.h"

struct envoy {
    struct launch *l;
    int diag; /* sock_diag in J */
};

static void fail(struct envoy *v, const struct error *e) __attribute__((noreturn));
static void fail(struct envoy *v, const struct error *e)
{
    launch_fail(v->l->init_child, e);
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* What is the supervisor's, the keeper's and the proxies', whose ends it would not let be seen. */
static void close_others(struct launch *l)
{
    int *const fds[] = {&l->gate_supervisor,
                        &l->gate_keeper,
                        &l->init_supervisor,
                        &l->pair_keeper,
                        &l->dns_supervisor,
                        &l->dns_proxy,
                        &l->http_supervisor,
                        &l->http_proxy,
                        &l->maker_supervisor,
                        &l->maker,
                        &l->config,
                        &l->roots,
                        &l->quota,
                        &l->container->caller,
                        &l->container->waiting,
                        &l->container->log,
                        &l->container->pidfd};

    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close_one(fds[i]);
}

void container_close(struct container *c)
{
    close_one(&c->netns);
    close_one(&c->pidfd);
    close_one(&c->caller);
    close_one(&c->waiting);
    close_one(&c->log);
    while (c->ca_count > 0)
        close_one(&c->ca_files[--c->ca_count]);
}

static int wait_for_message(int fd, enum launch_type type, struct launch_msg *m, int *passed)
{
    if (launch_recv_fd(fd, m, passed) < 0)
        _exit(125); /* the keeper or the supervisor has ended, and has said why */
    return m->type == (uint32_t)type ? 0 : -EPROTO;
}

static int enter(struct envoy *v, struct error *e)
{
    bool ipv6;
    int r;

    if (setns(v->l->container->netns, CLONE_NEWNET) < 0)
        return error_errno(e, errno, "cannot enter the container's network namespace");
    (void)close(v->l->container->netns);
    if ((r = netns_check_empty(e)) < 0) {
        error_prefix(e, "the container cannot be jailed: ");
        return r;
    }
    if ((r = netns_prepare_jail(&ipv6, e)) < 0)
        return r;
    v->diag = unix_diag_open(e);
    return v->diag < 0 ? v->diag : 0;
}

static int link_networks(struct envoy *v, struct error *e)
{
    struct launch_msg m;
    int gateway = -1, none = -1, r;

    r = wait_for_message(v->l->pair_init, LAUNCH_GATEWAY, &m, &gateway);
    if (r == 0)
        r = netns_make_link(gateway, e);
    if (gateway >= 0)
        (void)close(gateway); /* nothing may hold G when its processes have ended */
    if (r == -EPROTO)
        return error_set(e, EPROTO, "unexpected message %u during set-up", m.type);
    if (r < 0)
        return r;
    if (launch_send(v->l->pair_init, LAUNCH_PREPARED, 0, NULL) < 0)
        _exit(125);
    if (wait_for_message(v->l->pair_init, LAUNCH_NET, &m, &none) < 0)
        return error_set(e, EPROTO, "unexpected message %u during set-up", m.type);
    (void)close(v->l->pair_init);
    return netns_link_jail(m.value != 0, e);
}

static int append_ca(struct envoy *v, const char *pem, struct error *e)
{
    struct container *c = v->l->container;

    for (size_t i = 0; i < c->ca_count; i++) {
        int r = pem[0] ? write_all(c->ca_files[i], pem, strlen(pem)) : 0;
        if (r < 0)
            return error_errno(e, -r, "cannot write the container's CA certificates");
        (void)close(c->ca_files[i]);
    }
    return 0;
}

static void serve(struct envoy *v) __attribute__((noreturn));
static void serve(struct envoy *v)
{
    int fd = v->l->init_child;
    struct launch_msg m;
    struct error e;

    while (launch_recv(fd, &m) == 0) {
        if (m.type == LAUNCH_LISTEN) {
            jail_listen(fd, &m);
        } else if (m.type == LAUNCH_ABORT) {
            jail_abort(v->diag);
        } else if (m.type == LAUNCH_GO) {
            if (append_ca(v, m.text, &e) < 0)
                fail(v, &e);
            (void)launch_send(fd, LAUNCH_READY, 0, NULL);
        }
    }
    _exit(0); /* no supervisor, no jail */
}

void envoy_main(struct launch *l)
{
    struct envoy v = {.l = l, .diag = -1};
    struct error e;

    close_others(l);
    (void)prctl(PR_SET_NAME, "cijail-envoy");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        _exit(125);
    if (enter(&v, &e) < 0 || link_networks(&v, &e) < 0)
        fail(&v, &e);
    serve(&v);
}
