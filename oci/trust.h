/* trust.h: the CA certificates and variables of a container. */
#ifndef CIJAIL_OCI_TRUST_H
#define CIJAIL_OCI_TRUST_H

#include <jansson.h>
#include <stdbool.h>

#include "src/error.h"

/* The variable gets that value in the container's environment, or is taken out of it (NULL). */
void trust_set_variable(json_t *config, const char *name, const char *value);

/* A read-only mount of a file, above all others at that place. */
void trust_add_mount(json_t *config, const char *source, const char *destination);

/* Puts a copy of each bundle of CA certificates of the container's root into the folder, whose path
 * is folder_path (HOOK_CA_FORMAT), to be mounted over it; where there is none, the host's at the
 * most usual place; and sets the variables. 0 or -errno. */
int trust_prepare(json_t *config, int folder, const char *folder_path, struct error *e);

#endif
