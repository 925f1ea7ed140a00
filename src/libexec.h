/* libexec.h: where the proxies' programs are, and the texts of presets. */
#ifndef CIJAIL_LIBEXEC_H
#define CIJAIL_LIBEXEC_H

#include <limits.h>

#include "src/error.h"

/* The path of a helper program: beside this one in an installed tree (../libexec/cijail/NAME), in a
 * build tree
 * (../FOLDER/NAME), or where it was configured to be. -ENOENT if it is in none. */
int libexec_find(const char *name, const char *folder, char out[PATH_MAX], struct error *e);

/* The path of a preset's shipped text: ../share/cijail/policies/NAME in an installed tree,
 * ../presets/NAME in a build tree, or where it was configured to be. -ENOENT if it is in none. */
int libexec_find_preset(const char *name, char out[PATH_MAX], struct error *e);

#endif
