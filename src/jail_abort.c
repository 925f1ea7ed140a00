/* jail_abort.c: once the link is away nothing tells a program of the jail that a connection it had
 * begun, or was relayed, leads nowhere: connect(2) would go on until TCP gives up, two minutes
 * later, and a read for ever. So the kernel is asked to abort these (sock_diag(7), SOCK_DESTROY),
 * which it lets the owner of the jail's user namespace do.
 *
 * Listening sockets and what goes over the loopback are the command's own, and stay.
 *
 * Requests are carried out within send(2), so the answer is there when it returns: nothing waits.
 */
#include "src/jail_abort.h"

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/util.h"

#define SOCKETS_MAX 65536 /* more cannot be told apart by their ports */
#define STATES (~(1u << TCP_LISTEN | 1u << TCP_CLOSE | 1u << TCP_TIME_WAIT) & 0xfffu)

struct request {
    struct nlmsghdr head;
    struct inet_diag_req_v2 req;
};

struct found {
    struct inet_diag_req_v2 *sockets;
    size_t count;
};

static bool is_loopback(const struct inet_diag_sockid *id, uint8_t family)
{
    const struct in6_addr *to = (const struct in6_addr *)(const void *)id->idiag_dst;

    if (family == AF_INET)
        return ntohl(id->idiag_dst[0]) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(to) ||
           (IN6_IS_ADDR_V4MAPPED(to) && ntohl(id->idiag_dst[3]) >> 24 == 127);
}

static int on_socket(const struct nlmsghdr *head, void *data)
{
    const struct inet_diag_msg *m = mnl_nlmsg_get_payload(head);
    struct found *f = data;

    if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY || is_loopback(&m->id, m->idiag_family) ||
        f->count == SOCKETS_MAX)
        return MNL_CB_OK;
    if (f->count % 64 == 0)
        f->sockets = xrealloc(f->sockets, (f->count + 64) * sizeof(*f->sockets));
    f->sockets[f->count++] = (struct inet_diag_req_v2){
        .sdiag_family = m->idiag_family, .sdiag_protocol = IPPROTO_TCP, .id = m->id};
    return MNL_CB_OK;
}

static bool ask(int diag, uint16_t type, uint16_t flags, const struct inet_diag_req_v2 *req)
{
    struct request q = {.head = {.nlmsg_len = sizeof(q),
                                 .nlmsg_type = type,
                                 .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)},
                        .req = *req};

    return send(diag, &q, sizeof(q), 0) == (ssize_t)sizeof(q);
}

/* The sockets of one family; first all, since ending one moves the others in the kernel's table. */
static void find(int diag, uint8_t family, struct found *f)
{
    const struct inet_diag_req_v2 all = {
        .sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = STATES};
    UNINITIALIZED _Alignas(struct nlmsghdr) char buf[32768];
    int r = MNL_CB_OK;

    if (!ask(diag, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &all))
        return;
    while (r > MNL_CB_STOP) {
        ssize_t n = recv(diag, buf, sizeof(buf), MSG_DONTWAIT);
        if (n <= 0)
            return;
        r = mnl_cb_run(buf, (size_t)n, 0, 0, on_socket, f);
    }
}

void jail_abort(int diag)
{
    struct found f = {0};
    char answer[256];

    if (diag < 0)
        return;
    find(diag, AF_INET, &f);
    find(diag, AF_INET6, &f);
    for (size_t i = 0; i < f.count; i++)
        if (ask(diag, SOCK_DESTROY, NLM_F_ACK, &f.sockets[i]))
            (void)!recv(diag, answer, sizeof(answer), MSG_DONTWAIT);
    free(f.sockets);
}
