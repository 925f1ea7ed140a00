/* report_text.c: a report as plain text and as Markdown (GitHub's dialect, for a job's summary).
 *
 * Plain text is escaped as the log is. In Markdown every string of the jail stands in a code span,
 * whose fence is longer than any run of backquotes in it (CommonMark 0.30, 6.1), and a '|' in a
 * table cell is escaped (GFM, 4.10). */
#include <string.h>

#include "src/report_parts.h"
#include "src/util.h"

#define SHOWN_MAX 50 /* lines of a table */
#define CELL_SIZE 512

static const char *escaped(char *buf, const char *s)
{
    (void)escape_text(buf, CELL_SIZE, s, strlen(s));
    return buf;
}

/* --- text --- */

static void put_run(const struct report_run *run, FILE *f)
{
    char buf[CELL_SIZE], number[64];

    if (!run || !run->command)
        return;
    (void)fprintf(f, "command: %s\n", escaped(buf, run->command));
    (void)fprintf(f, "time: %s UTC, %s\n", report_time(buf, run->began),
                  report_number(number, (uint64_t)(run->ended - run->began), "second"));
    if (run->status >= 0)
        (void)fprintf(f, "exit status: %d\n", run->status);
}

static void put_sums(const struct report *r, FILE *f)
{
    char sent[32], received[32];

    (void)fprintf(f, "%s%llu allowed, %llu denied; %s sent, %s received\n",
                  r->dry_run ? "dry run (denied: would have been): " : "",
                  (unsigned long long)r->allowed, (unsigned long long)r->denied,
                  report_bytes(sent, r->bytes_sent), report_bytes(received, r->bytes_received));
    if (r->failed > 0)
        (void)fprintf(f, "%llu requests were allowed and failed\n", (unsigned long long)r->failed);
}

static void put_denials(const struct report *r, FILE *f)
{
    char text[CELL_SIZE], reason[CELL_SIZE];

    if (r->denial_count == 0)
        return;
    (void)fputs("\ndenied\n", f);
    for (size_t i = 0; i < r->denial_count && i < SHOWN_MAX; i++) {
        const struct report_denial *d = &r->denials[i];
        (void)fprintf(f, "%8llu  %s %s", (unsigned long long)d->count, report_kind_name(d->kind),
                      escaped(text, d->text));
        if (d->reason[0])
            (void)fprintf(f, " (%s)", escaped(reason, d->reason));
        (void)fputc('\n', f);
    }
    if (r->denial_count > SHOWN_MAX)
        (void)fprintf(f, "          and %zu more\n", r->denial_count - SHOWN_MAX);
}

static void put_hosts(const struct report *r, FILE *f)
{
    cleanup_free const struct report_host **hosts = report_hosts_sorted(r);
    char name[CELL_SIZE], sent[32], received[32];

    if (r->host_count == 0)
        return;
    (void)fprintf(f, "\n%8s %8s %10s %10s  %s\n", "allowed", "denied", "sent", "received", "where");
    for (size_t i = 0; i < r->host_count && i < SHOWN_MAX; i++)
        (void)fprintf(f, "%8llu %8llu %10s %10s  %s%s\n", (unsigned long long)hosts[i]->allowed,
                      (unsigned long long)hosts[i]->denied,
                      report_bytes(sent, hosts[i]->bytes_sent),
                      report_bytes(received, hosts[i]->bytes_received),
                      escaped(name, hosts[i]->name), hosts[i]->cut ? "..." : "");
    if (r->host_count > SHOWN_MAX)
        (void)fprintf(f, "%38s and %zu more\n", "", r->host_count - SHOWN_MAX);
}

static void put_unused(const struct report *r, const struct report_run *run, FILE *f)
{
    char word[CELL_SIZE];
    size_t n = 0;

    for (size_t i = 0; run && i < run->word_count; i++) {
        if (report_uses(r, run->words[i]))
            continue;
        if (n++ == 0)
            (void)fputs("\nnever used of the policy\n", f);
        if (n <= SHOWN_MAX)
            (void)fprintf(f, "  %s\n", escaped(word, run->words[i]));
    }
    if (n > SHOWN_MAX)
        (void)fprintf(f, "  and %zu more\n", n - SHOWN_MAX);
}

