/* policy_file.h: a policy out of a file (cijail -p). */
#ifndef CIJAIL_POLICY_FILE_H
#define CIJAIL_POLICY_FILE_H

#include "src/policy.h"

/* Adds the endpoints of the file to p. 0, or a negative errno with "PATH: reason; expected ...", or
 * as policy_parse(). */
int policy_read_file(struct policy *p, const char *path, struct error *e);

#endif
