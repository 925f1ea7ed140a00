/* supervisor_jail.c: what the keeper, init and the command's process say, and the signals that are
 * passed on to the command. */
#include "src/supervisor_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/jail_abort.h"
#include "src/log.h"
#include "src/mirror.h"
#include "src/progress.h"
#include "src/raw.h"
#include "src/util.h"

#define WORD_SECONDS 1      /* for init to tell of the command's end, */
#define LAST_WORD_SECONDS 3 /* and once it has been continued */

/* What is passed on to the command. SIGTTIN and SIGTTOU stop a background job, cijail with it, by
 * default. */
static const int forwarded[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM,   SIGTERM,
                                SIGTSTP, SIGCONT, SIGPWR,  SIGIO,   SIGPROF, SIGVTALRM, SIGWINCH};

/* --- the keeper and init --- */

static void describe_status(int status, char *buf, size_t size)
{
    if (WIFSIGNALED(status))
        (void)snprintf(buf, size, "was killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else
        (void)snprintf(buf, size, "ended with status %d", WEXITSTATUS(status));
}

/* Of the proxy of that name. */
static struct proxy *find_proxy(struct supervisor *s, const char *name)
{
    return strcmp(name, s->dns.name) == 0 ? &s->dns : &s->http;
}

static void on_proxy_ended(struct supervisor *s, const char *name, int status)
{
    struct proxy *p = find_proxy(s, name);
    bool ending = s->phase == PHASE_ENDING;
    char how[128];

    p->over = true;
    if (ending && p->channel)
        channel_catch_up(p->channel); /* what it said came before */
    describe_status(status, how, sizeof(how));
    if (ending && p->finished && status != 0)
        log_error(s->log, "%s %s: what it had to report may not be in the log", name, how);
    if (ending && p->finished)
        return;
    if (s->phase == PHASE_SETUP)
        supervisor_give_up(s, EIO, "%s %s before it was ready", name, how);
    else if (s->closed && strcmp(name, s->closed) != 0)
        return; /* its channel was closed because of the other one's end: on_cut */
    else if (!s->network_ended)
        log_error(s->log, "%s %s; the jail's network has ended, %s", name, how,
                  ending ? "and then the command" : "the command goes on without it");
    s->network_ended = true;
}

/* How the proxy ended whose channel was closed first has been told, unless the keeper found only
 * the other's end, and killed it. */
static void on_cut(struct supervisor *s)
{
    if (s->closed && !s->network_ended && s->phase != PHASE_ENDING)
        log_error(s->log,
                  "%s closed its channel; the jail's network has ended, the command goes on "
                  "without it",
                  s->closed);
    s->network_ended = true;
    jail_abort(s->diag);
    if (s->container) /* the envoy may */
        (void)launch_send(s->launch.init_supervisor, LAUNCH_ABORT, 0, NULL);
}

/* Of a jail that fails: the keeper cannot link it where init has ended, and init has said why,
 * which may not have been read yet. */
static bool init_failed(const struct supervisor *s, struct launch_msg *m)
{
    while (s->phase == PHASE_SETUP && launch_waits(s->launch.init_supervisor)) {
        int passed, r = launch_recv_fd(s->launch.init_supervisor, m, &passed);
        if (r < 0)
            break;
        if (passed >= 0)
            (void)close(passed);
        if (m->type == LAUNCH_ERROR)
            return true;
    }
    return false;
}

void supervisor_on_gate(evutil_socket_t fd, short what, void *arg)
{
    struct supervisor *s = arg;
    struct launch_msg m, init;
    int passed, r = launch_recv_fd(fd, &m, &passed);

    (void)what;
    if (r < 0) {
        supervisor_give_up(s, EPIPE, "the keeper of the jail's network ended");
        return;
    }
    if (passed >= 0)
        raw_take_socket(s->raw, m.type == LAUNCH_RELAY ? m.value : LAUNCH_RELAYS, passed);
    if (m.type == LAUNCH_ERROR) {
        supervisor_give_up(s, EIO, "%s", init_failed(s, &init) ? init.text : m.text);
    } else if (m.type == LAUNCH_CUT) {
        on_cut(s);
    } else if (m.type == LAUNCH_PROXY_ENDED) {
        on_proxy_ended(s, m.text, m.value);
    } else if (m.type == LAUNCH_PROXY_IDLE) {
        find_proxy(s, m.text)->over = true;
    }
}

static int exit_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The command was stopped by other means than the terminal (that stops the whole process group, and
 * this process with it): this process stops too, so that the caller's shell sees its job stopped;
 * once continued, it continues it. */
static void follow_stop(struct supervisor *s)
{
    progress_erase(s->progress);
    (void)raise(SIGSTOP);
    (void)launch_send(s->launch.init_supervisor, LAUNCH_SIGNAL, SIGCONT, NULL);
}

static bool pass_to_gate(struct supervisor *s, enum launch_type type, int fd)
{
    int r = gate_process_pass(&s->gate_process, type, fd);
    struct error e;

    if (r < 0 && r != -EPIPE)
        (void)launch_explain_pass(r, &e);
    else if (r < 0)
        (void)error_set(&e, EPIPE, "the gate for the jail's connections ended unexpectedly");
    if (r < 0)
        supervisor_give_up(s, -r, "%s", e.text);
    return r == 0;
}

/* The command's process is about to execute the command; its connects wait for the gate. */
static void take_listener(struct supervisor *s, int listener)
{
    if (listener < 0) {
        if (!s->options->quiet)
            warn_text(
                "this jail is inside of another: unix sockets are refused in it, but for pairs");
        return;
    }
    if (!s->gate_has_diag) {
        (void)close(listener);
        supervisor_give_up(
            s, EPROTO,
            "the kernel lacks AF_UNIX socket monitoring (CONFIG_UNIX_DIAG); run: modprobe "
            "unix_diag");
    } else {
        (void)pass_to_gate(s, LAUNCH_LISTENER, listener);
    }
}

/* Init sends two; one for each use, since each waits for its own answers. */
static void take_diag(struct supervisor *s, int diag)
{
    if (diag < 0)
        return;
    if (!s->gate_has_diag)
        s->gate_has_diag = pass_to_gate(s, LAUNCH_DIAG, diag);
    else if (s->diag < 0)
        s->diag = diag;
    else
        (void)close(diag);
}

/* --- the command's end, which init tells --- */

/* Init, which has nothing else to do, is stopped (by somebody outside: nothing of the jail can), or
 * hangs. Once it goes on it tells how the command ended. */
static void on_no_word(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval again = {LAST_WORD_SECONDS, 0};
    struct supervisor *s = arg;

    (void)fd;
    (void)what;
    if (s->phase != PHASE_RUNNING) /* set-up has a limit of its own */
        return;
    if (s->continued || s->init_fd < 0) {
        s->hangs = true;
        supervisor_give_up(s, ETIMEDOUT,
                           "the command has ended, and the jail's init does not say how: it is "
                           "stopped, or hangs");
        return;
    }
    s->continued = true;
    (void)syscall(SYS_pidfd_send_signal, s->init_fd, SIGCONT, NULL, 0);
    (void)event_add(s->word_timer, &again);
}

static void on_command_ended(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval wait = {WORD_SECONDS, 0};
    struct supervisor *s = arg;

    (void)fd;
    (void)what;
    (void)event_del(s->command_event);
    (void)event_add(s->word_timer, &wait);
}

/* One of each is sent. */
static void take_process(struct supervisor *s, enum launch_process which, int pidfd)
{
    int *own = which == LAUNCH_INIT ? &s->init_fd : &s->command_fd;

    if (pidfd < 0 || *own >= 0) {
        if (pidfd >= 0)
            (void)close(pidfd);
        return;
    }
    *own = pidfd;
    if (which == LAUNCH_INIT)
        return;
    s->word_timer = evtimer_new(s->base, on_no_word, s);
    if (!s->word_timer)
        die("cannot make a timer");
    s->command_event = supervisor_watch(s, pidfd, on_command_ended, true);
}

void supervisor_begin_running(struct supervisor *s)
{
    if (s->phase != PHASE_SETUP)
        return;
    s->phase = PHASE_RUNNING;
    (void)event_del(s->timer);
    (void)event_add(s->signal_event, NULL);
    if (s->options->progress)
        s->progress = progress_start(s->base, s->log);
}

void supervisor_on_init(evutil_socket_t fd, short what, void *arg)
{
    struct supervisor *s = arg;
    struct launch_msg m;
    int passed;

    (void)what;
    if (launch_recv_fd(fd, &m, &passed) < 0) {
        (void)event_del(s->init_event);
        while (s->phase == PHASE_SETUP && !s->error.text[0] &&
               launch_waits(s->launch.gate_supervisor))
            supervisor_on_gate(s->launch.gate_supervisor, EV_READ, s); /* its end is init's, too */
        if (s->phase != PHASE_ENDING && !s->error.text[0])
            supervisor_give_up(s, EPIPE, "the jail's %s ended unexpectedly",
                               s->container ? "envoy" : "init");
        return;
    }
    switch (m.type) {
    case LAUNCH_ERROR:
        supervisor_give_up(s, EIO, "%s", m.text);
        break;
    case LAUNCH_EXEC_FAILED:
        progress_erase(s->progress);
        warn_text("cannot execute %s: %s", s->options->command[0], strerror(m.value));
        supervisor_begin_ending(s, m.value == ENOENT ? 127 : 126);
        break;
    case LAUNCH_PROCESS:
        take_process(s, m.value == LAUNCH_INIT ? LAUNCH_INIT : LAUNCH_COMMAND, passed);
        break;
    case LAUNCH_DIAG:
        take_diag(s, passed);
        break;
    case LAUNCH_LISTENER:
        supervisor_begin_running(s);
        take_listener(s, passed);
        break;
    case LAUNCH_READY:
        supervisor_release_container(s);
        break;
    case LAUNCH_LISTENING:
        if (s->mirror)
            mirror_on_listening(s->mirror, passed, m.value);
        break;
    case LAUNCH_EXITED:
        s->ran = true;
        supervisor_begin_ending(s, exit_status(m.value));
        break;
    case LAUNCH_STOPPED:
        if (m.value != SIGTSTP && m.value != SIGTTIN && m.value != SIGTTOU)
            follow_stop(s);
        break;
    default:
        break;
    }
}

/* --- signals --- */

/* The terminal's signals (SI_KERNEL) go to the whole foreground process group, the command
 * included; but for the hang-up of a terminal, which goes to the session's leader alone
 * (tty_ioctl(4)): this process, if nothing is around it. */
static bool reached_command_too(const struct signalfd_siginfo *info)
{
    bool hangup = info->ssi_signo == SIGHUP || info->ssi_signo == SIGCONT;

    return info->ssi_code == SI_KERNEL && !(hangup && getsid(0) == getpid());
}

void supervisor_on_signal(evutil_socket_t fd, short what, void *arg)
{
    struct supervisor *s = arg;
    struct signalfd_siginfo info;

    (void)what;
    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (!reached_command_too(&info))
        (void)launch_send(s->launch.init_supervisor, LAUNCH_SIGNAL, (int)info.ssi_signo, NULL);
    if (info.ssi_signo == SIGTSTP) {
        progress_erase(s->progress);
        (void)raise(SIGSTOP);
        (void)launch_send(s->launch.init_supervisor, LAUNCH_SIGNAL, SIGCONT, NULL);
    }
}

void supervisor_block_signals(struct supervisor *s, sigset_t *set)
{
    (void)sigemptyset(set);
    for (size_t i = 0; i < ARRAY_LEN(forwarded); i++)
        (void)sigaddset(set, forwarded[i]);
    if (sigprocmask(SIG_BLOCK, set, &s->launch.caller_mask) < 0)
        die("sigprocmask: %s", strerror(errno));
}
