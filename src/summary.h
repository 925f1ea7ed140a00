/* summary.h: --summary: a report of the run (report.h), written at its end. */
#ifndef CIJAIL_SUMMARY_H
#define CIJAIL_SUMMARY_H

#include "src/error.h"
#include "src/log.h"
#include "src/options.h"
#include "src/policy.h"

struct summary;

/* Opens options->summary_path, and has the log's events added up. It is emptied, but for "github":
 * the file that $GITHUB_STEP_SUMMARY names is added to. The summary is the caller's, for
 * summary_write(), and outlives the log; options and policy outlive it. */
int summary_open(struct summary **out, const struct options *options, const struct policy *policy,
                 struct log *log, struct error *e);

/* Writes it: the run has ended with this exit status. NULL is fine. 0, or a negative errno. */
int summary_write(struct summary *s, int status, struct error *e);

#endif
