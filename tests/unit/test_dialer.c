/* test_dialer.c: what waits in line at the dialer is bounded. The event loop does not run
 * meanwhile, so that no dial ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "src/dialer.h"
#include "src/util.h"

#define AT_ONCE 1024
#define IN_LINE 65536

struct fixture {
    struct event_base *base;
    struct policy policy;
    struct dialer *dialer;
    struct channel *channel;
    int peer;
};

static void on_message(struct channel *c, const struct msg_head *m, int fd, void *arg)
{
    (void)c;
    (void)m;
    (void)fd;
    (void)arg;
}

static void on_closed(struct channel *c, const char *reason, void *arg)
{
    (void)c;
    (void)reason;
    (void)arg;
}

static int set_up(void **state)
{
    static const char words[] = "https://localhost/";
    static struct fixture fixture; /* as long as the process: a dialer is not freed */
    struct fixture *f = &fixture;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
        policy_parse(&f->policy, "-e", words, strlen(words), NULL) < 0)
        return -1;
    f->base = event_base_new();
    f->dialer = dialer_new(&(struct dialer_setup){
        .base = f->base, .policy = &f->policy, .resolver = resolver_new(f->base)});
    f->channel = channel_new(f->base, pair[0], 1u << MSG_DIAL, 0, on_message, on_closed, f);
    f->peer = pair[1];
    *state = f;
    return 0;
}

static void dial(struct fixture *f, uint64_t id)
{
    struct msg_dial m = {.id = id, .scheme = URL_HTTPS, .port = 443, .host = "localhost"};

    msg_init(&m, MSG_DIAL, sizeof(m));
    dialer_dial(f->dialer, f->channel, &m);
}

static ssize_t answer(struct fixture *f, struct msg_dialed *m)
{
    return recv(f->peer, m, sizeof(*m), MSG_DONTWAIT);
}

static void test_line_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct msg_dialed m;
    uint64_t id;

    for (id = 0; id < AT_ONCE + IN_LINE; id++)
        dial(f, id);
    assert_int_equal(answer(f, &m), -1); /* all of them wait */
    for (; id < AT_ONCE + IN_LINE + 3; id++) {
        dial(f, id);
        assert_int_equal(answer(f, &m), sizeof(m));
        assert_int_equal(m.id, id);
        assert_int_equal(m.error, EAGAIN);
        assert_string_not_equal(m.text, "");
    }
    dialer_forget(f->dialer, f->channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_line_is_bounded, set_up)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
