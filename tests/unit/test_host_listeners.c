/* The kernel's tables of sockets, as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/host_listeners.h"
#include "src/util.h"

#define SEEN_SIZE 65536

static void add(const struct host_listener *l, void *arg)
{
    char *seen = arg, text[INET6_ADDRSTRLEN];
    size_t used = strlen(seen);

    if (l->family == AF_UNIX)
        (void)snprintf(seen + used, SEEN_SIZE - used, "@%s ", l->name);
    else
        (void)snprintf(seen + used, SEEN_SIZE - used, "%s %u %s",
                       inet_ntop(l->family,
                                 l->family == AF_INET ? (const void *)&l->v4 : (const void *)&l->v6,
                                 text, sizeof(text)),
                       l->port, l->connected ? "connected " : "");
}

/* As the table of: TCP by its family, UDP by the negative of it, AF_UNIX. */
static void read_text(const char *text, int family, char seen[SEEN_SIZE])
{
    FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

    assert_non_null(f);
    seen[0] = '\0';
    if (family == AF_UNIX)
        host_listeners_read_abstract(f, add, seen);
    else if (family < 0)
        host_listeners_read_udp(f, -family, add, seen);
    else
        host_listeners_read_tcp(f, family, add, seen);
    (void)fclose(f);
}

#define HEADING "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when ...\n"
#define REST " 00000000:00000000 00:00000000 00000000  1000        0 22222 1 0 100 0 0 10 0\n"

static void test_tcp(void **state)
{
    char seen[SEEN_SIZE];
    const uint32_t one = 1;

    (void)state;
    if (*(const char *)&one != 1)
        skip(); /* the texts below are those of a little-endian machine */
    read_text(HEADING "   0: 0100007F:1F90 00000000:0000 0A" REST
                      "   1: 00000000:0016 00000000:0000 0A" REST
                      "   2: 0100007F:1F90 0100007F:C350 01" REST
                      "   3: 0200007F:1F90 00000000:0000 0A" REST,
              AF_INET, seen);
    assert_string_equal(seen, "127.0.0.1 8080 0.0.0.0 22 "); /* they come first */
    read_text(
        HEADING
        "   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A" REST
        "   1: 00000000000000000000000000000000:0051 00000000000000000000000000000000:0000 0A" REST
        "   2: 0000000000000000FFFF00000100007F:0052 00000000000000000000000000000000:0000 0A" REST,
        AF_INET6, seen);
    assert_string_equal(seen, "::1 80 :: 81 127.0.0.1 82 ");
}

static void test_udp(void **state)
{
    char seen[SEEN_SIZE];
    const uint32_t one = 1;

    (void)state;
    if (*(const char *)&one != 1)
        skip();
    read_text(HEADING "  125: 0100007F:1F90 00000000:0000 07" REST
                      " 1126: 0100007F:1F91 0100007F:C350 01" REST
                      "65535: 00000000:0044 00000000:0000 07" REST,
              -AF_INET, seen); /* in no order */
    assert_string_equal(seen, "127.0.0.1 8080 127.0.0.1 8081 connected 0.0.0.0 68 ");
    read_text(
        HEADING
        "  125: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 07" REST
        "  126: 00000000000000000000000001000000:0051 00000000000000000000000001000000:C350 01" REST
        "  127: 0000000000000000FFFF00000100007F:0052 0000000000000000FFFF00000100007F:C350 01" REST
        "  128: 00000000000000000000000000000000:0053 00000000000000000000000000000000:0000 "
        "07" REST,
        -AF_INET6, seen);
    assert_string_equal(seen, "::1 80 ::1 81 connected 127.0.0.1 82 connected :: 83 ");
}

static void test_garbage(void **state)
{
    static const char *const texts[] = {
        " ",
        HEADING,
        HEADING "\n",
        HEADING "   0: 0100007F",
        HEADING "   0: 0100007F:1F90 00000000:0000",
        HEADING "   x: 0100007F:1F90 00000000:0000 0A",
        HEADING "   0: 0100007F:1F90 00000000:0000 zz",
        HEADING "   0: zz00007F:1F90 00000000:0000 0A",
    };
    char seen[SEEN_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        read_text(texts[i], AF_INET, seen);
        assert_string_equal(seen, "");
        read_text(texts[i], AF_INET6, seen);
        assert_string_equal(seen, "");
        read_text(texts[i], -AF_INET, seen);
        assert_string_equal(seen, "");
    }
}

static void test_abstract(void **state)
{
    char seen[SEEN_SIZE];

    (void)state;
    read_text("Num       RefCount Protocol Flags    Type St Inode Path\n"
              "0000000000000000: 00000002 00000000 00010000 0001 01 20131 @listens\n"
              "ffff8880a1b2c3d4: 00000002 00000000 00010000 0001 01 20132 @two words\n"
              "0000000000000000: 00000003 00000000 00000000 0001 03 20133 @connected\n"
              "0000000000000000: 00000002 00000000 00010000 0005 01 20134 @seqpacket\n"
              "0000000000000000: 00000002 00000000 00000000 0002 01 20135 @datagram\n"
              "0000000000000000: 00000002 00000000 00010000 0001 01 20136 /run/path\n"
              "0000000000000000: 00000003 00000000 00000000 0001 03 20137\n"
              "0000000000000000: 00000003 00000000 00010000 0001 01 20138 \n"
              "nonsense\n"
              "\n"
              "0000000000000000: 00000002 00000000 00010000 0001 01 20139 @last",
              AF_UNIX, seen);
    assert_string_equal(seen, "@listens @two words @seqpacket @last ");
}

/* The kernel's own text. */
static void test_this_machine(void **state)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010203)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa);
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int abstract = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static char seen[SEEN_SIZE];
    char expected[64];

    (void)state;
    (void)snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "cijail-test-%d", (int)getpid());
    assert_int_equal(bind(tcp, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(getsockname(tcp, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(
        bind(abstract, (struct sockaddr *)&un,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(un.sun_path + 1))),
        0);
    (void)snprintf(expected, sizeof(expected), "127.1.2.3 %u ", ntohs(sa.sin_port));
    host_listeners_tcp(add, seen);
    assert_null(strstr(seen, expected)); /* not before listen(2) */
    assert_int_equal(listen(tcp, 1), 0);
    host_listeners_tcp(add, seen);
    assert_non_null(strstr(seen, expected));
    (void)snprintf(expected, sizeof(expected), "@%s ", un.sun_path + 1);
    assert_int_equal(listen(abstract, 1), 0);
    seen[0] = '\0';
    host_listeners_abstract(add, seen);
    assert_non_null(strstr(seen, expected));
    (void)close(tcp);
    (void)close(abstract);
}

static void test_udp_of_this_machine(void **state)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010203)};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    static char seen[SEEN_SIZE];
    char unconnected[64], connected[80];

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    (void)snprintf(unconnected, sizeof(unconnected), "127.1.2.3 %u ", ntohs(sa.sin_port));
    (void)snprintf(connected, sizeof(connected), "%sconnected ", unconnected);
    host_listeners_udp(add, seen);
    assert_non_null(strstr(seen, unconnected));
    assert_null(strstr(seen, connected));
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    seen[0] = '\0';
    host_listeners_udp(add, seen);
    assert_non_null(strstr(seen, connected));
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),          cmocka_unit_test(test_udp),
        cmocka_unit_test(test_garbage),      cmocka_unit_test(test_abstract),
        cmocka_unit_test(test_this_machine), cmocka_unit_test(test_udp_of_this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
