/* client_composer.c: composer(1)'s config.json of the user ("Repositories"). */
#include <string.h>

#include "preset/client.h"
#include "src/util.h"

static void take_repository(void *arg, const char *path, const char *value, unsigned line)
{
    struct client *c = arg;

    size_t n = strlen(value);

    if (strcmp(path, "composer") == 0)
        (n > 5 && strcmp(value + n - 5, ".json") == 0 ? client_add_page : client_add)(
            c, GET_HEAD, value, c->source, line);
    else if (strcmp(value, "packagist.org") == 0 || strcmp(value, "packagist") == 0)
        c->replaced = true;
}

int client_composer(struct client *c, struct error *e)
{
    const char *home = client_variable("COMPOSER_HOME");
    char *paths[2] = {NULL, NULL};

    (void)e;
    if (home) {
        paths[0] = xasprintf("%s/config.json", home);
    } else {
        paths[0] = client_in_config("composer/config.json");
        paths[1] = client_in_home(".composer/config.json");
    }
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        (void)client_read(c, paths[i], config_composer, take_repository, c);
        free(paths[i]);
    }
    return 0;
}
