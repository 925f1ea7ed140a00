/* Relays: bytes, half-close, resets, backpressure, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/relay.h"
#include "src/util.h"

/* left -- a [relay] b -- right */
struct joint {
    struct event_base *base;
    struct relays *set;
    int left, right, inner[2];
    int calls;
    struct relay_end end;
};

static void on_done(const struct relay_end *end, void *arg)
{
    struct joint *j = arg;

    j->calls++;
    j->end = *end;
}

static void tcp_pair(int pair[2])
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
    pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(pair[0], (struct sockaddr *)&sa, sizeof(sa)), 0);
    pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(pair[1] >= 0);
    (void)close(listener);
}

static void any_pair(int family, int pair[2])
{
    if (family == AF_INET)
        tcp_pair(pair);
    else
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static void join(struct joint *j, int left_family, int right_family)
{
    int l[2], r[2];

    *j = (struct joint){.base = event_base_new()};
    any_pair(left_family, l);
    any_pair(right_family, r);
    j->set = relays_new(j->base, 10);
    j->left = l[0];
    j->right = r[0];
    j->inner[0] = l[1];
    j->inner[1] = r[1];
    assert_int_equal(relay_start(j->set, l[1], r[1], on_done, j), 0);
    (void)set_nonblocking(j->left);
    (void)set_nonblocking(j->right);
}

static void part(struct joint *j)
{
    relays_free(j->set);
    event_base_free(j->base);
    if (j->left >= 0)
        (void)close(j->left);
    if (j->right >= 0)
        (void)close(j->right);
}

/* Runs the loop until it has nothing to do for a moment. */
static void settle(struct joint *j)
{
    for (int i = 0; i < 20; i++) {
        (void)event_base_loop(j->base, EVLOOP_NONBLOCK);
        (void)usleep(1000);
    }
}

static const int families[][2] = {
    {AF_INET, AF_INET}, {AF_UNIX, AF_UNIX}, {AF_INET, AF_UNIX}, {AF_UNIX, AF_INET}};

static void expect_text(int fd, const char *text)
{
    char buf[64];
    ssize_t n = recv(fd, buf, sizeof(buf), 0);

    assert_int_equal(n, strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

static void test_both_directions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        struct joint j;
        join(&j, families[i][0], families[i][1]);
        assert_int_equal(send(j.left, "question", 8, 0), 8);
        settle(&j);
        expect_text(j.right, "question");
        assert_int_equal(send(j.right, "answer", 6, 0), 6);
        settle(&j);
        expect_text(j.left, "answer");
        assert_int_equal(j.calls, 0);
        (void)close(j.left);
        (void)close(j.right);
        j.left = j.right = -1;
        settle(&j);
        assert_int_equal(j.calls, 1);
        assert_int_equal(j.end.error, 0);
        assert_int_equal(j.end.bytes[0], 8);
        assert_int_equal(j.end.bytes[1], 6);
        assert_int_equal(relays_count(j.set), 0);
        part(&j);
    }
}

static void test_half_close(void **state)
{
    char c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        struct joint j;
        join(&j, families[i][0], families[i][1]);
        assert_int_equal(relays_undelivered(j.set), 1);
        assert_int_equal(send(j.left, "all", 3, 0), 3);
        assert_int_equal(shutdown(j.left, SHUT_WR), 0);
        settle(&j);
        expect_text(j.right, "all");
        assert_int_equal(recv(j.right, &c, 1, 0), 0);
        assert_int_equal(relays_undelivered(j.set), 0);
        assert_int_equal(relays_count(j.set), 1);
        for (int n = 0; n < 3; n++) { /* the other direction goes on */
            assert_int_equal(send(j.right, "still", 5, 0), 5);
            settle(&j);
            expect_text(j.left, "still");
        }
        assert_int_equal(j.calls, 0);
        assert_int_equal(shutdown(j.right, SHUT_WR), 0);
        settle(&j);
        assert_int_equal(recv(j.left, &c, 1, 0), 0);
        assert_int_equal(j.calls, 1);
        assert_int_equal(j.end.error, 0);
        assert_int_equal(j.end.bytes[1], 15);
        part(&j);
    }
}

