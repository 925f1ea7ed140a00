/* admin.c: what stands in the JSON file is the administrator's, and so are the policies that it
 * names. An annotation only chooses one of a folder's, by a name of a namespace's form (RFC 1123
 * label); that it is not the container's user who sets it is a matter of the engine. */
#include "oci/admin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "oci/hook.h"
#include "oci/oci_json.h"
#include "oci/request.h"
#include "oci/runtime_dir.h"
#include "src/options.h"
#include "src/util.h"

#define LABEL_MAX 63

static int parse_policies(struct admin *a, const char *text, struct error *e)
{
    const char *equals = strchr(text, '=');

    if (!equals || equals == text || equals[1] != '/')
        return error_set(e, EINVAL, "--policies needs ANNOTATION=DIR, DIR as an absolute path");
    free(a->policies);
    a->policies = xstrndup(text, (size_t)(equals - text));
    a->policies_dir = equals + 1;
    return 0;
}

int admin_parse(struct admin *a, int argc, char **argv, struct error *e)
{
    *a = (struct admin){.argv = argv, .argc = argc};
    while (argc > 1) {
        bool with_value = argc > 2;
        int r = 0;
        if (strcmp(argv[1], "--pod") == 0) {
            a->pod = true;
            with_value = false;
        } else if (strcmp(argv[1], "--runtime-dir") == 0 && with_value && argv[2][0] == '/') {
            a->runtime_dir = argv[2];
        } else if (strcmp(argv[1], "--policies") == 0 && with_value) {
            r = parse_policies(a, argv[2], e);
        } else {
            break;
        }
        if (r < 0)
            return r;
        argc -= with_value ? 2 : 1;
        argv += with_value ? 2 : 1;
    }
    a->argc = argc;
    a->argv = argv;
    return 0;
}

void admin_free(struct admin *a)
{
    free(a->policies);
    free(a->policy_path);
}

bool admin_has_policy(const struct admin *a)
{
    return a->argc > 1 || a->policies;
}

static bool is_label(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return n > 0 && n <= LABEL_MAX && s[n] == '\0';
}

static int choose_policy(struct admin *a, const json_t *annotations, struct error *e)
{
    const char *value = a->policies ? oci_json_text(annotations, a->policies) : NULL;

    if (!a->policies)
        return 0;
    if (!value || !is_label(value))
        return error_set(e, EPERM, "the container has no name in its annotation %s", a->policies);
    a->policy_path = xasprintf("%s/%s.policy", a->policies_dir, value);
    return 0;
}

static int parse_options(const struct admin *a, struct options *options, struct policy *policy,
                         struct error *e)
{
    cleanup_free char **argv = xcalloc((size_t)a->argc + 5, sizeof(*argv));
    static char name[] = "--policy", end[] = "--", command[] = "container";
    enum options_result result;
    int n = a->argc, r;

    memcpy(argv, a->argv, (size_t)a->argc * sizeof(*argv));
    if (a->policy_path) {
        argv[n++] = name;
        argv[n++] = a->policy_path;
    }
    argv[n++] = end;
    argv[n++] = command;
    (void)unsetenv("CIJAIL_ENDPOINTS"); /* the policy is not of who calls the runtime */
    (void)unsetenv("CIJAIL_DRY_RUN");
    (void)unsetenv("CIJAIL_ALLOW_LOOPBACK");
    r = options_parse(n, argv, options, policy, &result, e);
    if (r == 0 && (result == OPTIONS_DONE || options->command[0] != command))
        r = error_set(e, EINVAL, "the hook's arguments are not options of cijail");
    return r;
}

int admin_request(struct admin *a, const json_t *annotations, const char *base, char path[PATH_MAX],
                  struct error *e)
{
    cleanup_close int folder = -1;
    char id[RUNTIME_ID_SIZE];
    struct options options;
    struct policy policy;
    int r = choose_policy(a, annotations, e);

    if (r < 0)
        return r;
    policy_init(&policy);
    r = parse_options(a, &options, &policy, e);
    if (r == 0)
        r = folder = runtime_dir_new(base, id, e);
    if (r >= 0) {
        (void)snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - 64, base, id);
        r = request_write(folder, HOOK_TAKEN, &options, &policy, e);
    }
    policy_free(&policy);
    return r < 0 ? r : steal_fd(&folder);
}
