/* learn.c: collects what a run used, for --learn.
 *
 *   log.c, upstream_dns.c  ->  learn_*()  ->  tables  ->  learn_text.c  ->  FILE
 *
 * What was used is what passed: what the policy allowed, and in a dry run all else. What was denied
 * is kept apart, and stands in the file as comments, so that nothing is allowed by itself.
 *
 * All of it is chosen by the jail, so the tables are bounded (learn_table.h). URLs are never lost:
 * when their table is full, the deepest ones are cut to their folders, again and again if need be,
 * down to the host. Of the other kinds what finds no room is counted, and the file says so.
 *
 * The supervisor writes the file when the command has ended, beside it under another name, and
 * renames it. */
#include "src/learn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/address.h"
#include "src/learn_table.h"
#include "src/util.h"

#define NAMES_PER_ADDRESS 4

static struct learn_use now_times(uint64_t count)
{
    int64_t now = (int64_t)time(NULL);

    return (struct learn_use){.count = count, .first = now, .last = now};
}

/* --- requests --- */

/* One that a list of methods in a word can name, and that cannot be taken for anything else. */
static bool is_plain_method(const char *method)
{
    size_t n = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_");

    return n > 0 && !method[n] && n < POLICY_METHOD_SIZE;
}

static uint32_t method_bit(struct learn *l, const char *method)
{
    if (!is_plain_method(method))
        return LEARN_METHOD_ANY;
    for (unsigned i = 0; i < LEARN_METHODS; i++) {
        if (!l->methods[i][0])
            copy_string(l->methods[i], sizeof(l->methods[i]), method);
        if (strcmp(l->methods[i], method) == 0)
            return 1u << i;
    }
    return LEARN_METHOD_ANY;
}

/* Where the path begins in "https://host/path". */
static char *path_of(char *url)
{
    char *host = strstr(url, "://");

    return host ? strchr(host + 3, '/') : NULL;
}

