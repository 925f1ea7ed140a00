#include "src/libexec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int try(char out[PATH_MAX], const char *a, const char *b, const char *c, const char *name,
               int mode)
{
    int n = snprintf(out, PATH_MAX, "%s%s%s/%s", a, b, c, name);

    return n > 0 && n < PATH_MAX && access(out, mode) == 0;
}

/* The directory of the running program. */
static int own_directory(char out[PATH_MAX], struct error *e)
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    char *slash;

    if (n < 0)
        return error_errno(e, errno, "cannot read /proc/self/exe; is /proc mounted?");
    out[n] = '\0';
    slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
    return 0;
}

int libexec_find(const char *name, const char *folder, char out[PATH_MAX], struct error *e)
{
    char self[PATH_MAX];
    int r = own_directory(self, e);

    if (r < 0)
        return r;
    if (try(out, self, "/../libexec/", "cijail", name, X_OK) ||
        try(out, self, "/../", folder, name, X_OK) || try(out, self, "", "", name, X_OK) ||
        try(out, LIBEXECDIR, "", "", name, X_OK))
        return 0;
    return error_set(
        e, ENOENT,
        "%s was not found (looked in %s/../libexec/cijail and in %s): is cijail installed whole?",
        name, self, LIBEXECDIR);
}

int libexec_find_preset(const char *name, char out[PATH_MAX], struct error *e)
{
    char self[PATH_MAX];
    int r = own_directory(self, e);

    if (r < 0)
        return r;
    if (try(out, self, "/../share/cijail/", "policies", name, R_OK) ||
        try(out, self, "/../", "presets", name, R_OK) ||
        try(out, DATADIR, "/", "policies", name, R_OK))
        return 0;
    return error_set(
        e, ENOENT,
        "the text of the preset %s was not found (looked in %s/../share/cijail/policies "
        "and in %s/policies): is cijail installed whole?",
        name, self, DATADIR);
}
