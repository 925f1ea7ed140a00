/* learn_fold.c: what a person would write for these paths.
 *
 * A prefix of the policy language is text, so what begins with another path is covered by it: that
 * goes first (/name covers /name/-/name-1.tgz). What is left is a tree of folders. From the leaves
 * up, a folder with more than LEARN_FOLD_SIBLINGS entries becomes one prefix that ends in a slash;
 * at the root it takes more, since that is the whole host. A folder of few entries with many lines
 * below them has these entries folded instead. Nothing is folded above the root. */
#include "src/learn_fold.h"

#include <stdbool.h>
#include <string.h>

#define LINES_MAX 12 /* below one folder that has few entries */
#define DEPTH_MAX 64 /* folders deeper than this are not looked into */

void learn_use_add(struct learn_use *to, const struct learn_use *more)
{
    if (to->count == 0 || more->first < to->first)
        to->first = more->first;
    if (more->last > to->last)
        to->last = more->last;
    to->count += more->count;
}

static bool covers(const struct learn_path *a, const struct learn_path *b)
{
    return a->len <= b->len && memcmp(a->path, b->path, a->len) == 0;
}

/* Sorted, what is covered stands right behind what covers it. */
static size_t drop_covered(struct learn_path *p, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (kept > 0 && covers(&p[kept - 1], &p[i]))
            learn_use_add(&p[kept - 1].use, &p[i].use);
        else
            p[kept++] = p[i];
    return kept;
}

/* All n become their folder, of which the name has len bytes. */
static size_t collapse(struct learn_path *p, size_t n, size_t len)
{
    for (size_t i = 1; i < n; i++)
        learn_use_add(&p[0].use, &p[i].use);
    p[0].len = len;
    return 1;
}

/* How many from the first on are in the same folder of len bytes. */
static size_t run_of(const struct learn_path *p, size_t n, size_t len)
{
    size_t i = 1;

    while (i < n && p[i].len >= len && memcmp(p[i].path, p[0].path, len) == 0)
        i++;
    return i;
}

struct child {
    size_t at, lines; /* in the folded list */
    size_t len;       /* of a folder's name; 0: it is none */
};

/* Each entry that has more than one line becomes one. */
static size_t collapse_children(struct learn_path *p, const struct child *c, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (c[i].lines > 1 && c[i].len > 0)
            (void)collapse(&p[c[i].at], c[i].lines, c[i].len);
        p[kept++] = p[c[i].at];
    }
    return kept;
}

/* Folds the n paths of the folder whose name has len bytes, in place; none is that name itself.
 * Returns how many are left. */
static size_t fold_folder(struct learn_path *p, size_t n, size_t len, unsigned depth)
{
    size_t max = len == 1 ? LEARN_FOLD_SIBLINGS_ROOT : LEARN_FOLD_SIBLINGS;
    struct child children[LEARN_FOLD_SIBLINGS_ROOT + 1];
    size_t out = 0, count = 0;

    if (depth > DEPTH_MAX)
        return collapse(p, n, len);
    for (size_t i = 0, run; i < n; i += run, count++) {
        const char *slash = memchr(p[i].path + len, '/', p[i].len - len);
        struct child child = {.at = out, .lines = 1};

        run = 1;
        if (slash) {
            child.len = (size_t)(slash - p[i].path) + 1;
            run = run_of(p + i, n - i, child.len);
        }
        if (slash && child.len < p[i].len)
            child.lines = fold_folder(p + i, run, child.len, depth + 1);
        memmove(p + out, p + i, child.lines * sizeof(*p));
        out += child.lines;
        if (count <= max)
            children[count] = child;
    }
    if (count > max)
        return collapse(p, out, len);
    return out > LINES_MAX && out > count ? collapse_children(p, children, count) : out;
}

size_t learn_fold(struct learn_path *p, size_t n)
{
    n = drop_covered(p, n);
    if (n == 0 || p[0].len <= 1) /* "/" covers all */
        return n;
    return drop_covered(p, fold_folder(p, n, 1, 0));
}
