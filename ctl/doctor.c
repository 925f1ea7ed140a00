/* doctor.c: cijailctl doctor: what this machine lacks for a jail, found by trying, each with what
 * mends it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/doctor.h"
#include "ctl/json.h"
#include "src/ca_bundle.h"
#include "src/launch.h"
#include "src/libexec.h"
#include "src/resolv_conf.h"
#include "src/search_list.h"
#include "src/util.h"

#define KERNEL_MAJOR 5
#define KERNEL_MINOR 14
#define JAIL_SECONDS "60"

/* mend: where the error itself does not end in what to do. */
static const struct row {
    const char *name;
    const char *what;
    const char *mend;
} rows[DOCTOR_CHECKS] = {
    [DOCTOR_KERNEL] = {"kernel", "Linux 5.14 or newer", "boot a newer kernel"},
    [DOCTOR_PROC] = {"proc", "a procfs at /proc", "mount -t proc proc /proc"},
    [DOCTOR_USER_NAMESPACE] = {"user-namespace", "an unprivileged user namespace", NULL},
    [DOCTOR_ID_MAP] = {"id-map", "its id maps", NULL},
    [DOCTOR_NETWORK_NAMESPACE] = {"network-namespace", "a network namespace", NULL},
    [DOCTOR_PID_NAMESPACE] = {"pid-namespace", "a PID namespace", NULL},
    [DOCTOR_NF_TABLES] = {"nf_tables", "the gateway's rules, with reject, log and tproxy",
                          "modprobe -a nf_tables nft_reject_inet nft_log nft_tproxy"},
    [DOCTOR_NFLOG] = {"nfnetlink_log", "packets that the rules log", "modprobe nfnetlink_log"},
    [DOCTOR_ROUTING] = {"policy-routing", "routes by mark",
                        "boot a kernel with CONFIG_IP_MULTIPLE_TABLES"},
    [DOCTOR_MOUNT_NAMESPACE] = {"mount-namespace", "mount and IPC namespaces", NULL},
    [DOCTOR_NESTED_NAMESPACE] = {"nested-namespace", "the command's user namespace in it", NULL},
    [DOCTOR_VETH] = {"veth", "the link between the two networks", "modprobe veth"},
    [DOCTOR_MOUNTS] = {"mounts", "the jail's mounts", NULL},
    [DOCTOR_UNIX_DIAG] = {"unix_diag", "AF_UNIX socket monitoring", "modprobe unix_diag"},
    [DOCTOR_SECCOMP] = {"seccomp", "the command's filter, with notification of connect(2)",
                        "boot a kernel with CONFIG_SECCOMP_FILTER"},
    [DOCTOR_LANDLOCK] = {"landlock", "Landlock, which holds cijail itself",
                         "add landlock to lsm= of the kernel's command line"},
    [DOCTOR_PROGRAMS] = {"programs", "cijail and its proxies", "install cijail whole"},
    [DOCTOR_RESOLV_CONF] = {"resolv.conf", "name servers in " RESOLV_CONF,
                            "name a server in " RESOLV_CONF},
    [DOCTOR_ROOTS] = {"ca-certificates", "trusted roots, for https endpoints",
                      "apt-get install ca-certificates"},
    [DOCTOR_JAIL] = {"jail", "a whole jail", NULL},
};

static void set(struct doctor_result *r, enum doctor_state state, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void set(struct doctor_result *r, enum doctor_state state, const char *fmt, ...)
{
    va_list ap;

    r->state = state;
    va_start(ap, fmt);
    (void)vsnprintf(r->text.text, sizeof(r->text.text), fmt, ap);
    va_end(ap);
}

/* --- what takes no namespace --- */

static void try_kernel(struct doctor_result *r)
{
    struct utsname u;
    int major = 0, minor = 0;

    if (uname(&u) < 0 || sscanf(u.release, "%d.%d", &major, &minor) != 2)
        set(r, DOCTOR_NOTE, "the version of the kernel is not known");
    else
        set(r,
            major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR) ? DOCTOR_OK
                                                                                     : DOCTOR_LACKS,
            "this is Linux %s", u.release);
}

static void try_proc(struct doctor_result *r)
{
    if (launch_number_in_proc() > 0)
        r->state = DOCTOR_OK;
    else
        set(r, DOCTOR_LACKS, "/proc is no procfs");
}

static void try_landlock(struct doctor_result *r)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (abi > 0)
        set(r, DOCTOR_OK, "ABI %ld", abi);
    else
        set(r, DOCTOR_NOTE, "there is none (%s); cijail does without", strerror(errno));
}

