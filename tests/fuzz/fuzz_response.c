/* fuzz_response.c: response heads. What the reader takes must hold nothing that head.h refuses, and
 * what the writer makes of it must be read again as the same response, with the framing that was
 * chosen for it. What was mended costs the connection, has nothing left to be mended, and changes
 * nothing of a head that the strict reader takes. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "httpproxy/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static bool is(const struct head_field *f, const char *name)
{
    return strlen(name) == f->name_len && strncasecmp(f->name, name, f->name_len) == 0;
}

static void check_text(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        CHECK((c >= 0x20 || c == '\t') && c != 0x7f);
    }
}

static bool never_has_body(int status, const char *method)
{
    return status < 200 || status == 204 || status == 304 || strcmp(method, "HEAD") == 0;
}

static void check_response(const struct head_response *r, const char *method)
{
    size_t framings = 0;

    CHECK(r->status >= 100 && r->status <= 999);
    CHECK(r->minor == 0 || r->minor == 1);
    CHECK(r->field_count <= HEAD_FIELDS_MAX);
    check_text(r->reason, r->reason_len);
    for (size_t i = 0; i < r->field_count; i++) {
        const struct head_field *f = &r->fields[i];
        CHECK(f->name_len > 0);
        check_text(f->name, f->name_len);
        check_text(f->value, f->value_len);
        framings += is(f, "content-length") || is(f, "transfer-encoding");
        CHECK(!is(f, "connection") || f->hop);
    }
    CHECK(framings <= 1);
    CHECK(never_has_body(r->status, method) == (r->body == BODY_NONE));
    CHECK((r->body == BODY_LENGTH || r->body == BODY_CHUNKED) <= (framings == 1));
    CHECK(r->body != BODY_CLOSE || !r->keep_alive);
    CHECK(!r->mended || !r->keep_alive);
    CHECK(r->content_length <= INT64_MAX);
}

static const struct head_field *next_field(const struct head_response *r, size_t *i)
{
    while (*i < r->field_count) {
        const struct head_field *f = &r->fields[(*i)++];
        if (!f->hop && !is(f, "content-length"))
            return f;
    }
    return NULL;
}

static void check_same_fields(const struct head_response *a, const struct head_response *b)
{
    size_t i = 0, k = 0;
    const struct head_field *f, *g;

    do {
        f = next_field(a, &i);
        g = next_field(b, &k);
        CHECK(!f == !g);
        if (!f)
            return;
        CHECK(f->name_len == g->name_len && memcmp(f->name, g->name, f->name_len) == 0);
        CHECK(f->value_len == g->value_len && memcmp(f->value, g->value, f->value_len) == 0);
    } while (true);
}

static void check_written(const struct head_response *a, const char *method, enum head_body body,
                          bool close, bool with_upgrade)
{
    static char out[HEAD_MAX * 2];
    static struct head_response b;
    struct error e;
    int n = head_write_response(a, body, close, with_upgrade, out, sizeof(out));

    CHECK(n > 0);
    CHECK(n > HEAD_MAX || head_find_end(out, (size_t)n, 0) == n);
    if (head_parse_response(out, (size_t)n, method, &b, &e) < 0) {
        CHECK(n > HEAD_MAX || a->field_count + 2 > HEAD_FIELDS_MAX);
        return;
    }
    check_response(&b, method);
    CHECK(!b.mended);
    CHECK(b.minor == 1 && b.status == a->status && b.body == body);
    CHECK(b.reason_len == a->reason_len && memcmp(b.reason, a->reason, a->reason_len) == 0);
    CHECK(body != BODY_LENGTH || b.content_length == a->content_length);
    if (!with_upgrade)
        CHECK(b.keep_alive == (!close && body != BODY_CLOSE));
    check_same_fields(a, &b);
}

static void check_mended(const char *text, size_t len, const char *method)
{
    static char out[HEAD_MAX], again[HEAD_MAX];
    static struct head_response r;
    struct error e = {.text = ""};
    int n = head_mend(text, len, true, out, sizeof(out), &e);

    if (head_parse_response(text, len, method, &r, &e) == 0)
        CHECK(n == 0);
    if (n < 0)
        CHECK((n == -EPROTO || n == -EMSGSIZE) && e.text[0] != '\0');
    for (int i = 0; i < n; i++)
        CHECK(out[i] != '\n' || (i > 0 && out[i - 1] == '\r'));
    if (n <= 0)
        return;
    int m = head_mend(out, (size_t)n, true, again, sizeof(again), &e);
    if (head_parse_response(out, (size_t)n, method, &r, &e) == 0)
        CHECK(m == 0 && head_find_end(out, (size_t)n, 0) == n);
    CHECK(m == 0 || (m == n && memcmp(out, again, (size_t)n) == 0));
}

static void fuzz(const char *text, size_t len, const char *method)
{
    static char room[HEAD_MAX];
    static struct head_response r;
    struct error e = {.text = ""};
    int status = head_read_response(text, len, method, room, &r, &e);

    if (len <= HEAD_MAX)
        check_mended(text, len, method);
    if (status < 0) {
        CHECK(status == -EPROTO && e.text[0] != '\0');
        return;
    }
    CHECK(head_find_end(text, len, 0) == (int)len);
    check_response(&r, method);
    for (int close = 0; close < 2; close++) {
        check_written(&r, method, r.body, close, false);
        if (r.status == 101)
            check_written(&r, method, r.body, close, true);
        if (r.body == BODY_CLOSE || r.body == BODY_CHUNKED) { /* for another kind of client */
            check_written(&r, method, BODY_CHUNKED, close, false);
            check_written(&r, method, BODY_CLOSE, close, false);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    int end = head_find_end(text, size, 0);
    size_t len = end > 0 ? (size_t)end : size;

    fuzz(text, len, "GET");
    fuzz(text, len, "HEAD");
    return 0;
}
