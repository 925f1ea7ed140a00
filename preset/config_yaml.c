/* config_yaml.c: gemrc(5) and bundler's config. */
#include <stdio.h>
#include <string.h>

#include "preset/config_lines.h"
#include "src/util.h"

/* Where the key ends: at a ':' that a blank or the end of the line follows, so that one in a URL is
 * of the key ("BUNDLE_MIRROR__HTTPS://H/: ..."). len: there is none. */
static size_t key_len(struct span line)
{
    for (size_t i = 1; i < line.len; i++)
        if (line.at[i] == ':' &&
            (i + 1 == line.len || line.at[i + 1] == ' ' || line.at[i + 1] == '\t'))
            return i;
    return line.len;
}

static struct span scalar(struct span s)
{
    s = span_trim(s);
    if (s.len > 0 && s.at[0] != '"' && s.at[0] != '\'')
        for (size_t i = 1; i < s.len; i++)
            if (s.at[i] == '#' && s.at[i - 1] == ' ')
                s.len = i;
    return span_unquote(span_trim(s));
}

void config_yaml(const char *text, size_t len, config_cb *each, void *arg)
{
    struct lines lines = {.at = text, .left = len};
    struct span line, key = {"", 0};

    while (lines_next(&lines, &line)) {
        bool indented = line.len > 0 && line.at[0] == ' ';
        size_t n;
        line = span_trim(line);
        if (line.len == 0 || line.at[0] == '#')
            continue;
        if (span_starts(line, "- ")) {
            span_emit(key, scalar(span_after(line, 2)), lines.number, each, arg);
            continue;
        }
        if (indented) { /* a mapping within one */
            key.len = 0;
            continue;
        }
        n = key_len(line);
        key = span_unquote((struct span){line.at, n});
        if (n < line.len && span_trim(span_after(line, n + 1)).len > 0)
            span_emit(key, scalar(span_after(line, n + 1)), lines.number, each, arg);
    }
}
