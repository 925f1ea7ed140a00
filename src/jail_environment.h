/* jail_environment.h: the variables of the jail's programs, those of the CA aside (ca_bundle.h). */
#ifndef CIJAIL_JAIL_ENVIRONMENT_H
#define CIJAIL_JAIL_ENVIRONMENT_H

/* One variable that is to have this value; NULL: it must not be set. */
typedef void jail_environment_cb(void *arg, const char *name, const char *value);

/* Calls set for each: the gateway's proxy, which tools are led to by name; the rules, not these,
 * are what holds. */
void jail_environment(jail_environment_cb *set, void *arg);

#endif
