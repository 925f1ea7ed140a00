/* memfd.h: sealed memory files, by which a process gets its configuration (memfd_create(2)). */
#ifndef CIJAIL_MEMFD_H
#define CIJAIL_MEMFD_H

#include "src/error.h"

/* A new, empty, close-on-exec one: the descriptor or -errno. */
int memfd_open(const char *name, struct error *e);

/* No change to it after this; the offset is set to its start. */
int memfd_seal(int fd, struct error *e);

#endif
