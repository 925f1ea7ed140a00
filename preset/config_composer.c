/* config_composer.c: the "repositories" of Composer's config.json, which are a list or an object:
 * {"type": "composer", "url": "https://..."}; {"packagist.org": false} or "packagist.org": false.
 */
#include <jansson.h>
#include <string.h>

#include "preset/config_lines.h"

struct composer {
    const char *text;
    size_t len;
    config_cb *each;
    void *arg;
};

/* Of the first place where the text has it; jansson does not tell. */
static unsigned line_of(const struct composer *c, const char *value)
{
    const char *at = memmem(c->text, c->len, value, strlen(value));
    unsigned line = 1;

    for (const char *p = c->text; at && p < at; p++)
        line += *p == '\n';
    return line;
}

static void emit(const struct composer *c, const char *path, const char *value)
{
    struct span p = {path, strlen(path)}, v = {value, strlen(value)};

    span_emit(p, v, line_of(c, value), c->each, c->arg);
}

/* key: NULL in a list. */
static void take_repository(const struct composer *c, const char *key, json_t *value)
{
    const char *type = json_string_value(json_object_get(value, "type"));
    const char *url = json_string_value(json_object_get(value, "url")), *name;
    json_t *member;

    if (key && json_is_false(value))
        emit(c, "disabled", key);
    if (type && url && strcmp(type, "composer") == 0)
        emit(c, "composer", url);
    if (key || url)
        return;
    json_object_foreach(value, name, member)
    {
        if (json_is_false(member))
            emit(c, "disabled", name);
    }
}

void config_composer(const char *text, size_t len, config_cb *each, void *arg)
{
    struct composer c = {text, len, each, arg};
    json_t *root = json_loadb(text, len, 0, NULL);
    json_t *list = json_object_get(root, "repositories"), *value;
    const char *key;
    size_t i;

    json_object_foreach(list, key, value)
    {
        take_repository(&c, key, value);
    }
    json_array_foreach(list, i, value)
    {
        take_repository(&c, NULL, value);
    }
    json_decref(root);
}
