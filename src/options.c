/* options.c: one table makes the parser and the help text. Parsing stops at the first word that is
 * no option: that begins the command. Endpoints are added to the policy in the order:
 * CIJAIL_ENDPOINTS, then -e and -p as they stand. */
#include "src/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "src/quota.h"
#include "src/util.h"

enum {
    OPT_LOG = 256,
    OPT_LOG_FORMAT,
    OPT_FAIL_ON_DENY,
    OPT_DRY_RUN,
    OPT_LEARN,
    OPT_LOOPBACK,
    OPT_SUMMARY,
    OPT_UPSTREAM,
    OPT_LIMIT_UPLOAD,
    OPT_SECRET,
    OPT_PROGRESS,
    OPT_VERSION
};

static const struct option_row {
    const char *name;
    int key; /* a letter, or OPT_* */
    const char *arg;
    const char *help;
} rows[] = {
    {"endpoint", 'e', "ENDPOINT", "allow this endpoint (cijail-policy(5)); repeatable"},
    {"policy", 'p', "POLICY", "allow those of ./FILE, or of a preset: npm, pip ..."},
    {"allow-loopback", OPT_LOOPBACK, NULL, "allow all TCP ports of the host's loopback"},
    {"fail-on-deny", OPT_FAIL_ON_DENY, NULL, "exit with 98, not 0, if anything was denied"},
    {"limit-upload", OPT_LIMIT_UPLOAD, "SIZE", "let the jail send SIZE bytes in all (K, M, G)"},
    {"secret", OPT_SECRET, "NAME=HOST", "keep variable NAME out; requests to HOST get it"},
    {"log", OPT_LOG, "FILE", "append the log to FILE, not to standard error"},
    {"log-format", OPT_LOG_FORMAT, "FORMAT", "text (default) or json"},
    {"verbose", 'v', NULL, "log what is allowed too, and every repeat"},
    {"quiet", 'q', NULL, "log errors only"},
    {"progress", OPT_PROGRESS, NULL, "show on the terminal how it goes"},
    {"dry-run", OPT_DRY_RUN, NULL, "deny nothing, log what would be denied, exit with 99"},
    {"learn", OPT_LEARN, "FILE", "write a policy of what was used to FILE"},
    {"summary", OPT_SUMMARY, "FILE", "report to FILE (.md, .html, .json, .txt), or: github"},
    {"upstream", OPT_UPSTREAM, "SERVER", "the DNS server: ADDRESS or tls://ADDRESS[#NAME]"},
    {"help", 'h', NULL, "print this and exit"},
    {"version", OPT_VERSION, NULL, "print the version and exit"},
};

/* It fits a terminal of 80 columns and 24 lines. */
static void print_help(void)
{
    printf("usage: cijail [OPTION]... [--] COMMAND [ARG...]\n"
           "Runs COMMAND in a network that nothing leaves but what the endpoints name.\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char left[48];
        bool letter = rows[i].key < 256;
        (void)snprintf(left, sizeof(left), "%c%c%s --%s%s%s", letter ? '-' : ' ',
                       letter ? rows[i].key : ' ', letter ? "," : " ", rows[i].name,
                       rows[i].arg ? " " : "", rows[i].arg ? rows[i].arg : "");
        printf("  %-23s  %s\n", left, rows[i].help);
    }
    printf("CIJAIL_ENDPOINTS holds endpoints, too. Without any there is no network at all.\n"
           "Exit status: that of COMMAND; 125: cijail failed, 126: COMMAND cannot be run,\n"
           "127: it is not found, 99: after a dry run. More is in cijail(1).\n");
}

/* What --help and --version ask for. */
static int print_and_check(int key, struct error *e)
{
    if (key == 'h')
        print_help();
    else
        printf("cijail %s\n", PACKAGE_VERSION);
    if (fflush(stdout) == 0)
        return 0;
    return error_errno(e, errno, "cannot write to standard output");
}

