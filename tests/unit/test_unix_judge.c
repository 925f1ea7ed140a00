/* The judge of unix sockets, with this process as the one that asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/unix_diag.h"
#include "src/unix_judge.h"
#include "src/util.h"

struct fixture {
    char folder[64];
    struct sockaddr_storage address;
    size_t len;
    char path[UNIX_JUDGE_PATH_SIZE];
    struct policy policy;
    struct unix_judge *judge;
    struct unix_asker who;
    struct unix_verdict verdict;
    int listener;
    bool waits;
    unsigned asked;
};

static bool waits(const struct unix_asker *who)
{
    struct fixture *f = *(struct fixture *const *)who->arg;

    f->asked++;
    return f->waits;
}

static int take(const struct unix_asker *who)
{
    (void)who;
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static struct unix_judge *judges[8];
static size_t judge_count;

static void set_up(struct fixture *f, struct fixture **self, bool abstract)
{
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&f->address;
    struct error e;
    int diag;

    *self = f;
    copy_string(f->folder, sizeof(f->folder), "/tmp/cijail-test-judge.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    un->sun_family = AF_UNIX;
    (void)snprintf(un->sun_path + abstract, sizeof(un->sun_path) - 1, "%s/socket", f->folder);
    f->len = offsetof(struct sockaddr_un, sun_path) + strlen(un->sun_path + abstract) + 1;
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)un, (socklen_t)f->len), 0);
    assert_int_equal(listen(f->listener, 8), 0);
    policy_init(&f->policy);
    if (!abstract)
        assert_int_equal(policy_parse(&f->policy, "-e", un->sun_path, strlen(un->sun_path), &e), 0);
    f->judge = unix_judge_new(&f->policy);
    assert_true(judge_count < ARRAY_LEN(judges));
    judges[judge_count++] = f->judge; /* a judge is not freed */
    diag = unix_diag_open(&e);
    assert_true(diag >= 0);
    assert_int_equal(unix_judge_set_jail(f->judge, diag, &e), 0);
    f->who = (struct unix_asker){.tid = getpid(), .take = take, .waits = waits, .arg = self};
    assert_int_equal(unix_caller_read(getpid(), &f->who.ids), 0);
    f->who.pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
}

static int attempt(struct fixture *f)
{
    return unix_judge_connect(f->judge, &f->who, &f->address, f->len, f->path, &f->verdict);
}

static bool was_connected(const struct fixture *f)
{
    int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static void tear_down(struct fixture *f)
{
    char path[80];

    (void)snprintf(path, sizeof(path), "%s/socket", f->folder);
    (void)unlink(path);
    (void)rmdir(f->folder);
    (void)close(f->listener);
    (void)close(f->who.pidfd);
    policy_free(&f->policy);
}

static void check_nobody_waits(bool abstract)
{
    struct fixture *self, f = {.waits = false};

    set_up(&f, &self, abstract);
    assert_int_equal(attempt(&f), -EINTR);
    assert_int_equal(f.asked, 1);
    assert_false(was_connected(&f));
    f.waits = true;
    assert_int_equal(attempt(&f), 0);
    assert_true(was_connected(&f));
    assert_int_equal(f.verdict.decision, MSG_ALLOW);
    tear_down(&f);
}

static void test_path_that_nobody_waits_for(void **state)
{
    (void)state;
    check_nobody_waits(false);
}

static void test_abstract_that_nobody_waits_for(void **state)
{
    (void)state;
    check_nobody_waits(true);
}

static void test_inode_that_is_bound_by_nobody(void **state)
{
    struct fixture *self, f = {.waits = true};

    (void)state;
    set_up(&f, &self, false);
    (void)close(f.listener);
    assert_int_equal(attempt(&f), -ECONNREFUSED);
    assert_false(f.verdict.logged);
    assert_int_equal(f.asked, 0);
    tear_down(&f);
}

/* The question whether a socket is bound at all is not seen by it, whatever its type. */
static void test_the_probe_is_not_noticed(void **state)
{
    const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        char folder[] = "/tmp/cijail-test-judge.XXXXXX";
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        struct pollfd p = {.events = POLLIN};
        int fd;
        assert_non_null(mkdtemp(folder));
        (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/s", folder);
        p.fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(p.fd, (struct sockaddr *)&un, sizeof(un)), 0);
        if (types[i] != SOCK_DGRAM)
            assert_int_equal(listen(p.fd, 1), 0);
        fd = open(un.sun_path, O_PATH | O_CLOEXEC);
        assert_true(unix_diag_is_bound_anywhere(fd));
        assert_int_equal(poll(&p, 1, 0), 0);
        (void)close(p.fd);
        assert_false(unix_diag_is_bound_anywhere(fd));
        (void)close(fd);
        (void)unlink(un.sun_path);
        (void)rmdir(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_that_nobody_waits_for),
        cmocka_unit_test(test_abstract_that_nobody_waits_for),
        cmocka_unit_test(test_inode_that_is_bound_by_nobody),
        cmocka_unit_test(test_the_probe_is_not_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
