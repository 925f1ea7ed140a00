/* ask.h: asks a program for a line, outside of the jail. */
#ifndef CIJAIL_PRESET_ASK_H
#define CIJAIL_PRESET_ASK_H

#include <stddef.h>

#include "preset/project.h"
#include "src/error.h"

#define ASK_SECONDS 20 /* then it is ended */

/* Runs argv, found by PATH outside of the project, in the root directory, with the caller's
 * environment but for PATH and the variables (NULL-terminated; "NAME=VALUE", in the place of any
 * NAME, whatever its case). Its first line of standard output goes to out, of size bytes. 0,
 * -ENOENT if there is no such program, or another negative errno with the reason. */
int ask_program(const struct project *p, const char *const argv[], const char *const variables[],
                char *out, size_t size, struct error *e);

#endif
