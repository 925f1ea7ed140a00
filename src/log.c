/* log.c: lines of INTERFACE's form, "[Sun Apr 04 17:28:22 2024] cijail: deny connect 1.1.1.1:53".
 *
 * In a dry run DRYRUN stands before the decision, but where something was really denied: what a dry
 * run cannot let through either.
 *
 * Without -v only denials are written, each distinct one once; its count follows at the end, if it
 * came again. The table of distinct ones is bounded: what does not fit in is counted together.
 * Strings come from the jail: they reach the log escaped, in text as \xNN and in JSON as JSON has
 * it. */
#include "src/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/address.h"
#include "src/msg_batch.h"
#include "src/progress.h"
#include "src/util.h"

#define DISTINCT_MAX 2048
#define BUCKETS 4096
/* What the longest strings make, each byte escaped: \xNN in text, \u00NN in JSON. */
#define KEY_SIZE (4 * (MSG_URL_SIZE + MSG_METHOD_SIZE + MSG_TEXT_SIZE) + 256)
#define JSON_SIZE (6 * (MSG_URL_SIZE + MSG_METHOD_SIZE + MSG_TEXT_SIZE + POLICY_WORD_MAX) + 1024)
#define LINE_SIZE (JSON_SIZE + 256)

struct seen {
    char *key;  /* the text after the time: "deny connect 1.1.1.1:53" */
    char *json; /* the members of the JSON object after "time", or NULL */
    uint64_t count;
    struct seen *next;  /* in its bucket */
    struct seen *later; /* in the order of first sight */
};

struct log {
    const struct options *options;
    const struct policy *policy;
    struct learn *learn;   /* NULL: nothing is learned */
    struct report *report; /* NULL: there will be none */
    struct progress *progress;
    int fd;
    bool is_stderr;
    struct stat file; /* as it was when it was opened */
    char *path;       /* likewise; or NULL */
    uint64_t written; /* bytes, since then */
    int error;        /* 0, or the negative errno of what could not be written first */
    struct log_counts counts;
    uint64_t unlisted;
    size_t distinct;
    struct seen *buckets[BUCKETS], *first, **last;
    char *line; /* LINE_SIZE bytes */
};

/* A line or object being built in a fixed buffer; what does not fit is cut. */
struct text {
    char *buf;
    size_t size, len;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->len = t->len + (size_t)n < t->size ? t->len + (size_t)n : t->size - 1;
}

static void put_escaped(struct text *t, const char *s)
{
    if (t->size - t->len > 8)
        t->len += escape_text(t->buf + t->len, t->size - t->len, s, strlen(s));
}

static void put_json_string(struct text *t, const char *name, const char *s)
{
    put(t, ",\"%s\":\"", name);
    if (t->size - t->len > 64)
        t->len += escape_json(t->buf + t->len, t->size - t->len - 64, s);
    put(t, "\"");
}

static void put_endpoint(struct text *t, const struct policy *p, uint32_t index)
{
    if (index < p->count)
        put_json_string(t, "endpoint", p->endpoints[index].word);
}

static const char *type_name(uint16_t type, char buf[16])
{
    static const struct {
        uint16_t type;
        const char *name;
    } names[] = {{1, "A"},      {2, "NS"},     {5, "CNAME"},  {6, "SOA"},    {12, "PTR"},
                 {13, "HINFO"}, {15, "MX"},    {16, "TXT"},   {28, "AAAA"},  {33, "SRV"},
                 {35, "NAPTR"}, {39, "DNAME"}, {43, "DS"},    {46, "RRSIG"}, {48, "DNSKEY"},
                 {52, "TLSA"},  {64, "SVCB"},  {65, "HTTPS"}, {251, "IXFR"}, {252, "AXFR"},
                 {255, "ANY"},  {257, "CAA"}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].type == type)
            return names[i].name;
    (void)snprintf(buf, 16, "TYPE%u", type); /* RFC 3597, 5 */
    return buf;
}

static const char *protocol_name(unsigned protocol, char buf[16])
{
    static const struct {
        unsigned protocol;
        const char *name;
    } names[] = {{1, "icmp"}, {2, "igmp"}, {6, "tcp"},     {17, "udp"},   {33, "dccp"},
                 {47, "gre"}, {50, "esp"}, {58, "icmpv6"}, {132, "sctp"}, {136, "udplite"}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].protocol == protocol)
            return names[i].name;
    (void)snprintf(buf, 16, "%u", protocol);
    return buf;
}

