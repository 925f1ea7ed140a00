/* covers.h: which endpoint allows all that another does. */
#ifndef CIJAIL_CTL_COVERS_H
#define CIJAIL_CTL_COVERS_H

#include "src/policy.h"

/* Does a allow everything that b does? False where it cannot be told. */
bool endpoint_covers(const struct endpoint *a, const struct endpoint *b);

/* An endpoint of p, other than ep itself, that covers it; of two that allow the same the first
 * stays. NULL: none. */
const struct endpoint *policy_covers(const struct policy *p, const struct endpoint *ep);

#endif
