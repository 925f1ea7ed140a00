/* create.c: createRuntime. The namespaces and mounts of the container are there, its program is
 * not executed yet. The hook forks the supervisor, which is to outlive it, and waits for its word.
 *
 * The supervisor has nothing of the runtime's: no descriptor (the runtime waits for the end of the
 * hook's), no environment, a session of its own. Its standard error, and so the log, is the one
 * that cijailctl passes, if it listens in the request's folder. */
#include "oci/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oci/admin.h"
#include "oci/caller.h"
#include "oci/oci_json.h"
#include "oci/refuse.h"
#include "oci/request.h"
#include "oci/runtime_dir.h"
#include "src/container.h"
#include "src/supervisor.h"
#include "src/util.h"

/* --- the container --- */

static int read_pid(const json_t *state, pid_t *pid, struct error *e)
{
    json_int_t n = json_integer_value(json_object_get(state, "pid"));

    if (n <= 1 || n > INT32_MAX)
        return error_set(e, EINVAL, "the container's state has no process");
    *pid = (pid_t)n;
    return 0;
}

static bool has_ended(int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    return poll(&p, 1, 0) != 0;
}

/* Its network: not ours, and that of the process that the pidfd is of, whose number may have been
 * given away otherwise. */
static int open_namespace(struct container *c, pid_t pid, struct error *e)
{
    struct stat own, st;
    char path[64];

    c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (c->pidfd < 0)
        return error_errno(e, errno, "pidfd_open of the container's process %d", (int)pid);
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    c->netns = open(path, O_RDONLY | O_CLOEXEC);
    if (c->netns < 0 || fstat(c->netns, &st) < 0 || stat("/proc/self/ns/net", &own) < 0)
        return error_errno(e, errno, "cannot open the container's network namespace");
    if (has_ended(c->pidfd))
        return error_set(e, ESRCH, "the container has ended already");
    if (st.st_ino == own.st_ino && st.st_dev == own.st_dev)
        return error_set(e, EPERM,
                         "the container has the host's network: the jail would be this "
                         "machine; start it with --network=none");
    return 0;
}

/* What was mounted stays there when its name is taken away. */
static int open_bundles(struct container *c, int folder, struct error *e)
{
    for (size_t i = 0; i < CONTAINER_CA_FILES; i++) {
        cleanup_free char *name = xasprintf(HOOK_CA_FORMAT, i);
        int fd = openat(folder, name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            break;
        if (fd < 0 || unlinkat(folder, name, 0) < 0)
            return error_errno(e, errno, "cannot open the container's CA certificates");
        c->ca_files[c->ca_count++] = fd;
    }
    (void)unlinkat(folder, HOOK_RESOLV, 0);
    return 0;
}

/* --- the supervisor's process --- */

/* Standard descriptors on /dev/null, a session of its own. */
static int leave_runtime(struct error *e)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0)
        return error_errno(e, errno, "cannot open /dev/null");
    (void)close(null);
    if (setsid() < 0 || chdir("/") < 0)
        return error_errno(e, errno, "cannot leave the runtime's session");
    (void)umask(022);
    (void)signal(SIGHUP, SIG_IGN);
    return 0;
}

/* All that was inherited, but for those that are listed. */
static void close_inherited(const struct container *c, int folder)
{
    for (int fd = STDERR_FILENO + 1; fd < 1024; fd++) {
        bool ours = fd == folder || fd == c->netns || fd == c->pidfd || fd == c->waiting;
        for (size_t i = 0; i < c->ca_count; i++)
            ours |= fd == c->ca_files[i];
        if (!ours)
            (void)close(fd);
    }
    (void)close_range(1024, ~0U, 0);
}

static void tell(int fd, const char *text)
{
    (void)write_all(fd, text, strlen(text));
}

static void supervisor_main(struct container *c, struct request *request, int folder)
    __attribute__((noreturn));
static void supervisor_main(struct container *c, struct request *request, int folder)
{
    static char name[] = "container";
    char *command[] = {name, NULL};
    int caller = -1;
    unsigned char result;
    struct error e;
    int r;

    close_inherited(c, folder);
    r = leave_runtime(&e);
    if (r == 0) {
        caller = c->caller = caller_connect(folder, c->pidfd, &c->log);
        (void)close(folder);
        request_set_environment(request);
        request->options.command = command;
        r = supervisor_run_container(&request->options, &request->policy, c, &e);
    }
    if (r < 0) {
        if (c->waiting >= 0)
            tell(c->waiting, e.text);
        else
            warn_text("%s", e.text);
    }
    result = (unsigned char)(r < 0 ? 125 : r);
    if (caller >= 0 && c->caller >= 0)
        (void)send(caller, &result, 1, MSG_NOSIGNAL);
    _exit(result);
}

