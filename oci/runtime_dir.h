/* runtime_dir.h: the caller's own folder for what lives as long as a container's start. */
#ifndef CIJAIL_OCI_RUNTIME_DIR_H
#define CIJAIL_OCI_RUNTIME_DIR_H

#include <limits.h>
#include <stdbool.h>

#include "src/error.h"

#define RUNTIME_ID_SIZE 33 /* 32 hexadecimal digits and NUL */

/* Finds the folder, path, which is "cijail" in the runtime directory, dir, or makes it. dir is the
 * one that is given, or if that is NULL XDG_RUNTIME_DIR, or /run/user/UID, or for root /run, or
 * else /tmp/cijail-UID. UID is that of the outermost user namespace, so that a rootless runtime's
 * hook and its caller find the same. The folder is the caller's and nobody else may look into it,
 * or -EPERM. */
int runtime_dir_find(const char *given, char dir[PATH_MAX], char path[PATH_MAX], struct error *e);

/* A new folder of a random id in it, of mode 0700. Returns a descriptor of it (close-on-exec), or
 * -errno. */
int runtime_dir_new(const char *path, char id[RUNTIME_ID_SIZE], struct error *e);

/* The folder of that id. -ENOENT if there is none, -EINVAL if it can be no id. */
int runtime_dir_open(const char *path, const char *id, struct error *e);

#endif
