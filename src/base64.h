/* base64.h: RFC 4648, 4. */
#ifndef CIJAIL_BASE64_H
#define CIJAIL_BASE64_H

#include <stddef.h>

/* Characters that len bytes make, and a NUL. */
#define BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/* out has room for BASE64_SIZE(len). Returns the length without the NUL. */
size_t base64_encode(const void *data, size_t len, char *out);

/* Strictly: the alphabet alone, padded or not, no bit set that stands for nothing. Returns the
 * decoded length; -EINVAL, or -ENOSPC if that is more than size. */
long base64_decode(const char *text, size_t len, void *out, size_t size);

#endif
