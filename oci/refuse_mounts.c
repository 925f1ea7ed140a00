/* refuse_mounts.c: the sockets of the host's services are files. In a command's jail a gate judges
 * each connect(2); a container has none, so sockets are not to be mounted into it. Refused are
 *
 *   a socket itself, a device that is a way out
 *   the folders where the host's services have theirs, what is above these, and what is in them,
 *   but for the runtime's own files of this container (".../userdata/...")
 *
 * A socket that somebody keeps in another folder, which is then mounted, is not seen: the manual
 * says so. */
#include "oci/refuse.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oci/oci_json.h"
#include "src/mounts.h"
#include "src/util.h"

/* Of which neither what is above nor what is below is mounted. */
static const char *const services[] = {"/run", "/var/run"};

/* Which, as they are, hold sockets of sessions (X11, ssh-agent). */
static const char *const shared[] = {"/tmp", "/var/tmp", "/dev"};

/* Is path the folder, or in it? */
static bool is_within(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 && (folder[n - 1] == '/' || path[n] == '/' || !path[n]);
}

static bool holds_services(const char *path, bool is_folder, const char *runtime_dir)
{
    if (strcmp(path, "/") == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(services); i++)
        if (is_within(services[i], path) || (is_folder && is_within(path, services[i])))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(shared); i++)
        if (is_within(shared[i], path))
            return true;
    return is_within(runtime_dir, path) || (is_folder && is_within(path, runtime_dir));
}

static int refuse_source(const char *source, const char *destination, const char *runtime_dir,
                         struct error *e)
{
    char path[PATH_MAX];
    struct stat st;

    if (!realpath(source, path) || stat(path, &st) < 0)
        return error_errno(e, errno, "the mount of %s at %s cannot be judged", source, destination);
    if (S_ISSOCK(st.st_mode))
        return error_set(e, EPERM,
                         "the mount of %s at %s is refused: a socket of the host leads out of the "
                         "jail",
                         source, destination);
    if (mounts_is_covered(path))
        return error_set(e, EPERM, "the mount of %s at %s is refused: it leads out of the jail",
                         source, destination);
    if (strstr(path, "/userdata/") || !holds_services(path, S_ISDIR(st.st_mode), runtime_dir))
        return 0;
    return error_set(e, EPERM,
                     "the mount of %s at %s is refused: the sockets of the host's services are "
                     "there; mount a folder that holds the files alone",
                     source, destination);
}

/* bind mounts are known by their options (mount(8)), and by their type in some runtimes. */
static bool is_bind(const json_t *mount)
{
    const char *type = oci_json_text(mount, "type");
    const json_t *options = json_object_get(mount, "options");
    const json_t *one;
    size_t i;

    if (type && strcmp(type, "bind") == 0)
        return true;
    json_array_foreach(options, i,
                       one) if (json_is_string(one) &&
                                (strcmp(json_string_value(one), "bind") == 0 ||
                                 strcmp(json_string_value(one), "rbind") == 0)) return true;
    return false;
}

int refuse_mounts(const json_t *config, const char *runtime_dir, struct error *e)
{
    const json_t *list = json_object_get(config, "mounts");
    const json_t *one;
    size_t i;
    int r = 0;

    json_array_foreach(list, i, one)
    {
        const char *source = oci_json_text(one, "source");
        const char *destination = oci_json_text(one, "destination");
        if (!is_bind(one))
            continue;
        if (!source || !destination || source[0] != '/')
            return error_set(e, EPERM, "a bind mount of the container cannot be judged");
        if ((r = refuse_source(source, destination, runtime_dir, e)) < 0)
            break;
    }
    return r;
}
