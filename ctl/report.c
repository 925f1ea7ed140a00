/* report.c: cijailctl report: JSON logs (cijail --log-format json) added up, as text, Markdown, an
 * HTML page, or JSON. The logs are read as what they are, data of someone's: a line that is no
 * event of a log is an error that names its place, and each line has a bound. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "src/report.h"
#include "src/util.h"

#define LINE_MAX_BYTES (1u << 20)
#define NUMBER_MAX (1ll << 53) /* exact in every JSON reader */

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static uint64_t number_of(const json_t *o, const char *key, uint64_t without)
{
    const json_t *v = json_object_get(o, key);
    json_int_t n = json_integer_value(v);

    return json_is_integer(v) && n >= 0 && n <= NUMBER_MAX ? (uint64_t)n : without;
}

static int64_t read_time(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

    return end && !*end ? (int64_t)timegm(&tm) : 0;
}

struct texts {
    char where[512];
    char what[16384];
};

/* What an event of each kind is about. */
static void describe(const json_t *o, enum report_kind kind, struct texts *t)
{
    const char *name = text_of(o, "name");

    switch (kind) {
    case REPORT_REQUEST:
        report_host_of(text_of(o, "url"), t->where, sizeof(t->where));
        (void)snprintf(t->what, sizeof(t->what), "%s %s", text_of(o, "method"), text_of(o, "url"));
        break;
    case REPORT_RESOLVE:
        copy_string(t->where, sizeof(t->where), name);
        (void)snprintf(t->what, sizeof(t->what), "%s %s", name, text_of(o, "type"));
        break;
    case REPORT_CONNECT: {
        const char *address = text_of(o, "address");
        copy_string(t->where, sizeof(t->where), name[0] ? name : address);
        (void)snprintf(t->what, sizeof(t->what), strchr(address, ':') ? "[%s]:%llu" : "%s:%llu",
                       address, (unsigned long long)number_of(o, "port", 0));
        break;
    }
    default:
        copy_string(t->where, sizeof(t->where), text_of(o, "path"));
        copy_string(t->what, sizeof(t->what), text_of(o, "path"));
        break;
    }
}

/* NULL, or what is wrong with it. */
static const char *add_event(struct report *r, const json_t *o)
{
    static struct texts t;
    const char *decision = text_of(o, "decision");
    struct report_event e = {.time = read_time(text_of(o, "time")),
                             .count = number_of(o, "count", 1),
                             .where = t.where,
                             .what = t.what,
                             .status = (int)(number_of(o, "status", 0) % 1000),
                             .bytes_sent = number_of(o, "bytes_sent", 0),
                             .bytes_received = number_of(o, "bytes_received", 0),
                             .word = text_of(o, "endpoint")};

    if (!json_is_object(o))
        return "no JSON object";
    if (!report_kind_of(text_of(o, "kind"), &e.kind))
        return "no event of a log: its kind is not known";
    e.denied = strcmp(decision, "deny") == 0;
    if (!e.denied && strcmp(decision, "allow") != 0)
        return "no event of a log: its decision is neither allow nor deny";
    if (e.time <= 0)
        return "no event of a log: its time is not of the form 2024-04-04T17:28:22Z";
    e.reason = e.denied ? text_of(o, "reason") : "";
    e.dry_run = json_is_true(json_object_get(o, "dry_run"));
    e.again = json_is_true(json_object_get(o, "total"));
    describe(o, e.kind, &t);
    report_add(r, &e);
    return NULL;
}

static int bad_line(const char *path, unsigned long line, const char *why, struct error *e)
{
    char shown[256], reason[256];

    (void)escape_text(shown, sizeof(shown), path, strlen(path));
    (void)escape_text(reason, sizeof(reason), why, strlen(why));
    return error_set(e, EINVAL, "%s:%lu: %s; expected a log by cijail --log-format json", shown,
                     line, reason);
}

