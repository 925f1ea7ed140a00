/* error.h: one error contract for the whole code base.
 *
 * A function that can fail returns 0 or a negative errno and fills a struct error with words for a
 * person: what failed, why, and where it helps what to do. Only main and set-up stages end the
 * process. */
#ifndef CIJAIL_ERROR_H
#define CIJAIL_ERROR_H

#include <stddef.h>

#define ERROR_TEXT_MAX 1024

struct error {
    char text[ERROR_TEXT_MAX]; /* NUL-terminated, no newline at its end */
};

/* Writes the text into e (which may be NULL) and returns -err. err is a positive errno. */
int error_set(struct error *e, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, with ": " and strerror(err) added. */
int error_errno(struct error *e, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends to what is already in e: a remedy, a place. */
void error_add(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts words (and nothing else) before what is already in e. */
void error_prefix(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
