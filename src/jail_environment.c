#include "src/jail_environment.h"

#include <stddef.h>

#include "src/net.h"
#include "src/util.h"

#define PROXY_URL "http://" GW_IPV4 ":3128"
#define DIRECT "localhost,127.0.0.0/8,::1" /* the jail's own servers */

_Static_assert(PROXY_PORT == 3128, "the proxy's port stands in the text above");

static const struct {
    const char *name, *value;
} variables[] = {
    {"http_proxy", PROXY_URL},  {"HTTP_PROXY", PROXY_URL}, {"https_proxy", PROXY_URL},
    {"HTTPS_PROXY", PROXY_URL}, {"no_proxy", DIRECT},      {"NO_PROXY", DIRECT},
    {"all_proxy", NULL},        {"ALL_PROXY", NULL},       {"NODE_USE_ENV_PROXY", "1"},
};

void jail_environment(jail_environment_cb *set, void *arg)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        set(arg, variables[i].name, variables[i].value);
}
