/* head_write.c: heads as they are sent on: out of parsed, checked parts alone.
 *
 * Each part is checked once more as it is written. The parsers have done so, but a head may also
 * come from elsewhere (HTTP/2), and a CR or LF that got here would be one request too many.
 *
 * Host and the framing stand before all other fields: a server that reads a bounded number of
 * fields and forgets the rest would otherwise lose where the body ends. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "httpproxy/head_internal.h"
#include "src/util.h"

struct out {
    char *buf;
    size_t size, len;
    bool full;
    bool illegal; /* a part holds what may not stand there */
};

static void put(struct out *o, const char *data, size_t len)
{
    if (len == 0)
        return;
    if (len > o->size - o->len) {
        o->full = true;
        return;
    }
    memcpy(o->buf + o->len, data, len);
    o->len += len;
}

static void put_text(struct out *o, const char *s)
{
    put(o, s, strlen(s));
}

static void put_number(struct out *o, uint64_t n)
{
    char text[24]; /* 2^64 has 20 digits */

    (void)snprintf(text, sizeof(text), "%" PRIu64, n);
    put_text(o, text);
}

/* A target or a host: what is neither a space nor a control character. */
static void put_target(struct out *o, const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 0x7f)
            o->illegal = true;
    o->illegal |= len == 0;
    put(o, p, len);
}

static void put_field(struct out *o, const struct head_field *f)
{
    if (!head_is_token(f->name, f->name_len) || !head_is_text(f->value, f->value_len))
        o->illegal = true;
    put(o, f->name, f->name_len);
    put_text(o, ": ");
    put(o, f->value, f->value_len);
    put_text(o, "\r\n");
}

/* The end-to-end fields but those that the writers set themselves. */
static void put_fields(struct out *o, const struct head_field *fields, size_t count, bool request)
{
    for (size_t i = 0; i < count; i++)
        if (!fields[i].hop && !head_is_hop(&fields[i]) &&
            !head_field_is(&fields[i], "content-length") &&
            !(request && head_field_is(&fields[i], "host")))
            put_field(o, &fields[i]);
}

static void put_framing(struct out *o, enum head_body body, uint64_t content_length)
{
    if (body == BODY_LENGTH) {
        put_text(o, "Content-Length: ");
        put_number(o, content_length);
        put_text(o, "\r\n");
    } else if (body == BODY_CHUNKED) {
        put_text(o, "Transfer-Encoding: chunked\r\n");
    }
}

static void put_upgrade(struct out *o, const char *protocols)
{
    if (!head_is_text(protocols, strlen(protocols)))
        o->illegal = true;
    put_text(o, "Connection: upgrade\r\nUpgrade: ");
    put_text(o, protocols);
    put_text(o, "\r\n");
}

static int finish(struct out *o)
{
    put_text(o, "\r\n");
    if (o->illegal)
        return -EINVAL;
    return o->full || o->len > INT_MAX ? -ENOSPC : (int)o->len;
}

/* Methods whose meaning calls for a body: RFC 9110, 8.6 wants their length sent even if it is 0. */
static bool wants_length(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

/* "OPTIONS *", also as a proxy is asked for it: an absolute-form target without path and query
 * (RFC 9112, 3.2.4). */
static bool is_asterisk(const struct head_request *r)
{
    const char *slashes;

    if (r->form == TARGET_ASTERISK)
        return true;
    if (r->form != TARGET_ABSOLUTE || strcmp(r->method, "OPTIONS") != 0)
        return false;
    slashes = memmem(r->target, r->target_len, "://", 3);
    if (!slashes)
        return false;
    for (const char *p = slashes + 3; p < r->target + r->target_len; p++)
        if (*p == '/' || *p == '?')
            return false;
    return true;
}

int head_write_request(const struct head_request *r, const struct url *url, bool with_upgrade,
                       char *buf, size_t size)
{
    struct out o = {.buf = buf, .size = size};
    char host[URL_HOST_SIZE + 16];

    if (url_format_host(&url->authority, url->scheme, host, sizeof(host)) < 0)
        return -ENOSPC;
    o.illegal = !head_is_token(r->method, strlen(r->method)) || strcmp(r->method, "CONNECT") == 0 ||
                r->body == BODY_CLOSE || url->target[0] != '/';
    put_text(&o, r->method);
    put_text(&o, " ");
    if (is_asterisk(r))
        put_text(&o, "*");
    else
        put_target(&o, url->target, url->target_len);
    put_text(&o, " HTTP/1.1\r\nHost: ");
    put_target(&o, host, strlen(host));
    put_text(&o, "\r\n");
    if (r->body == BODY_NONE && wants_length(r->method))
        put_framing(&o, BODY_LENGTH, 0);
    else
        put_framing(&o, r->body, r->content_length);
    put_fields(&o, r->fields, r->field_count, true);
    if (with_upgrade && r->upgrade[0])
        put_upgrade(&o, r->upgrade);
    return finish(&o);
}

/* Responses that end with their head whatever it says (RFC 9112, 6.3). */
static bool never_has_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

int head_write_response(const struct head_response *r, enum head_body body, bool close,
                        bool with_upgrade, char *buf, size_t size)
{
    struct out o = {.buf = buf, .size = size};
    bool many;
    const struct head_field *length =
        head_find_field(r->fields, r->field_count, "content-length", &many);

    o.illegal = r->status < 100 || r->status > 999 || !head_is_text(r->reason, r->reason_len) ||
                (body != BODY_NONE && never_has_body(r->status)) || many;
    put_text(&o, "HTTP/1.1 ");
    put_number(&o, (uint64_t)r->status);
    put_text(&o, " ");
    put(&o, r->reason, r->reason_len);
    put_text(&o, "\r\n");
    if (body != BODY_NONE)
        put_framing(&o, body, r->content_length);
    else if (length && r->status >= 200 &&
             r->status != 204) /* HEAD, 304: what a GET's would have been */
        put_field(&o, length);
    put_fields(&o, r->fields, r->field_count, false);
    if (with_upgrade && r->upgrade[0])
        put_upgrade(&o, r->upgrade);
    else if (close || body == BODY_CLOSE)
        put_text(&o, "Connection: close\r\n");
    return finish(&o);
}
