/* test_own_folder.c: what is copied, and what is too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "src/own_folder.h"
#include "src/util.h"

static char base[] = "/tmp/cijail-test-XXXXXX";
static char from[64], link_to[64], to[64];
static int to_fd;

static void add(const char *folder, const char *name, const char *text)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    (void)close(fd);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(strcpy(base, "/tmp/cijail-test-XXXXXX")));
    (void)snprintf(from, sizeof(from), "%s/from", base);
    (void)snprintf(to, sizeof(to), "%s/to", base);
    (void)snprintf(link_to, sizeof(link_to), "%s/link", base);
    assert_int_equal(mkdir(from, 0751), 0);
    assert_int_equal(mkdir(to, 0700), 0);
    assert_int_equal(symlink(from, link_to), 0);
    to_fd = open(to, O_RDONLY | O_DIRECTORY);
    assert_true(to_fd >= 0);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    (void)close(to_fd);
    (void)snprintf(command, sizeof(command), "rm -rf %s", base);
    return system(command); /* NOLINT(cert-env33-c): a path of our own */
}

static void expect_text(const char *name, const char *expected)
{
    char text[64] = "";
    int fd = openat(to_fd, name, O_RDONLY);

    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    assert_string_equal(text, expected);
    (void)close(fd);
}

static void test_copies(void **state)
{
    char path[128], target[64] = "";
    struct error e;
    struct stat st;

    (void)state;
    add(from, "a.pem", "a certificate\n");
    add(from, "empty", "");
    (void)snprintf(path, sizeof(path), "%s/5ad8a5d6.0", from);
    assert_int_equal(symlink("/nowhere/a.crt", path), 0);
    (void)snprintf(path, sizeof(path), "%s/fifo", from);
    assert_int_equal(mkfifo(path, 0600), 0);
    (void)snprintf(path, sizeof(path), "%s/java", from);
    assert_int_equal(mkdir(path, 0755), 0);
    add(path, "cacerts", "a store");
    (void)snprintf(path, sizeof(path), "%s/java/deeper", from);
    assert_int_equal(mkdir(path, 0755), 0);

    assert_int_equal(own_folder_copy(to_fd, from, &e), 1);
    expect_text("a.pem", "a certificate\n");
    expect_text("empty", "");
    expect_text("java/cacerts", "a store");
    assert_true(readlinkat(to_fd, "5ad8a5d6.0", target, sizeof(target) - 1) > 0);
    assert_string_equal(target, "/nowhere/a.crt");
    assert_int_equal(fstatat(to_fd, "fifo", &st, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(fstatat(to_fd, "java/deeper", &st, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(fstatat(to_fd, "a.pem", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(fstat(to_fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0751);
}

static void test_no_folder(void **state)
{
    char path[128];
    struct error e;

    (void)state;
    add(from, "file", "");
    (void)snprintf(path, sizeof(path), "%s/file", from);
    assert_int_equal(own_folder_copy(to_fd, path, &e), 0);
    assert_int_equal(own_folder_copy(to_fd, link_to, &e), 0);
    assert_int_equal(own_folder_copy(to_fd, "/nowhere/at/all", &e), 0);
    assert_int_equal(own_folder_copy(to_fd, from, &e), 1);
}

static void test_too_much(void **state)
{
    char path[128];
    struct error e;

    (void)state;
    add(from, "large", "");
    (void)snprintf(path, sizeof(path), "%s/large", from);
    assert_int_equal(truncate(path, OWN_FOLDER_FILE_MAX + 1), 0);
    assert_int_equal(own_folder_copy(to_fd, from, &e), 1); /* it is left out */
    assert_int_equal(faccessat(to_fd, "large", F_OK, 0), -1);
    assert_int_equal(unlink(path), 0);
    for (int i = 0; i <= OWN_FOLDER_ENTRIES; i++) {
        (void)snprintf(path, sizeof(path), "%s/%d", from, i);
        assert_int_equal(symlink("x", path), 0);
    }
    assert_int_equal(own_folder_copy(to_fd, from, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_much, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
