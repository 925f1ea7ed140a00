/* json.h: JSON out (jansson), where running out of memory ends the process. */
#ifndef CIJAIL_CTL_JSON_H
#define CIJAIL_CTL_JSON_H

#include <jansson.h>
#include <stdio.h>

/* Text of any bytes: what is not UTF-8 is escaped as in the log (\xNN). */
void json_set_text(json_t *object, const char *key, const char *text);

/* The value, which is taken over, must be there. */
void json_set_new_checked(json_t *object, const char *key, json_t *value);
void json_append_checked(json_t *array, json_t *value);

/* Prints and frees it, with a newline after it. */
void json_print(json_t *value, FILE *out);

#endif
