/* confine.h: what the processes of the host's network keep of the caller's rights; see confine.c.
 */
#ifndef CIJAIL_CONFINE_H
#define CIJAIL_CONFINE_H

#include <stdbool.h>

#include "src/error.h"

struct confine {
    bool borrows_ids;      /* acts with the ids of others as long as it lives (unix_ids.h) */
    int learn_folder;      /* files are made and replaced there at the end; -1 */
    bool without_landlock; /* out: there is none, and the files can be read */
};

/* The supervisor, after it has opened what it needs, while it has one thread, before the command
 * starts. 0; or -errno, and then it must not go on. */
int confine_supervisor(struct confine *c, struct error *e);

/* The gate's process (gate_process.h), likewise. */
int confine_gate(struct error *e);

/* And once it serves: no file grows or is written to any more, standard error among them. 0, or
 * -errno. */
int confine_gate_files(struct error *e);

#endif