/* Beside this program, or in a build tree. */
static bool find_cijail(char out[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n < 0)
        return false;
    self[n] = '\0';
    slash = strrchr(self, '/');
    *(slash ? slash : self) = '\0';
    (void)snprintf(out, PATH_MAX, "%.4000s/cijail", self);
    if (access(out, X_OK) == 0)
        return true;
    (void)snprintf(out, PATH_MAX, "%.4000s/../src/cijail", self);
    return access(out, X_OK) == 0;
}

static void try_programs(struct doctor_result *r, char cijail[PATH_MAX])
{
    char path[PATH_MAX];

    if (!find_cijail(cijail)) {
        cijail[0] = '\0';
        set(r, DOCTOR_LACKS, "cijail was not found beside cijailctl");
    } else if (libexec_find("cijail-dnsproxy", "dnsproxy", path, &r->text) < 0 ||
               libexec_find("cijail-httpproxy", "httpproxy", path, &r->text) < 0) {
        r->state = DOCTOR_LACKS;
    } else {
        r->state = DOCTOR_OK;
    }
}

static void try_resolv_conf(struct doctor_result *r)
{
    struct resolv_conf conf = {.count = 0};

    if (access(RESOLV_CONF, R_OK) < 0) {
        set(r, DOCTOR_LACKS, "%s: %s", RESOLV_CONF, strerror(errno));
        return;
    }
    resolv_conf_update(&conf);
    set(r, DOCTOR_OK, "%zu of them", conf.count);
}

/* Has it a certificate (RFC 7468)? */
static bool has_roots(const struct ca_file *f)
{
    static const char *const begins[] = {"-----BEGIN CERTIFICATE-----",
                                         "-----BEGIN TRUSTED CERTIFICATE-----",
                                         "-----BEGIN X509 CERTIFICATE-----"};

    for (size_t i = 0; i < ARRAY_LEN(begins); i++)
        if (memmem(f->pem, f->len, begins[i], strlen(begins[i])))
            return true;
    return false;
}

/* A file that servers are to be verified with may be none of that; if it is the only one, there are
 * no roots. */
static void try_roots(struct doctor_result *r)
{
    struct ca_bundle *bundle = xcalloc(1, sizeof(*bundle));
    const struct ca_file *empty = NULL;
    bool found = ca_bundle_find(bundle, &r->text) == 0, any = false;

    for (size_t i = 0; found && i < bundle->count; i++) {
        const struct ca_file *f = &bundle->files[i];
        if (f->trusted && has_roots(f))
            any = true;
        else if (f->trusted)
            empty = f;
    }
    if (!found)
        r->state = DOCTOR_LACKS;
    else if (empty)
        set(r, any ? DOCTOR_NOTE : DOCTOR_LACKS,
            "%s holds no certificate in PEM form, and a variable such as SSL_CERT_FILE names it: "
            "start it with another file there, or with that unset",
            empty->path);
    else
        set(r, DOCTOR_OK, "%s", bundle->main_path);
    ca_bundle_free(bundle);
    free(bundle);
}

/* --- a whole jail --- */

static void run_jail(const char *cijail, int err) __attribute__((noreturn));
static void run_jail(const char *cijail, int err)
{
    /* Whether this user may enter the current directory says nothing of the machine. */
    int null = open("/dev/null", O_RDWR);

    (void)unsetenv("CIJAIL_ENDPOINTS");
    (void)unsetenv("CIJAIL_DRY_RUN");
    (void)unsetenv("CIJAIL_ALLOW_LOOPBACK");
    if (chdir("/") == 0 && null >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1 &&
        dup2(err, 2) == 2)
        execlp("timeout", "timeout", JAIL_SECONDS, cijail, "-q", "--", "true", (char *)NULL);
    _exit(125);
}

static void try_jail(struct doctor_result *r, const char *cijail)
{
    int ends[2], status = 0;
    ssize_t n;
    size_t len = 0;
    pid_t pid;

    if (!cijail[0] || pipe2(ends, O_CLOEXEC) < 0)
        return;
    pid = fork();
    if (pid == 0)
        run_jail(cijail, ends[1]);
    (void)close(ends[1]);
    while (len + 1 < sizeof(r->text.text) &&
           (n = read(ends[0], r->text.text + len, sizeof(r->text.text) - 1 - len)) > 0)
        len += (size_t)n;
    (void)close(ends[0]);
    r->text.text[len] = '\0';
    r->text.text[strcspn(r->text.text, "\n")] = '\0';
    if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        r->state = DOCTOR_OK;
    else if (r->text.text[0])
        r->state = DOCTOR_LACKS;
    else
        set(r, DOCTOR_LACKS, "%s -- true ended with status %d", cijail, WEXITSTATUS(status));
}

