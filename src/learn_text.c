/* learn_text.c: what was learned, as the text of a policy (cijail-policy(5)).
 *
 * URLs are folded (learn_fold.c) for each host and method apart, since a policy that lets a folder
 * be read is not to let it be written; then the methods of one prefix are put together, and what a
 * wider line covers is left out. What a run under a policy used is not folded, nor has it a HEAD
 * beside a GET, where that policy would not allow it all; and where a line without its query, or of
 * a path that was cut, is more than the policy allows, the policy's own words stand in its place.
 * Every word is parsed as a policy's before
 * it is written. Whatever is a comment is escaped, so that nothing of the jail's begins a line. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "src/learn_table.h"
#include "src/util.h"

#define COMMENT_AT 56   /* column */
#define COMMAND_MAX 512 /* of the command line */
#define GET 1u          /* the first two methods of learn.methods */
#define HEAD 2u
#define ROOM (POLICY_TEXT_MAX - 16384) /* for lines; the rest is for what is around them */

struct line {
    struct learn_path path;
    uint32_t methods;
};

struct writer {
    struct learn *l;
    FILE *f;
    struct learn_table hosts; /* that lines allow to resolve */
    bool *own;                /* words of the run's policy that have been written, by index */
    uint64_t left_out;        /* lines, for lack of room */
};

static void put_time(FILE *f, int64_t t)
{
    time_t at = (time_t)t;
    char text[32] = "?";
    struct tm tm;

    if (gmtime_r(&at, &tm))
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    (void)fputs(text, f);
}

static void put_use(FILE *f, const struct learn_use *use, const char *what)
{
    unsigned long long n = use->count ? use->count : 1;

    (void)fprintf(f, "# %llu %s%s, ", n, what, n == 1 ? "" : "s");
    put_time(f, use->first);
    if (use->last != use->first) {
        (void)fputs(" to ", f);
        put_time(f, use->last);
    }
    (void)fputs(" UTC\n", f);
}

/* before: "" or "# ". False if the text would be longer than a policy. */
static bool put_line(struct writer *w, const char *before, const char *word,
                     const struct learn_use *use, const char *what)
{
    long at = ftell(w->f);

    if (at < 0 || (size_t)at + strlen(word) + 128 > ROOM) {
        w->left_out++;
        return false;
    }
    (void)fprintf(w->f, "%s%-*s ", before, COMMENT_AT, word);
    put_use(w->f, use, what);
    return true;
}

/* --- URLs --- */

static void put_methods(const struct learn *l, uint32_t methods, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < LEARN_METHODS && !(methods & LEARN_METHOD_ANY); i++)
        if (methods & 1u << i && len < size)
            len += (size_t)snprintf(out + len, size - len, "%s%s", len ? "," : "", l->methods[i]);
    if (len > 0 && len < size)
        (void)snprintf(out + len, size - len, ":");
}

static bool is_word(const char *word)
{
    struct endpoint ep;

    if (policy_parse_word(word, strlen(word), &ep, NULL) < 0)
        return false;
    policy_free_endpoint(&ep);
    return true;
}

static void put_url(struct writer *w, const struct line *line, const char *before)
{
    char methods[LEARN_METHODS * POLICY_METHOD_SIZE + 2];
    cleanup_free char *url = xstrndup(line->path.path, line->path.len);
    cleanup_free char *word = NULL;

    put_methods(w->l, line->methods, methods, sizeof(methods));
    word = xasprintf("%s%s", methods, url);
    if (!is_word(word)) /* a method that is no token: all are allowed then */
        memmove(word, word + strlen(methods), strlen(url) + 1);
    (void)put_line(w, before, word, &line->path.use, "request");
}

/* Does the policy of the run allow all that begins so? */
static bool is_within(const struct learn *l, const char *method, const char *url, size_t len)
{
    struct url u;

    return url_parse(url, len, &u, NULL) == 0 && policy_match_request(l->policy, method, &u);
}

/* Those of class bit of an entry: what is read may be asked about, too. */
static uint32_t methods_of_class(uint32_t bit)
{
    return bit == GET ? GET | HEAD : bit == LEARN_METHOD_ANY ? UINT32_MAX : bit;
}

