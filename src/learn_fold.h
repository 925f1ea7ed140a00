/* learn_fold.h: many paths of one host as few prefixes. Pure. */
#ifndef CIJAIL_LEARN_FOLD_H
#define CIJAIL_LEARN_FOLD_H

#include <stddef.h>
#include <stdint.h>

/* How often and when. */
struct learn_use {
    uint64_t count;
    int64_t first, last; /* seconds since 1970 */
};

void learn_use_add(struct learn_use *to, const struct learn_use *more);

/* A path: begins with '/', no query. Or a prefix: one that ends in '/' stands for all below. */
struct learn_path {
    const char *path;
    size_t len; /* of path that counts */
    struct learn_use use;
};

#define LEARN_FOLD_SIBLINGS 4       /* more than these in a folder become the folder */
#define LEARN_FOLD_SIBLINGS_ROOT 16 /* the same at the root, which is all of the host */

/* paths: n of them, sorted by strcmp. Replaces them by prefixes that cover all of them, sorted,
 * none of which covers another, and returns how many these are. path still points into what the
 * caller gave. */
size_t learn_fold(struct learn_path *paths, size_t n);

#endif
