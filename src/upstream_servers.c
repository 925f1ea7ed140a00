/* upstream_servers.c: an address, never a name: that would have to be resolved first, by whom? */
#include "src/upstream_servers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/resolv_conf.h"
#include "src/util.h"

#define SCHEME "tls://"
#define PORT_PLAIN 53
#define PORT_TLS 853
#define ADDRESS_MAX 64 /* with a zone */

static int bad(const char *word, struct error *e, const char *why)
{
    char shown[128];

    (void)escape_text(shown, sizeof(shown), word, strlen(word));
    return error_set(e, EINVAL, "--upstream '%s': %s", shown, why);
}

/* Decimal digits, 1 to 65535; 0: anything else. */
static uint16_t read_port(const char *text)
{
    unsigned long port;

    if (text[0] == '\0' || strlen(text) > 5 || text[strspn(text, "0123456789")] != '\0')
        return 0;
    port = strtoul(text, NULL, 10);
    return port > 65535 ? 0 : (uint16_t)port;
}

/* Ends the address where it does; where its port begins, NULL: there is none. False: no address. */
static bool split_port(char **address, char **port)
{
    char *text = *address, *colon = strchr(text, ':'), *close;

    *port = NULL;
    if (text[0] == '[') {
        close = strchr(text, ']');
        if (!close || (close[1] != '\0' && close[1] != ':'))
            return false;
        *port = close[1] == ':' ? close + 2 : NULL;
        *close = '\0';
        *address = text + 1;
        return strchr(*address, ':') != NULL;
    }
    if (colon && !strchr(colon + 1, ':')) { /* two: an IPv6 address without a port */
        *colon = '\0';
        *port = colon + 1;
    }
    return true;
}

/* What stands behind '#', which is cut off. */
static int read_name(char *text, bool tls, char out[NAME_SIZE], const char *word, struct error *e)
{
    char *name = strchr(text, '#');

    out[0] = '\0';
    if (!name)
        return 0;
    *name++ = '\0';
    if (!tls)
        return bad(word, e, "a #NAME is what a certificate is verified for, and needs tls://");
    if (name_ends_in_number(name, strlen(name)) || name_canon(name, strlen(name), out, NULL) < 0)
        return bad(word, e, "what stands behind # is not a host name");
    return 0;
}

int upstream_servers_add(struct upstream_servers *s, const char *word, struct error *e)
{
    bool tls = strncmp(word, SCHEME, strlen(SCHEME)) == 0;
    cleanup_free char *copy = xstrdup(tls ? word + strlen(SCHEME) : word);
    char *address = copy, *port_text = NULL;
    uint16_t port = tls ? PORT_TLS : PORT_PLAIN;
    int r;

    if (s->count > 0 && s->tls != tls)
        return bad(word, e,
                   "servers with and without tls:// exclude each other: what fails over to plain "
                   "DNS is not protected");
    if (s->count == UPSTREAM_SERVERS_MAX)
        return bad(word, e, "there are too many servers");
    if ((r = read_name(copy, tls, s->at[s->count].name, word, e)) < 0)
        return r;
    if (!split_port(&address, &port_text) || (port_text && (port = read_port(port_text)) == 0) ||
        strlen(address) >= ADDRESS_MAX ||
        !resolv_conf_address(address, port, &s->at[s->count].address))
        return bad(word, e,
                   "expected ADDRESS[:PORT] or tls://ADDRESS[:PORT][#NAME], an IPv6 address with a "
                   "port in brackets");
    resolver_format(&s->at[s->count].address, s->at[s->count].text);
    s->tls = tls;
    s->count++;
    return 0;
}
