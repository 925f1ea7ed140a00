/* netns_sysctl.c: the sysctls of the two networks.
 *
 * A new network namespace takes its IPv4 defaults from the host's (ip-sysctl,
 * devconf_inherit_init_net), which on a machine with containers forwards. G mustn't forward,
 * redirect, or learn a route, also if a rule were missing; and it should answer each packet that
 * the rules reject, so the limits on ICMP errors, made for hosts on the internet, are lifted. J
 * gets what a build would have on an ordinary machine with nothing else in its network. */
#include "src/netns_sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/net.h"
#include "src/util.h"

#define SYSCTL_NET "/proc/sys/net/"

struct sysctl {
    const char *name;
    const char *value;
};

static bool sysctl_set(const char *name, const char *value)
{
    char path[128];
    cleanup_close int fd = -1;
    size_t len = strlen(value);

    (void)snprintf(path, sizeof path, SYSCTL_NET "%s", name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, value, len) == (ssize_t)len;
}

/* The value's first character, or 0 if there is no such sysctl. */
static char sysctl_get(const char *name)
{
    char path[128];
    char c = 0;
    cleanup_close int fd = -1;

    (void)snprintf(path, sizeof path, SYSCTL_NET "%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &c, 1) != 1)
        return 0;
    return c;
}

static void sysctl_set_all(const struct sysctl *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)sysctl_set(s[i].name, s[i].value);
}

/* For one or several entries below conf. */
static void sysctl_set_conf(const char *family, const char *conf, const struct sysctl *s, size_t n)
{
    char name[96];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof name, "%s/conf/%s/%s", family, conf, s[i].name);
        (void)sysctl_set(name, s[i].value);
    }
}

static const struct sysctl gateway_ipv4[] = {
    {"forwarding", "0"},          {"accept_redirects", "0"}, {"send_redirects", "0"},
    {"accept_source_route", "0"}, {"proxy_arp", "0"},        {"rp_filter", "0"},
};

static const struct sysctl gateway_ipv6[] = {
    {"forwarding", "0"},
    {"accept_ra", "0"},
    {"accept_redirects", "0"},
    {"autoconf", "0"},
};

static const struct sysctl jail_ipv6[] = {{"accept_ra", "0"}};

void netns_sysctl_listeners(void)
{
    (void)sysctl_set("core/somaxconn", "65535");
}

void netns_sysctl_gateway(void)
{
    static const struct sysctl all[] = {
        {"ipv4/ip_forward", "0"},
        {"ipv4/icmp_ratelimit", "0"},
        {"ipv4/icmp_ratemask", "0"}, /* the limit on all of them together goes by this too */
        {"ipv6/icmp/ratelimit", "0"},
        {"ipv6/icmp/ratemask",
         "255"}, /* a type that is never sent: an empty mask cannot be written */
    };

    sysctl_set_all(all, ARRAY_LEN(all));
    sysctl_set_conf("ipv4", "all", gateway_ipv4, ARRAY_LEN(gateway_ipv4));
    sysctl_set_conf("ipv4", "default", gateway_ipv4, ARRAY_LEN(gateway_ipv4));
    sysctl_set_conf("ipv6", "all", gateway_ipv6, ARRAY_LEN(gateway_ipv6));
    sysctl_set_conf("ipv6", "default", gateway_ipv6, ARRAY_LEN(gateway_ipv6));
}

void netns_sysctl_gateway_link(void)
{
    sysctl_set_conf("ipv4", GW_IFNAME, gateway_ipv4, ARRAY_LEN(gateway_ipv4));
    sysctl_set_conf("ipv6", GW_IFNAME, gateway_ipv6, ARRAY_LEN(gateway_ipv6));
}

/* ping(8) without privilege, for all groups, or where those are not mapped for the caller's. */
static void jail_ping(void)
{
    static const char name[] = "ipv4/ping_group_range";
    char own[32];

    if (sysctl_set(name, "0 4294967294"))
        return;
    (void)snprintf(own, sizeof own, "%u %u", (unsigned)getegid(), (unsigned)getegid());
    (void)sysctl_set(name, own);
}

void netns_sysctl_jail(void)
{
    /* a build may serve at port 80 of its own network */
    (void)sysctl_set("ipv4/ip_unprivileged_port_start", "0");
    jail_ping();
    sysctl_set_conf("ipv6", "all", jail_ipv6, ARRAY_LEN(jail_ipv6));
    sysctl_set_conf("ipv6", "default", jail_ipv6, ARRAY_LEN(jail_ipv6));
}

bool netns_sysctl_enable_ipv6(void)
{
    static const char *const confs[] = {"ipv6/conf/all/disable_ipv6",
                                        "ipv6/conf/default/disable_ipv6"};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    (void)close(fd);
    for (size_t i = 0; i < ARRAY_LEN(confs); i++) {
        if (sysctl_get(confs[i]) == '1')
            (void)sysctl_set(confs[i], "0");
        if (sysctl_get(confs[i]) != '0')
            return false;
    }
    return true;
}
