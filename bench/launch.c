/* launch.c: how long commands take from their start to their end.
 *
 *     launch RUNS COMMAND [ARG...] [// COMMAND [ARG...]]...
 *
 * The commands are run in turn, RUNS times each, with nothing on standard input and their output
 * thrown away, so that a load that comes and goes meets all of them. For each command one line: the
 * medians of its wall-clock time and of the processor time (user and system) of it and of all that
 * it waited for, in microseconds. A command that fails makes the line "failed STATUS", where STATUS
 * is as wait(2) says. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define COMMANDS_MAX 64
#define RUNS_MAX 100000

struct command {
    char **argv;
    double *wall; /* microseconds, one for each run */
    double *cpu;
    int failed; /* the first status that is not 0 */
};

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double timeval_us(struct timeval t)
{
    return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

/* One run. The program is looked for in PATH; its environment is ours. */
static void run_once(struct command *c, const posix_spawn_file_actions_t *actions, int i)
{
    double start = now_us();
    struct rusage use;
    int status = 0;
    pid_t pid = 0;
    int r = c->argv[0] == NULL ? EINVAL
                               : posix_spawnp(&pid, c->argv[0], actions, NULL, c->argv, environ);

    if (r != 0) {
        fprintf(stderr, "launch: %s: %s\n", c->argv[0], strerror(r));
        exit(1);
    }
    while (wait4(pid, &status, 0, &use) < 0) {
        if (errno != EINTR)
            exit(1);
    }
    c->wall[i] = now_us() - start;
    c->cpu[i] = timeval_us(use.ru_utime) + timeval_us(use.ru_stime);
    if (status != 0 && c->failed == 0)
        c->failed = status;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof(*v), compare);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Cuts the arguments at each "//"; returns how many commands there are. */
static int split(char **argv, struct command *commands, int runs)
{
    int n = 0;

    while (*argv != NULL) {
        if (n == COMMANDS_MAX || strcmp(*argv, "//") == 0) {
            fprintf(stderr, "launch: an empty command, or more than %d\n", COMMANDS_MAX);
            exit(2);
        }
        commands[n].argv = argv;
        commands[n].wall = calloc((size_t)runs, sizeof(double));
        commands[n].cpu = calloc((size_t)runs, sizeof(double));
        if (commands[n].wall == NULL || commands[n].cpu == NULL)
            exit(1);
        n++;
        while (*argv != NULL && strcmp(*argv, "//") != 0)
            argv++;
        if (*argv != NULL)
            *argv++ = NULL;
    }
    return n;
}

int main(int argc, char **argv)
{
    static struct command commands[COMMANDS_MAX];
    posix_spawn_file_actions_t actions;
    int runs = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;
    int n, i, run;

    if (runs < 1 || runs > RUNS_MAX || strcmp(argv[argc - 1], "//") == 0) {
        fprintf(stderr, "usage: launch RUNS COMMAND [ARG...] [// COMMAND [ARG...]]...\n");
        return 2;
    }
    n = split(argv + 2, commands, runs);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    for (run = 0; run < runs; run++)
        for (i = 0; i < n; i++)
            run_once(&commands[i], &actions, run);
    for (i = 0; i < n; i++) {
        if (commands[i].failed)
            printf("failed %d\n", commands[i].failed);
        else
            printf("%.0f %.0f\n", median(commands[i].wall, runs), median(commands[i].cpu, runs));
        free(commands[i].wall);
        free(commands[i].cpu);
    }
    posix_spawn_file_actions_destroy(&actions);
    return 0;
}
