/* client_gradle.c: gradle(1). Its repositories stand in programs: of the init scripts of the user
 * (Gradle User Manual, "Initialization Scripts") the URLs in quotes count that stand on a line with
 * the word "url". Nothing takes the place of the usual ones, since that cannot be told. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "preset/client.h"
#include "preset/config_lines.h"
#include "src/util.h"

#define SCRIPTS_MAX 64

static void read_script(const char *text, size_t len, config_cb *each, void *arg)
{
    static const struct span path = {"url", 3};
    struct lines lines = {.at = text, .left = len};
    struct span line;

    while (lines_next(&lines, &line)) {
        line = span_trim(line);
        if (span_starts(line, "//") || !memmem(line.at, line.len, "url", 3))
            continue;
        for (struct span rest = line; rest.len > 0;) {
            struct span before = span_until(rest, "'\""), inner;
            char quote[2] = {before.len < rest.len ? rest.at[before.len] : '\0', '\0'};
            if (!quote[0])
                break;
            rest = span_after(rest, before.len + 1);
            inner = span_until(rest, quote);
            span_emit(path, inner, lines.number, each, arg);
            rest =
                inner.len < rest.len ? span_after(rest, inner.len + 1) : span_after(rest, rest.len);
        }
    }
}

static void take_url(void *arg, const char *path, const char *value, unsigned line)
{
    struct client *c = arg;

    (void)path;
    client_add(c, GET_HEAD, value, c->source, line);
}

static void take_property(void *arg, const char *name, const char *value, unsigned line)
{
    struct client *c = arg;

    if (strcmp(name, "systemProp.https.proxyHost") == 0 ||
        strcmp(name, "systemProp.http.proxyHost") == 0)
        client_note_proxy(c, value, c->source, line);
}

static bool is_script(const char *name)
{
    const char *end = strrchr(name, '.');

    return end && name[0] != '.' &&
           (strcmp(end, ".gradle") == 0 || (strcmp(end, ".kts") == 0 && strstr(name, ".gradle.")));
}

static void read_folder(struct client *c, const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *d;

    for (int n = 0; dir && n < SCRIPTS_MAX && (d = readdir(dir));) {
        cleanup_free char *path = xasprintf("%s/%s", folder, d->d_name);
        if (!is_script(d->d_name))
            continue;
        n++;
        (void)client_read(c, path, read_script, take_url, c);
    }
    if (dir)
        (void)closedir(dir);
}

int client_gradle(struct client *c, struct error *e)
{
    static const char *const files[] = {"init.gradle", "init.gradle.kts"};
    const char *set = client_variable("GRADLE_USER_HOME");
    cleanup_free char *home = set ? xstrdup(set) : client_in_home(".gradle"), *folder = NULL;
    cleanup_free char *properties = NULL;

    (void)e;
    if (!home || home[0] != '/')
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        cleanup_free char *path = xasprintf("%s/%s", home, files[i]);
        (void)client_read(c, path, read_script, take_url, c);
    }
    properties = xasprintf("%s/gradle.properties", home);
    (void)client_read(c, properties, config_env, take_property, c);
    folder = xasprintf("%s/init.d", home);
    read_folder(c, folder);
    return 0;
}
