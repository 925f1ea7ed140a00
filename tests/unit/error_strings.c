#include "tests/unit/error_strings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/util.h"

/* One literal, from its opening quote; returns what follows its closing one. */
static const char *read_literal(const char *s, char *out, size_t size)
{
    size_t n = strlen(out);

    for (s++; *s != '"'; s++) {
        if (*s == '\\')
            s++;
        assert_true(*s != '\0' && n + 1 < size);
        out[n++] = *s;
    }
    out[n] = '\0';
    return s + 1;
}

/* The literals of the call at s, as one; returns what follows them. */
static const char *read_call(const char *file, const char *s, char out[ERROR_STRING_SIZE])
{
    const char *end = s + strcspn(s, ";");

    out[0] = '\0';
    s += strcspn(s, "\"");
    if (s >= end)
        fail_msg("%s: a call without a literal", file);
    while (*s == '"') {
        s = read_literal(s, out, ERROR_STRING_SIZE);
        while (isspace((unsigned char)*s))
            s++;
    }
    return s;
}

void error_strings_read(const char *file, struct error_strings *out)
{
    const char *folder = getenv("srcdir");
    cleanup_free char *text = NULL;
    const char *call;
    char path[512];
    size_t len;

    (void)snprintf(path, sizeof(path), "%s/%s", folder ? folder : ".", file);
    assert_int_equal(read_file(path, 1 << 20, &text, &len, NULL), 0);
    out->count = 0;
    for (const char *s = text; (call = strstr(s, "error_set(")) != NULL; out->count++) {
        assert_true(out->count < ERROR_STRINGS_MAX);
        s = read_call(file, call, out->formats[out->count]);
    }
    assert_true(out->count > 0);
}

/* A pattern of fnmatch(3). */
static void to_pattern(const char *format, char *out)
{
    while (*format) {
        if (format[0] == '%' && format[1] != '%') {
            format += strcspn(format, "dusxc") + 1;
            *out++ = '*';
            continue;
        }
        if (*format == '%')
            format++;
        if (strchr("*?[]\\", *format))
            *out++ = '\\';
        *out++ = *format++;
    }
    *out = '\0';
}

bool error_strings_match(const char *format, const char *text)
{
    static const char *const frames[] = {"%s", "%s; expected *", "*: %s", "*: %s; expected *"};
    char pattern[2 * ERROR_STRING_SIZE], whole[2 * ERROR_STRING_SIZE + 32];

    to_pattern(format, pattern);
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        const char *mark = strstr(frames[i], "%s");

        (void)snprintf(whole, sizeof(whole), "%.*s%s%s", (int)(mark - frames[i]), frames[i],
                       pattern, mark + 2);
        if (fnmatch(whole, text, 0) == 0)
            return true;
    }
    return false;
}
