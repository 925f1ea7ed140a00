/* test_channel.c: messages, descriptors and ends of a channel, over a real socket pair. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/channel.h"
#include "src/util.h"

#define TYPES ((1u << MSG_READY) | (1u << MSG_DIALED) | (1u << MSG_REPLY))

struct fixture {
    struct event_base *base;
    struct channel *c;
    int peer;
    unsigned messages, closed;
    uint32_t last_type;
    size_t last_length;
    int fd;
    bool free_in_message, answer_soon;
    unsigned firsts;
    char reason[128];
};

static void on_message(struct channel *c, const struct msg_head *m, int fd, void *arg)
{
    struct fixture *f = arg;
    f->messages++;
    f->last_type = m->type;
    f->last_length = m->length;
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = fd;
    if (f->answer_soon)
        assert_int_equal(channel_send_soon(c, m), 0);
    if (f->free_in_message) {
        channel_free(c);
        f->c = NULL;
    }
}

static void on_closed(struct channel *c, const char *reason, void *arg)
{
    struct fixture *f = arg;
    f->closed++;
    copy_string(f->reason, sizeof(f->reason), reason ? reason : "(gone)");
    channel_free(c);
    f->c = NULL;
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    f->base = event_base_new();
    f->peer = pair[1];
    f->fd = -1;
    f->c = channel_new(f->base, pair[0], TYPES, 1u << MSG_DIALED, on_message, on_closed, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    if (f->c)
        channel_free(f->c);
    if (f->peer >= 0)
        (void)close(f->peer);
    if (f->fd >= 0)
        (void)close(f->fd);
    event_base_free(f->base);
    free(f);
    return 0;
}

static void turn(struct fixture *f)
{
    for (int i = 0; i < 3; i++)
        (void)event_base_loop(f->base, EVLOOP_NONBLOCK);
}

/* Sends raw bytes with n copies of a descriptor from the peer's side. */
static void peer_send(const struct fixture *f, const void *data, size_t len, unsigned n)
{
    _Alignas(struct cmsghdr) char buf[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct iovec iov = {(void *)(uintptr_t)data, len};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n) {
        h.msg_control = buf;
        h.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *cm = CMSG_FIRSTHDR(&h);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(n * sizeof(int));
        for (unsigned i = 0; i < n; i++)
            memcpy(CMSG_DATA(cm) + i * sizeof(int), &(int){0}, sizeof(int));
    }
    assert_int_equal(sendmsg(f->peer, &h, 0), len);
}