static bool is_in_class(uint32_t bits, uint32_t bit)
{
    if (bits & LEARN_METHOD_ANY)
        return bit == LEARN_METHOD_ANY;
    return (bits & bit) && !(bit == HEAD && bits & GET);
}

static size_t take_class(const struct learn_entry **entries, size_t n, size_t host, uint32_t bit,
                         struct learn_path *out)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        if (is_in_class(entries[i]->bits, bit))
            out[count++] = (struct learn_path){entries[i]->key + host,
                                               strlen(entries[i]->key + host), entries[i]->use};
    return count;
}

static bool all_within(const struct learn *l, const struct line *lines, size_t n, uint32_t bit)
{
    const char *method = bit == LEARN_METHOD_ANY ? "" : l->methods[__builtin_ctz(bit)];

    for (size_t i = 0; i < n; i++)
        if (!is_within(l, method, lines[i].path.path, lines[i].path.len))
            return false;
    return true;
}

static void make_lines(const struct learn_path *paths, size_t n, size_t host, uint32_t bit,
                       struct line *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct line){.path = paths[i], .methods = methods_of_class(bit)};
        out[i].path.path -= host;
        out[i].path.len += host;
    }
}

/* The n entries of one host, whose name takes host bytes, that have the method: folded to *out. The
 * paths are folded with the host's name before them, which all share. bounded: by the policy of the
 * run. */
static size_t fold_class(const struct learn *l, const struct learn_entry **entries, size_t n,
                         size_t host, uint32_t bit, bool bounded, struct line *out)
{
    struct learn_path *paths = xcalloc(n + 1, sizeof(*paths));
    size_t count = learn_fold(paths, take_class(entries, n, host, bit, paths));

    make_lines(paths, count, host, bit, out);
    if (bounded && !all_within(l, out, count, bit)) {
        count = take_class(entries, n, host, bit, paths);
        make_lines(paths, count, host, bit, out);
    }
    for (size_t i = 0; i < count && bounded && bit == GET; i++)
        if (!is_within(l, "HEAD", out[i].path.path, out[i].path.len))
            out[i].methods = GET;
    free(paths);
    return count;
}

static int compare_lines(const void *a, const void *b)
{
    const struct learn_path *x = &((const struct line *)a)->path,
                            *y = &((const struct line *)b)->path;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->path, y->path, len);

    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static bool starts_with(const struct line *a, const struct line *b)
{
    return b->path.len <= a->path.len && memcmp(a->path.path, b->path.path, b->path.len) == 0;
}

/* Sorted lines: those of one prefix become one. */
static size_t merge_same(struct line *lines, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (kept > 0 && compare_lines(&lines[kept - 1], &lines[i]) == 0) {
            lines[kept - 1].methods |= lines[i].methods;
            learn_use_add(&lines[kept - 1].path.use, &lines[i].path.use);
        } else {
            lines[kept++] = lines[i];
        }
    return kept;
}

/* And what a wider one allows already goes. above: indices of the lines that the present one starts
 * with. */
static size_t drop_narrower(struct line *lines, size_t n)
{
    size_t *above = xcalloc(n + 1, sizeof(*above));
    size_t kept = 0, depth = 0;

    for (size_t i = 0; i < n; i++) {
        struct line *wider = NULL;
        while (depth > 0 && !starts_with(&lines[i], &lines[above[depth - 1]]))
            depth--;
        for (size_t k = 0; k < depth && !wider; k++)
            if ((lines[i].methods & ~lines[above[k]].methods) == 0)
                wider = &lines[above[k]];
        if (wider) {
            learn_use_add(&wider->path.use, &lines[i].path.use);
            continue;
        }
        lines[kept] = lines[i];
        above[depth++] = kept++;
    }
    free(above);
    return kept;
}

static void note_host(struct writer *w, const char *url)
{
    static const struct learn_use once = {.count = 1};
    struct url u;

    if (url_parse(url, strlen(url), &u, NULL) == 0)
        (void)learn_table_add(&w->hosts, u.authority.host, 0, &once);
}

/* The line's methods by which the policy allows all that begins so. */
static uint32_t methods_within(const struct learn *l, const struct line *line)
{
    uint32_t within = 0;

    if (line->methods & LEARN_METHOD_ANY)
        return is_within(l, "", line->path.path, line->path.len) ? line->methods : 0;
    for (unsigned i = 0; i < LEARN_METHODS; i++)
        if (line->methods & 1u << i && is_within(l, l->methods[i], line->path.path, line->path.len))
            within |= 1u << i;
    return within;
}

