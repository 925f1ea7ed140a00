/* raw.c: raw endpoints in the supervisor.
 *
 * What goes to a port of theirs is held or taken by the gateway's rules (nft/cijail.nft); each
 * connection and each flow is judged here, by its address (raw_judge.c), and then relayed: TCP by
 * splice(2) (raw_tcp.c), UDP datagram by datagram (raw_udp.c, raw_maker.c). No byte of it is read.
 */
#include "src/raw.h"

#include <sys/socket.h>
#include <unistd.h>

#include "src/raw_parts.h"
#include "src/util.h"

struct raw {
    struct raw_tcp *tcp;
    struct raw_udp *udp;
    struct channel *channel;
};

struct raw *raw_new(const struct raw_setup *setup, int maker, size_t flows)
{
    struct raw *r = xcalloc(1, sizeof(*r));

    r->tcp = raw_tcp_new(setup);
    r->udp = raw_udp_new(setup, maker, flows);
    return r;
}

void raw_take_socket(struct raw *r, int kind, int fd)
{
    switch (kind) {
    case LAUNCH_TCP4:
    case LAUNCH_TCP6:
        raw_tcp_listen(r->tcp, fd);
        break;
    case LAUNCH_UDP4:
    case LAUNCH_UDP6:
        raw_udp_listen(r->udp, fd, kind == LAUNCH_UDP4 ? AF_INET : AF_INET6);
        break;
    default:
        (void)close(fd);
        break;
    }
}

void raw_set_channel(struct raw *r, struct channel *dnsproxy)
{
    if (r->channel && !dnsproxy)
        raw_tcp_forget(r->tcp, r->channel);
    r->channel = dnsproxy;
    raw_udp_set_channel(r->udp, dnsproxy);
}

void raw_open(struct raw *r, struct channel *c, const struct msg_open *m)
{
    raw_tcp_open(r->tcp, c, m);
}

int raw_claim(struct raw *r, const struct msg_tuple *t, uint32_t *endpoint)
{
    return raw_tcp_claim(r->tcp, t, endpoint);
}

bool raw_drain(struct raw *r)
{
    bool tcp = raw_tcp_drain(r->tcp), udp = raw_udp_drain(r->udp);

    return tcp && udp;
}
