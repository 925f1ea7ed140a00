/* quota.h: how much a jail may send in all (--limit-upload): a count that the supervisor and
 * httpproxy, who carry the jail's bytes out, keep together.
 *
 * It is a page that both have mapped. Each looks at what is left before it sends, and counts what
 * it has sent; so at most what both send at the same moment goes beyond. A httpproxy that was taken
 * over could put the count back: it holds itself to nothing then, to path and method neither. */
#ifndef CIJAIL_QUOTA_H
#define CIJAIL_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/error.h"

#define QUOTA_REASON "the jail has sent all that --limit-upload allows"

struct quota;

/* A new count: the supervisor's. Its memfd, whose size is fixed, or -errno and the reason. */
int quota_open(uint64_t limit, struct quota **q, struct error *e);

/* The same count by its descriptor, which stays the caller's. 0 or -errno and the reason. */
int quota_map(int fd, struct quota **q, struct error *e);

/* How many bytes may still be sent. q may be NULL: then there is no limit. */
uint64_t quota_left(const struct quota *q);

/* So many have been sent; q may be NULL. */
void quota_count(struct quota *q, uint64_t bytes);

/* A size: digits, and perhaps K, M, G or T for a power of 1024; at least 1. 0 or -EINVAL. */
int quota_parse(const char *text, uint64_t *bytes);

#endif
