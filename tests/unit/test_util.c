/* test_util.c: util.c and error.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "src/error.h"
#include "src/util.h"

static void test_error_set(void **state)
{
    struct error e;

    (void)state;
    assert_int_equal(error_set(&e, EINVAL, "%s is %d", "x", 5), -EINVAL);
    assert_string_equal(e.text, "x is 5");
    assert_int_equal(error_set(&e, ENOENT, "again"), -ENOENT); /* what was there is gone */
    assert_string_equal(e.text, "again");
    assert_int_equal(error_set(NULL, EPERM, "nobody listens"), -EPERM);
}

static void test_error_errno(void **state)
{
    struct error e;

    (void)state;
    assert_int_equal(error_errno(&e, ENOENT, "cannot open %s", "f"), -ENOENT);
    assert_string_equal(e.text, "cannot open f: No such file or directory");
    assert_int_equal(error_errno(NULL, EIO, "x"), -EIO);
}

static void test_error_add_prefix(void **state)
{
    struct error e;

    (void)state;
    error_set(&e, EINVAL, "b");
    error_add(&e, " %s", "c");
    error_prefix(&e, "%d ", 7);
    assert_string_equal(e.text, "7 b c");
    error_add(NULL, "x");
    error_prefix(NULL, "x");
}

static void test_error_bounded(void **state)
{
    char big[3000];
    struct error e;

    (void)state;
    memset(big, 'a', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    error_set(&e, EINVAL, "%s", big);
    assert_int_equal(strlen(e.text), ERROR_TEXT_MAX - 1);
    error_add(&e, "more");
    assert_int_equal(strlen(e.text), ERROR_TEXT_MAX - 1);
    error_prefix(&e, "place: ");
    assert_int_equal(strlen(e.text), ERROR_TEXT_MAX - 1);
    assert_memory_equal(e.text, "place: aaa", 10);
    error_prefix(&e, "%s", big);
    assert_int_equal(strlen(e.text), ERROR_TEXT_MAX - 1);
}

static void test_escape_text(void **state)
{
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } cases[] = {
        {"", 0, ""},
        {"plain ~ text", 12, "plain ~ text"},
        {"a\nb", 3, "a\\x0ab"},
        {"\x1b[31m", 5, "\\x1b[31m"},
        {"\\", 1, "\\x5c"},
        {"\\x41", 4, "\\x5cx41"}, /* what looks like an escape already is told from one */
        {"\0z", 2, "\\x00z"},
        {"\x7f\x80\xff", 3, "\\x7f\\x80\\xff"},
        {"\xc3\xbc", 2, "\\xc3\\xbc"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(escape_text(out, sizeof(out), cases[i].in, cases[i].len),
                         strlen(cases[i].out));
        assert_string_equal(out, cases[i].out);
    }
}

/* At every size from the least: NUL-terminated, inside of the buffer, an escape never cut in two,
 * "..." where something is missing, and nothing missing where all of it and the dots would fit. */
static void test_escape_text_cut(void **state)
{
    static const char text[] = "ab\ncd\x80z";
    static const char whole[] = "ab\\x0acd\\x80z";
    char out[32];

    (void)state;
    for (size_t size = 4; size < sizeof(out); size++) {
        size_t n;

        memset(out, '#', sizeof(out));
        n = escape_text(out, size, text, sizeof(text) - 1);
        assert_true(n < size);
        assert_int_equal(strlen(out), n);
        for (size_t i = size; i < sizeof(out); i++)
            assert_int_equal(out[i], '#');
        if (strcmp(out, whole) == 0)
            continue;
        assert_true(size < sizeof(whole) + 4);
        assert_string_equal(out + n - 3, "...");
        assert_memory_equal(out, whole, n - 3);
        out[n - 3] = '\0';
        if (strrchr(out, '\\'))
            assert_true(strlen(strrchr(out, '\\')) >= 4);
    }
}

static void test_copy_string(void **state)
{
    char buf[4];

    (void)state;
    copy_string(buf, sizeof(buf), "ab");
    assert_string_equal(buf, "ab");
    copy_string(buf, sizeof(buf), "abc");
    assert_string_equal(buf, "abc");
    copy_string(buf, sizeof(buf), "abcd");
    assert_string_equal(buf, "abc");
    copy_string(buf, 1, "abcd");
    assert_string_equal(buf, "");
}

static void test_memory(void **state)
{
    cleanup_free char *a = xstrdup("abc");
    cleanup_free char *b = xstrndup("abcdef", 2);
    cleanup_free char *c = xasprintf("%d-%s", 3, "x");
    cleanup_free char *zero = xcalloc(3, 2);
    cleanup_free char *none = xmalloc(0);

    (void)state;
    assert_string_equal(a, "abc");
    assert_string_equal(b, "ab");
    assert_string_equal(c, "3-x");
    assert_memory_equal(zero, "\0\0\0\0\0\0", 6);
    assert_non_null(none);
    a = xrealloc(a, 100);
    assert_string_equal(a, "abc");
}

/* A file that holds len bytes; returns its path. The caller unlinks and frees. */
static char *make_file(const char *data, size_t len)
{
    const char *dir = getenv("TMPDIR");
    char *path = xasprintf("%s/cijail-test.XXXXXX", dir ? dir : "/tmp");
    cleanup_close int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, data, len), 0);
    return path;
}

