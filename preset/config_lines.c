#include "preset/config_lines.h"

#include <string.h>

bool lines_next(struct lines *l, struct span *line)
{
    const char *end;

    if (l->left == 0)
        return false;
    end = memchr(l->at, '\n', l->left);
    line->at = l->at;
    line->len = end ? (size_t)(end - l->at) : l->left;
    l->left -= end ? line->len + 1 : line->len;
    l->at += end ? line->len + 1 : line->len;
    l->number++;
    if (line->len > 0 && line->at[line->len - 1] == '\r')
        line->len--;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct span span_trim(struct span s)
{
    while (s.len > 0 && is_blank(s.at[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_blank(s.at[0]))
        s = span_after(s, 1);
    return s;
}

struct span span_unquote(struct span s)
{
    if (s.len >= 2 && (s.at[0] == '"' || s.at[0] == '\'') && s.at[s.len - 1] == s.at[0])
        return (struct span){s.at + 1, s.len - 2};
    return s;
}

bool span_is(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

bool span_starts(struct span s, const char *text)
{
    size_t n = strlen(text);

    return s.len >= n && memcmp(s.at, text, n) == 0;
}

struct span span_until(struct span s, const char *stops)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] && strchr(stops, s.at[i]))
            return (struct span){s.at, i};
    return s;
}

struct span span_after(struct span s, size_t n)
{
    return (struct span){s.at + n, s.len - n};
}

struct span span_word(struct span *s)
{
    struct span rest = span_trim(*s), word = rest;

    for (word.len = 0; word.len < rest.len && !is_blank(rest.at[word.len]); word.len++)
        ;
    *s = span_after(rest, word.len);
    return word;
}

bool span_copy(struct span s, char *out, size_t size)
{
    if (s.len >= size || memchr(s.at, '\0', s.len))
        return false;
    memcpy(out, s.at, s.len);
    out[s.len] = '\0';
    return true;
}

void span_emit(struct span path, struct span value, unsigned line, config_cb *each, void *arg)
{
    char path_text[CONFIG_PATH_SIZE], value_text[CONFIG_VALUE_SIZE];

    if (span_copy(path, path_text, sizeof(path_text)) &&
        span_copy(value, value_text, sizeof(value_text)))
        each(arg, path_text, value_text, line);
}
