/* report.h: what happened in a run, in sums: for cijail --summary and for cijailctl report.
 *
 * Everything is bounded, whatever the jail does: hosts, distinct denials, endpoints and the periods
 * of the timeline each have a table of fixed size, and what does not fit in is counted in one sum.
 * Strings come from the jail: each format escapes them. */
#ifndef CIJAIL_REPORT_H
#define CIJAIL_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "src/error.h"

#define REPORT_HOSTS_MAX 2000
#define REPORT_DENIED_MAX 2048 /* as many as the log tells apart */
#define REPORT_ENDPOINTS_MAX 10000
#define REPORT_PERIODS 120 /* of the timeline; they get longer with the run */

enum report_kind {
    REPORT_CONNECT,
    REPORT_RESOLVE,
    REPORT_REQUEST,
    REPORT_UNIX,
    REPORT_NETLINK,
    REPORT_KINDS
};
enum report_format { REPORT_TEXT, REPORT_MARKDOWN, REPORT_HTML, REPORT_JSON };

struct report_event {
    int64_t time; /* seconds since the epoch */
    enum report_kind kind;
    bool denied;  /* or would have been, in a dry run */
    bool dry_run; /* and passed all the same */
    bool again;   /* count is the sum of this event's all: replaces what was counted of it */
    uint64_t count;
    const char *where;  /* host, name, address or path: what the sums go by */
    const char *what;   /* "GET https://h.example/": of a denial */
    const char *reason; /* "" or why it was denied */
    const char *word;   /* "" or the endpoint that allowed it */
    int status;         /* of a request; 0: none */
    uint64_t bytes_sent, bytes_received;
};

/* What is known of the run as a whole. */
struct report_run {
    const char *command; /* NULL: not known */
    int64_t began, ended;
    int status; /* exit status; negative: not known */
    bool dry_run;
    /* The words of the policy in force, for what was never used; NULL: not known. */
    const char *const *words;
    size_t word_count;
};

struct report;

struct report *report_new(void);
void report_free(struct report *r);

/* Adds an event; its strings are copied. */
void report_add(struct report *r, const struct report_event *e);

/* Writes it. run may be NULL. */
void report_write(const struct report *r, const struct report_run *run, enum report_format format,
                  FILE *f);

/* The kind that a log calls so. False: none. */
bool report_kind_of(const char *name, enum report_kind *kind);

/* What the sums go by of a request: the host of its URL, with its port if that is written; or of
 * the target of a CONNECT the whole. Cut if it does not fit. */
void report_host_of(const char *url, char *host, size_t size);

/* The format that a file's name asks for: .md, .html, .json, .txt. False: none of these. */
bool report_format_of(const char *path, enum report_format *format);

#endif
