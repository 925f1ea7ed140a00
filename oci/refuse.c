/* refuse.c: the jail of a container is its network namespace, so it must have one of its own, in
 * which it has no capability; and no way around it by the host's processes, kernel or devices.
 * Devices that are ways to other machines are the same as those that a command does not get
 * (src/mounts.c). What cannot be judged is refused. */
#include "oci/refuse.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "oci/oci_json.h"
#include "src/mounts.h"
#include "src/util.h"

static const char *const refused_caps[] = {
    "CAP_NET_ADMIN",  "CAP_NET_RAW",         "CAP_SYS_ADMIN", "CAP_SYS_PTRACE",
    "CAP_SYS_MODULE", "CAP_SYS_RAWIO",       "CAP_SYS_BOOT",  "CAP_BPF",
    "CAP_PERFMON",    "CAP_DAC_READ_SEARCH", /* opens the host's files by handles, sockets among
                                                them */
};

static const json_t *find_namespace(const json_t *config, const char *type)
{
    const json_t *list = json_object_get(json_object_get(config, "linux"), "namespaces");
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *name = oci_json_text(one, "type");
        if (name && strcmp(name, type) == 0)
            return one;
    }
    return NULL;
}

static int refuse_network(const json_t *config, bool pod, struct error *e)
{
    const json_t *ns = find_namespace(config, "network");
    const json_t *path = json_object_get(ns, "path");

    if (!ns)
        return error_set(e, EPERM,
                         "the container would have the host's network; start it with "
                         "--network=none: the jail is its network");
    if (path && !pod && !(json_is_string(path) && json_string_value(path)[0] == '\0'))
        return error_set(e, EPERM,
                         "the container would have a network that is made elsewhere (a bridge or "
                         "slirp4netns, --network=container:, a pod); start it by itself with "
                         "--network=none: the jail is its network");
    return 0;
}

static int refuse_processes(const json_t *config, struct error *e)
{
    const json_t *ns = find_namespace(config, "pid");
    const char *path = oci_json_text(ns, "path");

    if (!find_namespace(config, "mount"))
        return error_set(e, EPERM, "the container would have the host's mounts");
    if (!ns || (path && path[0]))
        return error_set(e, EPERM,
                         "the container would see processes that are not its own, cijail's among "
                         "them; start it without --pid");
    return 0;
}

static bool is_refused_cap(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LEN(refused_caps); i++)
        if (strcmp(name, refused_caps[i]) == 0)
            return true;
    return false;
}

static int refuse_caps(const json_t *config, struct error *e)
{
    const json_t *process = json_object_get(config, "process");
    json_t *sets = json_object_get(process, "capabilities");
    const char *set;
    json_t *list;

    if (!sets && !json_is_null(sets))
        return 0; /* none at all */
    json_object_foreach(sets, set, list)
    {
        const json_t *cap;
        size_t i;
        json_array_foreach(list, i, cap) if (
            is_refused_cap(
                json_string_value(cap))) return error_set(e, EPERM,
                                                          "the container would have %s (%s), which "
                                                          "opens the jail; start it without "
                                                          "--privileged and --cap-add, and with "
                                                          "--cap-drop=NET_RAW where the runtime "
                                                          "gives that to everybody",
                                                          json_string_value(cap), set);
    }
    return 0;
}

/* By its name, or, since it may have been given another one, by its number. */
static bool is_way_out(const json_t *device, const char *path)
{
    const char *type = oci_json_text(device, "type");
    json_int_t major = json_integer_value(json_object_get(device, "major"));
    json_int_t minor = json_integer_value(json_object_get(device, "minor"));

    return mounts_is_covered(path) ||
           (type && (type[0] == 'c' || type[0] == 'u') &&
            mounts_is_covered_device(makedev((unsigned)major, (unsigned)minor)));
}

static int refuse_devices(const json_t *config, struct error *e)
{
    const json_t *list = json_object_get(json_object_get(config, "linux"), "devices");
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *path = oci_json_text(one, "path");
        if (path && is_way_out(one, path))
            return error_set(e, EPERM, "the container would have the device %s, a way out", path);
    }
    return 0;
}

int refuse_config(const json_t *config, const char *runtime_dir, bool pod, struct error *e)
{
    int r = refuse_network(config, pod, e);

    if (r == 0)
        r = refuse_processes(config, e);
    if (r == 0)
        r = refuse_caps(config, e);
    if (r == 0)
        r = refuse_devices(config, e);
    return r == 0 ? refuse_mounts(config, runtime_dir, e) : r;
}
