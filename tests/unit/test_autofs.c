/* test_autofs.c: which mounts of a table are places where an automounter waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "src/autofs.h"
#include "src/memfd.h"
#include "src/util.h"

static void read_text(struct autofs *a, const char *text)
{
    struct error e;
    char path[64];
    int fd = memfd_open("table", &e);

    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_int_equal(autofs_read(a, path, &e), 0);
    (void)close(fd);
}

static void test_triggers(void **state)
{
    static const char text[] =
        "/dev/sda1 / ext4 rw 0 0\n"
        "-hosts /net autofs rw,fd=6,pgrp=1,timeout=300,minproto=5,maxproto=5,indirect 0 0\n"
        "/etc/auto.direct /data autofs rw,direct 0 0\n"
        "server:/data /data nfs4 rw 0 0\n"
        "/etc/auto.direct /a\\040b autofs rw,direct 0 0\n"
        "tmpfs /net2 tmpfs rw 0 0\n";
    static const bool expected[] = {false, true, false, false, true, false};
    struct autofs a;

    (void)state;
    read_text(&a, text);
    assert_int_equal(a.count, ARRAY_LEN(expected));
    for (size_t i = 0; i < a.count; i++)
        assert_int_equal(autofs_is_trigger(&a, i), expected[i]);
    assert_string_equal(a.mounts[4].path, "/a b");
    autofs_free(&a);
}

static void test_kept(void **state)
{
    static const char text[] = "/dev/sda1 / ext4 rw 0 0\n"                /* 0 */
                               "auto.home /home autofs rw,indirect 0 0\n" /* 1 */
                               "server:/ann /home/ann nfs rw 0 0\n"       /* 2: kept */
                               "none /home/ann/tmp tmpfs rw 0 0\n"        /* 3: comes with 2 */
                               "offset /home/bob autofs rw,offset 0 0\n"  /* 4: a trigger itself */
                               "offset /home/eve autofs rw,offset 0 0\n"  /* 5 */
                               "server:/eve /home/eve nfs rw 0 0\n"       /* 6: kept */
                               "offset /home/bob/x autofs rw 0 0\n"       /* 7 */
                               "server:/x /home/bob/x/y nfs rw 0 0\n"     /* 8: kept */
                               "none /homes tmpfs rw 0 0\n";              /* 9 */
    static const bool kept[] = {false, false, true, false, false, false, true, false, true, false};
    struct autofs a;

    (void)state;
    read_text(&a, text);
    assert_int_equal(a.count, ARRAY_LEN(kept));
    for (size_t j = 0; j < a.count; j++)
        assert_int_equal(autofs_is_kept(&a, 1, j), kept[j]);
    assert_true(autofs_is_trigger(&a, 4));
    assert_false(autofs_is_trigger(&a, 5));
    assert_true(autofs_is_kept(&a, 4, 8));
    assert_false(autofs_is_kept(&a, 4, 2));
    autofs_free(&a);
}

static void test_long_lines(void **state)
{
    static char text[20000];
    struct autofs a;
    int n = snprintf(text, sizeof(text), "overlay /o overlay rw,lowerdir=");

    (void)state;
    memset(text + n, 'x', 15000);
    copy_string(text + n + 15000, 100, " 0 0\n-hosts /net autofs rw 0 0\n");
    read_text(&a, text);
    assert_int_equal(a.count, 2);
    assert_true(autofs_is_trigger(&a, 1));
    autofs_free(&a);
}

static void test_no_table(void **state)
{
    struct autofs a;
    struct error e;

    (void)state;
    assert_true(autofs_read(&a, "/nonexistent/mounts", &e) < 0);
    assert_non_null(strstr(e.text, "/nonexistent/mounts"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_triggers),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_no_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
