/* fuzz_request.c: request heads. What the reader takes must hold nothing that head.h refuses, and
 * what the writer makes of it must be read again as the same request: one method, target, framing
 * and list of fields for whoever reads it. */
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

/* The end is the same however the head comes in. Returns it. */
static int find_end(const char *text, size_t len)
{
    int whole = head_find_end(text, len, 0);
    size_t seen = 0;

    for (size_t n = 1; n <= len && n <= 4096; n++) {
        int r = head_find_end(text, n, seen);
        if (r != 0) {
            CHECK(r == whole && n == (size_t)r);
            break;
        }
        CHECK(whole <= 0 || n < (size_t)whole);
        if (n % 3 != 0) /* pieces of one and of two bytes */
            seen = n;
    }
    return whole;
}

static void check_text(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        CHECK((c >= 0x20 || c == '\t') && c != 0x7f);
    }
}

static void check_request(const struct head_request *r, const char *text, size_t len)
{
    size_t hosts = 0, framings = 0;

    CHECK(strlen(r->method) > 0 && !strpbrk(r->method, " \t\r\n:/\"(),;<=>?@[\\]{}"));
    CHECK(r->minor == 0 || r->minor == 1);
    CHECK(r->target_len > 0 && r->target_len <= URL_TEXT_SIZE);
    CHECK(r->target > text && r->target + r->target_len < text + len);
    check_text(r->target, r->target_len);
    CHECK(!memchr(r->target, ' ', r->target_len) && !memchr(r->target, '\t', r->target_len));
    CHECK(r->field_count <= HEAD_FIELDS_MAX);
    for (size_t i = 0; i < r->field_count; i++) {
        const struct head_field *f = &r->fields[i];
        CHECK(f->name > text && f->name_len > 0);
        CHECK(f->value > f->name + f->name_len && f->value + f->value_len < text + len);
        check_text(f->name, f->name_len);
        check_text(f->value, f->value_len);
        hosts += is(f, "host");
        CHECK(!is(f, "x-http-method-override") && !is(f, "x_original_url"));
        framings += is(f, "content-length") || is(f, "transfer-encoding");
        CHECK(!is(f, "connection") || f->hop);
        CHECK(!is(f, "host") || !f->hop);
    }
    CHECK(hosts == (r->host ? 1 : 0) && (r->host || r->minor == 0));
    CHECK(framings == (r->body != BODY_NONE ? 1 : 0));
    CHECK(r->body != BODY_CLOSE && r->content_length <= INT64_MAX);
    CHECK(r->body != BODY_CHUNKED || r->minor == 1);
}

static const struct head_field *next_field(const struct head_request *r, size_t *i)
{
    while (*i < r->field_count) {
        const struct head_field *f = &r->fields[(*i)++];
        if (!f->hop && !is(f, "host") && !is(f, "content-length"))
            return f;
    }
    return NULL;
}

static void check_same_fields(const struct head_request *a, const struct head_request *b)
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

static void check_same(const struct head_request *a, const struct head_request *b)
{
    bool length = strcmp(a->method, "POST") == 0 || strcmp(a->method, "PUT") == 0 ||
                  strcmp(a->method, "PATCH") == 0;

    CHECK(strcmp(a->method, b->method) == 0);
    CHECK(b->minor == 1 && b->host && b->keep_alive);
    CHECK(a->expect_continue == b->expect_continue);
    CHECK(a->content_length == b->content_length);
    CHECK(a->body == b->body || (length && a->body == BODY_NONE && b->body == BODY_LENGTH));
    check_same_fields(a, b);
}

/* Connection, Upgrade and the rest of the hop-by-hop fields only where they are wanted. */
static void check_hops(const struct head_request *b, bool upgrade)
{
    CHECK((b->upgrade[0] != 0) == upgrade);
    for (size_t i = 0; i < b->field_count; i++) {
        const struct head_field *f = &b->fields[i];
        if (f->hop)
            CHECK(is(f, "transfer-encoding") ||
                  (upgrade && (is(f, "connection") || is(f, "upgrade"))));
    }
}

static void check_written(const struct head_request *a, const struct url *url, bool with_upgrade)
{
    static char out[HEAD_MAX + URL_TEXT_SIZE];
    static struct head_request b;
    static struct url again;
    struct error e;
    int n = head_write_request(a, url, with_upgrade, out, sizeof(out)), r;

    CHECK(n > 0);
    if (n > HEAD_MAX)
        return;
    CHECK(head_find_end(out, (size_t)n, 0) == n);
    r = head_parse_request(out, (size_t)n, &b, &e);
    if (r == -431) /* Host and Content-Length were added to very many */
        CHECK(a->field_count + 2 > HEAD_FIELDS_MAX);
    else
        CHECK(r == 0);
    if (r < 0)
        return;
    check_request(&b, out, (size_t)n);
    check_same(a, &b);
    check_hops(&b, with_upgrade && a->upgrade[0]);
    CHECK(b.form == TARGET_ORIGIN || (b.form == TARGET_ASTERISK && !strcmp(url->target, "/")));
    if (b.form == TARGET_ORIGIN)
        CHECK(b.target_len == url->target_len && !memcmp(b.target, url->target, b.target_len));
    CHECK(head_request_url(&b, url->scheme, &url->authority, &again, &e) == 0);
    CHECK(again.scheme == url->scheme && strcmp(again.target, url->target) == 0);
    CHECK(url_authority_equal(&again.authority, &url->authority));
}

/* As a proxy request (no authority), or inside a tunnel to that authority. */
static void check_url(const struct head_request *r, enum url_scheme scheme,
                      const struct url_authority *authority)
{
    static struct url url;
    struct error e;
    int status = head_request_url(r, scheme, authority, &url, &e);

    if (status < 0) {
        CHECK(status == -400 || status == -414);
        return;
    }
    CHECK(r->form != TARGET_AUTHORITY && (authority || r->form == TARGET_ABSOLUTE));
    if (authority)
        CHECK(url.scheme == scheme && url_authority_equal(&url.authority, authority));
    check_written(r, &url, false);
    check_written(r, &url, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct head_request r;
    static const char host[] = "h";
    const char *text = (const char *)data;
    struct url_authority authority;
    struct error e;
    int end = find_end(text, size);
    size_t len = end > 0 ? (size_t)end : size;
    int status = head_parse_request(text, len, &r, &e);

    if (status < 0) {
        CHECK(status == -400 || status == -414 || status == -431 || status == -501 ||
              status == -505);
        CHECK(e.text[0] != '\0');
        return 0;
    }
    CHECK((size_t)end == len); /* nothing is a head that has no end, or another one */
    check_request(&r, text, len);
    check_url(&r, URL_HTTP, NULL);
    if (!r.host || url_parse_authority(r.host, r.host_len, 443, &authority, &e) < 0)
        CHECK(url_parse_authority(host, strlen(host), 443, &authority, &e) == 0);
    check_url(&r, URL_HTTPS, &authority);
    if (authority.port == 443)
        authority.port = 80;
    check_url(&r, URL_HTTP, &authority);
    return 0;
}
