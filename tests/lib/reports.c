/* reports.c: how a sanitizer's report gets out of any process of cijail. It is linked into a build
 * with --enable-sanitizers alone.
 *
 * A report goes to standard error, which a test may have closed or made a regular file (to which a
 * proxy cannot write, RLIMIT_FSIZE), and later there is no path to open. So each process opens the
 * FIFO that T_REPORTS names before main begins, and keeps it: close_range, by which cijail
 * closes what it did not open, goes around that descriptor. What the command of the jail is has
 * none of it, since it is closed by execve.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REPORTS_FD_MIN = 200 }; /* over all that is placed by number */

static int reports_fd = -1;

__attribute__((constructor)) static void reports_open(void)
{
    const char *path = getenv("T_REPORTS");
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    reports_fd = fcntl(fd, F_DUPFD_CLOEXEC, REPORTS_FD_MIN);
    (void)close(fd);
}

/* The sanitizers call this with every piece of a report, after it was written to standard error. (A
 * report descriptor, which they have too, does not outlive fork.) */
void __sanitizer_on_print(const char *text);
void __sanitizer_on_print(const char *text)
{
    if (reports_fd >= 0)
        (void)!write(reports_fd, text, strlen(text));
}

static int close_some(unsigned first, unsigned last, int flags)
{
    return first > last ? 0 : (int)syscall(SYS_close_range, first, last, flags);
}

/* As close_range(2). */
int close_range(unsigned first, unsigned last, int flags)
{
    unsigned fd = (unsigned)reports_fd;

    if (reports_fd < 0 || fd < first || fd > last || first > last)
        return (int)syscall(SYS_close_range, first, last, flags);
    if (close_some(first, fd - 1, flags) < 0)
        return -1;
    return last == fd ? 0 : close_some(fd + 1, last, flags);
}
