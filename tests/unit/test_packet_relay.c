/* Records through a relay: borders, empty ones, a receiver that does not read, ends, descriptors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/packet_relay.h"
#include "src/quota.h"
#include "src/util.h"

/* left <-> relay <-> right */
struct fixture {
    struct event_base *base;
    struct packet_relays *relays;
    int left, right, ended, error;
};

static void on_end(int error, void *arg)
{
    struct fixture *f = arg;

    f->ended++;
    f->error = error;
}

static void set_up(struct fixture *f)
{
    int a[2], b[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, a), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, b), 0);
    *f = (struct fixture){.base = event_base_new(), .left = a[0], .right = b[0]};
    f->relays = packet_relays_new(f->base);
    packet_relay_start(f->relays, a[1], b[1], on_end, f);
}

static void tear_down(struct fixture *f)
{
    packet_relays_free(f->relays);
    event_base_free(f->base);
    (void)close(f->left);
    (void)close(f->right);
}

/* Until nothing is ready any more. */
static void turn(struct fixture *f)
{
    for (int i = 0; i < 200; i++)
        (void)event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static void test_borders(void **state)
{
    static const size_t lengths[] = {1, 0, 5, 70000, 0, 0, 2};
    static char buf[200000];
    struct fixture f;

    (void)state;
    set_up(&f);
    memset(buf, 'x', sizeof(buf));
    for (int way = 0; way < 2; way++) {
        for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
            assert_int_equal(send(way ? f.right : f.left, buf, lengths[i], 0), lengths[i]);
        turn(&f);
        for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
            assert_int_equal(recv(way ? f.left : f.right, buf, sizeof(buf), 0), lengths[i]);
        assert_int_equal(recv(way ? f.left : f.right, buf, 1, 0), -1);
        assert_int_equal(errno, EAGAIN);
    }
    assert_int_equal(f.ended, 0);
    tear_down(&f);
    assert_int_equal(f.ended, 1);
}

static void test_end_of_stream(void **state)
{
    struct fixture f;
    char buf[8];

    (void)state;
    set_up(&f);
    assert_int_equal(send(f.left, "", 0, 0), 0);
    assert_int_equal(send(f.left, "ab", 2, 0), 2);
    assert_int_equal(shutdown(f.left, SHUT_WR), 0);
    assert_int_equal(packet_relays_undelivered(f.relays), 1);
    turn(&f);
    assert_int_equal(packet_relays_undelivered(f.relays), 0);
    assert_int_equal(recv(f.right, buf, sizeof(buf), 0), 0); /* the empty record */
    assert_int_equal(recv(f.right, buf, sizeof(buf), 0), 2);
    assert_int_equal(recv(f.right, buf, sizeof(buf), 0), 0); /* the end */
    assert_int_equal(send(f.right, "abc", 3, 0), 3);         /* the other direction goes on */
    turn(&f);
    assert_int_equal(recv(f.left, buf, sizeof(buf), 0), 3);
    assert_int_equal(f.ended, 0);
    assert_int_equal(shutdown(f.right, SHUT_WR), 0);
    turn(&f);
    assert_int_equal(f.ended, 1);
    assert_int_equal(packet_relays_count(f.relays), 0);
    assert_int_equal(recv(f.left, buf, sizeof(buf), 0), 0);
    tear_down(&f);
}

/* What goes from left to right is counted, and nothing beyond it sent. */
static void test_quota(void **state)
{
    struct quota *quota;
    struct fixture f;
    struct error e;
    char buf[16];
    int fd = quota_open(10, &quota, &e);

    (void)state;
    assert_true(fd >= 0);
    set_up(&f);
    packet_relays_limit(f.relays, quota);
    assert_int_equal(send(f.right, "123456789012", 12, 0), 12); /* the other way */
    assert_int_equal(send(f.left, "1234", 4, 0), 4);
    assert_int_equal(send(f.left, "123456", 6, 0), 6);
    turn(&f);
    assert_int_equal(recv(f.left, buf, sizeof(buf), 0), 12);
    assert_int_equal(quota_left(quota), 0);
    assert_int_equal(f.ended, 0);
    assert_int_equal(send(f.left, "1", 1, 0), 1);
    turn(&f);
    assert_int_equal(f.ended, 1);
    assert_int_equal(f.error, EDQUOT);
    assert_int_equal(recv(f.right, buf, sizeof(buf), 0), 4);
    assert_int_equal(recv(f.right, buf, sizeof(buf), 0), 6);
    assert_int_equal(recv(f.right, buf, sizeof(buf), 0), 0);
    tear_down(&f);
    (void)close(fd);
}

static void test_closed(void **state)
{
    struct fixture f;
    char buf[8];

    (void)state;
    for (int way = 0; way < 2; way++) {
        set_up(&f);
        assert_int_equal(send(way ? f.right : f.left, "last", 4, 0), 4);
        (void)close(way ? f.right : f.left);
        turn(&f);
        assert_int_equal(f.ended, 1);
        assert_int_equal(recv(way ? f.left : f.right, buf, sizeof(buf), 0), 4);
        assert_int_equal(recv(way ? f.left : f.right, buf, sizeof(buf), 0), 0);
        if (way)
            f.right = -1;
        else
            f.left = -1;
        tear_down(&f);
    }
}

/* All of it arrives in the end, and not more than the sockets and one record are on their way. */
static void test_receiver_that_does_not_read(void **state)
{
    static char buf[50000];
    struct fixture f;
    unsigned sent = 0, got = 0, first;
    ssize_t n;

    (void)state;
    set_up(&f);
    for (int i = 0; i < 3000; i++) {
        memcpy(buf, &sent, sizeof(sent));
        if (send(f.left, buf, sizeof(buf) - sent % 1000, 0) > 0)
            sent++;
        (void)event_base_loop(f.base, EVLOOP_NONBLOCK);
    }
    assert_true(sent > 3 && sent < 1000);
    assert_int_equal(shutdown(f.left, SHUT_WR), 0);
    for (int i = 0; i < 10000 && got < sent; i++) {
        while ((n = recv(f.right, buf, sizeof(buf), 0)) > 0) {
            memcpy(&first, buf, sizeof(first));
            assert_int_equal(first, got);
            assert_int_equal(n, sizeof(buf) - got % 1000);
            got++;
        }
        (void)event_base_loop(f.base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(got, sent);
    turn(&f);
    assert_int_equal(recv(f.right, buf, sizeof(buf), 0), 0);
    tear_down(&f);
}

static int lowest_free_fd(void)
{
    int fd = dup(STDERR_FILENO);

    (void)close(fd);
    return fd;
}

static void test_descriptors_do_not_pass(void **state)
{
    union {
        char room[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr head;
    } control = {.head = {.cmsg_len = CMSG_LEN(4 * sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    char byte = 'x';
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    struct fixture f;
    int before;

    (void)state;
    set_up(&f);
    for (size_t len = 0; len < 2; len++) {
        before = lowest_free_fd();
        iov.iov_len = len;
        memset(CMSG_DATA(&control.head), 0, 4 * sizeof(int)); /* standard input */
        m.msg_control = control.room;
        m.msg_controllen = sizeof(control.room);
        assert_int_equal(sendmsg(f.left, &m, 0), len);
        turn(&f);
        assert_int_equal(lowest_free_fd(), before);
        assert_int_equal(recvmsg(f.right, &m, MSG_DONTWAIT), len);
        assert_int_equal(m.msg_controllen, 0);
    }
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_end_of_stream),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_receiver_that_does_not_read),
        cmocka_unit_test(test_descriptors_do_not_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