/* A variable that is 1, 0 or unset; 1 sets *on. */
static int read_switch(const char *name, bool *on, struct error *e)
{
    const char *value = getenv(name);
    char shown[64];

    if (!value || !strcmp(value, "0"))
        return 0;
    if (!strcmp(value, "1")) {
        *on = true;
        return 0;
    }
    (void)escape_text(shown, sizeof(shown), value, strlen(value));
    return error_set(e, EINVAL, "%s is '%s'; expected 1, 0 or unset", name, shown);
}

static int parse_log_format(const char *arg, struct options *out, struct error *e)
{
    if (!strcmp(arg, "text"))
        out->log_format = LOG_TEXT;
    else if (!strcmp(arg, "json"))
        out->log_format = LOG_JSON;
    else
        return error_set(e, EINVAL, "--log-format '%s'; expected text or json", arg);
    return 0;
}

static int parse_limit(const char *arg, struct options *out, struct error *e)
{
    char shown[64];

    if (quota_parse(arg, &out->upload_limit) == 0)
        return 0;
    (void)escape_text(shown, sizeof(shown), arg, strlen(arg));
    return error_set(e, EINVAL,
                     "--limit-upload '%s'; expected a number of bytes, at least 1, or with K, M, G "
                     "or T after it",
                     shown);
}

/* "-" would be a file of that name, where its writer meant standard output. */
static int take_path(const char *option, const char **path, struct error *e)
{
    if (strcmp(optarg, "-") == 0)
        return error_set(e, EINVAL,
                         "%s -: standard output is /dev/stdout, and a file of that name is ./-",
                         option);
    *path = optarg;
    return 0;
}

static int take_option(int key, struct options *out, struct policy *policy, struct error *e)
{
    switch (key) {
    case 'e':
        return policy_parse(policy, "-e", optarg, strlen(optarg), e);
    case 'p':
        return preset_or_file(policy, optarg, &out->notes, e);
    case 'v':
        out->verbose = true;
        return 0;
    case 'q':
        out->quiet = true;
        return 0;
    case OPT_FAIL_ON_DENY:
        out->fail_on_deny = true;
        return 0;
    case OPT_LOOPBACK:
        out->allow_loopback = true;
        return 0;
    case OPT_PROGRESS:
        out->progress = true;
        return 0;
    case OPT_DRY_RUN:
        out->dry_run = true;
        return 0;
    case OPT_LEARN:
        return take_path("--learn", &out->learn_path, e);
    case OPT_SUMMARY:
        out->summary_path = optarg;
        return 0;
    case OPT_UPSTREAM:
        return upstream_servers_add(&out->upstream, optarg, e);
    case OPT_LIMIT_UPLOAD:
        return parse_limit(optarg, out, e);
    case OPT_SECRET:
        return secret_add(&out->secrets, optarg, e);
    case OPT_LOG:
        return take_path("--log", &out->log_path, e);
    case OPT_LOG_FORMAT:
        return parse_log_format(optarg, out, e);
    default:
        return error_set(e, EINVAL, "an option is not known; cijail --help lists them");
    }
}

/* The row of a word "--name" or "--name=..."; NULL: there is none of all that name. */
static const struct option_row *find_long(const char *word)
{
    size_t len = strcspn(word, "=");

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (len == 2 + strlen(rows[i].name) && memcmp(word + 2, rows[i].name, len - 2) == 0)
            return &rows[i];
    return NULL;
}

static int bad_option(const char *word, size_t len, const char *why, struct error *e)
{
    char shown[128];

    (void)escape_text(shown, sizeof(shown), word, len < 64 ? len : 64);
    return error_set(e, EINVAL, "option %s %s; cijail --help lists the options", shown, why);
}

static int bad_long(const char *word, struct error *e)
{
    const struct option_row *row = find_long(word);

    return bad_option(word, strcspn(word, "="),
                      !row       ? "is not known"
                      : row->arg ? "needs an argument"
                                 : "takes no argument",
                      e);
}

