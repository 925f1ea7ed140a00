/* What of a container's configuration is refused, and how its seccomp profile is narrowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <cmocka.h>

#include "oci/oci_json.h"
#include "oci/refuse.h"
#include "oci/sockets.h"

/* A configuration that is allowed, with one part of it exchanged. */
static json_t *config(const char *member, const char *value)
{
    json_t *c = json_loads("{\"root\": {\"path\": \"/usr\"},"
                           " \"process\": {\"capabilities\": {\"bounding\": [\"CAP_CHOWN\"]}},"
                           " \"mounts\": [{\"destination\": \"/proc\", \"type\": \"proc\"}],"
                           " \"linux\": {\"namespaces\": [{\"type\": \"pid\"},"
                           " {\"type\": \"network\"}, {\"type\": \"mount\"}]}}",
                           0, NULL);

    assert_non_null(c);
    if (member) {
        json_t *part = json_loads(value, JSON_DECODE_ANY, NULL);
        assert_non_null(part);
        assert_int_equal(json_object_set_new(
                             strcmp(member, "linux") == 0 || strcmp(member, "mounts") == 0 ||
                                     strcmp(member, "root") == 0 || strcmp(member, "process") == 0
                                 ? c
                                 : json_object_get(c, "linux"),
                             member, part),
                         0);
    }
    return c;
}

static int judge(const char *member, const char *value, bool pod)
{
    json_t *c = config(member, value);
    struct error e;
    int r = refuse_config(c, "/run/user/1000", pod, &e);

    json_decref(c);
    return r;
}

static void namespaces(void **state)
{
    (void)state;
    assert_int_equal(judge(NULL, NULL, false), 0);
    assert_true(judge("namespaces", "[{\"type\": \"pid\"}, {\"type\": \"mount\"}]", false) < 0);
    assert_true(judge("namespaces", "[{\"type\": \"network\"}, {\"type\": \"mount\"}]", false) < 0);
    assert_true(judge("namespaces", "[{\"type\": \"network\"}, {\"type\": \"pid\"}]", false) < 0);
    assert_true(judge("namespaces", "[]", true) < 0);
    assert_true(judge("namespaces", "7", true) < 0);
    static const char path[] = "[{\"type\": \"network\", \"path\": \"/run/netns/x\"},"
                               " {\"type\": \"pid\"}, {\"type\": \"mount\"}]";
    assert_true(judge("namespaces", path, false) < 0);
    assert_int_equal(judge("namespaces", path, true), 0);
    assert_true(judge("namespaces",
                      "[{\"type\": \"network\", \"path\": 7}, {\"type\": \"pid\"},"
                      " {\"type\": \"mount\"}]",
                      false) < 0);
}

static void capabilities(void **state)
{
    static const char *const sets[] = {"bounding", "effective", "permitted", "inheritable",
                                       "ambient"};
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
        (void)snprintf(text, sizeof(text), "{\"capabilities\": {\"%s\": [\"CAP_NET_ADMIN\"]}}",
                       sets[i]);
        assert_true(judge("process", text, false) < 0);
        (void)snprintf(text, sizeof(text), "{\"capabilities\": {\"%s\": [\"CAP_KILL\"]}}", sets[i]);
        assert_int_equal(judge("process", text, false), 0);
    }
    assert_int_equal(judge("process", "{}", false), 0);
    assert_true(judge("process", "{\"capabilities\": {\"bounding\": [\"CAP_DAC_READ_SEARCH\"]}}",
                      false) < 0);
}

/* A device that has been given another name. */
static void device_numbers(void **state)
{
    char text[128];
    struct stat st;

    (void)state;
    if (stat("/dev/kmsg", &st) < 0)
        skip();
    (void)snprintf(text, sizeof(text),
                   "[{\"path\": \"/dev/x\", \"type\": \"c\", \"major\": %u, \"minor\": %u}]",
                   major(st.st_rdev), minor(st.st_rdev));
    assert_true(judge("devices", text, false) < 0);
    text[strlen("[{\"path\": \"/dev/x\", \"type\": \"")] = 'b'; /* another one of that number */
    assert_int_equal(judge("devices", text, false), 0);
    assert_int_equal(judge("devices",
                           "[{\"path\": \"/dev/x\", \"type\": \"c\", \"major\": 10,"
                           " \"minor\": 229}]", /* fuse */
                           false),
                     0);
}