/* --- the hook's --- */

static int wait_for_word(int fd, struct error *e)
{
    char text[ERROR_TEXT_MAX];
    size_t len = 0;
    ssize_t n;

    while (len + 1 < sizeof(text)) {
        n = read(fd, text + len, sizeof(text) - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (len == 0 && text[0] == '\0')
            return 0;
        len += (size_t)n;
    }
    text[len] = '\0';
    return error_set(e, EIO, "%s", len ? text : "the supervisor ended unexpectedly");
}

static int start(struct container *c, struct request *request, int folder, struct error *e)
{
    int waiting[2];
    pid_t pid;
    int r;

    if (pipe2(waiting, O_CLOEXEC) < 0)
        return error_errno(e, errno, "pipe");
    c->waiting = waiting[1];
    pid = fork();
    if (pid < 0)
        return error_errno(e, errno, "cannot fork for the supervisor");
    if (pid == 0) {
        (void)close(waiting[0]);
        supervisor_main(c, request, folder);
    }
    (void)close(waiting[1]);
    c->waiting = -1;
    r = wait_for_word(waiting[0], e);
    (void)close(waiting[0]);
    return r;
}

/* --- a stage of its own --- */

static json_t *read_config(const json_t *state, struct error *e)
{
    const char *bundle = oci_json_text(state, "bundle");
    cleanup_free char *path = xasprintf("%s/config.json", bundle ? bundle : "");
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        (void)error_errno(e, errno, "cannot open the container's configuration");
        return NULL;
    }
    return oci_json_read(fd, "the container's configuration", e);
}

/* Engines that know no precreate call this stage by itself: the configuration is judged, and can no
 * more be changed. Returns the request's folder. */
static int judge(int argc, char **argv, const json_t *state, char path[PATH_MAX], struct error *e)
{
    char dir[PATH_MAX], base[PATH_MAX];
    json_t *config = read_config(state, e);
    struct admin admin = {.argc = 0};
    int r = config ? admin_parse(&admin, argc, argv, e) : -EINVAL;

    if (r == 0 && !admin_has_policy(&admin))
        r = error_set(e, EINVAL, "createRuntime by itself needs a policy in the hook's JSON file");
    if (r == 0)
        r = runtime_dir_find(admin.runtime_dir, dir, base, e);
    if (r == 0)
        r = refuse_config(config, dir, admin.pod, e);
    if (r == 0)
        r = admin_request(&admin, json_object_get(config, "annotations"), base, path, e);
    admin_free(&admin);
    json_decref(config);
    return r;
}

/* --- both --- */

/* Of what precreate has prepared. */
static int open_folder(const char *given, char path[PATH_MAX], struct error *e)
{
    int fd;

    copy_string(path, PATH_MAX, given);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_errno(e, errno, "cannot open %s", path) : fd;
}

static int take(int folder, struct request *request, bool prepared, struct error *e)
{
    int r = request_read(folder, HOOK_TAKEN, request, e);

    if (unlinkat(folder, HOOK_TAKEN, 0) < 0 && r == 0)
        r = error_errno(e, errno, "cannot take the policy");
    if (r == 0 && !prepared && policy_needs_ca(&request->policy))
        r = error_set(e, ENOTSUP,
                      "https URLs, and dry runs, need the stage precreate, by which the container "
                      "gets the jail's CA: name the host as NAME:443");
    return r;
}

int create_main(int argc, char **argv, struct error *e)
{
    struct container c = {
        .netns = -1, .pidfd = -1, .caller = -1, .waiting = -1, .log = -1, .ca_count = 0};
    struct request request = {.json = NULL};
    json_t *state = oci_json_read(STDIN_FILENO, "the container's state", e);
    cleanup_close int folder = -1;
    char path[PATH_MAX] = "";
    bool prepared = argc == 2 && argv[1][0] == '/';
    pid_t pid = -1;
    int r = -EINVAL;

    if (state)
        r = folder = prepared ? open_folder(argv[1], path, e) : judge(argc, argv, state, path, e);
    if (r >= 0)
        r = take(folder, &request, prepared, e);
    if (r == 0)
        r = read_pid(state, &pid, e);
    if (r == 0)
        r = open_namespace(&c, pid, e);
    if (r == 0)
        r = open_bundles(&c, folder, e);
    if (r == 0)
        r = start(&c, &request, folder, e);
    if (path[0])
        (void)rmdir(path); /* the wrapper's, if it has something in it */
    container_close(&c);
    json_decref(state);
    if (request.json)
        request_free(&request);
    return r;
}
