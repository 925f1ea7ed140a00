/* client_npm.c: npm(1), and pnpm, which has the same configuration. No registry is written down
 * here: where neither a variable nor the user's npmrc names one, npm itself is asked, in an empty
 * directory and in its global mode, in which it reads no project's file. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "preset/ask.h"
#include "preset/client.h"
#include "src/util.h"

struct npm {
    struct client *client;
    struct setting registry; /* of a variable or the user's npmrc, which come first */
    struct setting system;   /* of a npmrc that may be the system's: npm knows */
    bool system_too;
};

/* ${NAME} is the variable's value (npmrc(5)). False: there is none, or it is too long. */
static bool expand(const char *value, char *out, size_t size)
{
    size_t used = 0;

    while (*value) {
        const char *end = value[0] == '$' && value[1] == '{' ? strchr(value, '}') : NULL;
        int n;
        if (end) {
            cleanup_free char *name = xstrndup(value + 2, (size_t)(end - value) - 2);
            const char *inner = getenv(name);
            if (!inner)
                return false;
            n = snprintf(out + used, size - used, "%s", inner);
            value = end + 1;
        } else {
            n = snprintf(out + used, size - used, "%c", *value++);
        }
        if (n < 0 || (size_t)n >= size - used)
            return false;
        used += (size_t)n;
    }
    return true;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n > m && strcmp(text + n - m, end) == 0;
}

/* proxy, https-proxy, http-proxy; npm_config_https_proxy. */
static void take_proxy(void *arg, const char *key, const char *value, unsigned line)
{
    static const char *const keys[] = {"proxy", "https-proxy", "http-proxy", "https_proxy",
                                       "http_proxy"};
    struct client *c = arg;
    size_t variable = strlen("npm_config_");

    if (strncasecmp(key, "npm_config_", variable) == 0)
        key += variable;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strcasecmp(key, keys[i]) == 0)
            client_note_proxy(c, value, c->source, line);
}

static void take_line(void *arg, const char *path, const char *value, unsigned line)
{
    struct npm *n = arg;
    char expanded[CONFIG_VALUE_SIZE];
    bool registry = strcmp(path, "registry") == 0;

    take_proxy(n->client, path, value, line);
    if (!registry && !(path[0] == '@' && ends_in(path, ":registry")))
        return;
    if (!expand(value, expanded, sizeof(expanded)))
        client_note(n->client, "%s:%u is left out: it has a variable that is not set",
                    n->client->source, line);
    else if (registry)
        setting_set(n->system_too ? &n->system : &n->registry, expanded, n->client->source, line);
    else
        client_add(n->client, GET_HEAD, expanded, n->client->source, line);
}

static void take_variable(void *arg, const char *name, const char *value, unsigned line)
{
    struct npm *n = arg;

    if (strlen(name) == strlen("npm_config_registry"))
        setting_set(&n->registry, value, name, line);
    else if (name[strlen("npm_config_")] == '@')
        client_add(n->client, GET_HEAD, value, name, line);
}

static void keep_last(void *arg, const char *name, const char *value, unsigned line)
{
    (void)name;
    (void)line;
    copy_string(arg, PATH_MAX, value);
}

/* What npm would read itself: not if it lies in the project, or leads nowhere yet. */
static bool is_in_project(const struct client *c, const char *path)
{
    char real[PATH_MAX];

    return path[0] && (path[0] != '/' || !realpath(path, real) || project_holds(c->project, real));
}

/* Where npm looks for the system's npmrc is said by either of these. */
static bool global_is_in_project(struct client *c)
{
    char config[PATH_MAX] = "", prefix[PATH_MAX] = "", short_prefix[PATH_MAX] = "";

    client_variables(c, "npm_config_", "globalconfig", keep_last, config);
    client_variables(c, "npm_config_", "prefix", keep_last, prefix);
    client_variables(c, "PREFIX", "", keep_last, short_prefix);
    return is_in_project(c, config) || is_in_project(c, prefix) || is_in_project(c, short_prefix);
}

static int ask_registry(struct npm *n, const char *userconfig, struct error *e)
{
    static const char *const argv[] = {"npm", "config", "get", "registry", "--global", NULL};
    const char *variables[3] = {NULL};
    size_t used = 0;
    char answer[CONFIG_VALUE_SIZE];
    int r;

    if (is_in_project(n->client, userconfig))
        variables[used++] = "npm_config_userconfig=/nonexistent/user";
    if (global_is_in_project(n->client))
        variables[used] = "npm_config_globalconfig=/nonexistent/global";
    r = ask_program(n->client->project, argv, variables, answer, sizeof(answer), e);
    if (r < 0) {
        error_prefix(e, "-p npm: neither NPM_CONFIG_REGISTRY nor the user's npmrc names a "
                        "registry, and npm cannot be asked: ");
        return r;
    }
    if (n->system.value && strcmp(n->system.value, answer) == 0)
        setting_set(&n->registry, answer, n->system.source, n->system.line);
    else
        client_add_public(n->client, GET_HEAD, answer, "npm config get registry", 1);
    return 0;
}

static void read_system(struct npm *n)
{
    static const char *const paths[] = {"/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc"};
    char set[PATH_MAX] = "";

    n->system_too = true;
    client_variables(n->client, "npm_config_", "globalconfig", keep_last, set);
    for (size_t i = 0; i < ARRAY_LEN(paths) && !set[0]; i++)
        (void)client_read(n->client, paths[i], config_npmrc, take_line, n);
    if (set[0])
        (void)client_read(n->client, set, config_npmrc, take_line, n);
}

int client_npm(struct client *c, struct error *e)
{
    struct npm n = {.client = c};
    char path[PATH_MAX] = "";
    cleanup_free char *home = client_in_home(".npmrc");
    int r = 0;

    client_variables(c, "npm_config_", "userconfig", keep_last, path);
    if (!path[0] && home)
        copy_string(path, sizeof(path), home);
    (void)client_read(c, path, config_npmrc, take_line, &n);
    client_variables(c, "npm_config_", "registry", take_variable, &n);
    client_variables(c, "npm_config_", "proxy", take_proxy, c);
    read_system(&n);
    if (!n.registry.value)
        r = ask_registry(&n, path, e);
    if (n.registry.value)
        client_add(c, GET_HEAD, n.registry.value, n.registry.source, n.registry.line);
    setting_free(&n.registry);
    setting_free(&n.system);
    return r;
}
