/* refuse.h: what of a container's configuration (config.json of the OCI runtime specification)
 * would open the jail. */
#ifndef CIJAIL_OCI_REFUSE_H
#define CIJAIL_OCI_REFUSE_H

#include <jansson.h>
#include <stdbool.h>

#include "src/error.h"

/* 0, or -EPERM: what is refused, why, and what to do instead. runtime_dir: the caller's, where the
 * sockets of the session are. pod: the network may be one that was made before. */
int refuse_config(const json_t *config, const char *runtime_dir, bool pod, struct error *e);

/* The mounts' part of it (refuse_mounts.c): sockets of the host, and folders that hold them. */
int refuse_mounts(const json_t *config, const char *runtime_dir, struct error *e);

#endif
