/* chunk.c: the chunked coding (RFC 9112, 7.1), one byte of state at a time, data in runs.
 *
 *   SIZE -> [SPACE ->] [EXT ->] SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE ...
 *   and for size 0: SIZE_LF -> LINE -> [NAME -> VALUE -> VALUE_LF -> LINE ...] -> LAST_LF -> END
 *
 * Extensions are checked and dropped: what is sent on is coded anew. A call returns
 * right after a run of data, so the data that is seen before an error does not depend on how the
 * input was cut. */
#include <errno.h>

#include "httpproxy/head_internal.h"
#include "src/util.h"

#define SIZE_DIGITS_MAX 15 /* below 2^60 */

enum state {
    SIZE,
    SPACE, /* behind it */
    EXT,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LINE,
    NAME, /* of a trailer field */
    VALUE,
    VALUE_LF,
    LAST_LF,
    END,
    BROKEN /* after an error: nothing is read any more */
};

void chunk_init(struct chunk_reader *c)
{
    *c = (struct chunk_reader){.state = SIZE};
}

static int bad(struct error *e, const char *what)
{
    return error_set(e, EPROTO, "the chunked body %s", what);
}

static int after_size(struct chunk_reader *c, unsigned char byte, struct error *e)
{
    if (byte == ';')
        c->state = EXT;
    else if (byte == '\r')
        c->state = SIZE_LF;
    else if (c->lenient && (byte == ' ' || byte == '\t'))
        c->state = SPACE;
    else
        return bad(e, "has a chunk size with something after it");
    return 0;
}

static int read_size(struct chunk_reader *c, unsigned char byte, struct error *e)
{
    int digit = hex_value((char)byte);

    if (digit >= 0) {
        if (++c->digits > SIZE_DIGITS_MAX)
            return bad(e, "has a chunk size of more than 15 digits");
        c->left = c->left << 4 | (uint64_t)digit;
        return 0;
    }
    if (c->digits == 0)
        return bad(e, "has a chunk without a size");
    return after_size(c, byte, e);
}

/* A byte of an extension or of a trailer line; CR leads to after. */
static int read_text(struct chunk_reader *c, unsigned char byte, enum state after, struct error *e)
{
    if (byte == '\r')
        c->state = (int)after;
    else if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
        return bad(e, "holds a bare LF or a control character in an extension or trailer");
    return 0;
}

static int expect(struct chunk_reader *c, unsigned char byte, char wanted, enum state after,
                  struct error *e)
{
    if (byte != (unsigned char)wanted)
        return bad(e, "has no CRLF where one must be");
    c->state = (int)after;
    return 0;
}

/* A trailer may go on in another line, but nothing can be gone on with before the first. */
static bool goes_on(struct chunk_reader *c, unsigned char byte)
{
    if (!c->lenient || c->overhead <= 1 || (byte != ' ' && byte != '\t'))
        return false;
    c->odd = true;
    return true;
}

static int begin_line(struct chunk_reader *c, unsigned char byte, struct error *e)
{
    if (byte == '\r')
        c->state = LAST_LF;
    else if (head_is_tchar(byte))
        c->state = NAME;
    else if (goes_on(c, byte))
        c->state = VALUE;
    else
        return bad(e, "has a trailer line that begins with no field name");
    return 0;
}

static int read_name(struct chunk_reader *c, unsigned char byte, struct error *e)
{
    if (byte == ':')
        c->state = VALUE;
    else if (!head_is_tchar(byte))
        return bad(e, "has a trailer line without a colon right after the field name");
    return 0;
}

static int step(struct chunk_reader *c, unsigned char byte, struct error *e)
{
    switch ((enum state)c->state) {
    case SIZE:
        return read_size(c, byte, e);
    case SPACE:
        return after_size(c, byte, e);
    case EXT:
        return read_text(c, byte, SIZE_LF, e);
    case SIZE_LF:
        c->overhead = 0;
        return expect(c, byte, '\n', c->left ? DATA : LINE, e);
    case DATA_CR:
        return expect(c, byte, '\r', DATA_LF, e);
    case DATA_LF:
        c->digits = 0;
        c->overhead = 0;
        return expect(c, byte, '\n', SIZE, e);
    case LINE:
        return begin_line(c, byte, e);
    case NAME:
        return read_name(c, byte, e);
    case VALUE:
        return read_text(c, byte, VALUE_LF, e);
    case VALUE_LF:
        return expect(c, byte, '\n', LINE, e);
    case LAST_LF:
        return expect(c, byte, '\n', END, e);
    case DATA:
    case END:
    case BROKEN:
        break;
    }
    return bad(e, "cannot be read on");
}

/* A bare LF where a line may end is read as CRLF. */
static bool lacks_cr(const struct chunk_reader *c, unsigned char byte)
{
    return c->lenient && byte == '\n' && c->state != SIZE_LF && c->state != DATA_LF &&
           c->state != VALUE_LF && c->state != LAST_LF;
}

static int step_bare_lf(struct chunk_reader *c, struct error *e)
{
    int r = step(c, '\r', e);

    c->odd = true;
    return r < 0 ? r : step(c, '\n', e);
}

static int take(struct chunk_reader *c, unsigned char byte, struct error *e)
{
    size_t max = c->state >= LINE ? CHUNK_TRAILER_MAX : CHUNK_LINE_MAX;
    int r;

    if (++c->overhead > max)
        r = bad(e, "has an extension or a trailer section that is too long");
    else
        r = lacks_cr(c, byte) ? step_bare_lf(c, e) : step(c, byte, e);
    if (r < 0)
        c->state = BROKEN;
    return r;
}

long chunk_read(struct chunk_reader *c, const char *in, size_t len, const char **data,
                size_t *data_len, bool *end, struct error *e)
{
    size_t at = 0, trailer;

    c->trailer_len = 0;
    *data = in;
    *data_len = 0;
    *end = c->state == END;
    while (at < len && c->state < LINE) {
        if (c->state == DATA) {
            size_t run = len - at < c->left ? len - at : (size_t)c->left;
            *data = in + at;
            *data_len = run;
            c->left -= run;
            if (c->left == 0)
                c->state = DATA_CR;
            return (long)(at + run);
        }
        int r = take(c, (unsigned char)in[at], e);
        if (r < 0)
            return r;
        at++;
    }
    trailer = at;
    while (at < len && c->state != END) {
        int r = take(c, (unsigned char)in[at], e);
        if (r < 0)
            return r;
        at++;
    }
    c->trailer = in + trailer;
    c->trailer_len = at - trailer;
    *end = c->state == END;
    return (long)at;
}
