#include "oci/hook.h"

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "src/util.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv, struct error *e);
} stages[] = {{"precreate", precreate_main}, {"createRuntime", create_main}};

static const char usage[] =
    "usage: " HOOK_NAME " precreate [--runtime-dir DIR] [CIJAIL-OPTION]...\n"
    "       " HOOK_NAME " createRuntime [--runtime-dir DIR] [--pod] [--policies ANNOTATION=DIR] "
    "[CIJAIL-OPTION]...\n"
    "       " HOOK_NAME " createRuntime FOLDER\n"
    "A container runtime calls this; see cijail-oci-hook(8).\n";

int hook_main(int argc, char **argv)
{
    struct error e;

    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf(HOOK_NAME " %s\n", PACKAGE_VERSION);
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(stages); i++) {
        if (strcmp(argv[1], stages[i].name) != 0)
            continue;
        if (stages[i].run(argc - 1, argv + 1, &e) == 0)
            return 0;
        warn_text("%s", e.text);
        return 1;
    }
    (void)fputs(usage, stderr);
    return 1;
}
