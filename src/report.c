/* report.c: the sums; see report.h. */
#include "src/report.h"

#include <string.h>
#include <time.h>

#include "src/report_parts.h"
#include "src/util.h"

#define BUCKETS 4096
#define NAME_SHOWN_MAX 255 /* bytes of a host or a path that are told apart */

struct report *report_new(void)
{
    struct report *r = xcalloc(1, sizeof(*r));

    r->period = 1;
    r->hosts = xcalloc(REPORT_HOSTS_MAX, sizeof(*r->hosts));
    r->denials = xcalloc(REPORT_DENIED_MAX, sizeof(*r->denials));
    r->words = xcalloc(REPORT_ENDPOINTS_MAX, sizeof(*r->words));
    r->host_buckets = xcalloc(BUCKETS, sizeof(*r->host_buckets));
    r->denial_buckets = xcalloc(BUCKETS, sizeof(*r->denial_buckets));
    r->word_buckets = xcalloc(BUCKETS, sizeof(*r->word_buckets));
    return r;
}

void report_free(struct report *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->host_count; i++)
        free(r->hosts[i].name);
    for (size_t i = 0; i < r->denial_count; i++) {
        free(r->denials[i].text);
        free(r->denials[i].reason);
        free(r->denials[i].where);
    }
    for (size_t i = 0; i < r->word_count; i++)
        free(r->words[i].text);
    free(r->hosts);
    free(r->denials);
    free(r->words);
    free(r->host_buckets);
    free(r->denial_buckets);
    free(r->word_buckets);
    free(r);
}

static size_t *bucket_of(size_t *buckets, const char *key, size_t len)
{
    return &buckets[hash_bytes(HASH_START, key, len) % BUCKETS];
}

/* NULL: no room for one more. */
static struct report_host *host_of(struct report *r, const char *name)
{
    size_t len = strnlen(name, NAME_SHOWN_MAX), *bucket = bucket_of(r->host_buckets, name, len);
    struct report_host *h;

    for (size_t i = *bucket; i; i = r->hosts[i - 1].next)
        if (strncmp(r->hosts[i - 1].name, name, len) == 0 && !r->hosts[i - 1].name[len])
            return &r->hosts[i - 1];
    if (r->host_count == REPORT_HOSTS_MAX)
        return NULL;
    h = &r->hosts[r->host_count++];
    h->name = xstrndup(name, len);
    h->cut = name[len] != '\0';
    h->next = *bucket;
    *bucket = r->host_count;
    return h;
}

static struct report_denial *denial_of(struct report *r, const struct report_event *e)
{
    size_t *bucket = bucket_of(r->denial_buckets, e->what, strlen(e->what));
    struct report_denial *d;

    for (size_t i = *bucket; i; i = r->denials[i - 1].next)
        if (r->denials[i - 1].kind == e->kind && strcmp(r->denials[i - 1].text, e->what) == 0)
            return &r->denials[i - 1];
    if (r->denial_count == REPORT_DENIED_MAX)
        return NULL;
    d = &r->denials[r->denial_count++];
    d->kind = e->kind;
    d->text = xstrdup(e->what);
    d->reason = xstrdup(e->reason);
    d->where = xstrdup(e->where);
    d->first = e->time;
    d->next = *bucket;
    *bucket = r->denial_count;
    return d;
}

static struct report_word *find_word(const struct report *r, const char *word)
{
    for (size_t i = *bucket_of(r->word_buckets, word, strlen(word)); i; i = r->words[i - 1].next)
        if (strcmp(r->words[i - 1].text, word) == 0)
            return &r->words[i - 1];
    return NULL;
}

static void add_word(struct report *r, const char *word, uint64_t count)
{
    struct report_word *w = find_word(r, word);
    size_t *bucket = bucket_of(r->word_buckets, word, strlen(word));

    if (w) {
        w->count += count;
        return;
    }
    if (r->word_count == REPORT_ENDPOINTS_MAX)
        return;
    w = &r->words[r->word_count++];
    w->text = xstrdup(word);
    w->count = count;
    w->next = *bucket;
    *bucket = r->word_count;
}

bool report_uses(const struct report *r, const char *word)
{
    return find_word(r, word) != NULL;
}

/* Two periods become one, until t has its place. */
static void make_room(struct report *r, int64_t t)
{
    while ((t - r->first) / r->period >= REPORT_PERIODS) {
        for (size_t i = 0; i < REPORT_PERIODS; i++) {
            struct report_period p = r->periods[i];
            r->periods[i] = (struct report_period){0};
            r->periods[i / 2].allowed += p.allowed;
            r->periods[i / 2].denied += p.denied;
        }
        r->period *= 2;
    }
}

