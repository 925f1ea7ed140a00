/* jail_abort.h: the end of the jail's TCP connections when its network has ended. */
#ifndef CIJAIL_JAIL_ABORT_H
#define CIJAIL_JAIL_ABORT_H

/* Ends each TCP connection of the jail's network but those over its loopback, begun ones included;
 * their programs get ECONNABORTED. diag: sock_diag of the jail's network namespace (unix_diag.h),
 * or -1. Best effort: a kernel without CONFIG_INET_DIAG_DESTROY leaves them to their timeouts. */
void jail_abort(int diag);

#endif
