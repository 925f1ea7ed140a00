/* standalone.c: runs a fuzz target over its corpus, for builds without libFuzzer: each file in the
 * arguments, or in $srcdir/tests/fuzz/corpus/NAME where the program is .../fuzz_NAME. Fails if
 * there is no input at all. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    cleanup_free char *data = NULL;
    char *exact;
    size_t len;

    if (read_file(path, 1u << 20, &data, &len, NULL) < 0)
        return 0;
    exact = xmalloc(len); /* so that ASan sees a read past the end */
    memcpy(exact, data, len);
    (void)LLVMFuzzerTestOneInput((const uint8_t *)exact, len);
    free(exact);
    return 1;
}

static int run_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *d;
    int n = 0;

    if (!dir) {
        fprintf(stderr, "%s: cannot be opened\n", folder);
        return 0;
    }
    while ((d = readdir(dir))) {
        cleanup_free char *path = xasprintf("%s/%s", folder, d->d_name);
        if (d->d_name[0] != '.')
            n += run_file(path);
    }
    closedir(dir);
    return n;
}

int main(int argc, char **argv)
{
    const char *srcdir = getenv("srcdir");
    const char *name = strstr(argv[0], "fuzz_");
    int n = 0;

    for (int i = 1; i < argc; i++)
        n += run_file(argv[i]);
    if (argc == 1 && name) {
        const char *last = name;
        while ((name = strstr(last + 1, "fuzz_")))
            last = name;
        cleanup_free char *folder =
            xasprintf("%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", last + strlen("fuzz_"));
        n = run_folder(folder);
    }
    printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
