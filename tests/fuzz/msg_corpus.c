/* msg_corpus.c: the seeds of fuzz_msg, tests/fuzz/corpus/msg.
 *
 *     msg_corpus             checks that the corpus is what the table below makes: each seed is
 * there and a message that msg_check accepts, and each type has one (make check) msg_corpus --write
 * writes them anew, after a message has changed or come to be
 *
 * A new type needs one function and one line in the table. The folder is
 * $srcdir/tests/fuzz/corpus/msg. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/msg.h"
#include "src/msg_batch.h"
#include "src/url.h"
#include "src/util.h"

/* Fills the zeroed message but for its head; its length is returned. */
typedef size_t fill_fn(void *m);

static size_t fill_ready(void *m)
{
    (void)m;
    return sizeof(struct msg_ready);
}

static size_t fill_ca(void *arg)
{
    struct msg_ca *m = arg;
    static const char pem[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    m->pem_len = sizeof(pem) - 1;
    memcpy(m->pem, pem, sizeof(pem) - 1);
    return sizeof(*m);
}

static size_t fill_dial(void *arg)
{
    struct msg_dial *m = arg;

    m->id = 1;
    m->scheme = URL_HTTPS;
    m->port = 443;
    copy_string(m->host, sizeof(m->host), "staex.io");
    return sizeof(*m);
}

static size_t fill_dialed(void *arg)
{
    struct msg_dialed *m = arg;

    m->id = 1;
    m->error = ECONNREFUSED;
    copy_string(m->text, sizeof(m->text), "connection refused");
    return sizeof(*m);
}

static size_t fill_dialed_via(void *arg)
{
    struct msg_dialed *m = arg;

    m->id = 1;
    m->via = MSG_VIA_TLS_CONNECT;
    copy_string(m->text, sizeof(m->text), "staex.io:443");
    return sizeof(*m);
}

static size_t fill_parent(void *arg)
{
    struct msg_parent *m = arg;

    m->use = MSG_PARENT_TUNNEL;
    m->port = 3128;
    copy_string(m->host, sizeof(m->host), "proxy.example");
    copy_string(m->authorization, sizeof(m->authorization), "Basic dXNlcjpwYXNzd29yZA==");
    return sizeof(*m);
}

static size_t fill_secret(void *arg)
{
    struct msg_secret *m = arg;

    copy_string(m->name, sizeof(m->name), "TOKEN");
    copy_string(m->field, sizeof(m->field), "x-key");
    memset(m->placeholder, 'a', SECRET_PLACEHOLDER_LEN);
    copy_string(m->places, sizeof(m->places), "https://staex.io/");
    copy_string(m->value, sizeof(m->value), "a value that is none");
    return sizeof(*m);
}

static size_t fill_query(void *arg)
{
    struct msg_query *m = arg;

    m->id = 7;
    m->qtype = 28;
    m->transport = MSG_UDP;
    copy_string(m->name, sizeof(m->name), "staex.io");
    return sizeof(*m);
}

static size_t fill_query_server(void *arg)
{
    struct msg_query *m = arg;

    (void)fill_query(m);
    m->transport = MSG_TCP;
    m->server.family = AF_INET6;
    memcpy(m->server.address, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x53", 16);
    return sizeof(*m);
}

static size_t fill_reply(void *arg)
{
    struct msg_reply *m = arg;

    m->id = 7;
    m->dns_id = 0x4d00;
    m->data_len = 12; /* a header */
    memcpy(m->data, "\x4d\x00\x81\x80", 4);
    return offsetof(struct msg_reply, data) + m->data_len;
}

static size_t fill_reply_error(void *arg)
{
    struct msg_reply *m = arg;

    m->id = 7;
    m->error = ETIMEDOUT;
    return offsetof(struct msg_reply, data);
}

static size_t fill_log_request(void *arg)
{
    struct msg_log_request *m = arg;

    m->decision = MSG_ALLOW;
    m->status = 200;
    m->bytes_received = 1234;
    copy_string(m->method, sizeof(m->method), "GET");
    copy_string(m->url, sizeof(m->url), "https://staex.io/a");
    return sizeof(*m);
}

static size_t fill_log_batch(void *arg)
{
    struct msg_log_batch *m = arg;
    struct msg_batch_entry e = {.endpoint = 1,
                                .status = 200,
                                .bytes_received = 1234,
                                .method = "GET",
                                .url = "https://staex.io/a"};

    msg_batch_init(m);
    (void)msg_batch_add(m, &e);
    e.method = "POST";
    e.bytes_sent = 7;
    (void)msg_batch_add(m, &e);
    return msg_length(m);
}

static size_t fill_log_resolve(void *arg)
{
    struct msg_log_resolve *m = arg;

    m->decision = MSG_DENY;
    m->endpoint = UINT32_MAX;
    m->count = 3;
    m->qtype = 16;
    copy_string(m->name, sizeof(m->name), "secret\\255.attacker.tld");
    copy_string(m->reason, sizeof(m->reason), "not in the policy");
    return sizeof(*m);
}

static size_t fill_log_connect(void *arg)
{
    struct msg_log_connect *m = arg;

    m->decision = MSG_DENY;
    m->count = 1;
    m->port = 53;
    m->family = AF_INET;
    m->protocol = IPPROTO_UDP;
    memset(m->address, 1, 4);
    return sizeof(*m);
}

static size_t fill_dial_raw(void *arg)
{
    struct msg_dial *m = arg;

    (void)fill_dial(m);
    m->scheme = MSG_DIAL_RAW;
    m->client_port = 40000;
    copy_string(m->host, sizeof(m->host), "2001:db8::7");
    return sizeof(*m);
}

static void fill_tuple(struct msg_tuple *t, int family)
{
    t->source_port = 40000;
    t->port = 22;
    t->family = (uint8_t)family;
    memset(t->address, 7, family == AF_INET ? 4 : 16);
}

static size_t fill_open(void *arg)
{
    struct msg_open *m = arg;

    m->id = 9;
    fill_tuple(&m->tuple, AF_INET);
    return sizeof(*m);
}

static size_t fill_open6(void *arg)
{
    struct msg_open *m = arg;

    (void)fill_open(m);
    fill_tuple(&m->tuple, AF_INET6);
    return sizeof(*m);
}

static size_t fill_opened(void *arg)
{
    struct msg_opened *m = arg;

    m->id = 9;
    m->to = MSG_TO_RELAY;
    return sizeof(*m);
}

static size_t fill_opened_refused(void *arg)
{
    struct msg_opened *m = arg;

    m->id = 9;
    m->error = ECONNREFUSED;
    return sizeof(*m);
}

static size_t fill_unreachable(void *arg)
{
    struct msg_unreachable *m = arg;

    fill_tuple(&m->tuple, AF_INET);
    m->error = ECONNREFUSED;
    return sizeof(*m);
}

static size_t fill_learn(void *arg)
{
    struct msg_learn *m = arg;

    m->ttl = 300;
    m->count = 2;
    m->family = AF_INET6;
    memset(m->address, 7, sizeof(m->address[0]) * 2);
    copy_string(m->name, sizeof(m->name), "staex.io");
    return sizeof(*m);
}

static size_t fill_log_tunnel(void *arg)
{
    struct msg_log_tunnel *m = arg;

    m->port = 443;
    m->family = AF_INET;
    memset(m->address, 7, 4);
    copy_string(m->name, sizeof(m->name), "attacker.tld");
    copy_string(m->reason, sizeof(m->reason), "another SNI");
    return sizeof(*m);
}

static size_t fill_log_unix(void *arg)
{
    struct msg_log_unix *m = arg;

    m->decision = MSG_DENY;
    m->endpoint = UINT32_MAX;
    copy_string(m->path, sizeof(m->path), "/var/run/docker.sock");
    copy_string(m->real, sizeof(m->real), "/run/docker.sock");
    return sizeof(*m);
}

static size_t fill_query_lookup(void *arg)
{
    struct msg_query *m = arg;

    (void)fill_query(m);
    m->lookup = 1;
    return sizeof(*m);
}

static size_t fill_reply_tls(void *arg)
{
    struct msg_reply *m = arg;
    size_t len = fill_reply(m);

    m->over_tls = 2;
    return len;
}

static size_t fill_lookup(void *arg)
{
    struct msg_lookup *m = arg;

    m->id = 3;
    copy_string(m->name, sizeof(m->name), "staex.io");
    return sizeof(*m);
}

static size_t fill_addresses(void *arg)
{
    struct msg_addresses *m = arg;

    m->id = 3;
    m->count = 2;
    m->address[0].family = AF_INET6;
    m->address[1].family = AF_INET;
    memset(m->address[1].address, 7, 4);
    return sizeof(*m);
}

static size_t fill_tls_dial(void *arg)
{
    struct msg_tls_dial *m = arg;

    m->id = 4;
    m->server = 1;
    return sizeof(*m);
}

static size_t fill_tls_dialed(void *arg)
{
    struct msg_tls_dialed *m = arg;

    m->id = 4;
    copy_string(m->name, sizeof(m->name), "dns.example");
    copy_string(m->address, sizeof(m->address), "2001:db8::53");
    return sizeof(*m);
}

static size_t fill_tls_failed(void *arg)
{
    struct msg_tls_failed *m = arg;

    m->server = 1;
    copy_string(m->text, sizeof(m->text), "certificate has expired");
    return sizeof(*m);
}

static size_t fill_finish(void *m)
{
    (void)m;
    return sizeof(struct msg_finish);
}

static const struct seed {
    const char *file;
    enum msg_type type;
    fill_fn *fill;
} seeds[] = {
    {"ready", MSG_READY, fill_ready},
    {"ca", MSG_CA, fill_ca},
    {"dial", MSG_DIAL, fill_dial},
    {"dial_raw", MSG_DIAL, fill_dial_raw},
    {"dialed", MSG_DIALED, fill_dialed},
    {"dialed_via", MSG_DIALED, fill_dialed_via},
    {"parent", MSG_PARENT, fill_parent},
    {"secret", MSG_SECRET, fill_secret},
    {"query", MSG_QUERY, fill_query},
    {"query_server", MSG_QUERY, fill_query_server},
    {"reply", MSG_REPLY, fill_reply},
    {"reply_error", MSG_REPLY, fill_reply_error},
    {"log_request", MSG_LOG_REQUEST, fill_log_request},
    {"log_batch", MSG_LOG_BATCH, fill_log_batch},
    {"log_resolve", MSG_LOG_RESOLVE, fill_log_resolve},
    {"log_connect", MSG_LOG_CONNECT, fill_log_connect},
    {"finish", MSG_FINISH, fill_finish},
    {"open", MSG_OPEN, fill_open},
    {"open6", MSG_OPEN, fill_open6},
    {"opened", MSG_OPENED, fill_opened},
    {"opened_refused", MSG_OPENED, fill_opened_refused},
    {"unreachable", MSG_UNREACHABLE, fill_unreachable},
    {"learn", MSG_LEARN, fill_learn},
    {"log_tunnel", MSG_LOG_TUNNEL, fill_log_tunnel},
    {"log_unix", MSG_LOG_UNIX, fill_log_unix},
    {"query_lookup", MSG_QUERY, fill_query_lookup},
    {"reply_tls", MSG_REPLY, fill_reply_tls},
    {"lookup", MSG_LOOKUP, fill_lookup},
    {"addresses", MSG_ADDRESSES, fill_addresses},
    {"tls_dial", MSG_TLS_DIAL, fill_tls_dial},
    {"tls_dialed", MSG_TLS_DIALED, fill_tls_dialed},
    {"tls_failed", MSG_TLS_FAILED, fill_tls_failed},
};

static uint64_t message[MSG_MAX / sizeof(uint64_t) + 1];

static size_t make(const struct seed *s)
{
    size_t len;

    memset(message, 0, sizeof(message));
    len = s->fill(message);
    msg_init(message, s->type, len);
    return len;
}

static bool write_seed(const char *path, size_t len)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd >= 0 && write_all(fd, message, len) == 0)
        return true;
    perror(path);
    return false;
}

