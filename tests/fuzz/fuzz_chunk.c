/* fuzz_chunk.c: chunked bodies. The first byte says how the rest is cut into pieces; the outcome
 * must be the same as that of the whole at once and of byte after byte. A second reader, which is
 * slow and simple, must come to the same end and the same data; and the data, coded anew in chunks
 * of that size, must be read again as what they are. All that for a client's body and for a
 * server's, of which more is taken. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "httpproxy/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#define INPUT_MAX 65536

struct result {
    int r; /* 1: ended, 0: more is needed, or negative */
    size_t consumed, len;
    char data[INPUT_MAX];
};

static void feed(const char *in, size_t len, unsigned piece, bool lenient, struct result *out)
{
    struct chunk_reader c;
    unsigned state = piece;
    bool end = false;

    chunk_init(&c);
    c.lenient = lenient;
    memset(out, 0, offsetof(struct result, data));
    while (out->consumed < len && !end) {
        const char *at = in + out->consumed, *data = NULL;
        size_t left = len - out->consumed, data_len = 0;
        size_t n = piece == 0 ? left : piece == 1 ? 1 : state % piece + 1;
        struct error e = {.text = ""};

        state = state * 1103515245u + 12345u;
        if (n > left)
            n = left;
        long r = chunk_read(&c, at, n, &data, &data_len, &end, &e);
        if (r < 0) {
            CHECK(r == -EPROTO && e.text[0] != '\0' && !end);
            out->r = (int)r;
            return;
        }
        CHECK(r > 0 && (size_t)r <= n && data_len <= (size_t)r);
        if (data_len > 0) {
            CHECK(data >= at && data + data_len <= at + r);
            memcpy(out->data + out->len, data, data_len);
        }
        out->len += data_len;
        out->consumed += (size_t)r;
    }
    out->r = end;
}

/* --- the simple reader --- */

static bool is_text(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f)
            return false;
    return true;
}

/* Length of the line at p without its end, or SIZE_MAX; *next: with it. */
static size_t line_len(const char *p, size_t len, bool lenient, size_t *next)
{
    const char *lf = len > 0 ? memchr(p, '\n', len) : NULL;
    size_t n;

    if (!lf)
        return SIZE_MAX;
    n = (size_t)(lf - p);
    *next = n + 1;
    if (n > 0 && p[n - 1] == '\r')
        n--;
    else if (!lenient)
        return SIZE_MAX;
    return is_text(p, n) ? n : SIZE_MAX;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool size_of(const char *p, size_t len, bool lenient, uint64_t *size)
{
    char digits[17] = "";
    size_t n = 0;

    while (n < len && n < 16 && strchr("0123456789abcdefABCDEF", p[n]))
        n++;
    memcpy(digits, p, n);
    *size = strtoull(digits, NULL, 16);
    if (n == 0 || n >= 16)
        return false;
    while (lenient && n < len && is_space(p[n]))
        n++;
    return n == len || p[n] == ';';
}

static bool trailers(const char *p, size_t len, bool lenient, size_t *at)
{
    size_t begin = *at, next;

    for (;;) {
        size_t n = line_len(p + *at, len - *at, lenient, &next);
        if (n == SIZE_MAX)
            return false;
        const char *line = p + *at;
        const char *colon = memchr(line, ':', n);
        bool goes_on = lenient && *at > begin && n > 0 && is_space(*line);
        *at += next;
        if (*at - begin > CHUNK_TRAILER_MAX)
            return false;
        if (n == 0)
            return true;
        if (goes_on)
            continue;
        if (!colon || colon == line)
            return false;
        for (; line < colon; line++)
            if ((unsigned char)*line <= ' ' || (unsigned char)*line >= 0x7f ||
                strchr("\"(),/;<=>?@[\\]{}", *line))
                return false;
    }
}

/* Is the beginning of the input a whole, legal body? */
static bool decode(const char *p, size_t len, bool lenient, struct result *out)
{
    size_t at = 0, next;

    out->len = 0;
    for (;;) {
        uint64_t size;
        size_t n = line_len(p + at, len - at, lenient, &next);
        if (n == SIZE_MAX || !size_of(p + at, n, lenient, &size) || next > CHUNK_LINE_MAX)
            return false;
        at += next;
        if (size == 0)
            break;
        if (size > len - at || line_len(p + at + size, len - at - size, lenient, &next) != 0)
            return false;
        memcpy(out->data + out->len, p + at, size);
        out->len += size;
        at += size + next;
    }
    if (!trailers(p, len, lenient, &at))
        return false;
    out->consumed = at;
    return true;
}

/* As body.c codes them: no extensions, no trailers. Returns the length. */
static size_t encode(const struct result *body, size_t chunk, char *wire)
{
    size_t n = 0;

    for (size_t at = 0; at < body->len; at += chunk) {
        size_t len = body->len - at < chunk ? body->len - at : chunk;
        n += (size_t)sprintf(wire + n, "%zx\r\n", len);
        memcpy(wire + n, body->data + at, len);
        n += len;
        n += (size_t)sprintf(wire + n, "\r\n");
    }
    return n + (size_t)sprintf(wire + n, "0\r\n\r\n");
}

static void check_encoded(const struct result *body, unsigned piece)
{
    static char wire[INPUT_MAX * 6 + 8]; /* "1\r\nx\r\n" for each byte at worst */
    static struct result again;
    size_t len = encode(body, piece, wire);

    feed(wire, len, piece, false, &again);
    CHECK(again.r == 1 && again.consumed == len && again.len == body->len);
    CHECK(memcmp(again.data, body->data, body->len) == 0);
}

static void fuzz(const char *in, size_t len, unsigned piece, bool lenient, struct result *whole)
{
    static struct result pieces, simple;

    feed(in, len, 0, lenient, whole);
    for (unsigned i = 0; i < 2; i++) {
        feed(in, len, i == 0 ? 1 : piece + 2, lenient, &pieces);
        CHECK(pieces.r == whole->r && pieces.len == whole->len);
        CHECK(whole->r < 0 || pieces.consumed == whole->consumed);
        CHECK(memcmp(pieces.data, whole->data, whole->len) == 0);
    }
    CHECK(decode(in, len, lenient, &simple) == (whole->r == 1));
    if (whole->r == 1) {
        CHECK(simple.consumed == whole->consumed && simple.len == whole->len);
        CHECK(memcmp(simple.data, whole->data, whole->len) == 0);
        check_encoded(whole, piece + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct result client, server;
    const char *in = (const char *)data + 1;

    if (size == 0 || size > INPUT_MAX)
        return 0;
    fuzz(in, size - 1, data[0], false, &client);
    fuzz(in, size - 1, data[0], true, &server);
    if (client.r == 1) {
        CHECK(server.r == 1 && server.consumed == client.consumed && server.len == client.len);
        CHECK(memcmp(server.data, client.data, client.len) == 0);
    }
    return 0;
}