/* The log's file is full or gone: said once, on standard error; the jail goes on. */
static void set_error(struct log *l, int r)
{
    if (r >= 0 || l->error)
        return;
    l->error = r;
    progress_erase(l->progress);
    if (!l->is_stderr)
        warn_text("cannot write the log %s: %s; it is not complete", l->options->log_path,
                  strerror(-r));
}

static void write_out(struct log *l, const char *data, size_t len)
{
    if (l->is_stderr)
        progress_erase(l->progress);
    set_error(l, write_all(l->fd, data, len));
    l->written += len;
}

static void write_text_line(struct log *l, const char *key, uint64_t count)
{
    char stamp[64];
    time_t now = time(NULL);
    struct tm tm;
    struct text t = {l->line, LINE_SIZE, 0};

    if (!localtime_r(&now, &tm) || !strftime(stamp, sizeof(stamp), "%a %b %d %H:%M:%S %Y", &tm))
        copy_string(stamp, sizeof(stamp), "-");
    put(&t, "[%s] cijail: %s", stamp, key);
    if (count > 1)
        put(&t, " (%llu times)", (unsigned long long)count);
    if (t.len > LINE_SIZE - 2)
        t.len = LINE_SIZE - 2;
    put(&t, "\n");
    write_out(l, t.buf, t.len);
}

/* total: at the end, of an event that has a line already. */
static void write_json_line(struct log *l, const char *members, uint64_t count, bool total)
{
    char stamp[64];
    time_t now = time(NULL);
    struct tm tm;
    struct text t = {l->line, LINE_SIZE, 0};

    if (!gmtime_r(&now, &tm) || !strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm))
        copy_string(stamp, sizeof(stamp), "");
    put(&t, "{\"time\":\"%s\"%s", stamp, members);
    if (count > 1)
        put(&t, ",\"count\":%llu", (unsigned long long)count);
    put(&t, total ? ",\"total\":true}\n" : "}\n");
    write_out(l, t.buf, t.len);
}

static void write_event(struct log *l, const char *key, const char *json, uint64_t count,
                        bool total)
{
    if (l->options->log_format == LOG_JSON)
        write_json_line(l, json, count, total);
    else
        write_text_line(l, key, count);
}

static unsigned hash(const char *s)
{
    return hash_bytes(HASH_START, s, strlen(s)) % BUCKETS;
}

/* Is this denial new? Counts it in any case. */
static bool first_time(struct log *l, const char *key, const char *json, uint64_t count)
{
    struct seen **bucket = &l->buckets[hash(key)], *s;

    for (s = *bucket; s; s = s->next)
        if (!strcmp(s->key, key)) {
            s->count += count;
            return false;
        }
    if (l->distinct >= DISTINCT_MAX) {
        l->unlisted += count;
        return false;
    }
    l->distinct++;
    s = xcalloc(1, sizeof(*s));
    s->key = xstrdup(key);
    s->json = l->options->log_format == LOG_JSON ? xstrdup(json) : NULL;
    s->count = count;
    s->next = *bucket;
    *bucket = s;
    *l->last = s;
    l->last = &s->later;
    return true;
}

static void event(struct log *l, uint32_t decision, const char *key, const char *json,
                  uint64_t count)
{
    if (decision == MSG_ALLOW)
        l->counts.allowed += count;
    else
        l->counts.denied += count;
    if (l->options->quiet)
        return;
    if (l->options->verbose)
        write_event(l, key, json, count, false);
    else if (decision != MSG_ALLOW && first_time(l, key, json, count))
        write_event(l, key, json, 1, false);
}

static const char *decision_name(uint32_t decision)
{
    return decision == MSG_ALLOW ? "allow" : "deny";
}

/* MSG_DENY is said of what a dry run cannot let through either. */
static bool is_dry(const struct log *l, uint32_t decision)
{
    return l->options->dry_run && decision != MSG_DENY;
}

static void begin_text(const struct log *l, struct text *t, uint32_t decision)
{
    put(t, "%s%s ", is_dry(l, decision) ? "DRYRUN " : "", decision_name(decision));
}

