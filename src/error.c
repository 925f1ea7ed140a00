#include "src/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append(struct error *e, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void append(struct error *e, const char *fmt, va_list ap)
{
    size_t used = strlen(e->text);

    (void)vsnprintf(e->text + used, sizeof(e->text) - used, fmt, ap);
}

int error_set(struct error *e, int err, const char *fmt, ...)
{
    va_list ap;

    if (e) {
        e->text[0] = '\0';
        va_start(ap, fmt);
        append(e, fmt, ap);
        va_end(ap);
    }
    return -err;
}

int error_errno(struct error *e, int err, const char *fmt, ...)
{
    va_list ap;

    if (e) {
        e->text[0] = '\0';
        va_start(ap, fmt);
        append(e, fmt, ap);
        va_end(ap);
        error_add(e, ": %s", strerror(err));
    }
    return -err;
}

void error_add(struct error *e, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return;
    va_start(ap, fmt);
    append(e, fmt, ap);
    va_end(ap);
}

void error_prefix(struct error *e, const char *fmt, ...)
{
    char old[ERROR_TEXT_MAX];
    va_list ap;

    if (!e)
        return;
    memcpy(old, e->text, sizeof(old));
    va_start(ap, fmt);
    (void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    error_add(e, "%s", old);
}
