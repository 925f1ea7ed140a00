/* policy.h: the endpoint language (cijail-policy(5)) and the questions that it answers.
 *
 * The supervisor parses the user's words; each proxy parses the same text again out of a sealed
 * memfd, so that no data structure crosses from one process to another. Every question is answered
 * by the first endpoint, in the order of the text, that allows it. */
#ifndef CIJAIL_POLICY_H
#define CIJAIL_POLICY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/error.h"
#include "src/url.h"

#define POLICY_TEXT_MAX (4u << 20)  /* bytes of all sources together */
#define POLICY_WORD_MAX 4096        /* bytes of one word */
#define POLICY_ENDPOINTS_MAX 100000 /* words */
#define POLICY_METHODS_MAX 16       /* in one word's list */
#define POLICY_METHOD_SIZE 24       /* of one method, NUL included */

enum endpoint_kind {
    ENDPOINT_URL = 1,   /* https://HOST[:PORT]/PREFIX, with or without methods */
    ENDPOINT_NAME,      /* NAME, NAME!private */
    ENDPOINT_NAME_PORT, /* NAME:PORT */
    ENDPOINT_ADDRESS,   /* ADDRESS:PORT, [ADDRESS6]:PORT, ADDRESS/LEN:PORT, [ADDRESS6/LEN]:PORT,
                           [ADDRESS6]/LEN:PORT */
    ENDPOINT_UNIX,      /* /path */
    ENDPOINT_ABSTRACT,  /* @name */
    ENDPOINT_NETLINK,   /* [netlink] */
};

struct endpoint {
    enum endpoint_kind kind;
    char *word;   /* as the user wrote it */
    char *source; /* "-e", "CIJAIL_ENDPOINTS", a file's path */
    unsigned line;
    /* URL */
    enum url_scheme scheme;
    size_t method_count; /* 0: all */
    char (*methods)[POLICY_METHOD_SIZE];
    char *prefix; /* canonical path[?query] prefix */
    /* URL, NAME, NAME_PORT: canonical pattern; for a URL perhaps an address's text */
    char host[NAME_SIZE];
    enum url_host_kind host_kind;
    bool private_too; /* NAME: its addresses may be private ones */
    /* URL, NAME_PORT, ADDRESS */
    uint16_t port;
    /* ADDRESS */
    int family; /* AF_INET, AF_INET6 */
    union {
        struct in_addr v4;
        struct in6_addr v6;
    } address;
    unsigned prefix_len;
    /* UNIX, ABSTRACT: without the '@' */
    char *path;
};

struct policy {
    struct endpoint *endpoints;
    size_t count, capacity;
    size_t text_len;            /* bytes parsed so far, for POLICY_TEXT_MAX */
    bool dry_run;               /* what no endpoint allows passes all the same, and is reported */
    struct policy_index *index; /* NULL: the list is gone through (policy_seal) */
};

void policy_init(struct policy *p);
void policy_free(struct policy *p);

/* All words are there: from here on a question costs the same whatever their number
 * (policy_index.c). Without this, or after further words, the answers are the same and slower. */
void policy_seal(struct policy *p);

/* Adds the words of text (len bytes) to p. On a word that is no endpoint: -EINVAL and
 * "SOURCE:LINE: 'WORD': reason; expected ..." (the word is escaped). p is then to be freed. */
int policy_parse(struct policy *p, const char *source, const char *text, size_t len,
                 struct error *e);

/* Adds one word, of this line of the source. As policy_parse(). */
int policy_add_word(struct policy *p, const char *source, unsigned line, const char *word,
                    size_t len, struct error *e);

/* The same for who wants to know of every error: each is called for it, with its place, the word
 * (or the line) and the reason alone, and the text is read on. The last error's value, or 0. */
typedef void policy_error_cb(void *arg, const char *source, unsigned line, const char *word,
                             size_t len, const struct error *e);
int policy_parse_each(struct policy *p, const char *source, const char *text, size_t len,
                      policy_error_cb *each, void *arg, struct error *e);

/* Parses the one word into ep (used by policy_parse, by the fuzzer and by tests). */
int policy_parse_word(const char *word, size_t len, struct endpoint *ep, struct error *e);
void policy_free_endpoint(struct endpoint *ep);

/* Refuses the endpoints that cannot be enforced: -ENOTSUP, naming source, line and
 * word.
 */
int policy_check_enforced(const struct policy *p, struct error *e);

/* The same of one endpoint; e has the reason alone. */
int policy_check_enforced_endpoint(const struct endpoint *ep, struct error *e);

/* The policy as text that policy_parse reads back to the same endpoints: one word a line. Owned by
 * the caller. */
char *policy_to_text(const struct policy *p, size_t *len);

/* The same for another process, with what is no endpoint (dry_run) in a line before it, and its
 * reader; p is initialised. No text of a user gets to policy_from_config. */
#define POLICY_CONFIG_MAX (POLICY_TEXT_MAX + 64)
char *policy_to_config(const struct policy *p, size_t *len);
int policy_from_config(struct policy *p, const char *text, size_t len, struct error *e);

/* May this request be made? method is the request's token; the URL is canonical. */
const struct endpoint *policy_match_request(const struct policy *p, const char *method,
                                            const struct url *url);

