/* mounts.h: what the jail sees otherwise than the host: /proc, resolv.conf, trusted roots, covered
 * sockets. */
#ifndef CIJAIL_MOUNTS_H
#define CIJAIL_MOUNTS_H

#include <stdbool.h>

#include "src/ca_bundle.h"
#include "src/error.h"
#include "src/policy.h"

struct mounts {
    bool root;                   /* the command runs as uid 0 */
    bool ipv6;                   /* resolv.conf names the gateway's IPv6 address too */
    const struct policy *policy; /* what it names is not covered */
};

/* Is the path one of the host's services or devices that a jail does not see, or in one? */
bool mounts_is_covered(const char *path);

/* Is a device of that number one of them, whatever it is called? */
bool mounts_is_covered_device(dev_t number);

struct stage;
struct ca_stage;

/* In the jail's own mount namespace, with CAP_SYS_ADMIN over it, as init of the jail's PID
 * namespace. Leaves a mount namespace in which nothing propagates from or to the host. NULL on an
 * error; otherwise it goes to mounts_finish. */
struct stage *mounts_setup(const struct mounts *m, struct error *e);

/* After that, what can be done before there is a CA. root: the command runs as uid 0, and may
 * change the folders of certificates, of which the jail then has copies. Until mounts_finish, /proc
 * may be covered. NULL on an error; otherwise it goes to mounts_add_ca. */
struct ca_stage *mounts_prepare_ca(struct stage *s, bool root, struct error *e);

/* Covers each file of the bundle by the same and the jail's CA; and each store of Java by java
 * (ca_bundle_java; NULL if there is none), and the CA, which is added to that. Frees c. On an error
 * the mount namespace is of no use. */
int mounts_add_ca(struct ca_stage *c, const struct ca_bundle *bundle, struct java_store *java,
                  const char *ca_pem, struct error *e);

/* Frees s. Likewise. */
int mounts_finish(struct stage *s, struct error *e);

#endif
