/* mirror_udp.h: the flows of mirrored UDP ports (mirror.h). */
#ifndef CIJAIL_MIRROR_UDP_H
#define CIJAIL_MIRROR_UDP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/launch.h"
#include "src/log.h"

struct mirror_udp;

struct mirror_udp_setup {
    struct event_base *base;
    struct log *log;
    struct quota *quota; /* NULL: no limit */
    size_t max;          /* flows at once; each has one descriptor */
    /* Nobody is there on the host: the jail's socket is to go. */
    void (*refused)(const struct launch_listen *at, void *arg);
    void *arg;
};

/* setup is copied. */
struct mirror_udp *mirror_udp_new(const struct mirror_udp_setup *setup);

/* Sends on to the host what waits in fd, the jail's socket that is bound to at, a batch of it;
 * answers go out by fd. False: there was no full batch, or fd has been closed. endpoint: what
 * allowed it. */
bool mirror_udp_receive(struct mirror_udp *u, int fd, const struct launch_listen *at,
                        uint32_t endpoint);

/* The jail's socket there is about to be closed. */
void mirror_udp_forget(struct mirror_udp *u, const struct launch_listen *at);

#endif
