/* transaction.c: one batch of nf_tables messages, by libmnl.
 *
 * nfnetlink takes a batch (NFNL_MSG_BATCH_BEGIN ... END) in one send(2), checks every message of
 * it, and then either commits them all in one step or undoes them all. Its answers are in the
 * socket's queue when send returns: one for each message, by sequence number, and an error of the
 * batch as a whole under the number of its beginning. A transaction has succeeded when every
 * message has been acknowledged with 0; the first error ends it. */
#include "nft/transaction.h"

#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "src/util.h"

#define BATCH_LIMIT 196608 /* bytes: what a socket takes at once; libmnl wants as much again */
#define MESSAGES_MAX 128
#define ANSWER_MAX 8192
#define TIMEOUT_S 10

struct entry {
    const char *what;
    const char *modules;
};

struct transaction {
    struct mnl_nlmsg_batch *batch;
    bool full;
    uint32_t n; /* messages, the beginning included: sequence number i is entries[i] */
    struct entry entries[MESSAGES_MAX];
    char buf[2 * BATCH_LIMIT] __attribute__((aligned(8)));
};

struct transaction *transaction_new(void)
{
    struct transaction *t = xcalloc(1, sizeof *t);

    t->batch = mnl_nlmsg_batch_start(t->buf, BATCH_LIMIT);
    if (!t->batch)
        die("out of memory");
    (void)nftnl_batch_begin(mnl_nlmsg_batch_current(t->batch), 0);
    t->entries[t->n++] = (struct entry){"the transaction", "nf_tables"};
    (void)mnl_nlmsg_batch_next(t->batch);
    return t;
}

void transaction_free(struct transaction *t)
{
    if (!t)
        return;
    mnl_nlmsg_batch_stop(t->batch);
    free(t);
}

struct nlmsghdr *transaction_message(struct transaction *t, uint16_t type, uint16_t family,
                                     uint16_t flags, const char *what, const char *modules)
{
    uint32_t seq = t->n;

    if (t->n < MESSAGES_MAX)
        t->entries[t->n++] = (struct entry){what, modules ? modules : "nf_tables"};
    else
        t->full = true;
    return nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(t->batch), type, family,
                                 (uint16_t)(flags | NLM_F_ACK), seq);
}

/* When it is full, the next message takes the last one's place in the buffer; nothing of that is
 * ever sent. */
void transaction_next(struct transaction *t)
{
    if (t->full)
        return;
    if (!mnl_nlmsg_batch_next(t->batch))
        t->full = true;
}

static int transaction_explain(const struct entry *entry, int err, struct error *e)
{
    switch (err) {
    case ENOENT:
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
        return error_set(e, EOPNOTSUPP,
                         "the kernel lacks what the network rules need for %s: as root, on the "
                         "host: modprobe -a %s",
                         entry->what, entry->modules);
    case EPERM:
        return error_set(e, EPERM,
                         "the network rules cannot be set: CAP_NET_ADMIN over the gateway's "
                         "network is missing");
    case EEXIST:
        return error_set(e, EEXIST, "the network rules are already there (%s)", entry->what);
    default:
        return error_errno(e, err, "the network rules cannot be set: %s", entry->what);
    }
}

/* Counts the acknowledgements in one datagram. */
static int transaction_answer(const struct transaction *t, const char *buf, size_t len,
                              uint32_t *acks, struct error *e)
{
    const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
    int left = (int)len;

    for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
        const struct nlmsgerr *answer = mnl_nlmsg_get_payload(h);

        if (h->nlmsg_type != NLMSG_ERROR)
            continue;
        if (mnl_nlmsg_get_payload_len(h) < sizeof *answer || h->nlmsg_seq >= t->n)
            return error_set(e, EPROTO, "the kernel's answer to the network rules is malformed");
        if (answer->error)
            return transaction_explain(&t->entries[h->nlmsg_seq], -answer->error, e);
        (*acks)++;
    }
    return 0;
}

static int transaction_answers(const struct transaction *t, int fd, struct error *e)
{
    UNINITIALIZED char buf[ANSWER_MAX] __attribute__((aligned(8)));
    uint32_t acks = 0;

    while (acks < t->n - 1) { /* the beginning is not acknowledged */
        ssize_t n = recv(fd, buf, sizeof buf, 0);
        int r;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(e, errno, "no answer of the kernel to the network rules");
        r = transaction_answer(t, buf, (size_t)n, &acks, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int transaction_socket(struct error *e)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    const int on = 1;
    cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

    if (fd < 0 && (errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT))
        return transaction_explain(&(struct entry){"anything", "nfnetlink nf_tables"}, EOPNOTSUPP,
                                   e);
    if (fd < 0)
        return error_errno(e, errno, "open a netfilter netlink socket");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) < 0)
        return error_errno(e, errno, "options of the netfilter netlink socket");
    return steal_fd(&fd);
}

int transaction_commit(struct transaction *t, struct error *e)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    cleanup_close int fd = -1;
    size_t len;
    ssize_t sent;

    if (!t->full) {
        (void)nftnl_batch_end(mnl_nlmsg_batch_current(t->batch), t->n);
        t->full = !mnl_nlmsg_batch_next(t->batch);
    }
    if (t->full)
        return error_set(e, EMSGSIZE, "the network rules are too many for one transaction");
    fd = transaction_socket(e);
    if (fd < 0)
        return fd;
    len = mnl_nlmsg_batch_size(t->batch);
    do
        sent = sendto(fd, mnl_nlmsg_batch_head(t->batch), len, 0, (struct sockaddr *)&kernel,
                      sizeof kernel);
    while (sent < 0 && errno == EINTR);
    if (sent != (ssize_t)len)
        return error_errno(e, sent < 0 ? errno : EMSGSIZE, "send the network rules");
    return transaction_answers(t, fd, e);
}
