/* test_secure.c: questions over TLS: to which server, on which connection, and what is believed.
 * The servers are here, at the other ends of pairs of sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dnsproxy/dnsproxy.h"
#include "dnsproxy/frames.h"
#include "src/tls_client.h"
#include "src/util.h"

#define NAME "dns.example"
#define ROUNDS 40 /* of the loop and of the servers, which is more than a handshake takes */
#define ANSWERS_MAX 64

/* The other end of a connection. */
struct server {
    int fd;
    SSL *ssl;
    bool resumed;
    struct frames in;
};

struct setup {
    struct dnsproxy *p;
    int supervisor; /* the other end of the channel */
    SSL_CTX *ctx;   /* of the servers */
    X509 *certificate;
    EVP_PKEY *key;
    size_t count; /* of answers */
    struct {
        uint64_t id;
        int error;
        uint8_t last; /* byte */
    } answers[ANSWERS_MAX];
};

static struct setup *here;

/* In the place of the one that tells upstream.c and lookup.c. */
void dnsproxy_answered(struct dnsproxy *p, const struct outcome *r)
{
    struct setup *s = here;

    assert_ptr_equal(p, s->p);
    assert_true(s->count < ANSWERS_MAX);
    assert_true(r->error != 0 || r->tcp);
    s->answers[s->count].id = r->id;
    s->answers[s->count].error = r->error;
    s->answers[s->count++].last = r->error ? 0 : r->data[r->len - 1];
}

/* --- a certificate, which is its own root --- */

static void make_certificate(struct setup *s)
{
    X509 *x = s->certificate = X509_new();
    X509_NAME *name = X509_NAME_new();
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" NAME);

    s->key = EVP_EC_gen("P-256");
    assert_true(x && name && san && s->key);
    assert_true(X509_set_version(x, X509_VERSION_3));
    assert_true(ASN1_INTEGER_set(X509_get_serialNumber(x), 1));
    assert_true(
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)NAME, -1, -1, 0));
    assert_true(X509_set_subject_name(x, name) && X509_set_issuer_name(x, name));
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 3600));
    assert_true(X509_set_pubkey(x, s->key) && X509_add_ext(x, san, -1));
    assert_true(X509_sign(x, s->key, EVP_sha256()) > 0);
    X509_EXTENSION_free(san);
    X509_NAME_free(name);
}

static struct secure *make_secure(const struct setup *s)
{
    BIO *pem = BIO_new(BIO_s_mem());
    char *text;
    long len;

    assert_true(PEM_write_bio_X509(pem, s->certificate));
    len = BIO_get_mem_data(pem, &text);
    struct secure *made = secure_new(s->p, text, (size_t)len);
    BIO_free(pem);
    return made;
}

static void on_message(struct channel *c, const struct msg_head *m, int fd, void *arg)
{
    struct dnsproxy *p = arg;

    (void)c;
    if (m->type == MSG_REPLY)
        secure_ask(p->secure, (const struct msg_reply *)(const void *)m);
    else
        secure_dialed(p->secure, (const struct msg_tls_dialed *)(const void *)m, fd);
}

static void on_closed(struct channel *c, const char *reason, void *arg)
{
    (void)c;
    (void)arg;
    fail_msg("the channel was closed: %s", reason ? reason : "");
}

