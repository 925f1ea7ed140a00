/* ca_bundle.h: which files hold trusted roots on this machine, and what the jail sees in their
 * place. */
#ifndef CIJAIL_CA_BUNDLE_H
#define CIJAIL_CA_BUNDLE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "src/error.h"
#include "src/java_store.h"

#define CA_BUNDLE_MAX (16u << 20) /* bytes of one file of roots */
#define CA_BUNDLE_FILES 32

/* One file that is covered in the jail by itself plus the jail's CA. */
struct ca_file {
    char path[PATH_MAX]; /* resolved, no symbolic link */
    dev_t dev;
    ino_t ino;
    char *pem;
    size_t len;
    bool trusted; /* upstream is verified with it */
};

struct ca_bundle {
    struct ca_file files[CA_BUNDLE_FILES];
    size_t count;
    char main_path[PATH_MAX]; /* what unset variables are set to */
    struct java_stores java;
};

/* Finds the system's bundles, those that the caller's variables name, which are read, and the
 * stores of Java. -ENOENT
 * and a remedy if there are no roots at all. */
int ca_bundle_find(struct ca_bundle *b, struct error *e);
void ca_bundle_free(struct ca_bundle *b);

/* A sealed memfd with the roots for upstream: those of SSL_CERT_FILE, or else the system's, and
 * those of every other variable that the caller set. Returns the descriptor or -errno. */
int ca_bundle_roots(const struct ca_bundle *b, struct error *e);

/* The same roots for the stores of Java, to which the jail's CA is to be added (java_store.h). NULL
 * if there are none; the caller's to free. */
struct java_store *ca_bundle_java(const struct ca_bundle *b);

/* The places where systems have their roots, and the variables that name such a file: each by its
 * number, the most usual first; NULL after the last one. */
const char *ca_bundle_system_path(size_t i);
const char *ca_bundle_variable(size_t i);

/* Sets, in this process's environment, each CA variable that the caller had not set to main_path.
 */
void ca_bundle_set_environment(const struct ca_bundle *b);

#endif
