/* head.h: heads of HTTP/1.x requests and responses: read strictly, written anew.
 *
 * The reader takes what RFC 9112 says a sender must send, and nothing of what it lets a recipient
 * forgive: one bare CR or LF, obs-fold, space before a colon, an empty or non-token field name, two
 * Host fields, Host missing in HTTP/1.1, Content-Length with Transfer-Encoding, two unlike
 * Content-Lengths, "+5" or "5,5", a transfer coding other than exactly "chunked", NUL or control
 * characters in a value: each is an error with its reason, and the connection ends. Of servers,
 * whom clients forgive some of that, it is taken, too, and made what it should be: bare LF,
 * obs-fold, "5, 5", Content-Length with Transfer-Encoding (head_read_response). The writer
 * never copies a raw head: what goes upstream is built from the parsed fields and the canonical
 * URL, without the hop-by-hop fields (RFC 9110, 7.6.1). */
#ifndef CIJAIL_HEAD_H
#define CIJAIL_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/error.h"
#include "src/url.h"

#define HEAD_MAX 65536 /* bytes of a head, request line included */
#define HEAD_FIELDS_MAX 200
#define HEAD_METHOD_SIZE 32
#define HEAD_UPGRADE_SIZE 128       /* protocols of Upgrade, NUL included */
#define HEAD_UPGRADE_BODY_MAX 65536 /* bytes of a body beside an Upgrade */

struct head_field {
    const char *name; /* points into the caller's buffer; not NUL-terminated */
    const char *value;
    uint16_t name_len;
    uint16_t value_len;
    bool hop; /* hop-by-hop: never forwarded */
};

enum head_body {
    BODY_NONE,
    BODY_LENGTH,
    BODY_CHUNKED,
    BODY_CLOSE /* responses only: up to the end */
};

enum head_target { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_AUTHORITY, TARGET_ASTERISK };

struct head_request {
    char method[HEAD_METHOD_SIZE];
    enum head_target form;
    const char *target; /* as written; points into the caller's buffer */
    size_t target_len;
    int minor;        /* HTTP/1.minor: 0 or 1 */
    const char *host; /* value of Host; NULL only in HTTP/1.0 */
    size_t host_len;
    enum head_body body;
    uint64_t content_length; /* BODY_LENGTH */
    bool keep_alive;         /* the client wants the connection to go on */
    bool expect_continue;
    /* With Connection: upgrade, in HTTP/1.1: what Upgrade offers, separated by ", ", without
     * protocols that carry HTTP (h2c). Empty: nothing. */
    char upgrade[HEAD_UPGRADE_SIZE];
    struct head_field fields[HEAD_FIELDS_MAX];
    size_t field_count;
};

struct head_response {
    int status; /* 100-999 */
    int minor;
    const char *reason; /* phrase as written; may be empty */
    size_t reason_len;
    enum head_body body;
    uint64_t content_length;
    bool keep_alive;                 /* the server lets the connection go on */
    bool mended;                     /* it was not written as it should be: keep_alive is false */
    char upgrade[HEAD_UPGRADE_SIZE]; /* 101: what it has switched to; empty: it does not say */
    struct head_field fields[HEAD_FIELDS_MAX];
    size_t field_count;
};

/* Is there a whole head at the start of buf? Returns its length (with the empty line), 0 if more
 * bytes are needed, or -EMSGSIZE if HEAD_MAX bytes hold no end. from: what an earlier call returned
 * nothing for, so that a head that trickles in costs linear time; the caller passes the length that
 * it had then (0 at first). Up to two empty lines (CRLF) before a request line are counted in (RFC
 * 9112, 2.2). */
int head_find_end(const char *buf, size_t len, size_t from);

/* Parses a whole request head of len bytes (head_find_end's). On failure returns the negative of
 * the HTTP status to answer with (-400, -414, -431, -501, -505), the reason in e. */
int head_parse_request(const char *buf, size_t len, struct head_request *out, struct error *e);

/* Parses a whole response head. request_method: of the request that it answers (HEAD: no body;
 * CONNECT is never sent this way). Content-Length is one number or is not there: it may be given
 * several times alike (RFC 9110, 8.6), and is left out beside Transfer-Encoding: chunked (RFC 9112,
 * 6.3). -EPROTO and the reason. */
int head_parse_response(const char *buf, size_t len, const char *request_method,
                        struct head_response *out, struct error *e);

/* The same of a head that a server has written, after head_mend. room: of HEAD_MAX bytes, into
 * which out may point. */
