/* jail_listen.c: sockets that listen (of UDP: are bound) in the jail's network, made for the
 * supervisor, which is not in it.
 *
 * Whoever closes the descriptor, the supervisor, ends the listening, so init has nothing to
 * remember. It has no capability for this, and needs none: in J every port may be bound by
 * everybody (net.ipv4.ip_unprivileged_port_start). A port that a server of the jail has taken
 * answers EADDRINUSE, as it does outside to whoever comes second.
 *
 * Syscalls: socket, setsockopt, bind, listen, close. */
#include "src/jail_listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/util.h"

/* The socket, or -errno. */
static int open_listener(const struct launch_listen *at)
{
    int family = at->address.ss_family;
    cleanup_close int fd = -1;
    const int one = 1;

    if (at->len > sizeof(at->address))
        return -EINVAL;
    fd = socket(family, at->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    /* Connections of an earlier listener may still be there, in TIME_WAIT or alive. Of UDP that
     * would share the port with a server of the jail. */
    if (family != AF_UNIX && at->type == SOCK_STREAM &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
        return -errno;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&at->address, at->len) < 0)
        return -errno;
    if (at->type != SOCK_DGRAM && listen(fd, SOMAXCONN) < 0)
        return -errno;
    return steal_fd(&fd);
}

void jail_listen(int fd, const struct launch_msg *request)
{
    struct launch_listen at;
    int listener, r;

    memcpy(&at, request->text, sizeof(at));
    listener = open_listener(&at);
    if (listener < 0) {
        (void)launch_send(fd, LAUNCH_LISTENING, -listener, NULL);
        return;
    }
    r = launch_send_fd(fd, LAUNCH_LISTENING, 0, listener);
    if (r < 0)
        (void)launch_send(fd, LAUNCH_LISTENING, -r, NULL);
    (void)close(listener);
}
