/* test_dialer.c: what waits in line at the dialer is bounded, and goes on one after the other; and
 * a proxy that ends while its dial is judged. */
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
    bool caught_up;
};

static void on_message(struct channel *c, const struct msg_head *m, int fd, void *arg)
{
    struct fixture *f = arg;

    (void)fd;
    dialer_dial(f->dialer, c, (const struct msg_dial *)(const void *)m);
}

/* The other proxy has ended, and so this one does (supervisor.c). */
static void catch_up(void *arg)
{
    struct fixture *f = arg;

    f->caught_up = true;
    dialer_forget(f->dialer, f->channel);
    channel_free(f->channel);
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
    static struct fixture fixtures[3]; /* as long as the process: a dialer is not freed */
    static struct fixture *f = fixtures;
    int pair[2];

    *state = f;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
        policy_parse(&f->policy, "-e", words, strlen(words), NULL) < 0)
        return -1;
    f->base = event_base_new();
    f->dialer =
        dialer_new(&(struct dialer_setup){.base = f->base,
                                          .policy = &f->policy,
                                          .resolver = resolver_new(f->base),
                                          .learned = learned_new(&f->policy, now_ms, catch_up, f)});
    f->channel = channel_new(f->base, pair[0], 1u << MSG_DIAL, 0, on_message, on_closed, f);
    f->peer = pair[1];
    f++;
    return 0;
}

static void dial_host(struct fixture *f, uint64_t id, const char *host)
{
    struct msg_dial m = {.id = id, .scheme = URL_HTTPS, .port = 443};

    msg_init(&m, MSG_DIAL, sizeof(m));
    copy_string(m.host, sizeof(m.host), host);
    dialer_dial(f->dialer, f->channel, &m);
}

static void dial(struct fixture *f, uint64_t id)
{
    dial_host(f, id, "localhost");
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

/* Each in line fails as soon as it begins: the stack does not grow with the line. */
static void test_line_of_failures(void **state)
{
    struct fixture *f = *state;
    struct msg_dialed m = {.id = 0};

    f->policy.dry_run = true;
    for (uint64_t id = 0; id < AT_ONCE + IN_LINE; id++)
        dial_host(f, id, id < AT_ONCE ? "localhost" : "127.0.0.1");
    while (m.id < AT_ONCE) {
        assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE), 0);
        while (m.id < AT_ONCE && answer(f, &m) > 0)
            assert_int_equal(m.error, EACCES);
    }
    dialer_forget(f->dialer, f->channel);
}

/* Nobody is answered then, at once or later. */
static void test_proxy_ends_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct msg_dial m = {.id = 1, .scheme = MSG_DIAL_RAW, .port = 22, .host = "255.255.255.255"};

    f->policy.dry_run = true;
    msg_init(&m, MSG_DIAL, sizeof(m));
    assert_int_equal(send(f->peer, &m, sizeof(m), 0), sizeof(m));
    while (!f->caught_up)
        assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE), 0);
    for (int i = 0; i < 10; i++)
        (void)event_base_loop(f->base, EVLOOP_NONBLOCK);
    assert_int_equal(recv(f->peer, &m, sizeof(m), MSG_DONTWAIT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_line_is_bounded, set_up),
        cmocka_unit_test_setup(test_line_of_failures, set_up),
        cmocka_unit_test_setup(test_proxy_ends_meanwhile, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