/* The last one of its segments and what is behind it are cut, the slash before it stays. */
static void cut_segment(char *path)
{
    size_t len = strlen(path);

    if (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
    while (len > 1 && path[len - 1] != '/')
        path[--len] = '\0';
}

/* Segments of a path, an empty one at the end aside. */
static size_t segments(const char *path)
{
    size_t n = 0;

    for (const char *p = path; *p; p++)
        if (*p == '/' && p[1])
            n++;
    return n;
}

static void cut_path(char *path, size_t segments_max)
{
    for (size_t n = segments(path); n > segments_max; n--)
        cut_segment(path);
}

/* A canonical URL, perhaps cut by who reported it, as a prefix that covers it and is short enough.
 * False if it is no such URL. */
static bool make_key(const struct learn *l, const char *url, char *key, size_t size)
{
    UNINITIALIZED struct url u;
    char *path;
    bool cut = strlen(url) >= MSG_URL_SIZE - 1;

    copy_string(key, size, url);
    path = path_of(key);
    if (!path)
        return false;
    if (strchr(path, '?'))
        *strchr(path, '?') = '\0';
    else if (cut)
        cut_segment(path);
    while (strlen(key) >= LEARN_URL_SIZE && path[1])
        cut_segment(path);
    cut_path(path, l->segments_max);
    if (url_parse(key, strlen(key), &u, NULL) < 0 || url_format(&u, key, size) < 0)
        return false;
    return strlen(key) < LEARN_URL_SIZE;
}

bool learn_coarsen(struct learn *l)
{
    struct learn_table old = l->urls;
    char key[MSG_URL_SIZE];
    size_t deepest = 0;

    for (int pass = 0; pass < 2; pass++) {
        const struct learn_entry **list = learn_table_sorted(&old);
        for (size_t i = 0; i < old.count; i++) {
            size_t n;
            copy_string(key, sizeof(key), list[i]->key);
            n = segments(path_of(key));
            if (pass == 0 && n > deepest)
                deepest = n;
            if (pass == 0)
                continue;
            cut_path(path_of(key), l->segments_max);
            (void)learn_table_add(&l->urls, key, list[i]->bits, &list[i]->use);
        }
        free(list);
        if (pass == 0 && deepest == 0)
            return false;
        if (pass == 0) {
            l->segments_max = deepest - 1;
            learn_table_init(&l->urls, old.max);
            l->urls.lost = old.lost;
        }
    }
    learn_table_free(&old);
    return true;
}

/* key is perhaps cut. */
static void add_url(struct learn *l, char *key, const char *method)
{
    struct learn_use use = now_times(1);

    while ((l->urls.count >= l->urls.max || l->urls.bytes > LEARN_URL_BYTES_MAX) &&
           !learn_table_find(&l->urls, key) && learn_coarsen(l))
        ;
    cut_path(path_of(key), l->segments_max);
    (void)learn_table_add(&l->urls, key, method_bit(l, method), &use);
}

#define KIND(kind) (1u << ENDPOINT_##kind)
#define KINDS_RAW (KIND(NAME_PORT) | KIND(ADDRESS))
#define KINDS_SOCKET (KIND(UNIX) | KIND(ABSTRACT))

/* Is it a word of one of these kinds, and no pattern? What was used is one name; a proxy that says
 * otherwise is not to write what it likes into a policy. */
static bool is_learnable(const char *word, unsigned kinds)
{
    struct endpoint ep;
    bool good;

    if (policy_parse_word(word, strlen(word), &ep, NULL) < 0)
        return false;
    good = (1u << ep.kind & kinds) &&
           ((1u << ep.kind & KINDS_SOCKET) || (!strchr(word, '*') && !strchr(word, '/')));
    policy_free_endpoint(&ep);
    return good;
}

/* A word of a policy as it is, if it is one. */
static void add_word(struct learn_table *t, unsigned kinds, const char *word, uint64_t count)
{
    struct learn_use use = now_times(count);

    if (is_learnable(word, kinds))
        (void)learn_table_add(t, word, 0, &use);
    else
        t->lost += count;
}

/* text: what a comment says. */
static void add_denied(struct learn *l, const char *text, uint64_t count)
{
    struct learn_use use = now_times(count);
    char shown[1024];

    (void)escape_text(shown, sizeof(shown), text, strlen(text));
    (void)learn_table_add(&l->denied, shown, 0, &use);
}

/* CONNECT HOST:PORT: what is inside was not seen, so it is the tunnel that was denied. */
static void add_denied_tunnel(struct learn *l, const char *target)
{
    char url[MSG_URL_SIZE + 32];
    size_t n = strlen(target);
    bool https = n > 4 && strcmp(target + n - 4, ":443") == 0;

    if (strchr(target, '*')) /* no name, and as a word a pattern */
        (void)snprintf(url, sizeof(url), "(no endpoint) CONNECT %s", target);
    else if (https)
        (void)snprintf(url, sizeof(url), "https://%.*s/", (int)(n - 4), target);
    else
        (void)snprintf(url, sizeof(url), "%s", target);
    add_denied(l, url, 1);
}

static void add_denied_request(struct learn *l, const char *method, const char *url)
{
    struct learn_use use = now_times(1);
    char key[MSG_URL_SIZE], text[MSG_URL_SIZE + MSG_METHOD_SIZE + 2];

    if (strcmp(method, "CONNECT") == 0) {
        add_denied_tunnel(l, url);
    } else if (make_key(l, url, key, sizeof(key))) {
        (void)learn_table_add(&l->denied_urls, key, method_bit(l, method), &use);
    } else {
        (void)snprintf(text, sizeof(text), "(no endpoint) %s %s", method, url);
        add_denied(l, text, 1);
    }
}

/* A tunnel that was allowed by a URL, and in which nothing was asked for, used nothing. */
static bool is_raw_tunnel(const struct learn *l, uint32_t decision, uint32_t endpoint)
{
    if (decision == MSG_WOULD_DENY)
        return true;
    return endpoint < l->policy->count && l->policy->endpoints[endpoint].kind != ENDPOINT_URL;
}

void learn_request(struct learn *l, uint32_t decision, uint32_t endpoint, const char *method,
                   const char *url)
{
    char key[MSG_URL_SIZE];

    if (!l)
        return;
    if (decision == MSG_DENY)
        add_denied_request(l, method, url);
    else if (strcmp(method, "CONNECT") != 0 && make_key(l, url, key, sizeof(key)))
        add_url(l, key, method);
    else if (strcmp(method, "CONNECT") != 0)
        l->urls.lost++;
    else if (is_raw_tunnel(l, decision, endpoint))
        add_word(&l->raw, KINDS_RAW, url, 1);
}

/* --- names --- */

void learn_resolve(struct learn *l, uint32_t decision, const char *name, uint32_t count)
{
    if (!l)
        return;
    if (decision == MSG_DENY)
        add_denied(l, name, count);
    else if (strcmp(name, "*") == 0) /* folded: learn_asked has them, but for their number */
        return;
    else
        add_word(&l->names, KIND(NAME), name, count);
}

void learn_asked(struct learn *l, const char *name, const struct msg_server *server)
{
    struct msg_log_connect m = {.count = 0, .port = 53, .protocol = IPPROTO_UDP};

    if (!l)
        return;
    add_word(&l->names, KIND(NAME), name, 0);
    m.family = server->family;
    memcpy(m.address, server->address, sizeof(m.address));
    if (server->family != 0)
        learn_connect(l, MSG_ALLOW, &m);
}

/* --- addresses --- */

/* "0 192.0.2.1" to "3 192.0.2.1": an address may have several names. */
static void name_key(unsigned i, int family, const void *address, char out[ADDRESS_TEXT_SIZE + 8])
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(family, address, 0, text);
    (void)snprintf(out, ADDRESS_TEXT_SIZE + 8, "%u %s", i, text);
}

