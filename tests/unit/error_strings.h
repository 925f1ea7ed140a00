/* error_strings.h: the format strings of a source file's error_set() calls, so that a test can say
 * which of its errors no case is for. */
#ifndef TESTS_UNIT_ERROR_STRINGS_H
#define TESTS_UNIT_ERROR_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

#define ERROR_STRINGS_MAX 64
#define ERROR_STRING_SIZE 512

struct error_strings {
    size_t count;
    char formats[ERROR_STRINGS_MAX][ERROR_STRING_SIZE]; /* as printf(3) gets them */
};

/* Reads FILE below $srcdir. Ends the test if it cannot, or finds a call that it cannot read. */
void error_strings_read(const char *file, struct error_strings *out);

/* Is text what error_set(format) makes, with whatever for each conversion? It may be followed by
 * "; expected ..." and have anything before it that ends in ": ". */
bool error_strings_match(const char *format, const char *text);

#endif
