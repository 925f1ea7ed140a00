/* client_pip.c: pip(1) (User Guide, "Configuration"). The files of a lower rank come first: the
 * last index-url counts, and all of extra-index-url and find-links. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "preset/client.h"
#include "src/util.h"

struct pip {
    struct client *client;
    struct setting index;
};

/* Files are often beside the index, not below it: of .../simple/ all of its folder is meant, as
 * Nexus, Artifactory and GitLab have it, and of devpi's .../+simple/ likewise. */
static void add_index(struct client *c, const char *url, const char *source, unsigned line)
{
    static const char *const ends[] = {"/simple", "/+simple"};
    char parent[CONFIG_VALUE_SIZE];
    size_t n;

    copy_string(parent, sizeof(parent), url);
    n = strlen(parent);
    while (n > 0 && parent[n - 1] == '/')
        parent[--n] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        size_t len = strlen(ends[i]);
        if (n > strlen("https://h") + len && strcmp(parent + n - len, ends[i]) == 0 &&
            strncmp(url, "https://pypi.org/", 17) != 0) {
            parent[n - len + 1] = '\0';
            break;
        }
    }
    client_add(c, GET_HEAD, parent, source, line);
}

/* A page of links (whose files are often beside it), or a folder that shows such a page, with a
 * slash at its end or without. */
static void add_links(struct client *c, const char *url, const char *source, unsigned line)
{
    size_t n = strcspn(url, "?#");
    bool page = (n > 5 && strncasecmp(url + n - 5, ".html", 5) == 0) ||
                (n > 4 && strncasecmp(url + n - 4, ".htm", 4) == 0);

    (page ? client_add_page : client_add_prefix)(c, GET_HEAD, url, source, line);
}

/* Several, with blanks between them. */
static void add_all(struct pip *p, const char *value, bool index, const char *source, unsigned line)
{
    cleanup_free char *copy = xstrdup(value);
    char *rest = NULL;

    for (char *w = strtok_r(copy, " \t\r\n", &rest); w; w = strtok_r(NULL, " \t\r\n", &rest))
        if (index)
            add_index(p->client, w, source, line);
        else
            add_links(p->client, w, source, line);
}

static bool section_counts(const char *path)
{
    static const char *const sections[] = {"global.", "install.", "download.", "wheel."};

    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        if (strncmp(path, sections[i], strlen(sections[i])) == 0)
            return true;
    return false;
}

static void take_line(void *arg, const char *path, const char *value, unsigned line)
{
    struct pip *p = arg;
    const char *key = strchr(path, '.');

    if (!section_counts(path))
        return;
    if (strcmp(key, ".index-url") == 0)
        setting_set(&p->index, value, p->client->source, line);
    else if (strcmp(key, ".extra-index-url") == 0 || strcmp(key, ".find-links") == 0)
        add_all(p, value, key[1] == 'e', p->client->source, line);
    else if (strcmp(key, ".proxy") == 0)
        client_note_proxy(p->client, value, p->client->source, line);
}

static void read_path(struct pip *p, char *path)
{
    (void)client_read(p->client, path, config_pip, take_line, p);
    free(path);
}

static void read_variables(struct pip *p)
{
    const char *value = client_variable("PIP_INDEX_URL");

    if (value)
        setting_set(&p->index, value, "PIP_INDEX_URL", 1);
    value = client_variable("PIP_EXTRA_INDEX_URL");
    if (value)
        add_all(p, value, true, "PIP_EXTRA_INDEX_URL", 1);
    value = client_variable("PIP_FIND_LINKS");
    if (value)
        add_all(p, value, false, "PIP_FIND_LINKS", 1);
    value = client_variable("PIP_PROXY");
    if (value)
        client_note_proxy(p->client, value, "PIP_PROXY", 1);
}

/* set: of PIP_CONFIG_FILE, or NULL. If there is such a file the user's are not read. */
static void read_files(struct pip *p, const char *set)
{
    const char *venv = client_variable("VIRTUAL_ENV");

    read_path(p, xstrdup("/etc/xdg/pip/pip.conf"));
    read_path(p, xstrdup("/etc/pip.conf"));
    if (!set || access(set, F_OK) != 0) {
        read_path(p, client_in_home(".pip/pip.conf"));
        read_path(p, client_in_config("pip/pip.conf"));
    }
    if (venv && venv[0] == '/')
        read_path(p, xasprintf("%s/pip.conf", venv));
    if (set)
        read_path(p, xstrdup(set));
}

int client_pip(struct client *c, struct error *e)
{
    const char *file = client_variable("PIP_CONFIG_FILE");
    struct pip p = {.client = c};

    (void)e;
    if (!file || strcmp(file, "/dev/null") != 0)
        read_files(&p, file);
    read_variables(&p);
    if (p.index.value) {
        c->replaced = true;
        add_index(c, p.index.value, p.index.source, p.index.line);
    }
    setting_free(&p.index);
    return 0;
}
