/* learn.h: --learn: what a run used, as a policy. */
#ifndef CIJAIL_LEARN_H
#define CIJAIL_LEARN_H

#include <stdint.h>

#include "src/error.h"
#include "src/msg.h"
#include "src/options.h"
#include "src/policy.h"

struct learn;

/* Makes sure that FILE (options->learn_path) can be written. options and policy outlive it. */
int learn_open(struct learn **out, const struct options *options, const struct policy *policy,
               struct error *e);
/* The folder of the file that learn_write makes (O_PATH); -1 if there is none to be made, or l is
 * NULL. */
int learn_folder(const struct learn *l);
void learn_free(struct learn *l);

/* What happened; decision: enum msg_decision. l may be NULL in all of these: nothing is done. */
void learn_request(struct learn *l, uint32_t decision, uint32_t endpoint, const char *method,
                   const char *url);
void learn_resolve(struct learn *l, uint32_t decision, const char *name, uint32_t count);
void learn_connect(struct learn *l, uint32_t decision, const struct msg_log_connect *m);

/* A connection that was made to a name, whose address is not known. */
void learn_connect_by_name(struct learn *l, const char *name, uint16_t port);
void learn_unix(struct learn *l, uint32_t decision, const char *path, const char *real);

/* A name (canonical) is asked for at the server: by what the log may fold no name is lost. */
void learn_asked(struct learn *l, const char *name, const struct msg_server *server);

/* A lookup of the jail for name (canonical) returned this address: what is connected to there is
 * NAME:PORT. */
void learn_address(struct learn *l, const char *name, int family, const void *address);

/* The policy as text, owned by the caller. */
char *learn_text(struct learn *l, size_t *len);

/* Writes it to FILE, which is replaced at once and as a whole. 0 or -errno. */
int learn_write(struct learn *l, struct error *e);

#endif