static void test_read_file(void **state)
{
    cleanup_free char *path = make_file("a\0bc", 4);
    cleanup_free char *data = NULL, *again = NULL;
    struct error e;
    size_t len = 0;

    (void)state;
    assert_int_equal(read_file(path, 4, &data, &len, &e), 0); /* just as long as allowed */
    assert_int_equal(len, 4);
    assert_memory_equal(data, "a\0bc", 5); /* with the NUL after it */
    assert_int_equal(read_file(path, 3, &again, &len, &e), -EFBIG);
    assert_null(again);
    assert_non_null(strstr(e.text, path));
    assert_int_equal(read_file(path, 1000, &again, &len, &e), 0);
    assert_int_equal(len, 4);
    assert_int_equal(unlink(path), 0);
    free(again);
    again = NULL;
    assert_int_equal(read_file(path, 4, &again, &len, &e), -ENOENT);
    assert_non_null(strstr(e.text, "No such file"));
    assert_int_equal(read_file("/", 4, &again, &len, &e), -EISDIR);
}

static void test_write_all(void **state)
{
    char buf[8] = "";
    int p[2];

    (void)state;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(write_all(p[1], "abc", 3), 0);
    assert_int_equal(write_all(p[1], "de", 2), 0);
    assert_int_equal(read(p[0], buf, sizeof(buf)), 5);
    assert_string_equal(buf, "abcde");
    assert_int_equal(write_all(p[0], "x", 1), -EBADF); /* the end that only reads */
    close(p[0]);
    close(p[1]);
}

static void test_set_nonblocking(void **state)
{
    char c;
    int p[2];

    (void)state;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(fcntl(p[0], F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(set_nonblocking(p[0]), 0);
    assert_int_equal(read(p[0], &c, 1), -1);
    assert_int_equal(errno, EAGAIN);
    close(p[0]);
    close(p[1]);
    assert_int_equal(set_nonblocking(-1), -EBADF);
}

static void test_descriptors(void **state)
{
    int kept, gone;

    (void)state;
    {
        cleanup_close int a = dup(STDERR_FILENO);
        cleanup_close int b = dup(STDERR_FILENO);
        assert_true(a >= 0 && b >= 0);
        gone = a;
        kept = steal_fd(&b);
        assert_int_equal(b, -1);
    }
    assert_int_equal(fcntl(gone, F_GETFD), -1);
    assert_true(fcntl(kept, F_GETFD) >= 0);
    close(kept);
}

static void test_clock_and_limit(void **state)
{
    uint64_t us = now_us(), ms = now_ms();
    struct rlimit rl;

    (void)state;
    assert_true(ms >= us / 1000 && ms - us / 1000 < 60000);
    assert_true(now_us() >= us);
    assert_true(raise_nofile() > 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
    assert_int_equal(rl.rlim_cur, rl.rlim_max);
}

/* What a child that ends by die() writes, and its exit code. */
static void test_die(void **state)
{
    char text[256] = "", want[256];
    int p[2], status;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        dup2(p[1], STDERR_FILENO);
        warn_text("first %d", 1);
        die("last %s", "words");
    }
    close(p[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(read(p[0], text, sizeof(text) - 1) > 0);
    close(p[0]);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 125);
    (void)snprintf(want, sizeof(want), "%s: first 1\n%s: last words\n",
                   program_invocation_short_name, program_invocation_short_name);
    assert_string_equal(text, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_set),        cmocka_unit_test(test_error_errno),
        cmocka_unit_test(test_error_add_prefix), cmocka_unit_test(test_error_bounded),
        cmocka_unit_test(test_escape_text),      cmocka_unit_test(test_escape_text_cut),
        cmocka_unit_test(test_copy_string),      cmocka_unit_test(test_memory),
        cmocka_unit_test(test_read_file),        cmocka_unit_test(test_write_all),
        cmocka_unit_test(test_set_nonblocking),  cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_clock_and_limit),  cmocka_unit_test(test_die),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
