/* client_maven.c: mvn(1)'s settings.xml (Maven, "Settings Reference"). ${env.NAME} is expanded,
 * other variables are not. Of the profiles all count, active or not. */
#include <stdio.h>
#include <string.h>

#include "preset/client.h"
#include "src/util.h"

struct maven {
    struct client *client;
    /* the mirror that is being read */
    char url[CONFIG_VALUE_SIZE], of[CONFIG_VALUE_SIZE];
    bool blocked;
    unsigned line;
    bool proxy_off; /* of the proxy that is being read */
};

/* ${env.NAME}. What is no variable of the environment stays, and is left out then. */
static void expand(const char *value, char *out, size_t size)
{
    static const char mark[] = "${env.";
    size_t used = 0;

    while (*value && used + 1 < size) {
        const char *end = strncmp(value, mark, 6) == 0 ? strchr(value, '}') : NULL;
        cleanup_free char *name = end ? xstrndup(value + 6, (size_t)(end - value) - 6) : NULL;
        const char *inner = name ? getenv(name) : NULL;
        if (inner) {
            copy_string(out + used, size - used, inner);
            used += strlen(out + used);
            value = end + 1;
        } else {
            out[used++] = *value++;
        }
    }
    out[used] = '\0';
}

/* Does a mirror of these, with commas between them, stand in for Maven's central repository? */
static bool mirrors_central(const char *of)
{
    cleanup_free char *copy = xstrdup(of);
    char *rest = NULL;
    bool is = false;

    for (char *w = strtok_r(copy, ", \t\r\n", &rest); w; w = strtok_r(NULL, ", \t\r\n", &rest)) {
        if (strcmp(w, "!central") == 0)
            return false;
        is = is || strcmp(w, "*") == 0 || strcmp(w, "central") == 0 || strcmp(w, "external:*") == 0;
    }
    return is;
}

static void add(struct maven *m, const char *url, unsigned line)
{
    char expanded[CONFIG_VALUE_SIZE];

    expand(url, expanded, sizeof(expanded));
    client_add(m->client, GET_HEAD, expanded, m->client->source, line);
}

static void end_mirror(struct maven *m)
{
    if (m->url[0] && !m->blocked) {
        add(m, m->url, m->line);
        m->client->replaced = m->client->replaced || mirrors_central(m->of);
    }
    m->url[0] = m->of[0] = '\0';
    m->blocked = false;
}

static void take_element(void *arg, const char *path, const char *value, unsigned line)
{
    static const char mirror[] = "settings/mirrors/mirror",
                      profile[] = "settings/profiles/profile/", proxy[] = "settings/proxies/proxy";
    struct maven *m = arg;

    if (strcmp(path, proxy) == 0) {
        client_note_proxy(m->client, m->proxy_off ? "" : "it", m->client->source, line);
        m->proxy_off = false;
    } else if (strcmp(path, "settings/proxies/proxy/active") == 0) {
        m->proxy_off = strcmp(value, "true") != 0;
    } else if (strcmp(path, mirror) == 0) {
        end_mirror(m);
    } else if (strncmp(path, mirror, strlen(mirror)) == 0) {
        const char *key = path + strlen(mirror);
        if (strcmp(key, "/url") == 0) {
            copy_string(m->url, sizeof(m->url), value);
            m->line = line;
        } else if (strcmp(key, "/mirrorOf") == 0) {
            copy_string(m->of, sizeof(m->of), value);
        } else if (strcmp(key, "/blocked") == 0) {
            m->blocked = strcmp(value, "true") == 0;
        }
    } else if (strncmp(path, profile, strlen(profile)) == 0) {
        const char *key = path + strlen(profile);
        if (strcmp(key, "repositories/repository/url") == 0 ||
            strcmp(key, "pluginRepositories/pluginRepository/url") == 0)
            add(m, value, line);
    }
}

static void read_path(struct maven *m, char *path)
{
    (void)client_read(m->client, path, config_xml, take_element, m);
    free(path);
}

int client_maven(struct client *c, struct error *e)
{
    static const char *const homes[] = {"MAVEN_HOME", "M2_HOME"};
    struct maven *m = xcalloc(1, sizeof(*m));

    (void)e;
    m->client = c;
    read_path(m, client_in_home(".m2/settings.xml"));
    read_path(m, xstrdup("/etc/maven/settings.xml"));
    for (size_t i = 0; i < ARRAY_LEN(homes); i++)
        if (client_variable(homes[i]))
            read_path(m, xasprintf("%s/conf/settings.xml", client_variable(homes[i])));
    free(m);
    return 0;
}
