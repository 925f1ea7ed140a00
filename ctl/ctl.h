/* ctl.h: cijailctl(8), a file a verb. */
#ifndef CIJAIL_CTL_CTL_H
#define CIJAIL_CTL_CTL_H

#include <stdbool.h>
#include <stdio.h>

#include "src/error.h"
#include "src/policy.h"

/* Exit statuses. */
enum ctl_status {
    CTL_OK = 0,      /* nothing found; allowed; the same */
    CTL_FOUND = 1,   /* warnings; denied; a difference; something is lacking */
    CTL_INVALID = 2, /* the policy, the log or the command line has an error */
};

struct ctl_verb {
    const char *name;
    const char *arguments; /* of the usage line */
    const char *help;
    /* argv[0] is the verb. What is returned is the exit status. */
    enum ctl_status (*run)(int argc, char **argv);
};

enum ctl_status check_main(int argc, char **argv);
enum ctl_status explain_main(int argc, char **argv);
enum ctl_status diff_main(int argc, char **argv);
enum ctl_status report_main(int argc, char **argv);
enum ctl_status show_main(int argc, char **argv);
enum ctl_status doctor_main(int argc, char **argv);

/* Its statuses are those of cijail(1) and podman. */
enum ctl_status podman_main(int argc, char **argv);

/* Runs the verb that argv[1] names; the help text is made from the same table (cli.c). */
int ctl_main(int argc, char **argv);

/* "cijailctl: VERB: text" on standard error; returns CTL_INVALID (cli.c). */
enum ctl_status ctl_fail(const char *verb, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, and "usage: cijailctl VERB ARGUMENTS" after it (cli.c). */
enum ctl_status ctl_usage(const char *verb, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The same of a word that begins as an option does, and is none. */
enum ctl_status ctl_no_option(const char *verb, const char *word);

/* The same of an option that getopt_long(3), with ':' at the beginning of its options, has refused
 * with this key; -EINVAL, for readers of options (cli.c). */
int ctl_bad_option(const char *verb, char **argv, int key);

/* Reads a policy's text: of a file, or of standard input for "-". Owned by the caller; 0, or a
 * negative errno and the reason (cli.c). */
int ctl_read_policy(const char *path, char **text, size_t *len, struct error *e);

/* The same, parsed into p, which is initialised; what cannot be enforced is an error, too (cli.c).
 */
int ctl_parse_policy(const char *path, struct policy *p, struct error *e);

/* -p ARGUMENT, as cijail has it: a preset, or with a slash a file; added to p. */
int ctl_add_policy(const char *argument, struct policy *p, struct error *e);

#endif
