/* msg.h: every message between cijail's processes.
 *
 * SOCK_SEQPACKET, one fixed struct a message: its type gives its exact length, and a message of
 * another length, of a type that its sender may not send, with a descriptor that it may not carry,
 * or with a field out of range ends the sender (channel.h). Host byte order: both ends are one
 * build on one machine. Strings are NUL-terminated inside their arrays (msg_check verifies that).
 *
 *   httpproxy -> supervisor   READY CA DIAL LOG_REQUEST LOG_BATCH LOG_TUNNEL FINISH
 *   supervisor -> httpproxy   SECRET PARENT DIALED (with one descriptor if error is 0) FINISH
 *   dnsproxy -> supervisor    READY QUERY LEARN LOG_RESOLVE LOG_CONNECT OPEN ADDRESSES TLS_DIAL
 *                             TLS_FAILED FINISH
 *   supervisor -> dnsproxy    REPLY FINISH OPENED UNREACHABLE LOOKUP TLS_DIALED (with one
 *                             descriptor if error is 0)
 *   gate -> supervisor        READY LOG_UNIX
 */
#ifndef CIJAIL_MSG_H
#define CIJAIL_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "src/name.h"
#include "src/secret.h"

enum msg_type {
    MSG_READY = 1,
    MSG_CA,
    MSG_DIAL,
    MSG_DIALED,
    MSG_QUERY,
    MSG_REPLY,
    MSG_LOG_REQUEST,
    MSG_LOG_RESOLVE,
    MSG_LOG_CONNECT,
    MSG_FINISH,
    MSG_OPEN,
    MSG_OPENED,
    MSG_UNREACHABLE,
    MSG_LEARN,
    MSG_LOG_TUNNEL,
    MSG_LOG_BATCH,
    MSG_LOG_UNIX,
    MSG_PARENT,
    MSG_LOOKUP,
    MSG_ADDRESSES,
    MSG_TLS_DIAL,
    MSG_TLS_DIALED,
    MSG_TLS_FAILED,
    MSG_SECRET,
    MSG_TYPE_END
};

#define MSG_PEM_MAX 4096
#define MSG_TEXT_SIZE 512
#define MSG_URL_SIZE 4096
#define MSG_METHOD_SIZE 32
#define MSG_PATH_SIZE 112 /* sun_path and a NUL */
#define MSG_REAL_SIZE 256
#define MSG_AUTHORIZATION_SIZE 704
#define MSG_REPLY_MAX 65535
#define MSG_MAX (MSG_REPLY_MAX + 64) /* no message is longer */

struct msg_head {
    uint32_t type;
    uint32_t length; /* of the whole message */
};

/* The process has locked itself down and serves. */
struct msg_ready {
    struct msg_head head;
};

/* The jail's certificate authority, to be added to the bundles; sent once, before READY, if there
 * is an https endpoint. The key never leaves httpproxy. */
struct msg_ca {
    struct msg_head head;
    uint32_t pem_len;
    char pem[MSG_PEM_MAX];
};

/* What a connection is for, beside enum url_scheme: a tunnel (NAME:PORT, ADDRESS:PORT). */
#define MSG_DIAL_RAW 3

/* "Connect me to this authority": the dialer checks it against the policy again. */
struct msg_dial {
    struct msg_head head;
    uint64_t id;     /* chosen by the sender, comes back in DIALED */
    uint32_t scheme; /* enum url_scheme, or MSG_DIAL_RAW */
    uint32_t port;
    uint32_t client_port; /* MSG_DIAL_RAW: of a client that was intercepted, else 0 */
    uint32_t pad;
    char host[NAME_SIZE]; /* canonical */
};

/* What the socket of a DIALED leads to: what was asked for, or a proxy of the host's network
 * (parent.h). */
enum msg_via {
    MSG_VIA_NOTHING,
    MSG_VIA_CONNECT,     /* that has been sent CONNECT: its answer is to be read */
    MSG_VIA_TLS_CONNECT, /* that is to be spoken to by TLS, and asked by CONNECT for text */
    MSG_VIA_HTTP,        /* that is to be asked in absolute-form (RFC 9112, 3.2.2) */
    MSG_VIA_TLS_HTTP,    /* the same, by TLS */
    MSG_VIA_END
};

struct msg_dialed {
    struct msg_head head;
    uint64_t id;
    int32_t
        error; /* 0, or a positive errno; EHOSTUNREACH with text for a name that does not resolve */
    uint32_t via;             /* enum msg_via; 0 if error */
    char text[MSG_TEXT_SIZE]; /* why not, for a person */
};

enum msg_parent_use { MSG_PARENT_HTTP, MSG_PARENT_TUNNEL, MSG_PARENTS };

/* What httpproxy has to know to speak to a proxy of the host's network for itself; not sent where
 * the dialer's CONNECT is all that is to be said. */
