/* h2_fields.h: heads of HTTP/2 messages (RFC 9113, 8) as text of HTTP/1.1, and back.
 *
 * Between an HTTP/2 stream and the rest of the proxy a message is text, so that one parser, one
 * judge and one writer serve both versions. What HTTP/2 could say and the text could not hold
 * unchanged is refused before it becomes text: a CR or LF in a value would be one field too many.
 */
#ifndef CIJAIL_HTTPPROXY_H2_FIELDS_H
#define CIJAIL_HTTPPROXY_H2_FIELDS_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

#include "httpproxy/buf.h"
#include "httpproxy/head.h"
#include "src/error.h"

enum h2_pseudo {
    H2_METHOD,
    H2_SCHEME,
    H2_AUTHORITY,
    H2_PATH,
    H2_PROTOCOL, /* RFC 8441 */
    H2_STATUS,
    H2_PSEUDO_COUNT
};

/* One field section as it comes in. All zero: empty. */
struct h2_fields {
    struct buf pseudo[H2_PSEUDO_COUNT];
    bool seen[H2_PSEUDO_COUNT];
    struct buf lines;   /* "name: value\r\n" each, but cookies */
    struct buf cookies; /* RFC 9113, 8.2.3: one field again */
    size_t size;        /* of all, as they would be as text */
    bool length;        /* there is a content-length */
    bool grpc;          /* Content-Type is gRPC's */
    bool too_long;      /* more than HEAD_MAX: the rest was not kept */
    const char *bad;    /* why this is no message at all; NULL: it may be one */
};

void h2_fields_free(struct h2_fields *f);

/* Adds one field; the order and number of pseudo fields is checked here. */
void h2_fields_add(struct h2_fields *f, const uint8_t *name, size_t name_len, const uint8_t *value,
                   size_t value_len);

/* What the text of a request is to say beside its fields. */
struct h2_request_form {
    const char *scheme; /* of the connection */
    bool body;          /* the stream goes on after the head */
    const char *key;    /* Sec-WebSocket-Key of an extended CONNECT for a WebSocket */
};

/* Adds a request head to out. 0, or -400 or -431 and the reason; then out holds at most a request
 * line, for the log. */
int h2_fields_request(struct h2_fields *f, const struct h2_request_form *form, struct buf *out,
                      struct error *e);

/* The same for a response; body: the stream goes on; bodyless: the request was one for a head
 * alone. *status is its status. 0, or -EPROTO and the reason. */
int h2_fields_response(struct h2_fields *f, bool body, bool bodyless, int *status, struct buf *out,
                       struct error *e);

/* Trailers, as lines of text. -EPROTO and the reason. */
int h2_fields_trailers(struct h2_fields *f, struct buf *out, struct error *e);

/* A parsed head as fields of HTTP/2. Names and values point into the head's text and into text;
 * names are made lower case in place. */
struct h2_list {
    nghttp2_nv nv[HEAD_FIELDS_MAX + 8];
    size_t count;
    char text[URL_HOST_SIZE + 64];
};

/* scheme: "https". */
void h2_list_request(struct h2_list *l, struct head_request *r, const char *scheme);

/* tunnel: it is a 101 that answers an extended CONNECT. */
void h2_list_response(struct h2_list *l, struct head_response *r, bool tunnel);

/* Lines that were checked (body.h). false: there is none. */
bool h2_list_trailers(struct h2_list *l, char *lines, size_t len);

#endif
