/* client.h: what is common to the readers of the clients' configurations (client_*.c). */
#ifndef CIJAIL_PRESET_CLIENT_H
#define CIJAIL_PRESET_CLIENT_H

#include <stdbool.h>

#include "preset/config.h"
#include "preset/preset.h"
#include "preset/project.h"

#define GET_HEAD "GET,HEAD"
#define GET_HEAD_POST "GET,HEAD,POST"

/* A preset on its way into a policy. */
struct client {
    const char *name; /* of the preset */
    struct policy *policy;
    size_t first;               /* index of its first word in the policy */
    const struct policy *usual; /* where the client goes if its configuration says nothing */
    const struct project *project;
    struct preset_notes *notes;
    bool replaced;    /* its configuration names other places in the place of the usual ones */
    bool usual_named; /* and the usual ones beside them */
    bool offline;     /* it says that nothing is fetched, so no word is as it should be */
    /* of the file or variable that is being read */
    const char *source;
};

/* A value that a later one takes the place of. Zeroed at first. */
struct setting {
    char *value, *source;
    unsigned line;
};

void setting_set(struct setting *s, const char *value, const char *source, unsigned line);
void setting_free(struct setting *s);

/* Remembers something for people; escapes what it is made of. */
void client_note(const struct client *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The client has a proxy of its own there, which it prefers to the jail's: notes that. Not if the
 * value means none. */
void client_note_proxy(const struct client *c, const char *value, const char *source,
                       unsigned line);

/* An environment variable; NULL if it is unset or empty. */
const char *client_variable(const char *name);

/* $XDG_CONFIG_HOME/PATH, $HOME/.config/PATH; $HOME/PATH. NULL without such a home; the caller's. */
char *client_in_config(const char *path);
char *client_in_home(const char *path);

/* Reads the file with one of the readers of config.h, unless there is none (path may be NULL, then
 * there is none). One that may not or cannot be read is noted. c->source is its path meanwhile.
 * True if it was read. */
typedef void client_reader(const char *text, size_t len, config_cb *each, void *arg);
bool client_read(struct client *c, const char *path, client_reader *reader, config_cb *each,
                 void *arg);

/* Calls each for every variable of the environment whose name begins and ends so, whatever its
 * case; path: the name. */
void client_variables(struct client *c, const char *begin, const char *end, config_cb *each,
                      void *arg);

/* May requests of these methods be made below this URL? Adds words for it: the URL without its user
 * information, query and fragment, with a slash at its end as the client adds one, and NAME!private
 * for its host, since a mirror may be one of the corporate network; for a URL at the host's
 * loopback its port. What is no http or https URL (a folder, a CD-ROM) is passed over, what is a
 * broken one is noted. source and line: where it is from. */
void client_add(struct client *c, const char *methods, const char *url, const char *source,
                unsigned line);

/* The same of a client's own choice, which is no private host. */
void client_add_public(struct client *c, const char *methods, const char *url, const char *source,
                       unsigned line);

/* As client_add() for what begins with the URL as it stands: a file, a prefix. */
void client_add_prefix(struct client *c, const char *methods, const char *url, const char *source,
                       unsigned line);

/* As client_add() for the folder that this page is in, since its links may be relative. */
void client_add_page(struct client *c, const char *methods, const char *url, const char *source,
                     unsigned line);

/* As client_add() for all of the URL's host. */
void client_add_host(struct client *c, const char *methods, const char *url, const char *source,
                     unsigned line);

/* The readers. -ENOENT with the reason if the client has to be asked and cannot be. */
int client_npm(struct client *c, struct error *e);
int client_pip(struct client *c, struct error *e);
int client_cargo(struct client *c, struct error *e);
int client_go(struct client *c, struct error *e);
int client_maven(struct client *c, struct error *e);
int client_gradle(struct client *c, struct error *e);
int client_gem(struct client *c, struct error *e);
int client_composer(struct client *c, struct error *e);
int client_apt(struct client *c, struct error *e);
int client_git(struct client *c, struct error *e);

#endif