static void add_to_timeline(struct report *r, const struct report_event *e, uint64_t count)
{
    struct report_period *p;
    int64_t t = e->time;

    if (r->first == 0)
        r->first = r->last = t;
    if (t < r->first) /* the clock was set back */
        t = r->first;
    if (t > r->last)
        r->last = t;
    make_room(r, t);
    p = &r->periods[(t - r->first) / r->period];
    *(e->denied ? &p->denied : &p->allowed) += count;
}

/* How much of the event is new: of the sum of a denial that was counted before, the rest. */
static uint64_t count_denial(struct report *r, const struct report_event *e)
{
    struct report_denial *d = denial_of(r, e);
    uint64_t before = d ? d->count : 0, count = e->count;

    if (!d) {
        r->more_denials += count;
        return count;
    }
    if (e->again)
        count = count > before ? count - before : 0;
    d->count += count;
    return count;
}

void report_add(struct report *r, const struct report_event *e)
{
    uint64_t count = e->denied ? count_denial(r, e) : e->count;
    struct report_host *h = host_of(r, e->where);

    *(e->denied ? &r->denied : &r->allowed) += count;
    r->failed += !e->denied && e->kind == REPORT_REQUEST && (e->status == 0 || e->status >= 500);
    r->bytes_sent += e->bytes_sent;
    r->bytes_received += e->bytes_received;
    r->dry_run |= e->dry_run;
    add_to_timeline(r, e, count);
    if (e->word[0])
        add_word(r, e->word, count);
    if (!h) {
        r->more_hosts += count;
        return;
    }
    *(e->denied ? &h->denied : &h->allowed) += count;
    h->bytes_sent += e->bytes_sent;
    h->bytes_received += e->bytes_received;
}

/* --- for the formats --- */

static int compare_hosts(const void *a, const void *b)
{
    const struct report_host *x = *(const struct report_host *const *)a,
                             *y = *(const struct report_host *const *)b;

    if ((x->denied > 0) != (y->denied > 0))
        return x->denied > 0 ? -1 : 1;
    if (x->allowed + x->denied != y->allowed + y->denied)
        return x->allowed + x->denied > y->allowed + y->denied ? -1 : 1;
    return strcmp(x->name, y->name);
}

const struct report_host **report_hosts_sorted(const struct report *r)
{
    const struct report_host **list = xcalloc(r->host_count + 1, sizeof(void *));

    for (size_t i = 0; i < r->host_count; i++)
        list[i] = &r->hosts[i];
    qsort(list, r->host_count, sizeof(void *), compare_hosts);
    return list;
}

size_t report_period_count(const struct report *r)
{
    return r->first == 0 ? 0 : (size_t)((r->last - r->first) / r->period) + 1;
}

const char *report_number(char *buf, uint64_t n, const char *noun)
{
    (void)snprintf(buf, 64, "%llu %s%s", (unsigned long long)n, noun, n == 1 ? "" : "s");
    return buf;
}

const char *report_bytes(char *buf, uint64_t n)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)n;
    size_t unit = 0;

    for (; value >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
        value /= 1024;
    (void)snprintf(buf, 32, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return buf;
}

const char *report_time(char *buf, int64_t t)
{
    time_t at = (time_t)t;
    struct tm tm;

    if (!gmtime_r(&at, &tm) || strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        copy_string(buf, 32, "?");
    return buf;
}

static const char *const kind_names[REPORT_KINDS] = {"connect", "resolve", "request", "unix",
                                                     "netlink"};

const char *report_kind_name(enum report_kind kind)
{
    return kind_names[kind];
}

bool report_kind_of(const char *name, enum report_kind *kind)
{
    for (unsigned i = 0; i < REPORT_KINDS; i++)
        if (strcmp(kind_names[i], name) == 0) {
            *kind = (enum report_kind)i;
            return true;
        }
    return false;
}

void report_host_of(const char *url, char *host, size_t size)
{
    const char *start = strstr(url, "://");
    size_t len;

    start = start ? start + 3 : url;
    len = strcspn(start, "/?");
    if (len >= size)
        len = size - 1;
    memcpy(host, start, len);
    host[len] = '\0';
}

bool report_format_of(const char *path, enum report_format *format)
{
    static const struct {
        const char *end;
        enum report_format format;
    } ends[] = {{".md", REPORT_MARKDOWN},
                {".html", REPORT_HTML},
                {".json", REPORT_JSON},
                {".txt", REPORT_TEXT}};
    size_t n = strlen(path);

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        size_t len = strlen(ends[i].end);
        if (n > len && strcmp(path + n - len, ends[i].end) == 0) {
            *format = ends[i].format;
            return true;
        }
    }
    return false;
}

void report_write(const struct report *r, const struct report_run *run, enum report_format format,
                  FILE *f)
{
    static void (*const writers[])(const struct report *, const struct report_run *, FILE *) = {
        [REPORT_TEXT] = report_write_text,
        [REPORT_MARKDOWN] = report_write_markdown,
        [REPORT_HTML] = report_write_html,
        [REPORT_JSON] = report_write_json,
    };

    writers[format](r, run, f);
}
