/* transaction.h: several nf_tables messages that take effect together or not at all. */
#ifndef CIJAIL_TRANSACTION_H
#define CIJAIL_TRANSACTION_H

#include <libmnl/libmnl.h>
#include <stdint.h>

#include "src/error.h"

struct transaction;

/* An empty one; the caller frees it. Ends the process if memory is out. */
struct transaction *transaction_new(void);
void transaction_free(struct transaction *t);

/* Begins a message: type is NFT_MSG_*, flags are added to NLM_F_REQUEST and NLM_F_ACK. The caller
 * puts its payload in (one of libnftnl's *_nlmsg_build_payload) and calls transaction_next. what,
 * modules: for the error, if the kernel refuses this message; static strings. modules may be NULL.
 */
struct nlmsghdr *transaction_message(struct transaction *t, uint16_t type, uint16_t family,
                                     uint16_t flags, const char *what, const char *modules);
void transaction_next(struct transaction *t);

/* Sends all of it in one batch and reads every acknowledgement. Blocking, ten seconds at the most.
 * 0, or -errno: then nothing of it has taken effect. -EMSGSIZE if it had grown too large. To be
 * called once. */
int transaction_commit(struct transaction *t, struct error *e);

#endif
