/* report_json.c: a report as one JSON object (RFC 8259). */
#include <string.h>

#include "src/report_parts.h"
#include "src/util.h"

static void put_string(FILE *f, const char *s)
{
    char text[6 * 1024 + 1];

    (void)escape_json(text, sizeof(text), s);
    (void)fprintf(f, "\"%s\"", text);
}

static void put_member(FILE *f, const char *name, const char *s)
{
    (void)fprintf(f, "\"%s\": ", name);
    put_string(f, s);
}

static void put_number(FILE *f, const char *name, uint64_t n)
{
    (void)fprintf(f, ", \"%s\": %llu", name, (unsigned long long)n);
}

static void put_run(const struct report_run *run, FILE *f)
{
    if (!run || !run->command)
        return;
    (void)fputs("  ", f);
    put_member(f, "command", run->command);
    (void)fprintf(f, ",\n  \"began\": %lld, \"ended\": %lld,", (long long)run->began,
                  (long long)run->ended);
    if (run->status >= 0)
        (void)fprintf(f, " \"exit_status\": %d,", run->status);
    (void)fputc('\n', f);
}

static void put_denials(const struct report *r, FILE *f)
{
    (void)fputs("  \"denials\": [", f);
    for (size_t i = 0; i < r->denial_count; i++) {
        const struct report_denial *d = &r->denials[i];
        (void)fprintf(f, "%s\n    {", i ? "," : "");
        put_member(f, "kind", report_kind_name(d->kind));
        (void)fputs(", ", f);
        put_member(f, "what", d->text);
        (void)fputs(", ", f);
        put_member(f, "where", d->where);
        (void)fputs(", ", f);
        put_member(f, "reason", d->reason);
        put_number(f, "first", (uint64_t)d->first);
        put_number(f, "count", d->count);
        (void)fputc('}', f);
    }
    (void)fputs("],\n", f);
}

static void put_hosts(const struct report *r, FILE *f)
{
    cleanup_free const struct report_host **hosts = report_hosts_sorted(r);

    (void)fputs("  \"hosts\": [", f);
    for (size_t i = 0; i < r->host_count; i++) {
        (void)fprintf(f, "%s\n    {", i ? "," : "");
        put_member(f, "name", hosts[i]->name);
        put_number(f, "allowed", hosts[i]->allowed);
        put_number(f, "denied", hosts[i]->denied);
        put_number(f, "bytes_sent", hosts[i]->bytes_sent);
        put_number(f, "bytes_received", hosts[i]->bytes_received);
        (void)fputc('}', f);
    }
    (void)fputs("],\n", f);
}

static void put_timeline(const struct report *r, FILE *f)
{
    (void)fprintf(f, "  \"timeline\": {\"began\": %lld, \"period\": %lld, \"periods\": [",
                  (long long)r->first, (long long)r->period);
    for (size_t i = 0; i < report_period_count(r); i++)
        (void)fprintf(f, "%s[%llu, %llu]", i ? ", " : "", (unsigned long long)r->periods[i].allowed,
                      (unsigned long long)r->periods[i].denied);
    (void)fputs("]},\n", f);
}

static void put_words(const struct report *r, const struct report_run *run, FILE *f)
{
    bool first = true;

    (void)fputs("  \"used\": [", f);
    for (size_t i = 0; i < r->word_count; i++) {
        (void)fputs(i ? ", {" : "{", f);
        put_member(f, "word", r->words[i].text);
        put_number(f, "count", r->words[i].count);
        (void)fputc('}', f);
    }
    (void)fputs("],\n  \"unused\": [", f);
    for (size_t i = 0; run && i < run->word_count; i++)
        if (!report_uses(r, run->words[i])) {
            (void)fputs(first ? "" : ", ", f);
            put_string(f, run->words[i]);
            first = false;
        }
    (void)fputs("]\n", f);
}

void report_write_json(const struct report *r, const struct report_run *run, FILE *f)
{
    (void)fputs("{\n", f);
    put_run(run, f);
    (void)fprintf(f, "  \"dry_run\": %s", r->dry_run ? "true" : "false");
    put_number(f, "allowed", r->allowed);
    put_number(f, "denied", r->denied);
    put_number(f, "failed", r->failed);
    put_number(f, "bytes_sent", r->bytes_sent);
    put_number(f, "bytes_received", r->bytes_received);
    put_number(f, "more_hosts", r->more_hosts);
    put_number(f, "more_denials", r->more_denials);
    (void)fputs(",\n", f);
    put_denials(r, f);
    put_hosts(r, f);
    put_timeline(r, f);
    put_words(r, run, f);
    (void)fputs("}\n", f);
}
