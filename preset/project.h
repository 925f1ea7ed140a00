/* project.h: what is not read: the project that is being built. An attacker writes there, so a file
 * in it says nothing about where packages come from, and a program in it is not started.
 *
 * The project is the current directory; the outermost directory above it that is a work tree of
 * git; and where CI says that the work tree is (GITHUB_WORKSPACE, CI_PROJECT_DIR, WORKSPACE). The
 * root directory is none. */
#ifndef CIJAIL_PRESET_PROJECT_H
#define CIJAIL_PRESET_PROJECT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define PROJECT_DIRECTORIES 5

struct project {
    char directory[PROJECT_DIRECTORIES][PATH_MAX]; /* canonical; "": none */
};

/* Where the caller is now. A current directory that is gone is none. */
void project_find(struct project *p);

/* The directory of the project that holds this canonical path, or is it; NULL: none does. */
const char *project_holds(const struct project *p, const char *path);

/* Reads a regular file of at most CONFIG_FILE_MAX bytes, by the path that it is found at after all
 * links. 0, -ENOENT (also if the directory is missing), -EXDEV if it lies in the project, -EFBIG,
 * -EINVAL if it is no regular file, or another negative errno. *text is the caller's. */
#define CONFIG_FILE_MAX (1u << 20)
int project_read_outside(const struct project *p, const char *path, char **text, size_t *len);

/* Finds an executable program by PATH, in directories that are absolute and outside of the project;
 * clean: a PATH of these alone. False: there is none. */
bool project_find_program(const struct project *p, const char *name, char out[PATH_MAX],
                          char *clean, size_t clean_size);

#endif
