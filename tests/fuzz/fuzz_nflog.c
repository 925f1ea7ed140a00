/* fuzz_nflog.c: a netlink datagram of the log, and the same bytes as a bare packet of either
 * family. */
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dnsproxy/nflog.h"
#include "dnsproxy/reject.h"
#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_packet(void *arg, const struct nflog_packet *p)
{
    struct reject_message m;
    (void)arg;
    if (p->transport > p->len)
        abort();
    if (reject_build(p, EACCES, &m) == 0 && (m.len > sizeof(m.data) || (!p->tcp_syn && p->protocol != IPPROTO_UDP)))
        abort();
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
