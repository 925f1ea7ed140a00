/* upstream_dialer.c: dnsproxy says which of the servers, by its number, and gets a connected
 * socket; the address is the command line's. What is said over it is TLS between dnsproxy and the
 * server, and no business of this process. */
#include "src/upstream_dialer.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "src/connector.h"
#include "src/util.h"

#define DIALS_MAX 16 /* at once; what comes on top is refused */

struct dial {
    struct upstream_dialer *dialer;
    struct channel *channel; /* NULL: this one is free, or nobody waits any more */
    bool busy;
    uint64_t id;
    uint32_t server;
};

struct upstream_dialer {
    struct event_base *base;
    const struct upstream_servers *servers;
    struct log *log;
    struct dial dials[DIALS_MAX];
};

struct upstream_dialer *upstream_dialer_new(struct event_base *base,
                                            const struct upstream_servers *servers, struct log *log)
{
    struct upstream_dialer *d = xcalloc(1, sizeof(*d));

    *d = (struct upstream_dialer){.base = base, .servers = servers, .log = log};
    return d;
}

/* fd: -1 exactly if err is not 0; closed here. */
static void reply(const struct upstream_dialer *d, struct channel *c, uint64_t id, uint32_t server,
                  int fd, int err)
{
    struct msg_tls_dialed m = {.id = id, .error = err};

    msg_init(&m, MSG_TLS_DIALED, sizeof(m));
    copy_string(m.name, sizeof(m.name), d->servers->at[server].name);
    copy_string(m.address, sizeof(m.address), d->servers->at[server].text);
    (void)channel_send(c, &m, fd);
}

static void on_connected(void *arg, int fd, int err)
{
    struct dial *dial = arg;
    int one = 1;

    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (dial->channel)
        reply(dial->dialer, dial->channel, dial->id, dial->server, fd, err);
    else if (fd >= 0)
        (void)close(fd);
    dial->channel = NULL;
    dial->busy = false;
}

void upstream_dialer_dial(struct upstream_dialer *d, struct channel *c,
                          const struct msg_tls_dial *m)
{
    size_t i = 0;

    if (m->server >= d->servers->count)
        return; /* it is told how many there are */
    while (i < DIALS_MAX && d->dials[i].busy)
        i++;
    if (i == DIALS_MAX) {
        reply(d, c, m->id, m->server, -1, EAGAIN);
        return;
    }
    d->dials[i] =
        (struct dial){.dialer = d, .channel = c, .busy = true, .id = m->id, .server = m->server};
    connector_start(d->base, &d->servers->at[m->server].address, 1, on_connected, &d->dials[i]);
}

void upstream_dialer_failed(struct upstream_dialer *d, const struct msg_tls_failed *m)
{
    char text[MSG_TEXT_SIZE];

    if (m->server >= d->servers->count)
        return;
    (void)escape_text(text, sizeof(text), m->text, strlen(m->text));
    log_error(d->log, "the DNS server %s cannot be asked by TLS: %s",
              d->servers->at[m->server].text, text);
}

void upstream_dialer_forget(struct upstream_dialer *d, const struct channel *c)
{
    for (size_t i = 0; i < DIALS_MAX; i++)
        if (d->dials[i].channel == c)
            d->dials[i].channel = NULL;
}
