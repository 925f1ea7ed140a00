/* client_hello.c: the first message of TLS, read strictly; see client_hello.h.
 *
 * A tunnel to NAME:PORT is not opened up, but its ClientHello can be read by everybody, and its
 * server_name must be NAME. So what stands here must never take a ClientHello for naming one server
 * where the server itself would take it for another, or take TLS for something else:
 *
 *   - What begins like a record of TLS (a content type of 20 to 24 and a version below 0x1000,
 * which is what the most lenient servers go by) is TLS, and then must be a handshake record of
 * version 3.x that begins with a ClientHello.
 *   - A ClientHello in the form of SSL 2.0 (RFC 5246, E.2), which OpenSSL still takes for one of
 * any version, holds no SNI.
 *   - The message may be cut into records and segments in any way (RFC 8446, 5.1), but ends with a
 *     record, and has no bytes left over.
 *   - One server_name extension, in it one host_name, in it a name that is canonical but for its
 *     letter case: no second reading is possible.
 *
 * Everything is bounded: bytes of the message, and records (an empty one, or a message in very
 * many, is nothing that a client sends). Each byte is looked at once until the message is complete,
 * then once more. */
#include "httpproxy/client_hello.h"

#include <string.h>
#include <strings.h>

#include "src/util.h"

#define HEADER_SIZE 5
#define TYPE_FIRST 20 /* change_cipher_spec */
#define TYPE_LAST 24  /* heartbeat */
#define TYPE_HANDSHAKE 22
#define RECORD_MAX 16384 /* RFC 8446, 5.1 */
#define CLIENT_HELLO 1
#define MESSAGE_HEADER 4
#define EXT_SERVER_NAME 0
#define HOST_NAME 0

/* --- the message --- */

/* What is left to be read; len is 0 and failed set once it was too short. */
struct reader {
    const uint8_t *p;
    size_t len;
    bool failed;
};

static struct reader take(struct reader *r, size_t n)
{
    struct reader got = {r->p, n, false};

    if (r->failed || n > r->len) {
        r->failed = true;
        r->len = 0;
        return (struct reader){r->p, 0, true};
    }
    r->p += n;
    r->len -= n;
    return got;
}

static size_t number(struct reader *r, size_t bytes)
{
    struct reader got = take(r, bytes);
    size_t v = 0;

    for (size_t i = 0; i < got.len; i++)
        v = v << 8 | got.p[i];
    return v;
}

/* A vector with its length before it (RFC 8446, 3.4), of min to max bytes. */
static struct reader vector(struct reader *r, size_t length_bytes, size_t min, size_t max)
{
    size_t n = number(r, length_bytes);
    struct reader got = take(r, n);

    if (n < min || n > max)
        r->failed = got.failed = true;
    return got;
}

static const char *read_name(struct reader name, char sni[NAME_SIZE])
{
    char canonical[NAME_SIZE];
    const char *text = (const char *)name.p;

    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] <= 0x20 || name.p[i] >= 0x7f)
            return "the SNI has characters that no host name has";
    if (name_canon(text, name.len, canonical, NULL) < 0)
        return "the SNI is no host name";
    if (strlen(canonical) != name.len || strncasecmp(canonical, text, name.len) != 0)
        return "the SNI is not in its canonical form";
    memcpy(sni, canonical, sizeof(canonical));
    return NULL;
}

/* ServerNameList (RFC 6066, 3): the RFC allows no second host_name, and there is no other type. */
static const char *read_server_name(struct reader ext, char sni[NAME_SIZE])
{
    struct reader list = vector(&ext, 2, 1, 65535);
    size_t type = number(&list, 1);
    struct reader name = vector(&list, 2, 1, 65535);

    if (ext.failed || list.failed || ext.len > 0)
        return "the server_name extension is malformed";
    if (type != HOST_NAME || list.len > 0)
        return "the server_name extension does not hold exactly one host name";
    return read_name(name, sni);
}

static const char *read_extensions(struct reader all, char sni[NAME_SIZE])
{
    bool seen = false;

    while (all.len > 0 && !all.failed) {
        size_t type = number(&all, 2);
        struct reader ext = vector(&all, 2, 0, 65535);
        const char *problem;

        if (all.failed || type != EXT_SERVER_NAME)
            continue;
        if (seen)
            return "two server_name extensions";
        seen = true;
        problem = read_server_name(ext, sni);
        if (problem)
            return problem;
    }
    return all.failed ? "the extensions are malformed" : NULL;
}

