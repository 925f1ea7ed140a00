/* cli.c: the verbs of cijailctl, and what they share. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "config.h"
#include "ctl/ctl.h"
#include "preset/preset.h"
#include "src/util.h"

static const struct ctl_verb verbs[] = {
    {"check", "[--json] [-p PRESET]... [POLICY...]", "errors and risks of a policy", check_main},
    {"explain", "[-m METHOD] [--json] POLICY|-p PRESET... URL|NAME|ADDRESS:PORT|PATH",
     "which word allows it, or which would", explain_main},
    {"diff", "[--json] OLD NEW", "what a policy allows that another does not", diff_main},
    {"show", "[--json] [PRESET...]", "what presets come to here, and where each word is from",
     show_main},
    {"doctor", "[--json]", "what this machine lacks for a jail, and what mends it", doctor_main},
    {"report", "[-f text|markdown|html|json] [-o FILE] LOG...",
     "what JSON logs tell, added up: -o FILE.md, .html, .json, .txt", report_main},
    {"podman",
     "[PODMAN-OPTION]... run [CIJAIL-OPTION]... [--] [PODMAN-RUN-OPTION]... IMAGE [WORD]...",
     "podman run in a jail: -p, --endpoint, --log, --dry-run ... are cijail's", podman_main},
};

static const struct ctl_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static void print_help(FILE *f)
{
    (void)fputs("usage: cijailctl VERB [ARGUMENT...]\n\n", f);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        (void)fprintf(f, "  %-8s %s\n           cijailctl %s %s\n", verbs[i].name, verbs[i].help,
                      verbs[i].name, verbs[i].arguments);
    (void)fputs("\nPOLICY is a file, or - for standard input. Exit: 0 nothing found, or allowed; 1 "
                "found, or\ndenied; 2 an error in a policy or in the command line. See "
                "cijailctl(8).\n",
                f);
}

static void say(const char *verb, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void say(const char *verb, const char *fmt, va_list ap)
{
    char text[ERROR_TEXT_MAX + 256];

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    (void)fprintf(stderr, "cijailctl: %s: %s\n", verb, text);
}

enum ctl_status ctl_fail(const char *verb, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(verb, fmt, ap);
    va_end(ap);
    return CTL_INVALID;
}

static void print_usage(const struct ctl_verb *v, FILE *f)
{
    (void)fprintf(f, "usage: cijailctl %s %s\n", v->name, v->arguments);
}

enum ctl_status ctl_usage(const char *verb, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(verb, fmt, ap);
    va_end(ap);
    print_usage(find_verb(verb), stderr);
    return CTL_INVALID;
}

enum ctl_status ctl_no_option(const char *verb, const char *word)
{
    char shown[256];

    (void)escape_text(shown, sizeof(shown), word, strlen(word));
    return ctl_usage(verb, "no such option: %s", shown);
}

int ctl_bad_option(const char *verb, char **argv, int key)
{
    const char *word = argv[optind - 1];
    char letter[4] = {'-', (char)optopt, '\0'};

    if (key == ':') /* an option of ours, in its own spelling */
        (void)ctl_usage(verb, "%s takes an argument, and has none", word);
    else if (optopt && strncmp(word, "--", 2) != 0)
        (void)ctl_no_option(verb, letter); /* it may stand among others */
    else
        (void)ctl_no_option(verb, word);
    return -EINVAL;
}

/* --help is the first of the words behind the verb, or follows other options of it. */
static bool asks_for_help(const struct ctl_verb *v, int argc, char **argv)
{
    for (int i = 2; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
        if (v->run == podman_main)
            break; /* the others are podman's */
    }
    return false;
}

int ctl_read_policy(const char *path, char **text, size_t *len, struct error *e)
{
    char shown[256];
    int r;

    (void)escape_text(shown, sizeof(shown), path, strlen(path));
    r = read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, POLICY_TEXT_MAX, text, len, NULL);
    if (r == -EFBIG)
        return error_set(e, E2BIG, "%s: longer than %u bytes, so it is no policy", shown,
                         POLICY_TEXT_MAX);
    return r < 0 ? error_errno(e, -r, "%s: cannot be read", shown) : 0;
}

int ctl_parse_policy(const char *path, struct policy *p, struct error *e)
{
    cleanup_free char *text = NULL;
    size_t len;
    int r = ctl_read_policy(path, &text, &len, e);

    if (r == 0)
        r = policy_parse(p, path, text, len, e);
    return r == 0 ? policy_check_enforced(p, e) : r;
}

int ctl_add_policy(const char *argument, struct policy *p, struct error *e)
{
    int r = preset_or_file(p, argument, NULL, e);

    return r == 0 ? policy_check_enforced(p, e) : r;
}

static int run_verb(int argc, char **argv)
{
    const struct ctl_verb *v;

    if (argc < 2) {
        print_help(stderr);
        return CTL_INVALID;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("cijailctl %s\n", PACKAGE_VERSION);
        return CTL_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return CTL_OK;
    }
    v = find_verb(argv[1]);
    if (!v) {
        char shown[64];
        (void)escape_text(shown, sizeof(shown), argv[1], strlen(argv[1]));
        return (int)ctl_fail(shown, "no such verb; cijailctl --help lists them");
    }
    if (asks_for_help(v, argc, argv)) {
        print_usage(v, stdout);
        printf("\n%s. See cijailctl(8).\n", v->help);
        return CTL_OK;
    }
    return (int)v->run(argc - 1, argv + 1);
}

/* What was printed is not there before it is written, and a job that reads it is to know. */
int ctl_main(int argc, char **argv)
{
    int status = run_verb(argc, argv);

    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    return (int)ctl_fail(argc > 1 ? argv[1] : "", "standard output cannot be written: %s",
                         strerror(errno ? errno : EIO));
}