static unsigned open_fds(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static struct msg_ready ready(void)
{
    struct msg_ready m = {0};
    msg_init(&m, MSG_READY, sizeof(m));
    return m;
}

static struct msg_dialed dialed(void)
{
    struct msg_dialed m = {.id = 7};
    msg_init(&m, MSG_DIALED, sizeof(m));
    return m;
}

/* What a peer said before it ended is heard, though it did not read all that it was sent
 * (ECONNRESET comes first then). */
static void last_words(struct fixture *f)
{
    struct msg_ready m = ready();
    assert_int_equal(channel_send(f->c, &m, -1), 0);
    peer_send(f, &m, sizeof(m), 0);
    peer_send(f, &m, sizeof(m), 0);
    (void)close(f->peer);
    f->peer = -1;
    turn(f);
    assert_int_equal(f->messages, 2);
    assert_int_equal(f->closed, 1);
    assert_string_equal(f->reason, "(gone)");
}

static void test_last_words(void **state)
{
    last_words(*state);
}

static void test_last_words_in_batches(void **state)
{
    struct fixture *f = *state;
    channel_batch(f->c, NULL);
    last_words(f);
}

static void count_first(void *arg)
{
    struct fixture *f = arg;
    struct msg_dialed m = dialed();
    f->firsts++;
    assert_int_equal(recv(f->peer, &m, sizeof(m), 0), -1); /* nothing has left yet */
}

static void expect_at_peer(const struct fixture *f, enum msg_type type)
{
    union {
        struct msg_head head;
        unsigned char room[MSG_MAX];
    } m;
    assert_true(recv(f->peer, &m, sizeof(m), 0) >= (ssize_t)sizeof(m.head));
    assert_int_equal(m.head.type, type);
}

/* It is told without one. */
static void test_no_descriptor_left(void **state)
{
    struct fixture *f = *state;
    struct msg_dialed d = dialed();
    struct msg_ready r = ready();
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    peer_send(f, &d, sizeof(d), 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    turn(f);
    assert_int_equal(f->messages, 1);
    assert_int_equal(f->fd, -1);
    assert_int_equal(f->closed, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    peer_send(f, &d, sizeof(d), 1); /* the twin */
    turn(f);
    assert_int_equal(f->messages, 2);
    assert_true(f->fd >= 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    peer_send(f, &r, sizeof(r), 1); /* it may carry none */
    turn(f);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(f->messages, 2);
    assert_int_equal(f->closed, 1);
}

/* At the end of the turn, after what is more urgent; before what is sent at once later. */
static void test_soon(void **state)
{
    struct fixture *f = *state;
    struct msg_ready r = ready();
    struct msg_dialed d = dialed();
    channel_batch(f->c, count_first);
    assert_int_equal(channel_send_soon(f->c, &r), 0);
    assert_int_equal(f->firsts, 0);
    turn(f);
    assert_int_equal(f->firsts, 1);
    expect_at_peer(f, MSG_READY);
    assert_int_equal(channel_send_soon(f->c, &r), 0);
    assert_int_equal(channel_send(f->c, &d, -1), 0);
    expect_at_peer(f, MSG_READY);
    expect_at_peer(f, MSG_DIALED);
    assert_int_equal(channel_send_soon(f->c, &r), 0);
    channel_flush(f->c);
    expect_at_peer(f, MSG_READY);
    turn(f);
    assert_int_equal(recv(f->peer, &r, sizeof(r), 0), -1);
}

/* To a peer that will say nothing more, but reads. */
static void test_soon_after_last_words(void **state)
{
    struct fixture *f = *state;
    struct msg_ready m = ready();
    channel_batch(f->c, NULL);
    f->answer_soon = true;
    peer_send(f, &m, sizeof(m), 0);
    assert_int_equal(shutdown(f->peer, SHUT_WR), 0);
    turn(f);
    assert_int_equal(f->closed, 1);
    expect_at_peer(f, MSG_READY);
}

/* What a peer may say can depend on what it was told. */
static void test_allow(void **state)
{
    struct fixture *f = *state;
    struct msg_finish m;
    msg_init(&m, MSG_FINISH, sizeof(m));
    channel_allow(f->c, MSG_FINISH); /* the twin: test_type_of_the_other_side_ends */
    peer_send(f, &m, sizeof(m), 0);
    turn(f);
    assert_int_equal(f->messages, 1);
    assert_int_equal(f->last_type, MSG_FINISH);
    assert_int_equal(f->closed, 0);
}

static void test_receives(void **state)
{
    struct fixture *f = *state;
    struct msg_ready m = ready();
    peer_send(f, &m, sizeof(m), 0);
    peer_send(f, &m, sizeof(m), 0);
    turn(f);
    assert_int_equal(f->messages, 2);
    assert_int_equal(f->last_type, MSG_READY);
    assert_int_equal(f->fd, -1);
    assert_int_equal(f->closed, 0);
}

static void test_receives_a_descriptor(void **state)
{
    struct fixture *f = *state;
    struct msg_dialed m = dialed();
    peer_send(f, &m, sizeof(m), 1);
    turn(f);
    assert_int_equal(f->messages, 1);
    assert_true(f->fd >= 0);
    assert_true(fcntl(f->fd, F_GETFD) & FD_CLOEXEC);
    peer_send(f, &m, sizeof(m), 0); /* may, not must */
    turn(f);
    assert_int_equal(f->messages, 2);
    assert_int_equal(f->fd, -1);
}

static void test_receives_the_longest(void **state)
{
    struct fixture *f = *state;
    struct msg_reply *m = xcalloc(1, sizeof(*m));
    size_t len = offsetof(struct msg_reply, data) + MSG_REPLY_MAX;
    m->data_len = MSG_REPLY_MAX;
    msg_init(m, MSG_REPLY, len);
    peer_send(f, m, len, 0);
    free(m);
    turn(f);
    assert_int_equal(f->messages, 1);
    assert_int_equal(f->last_length, len);
}

/* One bad message ends the channel, nothing of it is delivered and none of its descriptors stays
 * open. */
static void expect_end(struct fixture *f, const void *data, size_t len, unsigned fds,
                       const char *reason)
{
    unsigned before = open_fds();
    peer_send(f, data, len, fds);
    turn(f);
    assert_int_equal(f->messages, 0);
    assert_int_equal(f->closed, 1);
    assert_non_null(strstr(f->reason, reason));
    assert_int_equal(open_fds(), before - 1); /* the channel's own is closed */
}

static void test_malformed_ends(void **state)
{
    struct msg_ready m = ready();
    m.head.length++;
    expect_end(*state, &m, sizeof(m), 0, "malformed");
}

static void test_type_of_the_other_side_ends(void **state)
{
    struct msg_query m = {.qtype = 1, .transport = MSG_UDP, .name = "staex.io"};
    msg_init(&m, MSG_QUERY, sizeof(m));
    expect_end(*state, &m, sizeof(m), 0, "type");
}

static void test_unexpected_descriptor_ends(void **state)
{
    struct msg_ready m = ready();
    expect_end(*state, &m, sizeof(m), 1, "may not carry");
}

static void test_two_descriptors_end(void **state)
{
    struct msg_dialed m = dialed();
    expect_end(*state, &m, sizeof(m), 2, "more than one");
}

static void test_too_long_ends(void **state)
{
    char *big = xcalloc(1, MSG_MAX + 1);
    msg_init(big, MSG_REPLY, MSG_MAX + 1);
    expect_end(*state, big, MSG_MAX + 1, 0, "too long");
    free(big);
}

static void test_peer_gone(void **state)
{
    struct fixture *f = *state;
    struct msg_ready m = ready();
    peer_send(f, &m, sizeof(m), 0);
    (void)close(f->peer);
    f->peer = -1;
    turn(f);
    assert_int_equal(f->messages, 1); /* what was sent before is delivered */
    assert_int_equal(f->closed, 1);
    assert_string_equal(f->reason, "(gone)");
}

static void test_send_to_gone_peer(void **state)
{
    struct fixture *f = *state;
    struct msg_ready m = ready();
    for (int i = 0; i < 100; i++) /* more than one turn reads */
        peer_send(f, &m, sizeof(m), 0);
    (void)close(f->peer);
    f->peer = -1;
    assert_int_equal(channel_send(f->c, &m, dup(0)), -EPIPE);
    assert_int_equal(f->closed, 0); /* never from inside channel_send */
    assert_int_equal(channel_send(f->c, &m, -1), -EPIPE);
    turn(f);
    assert_int_equal(f->messages, 100);
    assert_int_equal(f->closed, 1);
}

static void test_free_inside_a_callback(void **state)
{
    struct fixture *f = *state;
    struct msg_ready m = ready();
    f->free_in_message = true;
    peer_send(f, &m, sizeof(m), 0);
    peer_send(f, &m, sizeof(m), 0);
    turn(f);
    assert_int_equal(f->messages, 1);
    assert_int_equal(f->closed, 0);
    assert_null(f->c);
}

static void test_sends(void **state)
{
    struct fixture *f = *state;
    struct msg_dialed m = dialed(), got;
    unsigned before = open_fds();
    assert_int_equal(channel_send(f->c, &m, dup(0)), 0);
    assert_int_equal(open_fds(), before); /* the channel's copy is closed */
    assert_int_equal(recv(f->peer, &got, sizeof(got), 0), sizeof(got));
    assert_memory_equal(&got, &m, sizeof(m));
    assert_int_equal(channel_queued(f->c), 0);
    msg_init(&m, MSG_DIALED, MSG_MAX + 1);
    assert_int_equal(channel_send(f->c, &m, -1), -EINVAL);
}

/* All of it arrives, in order, although the socket holds only a part. */
static void test_queue_keeps_order(void **state)
{
    struct fixture *f = *state;
    struct msg_dialed m = dialed();
    const uint64_t total = 5000;
    for (m.id = 0; m.id < total; m.id++)
        assert_int_equal(channel_send(f->c, &m, m.id % 1000 == 999 ? dup(0) : -1), 0);
    assert_true(channel_queued(f->c) > 0);
    uint64_t next = 0;
    for (unsigned rounds = 0; next < total && rounds < 10000; rounds++) {
        struct msg_dialed got;
        while (recv(f->peer, &got, sizeof(got), MSG_DONTWAIT) == sizeof(got))
            assert_int_equal(got.id, next++);
        (void)event_base_loop(f->base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(next, total);
    assert_int_equal(channel_queued(f->c), 0);
    assert_int_equal(f->closed, 0);
}

/* The peer, a process of its own: reads slowly, up to a READY. 0 if n came before it, in order. */
static int read_all(int fd, uint64_t n)
{
    union {
        struct msg_head head;
        struct msg_dialed dialed;
    } m;
    for (uint64_t next = 0;; next++) {
        if (next % 100 == 0)
            (void)usleep(1000);
        if (!wait_readable(fd, 5000) || recv(fd, &m, sizeof(m), 0) < (ssize_t)sizeof(m.head))
            return 1;
        if (m.head.type == MSG_READY)
            return next == n ? 0 : 2;
        if (m.dialed.id != next)
            return 3;
    }
}

/* Nothing is lost of what waits, be it for the end of the turn or for room. */
static void test_drain(void **state)
{
    struct fixture *f = *state;
    struct msg_dialed m = dialed();
    struct msg_ready last = ready();
    int status = -1;
    channel_batch(f->c, NULL);
    for (m.id = 0; m.id < 5000; m.id++)
        assert_int_equal(channel_send_soon(f->c, &m), 0);
    assert_true(channel_queued(f->c) > 0);
    assert_int_equal(channel_send_soon(f->c, &last), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(read_all(f->peer, 5000));
    channel_drain(f->c, 5000);
    assert_int_equal(channel_queued(f->c), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A peer that does not read is not waited for for ever, nor one that is gone. */
static void test_drain_gives_up(void **state)
{
    struct fixture *f = *state;
    struct msg_dialed m = dialed();
    while (channel_queued(f->c) == 0)
        assert_int_equal(channel_send(f->c, &m, -1), 0);
    channel_drain(f->c, 10);
    assert_true(channel_queued(f->c) > 0);
    (void)close(f->peer);
    f->peer = -1;
    channel_drain(f->c, 10);
    assert_int_equal(f->closed, 0);
    turn(f);
    assert_int_equal(f->closed, 1);
}

static void test_queue_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct msg_ready m = ready();
    int err = 0;
    unsigned sent = 0;
    while (err == 0 && sent <= CHANNEL_QUEUE_MAX * 2u) {
        err = channel_send(f->c, &m, -1);
        sent += err == 0;
    }
    assert_int_equal(err, -ENOBUFS);
    assert_int_equal(channel_queued(f->c), CHANNEL_QUEUE_MAX);
    unsigned before = open_fds();
    assert_int_equal(channel_send(f->c, &m, dup(0)), -ENOBUFS);
    assert_int_equal(open_fds(), before);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_last_words),
        T(test_last_words_in_batches),
        T(test_no_descriptor_left),
        T(test_soon),
        T(test_soon_after_last_words),
        T(test_drain),
        T(test_drain_gives_up),
        T(test_allow),
        T(test_receives),
        T(test_receives_a_descriptor),
        T(test_receives_the_longest),
        T(test_malformed_ends),
        T(test_type_of_the_other_side_ends),
        T(test_unexpected_descriptor_ends),
        T(test_two_descriptors_end),
        T(test_too_long_ends),
        T(test_peer_gone),
        T(test_send_to_gone_peer),
        T(test_free_inside_a_callback),
        T(test_sends),
        T(test_queue_keeps_order),
        T(test_queue_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
