/* client_apt.c: apt-get(8)'s sources, sources.list(5). A list of mirrors in a file (mirror+file:)
 * is read as well. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "preset/client.h"
#include "preset/config_lines.h"
#include "src/util.h"

#define FILES_MAX 512

/* A mirror a line, with words about it after it. */
static void read_mirrors(const char *text, size_t len, config_cb *each, void *arg)
{
    static const struct span path = {"uri", 3};
    struct lines lines = {.at = text, .left = len};
    struct span line;

    while (lines_next(&lines, &line)) {
        struct span rest = span_until(line, "#");
        span_emit(path, span_word(&rest), lines.number, each, arg);
    }
}

/* apt's name of what cijail was built for; NULL: it is not known. */
static const char *architecture(void)
{
#if defined(__x86_64__) && !defined(__ILP32__)
    return "amd64";
#elif defined(__aarch64__)
    return "arm64";
#elif defined(__i386__)
    return "i386";
#elif defined(__ARM_PCS_VFP)
    return "armhf";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
    return "ppc64el";
#elif defined(__s390x__)
    return "s390x";
#elif defined(__riscv)
    return "riscv64";
#else
    return NULL;
#endif
}

/* $(ARCH) is what apt expands. The caller's; NULL: it is not known what to. */
static char *expand(const char *value)
{
    static const char mark[] = "$(ARCH)";
    char *at, *text = xstrdup(value);

    while ((at = strstr(text, mark))) {
        char *more = architecture() ? xasprintf("%.*s%s%s", (int)(at - text), text, architecture(),
                                                at + strlen(mark))
                                    : NULL;
        free(text);
        text = more;
        if (!text)
            return NULL;
    }
    return text;
}

static void take_mirror(void *arg, const char *path, const char *value, unsigned line)
{
    struct client *c = arg;
    cleanup_free char *expanded = expand(value);

    (void)path;
    if (expanded)
        client_add(c, GET_HEAD, expanded, c->source, line);
    else
        client_note(c, "%s:%u: left out: what $(ARCH) is here is not known", c->source, line);
}

static void take_uri(void *arg, const char *path, const char *value, unsigned line)
{
    static const char list[] = "mirror+file:";
    struct client *c = arg;

    if (strncmp(value, list, strlen(list)) == 0) {
        value += strlen(list);
        value += strncmp(value, "//", 2) == 0 ? 2 : 0;
        (void)client_read(c, value, read_mirrors, take_mirror, c);
        return;
    }
    if (strncmp(value, "mirror+http", 11) == 0) {
        client_note(c, "%s:%u: which mirrors the list has is not known", c->source, line);
        client_add_prefix(c, GET_HEAD, value + strlen("mirror+"), c->source, line);
        return;
    }
    take_mirror(arg, path, value, line);
}

/* apt.conf(5), of which the proxies are looked for: Acquire::http::Proxy "URL"; or Proxy "URL"; in
 * braces. One for a single host is none. */
static void read_proxies(const char *text, size_t len, config_cb *each, void *arg)
{
    static const struct span path = {"proxy", 5};
    struct lines lines = {.at = text, .left = len};
    struct span line;

    while (lines_next(&lines, &line)) {
        struct span word = span_trim(line), rest = word;
        if (span_starts(word, "#") || span_starts(word, "//"))
            continue;
        for (word = span_word(&rest); word.len > 0; word = span_word(&rest)) {
            if (word.len < path.len ||
                strncasecmp(word.at + word.len - path.len, path.at, path.len) != 0)
                continue;
            rest = span_until(span_trim(rest), ";");
            span_emit(path, span_unquote(span_trim(rest)), lines.number, each, arg);
            break;
        }
    }
}

static void take_proxy(void *arg, const char *path, const char *value, unsigned line)
{
    const struct client *c = arg;

    (void)path;
    client_note_proxy(c, value, c->source, line);
}

static client_reader *reader_of(const struct dirent *d)
{
    const char *end = strrchr(d->d_name, '.');

    if (d->d_name[0] == '.' || !end)
        return NULL;
    if (strcmp(end, ".list") == 0)
        return config_apt_list;
    return strcmp(end, ".sources") == 0 ? config_apt_sources : NULL;
}

static int is_source(const struct dirent *d)
{
    return reader_of(d) != NULL;
}

/* apt reads those without an end, too. */
static int is_conf(const struct dirent *d)
{
    const char *end = strrchr(d->d_name, '.');

    return d->d_name[0] != '.' && (!end || strcmp(end, ".conf") == 0);
}

static void read_folder(struct client *c, const char *folder, int (*is_read)(const struct dirent *),
                        config_cb *each)
{
    struct dirent **found = NULL;
    int n = scandir(folder, &found, is_read, alphasort);

    for (int i = 0; i < n; i++) {
        cleanup_free char *path = xasprintf("%s/%s", folder, found[i]->d_name);
        client_reader *reader = reader_of(found[i]);
        if (i < FILES_MAX)
            (void)client_read(c, path, is_read == is_source ? reader : read_proxies, each, c);
        free(found[i]);
    }
    free(found);
}

int client_apt(struct client *c, struct error *e)
{
    (void)e;
    (void)client_read(c, "/etc/apt/sources.list", config_apt_list, take_uri, c);
    read_folder(c, "/etc/apt/sources.list.d", is_source, take_uri);
    read_folder(c, "/etc/apt/apt.conf.d", is_conf, take_proxy);
    (void)client_read(c, "/etc/apt/apt.conf", read_proxies, take_proxy, c);
    return 0;
}
