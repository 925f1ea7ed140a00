/* client_gem.c: gem(1)'s sources in gemrc, and bundler's mirrors (bundle-config(1)). */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "preset/client.h"
#include "src/util.h"

static void take_source(void *arg, const char *path, const char *value, unsigned line)
{
    struct client *c = arg;

    if (strcmp(path, ":http_proxy") == 0 || strcmp(path, "http_proxy") == 0)
        client_note_proxy(c, value[0] == ':' ? "" : value, c->source, line);
    if (strcmp(path, ":sources") != 0 && strcmp(path, "sources") != 0)
        return;
    c->replaced = true;
    client_add(c, GET_HEAD, value, c->source, line);
}

/* BUNDLE_MIRROR__ALL, BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/ */
static void take_mirror(void *arg, const char *name, const char *value, unsigned line)
{
    static const char begin[] = "BUNDLE_MIRROR__";
    struct client *c = arg;
    const char *of = name + strlen(begin), *end = strstr(of, "__FALLBACK");

    if (strncasecmp(name, begin, strlen(begin)) != 0 || end)
        return;
    if (strcasecmp(of, "ALL") == 0 || strcasestr(of, "://RUBYGEMS__ORG"))
        c->replaced = true;
    client_add(c, GET_HEAD, value, c->source, line);
}

static void read_gemrc(struct client *c, char *path)
{
    (void)client_read(c, path, config_yaml, take_source, c);
    free(path);
}

static void read_listed(struct client *c, const char *list)
{
    cleanup_free char *copy = list ? xstrdup(list) : NULL;
    char *rest = NULL;

    for (char *w = copy ? strtok_r(copy, ":;", &rest) : NULL; w; w = strtok_r(NULL, ":;", &rest))
        read_gemrc(c, xstrdup(w));
}

int client_gem(struct client *c, struct error *e)
{
    const char *home = client_variable("BUNDLE_USER_HOME");
    const char *config = client_variable("BUNDLE_USER_CONFIG");
    cleanup_free char *bundler = NULL;

    (void)e;
    read_gemrc(c, xstrdup("/etc/gemrc"));
    read_gemrc(c, client_in_home(".gemrc"));
    read_gemrc(c, client_in_config("gem/gemrc"));
    read_listed(c, client_variable("GEMRC"));
    if (config)
        bundler = xstrdup(config);
    else
        bundler = home ? xasprintf("%s/config", home) : client_in_home(".bundle/config");
    (void)client_read(c, bundler, config_yaml, take_mirror, c);
    client_variables(c, "BUNDLE_MIRROR__", "", take_mirror, c);
    return 0;
}
