/* hosts_file.c: names of the file in a sorted list, read anew when the file changes. A file over
 * FILE_MAX bytes, or one that is not there, has no names. */
#include "src/hosts_file.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/stat.h>

#include "src/name.h"
#include "src/util.h"

#define FILE_MAX (4u << 20)
#define LOOK_MS 1000

struct host {
    char *name; /* canonical */
    uint32_t order;
    int family;
    uint8_t address[16];
};

struct hosts_file {
    const char *path;
    uint64_t looked_ms;  /* 0: never */
    uint64_t generation; /* how often it has been read */
    struct timespec changed;
    off_t size;
    struct host *hosts; /* by name, then as they stand in the file */
    size_t count, capacity;
};

static void clear(struct hosts_file *h)
{
    for (size_t i = 0; i < h->count; i++)
        free(h->hosts[i].name);
    h->count = 0;
}

static int compare(const void *a, const void *b)
{
    const struct host *x = a, *y = b;
    int r = strcmp(x->name, y->name);

    return r ? r : (x->order > y->order) - (x->order < y->order);
}

static void add(struct hosts_file *h, const char *word, int family, const uint8_t address[16])
{
    char name[NAME_SIZE];

    if (name_canon(word, strlen(word), name, NULL) < 0)
        return;
    if (h->count == h->capacity) {
        h->capacity = h->capacity ? h->capacity * 2 : 16;
        h->hosts = xrealloc(h->hosts, h->capacity * sizeof(*h->hosts));
    }
    h->hosts[h->count] =
        (struct host){.name = xstrdup(name), .order = (uint32_t)h->count, .family = family};
    memcpy(h->hosts[h->count++].address, address, 16);
}

static void read_line(struct hosts_file *h, char *line)
{
    char *save = NULL, *word = strtok_r(line, " \t\r", &save);
    uint8_t address[16] = {0};
    int family;

    if (!word)
        return;
    family = strchr(word, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, word, address) != 1)
        return;
    while ((word = strtok_r(NULL, " \t\r", &save)))
        add(h, word, family, address);
}

static void read_hosts(struct hosts_file *h)
{
    cleanup_free char *text = NULL;
    char *line, *save = NULL;
    size_t len;

    clear(h);
    h->generation++;
    if (read_file(h->path, FILE_MAX, &text, &len, NULL) < 0)
        return;
    for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        line[strcspn(line, "#")] = '\0';
        read_line(h, line);
    }
    if (h->count > 0)
        qsort(h->hosts, h->count, sizeof(*h->hosts), compare);
}

static void update(struct hosts_file *h)
{
    uint64_t now = now_ms();
    struct stat st = {0};

    if (h->looked_ms != 0 && now - h->looked_ms < LOOK_MS)
        return;
    (void)stat(h->path, &st);
    if (h->looked_ms == 0 || st.st_size != h->size || st.st_mtim.tv_sec != h->changed.tv_sec ||
        st.st_mtim.tv_nsec != h->changed.tv_nsec)
        read_hosts(h);
    h->size = st.st_size;
    h->changed = st.st_mtim;
    h->looked_ms = now;
}

/* The first entry of that name, or where it would stand. */
static size_t first(const struct hosts_file *h, const char *name)
{
    size_t low = 0, high = h->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (strcmp(h->hosts[mid].name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

size_t hosts_file_find(struct hosts_file *h, const char *name, int family,
                       uint8_t out[HOSTS_FILE_ADDRESSES][16])
{
    size_t n = 0;

    update(h);
    for (size_t i = first(h, name); i < h->count && strcmp(h->hosts[i].name, name) == 0; i++)
        if (h->hosts[i].family == family && n < HOSTS_FILE_ADDRESSES)
            memcpy(out[n++], h->hosts[i].address, 16);
    return n;
}

bool hosts_file_changed(struct hosts_file *h, uint64_t *generation)
{
    bool changed;

    update(h);
    changed = h->generation != *generation;
    *generation = h->generation;
    return changed;
}

void hosts_file_each(const struct hosts_file *h, hosts_file_cb *cb, void *arg)
{
    for (size_t i = 0; i < h->count; i++)
        cb(arg, h->hosts[i].name, h->hosts[i].family, h->hosts[i].address);
}

bool hosts_file_has_below(struct hosts_file *h, const char *name)
{
    size_t len = strlen(name);

    update(h);
    for (size_t i = 0; i < h->count; i++) {
        size_t n = strlen(h->hosts[i].name);

        if (n >= len && strcmp(h->hosts[i].name + n - len, name) == 0 &&
            (n == len || h->hosts[i].name[n - len - 1] == '.'))
            return true;
    }
    return false;
}

struct hosts_file *hosts_file_new(const char *path)
{
    struct hosts_file *h = xcalloc(1, sizeof(*h));

    h->path = path;
    return h;
}

void hosts_file_free(struct hosts_file *h)
{
    if (!h)
        return;
    clear(h);
    free(h->hosts);
    free(h);
}
