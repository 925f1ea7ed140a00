/* supervisor.h: the process on the host's network. */
#ifndef CIJAIL_SUPERVISOR_H
#define CIJAIL_SUPERVISOR_H

#include "src/error.h"
#include "src/options.h"
#include "src/policy.h"

/* Runs the command of options in a jail. Returns the exit status that cijail is to end with, or
 * -errno with the reason (125). Nothing of the jail is left when it returns. */
int supervisor_run(const struct options *options, const struct policy *policy, struct error *e);

#endif