static bool may_have_been_used(const struct learn *l, const struct endpoint *ep,
                               const struct url *u, uint32_t methods)
{
    if (ep->kind != ENDPOINT_URL || ep->scheme != u->scheme || ep->port != u->authority.port ||
        !name_match(ep->host, u->authority.host) ||
        strncmp(ep->prefix, u->target, strlen(u->target)) != 0)
        return false;
    for (unsigned i = 0; i < LEARN_METHODS; i++)
        if (methods & 1u << i && policy_endpoint_has_method(ep, l->methods[i]))
            return true;
    return methods & LEARN_METHOD_ANY;
}

/* What the line stands for has been allowed by one or more of these. */
static void put_policy_words(struct writer *w, const struct line *line)
{
    const struct policy *p = w->l->policy;
    struct url u;

    if (url_parse(line->path.path, line->path.len, &u, NULL) < 0)
        return;
    for (size_t i = 0; i < p->count; i++)
        if (!w->own[i] && may_have_been_used(w->l, &p->endpoints[i], &u, line->methods))
            w->own[i] = put_line(w, "", p->endpoints[i].word, &line->path.use, "request");
}

static size_t host_len(const char *url)
{
    return (size_t)(strchr(strstr(url, "://") + 3, '/') - url);
}

static void put_host(struct writer *w, const struct learn_entry **entries, size_t n, size_t host,
                     const char *before)
{
    struct line *lines;
    size_t count = 0, most = 0;
    bool bounded = !w->l->options->dry_run && !before[0];

    for (size_t i = 0; i < n; i++)
        most += (size_t)__builtin_popcount(entries[i]->bits);
    lines = xcalloc(most + 1, sizeof(*lines));
    for (unsigned i = 0; i < LEARN_METHODS; i++)
        count += fold_class(w->l, entries, n, host, 1u << i, bounded, lines + count);
    count += fold_class(w->l, entries, n, host, LEARN_METHOD_ANY, bounded, lines + count);
    qsort(lines, count, sizeof(*lines), compare_lines);
    count = merge_same(lines, count);
    count = drop_narrower(lines, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t all = lines[i].methods, within = bounded ? methods_within(w->l, &lines[i]) : all;

        lines[i].methods = within;
        if (within != 0)
            put_url(w, &lines[i], before);
        lines[i].methods = all & ~within;
        if (within != all)
            put_policy_words(w, &lines[i]);
    }
    free(lines);
}

/* used: these are allowed, and so is resolving their hosts. */
static void put_urls(struct writer *w, const struct learn_table *t, bool used)
{
    const struct learn_entry **list = learn_table_sorted(t);

    for (size_t i = 0, n; i < t->count; i += n) {
        size_t host = host_len(list[i]->key);
        n = 1;
        while (i + n < t->count && host_len(list[i + n]->key) == host &&
               strncmp(list[i + n]->key, list[i]->key, host) == 0)
            n++;
        put_host(w, list + i, n, host, used ? "" : "# ");
        if (used)
            note_host(w, list[i]->key);
    }
    free(list);
}

/* --- the rest --- */

static void note_raw(struct writer *w, const struct learn_table *t)
{
    const struct learn_entry **list = learn_table_sorted(t);
    const struct learn_use once = {.count = 1};
    struct endpoint ep;

    for (size_t i = 0; i < t->count; i++) {
        if (policy_parse_word(list[i]->key, strlen(list[i]->key), &ep, NULL) < 0)
            continue;
        if (ep.kind == ENDPOINT_NAME_PORT)
            (void)learn_table_add(&w->hosts, ep.host, 0, &once);
        policy_free_endpoint(&ep);
    }
    free(list);
}

static void put_words(struct writer *w, const struct learn_table *t, const char *before,
                      const char *what)
{
    const struct learn_entry **list = learn_table_sorted(t);

    for (size_t i = 0; i < t->count; i++)
        (void)put_line(w, before, list[i]->key, &list[i]->use, what);
    free(list);
}