int head_read_response(const char *buf, size_t len, const char *request_method, char *room,
                       struct head_response *out, struct error *e);

/* What came from a server, a head (with a status line) or the lines of its trailers, written as RFC
 * 9112 has it: each line ends in CRLF (2.2), and each field is one line (5.2). Returns the length
 * in out, 0 if that is what it was, -EPROTO and the reason if it cannot be mended, or -EMSGSIZE. */
int head_mend(const char *buf, size_t len, bool status_line, char *out, size_t size,
              struct error *e);

/* The canonical URL of a request: from an absolute-form target, or of scheme and authority (what
 * CONNECT, SNI or the transparent listener said) and an origin-form one. Host must name the same
 * authority (missing only in HTTP/1.0); "OPTIONS *" becomes the target "/" for the judgement. Same
 * returns as head_parse_request. */
int head_request_url(const struct head_request *r, enum url_scheme scheme,
                     const struct url_authority *authority, struct url *out, struct error *e);

/* The request as it goes upstream: "METHOD canonical-target HTTP/1.1", Host from the URL, the
 * end-to-end fields, the framing (Content-Length or Transfer-Encoding: chunked), "Connection:
 * keep-alive" left out (HTTP/1.1's default). Proxy-* fields, Connection and what it names,
 * Keep-Alive, TE, Trailer, Transfer-Encoding, Upgrade are left out; Expect: 100-continue stays.
 * with_upgrade: Connection: upgrade, and Upgrade with r->upgrade if that is not empty (a judged
 * WebSocket). Returns the length, -ENOSPC, or -EINVAL if a part of r holds what may not stand
 * there. */
int head_write_request(const struct head_request *r, const struct url *url, bool with_upgrade,
                       char *buf, size_t size);

/* The response as it goes to the client, status line "HTTP/1.1 status reason"; framing as said:
 * body (BODY_CHUNKED for an HTTP/1.1 client when the length is unknown; BODY_CLOSE for HTTP/1.0)
 * and content_length are the caller's choice, BODY_NONE keeps the upstream's own Content-Length
 * field (HEAD, 304) and adds nothing. close: "Connection: close" is added. with_upgrade: for 101.
 * Returns as head_write_request. */
int head_write_response(const struct head_response *r, enum head_body body, bool close,
                        bool with_upgrade, char *buf, size_t size);

/* Has the server switched to something, and to nothing that was not offered? Both as in upgrade of
 * the structs above; compared without regard to case (RFC 6455, 4.1). */
bool head_upgrade_offered(const char *offered, const char *chosen);

/* The trailer section of len bytes (its lines, and the empty one) that may be sent on: rewrites it
 * in place without what a trailer may not say (RFC 9110, 6.5.1): framing, routing, authentication,
 * what the content is. Returns its new length, or -EPROTO and the reason. */
int head_filter_trailers(char *section, size_t len, struct error *e);

/* The reason phrase that is registered for a status (RFC 9110, 15); "" if there is none. */
const char *head_phrase(int status);

/* Chunked bodies (RFC 9112, 7.1): strict: hex size of at most 15 digits, CRLF only; extensions and
 * trailers are read within bounds and checked for bare CR, LF and NUL; extensions are dropped.
 * From servers is taken what clients take, too: white space behind a size (7.1.1, BWS), with which
 * some fill up, a bare LF as the end of a line, and trailers that go on in another line. */
#define CHUNK_LINE_MAX 4096
#define CHUNK_TRAILER_MAX 16384

struct chunk_reader {
    int state;
    bool lenient; /* set after chunk_init: a server's */
    bool odd;     /* what was read had bare LFs, or lines that go on */
    unsigned digits;
    uint64_t left;   /* of the chunk at hand */
    size_t overhead; /* bytes of the present line or of the trailer section */
    /* what the last call read of the trailer section, the empty line included (inside in) */
    const char *trailer;
    size_t trailer_len;
};

void chunk_init(struct chunk_reader *c);

/* Reads from in (len bytes). Returns the number of bytes consumed, or -EPROTO with the reason in e.
 * What was consumed holds at most one run of data, which is then at *data, *data_len (inside in);
 * *data_len is 0 if none. *end is set once the last chunk and the trailer section have been read.
 * Call again with the rest until all is consumed or *end. */
long chunk_read(struct chunk_reader *c, const char *in, size_t len, const char **data,
                size_t *data_len, bool *end, struct error *e);

#endif
