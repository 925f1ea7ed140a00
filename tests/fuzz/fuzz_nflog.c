/* fuzz_nflog.c: a netlink datagram of the log, and the same bytes as a bare packet of either
 * family. */
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dnsproxy/nflog.h"
#include "dnsproxy/packet.h"
#include "dnsproxy/reject.h"
#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A held packet: made anew, and parsed again. */
static void on_held(const struct nflog_packet *p)
{
    struct msg_tuple t, again;
    struct packet out;
    struct nflog_packet q;
    struct reject_message m;
    uint32_t sequence, same;
    if (packet_tuple(p, &t, &sequence) < 0)
        return;
    packet_syn(p, &out);
    if (out.len > sizeof(out.data) ||
        nflog_parse_packet(p->family == AF_INET ? ETH_P_IP : ETH_P_IPV6, out.data, out.len, &q) <
            0 ||
        packet_tuple(&q, &again, &same) < 0 || memcmp(&t, &again, sizeof(t)) != 0 ||
        same != sequence)
        abort();
    packet_reset(p, &out);
    packet_datagram(&t, &out, &q);
    if (reject_build(&q, EACCES, &m) < 0 || m.len > sizeof(m.data))
        abort();
}

static void on_packet(void *arg, const struct nflog_packet *p)
{
    struct reject_message m;
    (void)arg;
    if (p->transport > p->len)
        abort();
    if (reject_build(p, EACCES, &m) == 0 &&
        (m.len > sizeof(m.data) || (!p->tcp_syn && p->protocol != IPPROTO_UDP)))
        abort();
    on_held(p);
}

static void as_packet(uint16_t type, const uint8_t *data, size_t size)
{
    struct nflog_packet p;
    if (nflog_parse_packet(type, data, size, &p) == 0)
        on_packet(NULL, &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = xmalloc(size); /* aligned */
    memcpy(copy, data, size);
    (void)nflog_parse(copy, size, on_packet, NULL);
    as_packet(ETH_P_IP, copy, size);
    as_packet(ETH_P_IPV6, copy, size);
    free(copy);
    return 0;
}
