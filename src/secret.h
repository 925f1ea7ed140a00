/* secret.h: variables of the caller whose values stay out of the jail (--secret, cijail(1)).
 *
 * In the jail the variable holds a placeholder. httpproxy puts the value in its place (secret.c
 * there), in fields of the heads of https requests to the places that --secret names. */
#ifndef CIJAIL_SECRET_H
#define CIJAIL_SECRET_H

#include <stddef.h>

#include "src/error.h"
#include "src/policy.h"

#define SECRET_MAX 16           /* options */
#define SECRET_NAME_SIZE 64     /* of a variable, NUL included */
#define SECRET_FIELD_SIZE 64    /* of a header field's name, NUL included */
#define SECRET_PLACES_SIZE 2048 /* endpoint words, with a space between two, and a NUL */
#define SECRET_VALUE_MIN 8      /* a shorter one may stand in any text */
#define SECRET_VALUE_MAX 4096
#define SECRET_PLACEHOLDER_LEN 40

/* One option. */
struct secret {
    char name[SECRET_NAME_SIZE];
    char field[SECRET_FIELD_SIZE];   /* lower case; "": those that usually carry credentials */
    char places[SECRET_PLACES_SIZE]; /* canonical https endpoints, none with a pattern */
};

struct secret_list {
    struct secret at[SECRET_MAX];
    size_t count;
};

/* Adds NAME[:FIELD]=PLACE[,PLACE]..., where a PLACE is HOST[:PORT][/PREFIX], with https:// before
 * it or not. -EINVAL and the reason. */
int secret_add(struct secret_list *list, const char *arg, struct error *e);

/* Is each place one that the (sealed) policy lets the jail reach so that cijail reads the requests?
 * -EINVAL and the reason. */
int secret_check_places(const struct secret_list *list, const struct policy *policy,
                        struct error *e);

/* May this be the value of the variable? -EINVAL; the reason has nothing of it. */
int secret_check_value(const char *name, const char *value, struct error *e);

/* "cijail", and 170 random bits (getrandom(2)) as lower-case letters and digits: a token to
 * clients, and good in fields, URLs and shells as it is. 0 or -errno. */
int secret_make_placeholder(char out[SECRET_PLACEHOLDER_LEN + 1], struct error *e);

#endif
