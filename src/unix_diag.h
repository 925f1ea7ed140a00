/* unix_diag.h: which socket is bound to an inode (sock_diag(7), AF_UNIX). */
#ifndef CIJAIL_UNIX_DIAG_H
#define CIJAIL_UNIX_DIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "src/error.h"

/* A NETLINK_SOCK_DIAG socket of the caller's network namespace, close-on-exec; -errno. It answers
 * for that namespace whoever uses it later. */
int unix_diag_open(struct error *e);

/* An inode as sock_diag knows it. */
struct unix_inode {
    ino_t ino; /* compared by its lower 32 bits */
    dev_t dev; /* of the file system: not always what stat(2) says */
};

/* The inode that fd (O_PATH) and its st are of, in the mount namespace of thread tid. */
struct unix_inode unix_diag_inode(int fd, const struct stat *st, pid_t tid);

#define UNIX_DIAG_FOUND_MAX 16

/* Numbers of sockets (sockfs inodes). */
struct unix_diag_found {
    size_t count;
    uint32_t numbers[UNIX_DIAG_FOUND_MAX];
};

/* Finds the sockets of the descriptor's network namespace that seem to be bound to that inode, by
 * that name (NULL: any); not more than there is room for. Numbers of inodes are not unique: who
 * lets something pass by this asks on (unix_holders.h). 0, or -errno, with none found. One caller
 * at a time for each descriptor. */
int unix_diag_find(int fd, const struct unix_inode *inode, const char *name,
                   struct unix_diag_found *found);

/* Is any socket of the machine bound to the inode that the O_PATH descriptor fd is of, as far as
 * the calling thread may know? Nobody's socket notices. */
bool unix_diag_is_bound_anywhere(int fd);

#endif
