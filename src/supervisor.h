/* supervisor.h: the process on the host's network. */
#ifndef CIJAIL_SUPERVISOR_H
#define CIJAIL_SUPERVISOR_H

#include "src/error.h"
#include "src/options.h"
#include "src/policy.h"

/* Runs the command of options in a jail. Returns the exit status that cijail is to end with, or
 * -errno with the reason (125). Nothing of the jail is left when it returns. */
int supervisor_run(const struct options *options, const struct policy *policy, struct error *e);

/* The same for a container, until that has ended: 0; or 99 after a dry run, 98 with fail_on_deny if
 * something was denied. container (container.h) and its descriptors are the supervisor's. */
struct container;
int supervisor_run_container(const struct options *options, const struct policy *policy,
                             struct container *container, struct error *e);

#endif
