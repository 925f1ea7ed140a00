#include "src/util.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "src/error.h"

void *xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);

    if (!p)
        die("out of memory (%zu bytes)", n);
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        die("out of memory (%zu times %zu bytes)", n, size);
    return p;
}

void *xrealloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);

    if (!q)
        die("out of memory (%zu bytes)", n);
    return q;
}

FILE *xopen_memstream(char **text, size_t *len)
{
    FILE *f = open_memstream(text, len);

    if (!f)
        die("out of memory");
    return f;
}

/* glibc's fclose(3) does not say that the last realloc(3) failed. */
void xclose_memstream(FILE *f, char *const *text)
{
    bool failed = ferror(f) != 0;

    if (fclose(f) != 0 || failed || !*text)
        die("out of memory");
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *p = xmalloc(len + 1);

    memcpy(p, s, len);
    p[len] = '\0';
    return p;
}

char *xasprintf(const char *fmt, ...)
{
    char *p;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&p, fmt, ap) < 0)
        die("out of memory");
    va_end(ap);
    return p;
}

/* Reads to the end into a buffer that grows from size bytes; one byte more than max tells a longer
 * file. */
static int read_to_end(int fd, size_t size, size_t max, char **buf, size_t *len)
{
    size_t n = 0;

    for (;;) {
        ssize_t r;
        if (n == size)
            size = size < max / 2 ? size * 2 : max + 1;
        *buf = xrealloc(*buf, size + 1);
        r = read(fd, *buf + n, size - n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        if (r == 0)
            break;
        n += (size_t)r;
        if (n > max)
            return -EFBIG;
    }
    (*buf)[n] = '\0';
    *len = n;
    return 0;
}

int read_file(const char *path, size_t max, char **data, size_t *len, struct error *e)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    cleanup_free char *buf = NULL;
    struct stat st;
    size_t size = 4096;
    int r;

    if (fd < 0)
        return error_errno(e, errno, "cannot open %s", path);
    /* A good guess spares the copies; a size of 0 says nothing (procfs). */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && (uintmax_t)st.st_size < max)
        size = (size_t)st.st_size + 1;
    r = read_to_end(fd, size <= max ? size : max + 1, max, &buf, len);
    if (r < 0)
        return error_errno(e, -r, "cannot read %s", path);
    *data = buf;
    buf = NULL;
    return 0;
}

int write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t r = write(fd, p, len);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        p += r;
        len -= (size_t)r;
    }
    return 0;
}

void copy_string(char *dst, size_t size, const char *src)
{
    size_t n = strnlen(src, size - 1);

    memcpy(dst, src, n);
    dst[n] = '\0';
}

size_t escape_text(char *dst, size_t size, const char *src, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t o = 0;

    if (size < 4) { /* not even room for the dots */
        if (size)
            dst[0] = '\0';
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)src[i];
        bool plain = c >= 0x20 && c <= 0x7e && c != '\\';
        size_t need = plain ? 1 : 4;
        size_t after = i + 1 == len ? 1 : 4; /* the NUL, and room for "..." if more may come */
        if (o + need + after > size) {
            memcpy(dst + o, "...", 3);
            o += 3;
            break;
        }
        if (plain) {
            dst[o++] = (char)c;
            continue;
        }
        dst[o++] = '\\';
        dst[o++] = 'x';
        dst[o++] = hex[c >> 4];
        dst[o++] = hex[c & 15];
    }
    dst[o] = '\0';
    return o;
}

uint64_t now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

size_t escape_json(char *dst, size_t size, const char *src)
{
    size_t len = 0;

    for (; *src && size - len > 6; src++) {
        unsigned char c = (unsigned char)*src;
        if (c == '"' || c == '\\')
            len += (size_t)snprintf(dst + len, size - len, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            len += (size_t)snprintf(dst + len, size - len, "\\u%04x", c);
        else
            dst[len++] = (char)c;
    }
    dst[len] = '\0';
    return len;
}

uint64_t now_ms(void)
{
    return now_us() / 1000u;
}

int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

bool wait_readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int r;

    do
        r = poll(&p, 1, ms);
    while (r < 0 && errno == EINTR);
    return r == 1;
}

int fd_path(int fd, char out[PATH_MAX])
{
    char link[64];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, out, PATH_MAX - 1);
    if (n <= 0)
        return n < 0 ? -errno : -EINVAL;
    out[n] = '\0';
    return out[0] == '/' ? 0 : -EINVAL;
}

void set_tcp_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},    {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 60}, /* seconds */
        {IPPROTO_TCP, TCP_KEEPINTVL, 30}, {IPPROTO_TCP, TCP_KEEPCNT, 6},
    };

    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof(options[i].value));
}

size_t raise_nofile(void)
{
    struct rlimit rl;

    if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
        return 256;
    if (rl.rlim_cur < rl.rlim_max) {
        rlim_t old = rl.rlim_cur;
        rl.rlim_cur = rl.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
            rl.rlim_cur = old;
    }
    return rl.rlim_cur > 1048576 ? 1048576 : (size_t)rl.rlim_cur;
}

static void vwarn(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
static void vwarn(const char *fmt, va_list ap)
{
    char text[2048];
    char line[2304];
    int n;

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    n = snprintf(line, sizeof(line), "%s: %s\n", program_invocation_short_name, text);
    if (n > 0)
        (void)write_all(STDERR_FILENO, line,
                        (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

void warn_text(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vwarn(fmt, ap);
    va_end(ap);
}

void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vwarn(fmt, ap);
    va_end(ap);
    _exit(125);
}

uint32_t hash_bytes(uint32_t h, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        h = (h ^ bytes[i]) * 16777619u;
    return h;
}

void attach_fd(struct msghdr *h, union fd_control *control, int fd)
{
    struct cmsghdr *c;

    if (fd < 0)
        return;
    h->msg_control = control;
    h->msg_controllen = sizeof(*control);
    c = CMSG_FIRSTHDR(h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

int attached_fd(struct msghdr *h)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(h);
    int fd = -1;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool path_is_within(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 && (folder[n - 1] == '/' || path[n] == '/' || !path[n]);
}
