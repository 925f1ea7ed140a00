/* project.c: see project.h.
 *
 * Where a file is, is asked of the descriptor that it is read by (/proc/self/fd), so that no link
 * can be put in its way in between.
 *
 * Syscalls: getcwd, openat, fstat, readlink, read, close, access */
#include "preset/project.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "src/util.h"

static void set_directory(char out[PATH_MAX], const char *path)
{
    char real[PATH_MAX];

    if (path && path[0] == '/' && realpath(path, real) && strcmp(real, "/") != 0)
        copy_string(out, PATH_MAX, real);
}

/* The outermost directory from path up that has a ".git". */
static void find_work_tree(char out[PATH_MAX], const char *path)
{
    char at[PATH_MAX], git[PATH_MAX + 8];
    char *slash;

    copy_string(at, sizeof(at), path);
    while (at[0]) {
        (void)snprintf(git, sizeof(git), "%s/.git", at);
        if (access(git, F_OK) == 0)
            copy_string(out, PATH_MAX, at);
        slash = strrchr(at, '/');
        *(slash ? slash : at) = '\0';
    }
}

void project_find(struct project *p)
{
    char cwd[PATH_MAX] = "";

    memset(p, 0, sizeof(*p));
    if (getcwd(cwd, sizeof(cwd)) && cwd[0] == '/') {
        set_directory(p->directory[0], cwd);
        find_work_tree(p->directory[1], p->directory[0]);
    }
    set_directory(p->directory[2], getenv("GITHUB_WORKSPACE"));
    set_directory(p->directory[3], getenv("CI_PROJECT_DIR"));
    set_directory(p->directory[4], getenv("WORKSPACE"));
}

const char *project_holds(const struct project *p, const char *path)
{
    for (size_t i = 0; i < PROJECT_DIRECTORIES; i++) {
        const char *directory = p->directory[i];
        if (directory[0] && path_is_within(path, directory))
            return directory;
    }
    return NULL;
}

int project_read_outside(const struct project *p, const char *path, char **text, size_t *len)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char real[PATH_MAX], link[64];
    struct stat st;
    int r;

    if (fd < 0)
        return errno == ENOTDIR ? -ENOENT : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    r = fd_path(fd, real);
    if (r < 0)
        return r;
    if (project_holds(p, real))
        return -EXDEV;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return read_file(link, CONFIG_FILE_MAX, text, len, NULL);
}

/* Is this directory one to start a program from? */
static bool is_outside(const struct project *p, const char *path)
{
    char real[PATH_MAX];

    return path[0] == '/' && realpath(path, real) && !project_holds(p, real);
}

/* Of a project, even where nothing tells which: npm run has it first in PATH. */
static bool is_of_modules(const char *path)
{
    static const char name[] = "/node_modules";

    for (const char *at = strstr(path, name); at; at = strstr(at + 1, name))
        if (at[strlen(name)] == '/' || at[strlen(name)] == '\0')
            return true;
    return false;
}

bool project_find_program(const struct project *p, const char *name, char out[PATH_MAX],
                          char *clean, size_t clean_size)
{
    const char *path = getenv("PATH");
    cleanup_free char *copy = xstrdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *rest = NULL, candidate[PATH_MAX];
    size_t used = 0;
    bool found = false;

    clean[0] = '\0';
    for (char *d = strtok_r(copy, ":", &rest); d; d = strtok_r(NULL, ":", &rest)) {
        int n;
        if (is_of_modules(d) || !is_outside(p, d) || used + strlen(d) + 2 > clean_size)
            continue;
        used += (size_t)snprintf(clean + used, clean_size - used, "%s%s", used ? ":" : "", d);
        n = snprintf(candidate, sizeof(candidate), "%s/%s", d, name);
        if (found || n < 0 || (size_t)n >= sizeof(candidate) || access(candidate, X_OK) < 0 ||
            !is_outside(p, candidate))
            continue;
        copy_string(out, PATH_MAX, candidate);
        found = true;
    }
    return found;
}
