/* client_cargo.c: cargo(1) (The Cargo Book, "Configuration", "Source Replacement", "Registries",
 * "registries.crates-io.protocol").
 * Of the files that cargo reads only the one in CARGO_HOME is the user's; the others are the
 * project's.
 *
 * The index of a registry says where its crates are, which cannot be known here: of a sparse index
 * all of its host may be read. */
#include <stdio.h>
#include <string.h>

#include "preset/ask.h"
#include "preset/client.h"
#include "src/util.h"

#define SOURCES_MAX 64
#define HOPS_MAX 8
#define SPARSE_SINCE                                                                               \
    70 /* cargo 1.70 is the first that does not fetch the index of crates.io by git */

struct source {
    char name[128];
    struct setting registry, replace_with;
    bool local; /* a directory */
};

struct cargo {
    struct client *client;
    struct setting protocol; /* of crates.io */
    struct source sources[SOURCES_MAX];
    size_t count;
};

static void add_index(struct client *c, const char *url, const char *source, unsigned line)
{
    if (strncmp(url, "sparse+", 7) == 0)
        client_add_host(c, GET_HEAD, url + 7, source, line);
    else /* git: a fetch is a POST */
        client_add(c, GET_HEAD_POST, strncmp(url, "registry+", 9) == 0 ? url + 9 : url, source,
                   line);
}

/* NULL: there are too many. */
static struct source *source_named(struct cargo *g, const char *name, size_t len, bool make)
{
    for (size_t i = 0; i < g->count; i++)
        if (strlen(g->sources[i].name) == len && memcmp(g->sources[i].name, name, len) == 0)
            return &g->sources[i];
    if (!make || g->count == SOURCES_MAX || len >= sizeof(g->sources[0].name))
        return NULL;
    memcpy(g->sources[g->count].name, name, len);
    return &g->sources[g->count++];
}

static void take_source(struct cargo *g, const char *path, const char *value, unsigned line)
{
    const char *name = path + strlen("source."), *key = strrchr(path, '.') + 1;
    struct source *s;

    if (key <= name)
        return;
    s = source_named(g, name, (size_t)(key - name) - 1, true);
    if (!s)
        return;
    if (strcmp(key, "registry") == 0 || strcmp(key, "git") == 0)
        setting_set(&s->registry, value, g->client->source, line);
    else if (strcmp(key, "replace-with") == 0)
        setting_set(&s->replace_with, value, g->client->source, line);
    else if (strcmp(key, "directory") == 0 || strcmp(key, "local-registry") == 0)
        s->local = true;
}

static void take_value(void *arg, const char *path, const char *value, unsigned line)
{
    struct cargo *g = arg;
    const char *key = strrchr(path, '.');

    if (strncmp(path, "source.", 7) == 0)
        take_source(g, path, value, line);
    else if (strncmp(path, "registries.", 11) == 0 && key && strcmp(key, ".index") == 0)
        add_index(g->client, value, g->client->source, line);
    else if (strcmp(path, "registries.crates-io.protocol") == 0)
        setting_set(&g->protocol, value, g->client->source, line);
    else if (strcmp(path, "http.proxy") == 0)
        client_note_proxy(g->client, value, g->client->source, line);
}

static void take_variable(void *arg, const char *name, const char *value, unsigned line)
{
    struct cargo *g = arg;

    add_index(g->client, value, name, line);
}

/* What stands in the place of crates.io, by way of others maybe. */
static void replace_crates_io(struct cargo *g)
{
    struct source *s = source_named(g, "crates-io", 9, false);

    for (int hop = 0; s && hop < HOPS_MAX; hop++) {
        if (!s->replace_with.value) {
            if (!s->registry.value && !s->local)
                return; /* a registry of [registries], which is added already */
            g->client->replaced = true;
            if (s->registry.value)
                add_index(g->client, s->registry.value, s->registry.source, s->registry.line);
            return;
        }
        g->client->replaced = true;
        s = source_named(g, s->replace_with.value, strlen(s->replace_with.value), false);
    }
}

/* Does the cargo of here fetch the index by git if nobody says how? One that cannot be asked does
 * not. */
static bool is_old(const struct client *c)
{
    static const char *const argv[] = {"cargo", "--version", NULL};
    static const char *const variables[] = {"RUSTUP_AUTO_INSTALL=0", NULL};
    char answer[128];
    unsigned major, minor;
    struct error e;

    return ask_program(c->project, argv, variables, answer, sizeof(answer), &e) == 0 &&
           sscanf(answer, "cargo %3u.%3u", &major, &minor) == 2 && major == 1 &&
           minor < SPARSE_SINCE;
}

/* A fetch is a POST. Before it cargo asks the API whether anything is new. */
static void add_git_index(struct cargo *g)
{
    static const char asked[] = "cargo --version";
    const struct setting *s = &g->protocol;
    const char *source = s->value ? s->source : asked;
    unsigned line = s->value ? s->line : 1;

    if (s->value ? strcmp(s->value, "git") != 0 : !is_old(g->client))
        return;
    client_add_public(g->client, GET_HEAD_POST, "https://github.com/rust-lang/crates.io-index/",
                      source, line);
    client_add_public(g->client, GET_HEAD,
                      "https://api.github.com/repos/rust-lang/crates.io-index/commits/", source,
                      line);
}

int client_cargo(struct client *c, struct error *e)
{
    const char *home = client_variable("CARGO_HOME");
    const char *protocol = client_variable("CARGO_REGISTRIES_CRATES_IO_PROTOCOL");
    const char *proxy = client_variable("CARGO_HTTP_PROXY");
    cleanup_free char *folder = home ? xstrdup(home) : client_in_home(".cargo");
    cleanup_free char *toml = NULL, *old = NULL;
    struct cargo *g = xcalloc(1, sizeof(*g));

    (void)e;
    g->client = c;
    if (folder) {
        old = xasprintf("%s/config", folder); /* it is read if both are there */
        toml = xasprintf("%s/config.toml", folder);
        if (!client_read(c, old, config_toml, take_value, g))
            (void)client_read(c, toml, config_toml, take_value, g);
    }
    client_variables(c, "CARGO_REGISTRIES_", "_INDEX", take_variable, g);
    if (proxy)
        client_note_proxy(c, proxy, "CARGO_HTTP_PROXY", 1);
    if (protocol)
        setting_set(&g->protocol, protocol, "CARGO_REGISTRIES_CRATES_IO_PROTOCOL", 1);
    replace_crates_io(g);
    if (!c->replaced)
        add_git_index(g);
    setting_free(&g->protocol);
    for (size_t i = 0; i < g->count; i++) {
        setting_free(&g->sources[i].registry);
        setting_free(&g->sources[i].replace_with);
    }
    free(g);
    return 0;
}
