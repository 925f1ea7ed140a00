/* finding.h: what is to be said of the words of a policy: collected, sorted by place, printed for
 * people or as JSON. */
#ifndef CIJAIL_CTL_FINDING_H
#define CIJAIL_CTL_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum finding_level {
    FINDING_NOTE,    /* worth knowing */
    FINDING_WARNING, /* allows more than was probably meant */
    FINDING_ERROR,   /* cijail would not run with it */
    FINDING_LEVELS
};

struct finding {
    enum finding_level level;
    const char *code; /* static: "public-suffix" */
    char *source;
    unsigned line; /* 0: of the whole */
    char *word, *text;
    bool escaped; /* the text is printable as it is */
    size_t order; /* in which it was found */
};

struct findings {
    struct finding *list;
    size_t count, capacity;
    size_t of_level[FINDING_LEVELS];
};

/* Adds one; all strings but code are copied. */
void finding_add(struct findings *f, enum finding_level level, const char *code, const char *source,
                 unsigned line, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));
void findings_sort(struct findings *f); /* by source as first found, then line */
void findings_free(struct findings *f);

/* "SOURCE:LINE: warning: 'WORD': text [code]", a line each; escaped. Errors come first; of many
 * notes of one kind some are shown, and their number. */
void findings_print(const struct findings *f, FILE *out);

/* {"findings":[{"level","code","source","line","word","text"}...],"errors":N,"warnings":N,
 * "notes":N} */
void findings_print_json(const struct findings *f, FILE *out);

#endif
