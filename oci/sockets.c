/* sockets.c: what the filter of a command allows (src/seccomp.c), by the two kinds of profile
 * (runtime-spec, config-linux, Seccomp).
 *
 *   what is listed is allowed   the calls are taken out of all entries, and socket(2) is listed
 *                               again, for the families that are allowed
 *   what is listed is refused   (no profile: seccomp=unconfined) the other families are listed
 *
 * Arguments are compared in all their 64 bits, of which the kernel takes the lower 32: what is
 * allowed has no others, and a family that is refused is so with any. */
#include "oci/sockets.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "oci/oci_json.h"
#include "src/util.h"

static const char *const calls[] = {"socket", "socketcall", "io_uring_setup", "io_uring_enter",
                                    "io_uring_register"};
static const char *const without_argument[] = {"socketcall", "io_uring_setup", "io_uring_enter",
                                               "io_uring_register", NULL};
static const int internet[] = {AF_INET, AF_INET6};
static const int netlinks[] = {NETLINK_ROUTE, NETLINK_NETFILTER}; /* in ascending order */

#define LOW32 0xffffffffLL
#define PROTOCOLS 256 /* from here on they are no protocols of IP */
#define PROTOCOL_SMC 256
#define PROTOCOL_MPTCP 262

static json_t *comparison(int index, const char *op, int value)
{
    json_t *object = json_object();

    oci_json_set(object, "index", json_integer(index));
    oci_json_set(object, "value", json_integer(value));
    oci_json_set(object, "op", json_string(op));
    return object;
}

/* Of the lower 32 bits. */
static json_t *comparison_low(int index, int value)
{
    json_t *object = comparison(index, "SCMP_CMP_MASKED_EQ", value);

    oci_json_set(object, "value", json_integer(LOW32));
    oci_json_set(object, "valueTwo", json_integer(value));
    return object;
}

/* An entry of socket(2); second: another comparison, or NULL. */
static json_t *socket_entry(const char *action, int err, json_t *first, json_t *second)
{
    static const char *const names[] = {"socket", NULL};
    json_t *entry = json_object();
    json_t *args = json_array();

    oci_json_set(entry, "names", oci_json_words(names));
    oci_json_set(entry, "action", json_string(action));
    if (err)
        oci_json_set(entry, "errnoRet", json_integer(err));
    oci_json_append(args, first);
    if (second)
        oci_json_append(args, second);
    oci_json_set(entry, "args", args);
    return entry;
}

static void allow_families(json_t *entries, bool netlink)
{
    static const char allow[] = "SCMP_ACT_ALLOW", eq[] = "SCMP_CMP_EQ";

    oci_json_append(entries, socket_entry(allow, 0, comparison(0, eq, AF_UNIX), NULL));
    for (size_t i = 0; i < ARRAY_LEN(internet); i++) {
        oci_json_append(entries, socket_entry(allow, 0, comparison(0, eq, internet[i]),
                                              comparison(2, "SCMP_CMP_LT", PROTOCOLS)));
        oci_json_append(entries, socket_entry(allow, 0, comparison(0, eq, internet[i]),
                                              comparison(2, eq, PROTOCOL_MPTCP)));
    }
    if (netlink)
        oci_json_append(entries, socket_entry(allow, 0, comparison(0, eq, AF_NETLINK), NULL));
    for (size_t i = 0; !netlink && i < ARRAY_LEN(netlinks); i++)
        oci_json_append(entries, socket_entry(allow, 0, comparison(0, eq, AF_NETLINK),
                                              comparison(2, eq, netlinks[i])));
}

static void refuse_netlink(json_t *entries)
{
    static const char refuse[] = "SCMP_ACT_ERRNO", eq[] = "SCMP_CMP_EQ";

    for (int protocol = 0; protocol < NETLINK_NETFILTER; protocol++)
        if (protocol != NETLINK_ROUTE)
            oci_json_append(entries,
                            socket_entry(refuse, EPROTONOSUPPORT, comparison(0, eq, AF_NETLINK),
                                         comparison(2, eq, protocol)));
    oci_json_append(entries, socket_entry(refuse, EPROTONOSUPPORT, comparison(0, eq, AF_NETLINK),
                                          comparison(2, "SCMP_CMP_GT", NETLINK_NETFILTER)));
}

static void refuse_families(json_t *entries)
{
    static const char refuse[] = "SCMP_ACT_ERRNO", eq[] = "SCMP_CMP_EQ";

    oci_json_append(entries, socket_entry(refuse, EAFNOSUPPORT,
                                          comparison(0, "SCMP_CMP_GT", AF_NETLINK), NULL));
    for (int family = 0; family < AF_NETLINK; family++)
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
            oci_json_append(entries,
                            socket_entry(refuse, EAFNOSUPPORT, comparison(0, eq, family), NULL));
    for (size_t i = 0; i < ARRAY_LEN(internet); i++)
        oci_json_append(entries,
                        socket_entry(refuse, EPROTONOSUPPORT, comparison(0, eq, internet[i]),
                                     comparison_low(2, PROTOCOL_SMC)));
}

static void refuse_calls(json_t *entries)
{
    json_t *entry = json_object();

    oci_json_set(entry, "names", oci_json_words(without_argument));
    oci_json_set(entry, "action", json_string("SCMP_ACT_ERRNO"));
    oci_json_set(entry, "errnoRet", json_integer(ENOSYS));
    oci_json_append(entries, entry);
}

static void refuse_all(json_t *entries, bool netlink)
{
    refuse_families(entries);
    refuse_calls(entries);
    if (!netlink)
        refuse_netlink(entries);
}

/* Takes the calls out of an entry. Whether any is left. */
static bool strip(json_t *names)
{
    for (size_t i = json_array_size(names); i-- > 0;) {
        const char *name = json_string_value(json_array_get(names, i));
        for (size_t j = 0; name && j < ARRAY_LEN(calls); j++)
            if (strcmp(name, calls[j]) == 0) {
                (void)json_array_remove(names, i);
                break;
            }
    }
    return json_array_size(names) > 0;
}

static void strip_all(json_t *entries)
{
    for (size_t i = json_array_size(entries); i-- > 0;)
        if (!strip(json_object_get(json_array_get(entries, i), "names")))
            (void)json_array_remove(entries, i);
}

/* Programs of these run on the kernel, too. */
static json_t *architectures(void)
{
#if defined(__x86_64__)
    static const char *const names[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", NULL};
#elif defined(__aarch64__)
    static const char *const names[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", NULL};
#else
    static const char *const names[] = {NULL};
#endif
    return oci_json_words(names);
}

int sockets_narrow(json_t *config, bool netlink, struct error *e)
{
    json_t *os = oci_json_object(config, "linux");
    bool none = json_is_null(json_object_get(os, "seccomp")) || !json_object_get(os, "seccomp");
    json_t *profile = oci_json_object(os, "seccomp");
    json_t *entries = profile ? oci_json_array(profile, "syscalls") : NULL;
    const char *action;

    if (!entries)
        return error_set(e, EINVAL, "the container's seccomp profile cannot be read");
    if (none) {
        oci_json_set(profile, "defaultAction", json_string("SCMP_ACT_ALLOW"));
        oci_json_set(profile, "architectures", architectures());
    }
    action = oci_json_text(profile, "defaultAction");
    if (!action)
        return error_set(e, EINVAL, "the container's seccomp profile has no default action");
    strip_all(entries);
    if (strcmp(action, "SCMP_ACT_ALLOW") == 0 || strcmp(action, "SCMP_ACT_LOG") == 0)
        refuse_all(entries, netlink);
    else
        allow_families(entries, netlink);
    return 0;
}
