/* progress.c: see progress.h.
 *
 * The line is written from the left margin, and the cursor goes back there: what the command writes
 * next then stands in its place. A line that the command has begun and not ended is overwritten;
 * there is no way to know of it.
 *
 * The terminal may have been stopped (ctrl-S) or be slow: what it cannot take now is left out,
 * since whoever waits for it would keep the jail waiting, too. */
#include "src/progress.h"

#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "src/util.h"

#define EVERY_MS 250
#define LINE_MAX_COLUMNS 120
#define USUAL_COLUMNS 80
#define ERASE "\r\033[K" /* to the end of the line */

struct progress {
    struct log *log;
    struct event *timer;
    uint64_t began;                   /* now_ms() */
    char shown[LINE_MAX_COLUMNS + 1]; /* "": nothing */
};

/* --- the text --- */

static void format_bytes(char *text, size_t size, uint64_t n)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    uint64_t tenths = n;

    while (unit + 1 < ARRAY_LEN(units) && n >= 1024) {
        tenths = n * 10 / 1024;
        n /= 1024;
        unit++;
    }
    if (unit == 0 || n >= 100)
        (void)snprintf(text, size, "%" PRIu64 " %s", n, units[unit]);
    else
        (void)snprintf(text, size, "%" PRIu64 ".%u %s", n, (unsigned)(tenths % 10), units[unit]);
}

size_t progress_format(char *line, size_t size, unsigned columns, uint64_t seconds,
                       const struct log_counts *counts)
{
    char up[32], down[32];
    size_t len;

    format_bytes(up, sizeof(up), counts->sent);
    format_bytes(down, sizeof(down), counts->received);
    (void)snprintf(line, size,
                   "cijail: %" PRIu64 " s, %" PRIu64 " allowed, %" PRIu64 " denied, %s up, %s down",
                   seconds, counts->allowed, counts->denied, up, down);
    len = strlen(line);
    if (len > columns)
        len = columns;
    line[len] = '\0';
    return len;
}

/* --- the terminal --- */

static bool can_rewrite(void)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

/* The last column is left free: some terminals go on to the next line when it is written. */
static unsigned columns_now(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return USUAL_COLUMNS - 1;
    return size.ws_col <= LINE_MAX_COLUMNS ? size.ws_col - 1u : LINE_MAX_COLUMNS;
}

/* Somebody else's turn: a shell in the jail that has put a job of its own there, or around it. */
static bool is_background(void)
{
    pid_t foreground = tcgetpgrp(STDERR_FILENO);

    return foreground > 0 && foreground != getpgrp();
}

static bool can_take(void)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

void progress_erase(struct progress *p)
{
    if (!p || !p->shown[0])
        return;
    if (can_take())
        (void)write_all(STDERR_FILENO, ERASE, strlen(ERASE));
    p->shown[0] = '\0';
}

static void draw(struct progress *p)
{
    char line[LINE_MAX_COLUMNS + 1], text[LINE_MAX_COLUMNS + 16];
    struct log_counts counts;

    log_count(p->log, &counts);
    (void)progress_format(line, sizeof(line), columns_now(), (now_ms() - p->began) / 1000, &counts);
    if (strcmp(line, p->shown) == 0 || is_background() || !can_take())
        return;
    (void)snprintf(text, sizeof(text), ERASE "%s\r", line);
    (void)write_all(STDERR_FILENO, text, strlen(text));
    copy_string(p->shown, sizeof(p->shown), line);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    draw(arg);
}

struct progress *progress_start(struct event_base *base, struct log *log)
{
    static const struct timeval every = {.tv_usec = EVERY_MS * 1000};
    struct progress *p;

    if (!can_rewrite())
        return NULL;
    p = xcalloc(1, sizeof(*p));
    p->log = log;
    p->began = now_ms();
    p->timer = event_new(base, -1, EV_PERSIST, on_timer, p);
    if (!p->timer || event_add(p->timer, &every) < 0)
        die("cannot start a timer");
    log_set_progress(log, p);
    return p;
}

void progress_stop(struct progress *p)
{
    if (!p)
        return;
    progress_erase(p);
    log_set_progress(p->log, NULL);
    event_free(p->timer);
    free(p);
}
