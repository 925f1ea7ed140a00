#include "oci/request.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/oci_json.h"
#include "src/ca_bundle.h"
#include "src/util.h"

/* What cijail reads of its environment, the variables of CA bundles aside. */
static const char *const variables[] = {
    "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",         "all_proxy",
    "ALL_PROXY",  "no_proxy",   "NO_PROXY",    "GITHUB_STEP_SUMMARY", "TZ",
};

static const struct flag {
    const char *name;
    size_t offset;
} flags[] = {
    {"verbose", offsetof(struct options, verbose)},
    {"quiet", offsetof(struct options, quiet)},
    {"fail-on-deny", offsetof(struct options, fail_on_deny)},
    {"allow-loopback", offsetof(struct options, allow_loopback)},
    {"dry-run", offsetof(struct options, dry_run)},
};

/* --- writing --- */

static void set_path(json_t *object, const char *name, const char *path)
{
    char cwd[PATH_MAX] = "";
    cleanup_free char *absolute = NULL;

    if (!path)
        return;
    if (path[0] != '/' && strcmp(path, "github") != 0 && !getcwd(cwd, sizeof(cwd)))
        die("cannot read the working directory's path: %s", strerror(errno));
    absolute = cwd[0] ? xasprintf("%s/%s", cwd, path) : xstrdup(path);
    oci_json_set(object, name, json_string(absolute));
}

/* As upstream_servers_add() reads them, with the zone of a link-local address. */
static json_t *upstream_json(const struct upstream_servers *servers)
{
    json_t *list = json_array();

    for (size_t i = 0; i < servers->count; i++) {
        const struct sockaddr *sa = &servers->at[i].address.sa;
        char host[NI_MAXHOST], port[NI_MAXSERV];
        cleanup_free char *word = NULL;
        if (getnameinfo(sa, sizeof(servers->at[i].address.storage), host, sizeof(host), port,
                        sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
            die("the address of a DNS server cannot be written");
        word = xasprintf("%s%s%s%s:%s%s%s", servers->tls ? "tls://" : "",
                         sa->sa_family == AF_INET6 ? "[" : "", host,
                         sa->sa_family == AF_INET6 ? "]" : "", port,
                         servers->at[i].name[0] ? "#" : "", servers->at[i].name);
        oci_json_append(list, json_string(word));
    }
    return list;
}

static json_t *options_json(const struct options *o)
{
    json_t *object = json_object();

    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        oci_json_set(object, flags[i].name,
                     json_boolean(*(const bool *)((const char *)o + flags[i].offset)));
    oci_json_set(object, "json-log", json_boolean(o->log_format == LOG_JSON));
    oci_json_set(object, "upstream", upstream_json(&o->upstream));
    oci_json_set(object, "limit-upload", json_integer((json_int_t)o->upload_limit));
    set_path(object, "log", o->log_path);
    set_path(object, "learn", o->learn_path);
    set_path(object, "summary", o->summary_path);
    return object;
}

static void add_variable(json_t *object, const char *name)
{
    const char *value = getenv(name);
    json_t *text = value ? json_string(value) : NULL; /* NULL too if it is no UTF-8 */

    if (text)
        oci_json_set(object, name, text);
}

static json_t *environment_json(void)
{
    json_t *object = json_object();

    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        add_variable(object, variables[i]);
    for (size_t i = 0; ca_bundle_variable(i); i++)
        add_variable(object, ca_bundle_variable(i));
    return object;
}

int request_write(int folder, const char *name, const struct options *options,
                  const struct policy *policy, struct error *e)
{
    cleanup_close int fd =
        openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    cleanup_free char *policy_text = NULL;
    cleanup_free char *text = NULL;
    json_t *object = json_object();
    size_t len;
    int r;

    if (fd < 0) {
        json_decref(object);
        return error_errno(e, errno, "cannot make the request's file");
    }
    policy_text = policy_to_text(policy, &len);
    oci_json_set(object, "policy", json_stringn(policy_text, len));
    oci_json_set(object, "options", options_json(options));
    oci_json_set(object, "environment", environment_json());
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (!text)
        die("out of memory");
    r = write_all(fd, text, strlen(text));
    return r < 0 ? error_errno(e, -r, "cannot write the request's file") : 0;
}

/* --- reading --- */

int request_take(int folder, const char *from, const char *to, struct error *e)
{
    if (renameat(folder, from, folder, to) == 0)
        return 0;
    if (errno != ENOENT)
        return error_errno(e, errno, "cannot take the policy");
    return error_set(e, ENOENT,
                     "the policy of this container has been used already: it is for one start of "
                     "one container; start it anew by cijailctl podman run");
}

static int read_upstream(const json_t *list, struct upstream_servers *out, struct error *e)
{
    const json_t *one;
    size_t i;
    int r = 0;

    json_array_foreach(list, i, one) if (r == 0) r =
        json_is_string(one) ? upstream_servers_add(out, json_string_value(one), e)
                            : error_set(e, EINVAL, "a DNS server of the request is none");
    return r;
}

static int read_options(const json_t *object, struct options *out, struct error *e)
{
    *out = (struct options){0};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        *(bool *)((char *)out + flags[i].offset) =
            json_is_true(json_object_get(object, flags[i].name));
    out->log_format = json_is_true(json_object_get(object, "json-log")) ? LOG_JSON : LOG_TEXT;
    out->log_path = oci_json_text(object, "log");
    out->learn_path = oci_json_text(object, "learn");
    out->summary_path = oci_json_text(object, "summary");
    out->upload_limit = (uint64_t)json_integer_value(json_object_get(object, "limit-upload"));
    return read_upstream(json_object_get(object, "upstream"), &out->upstream, e);
}

static int parse(struct request *r, struct error *e)
{
    const json_t *words = json_object_get(r->json, "policy");
    int err;

    if (!json_is_string(words) || !json_is_object(json_object_get(r->json, "options")))
        return error_set(e, EINVAL, "the request has no policy, or no options");
    if ((err = read_options(json_object_get(r->json, "options"), &r->options, e)) < 0)
        return err;
    r->policy.dry_run = r->options.dry_run;
    err =
        policy_parse(&r->policy, "policy", json_string_value(words), json_string_length(words), e);
    if (err < 0)
        return err;
    policy_seal(&r->policy);
    return policy_check_enforced(&r->policy, e);
}

int request_read(int folder, const char *name, struct request *out, struct error *e)
{
    cleanup_close int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    int r;

    policy_init(&out->policy);
    out->json = NULL;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "cannot open the request");
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
        return error_set(e, EPERM, "the request is no file of yours that is closed to others");
    out->json = oci_json_read(fd, "the request", e);
    r = out->json ? parse(out, e) : -EINVAL;
    if (r < 0)
        request_free(out);
    return r;
}

void request_free(struct request *r)
{
    policy_free(&r->policy);
    json_decref(r->json);
    r->json = NULL;
}

void request_set_environment(const struct request *r)
{
    const char *name;
    json_t *value;

    if (clearenv() != 0 || setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1) < 0)
        die("out of memory");
    json_object_foreach(json_object_get(r->json, "environment"), name,
                        value) if (json_is_string(value) && setenv(name, json_string_value(value),
                                                                   1) < 0) die("out of memory");
}
