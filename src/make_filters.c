/* make_filters.c: writes filters.c, when cijail is built. */
#include <stdio.h>
#include <stdlib.h>

#include "dnsproxy/calls.h"
#include "httpproxy/calls.h"
#include "src/confine_seccomp.h"
#include "src/filter_rules.h"
#include "src/raw_maker_calls.h"
#include "src/util.h"

#define FILTERS_MAX 20

/* A filter, and how it is named: an array's elements come one after the other. */
struct made {
    struct filter filter;
    const char *array; /* or NULL: the name is that of one filter */
    const char *name;  /* or the element */
};

struct list {
    struct made made[FILTERS_MAX];
    size_t n;
};

static void add(struct list *l, const char *array, const char *name, scmp_filter_ctx rules)
{
    if (l->n == ARRAY_LEN(l->made))
        die("too many filters");
    struct made *m = &l->made[l->n++];
    m->array = array;
    m->name = name;
    filter_build(rules, &m->filter);
}

static void add_all(struct list *l)
{
    static const char *const pairs[] = {"[0][0]", "[0][1]", "[1][0]", "[1][1]"};
    static const char *const triples[] = {"[0][0][0]", "[0][0][1]", "[0][1][0]", "[0][1][1]",
                                          "[1][0][0]", "[1][0][1]", "[1][1][0]", "[1][1][1]"};

    for (unsigned i = 0; i < ARRAY_LEN(pairs); i++)
        add(l, "filter_command[2][2]", pairs[i], command_rules(i & 2, i & 1));
    for (unsigned i = 0; i < ARRAY_LEN(triples); i++) {
        const struct confine_seccomp who = {
            .gate = i & 4, .keeps_ids = i & 2, .writes_files = i & 1};
        add(l, "filter_confine[2][2][2]", triples[i], confine_rules(&who));
    }
    add(l, NULL, "filter_core", core_rules());
    add(l, NULL, "filter_proxy_lock", proxy_lock_rules());
    add(l, NULL, "filter_dnsproxy", isolate_rules(dnsproxy_calls, ARRAY_LEN(dnsproxy_calls)));
    add(l, NULL, "filter_httpproxy", isolate_rules(httpproxy_calls, ARRAY_LEN(httpproxy_calls)));
    add(l, NULL, "filter_raw_maker", isolate_rules(raw_maker_calls, ARRAY_LEN(raw_maker_calls)));
}

static void write_code(const struct filter *f, size_t number)
{
    printf("static const struct sock_filter code_%zu[] = {\n", number);
    for (unsigned i = 0; i < f->len; i++)
        printf("    {0x%02x, %u, %u, 0x%08x},\n", f->code[i].code, f->code[i].jt, f->code[i].jf,
               f->code[i].k);
    printf("};\n\n");
}

static void write_all_code(const struct list *l)
{
    printf("/* Made by make_filters. */\n#include \"src/filters.h\"\n\n");
    for (size_t i = 0; i < l->n; i++)
        write_code(&l->made[i].filter, i);
}

static void write_names(const struct list *l)
{
    const char *open = NULL;

    for (size_t i = 0; i < l->n; i++) {
        const struct made *m = &l->made[i];
        if (m->array != open) {
            if (open)
                printf("};\n");
            if (m->array)
                printf("const struct filter %s = {\n", m->array);
            open = m->array;
        }
        printf("%s%s = {%u, %u, code_%zu}%s\n", m->array ? "    " : "const struct filter ", m->name,
               m->filter.len, m->filter.selves, i, m->array ? "," : ";");
    }
}

int main(void)
{
    struct list l = {.n = 0};

    add_all(&l);
    write_all_code(&l);
    write_names(&l);
    for (size_t i = 0; i < l.n; i++)
        free((void *)(uintptr_t)l.made[i].filter.code);
    if (fflush(stdout) != 0 || ferror(stdout))
        die("cannot write");
    return 0;
}
