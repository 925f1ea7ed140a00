/* config_lines.h: what the readers of configuration files by lines share. */
#ifndef CIJAIL_PRESET_CONFIG_LINES_H
#define CIJAIL_PRESET_CONFIG_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "preset/config.h"

/* A piece of the text. */
struct span {
    const char *at;
    size_t len;
};

/* Lines one after the other, without their ends (LF, CR LF). at and left: what is yet to come. */
struct lines {
    const char *at;
    size_t left;
    unsigned number; /* of the line that was given out last, from 1 */
};

bool lines_next(struct lines *l, struct span *line);

/* Without blanks around it. */
struct span span_trim(struct span s);

/* Without the quotes around it, if it has a pair of them. */
struct span span_unquote(struct span s);

bool span_is(struct span s, const char *text);
bool span_starts(struct span s, const char *text);

/* Up to the first of these characters, or all. */
struct span span_until(struct span s, const char *stops);

/* What is after the first n bytes. */
struct span span_after(struct span s, size_t n);

/* The next word, of what is no blank; *s begins after it then. Empty: there is none. */
struct span span_word(struct span *s);

/* To a string. False: it does not fit, or has a NUL. */
bool span_copy(struct span s, char *out, size_t size);

/* Calls each, unless the value or the path does not fit. */
void span_emit(struct span path, struct span value, unsigned line, config_cb *each, void *arg);

#endif