static int set_up(void **state)
{
    struct setup *s = here = xcalloc(1, sizeof(*s));
    struct dnsproxy *p = s->p = xcalloc(1, sizeof(*p));
    struct error e;
    int fds[2];

    assert_int_equal(tls_client_init(&e), 0);
    make_certificate(s);
    s->ctx = SSL_CTX_new(TLS_server_method());
    assert_true(SSL_CTX_use_certificate(s->ctx, s->certificate) &&
                SSL_CTX_use_PrivateKey(s->ctx, s->key));
    assert_true(SSL_CTX_set_session_id_context(s->ctx, (const uint8_t *)"t", 1));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    s->supervisor = fds[1];
    p->base = event_base_new();
    p->channel = channel_new(p->base, fds[0], 1u << MSG_REPLY | 1u << MSG_TLS_DIALED,
                             1u << MSG_TLS_DIALED, on_message, on_closed, p);
    p->secure = make_secure(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct setup *s = *state;

    secure_free(s->p->secure);
    channel_free(s->p->channel);
    event_base_free(s->p->base);
    (void)close(s->supervisor);
    SSL_CTX_free(s->ctx);
    X509_free(s->certificate);
    EVP_PKEY_free(s->key);
    free(s->p);
    free(s);
    return 0;
}

/* --- the supervisor --- */

static void turn(const struct setup *s)
{
    for (int i = 0; i < 4; i++)
        (void)event_base_loop(s->p->base, EVLOOP_NONBLOCK);
}

/* "Ask one of so many servers": A of a name of one letter. */
static void ask(const struct setup *s, uint64_t id, char letter, uint8_t servers)
{
    const uint8_t query[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, (uint8_t)letter, 0, 0, 1, 0, 1};
    struct msg_reply m = {.id = id, .data_len = sizeof(query), .over_tls = servers};
    size_t size = offsetof(struct msg_reply, data) + sizeof(query);

    memcpy(m.data, query, sizeof(query));
    msg_init(&m, MSG_REPLY, size);
    assert_int_equal(send(s->supervisor, &m, size, 0), size);
    turn(s);
}

/* The next thing that dnsproxy has said: a dial of that server. Returns its id. */
static uint64_t dialled(const struct setup *s, uint32_t server)
{
    struct msg_tls_dial m;

    assert_int_equal(recv(s->supervisor, &m, sizeof(m), 0), sizeof(m));
    assert_int_equal(m.head.type, MSG_TLS_DIAL);
    assert_int_equal(m.server, server);
    return m.id;
}

/* It has said that a server cannot be used, and why. */
static void said(const struct setup *s, uint32_t server, const char *why)
{
    struct msg_tls_failed m;

    assert_int_equal(recv(s->supervisor, &m, sizeof(m), 0), sizeof(m));
    assert_int_equal(m.head.type, MSG_TLS_FAILED);
    assert_int_equal(m.server, server);
    assert_non_null(strstr(m.text, why));
}

static void said_nothing(const struct setup *s)
{
    char byte;

    assert_int_equal(recv(s->supervisor, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

/* The answer to a dial. fd: -1: there is an error. */
static void answer_dial(const struct setup *s, uint64_t id, int fd, const char *name)
{
    struct msg_tls_dialed m = {.id = id, .error = fd < 0 ? ECONNREFUSED : 0};
    struct iovec part = {.iov_base = &m, .iov_len = sizeof(m)};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};

    copy_string(m.name, sizeof(m.name), name);
    copy_string(m.address, sizeof(m.address), "192.0.2.53");
    msg_init(&m, MSG_TLS_DIALED, sizeof(m));
    if (fd >= 0) {
        struct cmsghdr *c = &control.align;
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
        h.msg_control = control.space;
        h.msg_controllen = sizeof(control.space);
    }
    assert_int_equal(sendmsg(s->supervisor, &h, 0), sizeof(m));
    turn(s);
}

/* --- the servers --- */

/* A connection that the supervisor has made: the handshake is done, or could not be. */
static struct server *serve(const struct setup *s, uint64_t dial, const char *name)
{
    struct server *v = xcalloc(1, sizeof(*v));
    int fds[2], r = 0;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    v->fd = fds[1];
    v->ssl = SSL_new(s->ctx);
    assert_true(SSL_set_fd(v->ssl, v->fd));
    answer_dial(s, dial, fds[0], name);
    (void)close(fds[0]);
    for (int i = 0; i < ROUNDS && r != 1; i++) {
        r = SSL_accept(v->ssl);
        turn(s);
    }
    v->resumed = SSL_session_reused(v->ssl);
    return v;
}

static void hang_up(struct server *v)
{
    SSL_free(v->ssl);
    (void)close(v->fd);
    free(v);
}

/* The next question, or NULL. */
static const uint8_t *question(struct server *v)
{
    const uint8_t *m;
    size_t len, size;

    uint8_t *room = frames_room(&v->in, &size);
    int n = SSL_read(v->ssl, room, size > 4096 ? 4096 : (int)size);
    if (n > 0)
        frames_add(&v->in, (size_t)n);
    return frames_take(&v->in, &m, &len) > 0 ? m : NULL;
}

/* Says that question again as an answer, with one byte behind it. */
static void answer(const struct setup *s, const struct server *v, const uint8_t *q, uint8_t rcode,
                   uint8_t last)
{
    uint8_t m[2 + 20] = {0, 20};

    memcpy(m + 2, q, 19);
    m[4] |= 0x80;
    m[5] = rcode;
    m[21] = last;
    assert_int_equal(SSL_write(v->ssl, m, sizeof(m)), sizeof(m));
    turn(s);
}

static uint16_t id_of(const uint8_t *q)
{
    return (uint16_t)(q[0] << 8 | q[1]);
}

/* --- the tests --- */

static void answers_in_any_order(void **state)
{
    struct setup *s = *state;
    uint8_t first[19], second[19];

    ask(s, 7, 'a', 1);
    ask(s, 8, 'b', 1);
    struct server *v = serve(s, dialled(s, 0), NAME);
    said_nothing(s); /* one connection for both */
    memcpy(first, question(v), sizeof(first));
    memcpy(second, question(v), sizeof(second));
    assert_int_equal(first[13], 'a');
    assert_int_equal(second[13], 'b');
    assert_int_not_equal(id_of(first), id_of(second));
    answer(s, v, second, 0, 2);
    answer(s, v, first, 3, 1);
    assert_int_equal(s->count, 2);
    assert_int_equal(s->answers[0].id, 8);
    assert_int_equal(s->answers[0].last, 2);
    assert_int_equal(s->answers[1].id, 7);
    assert_int_equal(s->answers[1].last, 1);
    answer(s, v, first, 0, 9); /* once more */
    assert_int_equal(s->count, 2);
    hang_up(v);
}

/* An answer belongs to one use of a slot, and has its question. */
static void strange_answers_are_not_taken(void **state)
{
    struct setup *s = *state;
    uint8_t old[19], q[19];

    ask(s, 7, 'a', 1);
    struct server *v = serve(s, dialled(s, 0), NAME);
    memcpy(old, question(v), sizeof(old));
    answer(s, v, old, 0, 1);
    assert_int_equal(s->count, 1);
    ask(s, 8, 'a', 1);
    memcpy(q, question(v), sizeof(q));
    assert_int_not_equal(id_of(q), id_of(old)); /* of the same slot, and of the same name */
    answer(s, v, old, 0, 2);
    q[13] = 'b';
    answer(s, v, q, 0, 3);
    assert_int_equal(s->count, 1);
    q[13] = 'A'; /* case is not the question's */
    answer(s, v, q, 0, 4);
    assert_int_equal(s->count, 2);
    assert_int_equal(s->answers[1].last, 4);
    hang_up(v);
}

/* A server that is not who it should be sees no question. */
static void expect_no_trust(const struct setup *s, const char *name, const char *why)
{
    ask(s, 7, 'a', 1);
    struct server *v = serve(s, dialled(s, 0), name);
    said(s, 0, why);
    assert_null(question(v));
    assert_int_equal(s->count, 0); /* it waits, for there is no other server */
    hang_up(v);
}

static void another_name_is_not_asked(void **state)
{
    expect_no_trust(*state, "other.example", "ostname mismatch");
}

static void without_a_name_the_address_counts(void **state)
{
    expect_no_trust(*state, "", "IP address mismatch");
}

/* The next one is asked, and the first one's failure is said once. */
static void the_next_server_is_asked(void **state)
{
    struct setup *s = *state;

    ask(s, 7, 'a', 2);
    answer_dial(s, dialled(s, 0), -1, "");
    said(s, 0, "refused");
    struct server *v = serve(s, dialled(s, 1), NAME);
    answer(s, v, question(v), 0, 1);
    assert_int_equal(s->count, 1);
    ask(s, 8, 'b', 2); /* at once to the one that works */
    answer(s, v, question(v), 0, 2);
    assert_int_equal(s->count, 2);
    said_nothing(s);
    hang_up(v);
}

static void servfail_goes_on_to_the_next(void **state)
{
    struct setup *s = *state;

    ask(s, 7, 'a', 2);
    struct server *v = serve(s, dialled(s, 0), NAME);
    answer(s, v, question(v), 2, 1);
    assert_int_equal(s->count, 0);
    struct server *next = serve(s, dialled(s, 1), NAME);
    answer(s, next, question(next), 2, 2); /* no other one is left: this is the answer */
    assert_int_equal(s->count, 1);
    assert_int_equal(s->answers[0].error, 0);
    assert_int_equal(s->answers[0].last, 2);
    hang_up(v);
    hang_up(next);
}

/* A connection that has brought answers may end: what waits on it is asked anew, and the session is
 * resumed. */
static void an_ended_connection_is_made_anew(void **state)
{
    struct setup *s = *state;

    ask(s, 7, 'a', 1);
    struct server *v = serve(s, dialled(s, 0), NAME);
    answer(s, v, question(v), 0, 1);
    ask(s, 8, 'b', 1);
    assert_non_null(question(v));
    assert_int_equal(SSL_shutdown(v->ssl), 0);
    hang_up(v);
    turn(s);
    v = serve(s, dialled(s, 0), NAME);
    said_nothing(s);
    assert_true(v->resumed);
    answer(s, v, question(v), 0, 2);
    assert_int_equal(s->count, 2);
    assert_int_equal(s->answers[1].id, 8);
    hang_up(v);
}

/* One that ends before it has said anything is a failure; tries are counted. */
static void an_end_without_an_answer_is_a_failure(void **state)
{
    struct setup *s = *state;

    ask(s, 7, 'a', 2);
    for (uint32_t i = 0; i < 2; i++) {
        struct server *v = serve(s, dialled(s, i), NAME);
        assert_non_null(question(v));
        assert_int_equal(SSL_shutdown(v->ssl), 0);
        hang_up(v);
        turn(s);
        said(s, i, "without an answer");
    }
    assert_int_equal(s->count, 0);
}

static void what_is_no_message_ends_the_connection(void **state)
{
    struct setup *s = *state;
    const uint8_t shorter_than_a_header[] = {0, 11, 1, 2, 3};

    ask(s, 7, 'a', 1);
    struct server *v = serve(s, dialled(s, 0), NAME);
    assert_int_equal(SSL_write(v->ssl, shorter_than_a_header, sizeof(shorter_than_a_header)),
                     sizeof(shorter_than_a_header));
    turn(s);
    said(s, 0, "a message that is none");
    assert_int_equal(s->count, 0);
    hang_up(v);
}

/* A dial that nobody waits for any more: the descriptor is closed. */
static void an_unknown_dial_is_closed(void **state)
{
    struct setup *s = *state;

    ask(s, 7, 'a', 1);
    uint64_t id = dialled(s, 0);
    struct server *v = serve(s, id + 1, NAME);
    char byte;
    assert_int_equal(recv(v->fd, &byte, 1, 0), 0);
    hang_up(v);
    v = serve(s, id, NAME); /* the twin */
    answer(s, v, question(v), 0, 1);
    assert_int_equal(s->count, 1);
    hang_up(v);
}

/* What is no query is answered at once, and nobody is asked. */
static void no_query(void **state)
{
    struct setup *s = *state;
    struct msg_reply m = {.id = 9, .data_len = 13, .over_tls = 1};
    size_t size = offsetof(struct msg_reply, data) + 13;

    m.data[12] = 63; /* a label that goes beyond the end */
    msg_init(&m, MSG_REPLY, size);
    secure_ask(s->p->secure, &m);
    assert_int_equal(s->count, 1);
    assert_int_equal(s->answers[0].id, 9);
    assert_int_equal(s->answers[0].error, EAGAIN);
    said_nothing(s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(answers_in_any_order),
        CASE(strange_answers_are_not_taken),
        CASE(another_name_is_not_asked),
        CASE(without_a_name_the_address_counts),
        CASE(the_next_server_is_asked),
        CASE(servfail_goes_on_to_the_next),
        CASE(an_ended_connection_is_made_anew),
        CASE(an_end_without_an_answer_is_a_failure),
        CASE(what_is_no_message_ends_the_connection),
        CASE(an_unknown_dial_is_closed),
        CASE(no_query),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* as dnsproxy has it */
    int r = cmocka_run_group_tests(tests, NULL, NULL);

    tls_client_end();
    return r;
}