static bool is_in_corpus(const char *path, size_t len)
{
    cleanup_free char *data = NULL;
    size_t n;

    if (read_file(path, MSG_MAX, &data, &n, NULL) == 0 && n == len && !memcmp(data, message, n))
        return true;
    printf("%s: is not what tests/fuzz/msg_corpus --write makes\n", path);
    return false;
}

static bool do_seed(const struct seed *s, bool anew)
{
    const char *srcdir = getenv("srcdir");
    cleanup_free char *path =
        xasprintf("%s/tests/fuzz/corpus/msg/%s", srcdir ? srcdir : ".", s->file);
    size_t len = make(s);

    if (msg_check(message, len) != 0) {
        printf("%s: msg_check does not accept it\n", s->file);
        return false;
    }
    return anew ? write_seed(path, len) : is_in_corpus(path, len);
}

int main(int argc, char **argv)
{
    bool anew = argc == 2 && !strcmp(argv[1], "--write"), has[MSG_TYPE_END] = {false}, good = true;

    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        has[seeds[i].type] = true;
        good &= do_seed(&seeds[i], anew);
    }
    for (unsigned type = MSG_READY; type < MSG_TYPE_END; type++)
        if (!has[type]) {
            printf("no seed of message type %u: add one to tests/fuzz/msg_corpus.c\n", type);
            good = false;
        }
    return good ? 0 : 1;
}
