/* cijail(1): run a command in a network from which nothing leaves but what a policy names.
 *
 *   options and environment -> policy        options.c, policy.c
 *   namespaces, network, rules, proxies      supervisor.c starts gateway.c, netns.c, ruleset.c
 *   mounts, the jail's init, the command     child.c, mounts.c
 *   dialing, resolving, logging              supervisor.c, dialer.c, upstream_dns.c, log.c */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "src/options.h"
#include "src/supervisor.h"
#include "src/util.h"

/* The libraries' destructors have nothing to do, and touch pages of all of them for it. */
static void leave(int status) __attribute__((noreturn));
static void leave(int status)
{
#if defined(CIJAIL_SANITIZED) || defined(CIJAIL_GCOV)
    exit(status);
#else
    (void)fflush(NULL);
    _exit(status);
#endif
}

int main(int argc, char **argv)
{
    struct options options;
    struct policy policy;
    enum options_result result;
    struct error e;
    int r;

    policy_init(&policy);
    if (options_parse(argc, argv, &options, &policy, &result, &e) < 0)
        die("%s", e.text);
    if (result == OPTIONS_DONE)
        return EXIT_SUCCESS;
    r = supervisor_run(&options, &policy, &e);
    if (r < 0)
        die("%s", e.text);
    policy_free(&policy);
    leave(r);
}
