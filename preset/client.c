#include "preset/client.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/util.h"

extern char **environ;

void setting_set(struct setting *s, const char *value, const char *source, unsigned line)
{
    setting_free(s);
    *s = (struct setting){xstrdup(value), xstrdup(source), line};
}

void setting_free(struct setting *s)
{
    free(s->value);
    free(s->source);
    *s = (struct setting){NULL, NULL, 0};
}

void client_note(const struct client *c, const char *fmt, ...)
{
    char text[1024], shown[1024];
    va_list ap;
    int n;

    if (!c->notes || c->notes->count == PRESET_NOTES_MAX)
        return;
    n = snprintf(text, sizeof(text), "-p %s: ", c->name);
    va_start(ap, fmt);
    (void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
    va_end(ap);
    (void)escape_text(shown, sizeof(shown), text, strlen(text));
    c->notes->text[c->notes->count++] = xstrdup(shown);
}

void client_note_proxy(const struct client *c, const char *value, const char *source, unsigned line)
{
    static const char *const none[] = {"", "null", "false", "none", "direct"};
    char place[CONFIG_PATH_SIZE + 16];

    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        if (strcasecmp(value, none[i]) == 0)
            return;
    (void)snprintf(place, sizeof(place), source[0] == '/' ? "%.*s:%u" : "%.*s", CONFIG_PATH_SIZE,
                   source, line);
    client_note(c,
                "%s names a proxy, which the client will try in the jail, where it is not; cijail "
                "itself goes by https_proxy and http_proxy: set these for cijail, and take it out "
                "of there",
                place);
}

const char *client_variable(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] ? value : NULL;
}

char *client_in_home(const char *path)
{
    const char *home = client_variable("HOME");
    const struct passwd *user = home ? NULL : getpwuid(geteuid());

    if (user)
        home = user->pw_dir;
    return home && home[0] == '/' ? xasprintf("%s/%s", home, path) : NULL;
}

char *client_in_config(const char *path)
{
    const char *config = client_variable("XDG_CONFIG_HOME");
    cleanup_free char *in_home = NULL;

    if (config && config[0] == '/')
        return xasprintf("%s/%s", config, path);
    in_home = xasprintf(".config/%s", path);
    return client_in_home(in_home);
}

static const char *why_not(int r)
{
    switch (-r) {
    case EXDEV:
        return "it lies in the project that is being built";
    case EFBIG:
        return "it is too long";
    case EINVAL:
        return "it is no file";
    default:
        return strerror(-r);
    }
}

/* What is left out of a file is noted, all else goes on to the client. */
struct read {
    struct client *client;
    config_cb *each;
    void *arg;
};

static void take_value(void *arg, const char *path, const char *value, unsigned line)
{
    const struct read *r = arg;

    if (strcmp(path, CONFIG_LEFT_OUT) == 0)
        client_note(r->client, "%s:%u: left out: %s", r->client->source, line, value);
    else
        r->each(r->arg, path, value, line);
}

bool client_read(struct client *c, const char *path, client_reader *reader, config_cb *each,
                 void *arg)
{
    cleanup_free char *text = NULL;
    const char *before = c->source;
    struct read to = {c, each, arg};
    size_t len;
    int r;

    if (!path || path[0] != '/') /* a path from here would be one in the project */
        return false;
    r = project_read_outside(c->project, path, &text, &len);
    if (r < 0) {
        if (r != -ENOENT)
            client_note(c, "%s is left out: %s", path, why_not(r));
        return false;
    }
    c->source = path;
    reader(text, len, take_value, &to);
    c->source = before;
    return true;
}

void client_variables(struct client *c, const char *begin, const char *end, config_cb *each,
                      void *arg)
{
    size_t b = strlen(begin), n = strlen(end);
    const char *before = c->source;

    for (char **v = environ; *v; v++) {
        size_t len = strcspn(*v, "=");
        char name[CONFIG_PATH_SIZE];
        if (len < b + n || len >= sizeof(name) || strncasecmp(*v, begin, b) != 0 ||
            strncasecmp(*v + len - n, end, n) != 0 || !(*v)[len] || !(*v)[len + 1])
            continue;
        memcpy(name, *v, len);
        name[len] = '\0';
        c->source = name;
        each(arg, name, *v + len + 1, 1);
    }
    c->source = before;
}

/* --- words --- */

/* The URL without what a word has not: user information, query, fragment, blanks around it. False:
 * it is of another scheme. */
