/* progress.h: a line on the terminal that tells how a run goes (--progress, cijail(1)). */
#ifndef CIJAIL_PROGRESS_H
#define CIJAIL_PROGRESS_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "src/log.h"

struct progress;

/* Begins to show it on standard error, by the counts of the log, which outlives it and gets out of
 * its way. NULL if that is no terminal on which a line can be rewritten: nothing is shown then. */
struct progress *progress_start(struct event_base *base, struct log *log);

/* Takes the line away, until the next look at the counts. p may be NULL. */
void progress_erase(struct progress *p);

/* Takes it away for good. p may be NULL. */
void progress_stop(struct progress *p);

/* The line, cut to that many columns. Returns its length. */
size_t progress_format(char *line, size_t size, unsigned columns, uint64_t seconds,
                       const struct log_counts *counts);

#endif