static void begin_json(const struct log *l, struct text *t, uint32_t decision, const char *kind)
{
    put(t, ",\"decision\":\"%s\",\"dry_run\":%s,\"kind\":\"%s\"", decision_name(decision),
        is_dry(l, decision) ? "true" : "false", kind);
}

/* Fills what every event has and adds it. */
static void report(struct log *l, struct report_event *e, uint32_t decision, uint32_t endpoint)
{
    e->time = (int64_t)time(NULL);
    e->denied = decision != MSG_ALLOW;
    e->dry_run = is_dry(l, decision);
    e->word = endpoint < l->policy->count ? l->policy->endpoints[endpoint].word : "";
    report_add(l->report, e);
}

static void report_request(struct log *l, const struct msg_log_request *m)
{
    UNINITIALIZED char where[NAME_SIZE + 8], what[MSG_METHOD_SIZE + MSG_URL_SIZE + 2];
    struct report_event e = {.kind = REPORT_REQUEST,
                             .count = 1,
                             .where = where,
                             .what = what,
                             .reason = m->decision == MSG_ALLOW ? "" : m->reason,
                             .status = m->status,
                             .bytes_sent = m->bytes_sent,
                             .bytes_received = m->bytes_received};

    report_host_of(m->url, where, sizeof(where));
    (void)snprintf(what, sizeof(what), "%s %s", m->method, m->url);
    report(l, &e, m->decision, m->endpoint);
}

void log_request(struct log *l, const struct msg_log_request *m)
{
    UNINITIALIZED char key[KEY_SIZE], json[JSON_SIZE];
    char status[16] = "-";
    struct text k = {key, sizeof(key), 0}, j = {json, sizeof(json), 0};

    l->counts.sent += m->bytes_sent;
    l->counts.received += m->bytes_received;
    learn_request(l->learn, m->decision, m->endpoint, m->method, m->url);
    if (l->report)
        report_request(l, m);
    if (m->decision == MSG_ALLOW && !l->options->verbose) { /* counted, and not written */
        l->counts.allowed++;
        return;
    }
    if (m->status > 0)
        (void)snprintf(status, sizeof(status), "%d", m->status);
    begin_text(l, &k, m->decision);
    put(&k, "%s ", status);
    put_escaped(&k, m->method);
    put(&k, " ");
    put_escaped(&k, m->url);
    /* it failed, or an endpoint allows it and something else does not */
    if ((m->decision != MSG_DENY || m->endpoint != POLICY_INDEX_NONE) && m->reason[0]) {
        put(&k, ": ");
        put_escaped(&k, m->reason);
    }
    begin_json(l, &j, m->decision, "request");
    put_json_string(&j, "method", m->method);
    put_json_string(&j, "url", m->url);
    if (m->status > 0)
        put(&j, ",\"status\":%d", m->status);
    put(&j, ",\"bytes_sent\":%llu,\"bytes_received\":%llu", (unsigned long long)m->bytes_sent,
        (unsigned long long)m->bytes_received);
    put_endpoint(&j, l->policy, m->endpoint);
    if (m->reason[0] || m->decision == MSG_WOULD_DENY)
        put_json_string(&j, "reason", m->reason[0] ? m->reason : "no endpoint allows it");
    event(l, m->decision, key, json, 1);
}

void log_batch(struct log *l, const struct msg_log_batch *b)
{
    UNINITIALIZED struct msg_log_request m;
    size_t at = 0;

    while (msg_batch_next(b, &at, &m))
        log_request(l, &m);
}

static void report_resolve(struct log *l, const struct msg_log_resolve *m, const char *type)
{
    UNINITIALIZED char what[sizeof(m->name) + 32];
    struct report_event e = {.kind = REPORT_RESOLVE,
                             .count = m->count,
                             .where = m->name,
                             .what = what,
                             .reason = m->decision == MSG_ALLOW ? "" : m->reason};

    (void)snprintf(what, sizeof(what), "%s %s", m->name, type);
    report(l, &e, m->decision, m->endpoint);
}

