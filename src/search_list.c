#include "src/search_list.h"

#include <string.h>
#include <sys/utsname.h>

#include "src/util.h"

#define BLANKS " \t\r"

static bool is_keyword(const char *line, const char *word)
{
    size_t n = strlen(word);

    return strncmp(line, word, n) == 0 && (line[n] == ' ' || line[n] == '\t');
}

char *search_list_line(char *text)
{
    char *save = NULL, *last = NULL;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (is_keyword(line, "search") || is_keyword(line, "domain"))
            last = line;
    return last;
}

static void add(struct search_list *s, const char *word)
{
    if (s->count < SEARCH_DOMAINS_MAX &&
        name_canon(word, strlen(word), s->domains[s->count], NULL) == 0)
        s->count++;
}

void search_list_parse(struct search_list *s, char *text, const char *hostname)
{
    const char *dot = strchr(hostname, '.');
    char *line = search_list_line(text), *save = NULL;

    s->count = 0;
    if (!line && dot)
        add(s, dot + 1);
    if (!line || !strtok_r(line, BLANKS, &save)) /* the keyword */
        return;
    for (char *word = strtok_r(NULL, BLANKS, &save); word; word = strtok_r(NULL, BLANKS, &save))
        add(s, word);
}

void search_list_read(struct search_list *s)
{
    cleanup_free char *text = NULL;
    struct utsname u;
    size_t len;

    if (read_file(RESOLV_CONF, RESOLV_CONF_MAX, &text, &len, NULL) < 0)
        text = xstrdup("");
    search_list_parse(s, text, uname(&u) == 0 ? u.nodename : "");
}

bool search_list_base(const struct search_list *s, size_t i, const char *name, char base[NAME_SIZE])
{
    size_t n = strlen(name), k = strlen(s->domains[i]);

    if (n < k + 2 || name[n - k - 1] != '.' || memcmp(name + n - k, s->domains[i], k) != 0)
        return false;
    memcpy(base, name, n - k - 1);
    base[n - k - 1] = '\0';
    return strchr(base, '.') != NULL;
}
