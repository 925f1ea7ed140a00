#include "src/jail_resolv_conf.h"

#include <stdio.h>
#include <string.h>

#include "src/net.h"
#include "src/util.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define LINE_MAX_SEARCH 2048 /* of its search domains */

/* How the host completes short names (resolv.conf(5)): its search domains, and how many dots make
 * a name that is tried as it is. The last of each counts. */
static void copy_search(FILE *f)
{
    cleanup_free char *text = NULL;
    char *line, *save = NULL, *search = NULL, *ndots = NULL;
    size_t len;

    if (read_file(RESOLV_CONF, 65536, &text, &len, NULL) < 0)
        return;
    for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (!strncmp(line, "search", 6) || !strncmp(line, "domain", 6))
            search = line;
        if (!strncmp(line, "options", 7) && strstr(line, "ndots:"))
            ndots = strstr(line, "ndots:");
    }
    if (search && strlen(search) < LINE_MAX_SEARCH)
        (void)fprintf(f, "%s\n", search);
    if (ndots)
        (void)fprintf(f, "options ndots:%d\n", atoi(ndots + strlen("ndots:")));
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
