/* refuse_mounts.c: the sockets of the host's services are files. In a command's jail a gate judges
 * each connect(2); a container has none, so sockets are not to be mounted into it. Refused are
 *
 *   a socket itself, a device that is a way out
 *   the folders where the host's services have theirs, and its /proc, what is above these, and what
 *   is in them, but for the runtime's own files of this container (".../userdata/...");
 *   as the container's root, and as layers of an overlay, too
 *   types of mounts that cannot be judged
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

/* Of which neither what is above nor what is below is mounted. By the host's /proc its processes'
 * roots are reached (/proc/PID/root). */
static const char *const services[] = {"/run", "/var/run", "/proc"};

/* Which, as they are, hold sockets of sessions (X11, ssh-agent). */
static const char *const shared[] = {"/tmp", "/var/tmp", "/dev"};

static bool holds_services(const char *path, bool is_folder, const char *runtime_dir)
{
    if (strcmp(path, "/") == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(services); i++)
        if (path_is_within(services[i], path) || (is_folder && path_is_within(path, services[i])))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(shared); i++)
        if (path_is_within(shared[i], path))
            return true;
    return path_is_within(runtime_dir, path) || (is_folder && path_is_within(path, runtime_dir));
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

/* Types that have nothing of the host's files. */
static const char *const own_types[] = {"proc",   "sysfs",  "tmpfs",  "devpts",
                                        "mqueue", "cgroup", "cgroup2"};

static bool has_option(const json_t *mount, const char *name)
{
    const json_t *options = json_object_get(mount, "options");
    const json_t *one;
    size_t i;

    json_array_foreach(options, i, one) if (json_is_string(one) &&
                                            strcmp(json_string_value(one), name) == 0) return true;
    return false;
}

/* bind mounts are known by their options (mount(8)), and by their type in some runtimes. */
static bool is_bind(const json_t *mount, const char *type)
{
    return strcmp(type, "bind") == 0 || has_option(mount, "bind") || has_option(mount, "rbind");
}

/* The folders of an overlay are separated by colons, of which one in a name is escaped. */
static int refuse_overlay(const json_t *mount, const char *destination, const char *runtime_dir,
                          struct error *e)
{
    static const char lower[] = "lowerdir=";
    const json_t *options = json_object_get(mount, "options");
    const json_t *one;
    size_t i;
    int r = 0;

    json_array_foreach(options, i, one)
    {
        const char *text = json_string_value(one);
        cleanup_free char *list = NULL;
        char *save = NULL;
        if (!text || strncmp(text, lower, strlen(lower)) != 0)
            continue;
        list = xstrdup(text + strlen(lower));
        for (char *at = strtok_r(list, ":", &save); at && r == 0; at = strtok_r(NULL, ":", &save))
            r = refuse_source(at, destination, runtime_dir, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int refuse_mount(const json_t *mount, const char *runtime_dir, struct error *e)
{
    const char *source = oci_json_text(mount, "source");
    const char *destination = oci_json_text(mount, "destination");
    const char *type = oci_json_text(mount, "type");

    if (!type)
        type = "none";
    if (is_bind(mount, type)) {
        if (source && destination && source[0] == '/')
            return refuse_source(source, destination, runtime_dir, e);
        return error_set(e, EPERM, "a bind mount of the container cannot be judged");
    }
    if (strcmp(type, "overlay") == 0 && destination)
        return refuse_overlay(mount, destination, runtime_dir, e);
    for (size_t i = 0; i < ARRAY_LEN(own_types); i++)
        if (strcmp(type, own_types[i]) == 0)
            return 0;
    return error_set(e, EPERM, "the mount at %s is refused: its type, %s, cannot be judged",
                     destination ? destination : "?", type);
}

/* That of a container may be a folder of the host. */
static int refuse_root(const json_t *config, const char *runtime_dir, struct error *e)
{
    const char *root = oci_json_text(json_object_get(config, "root"), "path");

    if (!root || root[0] != '/')
        return error_set(e, EPERM, "the root of the container cannot be judged");
    return refuse_source(root, "/", runtime_dir, e);
}

int refuse_mounts(const json_t *config, const char *runtime_dir, struct error *e)
{
    const json_t *list = json_object_get(config, "mounts");
    const json_t *one;
    size_t i;
    int r = refuse_root(config, runtime_dir, e);

    json_array_foreach(list, i, one) if (r == 0) r = refuse_mount(one, runtime_dir, e);
    return r;
}
