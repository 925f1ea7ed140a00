/* summary.c: see summary.h. The file is opened before the command runs: what cannot be written is
 * said then, and nothing is opened once the jail may have changed what a path leads to. */
#include "src/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/report.h"
#include "src/util.h"

#define COMMAND_MAX 1024 /* bytes of the command line that are shown */

struct summary {
    const struct options *options;
    const struct policy *policy;
    struct report *report;
    enum report_format format;
    const char *path;
    FILE *file;
    int64_t began;
};

static int choose(struct summary *s, struct error *e)
{
    const char *path = s->options->summary_path;

    if (strcmp(path, "github") == 0) {
        s->format = REPORT_MARKDOWN;
        s->path = getenv("GITHUB_STEP_SUMMARY");
        if (!s->path || !s->path[0])
            return error_set(e, EINVAL,
                             "--summary=github: GITHUB_STEP_SUMMARY is not set; it is in a job of "
                             "GitHub Actions, elsewhere name a file");
        return 0;
    }
    s->path = path;
    if (!report_format_of(path, &s->format))
        return error_set(e, EINVAL,
                         "--summary %s: expected a file that ends in .md, .html, .json or .txt, or "
                         "github",
                         path);
    return 0;
}

static int open_file(struct summary *s, struct error *e)
{
    int added = s->path == s->options->summary_path ? O_TRUNC : O_APPEND;
    int fd = open(s->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | added, 0666);

    if (fd < 0)
        return error_errno(e, errno, "--summary: cannot open %s", s->path);
    s->file = fdopen(fd, "w");
    if (!s->file)
        die("out of memory");
    return 0;
}

int summary_open(struct summary **out, const struct options *options, const struct policy *policy,
                 struct log *log, struct error *e)
{
    struct summary *s = xcalloc(1, sizeof(*s));
    int r;

    s->options = options;
    s->policy = policy;
    r = choose(s, e);
    if (r == 0)
        r = open_file(s, e);
    if (r < 0) {
        free(s);
        return r;
    }
    s->began = (int64_t)time(NULL);
    s->report = report_new();
    log_set_report(log, s->report);
    *out = s;
    return 0;
}

static char *command_line(char *const *argv)
{
    char text[COMMAND_MAX];
    size_t len = 0;

    text[0] = '\0';
    for (; argv && *argv && len + 1 < sizeof(text); argv++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, len ? " %s" : "%s", *argv);
    return xstrdup(text);
}

/* 0, or an errno: not all of it was written. */
static int close_file(FILE *f)
{
    int err = 0;

    if (fflush(f) != 0) /* tries once more what failed before */
        err = errno;
    else if (ferror(f))
        err = EIO;
    if (fclose(f) != 0 && !err)
        err = errno;
    return err;
}

int summary_write(struct summary *s, int status, struct error *e)
{
    struct report_run run = {.status = status};
    cleanup_free const char **words = NULL;
    cleanup_free char *command = NULL;
    int err;

    if (!s)
        return 0;
    words = xcalloc(s->policy->count + 1, sizeof(*words));
    for (size_t i = 0; i < s->policy->count; i++)
        words[i] = s->policy->endpoints[i].word;
    command = command_line(s->options->command);
    run.command = command;
    run.began = s->began;
    run.ended = (int64_t)time(NULL);
    run.words = words;
    run.word_count = s->policy->count;
    report_write(s->report, &run, s->format, s->file);
    err = close_file(s->file);
    report_free(s->report);
    if (err)
        (void)error_set(e, err, "--summary: cannot write %s: %s; the report is not complete",
                        s->path, strerror(err));
    free(s);
    return -err;
}
