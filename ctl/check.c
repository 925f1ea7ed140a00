/* check.c: cijailctl check: every error of a policy, and what its words allow beyond what was
 * probably meant. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "ctl/covers.h"
#include "ctl/ctl.h"
#include "ctl/finding.h"
#include "ctl/risks.h"
#include "preset/preset.h"
#include "src/util.h"

/* Words; with more they are not compared with each other: it takes n * n. */
#define PAIRS_MAX 5000

static void on_error(void *arg, const char *source, unsigned line, const char *word, size_t len,
                     const struct error *e)
{
    cleanup_free char *copy = xstrndup(word, len < 200 ? len : 200);

    finding_add(arg, FINDING_ERROR, "syntax", source, line, copy, "%s", e->text);
}

static void check_enforced(struct findings *f, const struct policy *p)
{
    struct error e;

    for (size_t i = 0; i < p->count; i++) {
        const struct endpoint *ep = &p->endpoints[i];
        if (policy_check_enforced_endpoint(ep, &e) < 0)
            finding_add(f, FINDING_ERROR, "not-enforced", ep->source, ep->line, ep->word, "%s",
                        e.text);
        else
            risks_of(f, ep);
    }
}

/* NULL, or what is not read at the host and port of this URL (policy_raw.c). */
static const struct endpoint *unread_by(const struct policy *p, const struct endpoint *ep)
{
    struct url_authority a = {.kind = ep->host_kind, .port = ep->port};

    if (ep->kind != ENDPOINT_URL)
        return NULL;
    copy_string(a.host, sizeof(a.host), ep->host);
    return policy_match_raw(p, &a);
}

static void check_shadowed(struct findings *f, const struct policy *p)
{
    if (p->count > PAIRS_MAX) {
        finding_add(f, FINDING_NOTE, "not-compared", p->endpoints[0].source, 0, "",
                    "more than %d words: they were not compared with each other", PAIRS_MAX);
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        const struct endpoint *ep = &p->endpoints[i], *by = policy_covers(p, ep);
        const struct endpoint *raw = by ? NULL : unread_by(p, ep);
        if (by)
            finding_add(f, FINDING_WARNING, "shadowed", ep->source, ep->line, ep->word,
                        "allows nothing that '%s' (%s:%u) does not allow", by->word, by->source,
                        by->line);
        if (raw)
            finding_add(f, FINDING_WARNING, "unread", ep->source, ep->line, ep->word,
                        "means nothing: '%s' (%s:%u) lets all through to that host and port, "
                        "unread",
                        raw->word, raw->source, raw->line);
    }
}

/* 0, or a negative errno after a message: a file that cannot be read. */
static int read_file_of(struct policy *p, struct findings *f, const char *path)
{
    cleanup_free char *text = NULL;
    size_t len, before = f->count;
    struct error e = {""};
    int r = ctl_read_policy(path, &text, &len, &e);

    if (r == 0) {
        r = policy_parse_each(p, path, text, len, on_error, f, &e);
        if (r < 0 && f->count > before)
            r = 0; /* it has been said */
    }
    if (r < 0)
        (void)ctl_fail("check", "%s", e.text);
    return r;
}

/* The same; what was left out of the client's configuration is a note. */
static int read_preset(struct policy *p, struct findings *f, const char *name)
{
    struct preset_notes notes = {.count = 0};
    struct error e;
    int r = preset_add(p, name, &notes, &e);

    for (size_t i = 0; i < notes.count; i++) {
        finding_add(f, FINDING_NOTE, "left-out", name, 0, "", "%s", notes.text[i]);
        f->list[f->count - 1].escaped = true;
    }
    if (r < 0)
        (void)ctl_fail("check", "%s", e.text);
    preset_notes_free(&notes);
    return r;
}

/* -p, --json, and the files after them. 0, or a negative errno after a message. */
static int read_all(int argc, char **argv, struct policy *p, struct findings *f, bool *json)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    int key, r = 0, n = 0;

    opterr = 0;
    while (r == 0 && (key = getopt_long(argc, argv, "+:p:", longs, NULL)) != -1) {
        *json = *json || key == 'j';
        if (key == 'p' && ++n)
            r = strchr(optarg, '/') ? read_file_of(p, f, optarg) : read_preset(p, f, optarg);
        else if (key != 'j')
            r = ctl_bad_option("check", argv, key);
    }
    if (r == 0 && optind == argc && n == 0) {
        (void)ctl_usage("check", "no policy; expected a file, or -p PRESET");
        r = -EINVAL;
    }
    for (; r == 0 && optind < argc; optind++)
        r = read_file_of(p, f, argv[optind]);
    return r;
}

static void print_count(size_t n, const char *of, const char *after)
{
    printf("%zu %s%s%s", n, of, n == 1 ? "" : "s", after);
}

static void summarize(const struct findings *f)
{
    if (f->count == 0) {
        printf("nothing to say of it\n");
        return;
    }
    print_count(f->of_level[FINDING_ERROR], "error", ", ");
    print_count(f->of_level[FINDING_WARNING], "warning", ", ");
    print_count(f->of_level[FINDING_NOTE], "note", "\n");
}

enum ctl_status check_main(int argc, char **argv)
{
    struct findings f = {0};
    struct policy p;
    enum ctl_status status;
    bool json = false;

    policy_init(&p);
    if (read_all(argc, argv, &p, &f, &json) < 0) {
        status = CTL_INVALID;
    } else {
        check_enforced(&f, &p);
        check_shadowed(&f, &p);
        findings_sort(&f);
        if (json)
            findings_print_json(&f, stdout);
        else
            findings_print(&f, stdout);
        if (!json)
            summarize(&f);
        status = f.of_level[FINDING_ERROR]     ? CTL_INVALID
                 : f.of_level[FINDING_WARNING] ? CTL_FOUND
                                               : CTL_OK;
    }
    findings_free(&f);
    policy_free(&p);
    return status;
}