static void test_reset_is_passed_on(void **state)
{
    char c;

    (void)state;
    for (int half = 0; half < 2; half++)
        for (int from_left = 0; from_left < 2; from_left++) {
            struct joint j;
            int *from, *to;
            join(&j, AF_INET, AF_INET);
            from = from_left ? &j.left : &j.right;
            to = from_left ? &j.right : &j.left;
            if (half) { /* also after the end of its stream */
                assert_int_equal(shutdown(*from, SHUT_WR), 0);
                settle(&j);
                assert_int_equal(recv(*to, &c, 1, 0), 0);
                assert_int_equal(send(*to, "unread", 6, 0), 6);
                settle(&j);
            } else {
                settle(&j);
            }
            relay_reset(*from);
            *from = -1;
            settle(&j);
            if (half) { /* the RST of a socket whose FIN came before shows as EPIPE */
                (void)send(*to, "x", 1, MSG_NOSIGNAL);
                settle(&j);
                assert_int_equal(send(*to, "x", 1, MSG_NOSIGNAL), -1);
            } else {
                assert_int_equal(recv(*to, &c, 1, 0), -1);
                assert_int_equal(errno, ECONNRESET);
                assert_int_equal(j.end.error, ECONNRESET);
            }
            assert_int_equal(j.calls, 1);
            part(&j);
        }
}

/* A peer that reads nothing stops the sender; what is under way is bounded, and none of it is lost.
 */
static void test_backpressure(void **state)
{
    static char block[65536];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        struct joint j;
        size_t sent = 0, got = 0;
        int idle = 0;
        join(&j, families[i][0], families[i][1]);
        while (idle < 30) {
            ssize_t n = send(j.left, block, sizeof(block), 0);
            sent += n > 0 ? (size_t)n : 0;
            idle = n > 0 ? 0 : idle + 1;
            assert_true(sent < 64u << 20);
            (void)event_base_loop(j.base, EVLOOP_NONBLOCK);
            (void)usleep(100);
        }
        /* the other direction is not held up */
        assert_int_equal(send(j.right, "hello", 5, 0), 5);
        settle(&j);
        expect_text(j.left, "hello");
        assert_int_equal(shutdown(j.left, SHUT_WR), 0);
        for (idle = 0; idle < 2000;) {
            ssize_t n = recv(j.right, block, sizeof(block), 0);
            if (n == 0)
                break;
            got += n > 0 ? (size_t)n : 0;
            idle = n > 0 ? 0 : idle + 1;
            (void)event_base_loop(j.base, EVLOOP_NONBLOCK);
            if (n < 0)
                (void)usleep(100);
        }
        assert_int_equal(got, sent);
        part(&j);
    }
}

/* --- 100 MiB, with other threads at both ends --- */

#define BULK (100u << 20)

struct stream {
    int fd;
    size_t total;
    bool right; /* all bytes came, in order */
};

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 31 + (i >> 13));
}

static void *write_bulk(void *arg)
{
    struct stream *s = arg;
    static _Thread_local unsigned char buf[50000];

    for (size_t at = 0; at < s->total;) {
        size_t n = s->total - at < sizeof(buf) ? s->total - at : sizeof(buf);
        for (size_t i = 0; i < n; i++)
            buf[i] = byte_at(at + i);
        if (write_all(s->fd, buf, n) < 0)
            return NULL;
        at += n;
    }
    (void)shutdown(s->fd, SHUT_WR);
    return NULL;
}

static void *read_bulk(void *arg)
{
    struct stream *s = arg;
    static _Thread_local unsigned char buf[70000];
    size_t at = 0;
    ssize_t n;

    s->right = true;
    while ((n = read(s->fd, buf, sizeof(buf))) > 0)
        for (ssize_t i = 0; i < n; i++)
            s->right &= buf[i] == byte_at(at++);
    s->right &= n == 0 && at == s->total;
    return NULL;
}

static void clear_nonblocking(int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

static void test_bulk(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        struct joint j;
        struct stream up[2], down[2];
        pthread_t threads[4];
        join(&j, families[i][0], families[i][1]);
        clear_nonblocking(j.left);
        clear_nonblocking(j.right);
        up[0] = (struct stream){j.left, BULK, false};
        up[1] = (struct stream){j.right, BULK, false};
        down[0] = (struct stream){j.right, BULK / 4, false};
        down[1] = (struct stream){j.left, BULK / 4, false};
        assert_int_equal(pthread_create(&threads[0], NULL, write_bulk, &up[0]), 0);
        assert_int_equal(pthread_create(&threads[1], NULL, read_bulk, &up[1]), 0);
        assert_int_equal(pthread_create(&threads[2], NULL, write_bulk, &down[0]), 0);
        assert_int_equal(pthread_create(&threads[3], NULL, read_bulk, &down[1]), 0);
        (void)event_base_dispatch(j.base); /* until the relay has ended */
        for (int t = 0; t < 4; t++)
            (void)pthread_join(threads[t], NULL);
        assert_true(up[1].right);
        assert_true(down[1].right);
        assert_int_equal(j.calls, 1);
        assert_int_equal(j.end.error, 0);
        assert_int_equal(j.end.bytes[0], BULK);
        assert_int_equal(j.end.bytes[1], BULK / 4);
        part(&j);
    }
}

