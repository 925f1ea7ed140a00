/* supervisor_secret.c: the values of --secret on their way from the environment to httpproxy.
 *
 * All of it is done before anything is forked: the variables get their placeholders, the values go
 * into the channel, from where httpproxy takes them before the command starts, and this process
 * forgets them. So none of the others ever has them: not the keeper, init and the command, whose
 * environment is this one's, and not this one when it has something to log. */
#include "src/supervisor_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "src/secret.h"
#include "src/util.h"

extern char **environ;

/* The value of a variable in an entry of the environment; NULL: it is another one's. */
static char *value_in(char *entry, const char *name)
{
    size_t len = strlen(name);

    return strncmp(entry, name, len) == 0 && entry[len] == '=' ? entry + len + 1 : NULL;
}

static int fill(struct msg_secret *m, const struct secret *s, struct error *e)
{
    const char *value = getenv(s->name);
    int r;

    if (!value || !*value)
        return error_set(e, EINVAL,
                         "--secret %s: the variable is not set, or empty; export it, or leave the "
                         "option out",
                         s->name);
    if ((r = secret_check_value(s->name, value, e)) < 0)
        return r;
    msg_init(m, MSG_SECRET, sizeof(*m));
    copy_string(m->name, sizeof(m->name), s->name);
    copy_string(m->field, sizeof(m->field), s->field);
    copy_string(m->places, sizeof(m->places), s->places);
    copy_string(m->value, sizeof(m->value), value);
    return 0;
}

/* Overwritten in place as well: that is what /proc/PID/environ shows. */
static int hide_variable(const struct msg_secret *m, struct error *e)
{
    for (char **v = environ; *v; v++) {
        char *value = value_in(*v, m->name);
        if (value)
            memset(value, '*', strlen(value));
    }
    (void)unsetenv(m->name); /* wherever it stands more than once */
    return setenv(m->name, m->placeholder, 1) < 0 ? error_errno(e, errno, "setenv") : 0;
}

/* An option of the same variable before this one: one variable has one placeholder. */
static const struct msg_secret *find_same(const struct msg_secret *all, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
    return NULL;
}

static int take_all(const struct secret_list *list, struct msg_secret *all, struct error *e)
{
    int r = 0;

    for (size_t i = 0; i < list->count && r == 0; i++) {
        const struct msg_secret *same = find_same(all, i, list->at[i].name);
        r = fill(&all[i], &list->at[i], e);
        if (r == 0 && same)
            copy_string(all[i].placeholder, sizeof(all[i].placeholder), same->placeholder);
        else if (r == 0)
            r = secret_make_placeholder(all[i].placeholder, e);
    }
    for (size_t i = 0; i < list->count && r == 0; i++)
        r = hide_variable(&all[i], e);
    return r;
}

/* Whatever else the command is given must not hold it. */
static int check_rest(const struct msg_secret *m, char *const *command, struct error *e)
{
    char shown[128];

    for (char **v = environ; *v; v++) {
        if (!strstr(*v, m->value))
            continue;
        (void)escape_text(shown, sizeof(shown), *v, strcspn(*v, "="));
        return error_set(e, EINVAL,
                         "--secret %s: the variable %s holds the value too, and would take it into "
                         "the jail; name it by --secret as well, or unset it",
                         m->name, shown);
    }
    for (; *command; command++)
        if (strstr(*command, m->value))
            return error_set(e, EINVAL,
                             "--secret %s: an argument of the command holds the value, which the "
                             "calling shell has put there; let one in the jail do it: sh -c '... "
                             "\"$%s\" ...'",
                             m->name, m->name);
    return 0;
}

static int send_all(int channel, const struct msg_secret *all, size_t n, struct error *e)
{
    for (size_t i = 0; i < n; i++)
        if (send(channel, &all[i], sizeof(all[i]), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            return error_errno(e, errno, "cannot pass the value of --secret %s on", all[i].name);
    return 0;
}

int supervisor_tell_secrets(struct supervisor *s, struct error *e)
{
    const struct secret_list *list = &s->options->secrets;
    struct msg_secret *all;
    int r;

    if (list->count == 0)
        return 0;
    all = xcalloc(list->count, sizeof(*all));
    r = take_all(list, all, e);
    for (size_t i = 0; i < list->count && r == 0; i++)
        r = check_rest(&all[i], s->options->command, e);
    if (r == 0)
        r = send_all(s->launch.http_supervisor, all, list->count, e);
    explicit_bzero(all, list->count * sizeof(*all));
    free(all);
    return r;
}
