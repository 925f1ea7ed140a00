/* precreate.c: the container's configuration comes in and goes out (oci-hooks(5), podman's
 * "precreate").
 *
 * The policy is the wrapper's, by the id in the annotation, or the administrator's, by the options
 * in the hook's JSON file; nothing else of an image's annotations is looked at. The stage after
 * this one stands in no file: it is put into the configuration here, so that one without the other
 * cannot be. */
#include "oci/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "oci/admin.h"
#include "oci/caller.h"
#include "oci/oci_json.h"
#include "oci/refuse.h"
#include "oci/request.h"
#include "oci/runtime_dir.h"
#include "oci/sockets.h"
#include "oci/trust.h"
#include "src/jail_environment.h"
#include "src/jail_resolv_conf.h"
#include "src/util.h"

#define RESOLV_CONF "/etc/resolv.conf"

struct precreate {
    struct admin admin;
    char path[PATH_MAX]; /* the request's folder, once it is open */
    int folder;
};

/* --- the policy --- */

static int take_request(struct precreate *p, const char *base, const json_t *config,
                        struct error *e)
{
    const char *id = oci_json_text(json_object_get(config, "annotations"), HOOK_ANNOTATION);

    if (!id)
        return error_set(e, ENOENT,
                         "the container has no policy: start it by cijailctl podman run, or name a "
                         "policy in the hook's JSON file");
    p->folder = runtime_dir_open(base, id, e);
    if (p->folder < 0)
        return p->folder;
    (void)snprintf(p->path, sizeof(p->path), "%.*s/%s", PATH_MAX - 64, base, id);
    return request_take(p->folder, HOOK_REQUEST, HOOK_TAKEN, e);
}

/* The administrator's goes before the wrapper's. Annotations of images reach podman's containers.
 */
static int take_policy(struct precreate *p, const char *base, const json_t *config, struct error *e)
{
    if (!admin_has_policy(&p->admin))
        return take_request(p, base, config, e);
    if (p->admin.policies || p->admin.pod)
        return error_set(e, EINVAL, "--policies and --pod are for the stage createRuntime");
    p->folder = admin_request(&p->admin, NULL, base, p->path, e);
    return p->folder < 0 ? p->folder : 0;
}

/* --- the configuration --- */

static void set_variable(void *config, const char *name, const char *value)
{
    trust_set_variable(config, name, value);
}

/* Ours is the only one at that place. */
static int set_resolv_conf(const struct precreate *p, json_t *config, struct error *e)
{
    json_t *mounts = json_object_get(config, "mounts");
    cleanup_free char *source = xasprintf("%s/" HOOK_RESOLV, p->path);
    char text[JAIL_RESOLV_CONF_MAX];
    cleanup_close int fd =
        openat(p->folder, HOOK_RESOLV, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || fchmod(fd, 0644) < 0 || write_all(fd, text, jail_resolv_conf(false, text)) < 0)
        return error_errno(e, errno, "cannot write the file %s", source);
    for (size_t i = json_array_size(mounts); i-- > 0;) {
        const char *at = oci_json_text(json_array_get(mounts, i), "destination");
        if (at && strcmp(at, RESOLV_CONF) == 0)
            (void)json_array_remove(mounts, i);
    }
    trust_add_mount(config, source, RESOLV_CONF);
    return 0;
}

static int add_next_stage(const struct precreate *p, json_t *config, struct error *e)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    json_t *hook = json_object(), *hooks, *list;

    if (n < 0) {
        json_decref(hook);
        return error_errno(e, errno, "cannot read /proc/self/exe");
    }
    self[n] = '\0';
    hooks = oci_json_object(config, "hooks");
    list = hooks ? oci_json_array(hooks, "createRuntime") : NULL;
    if (!list) {
        json_decref(hook);
        return error_set(e, EINVAL, "the container's hooks cannot be read");
    }
    oci_json_set(hook, "path", json_string(self));
    oci_json_set(hook, "args",
                 oci_json_words((const char *const[]){HOOK_NAME, "createRuntime", p->path, NULL}));
    oci_json_set(hook, "env",
                 oci_json_words((const char *const[]){"PATH=/usr/local/bin:/usr/bin:/bin", NULL}));
    oci_json_append(list, hook);
    return 0;
}

