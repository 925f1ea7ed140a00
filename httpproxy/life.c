/* life.c: the process from its start to its end, stage by stage (isolate.c says what each is for).
 *
 *   start    what was inherited is what it should be
 *   read     policy, roots; everything that libcrypto may want from a file
 *   ca       made, if there is an https endpoint, or in a dry run
 *   confine  no files, no capabilities
 *   seccomp  the system calls below, and no others
 *   ready    the supervisor is told, and gets the CA's certificate, for which the command waits;
 * only now is read what the jail has sent serve    until the channel closes */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>

#include "httpproxy/limits.h"
#include "httpproxy/proxy.h"
#include "src/filters.h"
#include "src/isolate.h"
#include "src/msg.h"
#include "src/net.h"
#include "src/quota.h"
#include "src/tls_client.h"
#include "src/util.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* tunnels: there may be relays, which are up to a part of the clients, and have four descriptors
 * more for pipes. */
static size_t session_max(bool tunnels)
{
    size_t each = tunnels ? 2 + 4 / LIMIT_RELAYS_PART : 2;
    size_t reserved =
        LIMIT_RESERVED_FDS + LIMIT_IDLE_UPSTREAMS + LIMIT_H2_CONNECTIONS + LIMIT_OPENINGS;
    size_t files = raise_nofile();
    /* Few: then kept connections are as few as clients (upstream.c, h2_upstream.c), and a client of
     * HTTP/2 is a session, with one more for each of its streams. */
    size_t max = files > 2 * reserved ? (files - reserved) / each : files / 12 + 1;

    return max < LIMIT_SESSIONS ? max : LIMIT_SESSIONS;
}

static int read_policy(struct policy *policy, struct error *e)
{
    cleanup_free char *text = NULL;
    size_t len;
    int r = isolate_read_fd(PROXY_FD_CONFIG, POLICY_CONFIG_MAX, &text, &len, e);

    policy_init(policy);
    if (r == 0)
        r = policy_from_config(policy, text, len, e);
    return r;
}

/* Before anything else is opened, which may get its number. */
static int read_quota(struct quota **quota, struct error *e)
{
    int r = is_open(HTTP_FD_QUOTA) ? quota_map(HTTP_FD_QUOTA, quota, e) : 0;

    if (r == 0)
        (void)close(HTTP_FD_QUOTA);
    return r;
}

/* Everything that is read from a descriptor. */
static struct proxy *set_up(struct error *e)
{
    struct policy policy;
    char *roots = NULL;
    size_t roots_len = 0;
    struct quota *quota = NULL;

    if (isolate_start(PROXY_FD_MAX, e) < 0 || read_quota(&quota, e) < 0 || tls_client_init(e) < 0 ||
        read_policy(&policy, e) < 0)
        return NULL;
    if (is_open(HTTP_FD_ROOTS)) {
        if (isolate_read_fd(HTTP_FD_ROOTS, TLS_ROOTS_MAX, &roots, &roots_len, e) < 0)
            return NULL;
        (void)close(HTTP_FD_ROOTS);
    }
    (void)close(PROXY_FD_CONFIG);
    bool tunnels =
        policy_has_kind(&policy, ENDPOINT_NAME_PORT) || policy_has_kind(&policy, ENDPOINT_ADDRESS);
    struct proxy *p =
        proxy_new(&policy, roots, roots_len, PROXY_FD_CHANNEL, session_max(tunnels), e);
    if (!p)
        return NULL;
    proxy_limit(p, quota);
    static const struct {
        int fd;
        bool transparent;
    } listening[] = {{HTTP_FD_LISTEN4, false},
                     {HTTP_FD_LISTEN6, false},
                     {HTTP_FD_TRANSPARENT4, true},
                     {HTTP_FD_TRANSPARENT6, true}};
    for (size_t i = 0; i < ARRAY_LEN(listening); i++)
        if (is_open(listening[i].fd) &&
            listen_add(p, listening[i].fd, listening[i].transparent, e) < 0)
            return NULL;
    return p;
}

static int lock_down(struct error *e)
{
    int r = isolate_confine(e);

    if (r == 0)
        r = isolate_seccomp(&filter_httpproxy, e);
    return r;
}

int proxy_main(void)
{
    struct msg_ready ready;
    struct error e;

    (void)signal(SIGPIPE, SIG_IGN);
    /* Buffers come and go with each message: the memory of a few is kept for the next. */
    (void)mallopt(M_TRIM_THRESHOLD, LIMIT_KEPT_MEMORY);
    (void)mallopt(M_TOP_PAD, LIMIT_KEPT_MEMORY / 4);
    struct proxy *p = set_up(&e);
    if (!p || lock_down(&e) < 0)
        die("%s", e.text);
    proxy_take_configuration(p);
    if (proxy_send_ca(p, &e) < 0)
        die("%s", e.text);
    memset(&ready, 0, sizeof(ready));
    msg_init(&ready, MSG_READY, sizeof(ready));
    if (channel_send(p->channel, &ready, -1) < 0)
        die("the supervisor is gone");
    (void)event_base_dispatch(p->base);
    proxy_free(p, NULL);
    tls_client_end();
    return 0;
}
