/* hook.h: the stages of the OCI hook.
 *
 *   cijailctl podman   writes the request (request.h), calls podman          ctl/podman.c
 *   precreate          takes the request, judges the container's configuration and changes it:
 *                      resolv.conf, CA, variables, sockets, the next stage   precreate.c
 *   createRuntime      namespaces and mounts are there, nothing runs: starts the supervisor, waits
 *                      until that is ready                                   create.c
 *
 * The folder of the request, in the caller's runtime directory, is what these have in common. Any
 * error ends the start of the container. */
#ifndef CIJAIL_OCI_HOOK_H
#define CIJAIL_OCI_HOOK_H

#include "src/error.h"

#define HOOK_NAME "cijail-oci-hook"
#define HOOK_ANNOTATION "cijail.id" /* the request's id, of the wrapper */

/* Files of the request's folder. */
#define HOOK_SOCKET "caller"   /* where cijailctl listens */
#define HOOK_REQUEST "request" /* before precreate */
#define HOOK_TAKEN "taken"     /* between precreate and createRuntime */
#define HOOK_RESOLV "resolv"   /* the container's resolv.conf */
#define HOOK_CA_FORMAT "ca%zu" /* a bundle of the container's, to which the CA is appended */

/* argv[1] is the stage. Returns the exit status: 0, or 1 with the reason on standard error. */
int hook_main(int argc, char **argv);

/* The stages: argv[0] is the stage's name. 0, or -errno and the reason. */
int precreate_main(int argc, char **argv, struct error *e);
int create_main(int argc, char **argv, struct error *e);

#endif
