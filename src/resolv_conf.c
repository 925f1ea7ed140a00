/* resolv_conf.c: a laptop changes its network, a VPN comes up: the file is read anew when it is
 * another one by inode, size or times. */
#include "src/resolv_conf.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/search_list.h"
#include "src/util.h"

#define DNS_PORT_UPSTREAM 53
#define LOOK_MS 1000
#define BLANKS " \t\r"

/* A link-local one has its interface behind a '%'. */
static bool parse_ipv6(const char *text, struct sockaddr_in6 *v6)
{
    char copy[64];
    char *zone;

    copy_string(copy, sizeof(copy), text);
    zone = strchr(copy, '%');
    if (zone) {
        *zone++ = '\0';
        v6->sin6_scope_id = if_nametoindex(zone);
        if (v6->sin6_scope_id == 0)
            return false;
    }
    return inet_pton(AF_INET6, copy, &v6->sin6_addr) == 1;
}

bool resolv_conf_address(const char *text, uint16_t port, union resolver_address *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&out->storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&out->storage;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return true;
    }
    memset(out, 0, sizeof(*out));
    if (!parse_ipv6(text, v6))
        return false;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return true;
}

/* The number behind that word and a colon: 1 to max. False: it is another option. */
static bool read_number(const char *option, const char *word, unsigned max, unsigned *out)
{
    size_t n = strlen(word);
    long value;

    if (strncmp(option, word, n) != 0 || option[n] != ':')
        return false;
    value = strtol(option + n + 1, NULL, 10);
    *out = value < 1 ? 1 : value > (long)max ? max : (unsigned)value;
    return true;
}

static void read_option(struct resolv_conf *r, const char *option)
{
    if (strcmp(option, "use-vc") == 0 || strcmp(option, "usevc") == 0)
        r->tcp = true;
    else if (strcmp(option, "rotate") == 0)
        r->rotate = true;
    else if (!read_number(option, "timeout", RESOLV_CONF_TIMEOUT_MAX, &r->timeout_s))
        (void)read_number(option, "attempts", RESOLV_CONF_ATTEMPTS_MAX, &r->attempts);
}

static void read_line(struct resolv_conf *r, char *line)
{
    char server[64], *save = NULL, *word;

    if (r->count < RESOLV_CONF_SERVERS && sscanf(line, " nameserver %63s", server) == 1) {
        if (resolv_conf_address(server, DNS_PORT_UPSTREAM, &r->servers[r->count]))
            r->count++;
        return;
    }
    word = strtok_r(line, BLANKS, &save);
    if (!word || strcmp(word, "options") != 0)
        return;
    while ((word = strtok_r(NULL, BLANKS, &save)))
        read_option(r, word);
}

void resolv_conf_parse(struct resolv_conf *r, char *text)
{
    char *save = NULL;

    r->count = 0;
    r->tcp = r->rotate = false;
    r->timeout_s = r->attempts = 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        read_line(r, line);
    if (r->count == 0 && resolv_conf_address("127.0.0.1", DNS_PORT_UPSTREAM, &r->servers[0]))
        r->count = 1; /* as resolv.conf(5) has it */
}

static void read_servers(struct resolv_conf *r)
{
    cleanup_free char *text = NULL;
    size_t len;

    if (read_file(RESOLV_CONF, RESOLV_CONF_MAX, &text, &len, NULL) < 0)
        text = xstrdup("");
    resolv_conf_parse(r, text);
}

void resolv_conf_update(struct resolv_conf *r)
{
    uint64_t now = now_ms(), changed[4] = {0};
    struct stat st;

    if (r->looked_ms != 0 && now - r->looked_ms < LOOK_MS)
        return;
    if (stat(RESOLV_CONF, &st) == 0) {
        changed[0] = (uint64_t)st.st_ino;
        changed[1] = (uint64_t)st.st_size;
        changed[2] = (uint64_t)st.st_mtim.tv_sec;
        changed[3] = (uint64_t)st.st_mtim.tv_nsec;
    }
    if (r->looked_ms == 0 || memcmp(changed, r->changed, sizeof(changed)) != 0)
        read_servers(r);
    memcpy(r->changed, changed, sizeof(changed));
    r->looked_ms = now;
}
