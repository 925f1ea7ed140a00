/* doctor.h: between doctor.c, which asks and prints, and doctor_probe.c, which tries. */
#ifndef CIJAIL_CTL_DOCTOR_H
#define CIJAIL_CTL_DOCTOR_H

#include <stdint.h>

#include "src/error.h"

/* What is tried, in this order; names and meanings in doctor.c. */
enum doctor_check {
    DOCTOR_KERNEL,
    DOCTOR_PROC,
    DOCTOR_USER_NAMESPACE,
    DOCTOR_ID_MAP,
    DOCTOR_NETWORK_NAMESPACE,
    DOCTOR_PID_NAMESPACE,
    DOCTOR_NF_TABLES,
    DOCTOR_NFLOG,
    DOCTOR_ROUTING,
    DOCTOR_MOUNT_NAMESPACE,
    DOCTOR_NESTED_NAMESPACE,
    DOCTOR_VETH,
    DOCTOR_MOUNTS,
    DOCTOR_UNIX_DIAG,
    DOCTOR_SECCOMP,
    DOCTOR_LANDLOCK,
    DOCTOR_PROGRAMS,
    DOCTOR_RESOLV_CONF,
    DOCTOR_ROOTS,
    DOCTOR_JAIL,
    DOCTOR_CHECKS
};

enum doctor_state {
    DOCTOR_NOT_TRIED, /* something before it failed */
    DOCTOR_OK,
    DOCTOR_NOTE, /* cijail does without */
    DOCTOR_LACKS,
};

struct doctor_result {
    enum doctor_state state;
    struct error text; /* why not, or what is there */
};

/* Tries, in processes of its own that end with it, all that takes namespaces, by the functions that
 * set up a jail; as cijail does, and in its order. results: DOCTOR_CHECKS, zeroed. */
void doctor_probe(struct doctor_result *results);

#endif
