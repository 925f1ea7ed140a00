/* fuzz_learn.c: events of a jail, a line each: "METHOD URL" is a request that passed, "!METHOD URL"
 * one that was denied, "?NAME" a name that was asked for, "=NAME" likewise denied, and what begins
 * with '/' or '@' a unix socket. What comes out must be a policy, and allow all that passed and has
 * a canonical form; nothing else may be in it but for lines that some event explains. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/learn_table.h"
#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

/* "METHOD URL", the URL canonical; what it is not is left as it is. */
static char *split_request(char *line, char **method)
{
    char *space = strchr(line, ' ');

    if (!space)
        return NULL;
    *space = '\0';
    *method = line;
    return space + 1;
}

static void request(struct learn *l, uint32_t decision, char *line)
{
    static struct url u;
    static char text[URL_TEXT_SIZE];
    struct msg_log_request m = {.decision = decision};
    char *method, *url = split_request(line, &method);

    if (!url)
        return;
    if (url_parse(url, strlen(url), &u, NULL) == 0 && url_format(&u, text, sizeof(text)) >= 0)
        url = text; /* as httpproxy reports it */
    copy_string(m.method, sizeof(m.method), method);
    copy_string(m.url, sizeof(m.url), url);
    learn_request(l, decision, POLICY_INDEX_NONE, m.method, m.url);
}

static void event(struct learn *l, char *line)
{
    char name[NAME_SIZE];

    if (line[0] == '/' || line[0] == '@')
        learn_unix(l, MSG_WOULD_DENY, line, line[0] == '/' ? line : "");
    else if (line[0] == '?' && name_canon(line + 1, strlen(line + 1), name, NULL) == 0)
        learn_resolve(l, MSG_WOULD_DENY, name, 1);
    else if (line[0] == '=')
        learn_resolve(l, MSG_DENY, line + 1, 1);
    else if (line[0] == '!')
        request(l, MSG_DENY, line + 1);
    else if (line[0] != '?')
        request(l, MSG_WOULD_DENY, line);
}

/* Was what passed learned? */
static void check_event(const struct policy *p, char *line)
{
    static struct url u;
    char name[NAME_SIZE], *method, *url;

    if (line[0] == '/' || line[0] == '@' || line[0] == '=' || line[0] == '!')
        return;
    if (line[0] == '?') {
        if (name_canon(line + 1, strlen(line + 1), name, NULL) == 0 &&
            !name_ends_in_number(name, strlen(name)))
            CHECK(policy_match_resolve(p, name));
        return;
    }
    url = split_request(line, &method);
    if (!url || url_parse(url, strlen(url), &u, NULL) < 0 || strlen(url) > 1000 ||
        strcmp(method, "CONNECT") == 0 || strlen(method) >= MSG_METHOD_SIZE)
        return;
    CHECK(policy_match_request(p, method, &u));
}

static void each_line(const char *text, struct learn *l, const struct policy *p)
{
    cleanup_free char *copy = xstrdup(text);
    char *rest = NULL;

    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (l)
            event(l, line);
        else
            check_event(p, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *input = xstrndup((const char *)data, size);
    static char *command[] = {"fuzz", NULL};
    struct options options = {.dry_run = true, .command = command};
    struct policy policy, learned;
    struct learn *l;
    char *text;
    size_t len;

    policy_init(&policy);
    l = learn_new(&options, &policy);
    each_line(input, l, NULL);
    text = learn_text(l, &len);
    policy_init(&learned);
    CHECK(len == strlen(text));
    CHECK(policy_parse(&learned, "learned", text, len, NULL) == 0);
    if (l->urls.lost + l->names.lost == 0)
        each_line(input, NULL, &learned);
    policy_free(&learned);
    free(text);
    learn_free(l);
    return 0;
}
