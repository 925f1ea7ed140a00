/* main.c: cijail-dnsproxy, started by cijail with the descriptors of net.h, never by hand. */
#include "dnsproxy/dnsproxy.h"
#include "src/util.h"

int main(void)
{
    struct dnsproxy *p = xcalloc(1, sizeof(*p));
    dnsproxy_run(p);
    free(p);
    return 0;
}
