/* oci_json.h: JSON of the runtime's, by jansson; what has no room ends the process. */
#ifndef CIJAIL_OCI_JSON_H
#define CIJAIL_OCI_JSON_H

#include <jansson.h>

#include "src/error.h"

#define OCI_JSON_MAX (16u << 20) /* bytes of a document */

/* Reads an object from the descriptor up to its end. A new reference, or NULL with the reason. */
json_t *oci_json_read(int fd, const char *what, struct error *e);

/* The object's member of that name, which is made if it is missing: an object, or an array. A
 * borrowed reference; NULL if it is there and something else. */
json_t *oci_json_object(json_t *object, const char *name);
json_t *oci_json_array(json_t *object, const char *name);

/* The member's text, or NULL. */
const char *oci_json_text(const json_t *object, const char *name);

/* Adds value, whose reference is taken over. */
void oci_json_set(json_t *object, const char *name, json_t *value);
void oci_json_append(json_t *array, json_t *value);

/* An array of texts, of NULL-terminated words. */
json_t *oci_json_words(const char *const *words);

#endif
