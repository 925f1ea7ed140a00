/* request.h: what cijailctl asks the hook for: the policy, the options, and the variables that they
 * go by. A file of mode 0600 in a folder that only the caller sees; it is taken once. */
#ifndef CIJAIL_OCI_REQUEST_H
#define CIJAIL_OCI_REQUEST_H

#include <jansson.h>

#include "src/error.h"
#include "src/options.h"
#include "src/policy.h"

struct request {
    struct options options;
    struct policy policy;
    json_t *json; /* which the options' texts are of */
};

/* Writes a file of that name, which must not be there, into the folder. Paths of the options become
 * absolute by the working directory. 0 or -errno. */
int request_write(int folder, const char *name, const struct options *options,
                  const struct policy *policy, struct error *e);

/* Gives the file of the one name the other one: -ENOENT with words if it is not there, that is, if
 * it has been taken. */
int request_take(int folder, const char *from, const char *to, struct error *e);

/* Reads it. out is the caller's to free. */
int request_read(int folder, const char *name, struct request *out, struct error *e);
void request_free(struct request *r);

/* The variables of the request become this process's environment, which has no others. */
void request_set_environment(const struct request *r);

#endif