void log_resolve(struct log *l, const struct msg_log_resolve *m)
{
    UNINITIALIZED char key[KEY_SIZE], json[JSON_SIZE], type[16];
    struct text k = {key, sizeof(key), 0}, j = {json, sizeof(json), 0};
    const char *name = type_name(m->qtype, type);

    learn_resolve(l->learn, m->decision, m->name, m->count);
    if (l->report)
        report_resolve(l, m, name);
    begin_text(l, &k, m->decision);
    put(&k, "resolve ");
    put_escaped(&k, m->name);
    put(&k, " %s", name);
    if (m->decision == MSG_ALLOW && m->reason[0]) { /* no answer */
        put(&k, ": ");
        put_escaped(&k, m->reason);
    }
    begin_json(l, &j, m->decision, "resolve");
    put_json_string(&j, "name", m->name);
    put_json_string(&j, "type", name);
    put_endpoint(&j, l->policy, m->endpoint);
    if (m->reason[0])
        put_json_string(&j, "reason", m->reason);
    event(l, m->decision, key, json, m->count);
}

void log_named_connect(struct log *l, const struct msg_log_connect *m, const char *name,
                       const char *reason)
{
    UNINITIALIZED char json[JSON_SIZE];
    char key[128], address[ADDRESS_TEXT_SIZE], where[ADDRESS_TEXT_SIZE], buf[16];
    struct text k = {key, sizeof(key), 0}, j = {json, sizeof(json), 0};
    const char *protocol = protocol_name(m->protocol, buf);

    if (name[0] && m->decision != MSG_DENY)
        learn_address(l->learn, name, m->family, m->address);
    learn_connect(l->learn, m->decision, m);
    address_format(m->family, m->address, 0, address);
    address_format(m->family, m->address, m->port, where);
    if (m->protocol == 0) /* dnsproxy's sum of what was too much to tell apart */
        (void)snprintf(where, sizeof(where), "(too many addresses to list)");
    if (l->report)
        report(l,
               &(struct report_event){.kind = REPORT_CONNECT,
                                      .count = m->count,
                                      .where = name[0] ? name : address,
                                      .what = where,
                                      .reason = m->decision == MSG_ALLOW ? "" : reason},
               m->decision, m->endpoint);
    begin_text(l, &k, m->decision);
    put(&k, "connect %s", where);
    if (m->protocol && m->protocol != IPPROTO_TCP && m->protocol != IPPROTO_UDP)
        put(&k, " %s", protocol);
    begin_json(l, &j, m->decision, "connect");
    put_json_string(&j, "address", address);
    if (m->port)
        put(&j, ",\"port\":%u", m->port);
    put_json_string(&j, "protocol", protocol);
    if (name[0])
        put_json_string(&j, "name", name);
    put_endpoint(&j, l->policy, m->endpoint);
    if (reason[0])
        put_json_string(&j, "reason", reason);
    event(l, m->decision, key, json, m->count);
}

void log_connect_by_name(struct log *l, uint32_t decision, uint32_t endpoint, const char *name,
                         uint16_t port)
{
    UNINITIALIZED char key[NAME_SIZE + 64], json[JSON_SIZE];
    struct text k = {key, sizeof(key), 0}, j = {json, sizeof(json), 0};

    learn_connect_by_name(l->learn, name, port);
    begin_text(l, &k, decision);
    put(&k, "connect ");
    put_escaped(&k, name);
    put(&k, ":%u", port);
    begin_json(l, &j, decision, "connect");
    put(&j, ",\"port\":%u,\"protocol\":\"tcp\"", port);
    put_json_string(&j, "name", name);
    put_endpoint(&j, l->policy, endpoint);
    event(l, decision, key, json, 1);
}

void log_connect(struct log *l, const struct msg_log_connect *m)
{
    log_named_connect(l, m, "", "");
}

void log_tunnel(struct log *l, const struct msg_log_tunnel *m)
{
    struct msg_log_connect c = {.decision = MSG_DENY,
                                .endpoint = POLICY_INDEX_NONE,
                                .count = 1,
                                .port = m->port,
                                .family = m->family,
                                .protocol = IPPROTO_TCP};

    msg_init(&c, MSG_LOG_CONNECT, sizeof(c));
    memcpy(c.address, m->address, sizeof(c.address));
    log_named_connect(l, &c, m->name, m->reason);
}

