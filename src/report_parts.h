/* report_parts.h: between report.c, which adds up, and the formats. */
#ifndef CIJAIL_REPORT_PARTS_H
#define CIJAIL_REPORT_PARTS_H

#include "src/report.h"

struct report_host {
    char *name;
    bool cut; /* the name is only how it begins */
    uint64_t allowed, denied, bytes_sent, bytes_received;
    size_t next; /* in its bucket, one more than the index; 0: the last */
};

struct report_denial {
    char *text, *reason, *where;
    enum report_kind kind;
    int64_t first;
    uint64_t count;
    size_t next;
};

struct report_word {
    char *text;
    uint64_t count;
    size_t next;
};

struct report_period {
    uint64_t allowed, denied;
};

struct report {
    uint64_t allowed, denied, failed, bytes_sent, bytes_received;
    bool dry_run;        /* any event was of one */
    int64_t first, last; /* 0: no event yet */
    int64_t period;      /* seconds of each */
    struct report_period periods[REPORT_PERIODS];
    struct report_host *hosts;
    struct report_denial *denials;
    struct report_word *words;
    size_t host_count, denial_count, word_count;
    uint64_t more_hosts, more_denials; /* events that have no line of their own */
    size_t *host_buckets, *denial_buckets, *word_buckets;
};

/* The hosts, those with denials and then those with the most events first; the array is the
 * caller's. */
const struct report_host **report_hosts_sorted(const struct report *r);

/* "3 requests": n and a noun, with its plural. buf: of 64 bytes. */
const char *report_number(char *buf, uint64_t n, const char *noun);

/* "1.5 MiB"; buf: of 32 bytes. */
const char *report_bytes(char *buf, uint64_t n);

/* "2026-11-27 10:00:00"; UTC. buf: of 32 bytes. */
const char *report_time(char *buf, int64_t t);

const char *report_kind_name(enum report_kind kind);

/* Did an event name the word as what allowed it? */
bool report_uses(const struct report *r, const char *word);

/* The periods that are in use, from the first event to the last. */
size_t report_period_count(const struct report *r);

void report_write_text(const struct report *r, const struct report_run *run, FILE *f);
void report_write_markdown(const struct report *r, const struct report_run *run, FILE *f);
void report_write_html(const struct report *r, const struct report_run *run, FILE *f);
void report_write_json(const struct report *r, const struct report_run *run, FILE *f);

#endif
