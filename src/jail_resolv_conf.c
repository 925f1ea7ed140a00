#include "src/jail_resolv_conf.h"

#include <stdio.h>
#include <string.h>

#include "src/net.h"
#include "src/search_list.h"
#include "src/util.h"

#define LINE_MAX_SEARCH 2048 /* of its search domains */

/* The last that is said of ndots, or a negative number; text is changed. */
static int last_ndots(char *text)
{
    char *save = NULL;
    const char *value;
    int ndots = -1;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        value = strncmp(line, "options", 7) == 0 ? strstr(line, "ndots:") : NULL;
        if (value)
            ndots = atoi(value + strlen("ndots:"));
    }
    return ndots;
}

/* How the host completes short names (resolv.conf(5)): its search domains, and how many dots make
 * a name that is tried as it is. The last of each counts. */
static void copy_search(FILE *f)
{
    cleanup_free char *text = NULL;
    cleanup_free char *copy = NULL;
    const char *search;
    size_t len;
    int ndots;

    if (read_file(RESOLV_CONF, RESOLV_CONF_MAX, &text, &len, NULL) < 0)
        return;
    copy = xstrdup(text);
    search = search_list_line(text);
    if (search && strlen(search) < LINE_MAX_SEARCH)
        (void)fprintf(f, "%s\n", search);
    ndots = last_ndots(copy);
    if (ndots >= 0)
        (void)fprintf(f, "options ndots:%d\n", ndots);
}

size_t jail_resolv_conf(bool ipv6, char buf[JAIL_RESOLV_CONF_MAX])
{
    FILE *f = fmemopen(buf, JAIL_RESOLV_CONF_MAX, "w");

    if (!f)
        die("out of memory");
    (void)fprintf(f, "# cijail: names are resolved by the gateway of the jail\nnameserver %s\n",
                  GW_IPV4);
    if (ipv6)
        (void)fprintf(f, "nameserver %s\n", GW_IPV6);
    copy_search(f);
    (void)fclose(f);
    return strlen(buf);
}
