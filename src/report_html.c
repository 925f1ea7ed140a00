/* report_html.c: a report as one HTML page that needs nothing else: no script, no font, no picture
 * of another place. Every string of the jail is escaped as the log's and then as HTML's, and a
 * policy in the page's head keeps the browser from loading or running anything (CSP). */
#include <string.h>

#include "src/report_parts.h"
#include "src/util.h"

#define SHOWN_MAX 500
#define CELL_SIZE 2048
#define CHART_WIDTH 960 /* user units of the timeline */
#define CHART_HEIGHT 120
#define MARK 4 /* half the width of a triangle below the axis, where something was denied */

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>cijail report</title>\n<style>\n"
    ":root{--fg:#1c2024;--bg:#fff;--line:#d8dde3;--soft:#60676f;--ok:#2f7d4f;--no:#c0392b}\n"
    "@media(prefers-color-scheme:dark){:root{--fg:#e6e9ec;--bg:#15181b;--line:#353b42;"
    "--soft:#9aa3ac;--ok:#57b37d;--no:#f0705f}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:1000px;"
    "margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}\n"
    "p{margin:.25rem 0;color:var(--soft)}code{font:13px/1.5 ui-monospace,monospace;"
    "overflow-wrap:anywhere;color:var(--fg)}\n"
    ".sums{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;margin:1.25rem 0}.sums b{display:block;"
    "font-size:1.6rem;line-height:1.2}.sums span{color:var(--soft)}\n"
    ".ok{color:var(--ok)}.no{color:var(--no)}svg{width:100%;height:auto;display:block}\n"
    ".okf{fill:var(--ok)}.nof{fill:var(--no)}.axis{stroke:var(--line)}\n"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem .3rem 0;"
    "border-bottom:1px solid var(--line);vertical-align:top}\n"
    "th{font-weight:600;color:var(--soft)}.n{text-align:right;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}.bar{width:22%}\n"
    "</style></head><body><main>\n";

static void put_escaped(FILE *f, const char *s)
{
    char text[CELL_SIZE];

    (void)escape_text(text, sizeof(text), s, strlen(s));
    for (const char *c = text; *c; c++)
        switch (*c) {
        case '&':
            (void)fputs("&amp;", f);
            break;
        case '<':
            (void)fputs("&lt;", f);
            break;
        case '>':
            (void)fputs("&gt;", f);
            break;
        case '"':
            (void)fputs("&quot;", f);
            break;
        case '\'':
            (void)fputs("&#39;", f);
            break;
        default:
            (void)fputc(*c, f);
        }
}

static void put_code(FILE *f, const char *s)
{
    (void)fputs("<code>", f);
    put_escaped(f, s);
    (void)fputs("</code>", f);
}

static void put_run(const struct report *r, const struct report_run *run, FILE *f)
{
    char began[32], number[64];

    (void)fprintf(f, "<h1>cijail report%s</h1>\n", r->dry_run ? ": dry run" : "");
    if (run && run->command) {
        (void)fputs("<p>", f);
        put_code(f, run->command);
        (void)fprintf(f, "</p>\n<p>%s UTC, %s", report_time(began, run->began),
                      report_number(number, (uint64_t)(run->ended - run->began), "second"));
        if (run->status >= 0)
            (void)fprintf(f, ", exit status %d", run->status);
        (void)fputs("</p>\n", f);
    } else if (r->first) {
        (void)fprintf(f, "<p>%s UTC", report_time(began, r->first));
        (void)fprintf(f, " to %s UTC</p>\n", report_time(began, r->last));
    }
}

static void put_sums(const struct report *r, FILE *f)
{
    char sent[32], received[32];

    (void)fprintf(f,
                  "<div class=\"sums\"><div><b class=\"ok\">%llu</b><span>allowed</span></div>"
                  "<div><b class=\"no\">%llu</b><span>%s</span></div>"
                  "<div><b>%llu</b><span>requests failed</span></div>"
                  "<div><b>%s</b><span>sent</span></div><div><b>%s</b><span>received</span></div>"
                  "</div>\n",
                  (unsigned long long)r->allowed, (unsigned long long)r->denied,
                  r->dry_run ? "would have been denied" : "denied", (unsigned long long)r->failed,
                  report_bytes(sent, r->bytes_sent), report_bytes(received, r->bytes_received));
}

