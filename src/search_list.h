/* search_list.h: how the host completes short names (resolv.conf(5)). */
#ifndef CIJAIL_SEARCH_LIST_H
#define CIJAIL_SEARCH_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "src/name.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX 65536 /* bytes of it that are read */
#define SEARCH_DOMAINS_MAX 32

struct search_list {
    size_t count;
    char domains[SEARCH_DOMAINS_MAX][NAME_SIZE]; /* canonical */
};

/* A file's text. The line that counts, "search" or "domain", or NULL; text is changed: it is ended
 * there. */
char *search_list_line(char *text);

/* The host's own. A file that cannot be read counts as an empty one. */
void search_list_read(struct search_list *s);

/* Of such a file's text, which is changed. Without such a line the domain is what follows the first
 * dot of hostname, which may be "". What is no name is passed over. */
void search_list_parse(struct search_list *s, char *text, const char *hostname);

/* The name without the domain of that index (below count), if it is one of several labels that has
 * been completed with it. Both names are canonical. */
bool search_list_base(const struct search_list *s, size_t i, const char *name,
                      char base[NAME_SIZE]);

#endif
