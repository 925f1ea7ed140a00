/* name.h: host names in their one canonical form, and patterns of them.
 *
 * Canonical: A-labels (IDNA2008, RFC 5891, non-transitional with UTS #46 mapping), lower case, no
 * trailing dot, labels of 1 to 63 and a whole of at most 253 characters (RFC 1035, 2.3.4) out of
 * a-z 0-9 - _ . */
#ifndef CIJAIL_NAME_H
#define CIJAIL_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "src/error.h"

#define NAME_MAX_LEN 253
#define NAME_SIZE 256 /* of a buffer for a canonical name, NUL included */

/* Text (UTF-8, len bytes, not NUL-terminated) to canonical form. -EINVAL with the reason in e. */
int name_canon(const char *text, size_t len, char out[NAME_SIZE], struct error *e);

/* The same for a pattern: '*' may stand anywhere and is kept. "*" alone is a pattern. Where a label
 * holds '*' it must otherwise be ASCII. */
int name_canon_pattern(const char *text, size_t len, char out[NAME_SIZE], struct error *e);

/* Does a canonical name match a canonical pattern ('*': any characters, dots included, none too)? A
 * pattern without '*' matches itself only. Linear time in the product of the lengths at worst, no
 * recursion. */
bool name_match(const char *pattern, const char *name);

/* Whether text "ends in a number" as the URL standard says (its last label, a trailing dot aside,
 * is digits or 0x and hex digits): such a host is an IPv4 address or an error, never a name. */
bool name_ends_in_number(const char *text, size_t len);

#endif