struct msg_parent {
    struct msg_head head;
    uint32_t use; /* enum msg_parent_use */
    uint32_t port;
    char host[NAME_SIZE];                       /* canonical */
    char authorization[MSG_AUTHORIZATION_SIZE]; /* of Proxy-Authorization; may be empty */
};

/* A variable of --secret, for one option; sent before httpproxy is started, and in no other
 * message.
 */
struct msg_secret {
    struct msg_head head;
    char name[SECRET_NAME_SIZE];
    char field[SECRET_FIELD_SIZE];                /* as in struct secret */
    char placeholder[SECRET_PLACEHOLDER_LEN + 8]; /* what the jail has in the place of the value */
    char places[SECRET_PLACES_SIZE];
    char value[SECRET_VALUE_MAX + 8];
};

enum msg_transport { MSG_UDP = 1, MSG_TCP = 2 };

/* A DNS server of the policy (ADDRESS:53). Comparable by bytes: what is not used is zero. */
struct msg_server {
    uint8_t family; /* AF_INET, AF_INET6, or 0: the host's own resolvers */
    uint8_t pad[3];
    uint8_t address[16]; /* network byte order; IPv4 in the first four */
};

/* "Ask upstream": the dialer checks the name and the server, builds the query itself and sends it.
 */
struct msg_query {
    struct msg_head head;
    uint64_t id;
    uint16_t qtype;
    uint8_t transport; /* enum msg_transport */
    uint8_t lookup;    /* 1: to answer a LOOKUP; the jail has not asked for it */
    struct msg_server server;
    char name[NAME_SIZE]; /* canonical; "." is never asked */
};

#define MSG_TLS_SERVERS 8

/* What came back, unparsed: length is offsetof(data) + data_len. Or, if over_tls is not 0: the
 * query that may be sent to one of the servers of --upstream tls://, which is dnsproxy's to do. */
struct msg_reply {
    struct msg_head head;
    uint64_t id;
    int32_t error;   /* 0, or a positive errno: no upstream answered (ETIMEDOUT), refused by policy
                        (EACCES) */
    uint16_t dns_id; /* id of the query that was sent: data must carry it */
    uint16_t data_len;   /* 0 if error */
    uint8_t hosts_below; /* 1: hosts(5) has the name of an NXDOMAIN or names below it */
    uint8_t over_tls;    /* how many servers there are; 0: data is an answer */
    uint8_t pad[6];
    uint8_t data[MSG_REPLY_MAX];
};

/* "What are the addresses of this name?" The supervisor parses no DNS, and with --upstream it does
 * not resolve names by the host's own means. */
struct msg_lookup {
    struct msg_head head;
    uint64_t id;          /* chosen by the sender, comes back in ADDRESSES */
    char name[NAME_SIZE]; /* canonical */
};

#define MSG_ADDRESSES_MAX 16

/* The answer. They are told as they came, of private networks too: who asked judges them. */
struct msg_addresses {
    struct msg_head head;
    uint64_t id;
    int32_t error;  /* 0; ENOENT: the name has no address; another positive errno: no answer */
    uint32_t count; /* 0 exactly if error */
    struct msg_address {
        uint8_t family; /* AF_INET, AF_INET6 */
        uint8_t pad[3];
        uint8_t address[16]; /* network byte order; IPv4 in the first four */
    } address[MSG_ADDRESSES_MAX];
};

/* "Connect me to that server of --upstream tls://": its address is the supervisor's. */
struct msg_tls_dial {
    struct msg_head head;
    uint64_t id;     /* chosen by the sender, comes back in TLS_DIALED */
    uint32_t server; /* counted from 0 */
    uint32_t pad;
};

struct msg_tls_dialed {
    struct msg_head head;
    uint64_t id;
    int32_t error; /* 0, or a positive errno */
    uint32_t pad;
    char name[NAME_SIZE]; /* canonical: what the certificate must be for; "": the address */
    char address[64];     /* of the server, as text */
};

/* That server cannot be used, for the log; said once until it can be. */
struct msg_tls_failed {
    struct msg_head head;
    uint32_t server;
    uint32_t pad;
    char text[MSG_TEXT_SIZE];
};

#define MSG_LEARN_MAX 64 /* addresses; an answer that has more is told in several messages */

/* Addresses that the jail is about to be told for a name that a NAME:PORT endpoint matches; in a
 * dry run for any name. */
struct msg_learn {
    struct msg_head head;
    uint32_t ttl; /* seconds, as the client is told */
    uint16_t count;
    uint8_t family; /* AF_INET, AF_INET6 */
    uint8_t pad;
    uint8_t address[MSG_LEARN_MAX][16]; /* network byte order; IPv4 in the first four */
    char name[NAME_SIZE];               /* canonical: the one that was asked for */
};

/* MSG_WOULD_DENY: no endpoint allows it, but this is a dry run, and it passed. */
enum msg_decision { MSG_ALLOW = 1, MSG_DENY = 2, MSG_WOULD_DENY = 3 };