void learn_address(struct learn *l, const char *name, int family, const void *address)
{
    char key[ADDRESS_TEXT_SIZE + 8];

    if (!l)
        return;
    for (unsigned i = 0; i < NAMES_PER_ADDRESS; i++) {
        const struct learn_entry *e;
        name_key(i, family, address, key);
        e = learn_table_find(&l->addresses, key);
        if (e && strcmp(e->value, name) == 0)
            return;
        if (!e) {
            learn_table_set(&l->addresses, key, name);
            return;
        }
    }
}

/* NAME:PORT for each name by which the jail can have come to the address. False if there is none.
 * A name is no way to an address that is withheld from answers. */
static bool add_by_name(struct learn *l, const struct msg_log_connect *m)
{
    char key[ADDRESS_TEXT_SIZE + 8], word[NAME_SIZE + 8];
    bool any = false;

    if (m->port == 53 || address_classify(m->family, m->address) != ADDRESS_PUBLIC)
        return false;
    for (unsigned i = 0; i < NAMES_PER_ADDRESS; i++) {
        const struct learn_entry *e;
        name_key(i, m->family, m->address, key);
        e = learn_table_find(&l->addresses, key);
        if (!e)
            break;
        (void)snprintf(word, sizeof(word), "%s:%u", e->value, m->port);
        add_word(&l->raw, KINDS_RAW, word, m->count);
        any = true;
    }
    return any;
}

void learn_connect_by_name(struct learn *l, const char *name, uint16_t port)
{
    char word[NAME_SIZE + 8];

    if (!l)
        return;
    (void)snprintf(word, sizeof(word), "%s:%u", name, port);
    add_word(&l->raw, KINDS_RAW, word, 1);
}

void learn_connect(struct learn *l, uint32_t decision, const struct msg_log_connect *m)
{
    bool has_ports = (m->protocol == IPPROTO_TCP || m->protocol == IPPROTO_UDP) && m->port > 0;
    char where[ADDRESS_TEXT_SIZE], text[ADDRESS_TEXT_SIZE + 64];

    if (!l)
        return;
    address_format(m->family, m->address, m->port, where);
    if (!has_ports) {
        (void)snprintf(text, sizeof(text), "(no endpoint) protocol %u to %s", m->protocol, where);
        add_denied(l, text, m->count);
    } else if (decision == MSG_DENY) {
        add_denied(l, where, m->count);
    } else if (!add_by_name(l, m)) {
        add_word(&l->raw, KINDS_RAW, where, m->count);
    }
}

/* --- unix sockets --- */

void learn_unix(struct learn *l, uint32_t decision, const char *path, const char *real)
{
    const char *word = real[0] ? real : path;
    struct endpoint ep;

    if (!l)
        return;
    /* The real path may be too long for a word where what was asked for, by a link, is not. */
    if (policy_parse_word(word, strlen(word), &ep, NULL) < 0)
        word = path;
    else
        policy_free_endpoint(&ep);
    if (decision == MSG_DENY)
        add_denied(l, word, 1);
    else
        add_word(&l->sockets, KINDS_SOCKET, word, 1);
}

/* --- the file --- */

/* Where FILE is, or what it is a link to. */
static char *target_of(const char *path)
{
    char *real = realpath(path, NULL);

    return real ? real : xstrdup(path);
}