enum client_hello_status client_hello_parse(const uint8_t *message, size_t len, char sni[NAME_SIZE],
                                            const char **problem)
{
    struct reader r = {message, len, false};
    struct reader extensions = {message, 0, false};
    size_t type = number(&r, 1), rest = number(&r, 3);
    bool sound = type == CLIENT_HELLO && rest == r.len;

    sni[0] = '\0';
    (void)take(&r, 2 + 32);                                /* legacy_version, random */
    (void)vector(&r, 1, 0, 32);                            /* legacy_session_id */
    sound = vector(&r, 2, 2, 65534).len % 2 == 0 && sound; /* cipher_suites */
    (void)vector(&r, 1, 1, 255);                           /* legacy_compression_methods */
    if (r.len > 0)
        extensions = vector(&r, 2, 0, 65535);
    if (!sound || r.failed || r.len > 0) {
        *problem = "the ClientHello is malformed";
        return CLIENT_HELLO_BAD;
    }
    *problem = read_extensions(extensions, sni);
    if (*problem)
        return CLIENT_HELLO_BAD;
    return sni[0] ? CLIENT_HELLO_GOOD : CLIENT_HELLO_NO_SNI;
}

/* --- records --- */

static void bad(struct client_hello *h, const char *problem)
{
    h->status = CLIENT_HELLO_BAD;
    h->problem = problem;
}

/* 0x80 and the length, which is that of a record; the message's type; the version: 0.2 or 3.x. With
 * fewer bytes: it may become one. */
static bool may_be_ssl2(const struct client_hello *h)
{
    const uint8_t *b = h->header;

    return (b[0] & 0xc0) == 0x80 && (h->header_len < 3 || b[2] == CLIENT_HELLO) &&
           (h->header_len < 4 || b[3] == 3 || b[3] == 0) &&
           (h->header_len < 5 || b[3] == 3 || b[4] == 2);
}

/* The header is here, or a part of it that says something already. */
static void look_at_header(struct client_hello *h)
{
    const uint8_t *b = h->header;
    bool first = h->records == 0;

    if (first && may_be_ssl2(h)) {
        if (h->header_len == HEADER_SIZE)
            bad(h, "a ClientHello of SSL 2.0, which holds no SNI");
        return;
    }
    if (first && (b[0] < TYPE_FIRST || b[0] > TYPE_LAST || (h->header_len > 1 && b[1] >= 0x10))) {
        h->status = CLIENT_HELLO_NOT_TLS;
        return;
    }
    if (h->header_len < HEADER_SIZE)
        return;
    h->record_left = (size_t)b[3] << 8 | b[4];
    if (b[0] != TYPE_HANDSHAKE)
        bad(h, first ? "TLS that does not begin with a ClientHello"
                     : "the ClientHello is interrupted by another record");
    else if (b[1] != 3)
        bad(h, "the ClientHello's record has an unknown version");
    else if (h->record_left == 0 || h->record_left > RECORD_MAX)
        bad(h, "the ClientHello's record has a length that is not allowed");
    else if (h->records++ == CLIENT_HELLO_RECORDS)
        bad(h, "the ClientHello is cut into too many records");
}

static void append(struct client_hello *h, const uint8_t *data, size_t len)
{
    if (h->message_len + len > h->message_size) {
        h->message_size = h->message_len + len > 1024 ? CLIENT_HELLO_MAX + RECORD_MAX : 1024;
        h->message = xrealloc(h->message, h->message_size);
    }
    memcpy(h->message + h->message_len, data, len);
    h->message_len += len;
}

/* How long the message is by its header, or 0 if that has not come. */
static size_t announced(const struct client_hello *h)
{
    const uint8_t *m = h->message;

    if (h->message_len < MESSAGE_HEADER)
        return 0;
    return MESSAGE_HEADER + ((size_t)m[1] << 16 | (size_t)m[2] << 8 | m[3]);
}

static void look_at_message(struct client_hello *h)
{
    size_t want = announced(h);

    if (h->message_len > 0 && h->message[0] != CLIENT_HELLO)
        bad(h, "TLS that does not begin with a ClientHello");
    else if (want > CLIENT_HELLO_MAX)
        bad(h, "the ClientHello is too long");
    else if (want > 0 && (h->message_len > want || (h->message_len == want && h->record_left > 0)))
        bad(h, "the ClientHello does not end with its record");
    else if (want > 0 && h->message_len == want)
        h->status = client_hello_parse(h->message, want, h->sni, &h->problem);
}

enum client_hello_status client_hello_feed(struct client_hello *h, const void *data, size_t len)
{
    const uint8_t *p = data;

    while (len > 0 && h->status == CLIENT_HELLO_MORE) {
        size_t n = 1;

        if (h->record_left == 0) {
            if (h->header_len == HEADER_SIZE)
                h->header_len = 0;
            h->header[h->header_len++] = *p;
            look_at_header(h);
        } else {
            n = len < h->record_left ? len : h->record_left;
            append(h, p, n);
            h->record_left -= n;
            look_at_message(h);
        }
        p += n;
        len -= n;
    }
    return h->status;
}

void client_hello_free(struct client_hello *h)
{
    free(h->message);
    h->message = NULL;
    h->message_len = h->message_size = 0;
}
