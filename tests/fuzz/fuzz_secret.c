/* fuzz_secret.c: the first byte says to which URL, the rest is the head of a request, or of an
 * answer, or its last chunk and trailers. A value gets into no request to another place and into no
 * other field, what it stands in may stand in a head, and no field of an answer holds it
 * afterwards. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "httpproxy/head_internal.h"
#include "httpproxy/secret.h"
#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#define PLACEHOLDER "cijailabcdefghijklmnopqrstuvwxyz23456722"
#define VALUE "s3cret/V+lue 9"

static struct secret_text text;

static bool holds(const char *p, size_t len)
{
    return len > 0 && memmem(p, len, VALUE, strlen(VALUE)) != NULL;
}

static struct secrets *make_secrets(void)
{
    struct secrets *s = secrets_new();
    struct msg_secret m = {.name = "TOKEN",
                           .placeholder = PLACEHOLDER,
                           .places = "https://h/ https://p/a/",
                           .value = VALUE};
    struct error e;

    msg_init(&m, MSG_SECRET, sizeof(m));
    CHECK(secrets_add(s, &m, &e) == 0);
    copy_string(m.field, sizeof(m.field), "x-key");
    CHECK(secrets_add(s, &m, &e) == 0);
    return s;
}

static void check_field(const struct head_field *f, bool may)
{
    CHECK(head_is_text(f->value, f->value_len));
    CHECK(may || !holds(f->value, f->value_len));
    if (holds(f->value, f->value_len))
        CHECK(!f->hop && !head_is_hop(f));
}

static void fuzz_request(const struct secrets *s, const char *head, size_t len, unsigned which)
{
    static const struct {
        const char *url;
        bool may;
    } to[] = {{"https://h/", true},    {"http://h/", false},  {"https://h:8443/", false},
              {"https://p/a/b", true}, {"https://p/", false}, {"https://other/", false}};
    static struct head_request r;
    static struct url url;
    size_t n = which % ARRAY_LEN(to), total = 0;
    struct error e;
    int count;

    if (head_parse_request(head, len, &r, &e) != 0)
        return;
    CHECK(url_parse(to[n].url, strlen(to[n].url), &url, &e) == 0);
    count = secrets_put(s, &r, &url, &text, &e);
    CHECK(count >= 0 || count == -EACCES || count == -EPERM || count == -ENOSPC);
    CHECK(to[n].may || count <= 0);
    for (size_t i = 0; i < r.field_count; i++) {
        check_field(&r.fields[i], to[n].may);
        total += r.fields[i].name_len + r.fields[i].value_len;
    }
    CHECK(count <= 0 || total <= HEAD_MAX);
}

static const struct url_authority h = {.kind = URL_HOST_NAME, .port = 443, .host = "h"};

static void fuzz_response(const struct secrets *s, const char *head, size_t len)
{
    static struct head_response r;
    struct error e;

    if (head_parse_response(head, len, "GET", &r, &e) != 0 || secrets_hide(s, &h, &r, &text) < 0)
        return;
    CHECK(!holds(r.reason, r.reason_len));
    for (size_t i = 0; i < r.field_count; i++)
        check_field(&r.fields[i], false);
}

static void check_trailers(struct buf *b)
{
    size_t at = 0, next;
    long line;

    while ((line = head_take_line(buf_begin(b) + at, buf_len(b) - at, &next)) > 0) {
        struct head_field f;
        struct error e;
        CHECK(head_parse_field(buf_begin(b) + at, (size_t)line, &f, &e) == 0);
        check_field(&f, false);
        at += next;
    }
    CHECK(line == 0 && at + next == buf_len(b));
}

static void fuzz_trailers(const struct secrets *s, const char *lines, size_t len)
{
    struct buf b = {0};
    struct error e;
    int n;

    buf_append(&b, lines, len);
    n = head_filter_trailers(buf_begin(&b), len, &e);
    if (n > 0) {
        b.end = (size_t)n;
        if (secrets_hide_trailers(s, &h, &b, &text) == 0)
            check_trailers(&b);
    }
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct secrets *s;
    cleanup_free char *head = NULL;

    if (size < 2 || size > HEAD_MAX)
        return 0;
    if (!s)
        s = make_secrets();
    head = xmalloc(size - 1);
    memcpy(head, data + 1, size - 1);
    if (size - 1 > 5 && memcmp(head, "HTTP/", 5) == 0)
        fuzz_response(s, head, size - 1);
    else if (size - 1 > 3 && memcmp(head, "0\r\n", 3) == 0)
        fuzz_trailers(s, head + 3, size - 4);
    else if (!holds(head, size - 1)) /* which the jail cannot know */
        fuzz_request(s, head, size - 1, data[0]);
    return 0;
}
