/* log.h: what was allowed and what was denied, for people (text) and programs (JSON lines). */
#ifndef CIJAIL_LOG_H
#define CIJAIL_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "src/error.h"
#include "src/learn.h"
#include "src/msg.h"
#include "src/options.h"
#include "src/policy.h"
#include "src/report.h"

struct log;
struct progress;

struct log_counts {
    uint64_t allowed, denied;
    uint64_t sent, received; /* bytes of requests' and answers' bodies, when they are over */
};

/* Opens --log's file, or takes standard error. Options and policy outlive the log. */
int log_open(struct log **out, const struct options *options, const struct policy *policy,
             struct error *e);

/* All events go there too; it outlives the log. */
void log_set_learn(struct log *l, struct learn *learn);

/* And there; it outlives the log, too. */
void log_set_report(struct log *l, struct report *r);

/* And this line is taken away before anything is written to standard error; NULL: none. It outlives
 * the log, or is set to NULL. */
void log_set_progress(struct log *l, struct progress *p);

/* One event each, as the proxies report them. Every string is escaped here. */
void log_request(struct log *l, const struct msg_log_request *m);
void log_batch(struct log *l, const struct msg_log_batch *b);
void log_resolve(struct log *l, const struct msg_log_resolve *m);

/* Packets that were rejected (no endpoint), or connections that were made. */
void log_connect(struct log *l, const struct msg_log_connect *m);

/* The same of one connection, with the name that it is for, and why it was denied (each may be "").
 */
void log_named_connect(struct log *l, const struct msg_log_connect *m, const char *name,
                       const char *reason);

/* A connection that a proxy of the host's network makes (parent.h): to which address is not known.
 */
void log_connect_by_name(struct log *l, uint32_t decision, uint32_t endpoint, const char *name,
                         uint16_t port);

/* A tunnel that was refused for what the client said in it. */
void log_tunnel(struct log *l, const struct msg_log_tunnel *m);

/* A connection to a unix socket of the host; path is what the command asked for, real where that is
 * (absolute, without links; empty if unknown). */
void log_unix(struct log *l, uint32_t decision, const char *path, const char *real,
              uint32_t endpoint);

/* Something broke: written whatever -q says, to standard error too if the log is a file. */
void log_error(struct log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What there was so far. */
void log_count(const struct log *l, struct log_counts *out);

/* How often something was denied so far, or would have been. */
uint64_t log_denials(const struct log *l);

/* Writes the counts of folded denials and the closing line, closes the file and frees l. 0, or a
 * negative errno (which has been said) if a line is missing in the file, or the file was cut or
 * replaced by others. */
int log_close(struct log *l);

#endif
