/* parent.h: the proxy that stands between this host and the internet (a "parent", as squid calls
 * it), as the caller's http_proxy, https_proxy, all_proxy and no_proxy name it. */
#ifndef CIJAIL_PARENT_H
#define CIJAIL_PARENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/error.h"
#include "src/msg.h"
#include "src/policy.h"
#include "src/url.h"

#define PARENT_EXCEPTIONS_MAX 256 /* words of no_proxy; what comes after them is not read */
#define PARENT_CONNECT_SIZE (2 * (URL_HOST_SIZE + 16) + MSG_AUTHORIZATION_SIZE + 128)

struct parent {
    bool set;
    bool tls; /* the proxy is spoken to by TLS */
    struct url_authority authority;
    char authorization[MSG_AUTHORIZATION_SIZE]; /* of Proxy-Authorization: "Basic ...", or "" */
};

/* A word of no_proxy. */
struct parent_exception {
    enum { EXCEPT_ALL, EXCEPT_NAME, EXCEPT_NETWORK } kind;
    uint16_t port;        /* 0: any */
    char name[NAME_SIZE]; /* canonical: it, and what is below it */
    int family;
    uint8_t address[16];
    unsigned bits;
};

struct parents {
    struct parent of[MSG_PARENTS]; /* by enum msg_parent_use */
    struct parent_exception exceptions[PARENT_EXCEPTIONS_MAX];
    size_t exception_count;
};

/* One of the variables: [http://|https://][USER[:PASSWORD]@]HOST[:PORT][/]; the password's
 * percent-encodings are decoded (RFC 3986, 3.2.1). -EINVAL, or -ENOTSUP for a proxy of another
 * kind; the reason names the variable, and nothing of its value. */
int parent_parse(const char *variable, const char *text, struct parent *out, struct error *e);

/* no_proxy: names, which stand for what is below them too, with or without a leading dot;
 * addresses; networks (ADDRESS/LEN); each with a port, if need be; "*". Words that are none of
 * these are left out, as all clients do. */
void parent_parse_exceptions(const char *text, struct parents *out);

/* Reads the environment, as curl(1) does (ENVIRONMENT): the lower-case variables first, HTTP_PROXY
 * not at all. Returns as parent_parse. */
int parents_from_environment(struct parents *out, struct error *e);

/* Overwrites the user information in this process's environment, which its children inherit and
 * /proc shows. */
void parents_hide_environment(void);

/* Overwrites the proxies, credentials with them. */
void parents_forget(struct parents *p);

/* By which proxy is a connected to, for that scheme (enum url_scheme, MSG_DIAL_RAW)? NULL:
 * directly, as all that is this host's loopback. p may be NULL. */
const struct parent *parents_choose(const struct parents *p, uint32_t scheme,
                                    const struct url_authority *a);

/* Of which use a scheme is: the index in parents.of. */
enum msg_parent_use parents_use(uint32_t scheme);

/* The request (RFC 9110, 9.3.6) for a tunnel to target, "HOST:PORT". After a refusal the connection
 * is of no more use (Connection: close). Returns the length, or -ENOSPC. */
int parent_write_connect(const char *target, const char *authorization, char *buf, size_t size);

#endif
