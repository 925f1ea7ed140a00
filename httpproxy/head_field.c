/* head_field.c: field lines, and what the fields say of the connection and of the body.
 *
 * Request smuggling needs two parsers that read one text in two ways (RFC 9112, 11.2). So whatever
 * parsers in use are known to disagree about is an error here and nothing is repaired: the ends of
 * lines, white space before the colon, repeated and combined framing fields, a Connection field
 * that would take away what frames or routes the message.
 *
 * A head passes four steps, each over the result of the one before: lines are cut at CRLF; each is
 * a name and a value; the hop-by-hop fields are marked; the framing is read. Nothing is copied:
 * fields point into the caller's buffer. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "httpproxy/head_internal.h"
#include "src/util.h"

bool head_is_tchar(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool head_is_token(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!head_is_tchar((unsigned char)p[i]))
            return false;
    return len > 0;
}

bool head_is_text(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool head_equal_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

bool head_field_is(const struct head_field *f, const char *name)
{
    return head_equal_word(f->name, f->name_len, name);
}

bool head_field_like(const struct head_field *f, const char *name)
{
    if (strlen(name) != f->name_len)
        return false;
    for (size_t i = 0; i < f->name_len; i++) {
        char c = f->name[i] == '_' ? '-' : f->name[i];
        if (strncasecmp(&c, &name[i], 1) != 0)
            return false;
    }
    return true;
}

size_t head_empty_lines(const char *buf, size_t len)
{
    size_t at = 0;

    for (int i = 0; i < 2 && len - at >= 2 && buf[at] == '\r' && buf[at + 1] == '\n'; i++)
        at += 2;
    return at;
}

/* An empty line that a bare LF makes is an end as well, and so is a third empty line, or a bare LF,
 * at the beginning: the parser then refuses the head at once, instead of waiting for more of it. */
int head_find_end(const char *buf, size_t len, size_t from)
{
    size_t start = head_empty_lines(buf, len);
    size_t at = from > 3 ? from - 3 : 0;

    if (len > start && buf[start] == '\n')
        return (int)start + 1;
    if (len - start >= 2 && buf[start] == '\r' && buf[start + 1] == '\n')
        return (int)start + 2;

    if (at < start)
        at = start;
    while (at < len) {
        const char *lf = memchr(buf + at, '\n', len - at);
        if (!lf)
            break;
        at = (size_t)(lf - buf) + 1;
        size_t end = 0;
        if (at < len && buf[at] == '\n')
            end = at + 1;
        else if (at + 1 < len && buf[at] == '\r' && buf[at + 1] == '\n')
            end = at + 2;
        if (end)
            return end <= HEAD_MAX ? (int)end : -EMSGSIZE;
    }
    return len >= HEAD_MAX ? -EMSGSIZE : 0;
}

long head_take_line(const char *buf, size_t len, size_t *next)
{
    const char *lf = memchr(buf, '\n', len);
    size_t n;

    if (!lf || lf == buf || lf[-1] != '\r')
        return -EINVAL;
    n = (size_t)(lf - buf) - 1;
    if (memchr(buf, '\r', n))
        return -EINVAL;
    *next = n + 2;
    return (long)n;
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

int head_parse_field(const char *line, size_t len, struct head_field *f, struct error *e)
{
    size_t name = 0, begin, end = len;

    while (name < len && head_is_tchar((unsigned char)line[name]))
        name++;
    if (name == 0 || name == len || line[name] != ':')
        return error_set(e, 400,
                         "a header line has no valid field name, or no colon right after it");
    begin = name + 1;
    while (begin < end && is_ows(line[begin]))
        begin++;
    while (end > begin && is_ows(line[end - 1]))
        end--;
    if (!head_is_text(line + begin, end - begin))
        return error_set(e, 400, "a header field holds a control character");
    *f = (struct head_field){.name = line,
                             .value = line + begin,
                             .name_len = (uint16_t)name,
                             .value_len = (uint16_t)(end - begin)};
    return 0;
}

int head_parse_fields(const char *buf, size_t len, struct head_field *fields, size_t *count,
                      struct error *e)
{
    size_t at = 0, n = 0;

    for (;;) {
        size_t next;
        long line = head_take_line(buf + at, len - at, &next);
        if (line < 0)
            return error_set(e, 400, "the head holds a bare CR or LF");
        if (line == 0)
            break;
        if (is_ows(buf[at]))
            return error_set(e, 400, "a header line is folded (obs-fold)");
        if (n == HEAD_FIELDS_MAX)
            return error_set(e, 431, "the head has more than %d fields", HEAD_FIELDS_MAX);
        int r = head_parse_field(buf + at, (size_t)line, &fields[n], e);
        if (r < 0)
            return r;
        n++;
        at += next;
    }
    if (at + 2 != len)
        return error_set(e, 400, "the head does not end where its empty line is");
    *count = n;
    return 0;
}

const struct head_field *head_find_field(const struct head_field *fields, size_t count,
                                         const char *name, bool *many)
{
    const struct head_field *found = NULL;

    *many = false;
    for (size_t i = 0; i < count; i++) {
        if (!head_field_is(&fields[i], name))
            continue;
        if (found)
            *many = true;
        else
            found = &fields[i];
    }
    return found;
}

bool head_next_element(const char **at, const char *end, const char **token, size_t *len)
{
    const char *p = *at, *stop;

    while (p < end && (is_ows(*p) || *p == ','))
        p++;
    if (p == end)
        return false;
    stop = memchr(p, ',', (size_t)(end - p));
    if (!stop)
        stop = end;
    *at = stop;
    while (stop > p && is_ows(stop[-1]))
        stop--;
    *token = p;
    *len = (size_t)(stop - p);
    return true;
}

/* "Close" is no field but reserved (RFC 9112, 9.6): the writer's own "Connection: close" names it.
 */
bool head_is_hop(const struct head_field *f)
{
    static const char *const names[] = {"connection",     "keep-alive", "te",
                                        "trailer",        "upgrade",    "transfer-encoding",
                                        "http2-settings", "close"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (head_field_is(f, names[i]))
            return true;
    return f->name_len > 6 && strncasecmp(f->name, "proxy-", 6) == 0;
}

static void mark_named(struct head_field *fields, size_t count, const char *name, size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].name_len == len && strncasecmp(fields[i].name, name, len) == 0)
            fields[i].hop = true;
}

