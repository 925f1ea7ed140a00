/* admin.h: the hook's arguments in the JSON file of an administrator, and the policy by these. */
#ifndef CIJAIL_OCI_ADMIN_H
#define CIJAIL_OCI_ADMIN_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "src/error.h"

struct admin {
    const char *runtime_dir; /* --runtime-dir DIR; NULL: by default */
    bool pod;                /* --pod: of a pod's first container, whose network is made before */
    char *policies;          /* --policies ANNOTATION=DIR: the annotation, NULL: not given */
    const char *policies_dir;
    int argc;    /* options of cijail, */
    char **argv; /* after a first word that is none */
    char *policy_path;
};

/* argv[0] is the stage's name. 0, or -EINVAL. */
int admin_parse(struct admin *a, int argc, char **argv, struct error *e);
void admin_free(struct admin *a);

/* Is there a policy in the arguments? */
bool admin_has_policy(const struct admin *a);

/* Makes a request of them (HOOK_TAKEN), in a new folder below base, whose path is left in path:
 * as from here on the wrapper's. annotations: the container's. Returns a descriptor of the folder,
 * or -errno. */
int admin_request(struct admin *a, const json_t *annotations, const char *base, char path[PATH_MAX],
                  struct error *e);

#endif
