/* unix_holders.h: is a socket that the jail made bound to a file? */
#ifndef CIJAIL_UNIX_HOLDERS_H
#define CIJAIL_UNIX_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unix_holders;

/* jail: a socket of J (unix_diag_open), which outlives it. NULL if the kernel does not tell whose
 * namespace that is. Lives as long as the process. */
struct unix_holders *unix_holders_new(int jail);

/* Does a process of the jail hold a socket of J, or of a network namespace that was made inside the
 * jail (unshare -n, podman), that is bound to the very inode that fd (O_PATH) is of? Only the
 * sockets with these numbers (sockfs inodes, as sock_diag tells them) are asked; all, if numbers is
 * NULL. Takes a look at every process. With the supervisor's own ids; safe from several threads. */
bool unix_holders_have(struct unix_holders *h, int fd, const uint32_t *numbers, size_t count);

#endif
