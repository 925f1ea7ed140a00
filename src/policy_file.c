/* policy_file.c: a policy out of a file. Whatever the file is (missing, a directory, a device that
 * does not end), the message begins with its path as those of policy_parse() do.
 *
 * Syscalls: openat, fstat, read, close */
#include "src/policy_file.h"

#include <errno.h>
#include <string.h>

#include "src/util.h"

static int unreadable(const char *path, int err, struct error *e)
{
    if (err == EFBIG)
        return error_set(e, E2BIG,
                         "%s: the file is longer than %u bytes; expected at most that in all "
                         "sources together",
                         path, POLICY_TEXT_MAX);
    return error_set(e, err, "%s: the file cannot be read: %s; expected a file of endpoints", path,
                     strerror(err));
}

int policy_read_file(struct policy *p, const char *path, struct error *e)
{
    cleanup_free char *text = NULL;
    char shown[256];
    size_t len;
    int r;

    (void)escape_text(shown, sizeof(shown), path, strlen(path));
    r = read_file(path, POLICY_TEXT_MAX, &text, &len, NULL);
    return r < 0 ? unreadable(shown, -r, e) : policy_parse(p, path, text, len, e);
}
