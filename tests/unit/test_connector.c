/* Happy Eyeballs and the resolver, over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "src/connector.h"
#include "src/util.h"

struct outcome {
    struct event_base *base;
    int calls, fd, err;
    size_t n;
    char text[128];
    unsigned left; /* answers to wait for */
};

static void on_connected(void *arg, int fd, int err)
{
    struct outcome *o = arg;

    o->calls++;
    o->fd = fd;
    o->err = err;
    (void)event_base_loopbreak(o->base);
}

static int listen_on(const char *address, uint16_t *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(inet_pton(AF_INET, address, &sa.sin_addr), 1);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

static void set_address(union resolver_address *a, const char *address, uint16_t port)
{
    struct sockaddr_in *sa = (struct sockaddr_in *)(void *)&a->sa;

    memset(a, 0, sizeof(*a));
    sa->sin_family = AF_INET;
    sa->sin_port = htons(port);
    assert_int_equal(inet_pton(AF_INET, address, &sa->sin_addr), 1);
}

static void connect_to(struct outcome *o, union resolver_address *addresses, size_t n)
{
    o->base = event_base_new();
    connector_start(o->base, addresses, n, on_connected, o);
    assert_int_equal(o->calls, 0); /* never from inside of the call */
    (void)event_base_dispatch(o->base);
    assert_int_equal(o->calls, 1);
    event_base_free(o->base);
}

static void test_first_dead_second_alive(void **state)
{
    union resolver_address addresses[2];
    struct outcome o = {.fd = -1};
    struct sockaddr_in peer = {0};
    socklen_t len = sizeof(peer);
    uint16_t dead, alive;
    int dead_fd, alive_fd;

    (void)state;
    dead_fd = listen_on("127.0.0.2", &dead); /* bound, but not listening: refused */
    alive_fd = listen_on("127.0.0.3", &alive);
    assert_int_equal(listen(alive_fd, 1), 0);
    set_address(&addresses[0], "127.0.0.2", dead);
    set_address(&addresses[1], "127.0.0.3", alive);
    connect_to(&o, addresses, 2);
    assert_int_equal(o.err, 0);
    assert_int_equal(getpeername(o.fd, (struct sockaddr *)&peer, &len), 0);
    assert_int_equal(ntohs(peer.sin_port), alive);
    (void)close(o.fd);
    (void)close(alive_fd);
    (void)close(dead_fd);
}

static void test_all_dead(void **state)
{
    union resolver_address addresses[3];
    struct outcome o = {.fd = -1};
    uint16_t dead;
    int dead_fd;

    (void)state;
    dead_fd = listen_on("127.0.0.2", &dead);
    for (size_t i = 0; i < 3; i++)
        set_address(&addresses[i], "127.0.0.2", dead);
    connect_to(&o, addresses, 3);
    assert_int_equal(o.fd, -1);
    assert_int_equal(o.err, ECONNREFUSED);
    (void)close(dead_fd);
}

static void on_resolved(void *arg, const union resolver_address *addresses, size_t n,
                        const char *text)
{
    struct outcome *o = arg;

    (void)addresses;
    o->calls++;
    o->n = n;
    copy_string(o->text, sizeof(o->text), text ? text : "");
    if (--o->left == 0)
        (void)event_base_loopbreak(o->base);
}

static void test_resolver(void **state)
{
    struct outcome o = {.base = event_base_new()};
    struct resolver *r = resolver_new(o.base);
    char name[101] = "";

    (void)state;
    o.left = 100; /* one lookup for all of them */
    for (int i = 0; i < 100; i++)
        resolver_lookup(r, "localhost", on_resolved, &o);
    assert_int_equal(o.calls, 0);
    (void)event_base_dispatch(o.base);
    assert_int_equal(o.calls, 100);
    assert_true(o.n > 0);
    o.left = 1; /* out of the cache, but not from inside of the call */
    resolver_lookup(r, "localhost", on_resolved, &o);
    assert_int_equal(o.calls, 100);
    (void)event_base_dispatch(o.base);
    assert_int_equal(o.calls, 101);
    o.left = 1; /* a label of more than 63: refused without a packet */
    memset(name, 'a', sizeof(name) - 1);
    resolver_lookup(r, name, on_resolved, &o);
    (void)event_base_dispatch(o.base);
    assert_int_equal(o.n, 0);
    assert_true(o.text[0] != '\0');
}

static struct msg_lookup asked;
static int ask_result;

static int ask(void *arg, const struct msg_lookup *m)
{
    (*(int *)arg)++;
    asked = *m;
    return ask_result;
}

/* --upstream: who is asked answers, once; nothing else does. */
static void test_remote_resolver(void **state)
{
    static struct outcome o; /* as in the supervisor, these live as long as the process */
    static struct resolver *r;
    struct msg_addresses m = {.count = 2};
    int count = 0;

    (void)state;
    o.base = event_base_new();
    r = resolver_new(o.base);
    resolver_set_remote(r, ask, &count);
    o.left = 100;
    for (int i = 0; i < 100; i++)
        resolver_lookup(r, "registry.example", on_resolved, &o);
    assert_int_equal(count, 1);
    assert_string_equal(asked.name, "registry.example");
    assert_int_equal(msg_check(&asked, msg_length(&asked)), 0);
    assert_true(resolver_is_asking(r, "registry.example"));
    assert_false(resolver_is_asking(r, "attacker.test"));
    m.address[0].family = AF_INET6;
    m.address[1].family = AF_INET;
    m.id = asked.id + 1;
    resolver_take(r, &m); /* nobody asked that */
    assert_int_equal(o.calls, 0);
    m.id = asked.id;
    resolver_take(r, &m);
    assert_int_equal(o.calls, 100);
    assert_int_equal(o.n, 2);
    assert_false(resolver_is_asking(r, "registry.example"));
    resolver_take(r, &m); /* a second answer */
    assert_int_equal(o.calls, 100);
    o.left = 1; /* out of the cache */
    resolver_lookup(r, "registry.example", on_resolved, &o);
    (void)event_base_dispatch(o.base);
    assert_int_equal(o.calls, 101);
    assert_int_equal(count, 1);
    o.left = 1;
    resolver_lookup(r, "missing.example", on_resolved, &o);
    m = (struct msg_addresses){.id = asked.id, .error = ENOENT};
    resolver_take(r, &m);
    assert_int_equal(o.n, 0);
    assert_non_null(strstr(o.text, "not known"));
    o.left = 1;
    ask_result = -EPIPE; /* dnsproxy has gone */
    resolver_lookup(r, "other.example", on_resolved, &o);
    assert_int_equal(o.calls, 102);
    (void)event_base_dispatch(o.base);
    assert_int_equal(o.calls, 103);
    assert_int_equal(o.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_dead_second_alive),
        cmocka_unit_test(test_all_dead),
        cmocka_unit_test(test_resolver),
        cmocka_unit_test(test_remote_resolver),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
