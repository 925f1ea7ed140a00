/* test_resolver.c: names that getaddrinfo(3) is long at do not keep others waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/resolver.h"
#include "src/util.h"

#define THREADS 64   /* of resolver.c */
#define MANY 200     /* lookups: more than THREADS */
#define TURNS 20000  /* 20 s at least: where nothing hangs a few are enough */
#define DEAD "dead-" /* how names begin whose servers do not answer */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static unsigned hanging, most; /* now, and ever */
static bool released;          /* no name is dead any more */

static struct event_base *base;
static struct resolver *resolver;
static unsigned answered;

static void hang(void)
{
    (void)pthread_mutex_lock(&lock);
    hanging++;
    if (hanging > most)
        most = hanging;
    while (!released)
        (void)pthread_cond_wait(&wake, &lock);
    hanging--;
    (void)pthread_mutex_unlock(&lock);
}

static unsigned hanging_now(void)
{
    unsigned n;

    (void)pthread_mutex_lock(&lock);
    n = hanging;
    (void)pthread_mutex_unlock(&lock);
    return n;
}

static void set_released(bool yes)
{
    (void)pthread_mutex_lock(&lock);
    released = yes;
    (void)pthread_cond_broadcast(&wake);
    (void)pthread_mutex_unlock(&lock);
}

/* In the place of the C library's: 198.51.100.7. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **list)
{
    struct addrinfo *a = xcalloc(1, sizeof(*a));
    struct sockaddr_in *in = xcalloc(1, sizeof(*in));

    (void)service;
    (void)hints;
    if (strncmp(node, DEAD, strlen(DEAD)) == 0)
        hang();
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc6336407)};
    *a = (struct addrinfo){
        .ai_family = AF_INET, .ai_addrlen = sizeof(*in), .ai_addr = (struct sockaddr *)(void *)in};
    *list = a;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    free(list->ai_addr);
    free(list);
}

static void on_answer(void *arg, const union resolver_address *addresses, size_t n,
                      const char *text)
{
    bool *is_good = arg;

    (void)text;
    answered++;
    assert_int_equal(n, 1);
    assert_int_equal(addresses->sa.sa_family, AF_INET);
    if (is_good)
        *is_good = true;
}

/* Until so many have been answered, or so many hang; false: it did not come to that. */
static bool turn_until(unsigned answers, unsigned hang_count)
{
    for (int i = 0; i < TURNS; i++) {
        (void)event_base_loop(base, EVLOOP_NONBLOCK);
        if (answered >= answers && hanging_now() >= hang_count)
            return true;
        (void)poll(NULL, 0, 1);
    }
    return false;
}

static void look_up_dead(unsigned from, unsigned count)
{
    char name[NAME_SIZE];

    for (unsigned i = from; i < from + count; i++) {
        (void)snprintf(name, sizeof(name), DEAD "%u.example", i);
        resolver_lookup(resolver, name, on_answer, NULL);
    }
}

static int set_up(void **state)
{
    (void)state;
    answered = most = 0;
    set_released(false);
    base = event_base_new();
    resolver = resolver_new(base); /* stays, as in cijail: it has threads */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    set_released(true);
    return 0;
}

static void dead_names_hold_up_nobody(void **state)
{
    bool is_good = false;

    (void)state;
    look_up_dead(0, 20);
    assert_true(turn_until(0, 20));
    resolver_lookup(resolver, "good.example", on_answer, &is_good);
    assert_true(turn_until(1, 20));
    assert_true(is_good);
    set_released(true);
    assert_true(turn_until(21, 0));
}

/* One thread waits for work, and two names come in one turn of the loop. */
static void one_idle_thread_is_not_two(void **state)
{
    bool is_good = false;

    (void)state;
    resolver_lookup(resolver, "first.example", on_answer, NULL);
    assert_true(turn_until(1, 0));
    (void)poll(NULL, 0, 50); /* until the thread waits, in all likelihood */
    look_up_dead(0, 1);
    resolver_lookup(resolver, "good.example", on_answer, &is_good);
    assert_true(turn_until(2, 1));
    assert_true(is_good);
    set_released(true);
    assert_true(turn_until(3, 0));
}

/* There is a bound, and all have their turn; then again, when most threads have ended. */
static void threads_are_bounded(void **state)
{
    (void)state;
    for (unsigned round = 1; round <= 2; round++) {
        set_released(false);
        look_up_dead(round * MANY, MANY);
        assert_true(turn_until(0, THREADS));
        assert_int_equal(most, THREADS);
        set_released(true);
        assert_true(turn_until(round * MANY, 0));
        assert_int_equal(hanging_now(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dead_names_hold_up_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_idle_thread_is_not_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_are_bounded, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
