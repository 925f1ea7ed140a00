/* config_ini.c: npmrc, pip.conf, gitconfig, and go's file of variables. */
#include <stdio.h>
#include <string.h>

#include "preset/config_lines.h"

enum style { NPMRC, PIP, GIT, ENV };

struct ini {
    enum style style;
    char section[CONFIG_PATH_SIZE];
    char path[CONFIG_PATH_SIZE]; /* of the value that an indented line goes on with; "": none */
    size_t indent;               /* of the last line that began something */
    config_cb *each;
    void *arg;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_comment(struct span line)
{
    return line.len == 0 || line.at[0] == '#' || line.at[0] == ';';
}

/* Where the name of a section ends, at its ']': the last one, or of git's the first that is not in
 * quotes. len: there is none. */
static size_t section_end(const struct ini *f, struct span name)
{
    size_t end = name.len;
    bool quoted = false;

    for (size_t i = 0; i < name.len; i++) {
        if (f->style == GIT && name.at[i] == '\\')
            i++;
        else if (f->style == GIT && name.at[i] == '"')
            quoted = !quoted;
        else if (name.at[i] == ']' && !quoted) {
            end = i;
            if (f->style == GIT)
                break;
        }
    }
    return end;
}

/* "[section]": a section that does not fit hides what is in it. What is after it on its line. */
static struct span take_section(struct ini *f, struct span line)
{
    struct span inner = {line.at + 1, line.len - 1}, name = inner;
    size_t end = section_end(f, inner);

    name.len = end < inner.len ? end : 0;
    if (!span_copy(span_trim(name), f->section, sizeof(f->section) / 2))
        (void)snprintf(f->section, sizeof(f->section), "?");
    for (char *c = f->section; f->style == GIT && *c && *c != '"'; c++)
        *c = lower(*c);
    f->path[0] = '\0';
    return span_trim(span_after(inner, end < inner.len ? end + 1 : end));
}

/* As it is looked for: see config.h. */
static void spell_key(const struct ini *f, char *key)
{
    for (; *key && f->style != ENV; key++)
        *key = *key == '_' && f->style == PIP ? '-' : lower(*key);
}

/* Without a comment after it, and without quotes. */
static struct span bare_value(const struct ini *f, struct span value)
{
    if (f->style == PIP || f->style == ENV)
        return value;
    if (value.len > 1 && (value.at[0] == '"' || value.at[0] == '\'')) {
        char quote[2] = {value.at[0], '\0'};
        return span_until(span_after(value, 1), quote);
    }
    return span_trim(span_until(value, "#;"));
}

static void emit(const struct ini *f, struct span value, unsigned line)
{
    struct span path = {f->path, strlen(f->path)};

    if (value.len > 0)
        span_emit(path, value, line, f->each, f->arg);
}

static void take_key(struct ini *f, struct span line, unsigned number)
{
    struct span name = span_until(line, f->style == PIP ? "=:" : "=");
    char key[CONFIG_PATH_SIZE / 2];
    int n;

    f->path[0] = '\0';
    if (name.len == line.len || !span_copy(span_trim(name), key, sizeof(key)))
        return;
    spell_key(f, key);
    n = snprintf(f->path, sizeof(f->path), "%s%s%s", f->section, f->section[0] ? "." : "", key);
    if (n < 0 || (size_t)n >= sizeof(f->path)) {
        f->path[0] = '\0';
        return;
    }
    emit(f, bare_value(f, span_trim(span_after(line, name.len + 1))), number);
}

static size_t indent_of(struct span line)
{
    return line.len > 0 ? (size_t)(span_trim(line).at - line.at) : 0;
}

static void read_lines(enum style style, const char *text, size_t len, config_cb *each, void *arg)
{
    struct ini f = {.style = style, .each = each, .arg = arg};
    struct lines lines = {.at = text, .left = len};
    struct span line;

    while (lines_next(&lines, &line)) {
        size_t indent = indent_of(line);
        line = span_trim(line);
        if (is_comment(line))
            continue;
        if (style == PIP && f.path[0] && indent > f.indent) {
            emit(&f, line, lines.number);
            continue;
        }
        f.indent = indent;
        if (line.at[0] == '[' && style != ENV) {
            line = take_section(&f, line);
            if (style != GIT || is_comment(line))
                continue;
        }
        take_key(&f, line, lines.number);
    }
}

void config_npmrc(const char *text, size_t len, config_cb *each, void *arg)
{
    read_lines(NPMRC, text, len, each, arg);
}

void config_pip(const char *text, size_t len, config_cb *each, void *arg)
{
    read_lines(PIP, text, len, each, arg);
}

void config_git(const char *text, size_t len, config_cb *each, void *arg)
{
    read_lines(GIT, text, len, each, arg);
}

void config_env(const char *text, size_t len, config_cb *each, void *arg)
{
    read_lines(ENV, text, len, each, arg);
}
