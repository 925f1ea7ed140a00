/* confine_seccomp.h: the seccomp filters of the processes on the host's network. */
#ifndef CIJAIL_CONFINE_SECCOMP_H
#define CIJAIL_CONFINE_SECCOMP_H

#include <stdbool.h>

#include "src/error.h"

struct confine_seccomp {
    bool gate;         /* else the supervisor */
    bool keeps_ids;    /* changes its ids and capabilities (unix_ids.h) */
    bool writes_files; /* makes and replaces files (learn.h) */
};

/* Installs the filter on this thread and those that it starts; sets no_new_privs. 0, or -errno. */
int confine_seccomp(const struct confine_seccomp *who, struct error *e);

#endif
