/* host_listeners.c: /proc/self/net/tcp, tcp6, udp, udp6 and unix.
 *
 * The tables of TCP begin with the sockets that listen, so reading stops at the first that does
 * not, however many connections the host has; those of UDP have no order. sock_diag(7) would tell
 * the same, but not to a supervisor that runs in a jail itself.
 *
 * These tables are written by the kernel; the names of abstract sockets in them are bytes that any
 * process of the host chose. A line that such a name forges can at most name a socket that is not
 * there. */
#include "src/host_listeners.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/util.h"

#define TCP_LISTEN_STATE 0x0a
#define UDP_UNCONNECTED_STATE 0x07 /* TCP_CLOSE */
#define UNIX_ACCEPTCON 0x10000u    /* __SO_ACCEPTCON */
#define ROWS_MAX 100000

/* "   0: 0100007F:1F90 00000000:0000 0A ...": each address as 32-bit words of the machine's order.
 */
static bool parse_inet(const char *line, int family, struct host_listener *l, unsigned *state)
{
    unsigned word[4], port;

    if (family == AF_INET) {
        if (sscanf(line, " %*d: %8x:%4x %*8x:%*4x %2x", &word[0], &port, state) != 3)
            return false;
        memcpy(&l->v4, word, sizeof(l->v4));
    } else {
        if (sscanf(line, " %*d: %8x%8x%8x%8x:%4x %*32[0-9A-F]:%*4x %2x", &word[0], &word[1],
                   &word[2], &word[3], &port, state) != 6)
            return false;
        memcpy(&l->v6, word, sizeof(l->v6));
    }
    l->port = (uint16_t)port;
    l->family = family;
    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&l->v6)) {
        l->family = AF_INET;
        memcpy(&l->v4, l->v6.s6_addr + 12, sizeof(l->v4));
    }
    return true;
}

/* A socket's row. False at the end of those that are asked for. */
typedef bool parse_row(const char *line, int family, struct host_listener *l);

static bool parse_tcp(const char *line, int family, struct host_listener *l)
{
    unsigned state;

    l->type = SOCK_STREAM;
    return parse_inet(line, family, l, &state) && state == TCP_LISTEN_STATE;
}

static bool parse_udp(const char *line, int family, struct host_listener *l)
{
    unsigned state;

    l->type = SOCK_DGRAM;
    if (!parse_inet(line, family, l, &state))
        return false;
    l->connected = state != UDP_UNCONNECTED_STATE;
    return true;
}

static void read_inet(FILE *table, int family, parse_row *parse, host_listener_cb *cb, void *arg)
{
    cleanup_free char *line = NULL;
    size_t size = 0;

    if (getline(&line, &size, table) < 0) /* the heading */
        return;
    for (unsigned row = 0; row < ROWS_MAX && getline(&line, &size, table) > 0; row++) {
        struct host_listener l = {0};
        if (!parse(line, family, &l))
            return;
        cb(&l, arg);
    }
}

void host_listeners_read_tcp(FILE *table, int family, host_listener_cb *cb, void *arg)
{
    read_inet(table, family, parse_tcp, cb, arg);
}

void host_listeners_read_udp(FILE *table, int family, host_listener_cb *cb, void *arg)
{
    read_inet(table, family, parse_udp, cb, arg);
}

/* "0000000000000000: 00000002 00000000 00010000 0001 01 20131 @name" */
void host_listeners_read_abstract(FILE *table, host_listener_cb *cb, void *arg)
{
    cleanup_free char *line = NULL;
    size_t size = 0;
    ssize_t len;

    for (unsigned row = 0; row < ROWS_MAX && (len = getline(&line, &size, table)) > 0; row++) {
        struct host_listener l = {.family = AF_UNIX};
        unsigned flags, type;
        int at = 0;
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        if (sscanf(line, "%*x: %*x %*x %x %x %*x %*u %n", &flags, &type, &at) != 2 || at == 0 ||
            !(flags & UNIX_ACCEPTCON) || (type != SOCK_STREAM && type != SOCK_SEQPACKET) ||
            line[at] != '@')
            continue;
        l.type = (int)type;
        l.name = line + at + 1;
        cb(&l, arg);
    }
}

typedef void read_table(FILE *table, int family, host_listener_cb *cb, void *arg);

static void read_file_of(const char *path, int family, read_table *read, host_listener_cb *cb,
                         void *arg)
{
    FILE *table = fopen(path, "re");

    if (!table)
        return;
    read(table, family, cb, arg);
    (void)fclose(table);
}

void host_listeners_tcp(host_listener_cb *cb, void *arg)
{
    read_file_of("/proc/self/net/tcp", AF_INET, host_listeners_read_tcp, cb, arg);
    read_file_of("/proc/self/net/tcp6", AF_INET6, host_listeners_read_tcp, cb, arg);
}

void host_listeners_udp(host_listener_cb *cb, void *arg)
{
    read_file_of("/proc/self/net/udp", AF_INET, host_listeners_read_udp, cb, arg);
    read_file_of("/proc/self/net/udp6", AF_INET6, host_listeners_read_udp, cb, arg);
}

void host_listeners_abstract(host_listener_cb *cb, void *arg)
{
    FILE *table = fopen("/proc/self/net/unix", "re");

    if (!table)
        return;
    host_listeners_read_abstract(table, cb, arg);
    (void)fclose(table);
}
