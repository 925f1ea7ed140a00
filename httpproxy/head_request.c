/* head_request.c: request lines and heads, and the URL that a request means (RFC 9112, 3).
 *
 * The reader only classifies the target; its text is given a meaning once, by head_request_url,
 * which is also where Host, the target and the connection must agree on one authority. What is
 * judged and sent is the URL that comes from there, never r->target. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "httpproxy/head_internal.h"
#include "src/util.h"

/* "HTTP/1.0" or "HTTP/1.1"; -505 for another version, -400 for none. */
static int parse_version(const char *p, size_t len, int *minor, struct error *e)
{
    if (len != 8 || memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' || p[6] != '.' ||
        p[7] < '0' || p[7] > '9')
        return error_set(e, 400, "the request line does not end in a version such as HTTP/1.1");
    if (p[5] != '1' || p[7] > '1')
        return error_set(e, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    *minor = p[7] - '0';
    return 0;
}

static int parse_method(const char *p, size_t len, char out[HEAD_METHOD_SIZE], struct error *e)
{
    if (!head_is_token(p, len))
        return error_set(e, 400, "the method is not a token");
    if (len >= HEAD_METHOD_SIZE)
        return error_set(e, 501, "the method is longer than %d characters", HEAD_METHOD_SIZE - 1);
    memcpy(out, p, len);
    out[len] = '\0';
    return 0;
}

static bool is_absolute(const char *p, size_t len)
{
    const char *colon = memchr(p, ':', len);

    return colon && colon > p && (size_t)(p + len - colon) > 2 && colon[1] == '/' &&
           colon[2] == '/';
}

static int parse_target(struct head_request *r, struct error *e)
{
    const char *p = r->target;
    bool connect = strcmp(r->method, "CONNECT") == 0;

    for (size_t i = 0; i < r->target_len; i++)
        if ((unsigned char)p[i] <= ' ' || p[i] == 0x7f)
            return error_set(e, 400, "the request target holds a space or a control character");
    if (r->target_len == 0)
        return error_set(e, 400, "the request line has no target");
    if (r->target_len > URL_TEXT_SIZE)
        return error_set(e, 414, "the request target is longer than %d bytes", URL_TEXT_SIZE);
    if (connect) {
        r->form = TARGET_AUTHORITY;
    } else if (r->target_len == 1 && p[0] == '*') {
        if (strcmp(r->method, "OPTIONS") != 0)
            return error_set(e, 400, "the target * is for OPTIONS alone");
        r->form = TARGET_ASTERISK;
    } else if (p[0] == '/') {
        r->form = TARGET_ORIGIN;
    } else if (is_absolute(p, r->target_len)) {
        r->form = TARGET_ABSOLUTE;
    } else {
        return error_set(e, 400, "the request target is neither a path nor a URL");
    }
    return 0;
}

/* method SP request-target SP HTTP-version, one space each. */
static int parse_request_line(const char *line, size_t len, struct head_request *r, struct error *e)
{
    const char *first = memchr(line, ' ', len), *last = memrchr(line, ' ', len);
    int status;

    if (!first || first == last)
        return error_set(e, 400, "the request line is not: method, target, version");
    status = parse_method(line, (size_t)(first - line), r->method, e);
    if (status == 0)
        status = parse_version(last + 1, (size_t)(line + len - last) - 1, &r->minor, e);
    if (status < 0)
        return status;
    r->target = first + 1;
    r->target_len = (size_t)(last - first) - 1;
    return parse_target(r, e);
}

static int take_host(struct head_request *r, struct error *e)
{
    bool many;
    const struct head_field *host = head_find_field(r->fields, r->field_count, "host", &many);

    if (many)
        return error_set(e, 400, "Host is given more than once");
    if (!host && r->minor >= 1)
        return error_set(e, 400, "Host is missing");
    if (host && host->value_len == 0)
        return error_set(e, 400, "Host is empty");
    r->host = host ? host->value : NULL;
    r->host_len = host ? host->value_len : 0;
    return 0;
}

/* RFC 9110, 10.1.1: in HTTP/1.0 it is to be ignored, and without a body it means nothing; then it
 * is not sent on. */
static int take_expect(struct head_request *r, struct error *e)
{
    bool body = r->body == BODY_CHUNKED || (r->body == BODY_LENGTH && r->content_length > 0);
    struct head_field *expect = NULL;

    for (size_t i = 0; i < r->field_count; i++) {
        struct head_field *f = &r->fields[i];
        if (!head_field_is(f, "expect"))
            continue;
        if (expect || !head_equal_word(f->value, f->value_len, "100-continue"))
            return error_set(e, 400, "Expect is not exactly 100-continue");
        expect = f;
    }
    if (!expect)
        return 0;
    r->expect_continue = r->minor >= 1 && body;
    if (!r->expect_continue)
        expect->hop = true;
    return 0;
}

/* What the server, or something behind it, could take for the end of this request and the beginning
 * of another that nobody judged. "Content_Length": programs that get the fields as environment
 * variables (RFC 3875, 4.1.18) cannot tell '_' from '-'. A TRACE request has no content (RFC 9110,
 * 9.3.8), so servers may not look for any. */
static int check_framing(const struct head_request *r, struct error *e)
{
    for (size_t i = 0; i < r->field_count; i++)
        if (head_field_is(&r->fields[i], "content_length") ||
            head_field_is(&r->fields[i], "transfer_encoding"))
            return error_set(e, 400, "a field is named like a framing field, but with '_'");
    if (strcmp(r->method, "TRACE") == 0 &&
        (r->body == BODY_CHUNKED || (r->body == BODY_LENGTH && r->content_length > 0)))
        return error_set(e, 400, "TRACE with a body");
    return 0;
}

/* The server may switch once it has the whole request: a body that goes along has a bounded length,
 * so that it is known where it ends and what follows it belongs to the new protocol. */
static int take_upgrade(struct head_request *r, struct error *e)
{
    int status = head_parse_upgrade(r->fields, r->field_count, true, r->upgrade, e);

    if (status == 0 && r->upgrade[0] &&
        (r->body == BODY_CHUNKED || r->content_length > HEAD_UPGRADE_BODY_MAX))
        return error_set(e, 400, "Upgrade with a body that is chunked or longer than %d bytes",
                         HEAD_UPGRADE_BODY_MAX);
    return status;
}

/* Another method, path or host than those of the request, which alone are judged. */
static int check_overrides(const struct head_request *r, struct error *e)
{
    for (size_t i = 0; i < r->field_count; i++) {
        const char *name = head_is_override(&r->fields[i]);
        if (name)
            return error_set(e, 400, "%s would override what is judged: method, URL and Host",
                             name);
    }
    return 0;
}

int head_parse_request(const char *buf, size_t len, struct head_request *out, struct error *e)
{
    struct head_connection connection = {.request = true};
    size_t next, at = head_empty_lines(buf, len);
    long line;
    int status;

    memset(out, 0, offsetof(struct head_request, fields)); /* of which field_count are there */
    out->field_count = 0;
    if (len > HEAD_MAX)
        return error_set(e, 431, "the head is longer than %d bytes", HEAD_MAX);
    line = head_take_line(buf + at, len - at, &next);
    if (line < 0)
        return error_set(e, 400, "the request line holds a bare CR or LF");
    status = parse_request_line(buf + at, (size_t)line, out, e);
    at += next;
    if (status == 0)
        status = head_parse_fields(buf + at, len - at, out->fields, &out->field_count, e);
    if (status == 0)
        status = head_mark_hops(out->fields, out->field_count, &connection, e);
    if (status == 0)
        status = head_parse_framing(out->fields, out->field_count, out->minor, &out->body,
                                    &out->content_length, e);
    if (status == 0)
        status = check_framing(out, e);
    if (status == 0)
        status = check_overrides(out, e);
    if (status == 0)
        status = take_host(out, e);
    if (status == 0)
        status = take_expect(out, e);
    if (status < 0)
        return status;
    out->keep_alive = !connection.close && (out->minor >= 1 || connection.keep_alive);
    return connection.upgrade && out->minor >= 1 ? take_upgrade(out, e) : 0;
}

static int url_status(int r)
{
    return r == -ENAMETOOLONG ? -414 : -400;
}

/* Host names the authority of the URL; absent only in HTTP/1.0. */
static int check_host(const struct head_request *r, const struct url *url, struct error *e)
{
    struct url_authority host;

    if (!r->host)
        return 0;
    if (url_parse_authority(r->host, r->host_len, url_default_port(url->scheme), &host, e) < 0) {
        error_prefix(e, "Host: ");
        return -400;
    }
    if (!url_authority_equal(&host, &url->authority))
        return error_set(e, 400, "Host is not the host that the request is for");
    return 0;
}

int head_request_url(const struct head_request *r, enum url_scheme scheme,
                     const struct url_authority *authority, struct url *out, struct error *e)
{
    int status;

    if (r->form == TARGET_AUTHORITY)
        return error_set(e, 400, "this target is for CONNECT alone");
    if (r->form == TARGET_ABSOLUTE) {
        status = url_parse(r->target, r->target_len, out, e);
        if (status < 0)
            return url_status(status);
        if (authority &&
            (out->scheme != scheme || !url_authority_equal(&out->authority, authority)))
            return error_set(e, 400, "the URL is of another host than this connection");
        return check_host(r, out, e);
    }
    if (!authority)
        return error_set(e, 400, "the request target is not a URL");
    out->scheme = scheme;
    out->authority = *authority;
    if (r->form == TARGET_ASTERISK)
        status = url_parse_target("/", 1, out, e);
    else
        status = url_parse_target(r->target, r->target_len, out, e);
    return status < 0 ? url_status(status) : check_host(r, out, e);
}