static bool bare_url(const char *url, char *out, size_t size)
{
    size_t scheme, authority;
    const char *at, *user;

    url += strspn(url, " \t");
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return false;
    scheme = (size_t)(strstr(url, "://") - url) + 3;
    at = url + scheme;
    authority = strcspn(at, "/?#");
    user = memrchr(at, '@', authority);
    if (user) {
        authority -= (size_t)(user + 1 - at);
        at = user + 1;
    }
    (void)snprintf(out, size, "%.*s%.*s%.*s", (int)scheme, url, (int)authority, at,
                   (int)strcspn(at + authority, "?# \t"), at + authority);
    return true;
}

static void add_word(struct client *c, const char *word, const char *source, unsigned line)
{
    struct error e;

    for (size_t i = c->first; i < c->policy->count; i++)
        if (strcmp(c->policy->endpoints[i].word, word) == 0)
            return;
    if (policy_add_word(c->policy, source, line, word, strlen(word), &e) < 0)
        client_note(c, "left out: %s", e.text);
}

static bool is_loopback(const struct url_authority *a)
{
    return strcmp(a->host, "localhost") == 0 ||
           (a->kind == URL_HOST_IPV4 && strncmp(a->host, "127.", 4) == 0) ||
           (a->kind == URL_HOST_IPV6 && strcmp(a->host, "::1") == 0);
}

static void add_loopback(struct client *c, const struct url_authority *a, const char *source,
                         unsigned line)
{
    char word[URL_HOST_SIZE + 16];

    (void)snprintf(word, sizeof(word), a->kind == URL_HOST_IPV6 ? "[%s]:%u" : "%s:%u",
                   a->kind == URL_HOST_NAME ? "127.0.0.1" : a->host, a->port);
    add_word(c, word, source, line);
}

enum scope { BELOW_URL, BELOW_PUBLIC_URL, PREFIX, FOLDER, WHOLE_HOST };

/* The URL becomes the prefix that the scope means. */
static void set_end(struct url *u, enum scope scope)
{
    if (scope == WHOLE_HOST) {
        u->target_len = 1;
    } else if (scope == FOLDER) {
        u->target_len = (size_t)(strrchr(u->target, '/') - u->target) + 1;
    } else if (scope != PREFIX && u->target[u->target_len - 1] != '/' &&
               u->target_len < URL_TARGET_MAX) {
        u->target[u->target_len++] = '/';
    }
    u->target[u->target_len] = '\0';
}

static void add_url(struct client *c, const char *methods, struct url *u, enum scope scope,
                    const char *source, unsigned line)
{
    cleanup_free char *text = xmalloc(URL_TEXT_SIZE), *word = NULL, *private = NULL;

    if (url_format(u, text, URL_TEXT_SIZE) < 0)
        return;
    word = xasprintf("%s:%s", methods, text);
    add_word(c, word, source, line);
    if (u->authority.kind != URL_HOST_NAME || scope == BELOW_PUBLIC_URL)
        return;
    private = xasprintf("%s!private", u->authority.host);
    add_word(c, private, source, line);
}

static void add(struct client *c, const char *methods, const char *url, enum scope scope,
                const char *source, unsigned line)
{
    cleanup_free struct url *u = xmalloc(sizeof(*u));
    char bare[CONFIG_VALUE_SIZE];
    struct error e;

    if (!bare_url(url, bare, sizeof(bare)))
        return;
    if (strstr(bare, "${") || strchr(bare, '*') || url_parse(bare, strlen(bare), u, &e) < 0) {
        client_note(c, "%s:%u: what stands there is left out: no URL of one place", source, line);
        return;
    }
    set_end(u, scope);
    if (policy_match_request(c->usual, "GET", u))
        c->usual_named = true;
    else if (is_loopback(&u->authority))
        add_loopback(c, &u->authority, source, line);
    else
        add_url(c, methods, u, scope, source, line);
}

void client_add(struct client *c, const char *methods, const char *url, const char *source,
                unsigned line)
{
    add(c, methods, url, BELOW_URL, source, line);
}

void client_add_public(struct client *c, const char *methods, const char *url, const char *source,
                       unsigned line)
{
    add(c, methods, url, BELOW_PUBLIC_URL, source, line);
}

void client_add_prefix(struct client *c, const char *methods, const char *url, const char *source,
                       unsigned line)
{
    add(c, methods, url, PREFIX, source, line);
}

void client_add_page(struct client *c, const char *methods, const char *url, const char *source,
                     unsigned line)
{
    add(c, methods, url, FOLDER, source, line);
}

void client_add_host(struct client *c, const char *methods, const char *url, const char *source,
                     unsigned line)
{
    add(c, methods, url, WHOLE_HOST, source, line);
}
