#include "oci/oci_json.h"

#include <errno.h>
#include <string.h>

#include "src/util.h"

static int read_all(int fd, char **text, size_t *len)
{
    size_t size = 0;

    *text = NULL;
    *len = 0;
    for (;;) {
        ssize_t n;
        if (*len == size)
            *text = xrealloc(*text, size = size ? 2 * size : 65536);
        n = read(fd, *text + *len, size - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        *len += (size_t)n;
        if (*len > OCI_JSON_MAX)
            return -EFBIG;
    }
}

json_t *oci_json_read(int fd, const char *what, struct error *e)
{
    cleanup_free char *text = NULL;
    json_error_t why = {0};
    json_t *value;
    size_t len;
    int r;

    if ((r = read_all(fd, &text, &len)) < 0) {
        (void)error_errno(e, -r, "cannot read %s", what);
        return NULL;
    }
    value = json_loadb(text, len, 0, &why);
    if (!value || !json_is_object(value)) {
        (void)error_set(e, EINVAL, "%s is no JSON object: line %d: %s", what, why.line,
                        value ? "something else" : why.text);
        json_decref(value);
        return NULL;
    }
    return value;
}

static json_t *member(json_t *object, const char *name, json_t *(*make)(void))
{
    json_t *value = json_object_get(object, name);

    if (!value || json_is_null(value)) {
        oci_json_set(object, name, make());
        value = json_object_get(object, name);
    }
    return value;
}

json_t *oci_json_object(json_t *object, const char *name)
{
    json_t *value = member(object, name, json_object);

    return json_is_object(value) ? value : NULL;
}

json_t *oci_json_array(json_t *object, const char *name)
{
    json_t *value = member(object, name, json_array);

    return json_is_array(value) ? value : NULL;
}

const char *oci_json_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

void oci_json_set(json_t *object, const char *name, json_t *value)
{
    if (!value || json_object_set_new(object, name, value) < 0)
        die("out of memory");
}

void oci_json_append(json_t *array, json_t *value)
{
    if (!value || json_array_append_new(array, value) < 0)
        die("out of memory");
}

json_t *oci_json_words(const char *const *words)
{
    json_t *array = json_array();

    for (; *words; words++)
        oci_json_append(array, json_string(*words));
    return array;
}