static int check_option(const char *option, size_t len, struct head_connection *c, struct error *e)
{
    if (++c->options > HEAD_OPTIONS_MAX)
        return error_set(e, 431, "Connection has more than %d elements", HEAD_OPTIONS_MAX);
    if (!head_is_token(option, len))
        return error_set(e, 400, "Connection holds something that is not a token");
    if (head_equal_word(option, len, "host") || head_equal_word(option, len, "content-length") ||
        (c->request && (head_equal_word(option, len, "transfer-encoding") ||
                        head_equal_word(option, len, "expect"))))
        return error_set(e, 400, "Connection names %.*s, without which the message is ambiguous",
                         (int)len, option);
    return 0;
}

/* One Connection field: its options, and the fields that it names. */
static int take_connection(const struct head_field *f, struct head_field *fields, size_t count,
                           struct head_connection *c, struct error *e)
{
    const char *at = f->value, *end = f->value + f->value_len, *option;
    size_t len;

    while (head_next_element(&at, end, &option, &len)) {
        int r = check_option(option, len, c, e);
        if (r < 0)
            return r;
        if (head_equal_word(option, len, "close"))
            c->close = true;
        else if (head_equal_word(option, len, "keep-alive"))
            c->keep_alive = true;
        else if (head_equal_word(option, len, "upgrade"))
            c->upgrade = true;
        mark_named(fields, count, option, len);
    }
    return 0;
}

int head_mark_hops(struct head_field *fields, size_t count, struct head_connection *c,
                   struct error *e)
{
    for (size_t i = 0; i < count; i++) {
        struct head_field *f = &fields[i];
        if (head_is_hop(f))
            f->hop = true;
        if (!head_field_is(f, "connection") &&
            !(c->request && head_field_is(f, "proxy-connection")))
            continue;
        int r = take_connection(f, fields, count, c, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* 1*DIGIT, under 2^63. */
static bool parse_length(const struct head_field *f, uint64_t *out)
{
    uint64_t n = 0;

    if (f->value_len == 0 || f->value_len > 19) /* 19 digits always fit into 64 bits */
        return false;
    for (size_t i = 0; i < f->value_len; i++) {
        if (f->value[i] < '0' || f->value[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(f->value[i] - '0');
    }
    *out = n;
    return n <= INT64_MAX;
}

int head_parse_framing(const struct head_field *fields, size_t count, int minor,
                       enum head_body *body, uint64_t *content_length, struct error *e)
{
    bool many_lengths, many_codings;
    const struct head_field *length =
        head_find_field(fields, count, "content-length", &many_lengths);
    const struct head_field *coding =
        head_find_field(fields, count, "transfer-encoding", &many_codings);

    *body = BODY_NONE;
    *content_length = 0;
    if (length && coding)
        return error_set(e, 400, "both Content-Length and Transfer-Encoding are given");
    if (many_lengths)
        return error_set(e, 400, "Content-Length is given more than once");
    if (many_codings || (coding && !head_equal_word(coding->value, coding->value_len, "chunked")))
        return error_set(e, 400, "Transfer-Encoding is not exactly chunked");
    if (coding && minor == 0)
        return error_set(e, 400, "Transfer-Encoding is given in HTTP/1.0");
    if (length && !parse_length(length, content_length))
        return error_set(e, 400, "Content-Length is not a plain decimal number below 2^63");
    if (coding)
        *body = BODY_CHUNKED;
    else if (length)
        *body = BODY_LENGTH;
    return 0;
}
