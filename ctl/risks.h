/* risks.h: what a word of a policy allows beyond what was probably meant. */
#ifndef CIJAIL_CTL_RISKS_H
#define CIJAIL_CTL_RISKS_H

#include "ctl/finding.h"
#include "src/policy.h"

/* Adds what is to be said of ep. */
void risks_of(struct findings *f, const struct endpoint *ep);

/* Can anyone have a name that the pattern matches? It says so where the pattern's fixed end is no
 * more than a public suffix (https://publicsuffix.org, libpsl(3)): "*.co.uk", "*.github.io",
 * "*x.org". suffix: that end, of NAME_SIZE bytes. */
bool risks_is_open_pattern(const char *pattern, char *suffix);

/* Where people other than the policy's author get what is written: a name for people, or NULL. host
 * is canonical. */
const char *risks_shared_host(const char *host);

#endif
