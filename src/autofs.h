/* autofs.h: mounts of the host at which a look at a path makes a program of the host act. */
#ifndef CIJAIL_AUTOFS_H
#define CIJAIL_AUTOFS_H

#include <stdbool.h>
#include <stddef.h>

#include "src/error.h"

struct autofs_mount {
    char *path;
    char type[16]; /* of its file system; a longer one is cut off */
};

struct autofs {
    struct autofs_mount *mounts; /* all of the table, in the order in which they were mounted */
    size_t count;
};

/* Reads a table of mounts, in the form of /proc/self/mounts (proc(5)). */
int autofs_read(struct autofs *a, const char *table, struct error *e);
void autofs_free(struct autofs *a);

/* Was nothing else mounted at the path of mount i after it? */
bool autofs_is_on_top(const struct autofs *a, size_t i);

/* Is mount i an autofs one that is seen, with nothing mounted on it? */
bool autofs_is_trigger(const struct autofs *a, size_t i);

/* Was mount j mounted below the trigger i, and is it the first one on the way down there? Then it
 * may stay. */
bool autofs_is_kept(const struct autofs *a, size_t i, size_t j);

#endif
