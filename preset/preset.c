/* preset.c: see preset.h.
 *
 * The shipped text is a policy like any. From a line "#unless-configured" on it is where the client
 * goes if nothing else is configured: the rest stands if the client's own configuration names no
 * place in its stead, or names that one, too. */
#include "preset/preset.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "preset/client.h"
#include "src/libexec.h"
#include "src/policy_file.h"
#include "src/util.h"

#define UNLESS "#unless-configured"

typedef int client_fn(struct client *c, struct error *e);

static const struct preset {
    const char *name;
    const char *help;
    client_fn *read;
} presets[] = {
    {"apt", "the sources of apt", client_apt},
    {"cargo", "crates, as cargo's config.toml has it", client_cargo},
    {"composer", "Composer's repositories", client_composer},
    {"gem", "RubyGems and bundler: gemrc, mirrors", client_gem},
    {"git-github", "git over https at GitHub: fetch, and push", client_git},
    {"git-gitlab", "git over https at GitLab (CI_SERVER_URL): fetch, and push", client_git},
    {"go", "Go modules: GOPROXY, GOSUMDB", client_go},
    {"gradle", "Gradle: distributions, plugins, Maven's central repository", client_gradle},
    {"maven", "Maven: settings.xml", client_maven},
    {"npm", "npm and pnpm: the registries of npmrc", client_npm},
    {"pip", "pip: the indexes of pip.conf", client_pip},
};

void preset_notes_free(struct preset_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        free(notes->text[i]);
    notes->count = 0;
}

bool preset_at(size_t i, const char **name, const char **help)
{
    if (i >= ARRAY_LEN(presets))
        return false;
    *name = presets[i].name;
    *help = presets[i].help;
    return true;
}

static const struct preset *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(presets); i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}

static int no_preset(const char *name, struct error *e)
{
    char shown[256];

    (void)escape_text(shown, sizeof(shown), name, strlen(name));
    if (strchr(name, '/'))
        return error_set(e, ENOENT, "%s: a file, and no preset; cijailctl show lists the presets",
                         shown);
    return error_set(e, ENOENT,
                     "-p %s: there is no preset of that name; expected one that cijailctl show "
                     "lists, or a file, named with a slash: ./%s",
                     shown, shown);
}

/* Where the line UNLESS begins; len if there is none. */
static size_t find_unless(const char *text, size_t len)
{
    const char *at = text;

    while ((at = strstr(at, UNLESS))) {
        if ((at == text || at[-1] == '\n') && strchr("\n", at[strlen(UNLESS)]))
            return (size_t)(at - text);
        at++;
    }
    return len;
}

/* Both parts of the text, with the lines of the second as they are. */
struct shipped {
    char path[PATH_MAX];
    char *text;
    size_t len, unless;
};

static int read_shipped(struct shipped *s, const char *name, struct error *e)
{
    char found[PATH_MAX];
    int r = libexec_find_preset(name, found, e);

    if (r < 0)
        return r;
    if (!realpath(found, s->path))
        return error_errno(e, errno, "%s", found);
    r = read_file(s->path, CONFIG_FILE_MAX, &s->text, &s->len, e);
    if (r == 0)
        s->unless = find_unless(s->text, s->len);
    return r;
}

/* The first part becomes blank, line by line. */
static int parse_usual(struct policy *p, const struct shipped *s, struct error *e)
{
    cleanup_free char *text = xstrndup(s->text, s->len);

    for (size_t i = 0; i < s->unless; i++)
        if (text[i] != '\n')
            text[i] = ' ';
    return policy_parse(p, s->path, text, strlen(text), e);
}

static int add_parts(struct client *c, const struct preset *preset, const struct shipped *s,
                     struct error *e)
{
    int r = policy_parse(c->policy, s->path, s->text, s->unless, e);

    if (r == 0)
        r = preset->read(c, e);
    if (r == 0 && (!c->replaced || c->usual_named))
        r = parse_usual(c->policy, s, e);
    if (r == 0 && c->policy->count == c->first && !c->offline)
        r = error_set(e, ENOENT,
                      "-p %s: the configuration of the client names no place that is reached by "
                      "http or https%s%s; expected one outside of the project",
                      preset->name, c->notes && c->notes->count ? ": " : "",
                      c->notes && c->notes->count ? c->notes->text[c->notes->count - 1] : "");
    return r;
}

int preset_add(struct policy *p, const char *name, struct preset_notes *notes, struct error *e)
{
    const struct preset *preset = find(name);
    cleanup_free struct project *project = NULL;
    struct shipped s = {.text = NULL};
    struct policy usual;
    int r;

    if (!preset)
        return no_preset(name, e);
    r = read_shipped(&s, preset->name, e);
    if (r < 0)
        return r;
    project = xcalloc(1, sizeof(*project));
    project_find(project);
    policy_init(&usual);
    r = parse_usual(&usual, &s, e);
    if (r == 0) {
        struct client c = {.name = preset->name,
                           .policy = p,
                           .first = p->count,
                           .usual = &usual,
                           .project = project,
                           .notes = notes};
        r = add_parts(&c, preset, &s, e);
    }
    policy_free(&usual);
    free(s.text);
    return r;
}

int preset_or_file(struct policy *p, const char *argument, struct preset_notes *notes,
                   struct error *e)
{
    return strchr(argument, '/') ? policy_read_file(p, argument, e)
                                 : preset_add(p, argument, notes, e);
}
