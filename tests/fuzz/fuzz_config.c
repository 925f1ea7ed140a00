/* fuzz_config.c: the first line names the reader, the rest is the file. What it calls back with has
 * its bounds, a line of the text, and an order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "preset/config.h"
#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

struct seen {
    unsigned lines;
    size_t count;
};

static void each(void *arg, const char *path, const char *value, unsigned line)
{
    struct seen *s = arg;

    CHECK(strlen(path) < CONFIG_PATH_SIZE && strlen(value) < CONFIG_VALUE_SIZE);
    CHECK(line >= 1 && line <= s->lines);
    s->count++;
}

static const struct {
    const char *name;
    void (*read)(const char *text, size_t len, config_cb *cb, void *arg);
} readers[] = {
    {"npmrc\n", config_npmrc},       {"pip\n", config_pip},       {"git\n", config_git},
    {"env\n", config_env},           {"toml\n", config_toml},     {"xml\n", config_xml},
    {"yaml\n", config_yaml},         {"list\n", config_apt_list}, {"sources\n", config_apt_sources},
    {"composer\n", config_composer},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        size_t n = strlen(readers[i].name);
        struct seen s = {.lines = 1};
        if (size < n || memcmp(data, readers[i].name, n) != 0)
            continue;
        for (size_t k = n; k < size; k++)
            s.lines += data[k] == '\n';
        readers[i].read((const char *)data + n, size - n, each, &s);
        CHECK(s.count <= size + 1);
    }
    return 0;
}
