#include "ctl/json.h"

#include <string.h>

#include "src/util.h"

void json_set_text(json_t *object, const char *key, const char *text)
{
    json_t *value = json_string(text);

    if (!value) { /* not UTF-8, or out of memory */
        size_t size = 4 * strlen(text) + 1;
        cleanup_free char *escaped = xmalloc(size);
        (void)escape_text(escaped, size, text, strlen(text));
        value = json_string(escaped);
    }
    json_set_new_checked(object, key, value);
}

void json_set_new_checked(json_t *object, const char *key, json_t *value)
{
    if (!object || !value || json_object_set_new(object, key, value) < 0)
        die("out of memory");
}

void json_append_checked(json_t *array, json_t *value)
{
    if (!array || !value || json_array_append_new(array, value) < 0)
        die("out of memory");
}

void json_print(json_t *value, FILE *out)
{
    /* what cannot be written is for ctl_main() to find */
    if (!value ||
        (json_dumpf(value, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER) < 0 && !ferror(out)))
        die("the JSON cannot be made");
    (void)fputc('\n', out);
    json_decref(value);
}