/* It was completed with a search domain, and then, since that was none, asked for as it is. */
static bool is_completed(const struct writer *w, const char *name)
{
    const struct search_list *s = &w->l->search;
    char base[NAME_SIZE];

    for (size_t i = 0; i < s->count; i++)
        if (search_list_base(s, i, name, base) && learn_table_find(&w->l->names, base))
            return true;
    return false;
}

/* Under a policy, one that was completed is not of it. */
static bool is_of_policy(const struct writer *w, const char *name)
{
    return w->l->options->dry_run || policy_match_resolve(w->l->policy, name);
}

static void put_names(struct writer *w)
{
    const struct learn_entry **list = learn_table_sorted(&w->l->names);

    for (size_t i = 0; i < w->l->names.count; i++)
        if (!learn_table_find(&w->hosts, list[i]->key) && !is_completed(w, list[i]->key) &&
            is_of_policy(w, list[i]->key))
            (void)put_line(w, "", list[i]->key, &list[i]->use, "lookup");
    free(list);
}

static void put_command(struct writer *w)
{
    char shown[COMMAND_MAX];

    (void)fputs("#  ", w->f);
    for (char **arg = w->l->options->command; arg && *arg; arg++) {
        (void)escape_text(shown, sizeof(shown), *arg, strlen(*arg));
        (void)fprintf(w->f, " %s", shown);
        if (ftell(w->f) > 4 * COMMAND_MAX && arg[1]) {
            (void)fputs(" ...", w->f);
            break;
        }
    }
    (void)fputc('\n', w->f);
}

static void put_header(struct writer *w)
{
    const struct learn *l = w->l;

    (void)fprintf(w->f, "# Learned by cijail %s, ", PACKAGE_VERSION);
    put_time(w->f, l->started);
    (void)fprintf(w->f, " UTC, %s of:\n",
                  l->options->dry_run ? "in a dry run" : "in a run under a policy");
    put_command(w);
    (void)fprintf(w->f, "# It allows what this run %s. Read it before you use it.\n",
                  l->options->dry_run ? "did, whatever that was" : "used of its policy");
    (void)fputs("# A URL is a prefix: what ends in a slash allows all below.\n\n", w->f);
}

/* What cannot be seen: it is carried over. */
static void put_unseen(struct writer *w)
{
    if (policy_has_kind(w->l->policy, ENDPOINT_NETLINK))
        (void)fprintf(w->f, "%-*s # kept: whether it is used is not seen\n", COMMENT_AT,
                      "[netlink]");
}

static void put_lost(struct writer *w)
{
    const struct learn *l = w->l;
    uint64_t lost = l->urls.lost + l->names.lost + l->raw.lost + l->sockets.lost + w->left_out;

    if (lost > 0)
        (void)fprintf(w->f,
                      "\n# %llu uses are not in this policy: too many different ones, or of a kind "
                      "that no endpoint can name.\n",
                      (unsigned long long)lost);
}

static void put_denied(struct writer *w)
{
    const struct learn *l = w->l;

    if (l->denied.count + l->denied_urls.count == 0)
        return;
    (void)fputs(
        "\n# Denied in this run, and not allowed by this policy. Taking the '#' away allows "
        "it.\n",
        w->f);
    put_urls(w, &l->denied_urls, false);
    put_words(w, &l->denied, "# ", "time");
}

static void put_all(struct writer *w)
{
    const struct learn *l = w->l;

    put_header(w);
    put_urls(w, &l->urls, true);
    note_raw(w, &l->raw);
    put_words(w, &l->raw, "", "connection");
    put_names(w);
    put_words(w, &l->sockets, "", "connection");
    put_unseen(w);
    put_lost(w);
    put_denied(w);
}

char *learn_text(struct learn *l, size_t *len)
{
    for (;;) {
        struct writer w = {.l = l, .own = xcalloc(l->policy->count + 1, sizeof(bool))};
        char *text = NULL;

        w.f = xopen_memstream(&text, len);
        learn_table_init(&w.hosts, LEARN_URLS_MAX + LEARN_OTHERS_MAX);
        put_all(&w);
        learn_table_free(&w.hosts);
        free(w.own);
        xclose_memstream(w.f, &text);
        if (w.left_out == 0 || !learn_coarsen(l))
            return text;
        free(text);
    }
}
