/* options.h: the command line and the environment of cijail(1). */
#ifndef CIJAIL_OPTIONS_H
#define CIJAIL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preset/preset.h"
#include "src/error.h"
#include "src/policy.h"
#include "src/secret.h"
#include "src/upstream_servers.h"

enum log_format { LOG_TEXT, LOG_JSON };

struct options {
    bool verbose, quiet, fail_on_deny;
    bool progress;            /* a line on the terminal tells how it goes */
    bool allow_loopback;      /* every TCP port that listens on the host's loopback */
    bool dry_run;             /* everything passes, and is logged */
    const char *learn_path;   /* where the policy of what was used goes; NULL: nowhere */
    const char *summary_path; /* of the report at the end, or "github"; NULL: none */
    uint64_t upload_limit;    /* bytes that may be sent in all; 0: any */
    const char *log_path;     /* NULL: standard error */
    enum log_format log_format;
    struct preset_notes notes;        /* shown and freed by options_parse() */
    struct secret_list secrets;       /* of --secret */
    struct upstream_servers upstream; /* of --upstream; none: the host's (resolv.conf(5)) */
    char **command;                   /* NULL-terminated, points into argv */
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE /* --help, --version: printed */ };

/* Reads argv and the environment; adds every endpoint to policy (initialised by the caller). 0 with
 * *result, or -EINVAL (-ENOTSUP for what this version cannot do yet) with the reason. argv must
 * outlive out. */
int options_parse(int argc, char **argv, struct options *out, struct policy *policy,
                  enum options_result *result, struct error *e);

#endif
