/* client_go.c: go(1) (Go Modules Reference, "Environment variables"). The sum database is asked of
 * all modules but for those that a variable excludes; where that is all of them, of none. */
#include <stdio.h>
#include <string.h>

#include "preset/client.h"
#include "src/util.h"

enum variable { PROXY, SUMS, NO_SUMS, PRIVATE, FLAGS, VARIABLES };

static const char *const names[VARIABLES] = {"GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE",
                                             "GOFLAGS"};

struct go {
    struct client *client;
    struct setting set[VARIABLES];
};

static void take_line(void *arg, const char *name, const char *value, unsigned line)
{
    struct go *g = arg;

    for (size_t i = 0; i < VARIABLES; i++)
        if (strcmp(name, names[i]) == 0)
            setting_set(&g->set[i], value, g->client->source, line);
}

static bool is(const struct setting *s, const char *value)
{
    return s->value && strcmp(s->value, value) == 0;
}

/* Is this one of the words between these characters? */
static bool lists(const struct setting *s, const char *stops, const char *word)
{
    cleanup_free char *copy = s->value ? xstrdup(s->value) : NULL;
    char *rest = NULL;

    for (char *w = copy ? strtok_r(copy, stops, &rest) : NULL; w; w = strtok_r(NULL, stops, &rest))
        if (strcmp(w, word) == 0)
            return true;
    return false;
}

/* A list of URLs, "direct" and "off", with ',' or '|' between them. */
static void add_proxies(struct client *c, const struct setting *s)
{
    cleanup_free char *copy = s->value ? xstrdup(s->value) : NULL;
    char *rest = NULL;

    if (!copy)
        return;
    c->replaced = true;
    if (strncmp(copy, "direct", 6) == 0)
        client_note(c,
                    "GOPROXY is direct: modules come from the hosts that they are named for, which "
                    "need words of their own");
    if (strcmp(copy, "off") == 0)
        client_note(c, "GOPROXY is off: no module is fetched");
    for (char *w = strtok_r(copy, ",| ", &rest); w; w = strtok_r(NULL, ",| ", &rest))
        client_add(c, GET_HEAD, w, s->source, s->line);
}

static bool asks_for_sums(const struct go *g)
{
    const struct setting *excluded = &g->set[g->set[NO_SUMS].value ? NO_SUMS : PRIVATE];

    return !is(&g->set[PROXY], "off") && !is(&g->set[SUMS], "off") && !lists(excluded, ",", "*") &&
           !lists(&g->set[FLAGS], " ", "-insecure");
}

/* "NAME[+KEY]" or "NAME[+KEY] URL"; by itself sum.golang.org. */
static void add_sums(struct client *c, const struct setting *s)
{
    static const char usual[] = "https://sum.golang.org/";
    cleanup_free char *url = NULL;
    const char *space;
    bool known;

    if (!s->value) {
        client_add_public(c, GET_HEAD, usual, "GOSUMDB, not set", 1);
        return;
    }
    space = strchr(s->value, ' ');
    if (space)
        url = xstrdup(space + 1);
    else
        url = xasprintf("https://%.*s/", (int)strcspn(s->value, "+ "), s->value);
    known = strcmp(url, usual) == 0 || strcmp(url, "https://sum.golang.google.cn/") == 0;
    (known ? client_add_public : client_add)(c, GET_HEAD, url, s->source, s->line);
}

int client_go(struct client *c, struct error *e)
{
    const char *file = client_variable("GOENV");
    cleanup_free char *path = file ? xstrdup(file) : client_in_config("go/env");
    struct go g = {.client = c};

    (void)e;
    (void)client_read(c, path, config_env, take_line, &g); /* "off" is no path */
    for (size_t i = 0; i < VARIABLES; i++)
        if (client_variable(names[i]))
            setting_set(&g.set[i], client_variable(names[i]), names[i], 1);
    c->offline = is(&g.set[PROXY], "off");
    add_proxies(c, &g.set[PROXY]);
    if (asks_for_sums(&g))
        add_sums(c, &g.set[SUMS]);
    for (size_t i = 0; i < VARIABLES; i++)
        setting_free(&g.set[i]);
    return 0;
}
