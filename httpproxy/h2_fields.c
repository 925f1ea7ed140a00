/* h2_fields.c: heads of HTTP/2 as text of HTTP/1.1, and back; see h2_fields.h.
 *
 * RFC 9113, 8.2.1 and 8.3 say what is malformed; libnghttp2 refuses most of that, and each part is
 * looked at here once more, since what gets past would be another request in the text:
 *   names      tokens without upper case; no connection-specific ones, TE but for "trailers"
 *   values     no control characters, so no CR, LF, NUL
 *   pseudo     known ones, once, before all others; method a token, the rest without space
 * A Host beside :authority says the same or is written too: two Host fields are refused by the
 * parser, as in HTTP/1.1. */
#include "httpproxy/h2_fields.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "httpproxy/head_internal.h"
#include "src/util.h"

#define LINE_OVERHEAD 4 /* ": " and CRLF */

void h2_fields_free(struct h2_fields *f)
{
    for (size_t i = 0; i < H2_PSEUDO_COUNT; i++)
        buf_free(&f->pseudo[i]);
    buf_free(&f->lines);
    buf_free(&f->cookies);
    memset(f, 0, sizeof(*f));
}

static void put_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

static void put_buf(struct buf *b, const struct buf *from)
{
    buf_append(b, buf_begin(from), buf_len(from));
}

/* --- in --- */

/* What may stand in a line of text between spaces. */
static bool is_word(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] <= ' ' || p[i] == 0x7f)
            return false;
    return len > 0;
}

static void add_pseudo(struct h2_fields *f, const struct head_field *field)
{
    static const char *const names[H2_PSEUDO_COUNT] = {":method", ":scheme",   ":authority",
                                                       ":path",   ":protocol", ":status"};
    size_t i = 0;

    while (i < H2_PSEUDO_COUNT && (strlen(names[i]) != field->name_len ||
                                   memcmp(names[i], field->name, field->name_len) != 0))
        i++;
    if (i == H2_PSEUDO_COUNT)
        f->bad = "an unknown pseudo field";
    else if (f->seen[i])
        f->bad = "a pseudo field is given more than once";
    else if (buf_len(&f->lines) > 0 || buf_len(&f->cookies) > 0)
        f->bad = "a pseudo field after other fields";
    else if (!is_word((const uint8_t *)field->value, field->value_len))
        f->bad = "a pseudo field is empty, or holds a space or a control character";
    if (f->bad)
        return;
    f->seen[i] = true;
    buf_append(&f->pseudo[i], field->value, field->value_len);
}

static bool is_lower_token(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            return false;
    return head_is_token(p, len);
}

/* RFC 9113, 8.2.2. */
static bool is_connection_specific(const struct head_field *field)
{
    if (head_field_is(field, "te"))
        return !head_equal_word(field->value, field->value_len, "trailers");
    return head_field_is(field, "connection") || head_field_is(field, "proxy-connection") ||
           head_field_is(field, "keep-alive") || head_field_is(field, "upgrade") ||
           head_field_is(field, "transfer-encoding");
}

#define GRPC "application/grpc" /* and what may be behind: "+proto" */

static void add_line(struct h2_fields *f, const struct head_field *field)
{
    buf_append(&f->lines, field->name, field->name_len);
    put_text(&f->lines, ": ");
    buf_append(&f->lines, field->value, field->value_len);
    put_text(&f->lines, "\r\n");
    if (head_field_is(field, "content-length"))
        f->length = true;
    if (head_field_is(field, "content-type"))
        f->grpc =
            field->value_len >= strlen(GRPC) && strncasecmp(field->value, GRPC, strlen(GRPC)) == 0;
}

static void add_cookie(struct h2_fields *f, const struct head_field *field)
{
    if (buf_len(&f->cookies) > 0)
        put_text(&f->cookies, "; ");
    buf_append(&f->cookies, field->value, field->value_len);
}

void h2_fields_add(struct h2_fields *f, const uint8_t *name, size_t name_len, const uint8_t *value,
                   size_t value_len)
{
    struct head_field field = {.name = (const char *)name, .value = (const char *)value};

    if (f->bad || f->too_long)
        return;
    if (name_len + value_len + LINE_OVERHEAD > HEAD_MAX - f->size) {
        f->too_long = true;
        return;
    }
    field.name_len = (uint16_t)name_len;
    field.value_len = (uint16_t)value_len;
    f->size += name_len + value_len + LINE_OVERHEAD;
    if (name_len > 0 && name[0] == ':')
        add_pseudo(f, &field);
    else if (!is_lower_token(field.name, name_len))
        f->bad = "a field name is not a token in lower case";
    else if (!head_is_text(field.value, value_len))
        f->bad = "a field holds a control character";
    else if (is_connection_specific(&field))
        f->bad = "a field is about the connection, which HTTP/2 has no place for";
    else if (head_field_is(&field, "cookie"))
        add_cookie(f, &field);
    else
        add_line(f, &field);
}

