/* preset.h: presets (cijail -p NAME): words for a package manager, out of a shipped text and of
 * what that client's own configuration of the user and of the system says.
 *
 * The project that is being built may be an attacker's, so nothing is ever read from it
 * (project.h). All is read before the jail begins, with the caller's rights. */
#ifndef CIJAIL_PRESET_PRESET_H
#define CIJAIL_PRESET_PRESET_H

#include <stdbool.h>

#include "src/policy.h"

#define PRESET_NOTES_MAX 32

/* What people should know of: configuration that was left out, and why. Escaped. */
struct preset_notes {
    char *text[PRESET_NOTES_MAX];
    size_t count;
};

/* Adds the words of the preset to p; the source and line of each are those of the file, or of the
 * variable, that it is from. notes: zeroed, or from the call before; NULL: they are of no interest.
 * 0; -ENOENT if there is no such preset, or if it comes to nothing; or as policy_parse(). */
int preset_add(struct policy *p, const char *name, struct preset_notes *notes, struct error *e);

/* -p ARGUMENT: with a slash a file (policy_read_file), without one a preset. */
int preset_or_file(struct policy *p, const char *argument, struct preset_notes *notes,
                   struct error *e);

void preset_notes_free(struct preset_notes *notes);

/* The name of the i-th preset, and what it is for; false after the last one. */
bool preset_at(size_t i, const char **name, const char **help);

#endif
