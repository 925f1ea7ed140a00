/* trust.c: the image's trust store is not changed; copies are mounted over its files, to which the
 * jail's CA is appended when that is there (src/container.c). The root of the container is an
 * image's, and its links lead where they like: openat2(2) keeps them in it. */
#include "oci/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oci/hook.h"
#include "oci/oci_json.h"
#include "src/ca_bundle.h"
#include "src/container.h"
#include "src/util.h"

struct trust {
    json_t *config;
    int root, folder;
    const char *folder_path;
    struct {
        dev_t dev;
        ino_t ino;
    } seen[CONTAINER_CA_FILES];
    size_t count;
};

void trust_set_variable(json_t *config, const char *name, const char *value)
{
    json_t *list = oci_json_array(oci_json_object(config, "process"), "env");
    cleanup_free char *text = value ? xasprintf("%s=%s", name, value) : NULL;
    size_t n = strlen(name);

    for (size_t i = json_array_size(list); i-- > 0;) {
        const char *at = json_string_value(json_array_get(list, i));
        if (at && strncmp(at, name, n) == 0 && (at[n] == '=' || !at[n]))
            (void)json_array_remove(list, i);
    }
    if (text)
        oci_json_append(list, json_string(text));
}

/* The value, which is the configuration's. */
static const char *get_variable(json_t *config, const char *name)
{
    const json_t *list = json_object_get(json_object_get(config, "process"), "env");
    const json_t *one;
    size_t i, n = strlen(name);

    json_array_foreach(list, i, one)
    {
        const char *at = json_string_value(one);
        if (at && strncmp(at, name, n) == 0 && at[n] == '=')
            return at + n + 1;
    }
    return NULL;
}

void trust_add_mount(json_t *config, const char *source, const char *destination)
{
    static const char *const options[] = {"bind",   "ro",       "nosuid", "nodev",
                                          "noexec", "rprivate", NULL};
    json_t *mount = json_object();

    oci_json_set(mount, "destination", json_string(destination));
    oci_json_set(mount, "type", json_string("bind"));
    oci_json_set(mount, "source", json_string(source));
    oci_json_set(mount, "options", oci_json_words(options));
    oci_json_append(json_object_get(config, "mounts"), mount);
}

/* A file of the container's root. */
static int open_in_root(int root, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* A copy of the text, to be mounted at path. */
static int add_copy(struct trust *t, const char *path, const char *text, size_t len,
                    struct error *e)
{
    cleanup_free char *name = xasprintf(HOOK_CA_FORMAT, t->count);
    cleanup_free char *source = xasprintf("%s/%s", t->folder_path, name);
    cleanup_close int fd =
        openat(t->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (fd < 0 || fchmod(fd, 0644) < 0)
        return error_errno(e, errno, "cannot make the file %s", source);
    if ((r = write_all(fd, text, len)) < 0 || (r = write_all(fd, "\n", 1)) < 0)
        return error_errno(e, -r, "cannot write the file %s", source);
    trust_add_mount(t->config, source, path);
    t->count++;
    return 0;
}

static bool was_seen(const struct trust *t, const struct stat *st)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->seen[i].dev == st->st_dev && t->seen[i].ino == st->st_ino)
            return true;
    return false;
}

/* A copy of the open file, to be mounted at path. 1, or 0 if it is no bundle, or -errno. */
static int copy_file(struct trust *t, int fd, const char *path, struct error *e)
{
    cleanup_free char *text = NULL;
    char self[64];
    size_t len;
    int r;

    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (t->count == CONTAINER_CA_FILES || read_file(self, CA_BUNDLE_MAX, &text, &len, NULL) < 0)
        return 0;
    r = add_copy(t, path, text, len, e);
    return r < 0 ? r : 1;
}

/* 1: a bundle is at that path of the image; 0: none; or -errno. */
static int add_file(struct trust *t, const char *path, struct error *e)
{
    cleanup_close int fd = open_in_root(t->root, path);
    size_t n = t->count;
    struct stat st;
    int r;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    if (was_seen(t, &st))
        return 1;
    r = copy_file(t, fd, path, e);
    if (r > 0) {
        t->seen[n].dev = st.st_dev;
        t->seen[n].ino = st.st_ino;
    }
    return r;
}

/* What the image has at the one path is mounted at another as well. */
static int add_image_file(struct trust *t, const char *from, const char *to, struct error *e)
{
    cleanup_close int fd = open_in_root(t->root, from);
    int r = fd < 0 ? -errno : copy_file(t, fd, to, e);

    return r < 0 ? r : 0;
}

/* The image has none: the host's. */
static int add_hosts(struct trust *t, struct error *e)
{
    cleanup_free struct ca_bundle *b = xcalloc(1, sizeof(*b));
    int r = ca_bundle_find(b, e);

    for (size_t i = 0; i < b->count && r == 0; i++)
        if (b->files[i].trusted) {
            r = add_copy(t, ca_bundle_system_path(0), b->files[i].pem, b->files[i].len, e);
            break;
        }
    ca_bundle_free(b);
    return r;
}

/* The first place has a bundle in any case: the wrapper sets the variables to it before the image
 * is known, since they must be part of the container for podman exec to have them. */
static int add_system_files(struct trust *t, struct error *e)
{
    const char *path, *found = NULL;
    bool first = false;
    int r;

    for (size_t i = 0; (path = ca_bundle_system_path(i)); i++) {
        if ((r = add_file(t, path, e)) < 0)
            return r;
        if (r > 0 && !found)
            found = path;
        first |= r > 0 && i == 0;
    }
    if (first)
        return 0;
    if (!found)
        return add_hosts(t, e);
    return add_image_file(t, found, ca_bundle_system_path(0), e);
}

/* A variable that names a bundle of the image keeps its value, all others get the system's. */
static int set_variables(struct trust *t, struct error *e)
{
    const char *name;

    for (size_t i = 0; (name = ca_bundle_variable(i)); i++) {
        const char *value = get_variable(t->config, name);
        int r = value && value[0] == '/' ? add_file(t, value, e) : 0;
        if (r < 0)
            return r;
        if (r == 0)
            trust_set_variable(t->config, name, ca_bundle_system_path(0));
    }
    return 0;
}

int trust_prepare(json_t *config, int folder, const char *folder_path, struct error *e)
{
    const char *root = oci_json_text(json_object_get(config, "root"), "path");
    struct trust t = {.config = config, .folder = folder, .folder_path = folder_path};
    cleanup_close int fd = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    int r;

    if (fd < 0)
        return error_set(e, EINVAL, "the container's root cannot be opened");
    t.root = fd;
    r = add_system_files(&t, e);
    return r < 0 ? r : set_variables(&t, e);
}
