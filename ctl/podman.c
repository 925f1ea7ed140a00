/* podman.c: `cijailctl podman run`: podman run, with the container in a jail (cijail-oci-hook(8)).
 *
 * The policy and the options are written into a folder of the caller's runtime directory, and the
 * container gets the folder's id by an annotation; the hook is named in a hooks.d of its own, so
 * that the program that was found here is the one that is called: podman starts a container without
 * a hook whose program is missing, and without a word. Options that need no judgement of the user's
 * are added: --network=none, --cap-drop=NET_RAW.
 *
 * This process waits for podman and the supervisor. That gets standard error for the log and tells
 * the result, by the socket in the folder (oci/caller.h). A container that goes on when podman has
 * ended (--detach) is left to the supervisor. */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/json.h"
#include "oci/caller.h"
#include "oci/hook.h"
#include "oci/request.h"
#include "oci/runtime_dir.h"
#include "src/ca_bundle.h"
#include "src/jail_environment.h"
#include "src/libexec.h"
#include "src/options.h"
#include "src/util.h"

#define FAILED 125
#define RESULT_MS 10000 /* of the supervisor, after the container's end */
#define SECRET "--secret"
#define HOOKS_D "hooks.d"
#define HOOK_JSON "cijail.json"         /* as the installed one, which it stands for */
#define HOOK_FILE "hooks.d/cijail.json" /* in the request's folder */

static const char *const default_hooks[] = {"/usr/share/containers/oci/hooks.d",
                                            "/etc/containers/oci/hooks.d"};

struct wrapper {
    char hook[PATH_MAX];
    char dir[PATH_MAX], base[PATH_MAX], id[RUNTIME_ID_SIZE];
    char *path, *hooks; /* the request's folder, and its hooks.d */
    int folder, listener, signals;
    char **globals; /* podman's own options, before "run" */
    size_t global_count;
    char **cijail; /* options of cijail */
    size_t cijail_count;
    bool with_ca;
    char **rest; /* podman run's, NULL at their end */
    pid_t podman;
    int supervisor, pidfd; /* -1: none yet */
};

/* --- the command line --- */

/* podman has an option of that name, too: ID[,OPTION=VALUE]... */
static bool is_secret_of_cijail(const char *arg)
{
    return arg && arg[strcspn(arg, "=,")] == '=';
}

/* Long options, and -p: -e and -v are podman's. How many words it takes; 0: none of cijail's. */
static size_t own_option(const char *word, const char *next)
{
    static const struct {
        const char *name;
        bool argument;
    } own[] = {{"-p", true},
               {"--policy", true},
               {"--endpoint", true},
               {"--log", true},
               {"--log-format", true},
               {"--learn", true},
               {"--summary", true},
               {"--upstream", true},
               {"--limit-upload", true},
               {"--dry-run", false},
               {"--allow-loopback", false},
               {"--verbose", false},
               {"--fail-on-deny", false}};

    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        size_t n = strlen(own[i].name);
        if (strcmp(word, own[i].name) == 0)
            return own[i].argument && next ? 2 : 1;
        if (own[i].argument && own[i].name[1] == '-' && strncmp(word, own[i].name, n) == 0 &&
            word[n] == '=')
            return 1;
    }
    if (strcmp(word, SECRET) == 0)
        return is_secret_of_cijail(next) ? 2 : 0;
    return strncmp(word, SECRET "=", sizeof(SECRET)) == 0 &&
           is_secret_of_cijail(word + sizeof(SECRET));
}

static bool split(struct wrapper *w, char **argv)
{
    size_t n;

    w->globals = argv + 1;
    while (argv[1 + w->global_count] && strcmp(argv[1 + w->global_count], "run") != 0)
        w->global_count++;
    argv += 1 + w->global_count;
    if (!*argv)
        return false;
    w->cijail = ++argv;
    while (*argv && (n = own_option(*argv, argv[1])) > 0) {
        w->cijail_count += n;
        argv += n;
    }
    if (*argv && strcmp(*argv, "--") == 0)
        argv++;
    w->rest = argv;
    return *argv != NULL;
}

static int parse_options(const struct wrapper *w, struct options *options, struct policy *policy,
                         struct error *e)
{
    cleanup_free char **argv = xcalloc(w->cijail_count + 4, sizeof(*argv));
    static char name[] = "cijailctl", end[] = "--", command[] = "podman";
    enum options_result result;

