#include "src/libexec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int try(char out[PATH_MAX], const char *a, const char *b, const char *c, const char *name)
{
    int n = snprintf(out, PATH_MAX, "%s%s%s/%s", a, b, c, name);

    return n > 0 && n < PATH_MAX && access(out, X_OK) == 0;
}

int libexec_find(const char *name, const char *folder, char out[PATH_MAX], struct error *e)
{
    char self[PATH_MAX], *slash;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n < 0)
        return error_errno(e, errno, "cannot read /proc/self/exe; is /proc mounted?");
    self[n] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    if (try(out, self, "/../libexec/", "cijail", name) || try(out, self, "/../", folder, name) ||
        try(out, self, "", "", name) || try(out, LIBEXECDIR, "", "", name))
        return 0;
    return error_set(
        e, ENOENT,
        "%s was not found (looked in %s/../libexec/cijail and in %s): is cijail installed whole?",
        name, self, LIBEXECDIR);
}
