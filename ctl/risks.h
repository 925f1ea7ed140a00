/* risks.h: what a word of a policy allows beyond what was probably meant. */
#ifndef CIJAIL_CTL_RISKS_H
#define CIJAIL_CTL_RISKS_H

#include "ctl/finding.h"
#include "src/policy.h"

/* Adds what is to be said of ep. */
void risks_of(struct findings *f, const struct endpoint *ep);

#endif