static bool is_key(int key)
{
    size_t i = 0;

    while (i < ARRAY_LEN(rows) && rows[i].key != key)
        i++;
    return i < ARRAY_LEN(rows);
}

/* optopt: 0 or a key if it was a long option, else a letter. Of a letter that is a key, argv has
 * the word before optind too. */
static int bad_word(int key, char **argv, struct error *e)
{
    const char letter[] = {'-', (char)optopt, '\0'};
    const char *word = argv[optind - 1];

    if (!optopt || (is_key(optopt) && strncmp(word, "--", 2) == 0))
        return bad_long(word, e);
    return bad_option(letter, 2, key == ':' ? "needs an argument" : "is not known", e);
}

/* getopt_long(3) takes any beginning of a name that no other has; a later version's option may take
 * that away. */
static int check_whole(char **argv, struct error *e)
{
    const char *word = argv[optind - 1];

    if (optarg == word)
        word = argv[optind - 2];
    return find_long(word) ? 0 : bad_long(word, e);
}

/* The tables of getopt_long(3), made from ours. */
static void make_getopt_tables(struct option *longs, char *shorts)
{
    *shorts++ = '+'; /* stop at the first word that is no option */
    *shorts++ = ':';
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        longs[i] = (struct option){rows[i].name, rows[i].arg ? required_argument : no_argument,
                                   NULL, rows[i].key};
        if (rows[i].key < 256) {
            *shorts++ = (char)rows[i].key;
            if (rows[i].arg)
                *shorts++ = ':';
        }
    }
    *shorts = '\0';
}

/* What presets left out. */
static void show_notes(struct options *out)
{
    for (size_t i = 0; i < out->notes.count && !out->quiet; i++)
        warn_text("%s", out->notes.text[i]);
    preset_notes_free(&out->notes);
}

static int parse_argv(int argc, char **argv, struct options *out, struct policy *policy,
                      enum options_result *result, struct error *e)
{
    struct option longs[ARRAY_LEN(rows) + 1] = {0};
    char shorts[2 * ARRAY_LEN(rows) + 3];
    int key, at = -1, r = 0;

    make_getopt_tables(longs, shorts);
    opterr = 0;
    optind = 1;
    for (; (key = getopt_long(argc, argv, shorts, longs, &at)) != -1; at = -1) {
        if (key == '?' || key == ':')
            return bad_word(key, argv, e);
        if (at >= 0 && (r = check_whole(argv, e)) < 0)
            return r;
        if (key == 'h' || key == OPT_VERSION) {
            *result = OPTIONS_DONE;
            return print_and_check(key, e);
        }
        r = take_option(key, out, policy, e);
        if (r < 0)
            return r;
    }
    out->command = argv + optind;
    return 0;
}

int options_parse(int argc, char **argv, struct options *out, struct policy *policy,
                  enum options_result *result, struct error *e)
{
    const char *words = getenv("CIJAIL_ENDPOINTS");
    int r;

    *out = (struct options){0};
    *result = OPTIONS_RUN;
    if (words && (r = policy_parse(policy, "CIJAIL_ENDPOINTS", words, strlen(words), e)) < 0)
        return r;
    if ((r = parse_argv(argc, argv, out, policy, result, e)) < 0 || *result == OPTIONS_DONE)
        return r;
    if ((r = read_switch("CIJAIL_DRY_RUN", &out->dry_run, e)) < 0 ||
        (r = read_switch("CIJAIL_ALLOW_LOOPBACK", &out->allow_loopback, e)) < 0)
        return r;
    policy->dry_run = out->dry_run;
    if (out->verbose && out->quiet)
        return error_set(e, EINVAL, "-v and -q exclude each other");
    show_notes(out);
    if (!out->command[0])
        return error_set(e, EINVAL, "no command; usage: cijail [OPTION]... [--] COMMAND [ARG...]");
    policy_seal(policy);
    r = policy_check_enforced(policy, e);
    return r < 0 ? r : secret_check_places(&out->secrets, policy, e);
}