static void mounts_and_devices(void **state)
{
    static const char *const refused[] = {"/run",           "/",     "/run/user/1000",
                                          "/tmp",           "/dev",  "/run/systemd/journal",
                                          "/no/such/place", "/proc", "/proc/self/task"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        (void)snprintf(
            text, sizeof(text),
            "[{\"destination\": \"/mnt\", \"source\": \"%s\", \"options\": [\"rbind\"]}]",
            refused[i]);
        assert_true(judge("mounts", text, false) < 0);
        (void)snprintf(text, sizeof(text),
                       "[{\"destination\": \"/mnt\", \"type\": \"overlay\","
                       " \"options\": [\"lowerdir=/usr:%s\"]}]",
                       refused[i]);
        assert_true(judge("mounts", text, false) < 0);
    }
    assert_true(judge("root", "{\"path\": \"/\"}", false) < 0);
    assert_true(judge("root", "{}", false) < 0);
    assert_true(judge("mounts", "[{\"destination\": \"/mnt\", \"type\": \"nfs\"}]", false) < 0);
    assert_true(judge("mounts", "[{\"destination\": \"/mnt\", \"type\": \"bind\"}]", false) < 0);
    assert_int_equal(judge("mounts",
                           "[{\"destination\": \"/mnt\", \"type\": \"bind\","
                           " \"source\": \"/usr/share\"}]",
                           false),
                     0);
    assert_true(judge("devices", "[{\"path\": \"/dev/vhost-vsock\"}]", false) < 0);
    assert_true(judge("devices", "[{\"path\": \"/dev/infiniband/uverbs0\"}]", false) < 0);
    assert_int_equal(judge("devices", "[{\"path\": \"/dev/fuse\"}]", false), 0);
}

/* How many entries the profile has for that call. */
static size_t entries_of(const json_t *c, const char *call)
{
    const json_t *list =
        json_object_get(json_object_get(json_object_get(c, "linux"), "seccomp"), "syscalls");
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *names = json_object_get(json_array_get(list, i), "names");
        for (size_t j = 0; j < json_array_size(names); j++)
            n += strcmp(json_string_value(json_array_get(names, j)), call) == 0;
    }
    return n;
}

static void sockets(void **state)
{
    static const char allowing[] =
        "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": ["
        "{\"names\": [\"read\", \"socket\", \"io_uring_setup\"],"
        " \"action\": \"SCMP_ACT_ALLOW\"},"
        "{\"names\": [\"socketcall\"], \"action\": \"SCMP_ACT_ALLOW\"}]}";
    json_t *c = config("seccomp", allowing);
    struct error e;

    (void)state;
    assert_int_equal(sockets_narrow(c, false, &e), 0);
    assert_int_equal(entries_of(c, "read"), 1);
    assert_int_equal(entries_of(c, "io_uring_setup"), 0);
    assert_int_equal(entries_of(c, "socketcall"), 0);
    assert_int_equal(entries_of(c, "socket"), 7); /* unix; 4 and 6, MPTCP; netlink: two protocols */
    json_decref(c);
    c = config(NULL, NULL);
    assert_int_equal(sockets_narrow(c, true, &e), 0);
    assert_int_equal(entries_of(c, "io_uring_setup"), 1);
    assert_true(entries_of(c, "socket") > 10);
    json_decref(c);
    c = config("seccomp", "{\"syscalls\": []}");
    assert_true(sockets_narrow(c, false, &e) < 0);
    json_decref(c);
    c = config("seccomp", "7");
    assert_true(sockets_narrow(c, false, &e) < 0);
    json_decref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(namespaces),
        cmocka_unit_test(capabilities),
        cmocka_unit_test(mounts_and_devices),
        cmocka_unit_test(device_numbers),
        cmocka_unit_test(sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