void log_unix(struct log *l, uint32_t decision, const char *path, const char *real,
              uint32_t endpoint)
{
    UNINITIALIZED char key[1024], json[JSON_SIZE];
    struct text k = {key, sizeof(key), 0}, j = {json, sizeof(json), 0};

    learn_unix(l->learn, decision, path, real);
    if (l->report)
        report(l,
               &(struct report_event){
                   .kind = REPORT_UNIX, .count = 1, .where = path, .what = path, .reason = ""},
               decision, endpoint);
    begin_text(l, &k, decision);
    put(&k, "unix ");
    put_escaped(&k, path);
    begin_json(l, &j, decision, "unix");
    put_json_string(&j, "path", path);
    put_endpoint(&j, l->policy, endpoint);
    event(l, decision, key, json, 1);
}

void log_error(struct log *l, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    progress_erase(l->progress);
    warn_text("%s", text);
    if (!l->is_stderr && l->options->log_format == LOG_TEXT)
        write_text_line(l, text, 1);
}

void log_set_report(struct log *l, struct report *r)
{
    l->report = r;
}

void log_set_progress(struct log *l, struct progress *p)
{
    l->progress = p;
}

void log_count(const struct log *l, struct log_counts *out)
{
    *out = l->counts;
}

void log_set_learn(struct log *l, struct learn *learn)
{
    l->learn = learn;
}

uint64_t log_denials(const struct log *l)
{
    return l->counts.denied;
}

int log_open(struct log **out, const struct options *options, const struct policy *policy,
             struct error *e)
{
    struct log *l = xcalloc(1, sizeof(*l));
    char path[PATH_MAX];

    *l = (struct log){.options = options, .policy = policy, .fd = STDERR_FILENO, .is_stderr = true};
    l->last = &l->first;
    l->line = xmalloc(LINE_SIZE);
    if (options->log_path) {
        l->fd = open(options->log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
        if (l->fd < 0) {
            int err = errno;
            free(l->line);
            free(l);
            return error_errno(e, err, "cannot open the log %s", options->log_path);
        }
        if (fstat(l->fd, &l->file) < 0)
            l->file.st_mode = 0;
        if (fd_path(l->fd, path) == 0)
            l->path = xstrdup(path);
        l->is_stderr = false;
    }
    *out = l;
    return 0;
}

static void write_counts(struct log *l)
{
    for (struct seen *s = l->first; s; s = s->later)
        if (s->count > 1)
            write_event(l, s->key, s->json, s->count, true);
    if (l->unlisted && l->options->log_format == LOG_TEXT) {
        char text[128];
        (void)snprintf(text, sizeof(text), "%llu more denials, of which each is not listed",
                       (unsigned long long)l->unlisted);
        write_text_line(l, text, 1);
    }
}

/* The command may have the right to write where the log is. What it overwrites is not seen. */
static void look_for_changes(struct log *l)
{
    char path[PATH_MAX];
    struct stat now;
    bool lost;

    if (l->is_stderr || l->error || !S_ISREG(l->file.st_mode) || fstat(l->fd, &now) < 0)
        return;
    lost = (uint64_t)now.st_size < (uint64_t)l->file.st_size + l->written || now.st_nlink == 0;
    lost |= l->path && fd_path(l->fd, path) == 0 && strcmp(path, l->path) != 0;
    if (!lost)
        return;
    l->error = -ESTALE;
    progress_erase(l->progress);
    warn_text("the log %s was cut or replaced while the command ran: what it says is not to be "
              "relied on; put it where the command cannot write",
              l->options->log_path);
}

int log_close(struct log *l)
{
    char text[128];
    int r;

    if (!l->options->quiet && !l->options->verbose)
        write_counts(l);
    if (!l->options->quiet && l->options->log_format == LOG_TEXT &&
        (l->counts.allowed || l->counts.denied || l->options->dry_run)) {
        (void)snprintf(text, sizeof(text), "%s%llu allowed, %llu denied",
                       l->options->dry_run ? "dry run: " : "",
                       (unsigned long long)l->counts.allowed, (unsigned long long)l->counts.denied);
        write_text_line(l, text, 1);
    }
    while (l->first) {
        struct seen *s = l->first;
        l->first = s->later;
        free(s->key);
        free(s->json);
        free(s);
    }
    look_for_changes(l);
    if (!l->is_stderr)
        set_error(l, close(l->fd) < 0 ? -errno : 0);
    r = l->is_stderr ? 0 : l->error;
    free(l->path);
    free(l->line);
    free(l);
    return r;
}