/* The fields but the pseudo ones, and the end of the head. */
static void put_lines(struct h2_fields *f, struct buf *out)
{
    put_buf(out, &f->lines);
    if (buf_len(&f->cookies) > 0) {
        put_text(out, "cookie: ");
        put_buf(out, &f->cookies);
        put_text(out, "\r\n");
    }
    put_text(out, "\r\n");
}

/* Is there a host line that says what :authority says? Then it is taken out. */
static void drop_same_host(struct h2_fields *f)
{
    const struct buf *authority = &f->pseudo[H2_AUTHORITY];
    size_t len = buf_len(authority) + strlen("host: \r\n");
    char *at = buf_begin(&f->lines), *end = buf_tail(&f->lines);

    while (at && at < end) {
        char *next = (char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        if ((size_t)(next - at) == len && memcmp(at, "host: ", 6) == 0 &&
            memcmp(at + 6, buf_begin(authority), buf_len(authority)) == 0) {
            memmove(at, next, (size_t)(end - next));
            f->lines.end -= len;
            return;
        }
        at = next;
    }
}

static bool pseudo_is(const struct h2_fields *f, enum h2_pseudo which, const char *text)
{
    const struct buf *b = &f->pseudo[which];

    return f->seen[which] && buf_len(b) == strlen(text) &&
           memcmp(buf_begin(b), text, strlen(text)) == 0;
}

/* Which pseudo fields must be there, and which must not (RFC 9113, 8.3.1 and 8.5; RFC 8441, 4). */
static const char *check_request(const struct h2_fields *f)
{
    bool connect = pseudo_is(f, H2_METHOD, "CONNECT") && !f->seen[H2_PROTOCOL];

    if (f->bad)
        return f->bad;
    if (!f->seen[H2_METHOD] ||
        !head_is_token(buf_begin(&f->pseudo[H2_METHOD]), buf_len(&f->pseudo[H2_METHOD])))
        return "no :method, or one that is not a token";
    if (f->seen[H2_STATUS])
        return ":status in a request";
    if (f->seen[H2_PROTOCOL] && !pseudo_is(f, H2_METHOD, "CONNECT"))
        return ":protocol in a request that is not CONNECT";
    if (connect && (f->seen[H2_SCHEME] || f->seen[H2_PATH] || !f->seen[H2_AUTHORITY]))
        return "CONNECT needs :authority, and nothing else";
    if (f->length && pseudo_is(f, H2_METHOD, "CONNECT"))
        return "content-length with CONNECT, whose content has no end that it could tell";
    if (!connect && (!f->seen[H2_SCHEME] || !f->seen[H2_PATH]))
        return ":scheme or :path is missing";
    return NULL;
}

/* The target: the path; with another scheme than the connection's a URL, which the judge refuses.
 */
static void put_target(const struct h2_fields *f, const char *scheme, struct buf *out)
{
    if (f->seen[H2_SCHEME] && !pseudo_is(f, H2_SCHEME, scheme)) {
        put_buf(out, &f->pseudo[H2_SCHEME]);
        put_text(out, "://");
        put_buf(out, &f->pseudo[H2_AUTHORITY]);
    }
    put_buf(out, &f->pseudo[f->seen[H2_PATH] ? H2_PATH : H2_AUTHORITY]);
}

int h2_fields_request(struct h2_fields *f, const struct h2_request_form *form, struct buf *out,
                      struct error *e)
{
    const char *bad = check_request(f);

    if (f->seen[H2_PROTOCOL])
        put_text(out, "GET");
    else
        put_buf(out, &f->pseudo[H2_METHOD]);
    put_text(out, " ");
    put_target(f, form->scheme, out);
    put_text(out, " HTTP/1.1\r\n");
    if (bad)
        return error_set(e, 400, "not a request of HTTP/2: %s", bad);
    if (f->too_long)
        return error_set(e, 431, "the request head is too long");
    if (f->seen[H2_AUTHORITY]) {
        drop_same_host(f);
        put_text(out, "host: ");
        put_buf(out, &f->pseudo[H2_AUTHORITY]);
        put_text(out, "\r\n");
    }
    if (f->seen[H2_PROTOCOL]) {
        put_text(out, "connection: upgrade\r\nupgrade: ");
        put_buf(out, &f->pseudo[H2_PROTOCOL]);
        put_text(out, "\r\n");
        if (pseudo_is(f, H2_PROTOCOL, "websocket")) {
            put_text(out, "sec-websocket-key: ");
            put_text(out, form->key);
            put_text(out, "\r\n");
        }
    } else if (form->body && !f->length) {
        put_text(out, "transfer-encoding: chunked\r\n");
    }
    put_lines(f, out);
    return 0;
}

static int read_status(const struct h2_fields *f)
{
    const struct buf *b = &f->pseudo[H2_STATUS];
    const char *p = buf_begin(b);
    int status = 0;

    if (!f->seen[H2_STATUS] || buf_len(b) != 3)
        return -EPROTO;
    for (size_t i = 0; i < 3; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -EPROTO;
        status = status * 10 + (p[i] - '0');
    }
    /* RFC 9113, 8.6: there is no 101. */
    return status < 100 || status > 999 || status == 101 ? -EPROTO : status;
}

int h2_fields_response(struct h2_fields *f, bool body, bool bodyless, int *status, struct buf *out,
                       struct error *e)
{
    char line[64];

    *status = read_status(f);
    if (f->bad || *status < 0 || f->seen[H2_METHOD] || f->seen[H2_SCHEME] ||
        f->seen[H2_AUTHORITY] || f->seen[H2_PATH] || f->seen[H2_PROTOCOL])
        return error_set(e, EPROTO, "not a response of HTTP/2: %s",
                         f->bad ? f->bad : "its pseudo fields are wrong");
    if (f->too_long)
        return error_set(e, EPROTO, "the response head is too long");
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %d %s\r\n", *status, head_phrase(*status));
    put_text(out, line);
    bool none = *status < 200 || *status == 204 || *status == 304 || bodyless;
    if (!none && !f->length)
        put_text(out, body ? "transfer-encoding: chunked\r\n" : "content-length: 0\r\n");
    put_lines(f, out);
    return 0;
}

int h2_fields_trailers(struct h2_fields *f, struct buf *out, struct error *e)
{
    bool pseudo = false;

    for (size_t i = 0; i < H2_PSEUDO_COUNT; i++)
        pseudo |= f->seen[i];
    if (f->bad || pseudo || f->too_long || f->size > CHUNK_TRAILER_MAX)
        return error_set(e, EPROTO, "the trailers are malformed or too long");
    put_buf(out, &f->lines);
    return 0;
}

/* --- out --- */

static void list_add(struct h2_list *l, const char *name, size_t name_len, const char *value,
                     size_t value_len)
{
    if (l->count == ARRAY_LEN(l->nv))
        return;
    l->nv[l->count++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                                     .value = (uint8_t *)(uintptr_t)value,
                                     .namelen = name_len,
                                     .valuelen = value_len};
}

static void list_text(struct h2_list *l, const char *name, const char *value)
{
    list_add(l, name, strlen(name), value, strlen(value));
}

/* The end-to-end fields but skip. */
static void list_fields(struct h2_list *l, const struct head_field *fields, size_t count,
                        const char *skip)
{
    for (size_t i = 0; i < count; i++) {
        const struct head_field *f = &fields[i];
        char *name = (char *)(uintptr_t)f->name; /* the caller's text, which is writable */
        if (f->hop || head_is_hop(f) || head_field_is(f, skip))
            continue;
        for (size_t k = 0; k < f->name_len; k++)
            if (name[k] >= 'A' && name[k] <= 'Z')
                name[k] = (char)(name[k] - 'A' + 'a');
        list_add(l, name, f->name_len, f->value, f->value_len);
    }
}

void h2_list_request(struct h2_list *l, struct head_request *r, const char *scheme)
{
    l->count = 0;
    list_text(l, ":method", r->method);
    list_text(l, ":scheme", scheme);
    list_add(l, ":authority", strlen(":authority"), r->host, r->host_len);
    list_add(l, ":path", strlen(":path"), r->target, r->target_len);
    list_fields(l, r->fields, r->field_count, "host");
    list_text(l, "te", "trailers"); /* gRPC servers ask for it; trailers are passed on */
}

void h2_list_response(struct h2_list *l, struct head_response *r, bool tunnel)
{
    l->count = 0;
    (void)snprintf(l->text, sizeof(l->text), "%d", tunnel ? 200 : r->status);
    list_text(l, ":status", l->text);
    list_fields(l, r->fields, r->field_count, tunnel ? "sec-websocket-accept" : "");
}

bool h2_list_trailers(struct h2_list *l, char *lines, size_t len)
{
    UNINITIALIZED struct head_field fields[HEAD_FIELDS_MAX];
    struct error e;
    size_t count = 0;

    l->count = 0;
    if (head_parse_fields(lines, len, fields, &count, &e) == 0)
        list_fields(l, fields, count, "");
    return l->count > 0;
}
