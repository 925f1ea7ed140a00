/* head_mend.c: what servers write in the place of what RFC 9112 wants, and clients take, made what
 * it should be: lines that end in a bare LF (2.2), and fields that go on in another line (5.2,
 * obs-fold).
 *
 * The strict readers stay as they are: they get a copy in which such a section is written as it
 * should be, so that nothing that was mended reaches the client as it was. Requests never come
 * here. Somebody between the server and this proxy may have read such a section in another way, so
 * whatever was mended costs the connection: no other response is read from it.
 *
 * Still refused: a bare CR, which some take for the end of a line and some do not; a line that goes
 * on from the status line or from nothing; Content-Length and Transfer-Encoding that go on, in
 * which parsers are known to differ. */
#include <errno.h>
#include <string.h>

#include "httpproxy/head_internal.h"

struct mend {
    char *out;
    size_t size, len;
    size_t line; /* where the last line of out begins */
};

static bool begins_folded(const char *p, const char *end)
{
    return p < end && (*p == ' ' || *p == '\t');
}

static bool is_strict(const char *buf, size_t len)
{
    const char *end = buf + len;

    for (const char *at = buf; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        if (at == buf || at[-1] != '\r' || begins_folded(at + 1, end))
            return false;
    return true;
}

static int put(struct mend *m, const char *data, size_t len, struct error *e)
{
    if (len > m->size - m->len)
        return error_set(e, EMSGSIZE, "it is too long");
    memcpy(m->out + m->len, data, len);
    m->len += len;
    return 0;
}

/* Is the last line a field that says where the message ends? */
static bool frames(const struct mend *m)
{
    const char *line = m->out + m->line;
    const char *colon = memchr(line, ':', m->len - m->line);
    size_t len = colon ? (size_t)(colon - line) : 0;

    return head_equal_word(line, len, "content-length") ||
           head_equal_word(line, len, "transfer-encoding");
}

/* The last line goes on: one space stands for its end and for the white space that follows. */
static int unfold(struct mend *m, const char **text, const char *end, struct error *e)
{
    if (frames(m))
        return error_set(e, EPROTO, "a field that says where it ends is folded (obs-fold)");
    m->len -= strlen("\r\n");
    while (begins_folded(*text, end))
        (*text)++;
    return put(m, " ", 1, e);
}

/* One line: its text, and whether it has an end. */
static int mend_line(struct mend *m, const char *text, const char *end, bool ends, bool may_fold,
                     struct error *e)
{
    bool empty = m->len - m->line <= strlen("\r\n");

    if (may_fold && !empty && begins_folded(text, end)) {
        int r = unfold(m, &text, end, e);
        if (r < 0)
            return r;
    } else {
        m->line = m->len;
    }
    int r = put(m, text, (size_t)(end - text), e);
    return r < 0 || !ends ? r : put(m, "\r\n", 2, e);
}

int head_mend(const char *buf, size_t len, bool status_line, char *out, size_t size,
              struct error *e)
{
    struct mend m = {.out = out, .size = size};
    const char *end = buf + len;

    if (is_strict(buf, len))
        return 0;
    for (const char *at = buf; at < end;) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        const char *stop = lf ? lf : end;
        if (lf && stop > at && stop[-1] == '\r')
            stop--;
        int r = mend_line(&m, at, stop, lf, !status_line || m.line > 0, e);
        if (r < 0)
            return r;
        at = lf ? lf + 1 : end;
    }
    return (int)m.len;
}

int head_read_response(const char *buf, size_t len, const char *request_method, char *room,
                       struct head_response *out, struct error *e)
{
    int n = len > HEAD_MAX ? 0 : head_mend(buf, len, true, room, HEAD_MAX, e);

    if (n < 0) {
        error_prefix(e, "the head of the server's answer: ");
        return -EPROTO;
    }
    if (n == 0)
        return head_parse_response(buf, len, request_method, out, e);
    n = head_parse_response(room, (size_t)n, request_method, out, e);
    out->mended = true;
    out->keep_alive = false;
    return n;
}
