/* child_memory.c: the gate's child that looks into the jail's own network namespaces
 * (unix_nested.c) enters a user namespace in which the attacker has all capabilities. Can he have
 * its memory there?
 *
 *     child_memory FOLDER CONNECTS
 *
 * Makes such namespaces, binds sockets in FOLDER (the more of them, the longer the child is at it),
 * and has one after the other connected to, while another process opens /proc/PID/mem of whatever
 * comes next. Prints how many connections there were, how often a process was met that could not be
 * opened, and how often one could. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKETS 1500
#define AHEAD 12    /* PIDs that are tried */
#define TRIES 40000 /* before the last PID is asked for anew */

struct counts {
    unsigned long refused, opened;
};

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    if (fd < 0 || write(fd, text, strlen(text)) < 0) {
        perror(path);
        exit(1);
    }
    (void)close(fd);
}

static void enter_namespaces(void)
{
    unsigned uid = getuid(), gid = getgid();
    char map[64];

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        perror("unshare");
        exit(1);
    }
    put("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof(map), "0 %u 1", uid);
    put("/proc/self/uid_map", map);
    (void)snprintf(map, sizeof(map), "0 %u 1", gid);
    put("/proc/self/gid_map", map);
}

static struct sockaddr_un address(const char *folder, int number)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/%d", folder, number);
    return a;
}

static void bind_all(const char *folder)
{
    for (int i = 0; i < SOCKETS; i++) {
        struct sockaddr_un a = address(folder, i);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0) {
            perror(a.sun_path);
            exit(1);
        }
    }
}

/* As /proc, which may be of an outer PID namespace, has it. */
static int last_pid(void)
{
    char text[32] = "";
    int fds[2];
    pid_t child;

    if (pipe(fds) < 0 || (child = fork()) < 0)
        exit(1);
    if (child == 0) {
        ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);
        _exit(n > 0 && write(fds[1], text, (size_t)n) == n ? 0 : 1);
    }
    (void)waitpid(child, NULL, 0);
    (void)!read(fds[0], text, sizeof(text) - 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
    return atoi(text);
}

/* No process of its own is begun while it tries, so none that it opens is its own. */
static void prey(struct counts *c)
{
    for (;;) {
        int last = last_pid();
        for (int i = 0; i < TRIES; i++) {
            char path[64];
            (void)snprintf(path, sizeof(path), "/proc/%d/mem", last + 1 + i % AHEAD);
            int fd = open(path, O_RDWR);
            c->opened += fd >= 0;
            c->refused += fd < 0 && errno == EACCES;
            if (fd >= 0)
                (void)close(fd);
        }
    }
}

static int connect_once(const char *folder, int number)
{
    struct sockaddr_un a = address(folder, number % SOCKETS);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int r = connect(fd, (struct sockaddr *)&a, sizeof(a));

    (void)close(fd);
    return r == 0;
}

int main(int argc, char **argv)
{
    struct counts *c =
        mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int connected = 0;

    if (argc != 3 || c == MAP_FAILED)
        return 2;
    enter_namespaces();
    bind_all(argv[1]);
    pid_t hunter = fork();
    if (hunter == 0)
        prey(c);
    for (int i = 0; i < atoi(argv[2]); i++)
        connected += connect_once(argv[1], i);
    (void)kill(hunter, SIGKILL);
    (void)waitpid(hunter, NULL, 0);
    printf("%d connected, %lu refused, %lu opened\n", connected, c->refused, c->opened);
    return 0;
}
