/* compromised.c: a proxy that turns on its jail, for 20-compromised.sh.
 *
 * The program is the proxy itself, of the same objects as the real one; what is different is the
 * linker's --wrap: event_base_dispatch, which a proxy calls once it has locked itself down and has
 * said that it is ready, comes by here first. When the jail's first connection comes, the attack
 * that the file "attack" beside the program names is run inside of the process, and what came of it
 * is told on stderr:
 *
 *   compromised: NAME: tries
 *   compromised: NAME: refused EPERM         or: worked 3         or nothing, if the kernel killed
 * it
 *
 * Then the process ends.
 * "list" as an argument prints the attacks; "twin NAME" runs one without any lock-down, by which
 * the test knows that the attack itself works. Nothing of this is in the programs that are
 * installed. */
#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/net.h"
#include "src/util.h"
#include "tests/escape/compromised.h"

#ifdef COMPROMISED_DNSPROXY
#include "dnsproxy/dnsproxy.h"
#define TRIGGER DNS_FD_TCP4
#else
#include "httpproxy/proxy.h"
#define TRIGGER HTTP_FD_LISTEN4
#endif

int __real_event_base_dispatch(struct event_base *base);
int __wrap_event_base_dispatch(struct event_base *base);

static const struct attack *chosen;

void say(const char *fmt, ...)
{
    char line[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (n > 0)
        (void)!write(STDERR_FILENO, line, strlen(line));
}

static void attack(void)
{
    long r;

    say("compromised: %s: tries\n", chosen->name);
    r = chosen->run();
    if (r < 0)
        say("compromised: %s: refused %s\n", chosen->name, strerrorname_np((int)-r));
    else
        say("compromised: %s: worked %ld\n", chosen->name, r);
}

static void on_packet(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    attack();
    _exit(0);
}

int __wrap_event_base_dispatch(struct event_base *base)
{
    struct event *trigger = event_new(base, TRIGGER, EV_READ, on_packet, NULL);

    if (!trigger || event_add(trigger, NULL) < 0)
        die("cannot watch descriptor %d", TRIGGER);
    return __real_event_base_dispatch(base);
}

static const struct attack *find(const char *name)
{
    for (const struct attack *a = attack_calls; a->name; a++)
        if (!strcmp(a->name, name))
            return a;
    for (const struct attack *a = attack_channel; a->name; a++)
        if (!strcmp(a->name, name))
            return a;
    die("no such attack: %s", name);
}

static void list(void)
{
    for (const struct attack *a = attack_calls; a->name; a++)
        puts(a->name);
    for (const struct attack *a = attack_channel; a->name; a++)
        puts(a->name);
}

/* The name in the file beside the program. A proxy that starts when it is needed has the jail's
 * /proc, in which it does not stand, so the path is the one that it was executed by. */
static const struct attack *read_choice(void)
{
    char path[PATH_MAX];
    cleanup_free char *name = NULL;
    size_t len;
    const char *own = (const char *)getauxval(AT_EXECFN);

    if (!own || own[0] != '/' || strlen(own) > sizeof(path) - 8)
        die("the program's own path is not known");
    copy_string(path, sizeof(path), own);
    copy_string(strrchr(path, '/') + 1, sizeof("attack"), "attack");
    if (read_file(path, 100, &name, &len, NULL) < 0)
        die("cannot read %s", path);
    name[strcspn(name, "\n")] = '\0';
    return find(name);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "list")) {
        list();
        return 0;
    }
    if (argc == 3 && !strcmp(argv[1], "twin")) {
        chosen = find(argv[2]);
        attack();
        return 0;
    }
    chosen = read_choice();
#ifdef COMPROMISED_DNSPROXY
    static struct dnsproxy p;
    dnsproxy_run(&p);
    return 0;
#else
    return proxy_main();
#endif
}
