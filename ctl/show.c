/* show.c: cijailctl show: what a preset comes to here and now, as a policy, each word with the file
 * and line, or the variable, that it is from. */
#include <getopt.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "preset/preset.h"
#include "src/util.h"

static int word_width(const struct policy *p)
{
    size_t width = 0;

    for (size_t i = 0; i < p->count; i++) {
        size_t n = strlen(p->endpoints[i].word);
        width = n > width && n <= 80 ? n : width;
    }
    return (int)width;
}

static void print_text(const struct policy *p, const struct preset_notes *notes)
{
    int width = word_width(p);

    for (size_t i = 0; i < p->count; i++) {
        const struct endpoint *ep = &p->endpoints[i];
        char word[POLICY_WORD_MAX], source[512];
        (void)escape_text(word, sizeof(word), ep->word, strlen(ep->word));
        (void)escape_text(source, sizeof(source), ep->source, strlen(ep->source));
        if (ep->source[0] == '/')
            printf("%-*s  # %s:%u\n", width, word, source, ep->line);
        else
            printf("%-*s  # %s\n", width, word, source);
    }
    for (size_t i = 0; i < notes->count; i++)
        printf("# %s\n", notes->text[i]);
}

static void print_json(const struct policy *p, const struct preset_notes *notes)
{
    json_t *root = json_object(), *words = json_array(), *list = json_array();

    for (size_t i = 0; i < p->count; i++) {
        json_t *o = json_object();
        json_set_text(o, "word", p->endpoints[i].word);
        json_set_text(o, "source", p->endpoints[i].source);
        json_set_new_checked(o, "line", json_integer(p->endpoints[i].line));
        json_append_checked(words, o);
    }
    for (size_t i = 0; i < notes->count; i++)
        json_append_checked(list, json_string(notes->text[i]));
    json_set_new_checked(root, "words", words);
    json_set_new_checked(root, "notes", list);
    json_print(root, stdout);
}

static void list_presets(bool json)
{
    json_t *list = json ? json_array() : NULL;
    const char *name, *help;

    for (size_t i = 0; preset_at(i, &name, &help); i++) {
        if (json) {
            json_t *o = json_object();
            json_set_text(o, "name", name);
            json_set_text(o, "for", help);
            json_append_checked(list, o);
        } else {
            printf("%-10s  %s\n", name, help);
        }
    }
    if (json)
        json_print(list, stdout);
}

enum ctl_status show_main(int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    int first = json ? 2 : 1;
    struct preset_notes notes = {.count = 0};
    enum ctl_status status = CTL_OK;
    struct policy p;
    struct error e;

    if (argc == first) {
        list_presets(json);
        return CTL_OK;
    }
    if (argv[first][0] == '-')
        return ctl_no_option("show", argv[first]);
    policy_init(&p);
    for (int i = first; i < argc && status == CTL_OK; i++)
        if (preset_add(&p, argv[i], &notes, &e) < 0)
            status = ctl_fail("show", "%s", e.text);
    if (status == CTL_OK)
        (json ? print_json : print_text)(&p, &notes);
    preset_notes_free(&notes);
    policy_free(&p);
    return status;
}