    argv[0] = name;
    memcpy(argv + 1, w->cijail, w->cijail_count * sizeof(*argv));
    argv[w->cijail_count + 1] = end;
    argv[w->cijail_count + 2] = command;
    policy_init(policy);
    int r = options_parse((int)w->cijail_count + 3, argv, options, policy, &result, e);
    if (r == 0 && options->secrets.count > 0)
        r = error_set(e, ENOTSUP,
                      "--secret NAME=HOST is not for containers: what -e and podman's own --secret "
                      "pass on is seen by all that runs in there");
    return r;
}

/* --- the folder --- */

static int write_hook(struct wrapper *w, struct error *e)
{
    cleanup_free char *path = xasprintf("%s/" HOOK_JSON, w->hooks);
    json_t *object, *stages = json_array();
    bool written;

    if (mkdir(w->hooks, 0700) < 0) {
        json_decref(stages);
        return error_errno(e, errno, "cannot make the folder %s", w->hooks);
    }
    json_append_checked(stages, json_string("precreate"));
    object = json_pack("{s:s, s:{s:s, s:[s, s, s, s]}, s:{s:b}, s:o}", "version", "1.0.0", "hook",
                       "path", w->hook, "args", HOOK_NAME, "precreate", "--runtime-dir", w->dir,
                       "when", "always", 1, "stages", stages);
    if (!object)
        die("out of memory");
    written = json_dump_file(object, path, 0) == 0;
    json_decref(object);
    return written ? 0 : error_set(e, EIO, "cannot write the file %s", path);
}

static int make_folder(struct wrapper *w, const struct options *options,
                       const struct policy *policy, struct error *e)
{
    int r = runtime_dir_find(NULL, w->dir, w->base, e);

    if (r == 0)
        r = w->folder = runtime_dir_new(w->base, w->id, e);
    if (r < 0)
        return r;
    w->path = xasprintf("%s/%s", w->base, w->id);
    w->hooks = xasprintf("%s/" HOOKS_D, w->path);
    r = request_write(w->folder, HOOK_REQUEST, options, policy, e);
    if (r == 0)
        r = w->listener = caller_listen(w->path, e);
    return r < 0 ? r : write_hook(w, e);
}

