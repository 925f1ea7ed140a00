/* util.h: small things that every process needs. */
#ifndef CIJAIL_UTIL_H
#define CIJAIL_UTIL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Cleanup attributes: the variable's resource is released where its scope ends. */
static inline void cleanup_closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}
static inline void cleanup_freep(void *p)
{
    free(*(void **)p);
}
#define cleanup_close __attribute__((cleanup(cleanup_closep)))
#define cleanup_free __attribute__((cleanup(cleanup_freep)))

/* Of a large buffer that is written before it is read. All other automatic variables are zeroed
 * first (-ftrivial-auto-var-init), which for 64 KiB takes microseconds, and the cache with it. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED
#endif

/* Takes the value out of a cleanup variable, which then releases nothing. */
static inline int steal_fd(int *fd)
{
    int v = *fd;
    *fd = -1;
    return v;
}

/* malloc family that ends the process with a message when memory is out: the only sane answer in
 * processes whose every table is bounded. The caller owns the result. */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
FILE *xopen_memstream(char **text, size_t *len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The end of f, a stream of xopen_memstream: *text is there, whole. */
void xclose_memstream(FILE *f, char *const *text);

/* Reads a whole file of at most max bytes. *data is NUL-terminated (the NUL is not counted) and
 * owned by the caller. -EFBIG if the file is longer. */
struct error;
int read_file(const char *path, size_t max, char **data, size_t *len, struct error *e);

/* Writes all of it, restarting after EINTR. 0 or -errno. */
int write_all(int fd, const void *data, size_t len);

/* Copies with truncation, always NUL-terminated. */
void copy_string(char *dst, size_t size, const char *src);

/* Is path the folder, or below it? Neither is looked at on the disk; folder is not empty. */
bool path_is_within(const char *path, const char *folder);

/* Writes s so that no byte of it can drive a terminal or forge a log line: control characters, DEL,
 * backslash (as \x5c) and bytes over 0x7e become \xNN. Always NUL-terminated; what does not fit
 * ends in
 * "..." (a size under 4 gives an empty text). Returns strlen(dst). */
size_t escape_text(char *dst, size_t size, const char *src, size_t len);

/* The inside of a JSON string (RFC 8259, 7) of any bytes, each non-ASCII one as \u00NN, so that any
 * bytes give valid JSON. What does not fit is left out. Returns strlen(dst). */
size_t escape_json(char *dst, size_t size, const char *src);

/* Milliseconds and microseconds of CLOCK_MONOTONIC. */
uint64_t now_ms(void);

/* FNV-1a (draft-eastlake-fnv): goes on from h, which is HASH_START for the first bytes, or that and
 * a seed (^) where the keys are someone else's to choose. */
#define HASH_START 2166136261u
uint32_t hash_bytes(uint32_t h, const void *data, size_t len);
uint64_t now_us(void);

/* O_NONBLOCK on. 0 or -errno. */
int set_nonblocking(int fd);

/* Waits until fd can be read, which of a pidfd means that the process has ended; false if it cannot
 * be after that many milliseconds, of which a signal begins anew. */
bool wait_readable(int fd, int ms);

/* Where the file of this descriptor is now (/proc/self/fd, proc(5)), for a process that may not
 * look there, too. 0, or -errno: -EINVAL if it is none that has a path. */
int fd_path(int fd, char out[PATH_MAX]);

/* Of a TCP connection, as far as fd is one: what was sent as one small segment does not wait for
 * the next; and a peer that is gone is noticed, however long it may be silent (tcp(7)): probes
 * begin after a minute, and it is given up three minutes later. */
void set_tcp_options(int fd);

/* Raises RLIMIT_NOFILE's soft limit to the hard one; returns the limit then in force. */
size_t raise_nofile(void);

/* Warnings and fatal errors of a process that has no other way to speak. "NAME: text" on stderr,
 * where NAME is program_invocation_short_name. die() exits with 125. */
void warn_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Room for one descriptor along with a message (unix(7), SCM_RIGHTS). */
union fd_control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
};

/* h is to carry fd, which stays the caller's; nothing if fd is negative. control: zeroed, lives as
 * long as h. */
void attach_fd(struct msghdr *h, union fd_control *control, int fd);

/* The descriptor that came with h, whose control data was a union fd_control; -1: none. The
 * caller's from here on. */
int attached_fd(struct msghdr *h);

/* Of a hexadecimal digit, 0 to 15; -1 for any other character. */
int hex_value(char c);

#endif
