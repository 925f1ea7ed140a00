/* check.c: cijailctl check: every error of a policy, and what its words allow beyond what was
 * probably meant. */
#include <errno.h>
#include <string.h>

#include "ctl/covers.h"
#include "ctl/ctl.h"
#include "ctl/finding.h"
#include "ctl/risks.h"
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

static void check_shadowed(struct findings *f, const struct policy *p)
{
    if (p->count > PAIRS_MAX) {
        finding_add(f, FINDING_NOTE, "not-compared", p->endpoints[0].source, 0, "",
                    "more than %d words: they were not compared with each other", PAIRS_MAX);
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        const struct endpoint *ep = &p->endpoints[i], *by = policy_covers(p, ep);
        char word[160], source[160];
        if (!by)
            continue;
        (void)escape_text(word, sizeof(word), by->word, strlen(by->word));
        (void)escape_text(source, sizeof(source), by->source, strlen(by->source));
        finding_add(f, FINDING_WARNING, "shadowed", ep->source, ep->line, ep->word,
                    "allows nothing that '%s' (%s:%u) does not allow", word, source, by->line);
    }
}

/* 0, or a negative errno after a message: a file that cannot be read. */
static int read_all(struct policy *p, struct findings *f, char **paths, int n)
{
    struct error e = {""};

    for (int i = 0; i < n; i++) {
        cleanup_free char *text = NULL;
        size_t len, before = f->count;
        int r = ctl_read_policy(paths[i], &text, &len, &e);
        if (r == 0) {
            r = policy_parse_each(p, paths[i], text, len, on_error, f, &e);
            if (r < 0 && f->count > before)
                r = 0; /* it has been said */
        }
        if (r < 0) {
            (void)ctl_fail("check", "%s", e.text);
            return r;
        }
    }
    return 0;
}

static void summarize(const struct findings *f)
{
    if (f->count == 0)
        printf("nothing to say of it\n");
    else
        printf("%zu errors, %zu warnings, %zu notes\n", f->of_level[FINDING_ERROR],
               f->of_level[FINDING_WARNING], f->of_level[FINDING_NOTE]);
}

enum ctl_status check_main(int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    int first = json ? 2 : 1;
    struct findings f = {0};
    struct policy p;
    enum ctl_status status;

    if (first >= argc || (argv[first][0] == '-' && argv[first][1]))
        return ctl_usage("check");
    policy_init(&p);
    if (read_all(&p, &f, argv + first, argc - first) < 0) {
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
