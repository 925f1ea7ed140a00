/* client_git.c: git(1) over https to GitHub or GitLab: url.BASE.insteadOf (git-config(1)) of the
 * user and the system, with the files that these include, and in a job of GitLab's CI the server
 * that the job is of. A fetch is a POST, so is a push. */
#include <stdio.h>
#include <string.h>

#include "preset/client.h"
#include "src/util.h"

#define INCLUDES_MAX 32 /* in all */

struct git {
    struct client *client;
    const char *host; /* "https://github.com/" */
    unsigned includes;
};

static void take_line(void *arg, const char *path, const char *value, unsigned line);

/* Path: url "BASE".insteadof */
static void take_base(struct git *g, const char *path, const char *value, unsigned line)
{
    const char *begin = strncmp(path, "url \"", 5) == 0 ? path + 5 : NULL;
    const char *end = begin ? strstr(begin, "\".insteadof") : NULL;
    cleanup_free char *base = NULL;
    size_t n = strlen(value);

    if (!end || strcmp(end, "\".insteadof") != 0)
        return;
    if (strncmp(value, g->host, n < strlen(g->host) ? n : strlen(g->host)) != 0)
        return;
    base = xstrndup(begin, (size_t)(end - begin));
    if (n <= strlen(g->host)) /* all of it is rewritten */
        g->client->replaced = true;
    /* What stands for "https://github.com" is followed by a slash, else what comes after the value
     * is joined to it as it is. */
    (n + 1 == strlen(g->host) ? client_add : client_add_prefix)(g->client, GET_HEAD_POST, base,
                                                                g->client->source, line);
}

static bool is_proxy(const char *path)
{
    const char *key = strrchr(path, '.');

    return strncmp(path, "http", 4) == 0 && (path[4] == '.' || path[4] == ' ') && key &&
           strcmp(key, ".proxy") == 0;
}

/* include.path: from the folder of the file that names it. */
static void include(struct git *g, const char *value, unsigned line)
{
    const char *source = g->client->source;
    cleanup_free char *path = NULL;

    if (g->includes == INCLUDES_MAX) {
        client_note(g->client, "%s:%u: left out: more than %d files are included", source, line,
                    INCLUDES_MAX);
        return;
    }
    g->includes++;
    if (strncmp(value, "~/", 2) == 0)
        path = client_in_home(value + 2);
    else if (value[0] == '/')
        path = xstrdup(value);
    else
        path = xasprintf("%.*s/%s", (int)(strrchr(source, '/') - source), source, value);
    (void)client_read(g->client, path, config_git, take_line, g);
}

static void take_line(void *arg, const char *path, const char *value, unsigned line)
{
    struct git *g = arg;

    if (strcmp(path, "include.path") == 0)
        include(g, value, line);
    else if (strncmp(path, "includeif ", 10) == 0 && strcmp(strrchr(path, '.'), ".path") == 0)
        client_note(g->client, "%s:%u: left out: what is included on a condition",
                    g->client->source, line);
    else if (is_proxy(path))
        client_note_proxy(g->client, value, g->client->source, line);
    else
        take_base(g, path, value, line);
}

static void read_path(struct git *g, char *path)
{
    (void)client_read(g->client, path, config_git, take_line, g);
    free(path);
}

int client_git(struct client *c, struct error *e)
{
    bool gitlab = strcmp(c->name, "git-gitlab") == 0;
    struct git g = {.client = c, .host = gitlab ? "https://gitlab.com/" : "https://github.com/"};
    const char *global = client_variable("GIT_CONFIG_GLOBAL");
    const char *system = client_variable("GIT_CONFIG_SYSTEM");
    const char *server = client_variable(gitlab ? "CI_SERVER_URL" : "GITHUB_SERVER_URL");

    (void)e;
    read_path(&g, xstrdup(system ? system : "/etc/gitconfig"));
    if (global) {
        read_path(&g, xstrdup(global));
    } else {
        read_path(&g, client_in_config("git/config"));
        read_path(&g, client_in_home(".gitconfig"));
    }
    if (server) {
        c->replaced = true;
        client_add(c, GET_HEAD_POST, server, gitlab ? "CI_SERVER_URL" : "GITHUB_SERVER_URL", 1);
    }
    return 0;
}
