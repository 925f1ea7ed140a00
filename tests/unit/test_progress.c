/* test_progress.c: the text of the line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "src/progress.h"
#include "src/util.h"

static void test_format(void **state)
{
    static const struct {
        struct log_counts counts;
        const char *end;
    } rows[] = {
        {{.sent = 0, .received = 1023}, "0 B up, 1023 B down"},
        {{.sent = 1024, .received = 10188}, "1.0 KiB up, 9.9 KiB down"},
        {{.sent = 102399, .received = 102400}, "99.9 KiB up, 100 KiB down"},
        {{.sent = 1048575, .received = 1572864}, "1023 KiB up, 1.5 MiB down"},
        {{.sent = 3ull << 30, .received = UINT64_MAX}, "3.0 GiB up, 16777215 TiB down"},
    };
    char line[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_free char *expected =
            xasprintf("cijail: 7 s, 0 allowed, 0 denied, %s", rows[i].end);
        size_t len = progress_format(line, sizeof(line), 120, 7, &rows[i].counts);
        assert_string_equal(line, expected);
        assert_int_equal(len, strlen(line));
    }
}

static void test_width(void **state)
{
    const struct log_counts counts = {.allowed = UINT64_MAX, .denied = UINT64_MAX};
    char line[121];

    (void)state;
    for (unsigned columns = 0; columns <= 120; columns++) {
        size_t len = progress_format(line, sizeof(line), columns, UINT64_MAX, &counts);
        assert_true(len <= columns && len == strlen(line));
        assert_memory_equal(line, "cijail: 18446744073709551615 s, ", len < 32 ? len : 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_width),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