static int open_special(struct learn *l, const char *path, struct error *e)
{
    l->file = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return l->file < 0 ? error_errno(e, errno, "--learn: cannot open %s", path) : 0;
}

static int create(const struct learn *l, char name[64], struct error *e)
{
    int fd = -1;

    for (int i = 0; i < 100 && fd < 0; i++) {
        (void)snprintf(name, 64, ".cijail-learn.%d.%llu", (int)getpid(),
                       (unsigned long long)now_us());
        fd = openat(l->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd < 0 ? error_errno(e, errno, "--learn: cannot make a file beside %s",
                                l->options->learn_path)
                  : fd;
}

static int open_folder(struct learn *l, const char *path, struct error *e)
{
    const char *slash = strrchr(path, '/');
    cleanup_free char *folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
    char name[64];
    int fd;

    l->name = xstrdup(slash ? slash + 1 : path);
    if (!l->name[0])
        return error_set(e, EISDIR, "--learn: %s names no file", path);
    l->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (l->folder < 0)
        return error_errno(e, errno, "--learn: cannot open the folder of %s", path);
    fd = create(l, name, e);
    if (fd < 0)
        return fd;
    (void)close(fd);
    (void)unlinkat(l->folder, name, 0);
    return 0;
}

static void init_tables(struct learn *l)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};

    l->methods = xcalloc(LEARN_METHODS, sizeof(*l->methods));
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        copy_string(l->methods[i], sizeof(l->methods[i]), methods[i]);
    l->segments_max = SIZE_MAX;
    learn_table_init(&l->urls, LEARN_URLS_MAX);
    learn_table_init(&l->names, LEARN_OTHERS_MAX);
    learn_table_init(&l->raw, LEARN_OTHERS_MAX);
    learn_table_init(&l->sockets, LEARN_OTHERS_MAX);
    learn_table_init(&l->denied, LEARN_DENIED_MAX);
    learn_table_init(&l->denied_urls, LEARN_DENIED_MAX);
    learn_table_init(&l->addresses, LEARN_URLS_MAX);
}

struct learn *learn_new(const struct options *options, const struct policy *policy)
{
    struct learn *l = xcalloc(1, sizeof(*l));

    l->options = options;
    l->policy = policy;
    l->folder = l->file = -1;
    l->started = (int64_t)time(NULL);
    init_tables(l);
    return l;
}

int learn_open(struct learn **out, const struct options *options, const struct policy *policy,
               struct error *e)
{
    struct learn *l = learn_new(options, policy);
    cleanup_free char *path = target_of(options->learn_path);
    struct stat st;
    int r;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        r = error_set(e, EISDIR, "--learn: %s is a folder", path);
    else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        r = open_special(l, path, e);
    else
        r = open_folder(l, path, e);
    if (r < 0) {
        learn_free(l);
        return r;
    }
    search_list_read(&l->search);
    *out = l;
    return 0;
}

void learn_free(struct learn *l)
{
    if (!l)
        return;
    learn_table_free(&l->urls);
    learn_table_free(&l->names);
    learn_table_free(&l->raw);
    learn_table_free(&l->sockets);
    learn_table_free(&l->denied);
    learn_table_free(&l->denied_urls);
    learn_table_free(&l->addresses);
    if (l->folder >= 0)
        (void)close(l->folder);
    if (l->file >= 0)
        (void)close(l->file);
    free(l->methods);
    free(l->name);
    free(l);
}

int learn_folder(const struct learn *l)
{
    return l ? l->folder : -1;
}

int learn_write(struct learn *l, struct error *e)
{
    size_t len;
    cleanup_free char *text = learn_text(l, &len);
    const char *path = l->options->learn_path;
    cleanup_close int fd = -1;
    char name[64];
    int r;

    if (l->file >= 0) {
        r = write_all(l->file, text, len);
        return r < 0 ? error_errno(e, -r, "--learn: cannot write %s", path) : 0;
    }
    fd = create(l, name, e);
    if (fd < 0)
        return fd;
    r = write_all(fd, text, len);
    if (r == 0 && (fsync(fd) < 0 || renameat(l->folder, name, l->folder, l->name) < 0))
        r = -errno;
    if (r == 0)
        return 0;
    (void)unlinkat(l->folder, name, 0);
    return error_errno(e, -r, "--learn: cannot write %s", path);
}
