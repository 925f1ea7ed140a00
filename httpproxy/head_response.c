/* head_response.c: status lines and heads of responses (RFC 9112, 4 and 6).
 *
 * Servers are read as strictly as clients in all that says where a response ends: a response that
 * ends elsewhere for the client is put before another request's. Only what cannot be mistaken is
 * let through: a status line without a reason phrase, Content-Length with a 204, a length that is
 * given twice alike. A length beside chunks has a rule of its own, but not everybody follows it, so
 * that the connection ends with it. */
#include <errno.h>
#include <string.h>

#include "httpproxy/head_internal.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* HTTP-version SP status-code [SP reason-phrase]: the second space is missing from some servers. */
static int parse_status_line(const char *p, size_t len, struct head_response *r, struct error *e)
{
    if (len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ' ||
        !is_digit(p[9]) || !is_digit(p[10]) || !is_digit(p[11]) || (len > 12 && p[12] != ' '))
        return error_set(
            e, EPROTO,
            "the server's answer does not begin with an HTTP/1.0 or HTTP/1.1 status line");
    r->minor = p[7] - '0';
    r->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    if (r->status < 100) /* above 599 there are such as have a meaning of their own */
        return error_set(e, EPROTO, "the server's status %d is none", r->status);
    r->reason = p + (len > 12 ? 13 : 12);
    r->reason_len = len > 12 ? len - 13 : 0;
    if (!head_is_text(r->reason, r->reason_len))
        return error_set(e, EPROTO, "the server's reason phrase holds a control character");
    return 0;
}

/* "5, 5" is 5 (RFC 9110, 8.6); what is no such list stays, and is refused as a length. */
static void join_equal_lengths(struct head_field *f)
{
    const char *end = f->value + f->value_len, *at = f->value, *first, *token;
    size_t first_len, len, count = 1, commas = 0;

    if (!head_next_element(&at, end, &first, &first_len))
        return;
    while (head_next_element(&at, end, &token, &len)) {
        if (len != first_len || memcmp(token, first, len) != 0)
            return;
        count++;
    }
    for (const char *p = f->value; p < end; p++)
        commas += *p == ',';
    if (commas + 1 != count) /* an empty element */
        return;
    f->value = first;
    f->value_len = (uint16_t)first_len;
}

/* RFC 9112, 6.3: a length that is given several times, always as the same number, is that. */
static void drop_equal_lengths(struct head_response *r)
{
    const struct head_field *first = NULL;
    size_t kept = 0;

    for (size_t i = 0; i < r->field_count; i++) {
        struct head_field *f = &r->fields[i];
        bool length = head_field_is(f, "content-length");

        if (length)
            join_equal_lengths(f);
        if (length && first && f->value_len == first->value_len &&
            memcmp(f->value, first->value, f->value_len) == 0)
            continue;
        r->fields[kept] = *f;
        if (length && !first)
            first = &r->fields[kept];
        kept++;
    }
    r->field_count = kept;
}

/* A length beside chunks: the chunks count, and the length goes no further (RFC 9112, 6.3). What
 * would be refused as a length, or as a coding, still is (head_parse_framing). */
static int drop_overridden_length(struct head_response *r, struct error *e)
{
    bool many_codings, many_lengths;
    enum head_body body;
    uint64_t n;
    const struct head_field *length =
        head_find_field(r->fields, r->field_count, "content-length", &many_lengths);

    if (!length || many_lengths || r->minor == 0 ||
        !head_find_field(r->fields, r->field_count, "transfer-encoding", &many_codings))
        return 0;
    int err = head_parse_framing(length, 1, r->minor, &body, &n, e);
    if (err < 0)
        return err;
    size_t at = (size_t)(length - r->fields);
    r->field_count--;
    memmove(&r->fields[at], &r->fields[at + 1], (r->field_count - at) * sizeof(r->fields[0]));
    r->mended = true;
    return 0;
}

static bool has_no_body(int status, const char *request_method)
{
    return status < 200 || status == 204 || status == 304 || strcmp(request_method, "HEAD") == 0;
}

/* RFC 9112, 6.3. A status that never has a body, but framing that announces one: whether bytes
 * follow cannot be known. What follows a final response is not read, then; but an interim one is
 * followed by another head. */
static int settle_body(struct head_response *r, const char *request_method, bool *unsure,
                       struct error *e)
{
    bool never = r->status < 200 || r->status == 204;
    bool framed = r->body == BODY_CHUNKED || (r->body == BODY_LENGTH && r->content_length > 0);

    *unsure = never && framed;
    if (*unsure && r->status < 200)
        return error_set(e, EPROTO, "the server's interim answer %d announces a body", r->status);
    if (has_no_body(r->status, request_method))
        r->body = BODY_NONE;
    else if (r->body == BODY_NONE)
        r->body = BODY_CLOSE;
    if (r->body != BODY_LENGTH)
        r->content_length = 0;
    return 0;
}

int head_parse_response(const char *buf, size_t len, const char *request_method,
                        struct head_response *out, struct error *e)
{
    struct head_connection connection = {.request = false};
    size_t next;
    long line;
    bool unsure;
    int r;

    memset(out, 0, offsetof(struct head_response, fields)); /* of which field_count are there */
    out->field_count = 0;
    if (len > HEAD_MAX)
        return error_set(e, EPROTO, "the head of the server's answer is longer than %d bytes",
                         HEAD_MAX);
    line = head_take_line(buf, len, &next);
    if (line < 0)
        return error_set(e, EPROTO, "the server's status line holds a bare CR or LF");
    r = parse_status_line(buf, (size_t)line, out, e);
    if (r < 0)
        return r;
    r = head_parse_fields(buf + next, len - next, out->fields, &out->field_count, e);
    drop_equal_lengths(out);
    if (r < 0 || drop_overridden_length(out, e) < 0 ||
        head_mark_hops(out->fields, out->field_count, &connection, e) < 0 ||
        head_parse_framing(out->fields, out->field_count, out->minor, &out->body,
                           &out->content_length, e) < 0 ||
        (out->status == 101 && out->minor >= 1 && connection.upgrade &&
         head_parse_upgrade(out->fields, out->field_count, false, out->upgrade, e) < 0)) {
        error_prefix(e, "the server's answer: ");
        return -EPROTO;
    }
    r = settle_body(out, request_method, &unsure, e);
    if (r < 0)
        return r;
    out->keep_alive = !connection.close && !unsure && !out->mended && out->body != BODY_CLOSE &&
                      (out->minor >= 1 || connection.keep_alive);
    return 0;
}