static uint64_t highest_period(const struct report *r)
{
    uint64_t most = 1;

    for (size_t i = 0; i < report_period_count(r); i++)
        if (r->periods[i].allowed + r->periods[i].denied > most)
            most = r->periods[i].allowed + r->periods[i].denied;
    return most;
}

static void put_column(FILE *f, double x, double width, double bottom, double height,
                       const char *class)
{
    if (height > 0)
        (void)fprintf(f,
                      "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                      class, x, bottom - height, width, height);
}

/* At least a line for what happened at all. */
static double scaled(uint64_t n, uint64_t most, double size)
{
    double v = (double)n * size / (double)most;

    return n > 0 && v < 1 ? 1 : v;
}

/* Columns, and a triangle below each in which something was denied: colour is not all. */
static void put_period(const struct report_period *p, double x, double width, uint64_t most,
                       FILE *f)
{
    double denied = scaled(p->denied, most, CHART_HEIGHT);
    double gap = width > 4 ? 1 : 0;

    put_column(f, x, width - gap, CHART_HEIGHT, denied, "nof");
    put_column(f, x, width - gap, CHART_HEIGHT - denied, scaled(p->allowed, most, CHART_HEIGHT),
               "okf");
    if (p->denied > 0)
        (void)fprintf(f, "<path class=\"nof\" d=\"M%.1f %dl-%d %dh%dz\"/>", x + width / 2,
                      CHART_HEIGHT + 3, MARK, 2 * MARK, 2 * MARK);
}

static size_t periods_with_denials(const struct report *r)
{
    size_t count = 0;

    for (size_t i = 0; i < report_period_count(r); i++)
        count += r->periods[i].denied > 0;
    return count;
}

static void put_timeline(const struct report *r, FILE *f)
{
    size_t n = report_period_count(r);
    uint64_t most = highest_period(r);
    double width = CHART_WIDTH / (double)(n ? n : 1);
    char number[64];

    if (n == 0)
        return;
    (void)fprintf(
        f,
        "<h2>Timeline</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" "
        "aria-label=\"%llu allowed and %llu denied over time; something was denied in %zu of "
        "%zu columns\">",
        CHART_WIDTH, CHART_HEIGHT + 4 + 2 * MARK, (unsigned long long)r->allowed,
        (unsigned long long)r->denied, periods_with_denials(r), n);
    for (size_t i = 0; i < n; i++)
        put_period(&r->periods[i], (double)i * width, width, most, f);
    (void)fprintf(f,
                  "<line class=\"axis\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/></svg>\n"
                  "<p>%s a column, %llu at most; <span class=\"ok\">allowed</span>, "
                  "<span class=\"no\">denied</span> (below, with a triangle)</p>\n",
                  CHART_WIDTH, CHART_HEIGHT + 1, CHART_HEIGHT + 1,
                  report_number(number, (uint64_t)r->period, "second"), (unsigned long long)most);
}

/* heads: of the columns, with '|' between them and '#' before one of numbers. */
static void begin_table(FILE *f, const char *title, const char *heads)
{
    (void)fprintf(f, "<h2>%s</h2>\n<table><tr>", title);
    for (const char *h = heads; *h;) {
        bool number = *h == '#';
        size_t len = strcspn(h, "|");

        (void)fprintf(f, "<th scope=\"col\"%s>%.*s</th>", number ? " class=\"n\"" : "",
                      (int)len - number, h + number);
        h += len + (h[len] == '|');
    }
    (void)fputs("</tr>\n", f);
}

static void put_denials(const struct report *r, FILE *f)
{
    if (r->denial_count == 0)
        return;
    begin_table(f, "Denied", "#times|what|why");
    for (size_t i = 0; i < r->denial_count && i < SHOWN_MAX; i++) {
        const struct report_denial *d = &r->denials[i];
        (void)fprintf(f, "<tr><td class=\"n\">%llu</td><td>%s ", (unsigned long long)d->count,
                      report_kind_name(d->kind));
        put_code(f, d->text);
        (void)fputs("</td><td>", f);
        put_escaped(f, d->reason[0] ? d->reason : "no endpoint allows it");
        (void)fputs("</td></tr>\n", f);
    }
    (void)fputs("</table>\n", f);
    if (r->denial_count > SHOWN_MAX)
        (void)fprintf(f, "<p>and %zu more</p>\n", r->denial_count - SHOWN_MAX);
}

static void put_host(const struct report_host *h, uint64_t most, FILE *f)
{
    double allowed = scaled(h->allowed, most, 100), denied = scaled(h->denied, most, 100);
    char sent[32], received[32];

    (void)fputs("<tr><td>", f);
    put_code(f, h->name);
    (void)fprintf(f,
                  "</td><td class=\"n\">%llu</td><td class=\"n\">%llu</td><td class=\"bar\">"
                  "<svg viewBox=\"0 0 102 10\" preserveAspectRatio=\"none\" height=\"10\" "
                  "aria-hidden=\"true\">"
                  "<rect class=\"okf\" width=\"%.1f\" height=\"10\"/>"
                  "<rect class=\"nof\" x=\"%.1f\" width=\"%.1f\" height=\"10\"/></svg></td>"
                  "<td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n",
                  (unsigned long long)h->allowed, (unsigned long long)h->denied, allowed, allowed,
                  denied, report_bytes(sent, h->bytes_sent),
                  report_bytes(received, h->bytes_received));
}

static void put_hosts(const struct report *r, FILE *f)
{
    cleanup_free const struct report_host **hosts = report_hosts_sorted(r);
    uint64_t most = 1;

    if (r->host_count == 0)
        return;
    for (size_t i = 0; i < r->host_count; i++)
        if (hosts[i]->allowed + hosts[i]->denied > most)
            most = hosts[i]->allowed + hosts[i]->denied;
    begin_table(f, "Where", "host, address or socket|#allowed|#denied|share|#sent|#received");
    for (size_t i = 0; i < r->host_count && i < SHOWN_MAX; i++)
        put_host(hosts[i], most, f);
    (void)fputs("</table>\n", f);
    if (r->host_count > SHOWN_MAX)
        (void)fprintf(f, "<p>and %zu more</p>\n", r->host_count - SHOWN_MAX);
}

static void put_words(const struct report *r, const struct report_run *run, FILE *f)
{
    if (r->word_count == 0 && (!run || run->word_count == 0))
        return;
    begin_table(f, "Policy", "#used|endpoint");
    for (size_t i = 0; i < r->word_count && i < SHOWN_MAX; i++) {
        (void)fprintf(f, "<tr><td class=\"n\">%llu</td><td>",
                      (unsigned long long)r->words[i].count);
        put_code(f, r->words[i].text);
        (void)fputs("</td></tr>\n", f);
    }
    for (size_t i = 0; run && i < run->word_count && i < SHOWN_MAX; i++)
        if (!report_uses(r, run->words[i])) {
            (void)fputs("<tr><td class=\"n\">never</td><td>", f);
            put_code(f, run->words[i]);
            (void)fputs("</td></tr>\n", f);
        }
    (void)fputs("</table>\n", f);
}

void report_write_html(const struct report *r, const struct report_run *run, FILE *f)
{
    (void)fputs(head, f);
    put_run(r, run, f);
    put_sums(r, f);
    put_timeline(r, f);
    put_denials(r, f);
    put_hosts(r, f);
    put_words(r, run, f);
    (void)fputs("</main></body></html>\n", f);
}