/* A jail in a jail has no unix sockets of the host to judge, so it does without. */
static void excuse_unix_diag(struct doctor_result *r, const struct doctor_result *jail)
{
    if (r->state == DOCTOR_LACKS && jail->state == DOCTOR_OK)
        set(r, DOCTOR_OK, "not here, nor needed in a jail in a jail");
}

/* --- output --- */

/* What to do: at the end of the error ("...; run: COMMAND", "...: start it with ..."), or of the
 * table. NULL: it is not known. */
static const char *mend_of(enum doctor_check check, const struct doctor_result *r)
{
    static const char *const marks[] = {"run: ", "on the host: ", "start it with "};
    const char *at = NULL;

    if (r->state != DOCTOR_LACKS && r->state != DOCTOR_NOTE)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(marks) && !at; i++) {
        at = strstr(r->text.text, marks[i]);
        if (at && i < 2)
            at += strlen(marks[i]);
    }
    return at ? at : rows[check].mend;
}

static const char *const state_names[] = {
    [DOCTOR_NOT_TRIED] = "not tried",
    [DOCTOR_OK] = "ok",
    [DOCTOR_NOTE] = "note",
    [DOCTOR_LACKS] = "LACKING",
};

static void print_text(const struct doctor_result *results)
{
    for (unsigned i = 0; i < DOCTOR_CHECKS; i++) {
        const struct doctor_result *r = &results[i];
        const char *mend = mend_of(i, r);
        char shown[ERROR_TEXT_MAX];
        (void)escape_text(shown, sizeof(shown), r->text.text, strlen(r->text.text));
        printf("%-9s  %-17s  %s", state_names[r->state], rows[i].name, rows[i].what);
        if (r->state == DOCTOR_OK && shown[0])
            printf(": %s", shown);
        printf("\n");
        if (r->state != DOCTOR_OK && shown[0])
            printf("           %s\n", shown);
        if (mend && !strstr(shown, mend))
            printf("           to mend it: %s\n", mend);
    }
}

static void print_json(const struct doctor_result *results, bool ready)
{
    json_t *root = json_object(), *list = json_array();

    for (unsigned i = 0; i < DOCTOR_CHECKS; i++) {
        const struct doctor_result *r = &results[i];
        const char *mend = mend_of(i, r);
        json_t *o = json_object();
        json_set_text(o, "check", rows[i].name);
        json_set_text(o, "state", r->state == DOCTOR_LACKS ? "lacking" : state_names[r->state]);
        json_set_text(o, "text", r->text.text);
        if (mend)
            json_set_text(o, "mend", mend);
        json_append_checked(list, o);
    }
    json_set_new_checked(root, "ready", json_boolean(ready));
    json_set_new_checked(root, "checks", list);
    json_print(root, stdout);
}

static bool is_ready(const struct doctor_result *results)
{
    for (size_t i = 0; i < DOCTOR_CHECKS; i++)
        if (results[i].state == DOCTOR_LACKS || results[i].state == DOCTOR_NOT_TRIED)
            return false;
    return true;
}

enum ctl_status doctor_main(int argc, char **argv)
{
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0, ready;
    struct doctor_result *results;
    char cijail[PATH_MAX];

    if (argc > 1 && !json)
        return ctl_usage("doctor", "it takes nothing but --json");
    results = xcalloc(DOCTOR_CHECKS, sizeof(*results));
    try_kernel(&results[DOCTOR_KERNEL]);
    try_proc(&results[DOCTOR_PROC]);
    doctor_probe(results);
    try_landlock(&results[DOCTOR_LANDLOCK]);
    try_programs(&results[DOCTOR_PROGRAMS], cijail);
    try_resolv_conf(&results[DOCTOR_RESOLV_CONF]);
    try_roots(&results[DOCTOR_ROOTS]);
    try_jail(&results[DOCTOR_JAIL], cijail);
    excuse_unix_diag(&results[DOCTOR_UNIX_DIAG], &results[DOCTOR_JAIL]);
    ready = is_ready(results);
    if (json)
        print_json(results, ready);
    else
        print_text(results);
    if (!json)
        printf(ready ? "cijail works here\n" : "cijail does not work here yet\n");
    free(results);
    return ready ? CTL_OK : CTL_FOUND;
}
