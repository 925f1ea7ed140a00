/* diff.c: cijailctl diff: what one policy allows that another does not. Words are compared by what
 * they allow, not by their text, order or comments, so that two learned policies can be compared.
 */
#include <string.h>

#include "ctl/covers.h"
#include "ctl/ctl.h"
#include "ctl/json.h"
#include "src/util.h"

/* The words of a that no word of b covers; prints or collects them. */
static size_t each_more(const struct policy *a, const struct policy *b, char sign, json_t *list)
{
    size_t n = 0;

    for (size_t i = 0; i < a->count; i++) {
        const struct endpoint *ep = &a->endpoints[i];
        bool covered = false;
        char word[1024];
        for (size_t j = 0; j < b->count && !covered; j++)
            covered = endpoint_covers(&b->endpoints[j], ep);
        if (covered)
            continue;
        n++;
        if (list) {
            json_t *text = json_object();
            json_set_text(text, "word", ep->word);
            json_set_new_checked(text, "line", json_integer(ep->line));
            json_append_checked(list, text);
        } else {
            (void)escape_text(word, sizeof(word), ep->word, strlen(ep->word));
            printf("%c %s\n", sign, word);
        }
    }
    return n;
}

static bool compare(const struct policy *old, const struct policy *new, bool json)
{
    json_t *removed = json ? json_array() : NULL, *added = json ? json_array() : NULL;
    size_t n = each_more(old, new, '-', removed);

    n += each_more(new, old, '+', added);
    if (json)
        json_print(json_pack("{s:o,s:o}", "removed", removed, "added", added), stdout);
    return n > 0;
}

enum ctl_status diff_main(int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    char **paths = argv + (json ? 2 : 1);
    enum ctl_status status = CTL_INVALID;
    struct policy old, new;
    struct error e;

    if (argc - (json ? 2 : 1) != 2)
        return ctl_usage("diff", "expected two policies");
    policy_init(&old);
    policy_init(&new);
    if (ctl_parse_policy(paths[0], &old, &e) < 0 || ctl_parse_policy(paths[1], &new, &e) < 0)
        (void)ctl_fail("diff", "%s", e.text);
    else
        status = compare(&old, &new, json) ? CTL_FOUND : CTL_OK;
    policy_free(&old);
    policy_free(&new);
    return status;
}