/* The same of a request with a body or an upgrade: an upload. An endpoint whose methods are all of
 * those that have no body (GET, HEAD, DELETE, OPTIONS, TRACE) does not allow it; one without
 * methods does. */
const struct endpoint *policy_match_upload(const struct policy *p, const char *method,
                                           const struct url *url);

/* May anything be asked of this scheme, host and port at all? What the dialer and CONNECT go by. A
 * NAME:PORT or ADDRESS:PORT endpoint allows plain http there too: clients whose http_proxy is set
 * send even that to the proxy. */
const struct endpoint *policy_match_authority(const struct policy *p, enum url_scheme scheme,
                                              const struct url_authority *a);

/* May this canonical name be resolved? (Hosts of URL endpoints, NAME, NAME:PORT.) */
const struct endpoint *policy_match_resolve(const struct policy *p, const char *name);

/* Of one endpoint. A URL's: does its list have the method; may it have a body? Any: does it allow
 * resolving the names that its host matches? */
bool policy_endpoint_has_method(const struct endpoint *ep, const char *method);
bool policy_endpoint_allows_uploads(const struct endpoint *ep);
bool policy_endpoint_resolves(const struct endpoint *ep);

/* Is this endpoint a DNS server: an address or a network, port 53? Not the loopback, which is
 * another matter (a port of the host). */
bool policy_is_dns_server(const struct endpoint *ep);

/* The DNS server at this address (struct in_addr or in6_addr): may names be asked there? Which
 * names is policy_match_resolve's. Never for a loopback address. */
const struct endpoint *policy_match_dns_server(const struct policy *p, int family,
                                               const void *address);

/* May it be asked: a server of the policy, or in a dry run any that is not at the loopback? */
bool policy_passes_dns_server(const struct policy *p, int family, const void *address);

/* Port 53 of the host's loopback is a resolver, which would answer for any name: it is not reached
 * as a port. */
#define LOOPBACK_PORT_NEVER 53

/* An ADDRESS endpoint that is within the host's loopback: 127.0.0.0/8 or a network in it, ::1. */
bool policy_is_loopback(const struct endpoint *ep);

/* May this address (4 or 16 bytes in network order, by family) and port (host order) of the host's
 * loopback be reached? */
const struct endpoint *policy_match_loopback(const struct policy *p, int family,
                                             const void *address, uint16_t port);

/* A raw endpoint: an address or a network whose port is relayed as it is. Not DNS, not the host's
 * loopback. */
bool policy_is_raw(const struct endpoint *ep);

/* May this address (4 or 16 bytes in network order, by family) and port (host order) be connected
 * to as it is, by an ADDRESS endpoint? Never the host's loopback by whatever spelling, nor port 53.
 */
const struct endpoint *policy_match_address(const struct policy *p, int family, const void *address,
                                            uint16_t port);

/* Is there a raw endpoint that this address is in, whatever the port? Then a name may have it, too.
 */
bool policy_names_address(const struct policy *p, int family, const void *address);

/* Is this the host itself by another spelling of its loopback (0.0.0.0, ::, IPv4-mapped), or the
 * loopback? */
bool policy_means_loopback(int family, const void *address);

/* May this canonical name have private addresses (NAME!private)? Never those that are local
 * (ADDRESS_LOCAL). */
bool policy_allows_private(const struct policy *p, const char *name);

/* Any NAME:PORT endpoint that this canonical name matches? (policy_raw.c) */
bool policy_has_ports(const struct policy *p, const char *name);

/* The first NAME:PORT endpoint of each port that the canonical name matches, at most max; returns
 * how many. (policy_raw.c) */
size_t policy_name_ports(const struct policy *p, const char *name, const struct endpoint **out,
                         size_t max);

/* May this port of what the canonical name resolves to be connected to? (policy_raw.c) */
const struct endpoint *policy_match_name_port(const struct policy *p, const char *name,
                                              uint16_t port);

/* Any NAME:PORT endpoint of this port? (policy_raw.c) */
bool policy_has_name_port(const struct policy *p, uint16_t port);

/* Either of the two before the last, by what a is. (policy_raw.c) */
const struct endpoint *policy_match_raw(const struct policy *p, const struct url_authority *a);

/* May this abstract unix socket of the host be reached? name: without the '@'. */
const struct endpoint *policy_match_abstract(const struct policy *p, const char *name);

/* Any endpoint of this kind? */
bool policy_has_kind(const struct policy *p, enum endpoint_kind kind);

/* Any URL endpoint of this scheme? */
bool policy_has_scheme(const struct policy *p, enum url_scheme scheme);

/* Is TLS of the jail's opened, so that it needs a CA: any https endpoint, or a dry run? */
bool policy_needs_ca(const struct policy *p);

/* Any URL endpoint of this scheme and port? */
bool policy_has_port(const struct policy *p, enum url_scheme scheme, uint16_t port);

/* Is that port one of URLs, to which connections are taken to httpproxy: of any URL endpoint, or,
 * in a dry run, 80 and 443? */
bool policy_is_url_port(const struct policy *p, uint16_t port);

/* The index of an endpoint of p, as messages carry it. */
uint32_t policy_index(const struct policy *p, const struct endpoint *ep);
#define POLICY_INDEX_NONE UINT32_MAX

#endif
