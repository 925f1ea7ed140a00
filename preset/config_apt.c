/* config_apt.c: apt's sources, sources.list(5). */
#include <string.h>
#include <strings.h>

#include "preset/config_lines.h"
#include "src/util.h"

#define URIS_MAX 64 /* of one stanza */

static const struct span uri_path = {"uri", 3};

/* After "deb": "[option=value ...]", which may hold blanks. */
static struct span skip_options(struct span rest)
{
    rest = span_trim(rest);
    if (rest.len > 0 && rest.at[0] == '[') {
        struct span options = span_until(rest, "]");
        return options.len < rest.len ? span_after(rest, options.len + 1)
                                      : span_after(rest, rest.len);
    }
    return rest;
}

void config_apt_list(const char *text, size_t len, config_cb *each, void *arg)
{
    struct lines lines = {.at = text, .left = len};
    struct span line;

    while (lines_next(&lines, &line)) {
        struct span rest = span_until(line, "#"), type = span_word(&rest), uri;
        if (!span_is(type, "deb") && !span_is(type, "deb-src"))
            continue;
        rest = skip_options(rest);
        uri = span_word(&rest);
        if (uri.len > 0)
            span_emit(uri_path, uri, lines.number, each, arg);
    }
}

struct stanza {
    struct span uris[URIS_MAX];
    unsigned lines[URIS_MAX];
    size_t count;
    bool disabled, in_uris;
};

static void end_stanza(struct stanza *s, config_cb *each, void *arg)
{
    for (size_t i = 0; i < s->count && !s->disabled; i++)
        span_emit(uri_path, s->uris[i], s->lines[i], each, arg);
    *s = (struct stanza){.count = 0};
}

static void take_uris(struct stanza *s, struct span rest, unsigned line)
{
    struct span word = span_word(&rest);

    for (; word.len > 0 && s->count < URIS_MAX; word = span_word(&rest)) {
        s->uris[s->count] = word;
        s->lines[s->count++] = line;
    }
}

static bool name_is(struct span s, const char *name)
{
    return s.len == strlen(name) && strncasecmp(s.at, name, s.len) == 0;
}

static bool means_no(struct span value)
{
    static const char *const words[] = {"no", "false", "without", "off", "disable"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (name_is(value, words[i]))
            return true;
    return span_is(value, "0");
}

/* "Name: value" */
static void take_field(struct stanza *s, struct span line, unsigned number)
{
    struct span name = span_until(line, ":"), value;

    s->in_uris = false;
    if (name.len == line.len)
        return;
    value = span_trim(span_after(line, name.len + 1));
    name = span_trim(name);
    if (name_is(name, "Enabled"))
        s->disabled = means_no(value);
    s->in_uris = name_is(name, "URIs");
    if (s->in_uris)
        take_uris(s, value, number);
}

void config_apt_sources(const char *text, size_t len, config_cb *each, void *arg)
{
    struct lines lines = {.at = text, .left = len};
    struct stanza stanza = {.count = 0};
    struct span line;

    while (lines_next(&lines, &line)) {
        if (line.len > 0 && line.at[0] == '#')
            continue;
        if (span_trim(line).len == 0)
            end_stanza(&stanza, each, arg);
        else if (line.at[0] != ' ' && line.at[0] != '\t')
            take_field(&stanza, line, lines.number);
        else if (stanza.in_uris)
            take_uris(&stanza, line, lines.number);
    }
    end_stanza(&stanza, each, arg);
}
