/* config_toml.c: cargo's config.toml. What is not understood is passed over up to the end of its
 * line, so that a mistake costs one value. */
#include <stdio.h>
#include <string.h>

#include "preset/config_lines.h"
#include "src/util.h"

#define DEPTH_MAX 16 /* of inline tables and arrays */

struct toml {
    const char *at, *end;
    unsigned line;
    char path[CONFIG_PATH_SIZE]; /* of the table, then of the keys down to the value */
    config_cb *each;
    void *arg;
};

static char peek(const struct toml *t)
{
    return t->at < t->end ? *t->at : '\0';
}

static bool take(struct toml *t, char c)
{
    if (t->at >= t->end || *t->at != c)
        return false;
    if (c == '\n')
        t->line++;
    t->at++;
    return true;
}

static void skip_line(struct toml *t)
{
    while (t->at < t->end && *t->at != '\n')
        t->at++;
}

/* Blanks; with newlines also these, and comments. */
static void skip_blanks(struct toml *t, bool newlines)
{
    for (;;) {
        if (take(t, ' ') || take(t, '\t') || take(t, '\r') || (newlines && take(t, '\n')))
            continue;
        if (!newlines || peek(t) != '#')
            return;
        skip_line(t);
    }
}

/* """...""" or '''...''': passed over. */
static void skip_multi_line(struct toml *t, char quote)
{
    unsigned in_a_row = 0;

    for (t->at += 3; t->at < t->end && in_a_row < 3; t->at++) {
        in_a_row = *t->at == quote ? in_a_row + 1 : 0;
        if (*t->at == '\n')
            t->line++;
        else if (*t->at == '\\' && quote == '"' && t->at + 1 < t->end && t->at[1] != '\n')
            t->at++;
    }
}

/* A string on one line. False: it is none, or has an escape other than \" and \\; what it was is
 * behind t then. */
static bool take_string(struct toml *t, char *out, size_t size)
{
    char quote = peek(t);
    size_t n = 0;
    bool fits = true;

    if (t->end - t->at >= 3 && t->at[1] == quote && t->at[2] == quote) {
        skip_multi_line(t, quote);
        return false;
    }
    for (t->at++; t->at < t->end && *t->at != quote && *t->at != '\n'; t->at++) {
        if (*t->at == '\\' && quote == '"' && t->at + 1 < t->end && t->at[1] != '\n') {
            t->at++;
            fits = fits && (*t->at == '"' || *t->at == '\\');
        }
        fits = fits && n + 1 < size && *t->at;
        if (fits)
            out[n++] = *t->at;
    }
    out[n] = '\0';
    return take(t, quote) && fits;
}

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* Appends ".KEY" to the path. False: it does not fit. */
static bool push(struct toml *t, const char *key, size_t len)
{
    size_t used = strlen(t->path);
    int n =
        snprintf(t->path + used, sizeof(t->path) - used, "%s%.*s", used ? "." : "", (int)len, key);

    if (n >= 0 && (size_t)n < sizeof(t->path) - used)
        return true;
    t->path[used] = '\0';
    return false;
}

/* a.b."c": each appended to the path. */
static bool take_keys(struct toml *t)
{
    do {
        char quoted[CONFIG_PATH_SIZE];
        const char *start;
        skip_blanks(t, false);
        start = t->at;
        if (peek(t) == '"' || peek(t) == '\'') {
            if (!take_string(t, quoted, sizeof(quoted)) || !push(t, quoted, strlen(quoted)))
                return false;
        } else {
            while (is_bare(peek(t)))
                t->at++;
            if (t->at == start || !push(t, start, (size_t)(t->at - start)))
                return false;
        }
        skip_blanks(t, false);
    } while (take(t, '.'));
    return true;
}

static bool take_value(struct toml *t, unsigned depth);

static bool take_pair(struct toml *t, unsigned depth)
{
    size_t used = strlen(t->path);
    bool ok = take_keys(t) && take(t, '=') && take_value(t, depth);

    t->path[used] = '\0';
    return ok;
}

/* { a = "x", b.c = "y" } and [ "x", "y" ], after the first bracket. */
static bool take_items(struct toml *t, char close, unsigned depth)
{
    if (depth >= DEPTH_MAX)
        return false;
    for (;;) {
        skip_blanks(t, true);
        if (take(t, close))
            return true;
        if (!(close == '}' ? take_pair(t, depth + 1) : take_value(t, depth + 1)))
            return false;
        skip_blanks(t, true);
        if (!take(t, ',') && peek(t) != close)
            return false;
    }
}

static bool take_value(struct toml *t, unsigned depth)
{
    char value[CONFIG_VALUE_SIZE];
    unsigned line;

    skip_blanks(t, false);
    line = t->line;
    if (take(t, '{'))
        return take_items(t, '}', depth);
    if (take(t, '['))
        return take_items(t, ']', depth);
    if (peek(t) == '"' || peek(t) == '\'') {
        if (take_string(t, value, sizeof(value)))
            t->each(t->arg, t->path, value, line);
        return true;
    }
    while (t->at < t->end && !strchr(",]}#\n", *t->at)) /* a number, true, a date */
        t->at++;
    return true;
}

/* [a.b] or [[a.b]] */
static void take_table(struct toml *t)
{
    t->path[0] = '\0';
    (void)take(t, '[');
    (void)take(t, '[');
    if (!take_keys(t))
        copy_string(t->path, sizeof(t->path), "?");
    skip_line(t);
}

void config_toml(const char *text, size_t len, config_cb *each, void *arg)
{
    struct toml t = {.at = text, .end = text + len, .line = 1, .each = each, .arg = arg};

    for (skip_blanks(&t, true); t.at < t.end; skip_blanks(&t, true)) {
        if (peek(&t) == '[') {
            take_table(&t);
        } else {
            (void)take_pair(&t, 0);
            skip_line(&t);
        }
    }
}
