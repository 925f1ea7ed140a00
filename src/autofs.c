/* autofs.c: which automounters' places there are.
 *
 * Who looks at a path below an autofs mount waits while a daemon of the host, automount(8) or
 * systemd, mounts what should be there; and the map "-hosts" (/net) takes the name in the path for
 * that of a host, which the daemon resolves and connects to: a way out by any name. In a mount
 * namespace whose mounts do not propagate, such as the jail's, what the daemon mounts does not even
 * arrive. So mounts.c covers these places. What has been mounted below one before (a home
 * directory) stays. */
#include "src/autofs.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>

#include "src/util.h"

#define LINE_MAX_BYTES 65536 /* overlayfs has long options */

static void add(struct autofs *a, const struct mntent *m)
{
    a->mounts = xrealloc(a->mounts, (a->count + 1) * sizeof(*a->mounts));
    struct autofs_mount *new = &a->mounts[a->count++];
    *new = (struct autofs_mount){.path = xstrndup(m->mnt_dir, strlen(m->mnt_dir))};
    copy_string(new->type, sizeof(new->type), m->mnt_type);
}

int autofs_read(struct autofs *a, const char *table, struct error *e)
{
    FILE *f = setmntent(table, "re");
    cleanup_free char *line = xmalloc(LINE_MAX_BYTES);
    struct mntent m;

    *a = (struct autofs){0};
    if (!f)
        return error_errno(e, errno, "cannot read %s", table);
    while (getmntent_r(f, &m, line, LINE_MAX_BYTES))
        add(a, &m);
    (void)endmntent(f);
    return 0;
}

void autofs_free(struct autofs *a)
{
    for (size_t i = 0; i < a->count; i++)
        free(a->mounts[i].path);
    free(a->mounts);
    *a = (struct autofs){0};
}

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return !strncmp(path, folder, n) && path[n] == '/';
}

bool autofs_is_on_top(const struct autofs *a, size_t i)
{
    for (size_t k = i + 1; k < a->count; k++)
        if (!strcmp(a->mounts[k].path, a->mounts[i].path))
            return false;
    return true;
}

static bool is_autofs(const struct autofs *a, size_t i)
{
    return strcmp(a->mounts[i].type, "autofs") == 0;
}

bool autofs_is_trigger(const struct autofs *a, size_t i)
{
    return is_autofs(a, i) && autofs_is_on_top(a, i);
}

bool autofs_is_kept(const struct autofs *a, size_t i, size_t j)
{
    const char *from = a->mounts[i].path, *to = a->mounts[j].path;

    if (!is_below(to, from) || is_autofs(a, j) || !autofs_is_on_top(a, j))
        return false;
    for (size_t k = 0; k < a->count; k++)
        if (!is_autofs(a, k) && is_below(a->mounts[k].path, from) &&
            is_below(to, a->mounts[k].path))
            return false; /* comes along with that one */
    return true;
}