void report_write_text(const struct report *r, const struct report_run *run, FILE *f)
{
    put_run(run, f);
    put_sums(r, f);
    put_denials(r, f);
    put_hosts(r, f);
    put_unused(r, run, f);
}

/* --- Markdown --- */

/* A code span, fit for a table's cell. */
static void put_code(FILE *f, const char *s)
{
    char text[CELL_SIZE];
    size_t longest = 0, run = 0;

    (void)escape_text(text, sizeof(text), s, strlen(s));
    for (const char *c = text; *c; c++) {
        run = *c == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    for (size_t i = 0; i <= longest; i++)
        (void)fputc('`', f);
    (void)fputs(longest > 0 || text[0] == '\0' ? " " : "", f);
    for (const char *c = text; *c; c++)
        (void)fprintf(f, *c == '|' ? "\\%c" : "%c", *c);
    (void)fputs(longest > 0 ? " " : "", f);
    for (size_t i = 0; i <= longest; i++)
        (void)fputc('`', f);
}

static void put_markdown_run(const struct report_run *run, FILE *f)
{
    char number[64];

    if (!run || !run->command)
        return;
    put_code(f, run->command);
    if (run->status >= 0)
        (void)fprintf(f, " ended with status %d after %s.\n\n", run->status,
                      report_number(number, (uint64_t)(run->ended - run->began), "second"));
    else
        (void)fputs("\n\n", f);
}

static void put_markdown_denials(const struct report *r, FILE *f)
{
    if (r->denial_count == 0)
        return;
    (void)fputs("| times | denied | why |\n|---:|---|---|\n", f);
    for (size_t i = 0; i < r->denial_count && i < SHOWN_MAX; i++) {
        const struct report_denial *d = &r->denials[i];
        (void)fprintf(f, "| %llu | %s ", (unsigned long long)d->count, report_kind_name(d->kind));
        put_code(f, d->text);
        (void)fputs(" | ", f);
        put_code(f, d->reason[0] ? d->reason : "no endpoint allows it");
        (void)fputs(" |\n", f);
    }
    if (r->denial_count > SHOWN_MAX)
        (void)fprintf(f, "| | and %zu more | |\n", r->denial_count - SHOWN_MAX);
    (void)fputc('\n', f);
}

static void put_markdown_hosts(const struct report *r, FILE *f)
{
    cleanup_free const struct report_host **hosts = report_hosts_sorted(r);
    char sent[32], received[32];

    if (r->host_count == 0)
        return;
    (void)fprintf(f,
                  "<details><summary>%zu hosts and sockets</summary>\n\n"
                  "| where | allowed | denied | sent | received |\n|---|---:|---:|---:|---:|\n",
                  r->host_count);
    for (size_t i = 0; i < r->host_count && i < SHOWN_MAX; i++) {
        (void)fputs("| ", f);
        put_code(f, hosts[i]->name);
        (void)fprintf(f, " | %llu | %llu | %s | %s |\n", (unsigned long long)hosts[i]->allowed,
                      (unsigned long long)hosts[i]->denied,
                      report_bytes(sent, hosts[i]->bytes_sent),
                      report_bytes(received, hosts[i]->bytes_received));
    }
    if (r->host_count > SHOWN_MAX)
        (void)fprintf(f, "| and %zu more | | | | |\n", r->host_count - SHOWN_MAX);
    (void)fputs("\n</details>\n", f);
}

void report_write_markdown(const struct report *r, const struct report_run *run, FILE *f)
{
    (void)fprintf(f, "### cijail: %s%llu allowed, %llu denied\n\n", r->dry_run ? "dry run, " : "",
                  (unsigned long long)r->allowed, (unsigned long long)r->denied);
    put_markdown_run(run, f);
    put_markdown_denials(r, f);
    put_markdown_hosts(r, f);
}