/* The variables are there whatever the policy, the CA where TLS is opened. */
static int change(const struct precreate *p, json_t *config, struct error *e)
{
    struct request request;
    int r = request_read(p->folder, HOOK_TAKEN, &request, e);

    if (r < 0)
        return r;
    if (!oci_json_array(config, "mounts") || !oci_json_object(config, "process") ||
        !oci_json_array(oci_json_object(config, "process"), "env"))
        r = error_set(e, EINVAL, "the container's configuration cannot be read");
    if (r == 0)
        r = sockets_narrow(
            config, policy_has_kind(&request.policy, ENDPOINT_NETLINK) || request.policy.dry_run,
            e);
    if (r == 0)
        r = set_resolv_conf(p, config, e);
    if (r == 0 && policy_needs_ca(&request.policy))
        r = trust_prepare(config, p->folder, p->path, e);
    if (r == 0) {
        jail_environment(set_variable, config);
        r = add_next_stage(p, config, e);
    }
    request_free(&request);
    return r;
}

/* podman does not show what a hook of this stage writes to its standard error. */
static void report(const struct precreate *p, const json_t *config, const struct error *e)
{
    const char *id = oci_json_text(json_object_get(config, "annotations"), HOOK_ANNOTATION);
    char dir[PATH_MAX], base[PATH_MAX], shown[ERROR_TEXT_MAX];
    cleanup_close int folder = -1;
    cleanup_close int log = -1;
    int caller;

    (void)escape_text(shown, sizeof(shown), e->text, strlen(e->text));
    openlog(HOOK_NAME, LOG_PID, LOG_USER);
    syslog(LOG_ERR, "%s", shown);
    if (!id || runtime_dir_find(p->admin.runtime_dir, dir, base, NULL) < 0 ||
        (folder = runtime_dir_open(base, id, NULL)) < 0)
        return;
    caller = caller_connect(folder, -1, &log);
    if (caller >= 0)
        (void)close(caller);
    if (log >= 0)
        (void)dprintf(log, HOOK_NAME ": %s\n", shown);
}

/* Of a start that fails here nothing stays, but for the wrapper's own. */
static void take_back(const struct precreate *p)
{
    for (size_t i = 0; p->folder >= 0 && i < 64; i++) {
        cleanup_free char *name = xasprintf(HOOK_CA_FORMAT, i);
        (void)unlinkat(p->folder, name, 0);
    }
    if (p->folder >= 0) {
        (void)unlinkat(p->folder, HOOK_RESOLV, 0);
        (void)unlinkat(p->folder, HOOK_TAKEN, 0);
        (void)rmdir(p->path);
    }
}

int precreate_main(int argc, char **argv, struct error *e)
{
    struct precreate p = {.folder = -1};
    char dir[PATH_MAX], base[PATH_MAX];
    json_t *config = oci_json_read(STDIN_FILENO, "the container's configuration", e);
    int r = config ? admin_parse(&p.admin, argc, argv, e) : -EINVAL;

    (void)umask(077);
    if (r == 0)
        r = runtime_dir_find(p.admin.runtime_dir, dir, base, e);
    if (r == 0)
        r = refuse_config(config, dir, false, e);
    if (r == 0)
        r = take_policy(&p, base, config, e);
    if (r == 0)
        r = change(&p, config, e);
    if (r == 0 && (json_dumpf(config, stdout, JSON_COMPACT) < 0 || fflush(stdout) != 0))
        r = error_set(e, EIO, "the container's configuration cannot be written");
    if (r < 0) {
        report(&p, config, e);
        take_back(&p);
    }
    json_decref(config);
    admin_free(&p.admin);
    return r;
}
