/* seccomp.c: the system call filter of the command; what it refuses: command_rules.c. */
#include "src/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>

#include "src/filters.h"

int seccomp_confine_command(bool with_netlink, int *listener, struct error *e)
{
    int r = filter_install(&filter_command[true][with_netlink], SECCOMP_FILTER_FLAG_NEW_LISTENER);

    *listener = r >= 0 ? r : -1;
    if (r == -EBUSY) /* the kernel allows one listener in a chain of filters */
        r = filter_install(&filter_command[false][with_netlink], 0);
    return r < 0 ? error_errno(e, -r, "cannot install the command's seccomp filter") : 0;
}
