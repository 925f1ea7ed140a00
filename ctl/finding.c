#include "ctl/finding.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#include "ctl/json.h"
#include "src/util.h"

#define NOTES_SHOWN 20 /* of each kind, to people */
#define KINDS_MAX 32

static const char *const level_names[FINDING_LEVELS] = {"note", "warning", "error"};

void finding_add(struct findings *f, enum finding_level level, const char *code, const char *source,
                 unsigned line, const char *word, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (f->count == f->capacity) {
        f->capacity = f->capacity ? f->capacity * 2 : 16;
        f->list = xrealloc(f->list, f->capacity * sizeof(*f->list));
    }
    f->list[f->count] = (struct finding){.level = level,
                                         .code = code,
                                         .source = xstrdup(source),
                                         .line = line,
                                         .word = xstrdup(word),
                                         .text = xstrdup(text),
                                         .order = f->count};
    f->count++;
    f->of_level[level]++;
}

static int compare(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    int order = strcmp(x->source, y->source);

    if (order == 0 && x->line != y->line)
        order = x->line < y->line ? -1 : 1;
    if (order == 0)
        order = x->order < y->order ? -1 : 1;
    return order;
}

void findings_sort(struct findings *f)
{
    if (f->count > 0)
        qsort(f->list, f->count, sizeof(*f->list), compare);
}

void findings_free(struct findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->list[i].source);
        free(f->list[i].word);
        free(f->list[i].text);
    }
    free(f->list);
    memset(f, 0, sizeof(*f));
}

static void print_one(const struct finding *x, FILE *out)
{
    char source[512], word[512], text[2048];

    (void)escape_text(source, sizeof(source), x->source, strlen(x->source));
    (void)escape_text(word, sizeof(word), x->word, strlen(x->word));
    if (x->escaped)
        copy_string(text, sizeof(text), x->text);
    else
        (void)escape_text(text, sizeof(text), x->text, strlen(x->text));
    (void)fprintf(out, "%s:", source);
    if (x->line > 0)
        (void)fprintf(out, "%u:", x->line);
    (void)fprintf(out, " %s: ", level_names[x->level]);
    if (word[0])
        (void)fprintf(out, "'%s': ", word);
    (void)fprintf(out, "%s [%s]\n", text, x->code);
}

/* How many notes there were of each kind. */
struct kinds {
    const char *code[KINDS_MAX];
    size_t notes[KINDS_MAX], count;
};

/* Is this a note of a kind of which enough has been said? */
static bool is_folded(struct kinds *k, const struct finding *x)
{
    size_t i = 0;

    if (x->level != FINDING_NOTE)
        return false;
    while (i < k->count && strcmp(k->code[i], x->code) != 0)
        i++;
    if (i == KINDS_MAX)
        return false;
    if (i == k->count)
        k->code[k->count++] = x->code;
    return ++k->notes[i] > NOTES_SHOWN;
}

void findings_print(const struct findings *f, FILE *out)
{
    struct kinds kinds = {.count = 0};

    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].level == FINDING_ERROR)
            print_one(&f->list[i], out);
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].level != FINDING_ERROR && !is_folded(&kinds, &f->list[i]))
            print_one(&f->list[i], out);
    for (size_t i = 0; i < kinds.count; i++)
        if (kinds.notes[i] > NOTES_SHOWN)
            (void)fprintf(out, "note: there are %zu more of these [%s]\n",
                          kinds.notes[i] - NOTES_SHOWN, kinds.code[i]);
}

void findings_print_json(const struct findings *f, FILE *out)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->count; i++) {
        const struct finding *x = &f->list[i];
        json_t *o = json_object();
        json_set_text(o, "level", level_names[x->level]);
        json_set_text(o, "code", x->code);
        json_set_text(o, "source", x->source);
        json_set_new_checked(o, "line", json_integer(x->line));
        json_set_text(o, "word", x->word);
        json_set_text(o, "text", x->text);
        json_append_checked(list, o);
    }
    json_print(json_pack("{s:o,s:I,s:I,s:I}", "findings", list, "errors",
                         (json_int_t)f->of_level[FINDING_ERROR], "warnings",
                         (json_int_t)f->of_level[FINDING_WARNING], "notes",
                         (json_int_t)f->of_level[FINDING_NOTE]),
               out);
}
