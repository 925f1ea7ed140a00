/* client_hello.h: whom a TLS client says that it wants, read from its first bytes. */
#ifndef CIJAIL_HTTPPROXY_CLIENT_HELLO_H
#define CIJAIL_HTTPPROXY_CLIENT_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/name.h"

#define CLIENT_HELLO_MAX 32768  /* bytes of the message */
#define CLIENT_HELLO_RECORDS 64 /* that it may be cut into */

enum client_hello_status {
    CLIENT_HELLO_MORE,    /* all may still become of it */
    CLIENT_HELLO_NOT_TLS, /* something else */
    CLIENT_HELLO_GOOD,    /* a ClientHello; sni is set */
    CLIENT_HELLO_NO_SNI,  /* a ClientHello that names no server */
    CLIENT_HELLO_BAD,     /* TLS, but not a ClientHello as it should be: problem says how */
};

/* One connection's. Zeroed at first, and cleared by client_hello_free. */
struct client_hello {
    enum client_hello_status status;
    const char *problem; /* CLIENT_HELLO_BAD; static */
    char sni[NAME_SIZE]; /* CLIENT_HELLO_GOOD: canonical */
    uint8_t header[5];   /* of the record that is being read */
    size_t header_len;   /* bytes of it that have come */
    size_t record_left;  /* bytes of the record that have not */
    unsigned records;
    uint8_t *message;
    size_t message_len, message_size;
};

/* The next bytes of the client (RFC 8446, 5.1 and 4.1.2; RFC 6066, 3). Once the status is not
 * CLIENT_HELLO_MORE it stays, and what follows is not looked at. */
enum client_hello_status client_hello_feed(struct client_hello *h, const void *data, size_t len);

/* Gives back what a status needs no more; sni and problem stay. */
void client_hello_free(struct client_hello *h);

/* The ClientHello message alone, its 4 bytes of header included (for tests and the fuzzer). */
enum client_hello_status client_hello_parse(const uint8_t *message, size_t len, char sni[NAME_SIZE],
                                            const char **problem);

#endif
