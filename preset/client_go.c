/* client_go.c: go(1) (Go Modules Reference, "Environment variables"). */
#include <stdio.h>
#include <string.h>

#include "preset/client.h"
#include "src/util.h"

struct go {
    struct client *client;
    struct setting proxy, sums;
};

static void take_line(void *arg, const char *name, const char *value, unsigned line)
{
    struct go *g = arg;

    if (strcmp(name, "GOPROXY") == 0)
        setting_set(&g->proxy, value, g->client->source, line);
    else if (strcmp(name, "GOSUMDB") == 0)
        setting_set(&g->sums, value, g->client->source, line);
}

static void take_variable(struct setting *s, const char *name)
{
    const char *value = client_variable(name);

    if (value)
        setting_set(s, value, name, 1);
}

/* A list of URLs, "direct" and "off", with ',' or '|' between them. */
static void add_proxies(struct client *c, const struct setting *s)
{
    cleanup_free char *copy = s->value ? xstrdup(s->value) : NULL;
    char *rest = NULL;

    if (!copy)
        return;
    c->replaced = true;
    for (char *w = strtok_r(copy, ",| ", &rest); w; w = strtok_r(NULL, ",| ", &rest))
        client_add(c, GET_HEAD, w, s->source, s->line);
}

/* "off", "NAME[+KEY]" or "NAME[+KEY] URL". */
static void add_sums(struct client *c, const struct setting *s)
{
    cleanup_free char *url = NULL;
    const char *space;

    if (!s->value || strcmp(s->value, "off") == 0)
        return;
    space = strchr(s->value, ' ');
    if (space)
        url = xstrdup(space + 1);
    else
        url = xasprintf("https://%.*s/", (int)strcspn(s->value, "+ "), s->value);
    client_add(c, GET_HEAD, url, s->source, s->line);
}

int client_go(struct client *c, struct error *e)
{
    const char *file = client_variable("GOENV");
    cleanup_free char *path = file ? xstrdup(file) : client_in_config("go/env");
    struct go g = {.client = c};

    (void)e;
    (void)client_read(c, path, config_env, take_line, &g); /* "off" is no path */
    take_variable(&g.proxy, "GOPROXY");
    take_variable(&g.sums, "GOSUMDB");
    add_proxies(c, &g.proxy);
    add_sums(c, &g.sums);
    setting_free(&g.proxy);
    setting_free(&g.sums);
    return 0;
}
