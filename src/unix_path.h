/* unix_path.h: the inode that a path of a process of the jail leads to. */
#ifndef CIJAIL_UNIX_PATH_H
#define CIJAIL_UNIX_PATH_H

#include <sys/types.h>

/* Where a path begins. Descriptors are O_PATH; -1: none, or the path does not begin there. */
struct unix_places {
    int root, cwd, own; /* own: behind a descriptor of the process */
    const char *rest;   /* what follows own, perhaps nothing */
};

/* Opens the places of path in process (or thread) tid, whose pidfd is given, with the calling
 * thread's ids: they need not be readable for the process. 0, or -EACCES. unix_places_close in any
 * case. path outlives places. */
int unix_places_find(pid_t tid, int pidfd, const char *path, struct unix_places *places);
void unix_places_close(const struct unix_places *places);

/* Opens path with O_PATH, with the calling thread's ids: a descriptor, or -errno as connect(2) has
 * it. */
int unix_places_open(const struct unix_places *places, const char *path);

#endif
