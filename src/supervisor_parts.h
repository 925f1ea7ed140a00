/* supervisor_parts.h: what the files of the supervisor share. */
#ifndef CIJAIL_SUPERVISOR_PARTS_H
#define CIJAIL_SUPERVISOR_PARTS_H

#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/channel.h"
#include "src/error.h"
#include "src/gate_process.h"
#include "src/launch.h"
#include "src/options.h"
#include "src/parent.h"
#include "src/policy.h"

/* Of the limit on descriptors; the relays' part is three quarters at most. */
#define FDS_PER_RELAY 8
#define FDS_PER_FLOW 16     /* for two each: an eighth */
#define FDS_PER_MIRRORED 32 /* for one each */

/* Running: the command's process has nothing left to do but to execute the command. */
enum phase { PHASE_SETUP, PHASE_RUNNING, PHASE_ENDING };

struct proxy {
    struct supervisor *supervisor;
    const char *name;
    struct channel *channel; /* NULL: gone */
    bool ready;              /* it has locked itself down */
    bool finished;           /* it ends because it was told to */
    bool over;               /* the keeper has said that it ended, or was never started */
};

struct supervisor {
    const struct options *options;
    const struct policy *policy;
    struct launch launch;
    struct parents parents;
    pid_t keeper;
    int keeper_fd; /* pidfd: a supervisor that is confined may signal no other process */
    struct gate_process gate_process; /* none for a container */
    struct container *container;      /* NULL: a command is in the jail */
    struct event *container_event, *caller_event;
    struct event_base *base;
    struct event *gate_event, *init_event, *signal_event, *timer, *drain_timer;
    int init_fd, command_fd;                  /* pidfds; -1 */
    struct event *command_event, *word_timer; /* the command's end; init's word of it */
    bool hangs;                               /* init, and was given up */
    bool continued;                           /* init, because that did not come */
    int signals;                              /* signalfd */
    int diag;                                 /* sock_diag in J, for jail_abort.h; -1 */
    bool gate_has_diag;                       /* another one */
    struct proxy dns, http, gate;
    char ca_pem[MSG_PEM_MAX];
    struct log *log;
    struct learn *learn;       /* NULL: nothing is learned */
    struct summary *summary;   /* NULL: none is asked for */
    struct progress *progress; /* NULL: none is shown */
    struct resolver *resolver;
    struct learned *learned;
    uint64_t hosts_generation, hosts_learned_ms; /* of hosts(5), in learned */
    struct dialer *dialer;
    struct upstream_dns *upstream;
    struct upstream_dialer *upstream_dialer; /* NULL: no --upstream tls:// */
    struct relays *relays;
    struct quota *quota; /* NULL: no limit */
    struct raw *raw;
    size_t nofile;         /* the limit on descriptors */
    struct mirror *mirror; /* NULL: nothing of the host's loopback is allowed */
    enum phase phase;
    bool went;          /* init has been told all that it waits for, or will be by the mirror */
    bool network_ended; /* and it has been said */
    const char *closed; /* the proxy whose channel was closed first while the command ran; NULL */
    bool ran;           /* the command was executed, and has ended */
    int result;         /* exit status, or -errno with error filled */
    struct error error;
};

/* --- supervisor.c --- */

/* Calls cb with s whenever fd can be read; from now on if add is set. Ends the process if it
 * cannot. */
struct event *supervisor_watch(struct supervisor *s, int fd, event_callback_fn cb, bool add);

/* Ends the loop with -err and those words. */
void supervisor_give_up(struct supervisor *s, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads what the keeper says until *word is set, or the jail's network has ended; not for long. */
void supervisor_await_keeper(struct supervisor *s, const bool *word);

/* The command has ended with that exit status: the proxies' last words, but not for long. */
void supervisor_begin_ending(struct supervisor *s, int result);
void supervisor_finish_if_all_said(struct supervisor *s);

/* --- supervisor_proxy.c: the messages of the proxies and the gate --- */

/* Tells init to start the command, once, if the CA that its bundle needs is there. */
void supervisor_go_if_ready(struct supervisor *s);
channel_message_cb supervisor_on_proxy_message; /* of a struct proxy */
channel_closed_cb supervisor_on_proxy_closed;
channel_closed_cb supervisor_on_gate_closed; /* likewise */
void supervisor_catch_up_with_dns(void *s);

/* --- supervisor_parent.c: the proxies of the caller's network --- */

/* Reads them from the environment, if anything is to be connected to, and takes their credentials
 * out of it in any case. 0, or -EINVAL or -ENOTSUP and the reason. */
int supervisor_find_parents(struct supervisor *s, struct error *e);

/* Servers, or such a proxy, are verified. */
bool supervisor_needs_roots(const struct supervisor *s);

/* What httpproxy has to say to such a proxy by itself: where that takes URLs, and where it is
 * spoken to by TLS. Of another one it learns nothing. */
void supervisor_tell_parents(struct supervisor *s);

/* --- supervisor_secret.c: what --secret names --- */

/* Takes the values out of the environment, where placeholders take their places, and sends them
 * into httpproxy's channel, whose sockets are there and nothing else is. 0, or a negative errno and
 * the reason, of which no value is a part. */
int supervisor_tell_secrets(struct supervisor *s, struct error *e);

/* --- supervisor_container.c: a container in the jail --- */

/* Starts the envoy; later watches the container. 0 or -errno. */
int supervisor_start_envoy(struct supervisor *s, struct error *e);
void supervisor_watch_container(struct supervisor *s);

/* The envoy is ready: the container may start. */
void supervisor_release_container(struct supervisor *s);

/* --- supervisor_jail.c: the keeper, init and the command; event callbacks of a supervisor --- */

void supervisor_on_gate(evutil_socket_t fd, short what, void *s);
void supervisor_on_init(evutil_socket_t fd, short what, void *s);
void supervisor_on_signal(evutil_socket_t fd, short what, void *s);

/* All of the set-up is done; the signals that came meanwhile are passed on now. */
void supervisor_begin_running(struct supervisor *s);

/* Those that are passed on, from here on to be read by supervisor_on_signal: put into set. */
void supervisor_block_signals(struct supervisor *s, sigset_t *set);

#endif