/* A server that answers and closes without reading: its answer arrives. */
static void test_answer_before_close(void **state)
{
    static char block[1u << 20];
    struct joint j;
    char buf[64];

    (void)state;
    join(&j, AF_UNIX, AF_UNIX);
    assert_int_equal(send(j.right, "413", 3, 0), 3);
    assert_int_equal(shutdown(j.right, SHUT_RD), 0);
    assert_true(send(j.left, block, sizeof(block), MSG_NOSIGNAL) > 0);
    settle(&j);
    expect_text(j.left, "413");
    (void)close(j.right);
    j.right = -1;
    settle(&j);
    assert_int_equal(j.calls, 1);
    assert_true(recv(j.left, buf, sizeof(buf), 0) <= 0);
    part(&j);
}

/* A socket that is closed altogether, not only its stream: the other side sees it without writing.
 */
static void test_unix_close(void **state)
{
    struct joint j;
    struct pollfd p = {.events = POLLIN};

    (void)state;
    join(&j, AF_UNIX, AF_UNIX);
    (void)close(j.left);
    j.left = -1;
    settle(&j);
    p.fd = j.right;
    assert_int_equal(poll(&p, 1, 0), 1);
    assert_true(p.revents & POLLHUP);
    assert_int_equal(j.calls, 1);
    part(&j);
}

static size_t open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

/* The limit holds, an idle relay has no pipe, and nothing is left open. */
static void test_limit_and_descriptors(void **state)
{
    size_t before, joined;
    struct joint j;
    int more[2];

    (void)state;
    before = open_fds();
    join(&j, AF_UNIX, AF_UNIX);
    settle(&j);
    joined = open_fds();
    assert_int_equal(send(j.left, "x", 1, 0), 1);
    settle(&j);
    expect_text(j.right, "x");
    assert_int_equal(open_fds(), joined + 2); /* one spare pipe, whatever the number of relays */
    for (int i = 0; i < 9; i++) {
        any_pair(AF_UNIX, more);
        assert_int_equal(relay_start(j.set, more[0], more[1], NULL, NULL), 0);
    }
    assert_int_equal(relays_room(j.set), 0);
    any_pair(AF_UNIX, more);
    assert_int_equal(relay_start(j.set, more[0], more[1], NULL, NULL), -EMFILE);
    (void)close(more[0]); /* both are still ours */
    (void)close(more[1]);
    part(&j);
    assert_int_equal(j.calls, 1);
    assert_int_equal(j.end.error, ECANCELED);
    assert_int_equal(open_fds(), before);
}

/* What is on its way to b when all ends is not thrown away; a that has not ended is reset. */
static void test_end_of_all(void **state)
{
    (void)state;
    for (int ended = 0; ended < 2; ended++) {
        struct joint j;
        char buf[8];
        join(&j, AF_INET, AF_INET);
        assert_int_equal(send(j.left, "last", 4, 0), 4);
        settle(&j);
        if (ended)
            assert_int_equal(shutdown(j.left, SHUT_WR), 0);
        settle(&j);
        relays_free(j.set);
        j.set = relays_new(j.base, 1);
        assert_int_equal(j.calls, 1);
        assert_int_equal(j.end.error, ended ? 0 : ECANCELED);
        expect_text(j.right, "last");
        assert_int_equal(recv(j.right, buf, sizeof(buf), 0), ended ? 0 : -1);
        if (!ended)
            assert_int_equal(errno, ECONNRESET);
        part(&j);
    }
}

/* A relay that never ends by itself does not keep others waiting. */
static void test_fairness(void **state)
{
    static char block[65536];
    struct joint j;
    int slow[2], fast[2];
    bool answered = false;

    (void)state;
    join(&j, AF_UNIX, AF_UNIX);
    any_pair(AF_UNIX, slow);
    any_pair(AF_UNIX, fast);
    assert_int_equal(relay_start(j.set, slow[1], fast[1], NULL, NULL), 0);
    assert_int_equal(send(slow[0], "x", 1, 0), 1);
    (void)set_nonblocking(fast[0]);
    for (int i = 0; i < 20 && !answered; i++) {
        char c;
        while (send(j.left, block, sizeof(block), 0) > 0)
            ;
        while (recv(j.right, block, sizeof(block), 0) > 0)
            ;
        (void)event_base_loop(j.base, EVLOOP_NONBLOCK);
        answered = recv(fast[0], &c, 1, 0) == 1;
    }
    assert_true(answered);
    (void)close(slow[0]);
    (void)close(fast[0]);
    part(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_directions),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_reset_is_passed_on),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_answer_before_close),
        cmocka_unit_test(test_unix_close),
        cmocka_unit_test(test_limit_and_descriptors),
        cmocka_unit_test(test_end_of_all),
        cmocka_unit_test(test_fairness),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