static int read_line(struct report *r, const char *path, unsigned long line, const char *text,
                     size_t len, struct error *e)
{
    json_error_t reason;
    const char *why;
    json_t *o;

    if (len > LINE_MAX_BYTES)
        return bad_line(path, line, "the line is too long", e);
    o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &reason);
    why = o ? add_event(r, o) : reason.text;
    json_decref(o);
    return why ? bad_line(path, line, why, e) : 0;
}

static int read_log(struct report *r, const char *path, struct error *e)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    cleanup_free char *text = xmalloc(LINE_MAX_BYTES + 2);
    unsigned long line = 1;
    int result = 0;

    if (!f) {
        char shown[256];
        int err = errno;
        (void)escape_text(shown, sizeof(shown), path, strlen(path));
        return error_errno(e, err, "%s", shown);
    }
    for (; result == 0 && fgets(text, LINE_MAX_BYTES + 2, f); line++)
        if (text[strspn(text, " \t\r\n")])
            result = read_line(r, path, line, text, strlen(text), e);
    if (result == 0 && ferror(f))
        result = bad_line(path, line, "it cannot be read", e);
    if (f != stdin)
        (void)fclose(f);
    return result;
}

struct report_options {
    enum report_format format;
    const char *output; /* NULL: standard output */
    bool format_given;
};

static bool read_format(const char *name, enum report_format *format)
{
    static const char *const names[] = {"text", "markdown", "html", "json"};

    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0) {
            *format = (enum report_format)i;
            return true;
        }
    return false;
}

static int bad_format(const char *option, const char *value, const char *expected)
{
    char shown[256];

    (void)escape_text(shown, sizeof(shown), value, strlen(value));
    (void)ctl_usage("report", "%s %s: no form of reports; expected %s", option, shown, expected);
    return -EINVAL;
}

/* 0, or -EINVAL after a message. */
static int read_options(int argc, char **argv, struct report_options *o)
{
    static const struct option longs[] = {{"format", required_argument, NULL, 'f'},
                                          {"output", required_argument, NULL, 'o'},
                                          {NULL, 0, NULL, 0}};
    int key;

    opterr = 0;
    while ((key = getopt_long(argc, argv, ":f:o:", longs, NULL)) != -1) {
        if (key == 'o')
            o->output = optarg;
        else if (key != 'f')
            return ctl_bad_option("report", argv, key);
        else if (!read_format(optarg, &o->format))
            return bad_format("-f", optarg, "text, markdown, html or json");
        o->format_given = o->format_given || key == 'f';
    }
    if (o->output && !o->format_given && !report_format_of(o->output, &o->format))
        return bad_format("-o", o->output, "a name that ends in .md, .html, .json or .txt, or -f");
    if (optind < argc)
        return 0;
    (void)ctl_usage("report", "no log; expected a file, or - for standard input");
    return -EINVAL;
}

/* All of it is there before the file is touched: what goes wrong until then leaves none, or the old
 * one, and not a part. */
static enum ctl_status write_report(const struct report *r, const struct report_options *o)
{
    const char *name = o->output ? o->output : "the report";
    cleanup_free char *text = NULL;
    cleanup_close int file = -1;
    size_t len = 0;
    FILE *f = xopen_memstream(&text, &len);
    int err;

    report_write(r, NULL, o->format, f);
    xclose_memstream(f, &text);
    if (o->output) {
        file = open(o->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (file < 0)
            return ctl_fail("report", "%s: %s", name, strerror(errno));
    }
    err = write_all(o->output ? file : STDOUT_FILENO, text, len);
    return err < 0 ? ctl_fail("report", "%s: %s", name, strerror(-err)) : CTL_OK;
}

enum ctl_status report_main(int argc, char **argv)
{
    struct report_options o = {.format = REPORT_TEXT};
    enum ctl_status status = CTL_OK;
    struct report *r;
    struct error e;

    if (read_options(argc, argv, &o) < 0)
        return CTL_INVALID;
    r = report_new();
    for (int i = optind; i < argc && status == CTL_OK; i++)
        if (read_log(r, argv[i], &e) < 0)
            status = ctl_fail("report", "%s", e.text);
    if (status == CTL_OK)
        status = write_report(r, &o);
    report_free(r);
    return status;
}