static void remove_folder(struct wrapper *w)
{
    static const char *const names[] = {HOOK_REQUEST, HOOK_TAKEN, HOOK_SOCKET, HOOK_RESOLV,
                                        HOOK_FILE};

    if (w->folder < 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlinkat(w->folder, names[i], 0);
    for (size_t i = 0;; i++) {
        cleanup_free char *name = xasprintf(HOOK_CA_FORMAT, i);
        if (unlinkat(w->folder, name, 0) < 0)
            break;
    }
    (void)unlinkat(w->folder, HOOKS_D, AT_REMOVEDIR);
    (void)rmdir(w->path);
}

/* --- podman --- */

struct words {
    char **argv;
    size_t count, room;
};

/* Takes the word over. */
static void add_word(struct words *v, char *word)
{
    if (v->count + 2 > v->room)
        v->argv = xrealloc(v->argv, (v->room = 2 * v->room + 64) * sizeof(*v->argv));
    v->argv[v->count++] = word;
    v->argv[v->count] = NULL;
}

static void add_words(struct words *v, char *const *words, size_t n)
{
    for (size_t i = 0; i < n && words[i]; i++)
        add_word(v, words[i]);
}

/* A jail_environment_cb. */
static void add_variable(void *words, const char *name, const char *value)
{
    add_word(words,
             value ? xasprintf("--env=%s=%s", name, value) : xasprintf("--unsetenv=%s", name));
}

/* What is part of the container is podman exec's, too; the hook changes its first process alone. */
static void add_environment(const struct wrapper *w, struct words *v)
{
    const char *name;

    add_word(v, xstrdup("--http-proxy=false"));
    jail_environment(add_variable, v);
    for (size_t i = 0; w->with_ca && (name = ca_bundle_variable(i)); i++)
        add_variable(v, name, ca_bundle_system_path(0));
}

static void exec_podman(const struct wrapper *w) __attribute__((noreturn));
static void exec_podman(const struct wrapper *w)
{
    struct words v = {.argv = NULL};
    sigset_t none;

    add_word(&v, xstrdup("podman"));
    add_words(&v, w->globals, w->global_count);
    for (size_t i = 0; i < ARRAY_LEN(default_hooks); i++)
        if (access(default_hooks[i], F_OK) == 0)
            add_word(&v, xasprintf("--hooks-dir=%s", default_hooks[i]));
    add_word(&v, xasprintf("--hooks-dir=%s", w->hooks));
    add_word(&v, xstrdup("run"));
    add_word(&v, xstrdup("--network=none"));
    add_word(&v, xstrdup("--cap-drop=NET_RAW"));
    add_word(&v, xasprintf("--annotation=" HOOK_ANNOTATION "=%s", w->id));
    add_environment(w, &v);
    add_words(&v, w->rest, SIZE_MAX);
    (void)unsetenv("NOTIFY_SOCKET"); /* podman would mount it into the container */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execvp(v.argv[0], v.argv);
    warn_text("cannot execute podman: %s", strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static int start(struct wrapper *w, struct error *e)
{
    static const int taken[] = {SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT};
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        (void)sigaddset(&set, taken[i]);
    w->signals = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC);
    if (w->signals < 0)
        return error_errno(e, errno, "signalfd");
    w->podman = fork();
    if (w->podman == 0)
        exec_podman(w);
    return w->podman < 0 ? error_errno(e, errno, "cannot fork for podman") : 0;
}

/* --- waiting --- */

/* The terminal's signals go to podman as well; what is sent to this process alone is passed on. */
static void pass_signal(const struct wrapper *w)
{
    struct signalfd_siginfo info;

    if (read(w->signals, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
        info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL)
        (void)kill(w->podman, (int)info.ssi_signo);
}

/* The supervisor comes with the container's pidfd; a hook that has something to say without. */
static void take_connection(struct wrapper *w)
{
    int pidfd, fd = caller_accept(w->listener, &pidfd);

    if (fd >= 0 && pidfd >= 0 && w->supervisor < 0) {
        w->supervisor = fd;
        w->pidfd = pidfd;
        return;
    }
    if (fd >= 0)
        (void)close(fd);
    if (pidfd >= 0)
        (void)close(pidfd);
}

/* Returns podman's exit status. */
static int wait_for_podman(struct wrapper *w)
{
    struct pollfd p[] = {{.fd = w->signals, .events = POLLIN},
                         {.fd = w->listener, .events = POLLIN}};
    int status;

    for (;;) {
        if (waitpid(w->podman, &status, WNOHANG) == w->podman)
            break;
        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            die("poll: %s", strerror(errno));
        if (p[0].revents)
            pass_signal(w);
        if (p[1].revents)
            take_connection(w);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool can_be_read(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) > 0;
}

/* What cijail would end with, of podman's status: the supervisor's word is 99 after a dry run, 98
 * for denials with --fail-on-deny, 125 if it failed. */
static int result(const struct wrapper *w, int status)
{
    unsigned char said;

    if (w->supervisor < 0) {
        if (status != 0)
            return status;
        (void)ctl_fail("podman", "podman did not call the hook: the container had no network");
        return FAILED;
    }
    if (!can_be_read(w->pidfd, 0))
        return status; /* it goes on by itself */
    if (!can_be_read(w->supervisor, RESULT_MS) || read(w->supervisor, &said, 1) != 1) {
        (void)ctl_fail("podman", "the supervisor of the container's jail ended unexpectedly");
        return FAILED;
    }
    if (said == 98)
        return status == 0 ? 98 : status;
    return said ? said : status;
}

enum ctl_status podman_main(int argc, char **argv)
{
    struct wrapper w = {.folder = -1, .listener = -1, .supervisor = -1, .pidfd = -1};
    struct options options;
    struct policy policy;
    struct error e;
    int status = FAILED, r;

    if (argc < 2 || !split(&w, argv))
        return ctl_usage("podman", "expected podman's run");
    r = parse_options(&w, &options, &policy, &e);
    w.with_ca = r == 0 && policy_needs_ca(&policy);
    if (r == 0)
        r = libexec_find(HOOK_NAME, "oci", w.hook, &e);
    if (r == 0)
        r = make_folder(&w, &options, &policy, &e);
    if (r == 0)
        r = start(&w, &e);
    if (r < 0)
        (void)ctl_fail("podman", "%s", e.text);
    else
        status = result(&w, wait_for_podman(&w));
    remove_folder(&w);
    policy_free(&policy);
    return (enum ctl_status)status;
}