/* One HTTP request, when it is over (denied: at once). */
struct msg_log_request {
    struct msg_head head;
    uint32_t decision;
    uint32_t endpoint; /* index of the word that allowed it, or POLICY_INDEX_NONE */
    int32_t status;    /* what upstream answered; 0: none (one that failed, or a denied one) */
    uint32_t pad;
    uint64_t bytes_sent;     /* body, to upstream */
    uint64_t bytes_received; /* body, from upstream */
    char method[MSG_METHOD_SIZE];
    char url[MSG_URL_SIZE];     /* canonical where there is one, cut if longer; else what the client
                                   wrote */
    char reason[MSG_TEXT_SIZE]; /* why denied, or why it failed; may be empty */
};

#define MSG_BATCH_MAX 16384

/* Requests that were allowed and answered, in the order of their ends (msg_batch.h); length is
 * offsetof(data) + used. */
struct msg_log_batch {
    struct msg_head head;
    uint32_t used; /* bytes of data, at least 1 */
    uint32_t pad;
    uint8_t data[MSG_BATCH_MAX];
};

struct msg_log_resolve {
    struct msg_head head;
    uint32_t decision;
    uint32_t endpoint;
    uint32_t count; /* folded repeats, at least 1 */
    uint16_t qtype;
    uint16_t pad;
    char name[NAME_SIZE * 4]; /* as asked; bytes that are no name are \DDD (RFC 1035, 5.1) */
    char reason[MSG_TEXT_SIZE];
};

/* A packet that the rules rejected; in a dry run also a DNS server (ADDRESS:53) that was asked. */
struct msg_log_connect {
    struct msg_head head;
    uint32_t decision;
    uint32_t endpoint;
    uint32_t count;
    uint16_t port;    /* 0 if the protocol has none */
    uint8_t family;   /* AF_INET, AF_INET6 */
    uint8_t protocol; /* IPPROTO_* */
    uint8_t address[16];
};

/* A connection that was made, or was to be made, and was then found not to be allowed for what the
 * client said in it. */
struct msg_log_tunnel {
    struct msg_head head;
    uint16_t port;
    uint8_t family; /* AF_INET, AF_INET6 */
    uint8_t pad;
    uint8_t address[16];
    char name[NAME_SIZE]; /* the SNI, escaped; "": none */
    char reason[MSG_TEXT_SIZE];
};

/* A connection to a unix socket of the host, made or denied. */
struct msg_log_unix {
    struct msg_head head;
    uint32_t decision;
    uint32_t endpoint;
    char path[MSG_PATH_SIZE]; /* as the command asked for it */
    char real[MSG_REAL_SIZE]; /* absolute, without links; empty if unknown or longer */
};

/* The command has ended: report what is not reported yet (requests under way, folded counts,
 * packets that wait in the nflog socket), then say the same, and exit. The end of the channel
 * tells the supervisor that all has been said; without that answer, that the proxy has ended by
 * itself, or was never started, which the keeper tells (LAUNCH_PROXY_ENDED, LAUNCH_PROXY_IDLE). */
struct msg_finish {
    struct msg_head head;
};

/* A packet of the jail's: where it came from and where it goes. */
struct msg_tuple {
    uint16_t source_port; /* the source is the jail's address of the family */
    uint16_t port;        /* not 0 */
    uint8_t family;       /* AF_INET, AF_INET6 */
    uint8_t pad[3];
    uint8_t address[16]; /* network byte order; IPv4 in the first four, the rest zero */
};

/* "May this TCP connection begin?" The supervisor judges, connects, and keeps the connection for
 * the one that then comes to its listener from source_port to this destination. */
struct msg_open {
    struct msg_head head;
    uint64_t id; /* chosen by the sender, comes back in OPENED */
    struct msg_tuple tuple;
};

enum msg_opened_to { MSG_TO_RELAY = 1, MSG_TO_INTERCEPT = 2 };

struct msg_opened {
    struct msg_head head;
    uint64_t id;
    int32_t error; /* 0, or a positive errno of connect(2); EACCES: no endpoint allows it; EAGAIN:
                      no room now */
    uint32_t to;   /* enum msg_opened_to: whose listener takes it; 0 if error */
};

/* A UDP flow's datagram did not arrive: the jail's client is to be told. */
struct msg_unreachable {
    struct msg_head head;
    struct msg_tuple tuple;
    int32_t error; /* ECONNREFUSED and the like; EACCES: no endpoint allows it */
    uint32_t pad;
};

/* Checks one received message: type known, length exact, strings terminated, enumerations in range.
 * The sender's right to that type is the receiver's to check. 0 or -EPROTO. buf must be aligned for
 * uint64_t. */
int msg_check(const void *buf, size_t len);

/* Fills the head of a struct of that type. m points to one of the structs above. */
void msg_init(void *m, enum msg_type type, size_t length);

/* The length of a message to be sent: head.length. */
size_t msg_length(const void *m);

#endif
