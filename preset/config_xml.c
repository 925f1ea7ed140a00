/* config_xml.c: Maven's settings.xml. Not validating; where the text is no XML it is read on as far
 * as there is sense in it, and ends where there is none, which is told. No entity is expanded but
 * those that XML itself has, and those of ASCII characters by their number: a value with another is
 * no value, which is told, too. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "preset/config_lines.h"
#include "src/util.h"

#define DEPTH_MAX 32

struct element {
    size_t path_len; /* of the path before it */
    unsigned line;
    bool broken;                  /* its text is left out */
    bool entity;                  /* its text has one that is not known */
    char text[CONFIG_VALUE_SIZE]; /* so far */
    size_t len;
};

struct xml {
    const char *at, *end;
    unsigned line;
    char path[CONFIG_PATH_SIZE];
    struct element *stack; /* of DEPTH_MAX */
    unsigned depth;
    config_cb *each;
    void *arg;
};

static void advance(struct xml *x, size_t n)
{
    for (; n > 0 && x->at < x->end; n--)
        if (*x->at++ == '\n')
            x->line++;
}

static bool starts(const struct xml *x, const char *text)
{
    size_t n = strlen(text);

    return (size_t)(x->end - x->at) >= n && memcmp(x->at, text, n) == 0;
}

/* How far it is to the text, and beyond it; all that is left if it is not there. */
static size_t until(const struct xml *x, const char *text)
{
    size_t left = (size_t)(x->end - x->at);
    const char *found = memmem(x->at, left, text, strlen(text));

    return found ? (size_t)(found - x->at) + strlen(text) : left;
}

static void add_text(struct xml *x, const char *text, size_t len)
{
    struct element *e;

    if (x->depth == 0)
        return;
    e = &x->stack[x->depth - 1];
    if (e->len + len >= sizeof(e->text) || memchr(text, '\0', len)) {
        e->broken = true;
        return;
    }
    memcpy(e->text + e->len, text, len);
    e->len += len;
}

/* "&#97;", "&#x61;": of ASCII. False: it is none. */
static bool take_number(struct xml *x)
{
    bool hex = starts(x, "&#x");
    const char *digits = x->at + (hex ? 3 : 2), *at = digits;
    unsigned value = 0;
    char c;

    if (!starts(x, "&#"))
        return false;
    for (; at < x->end && at - digits < 6 && isxdigit((unsigned char)*at); at++) {
        if (!hex && !isdigit((unsigned char)*at))
            return false;
        value = value * (hex ? 16 : 10) +
                (unsigned)(isdigit((unsigned char)*at) ? *at - '0' : (*at | 0x20) - 'a' + 10);
    }
    if (at == digits || at == x->end || *at != ';' || value < 0x20 || value > 0x7e)
        return false;
    c = (char)value;
    add_text(x, &c, 1);
    advance(x, (size_t)(at - x->at) + 1);
    return true;
}

/* At an '&'. */
static void take_entity(struct xml *x)
{
    static const struct {
        const char *name;
        char c;
    } known[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (starts(x, known[i].name)) {
            add_text(x, &known[i].c, 1);
            advance(x, strlen(known[i].name));
            return;
        }
    if (take_number(x))
        return;
    if (x->depth > 0)
        x->stack[x->depth - 1].entity = true;
    advance(x, 1);
}

static void leave_out(const struct xml *x, const char *why, unsigned line)
{
    x->each(x->arg, CONFIG_LEFT_OUT, why, line);
}

static void push(struct xml *x, struct span name, unsigned line)
{
    struct element *e = &x->stack[x->depth++];
    size_t used = strlen(x->path);
    struct span local = span_until(name, ":");

    if (local.len < name.len) /* a prefix of a namespace */
        name = span_after(name, local.len + 1);
    e->path_len = used;
    e->line = line;
    e->broken = e->entity = false;
    e->len = 0;
    if (used + name.len + 2 > sizeof(x->path) || memchr(name.at, '\0', name.len)) {
        e->broken = true;
        return;
    }
    if (used > 0)
        x->path[used++] = '/';
    memcpy(x->path + used, name.at, name.len);
    x->path[used + name.len] = '\0';
}

static void pop(struct xml *x)
{
    struct element *e = &x->stack[--x->depth];
    struct span path = {x->path, strlen(x->path)}, text = {e->text, e->len};

    if (e->entity && !e->broken)
        leave_out(x, "a value with an entity that is not expanded", e->line);
    else if (!e->broken)
        span_emit(path, span_trim(text), e->line, x->each, x->arg);
    x->path[e->path_len] = '\0';
}

/* How long the tag is, with its '<' and '>': an attribute may hold a '>'. 0: it does not end. */
static size_t tag_len(const struct xml *x)
{
    char quote = '\0';

    for (const char *p = x->at; p < x->end; p++) {
        if (quote)
            quote = *p == quote ? '\0' : quote;
        else if (*p == '"' || *p == '\'')
            quote = *p;
        else if (*p == '>')
            return (size_t)(p - x->at) + 1;
    }
    return 0;
}

/* <name ...>, <name ... /> or </name>. False: the text makes no sense from here on. */
static bool take_tag(struct xml *x)
{
    size_t len = tag_len(x);
    struct span inner = {x->at + 1, len > 1 ? len - 2 : 0};
    unsigned line = x->line;

    if (len == 0 || (x->depth == DEPTH_MAX && !starts(x, "</")))
        return false;
    advance(x, len);
    if (span_starts(inner, "/")) {
        if (x->depth == 0)
            return false;
        pop(x);
        return true;
    }
    push(x, span_until(inner, " \t\r\n/"), line);
    if (inner.len > 0 && inner.at[inner.len - 1] == '/')
        pop(x);
    return true;
}

static bool take_markup(struct xml *x)
{
    if (starts(x, "<!--")) {
        advance(x, 4);
        advance(x, until(x, "-->"));
    } else if (starts(x, "<![CDATA[")) {
        size_t n;
        advance(x, 9);
        n = until(x, "]]>");
        add_text(x, x->at, n >= 3 ? n - 3 : 0);
        advance(x, n);
    } else if (starts(x, "<?")) {
        advance(x, until(x, "?>"));
    } else if (starts(x, "<!")) {
        return false; /* a DOCTYPE, which may have entities of its own */
    } else {
        return take_tag(x);
    }
    return true;
}

void config_xml(const char *text, size_t len, config_cb *each, void *arg)
{
    struct xml x = {.at = text, .end = text + len, .line = 1, .each = each, .arg = arg};
    bool sense = true;

    x.stack = xcalloc(DEPTH_MAX, sizeof(*x.stack));
    while (sense && x.at < x.end) {
        if (*x.at == '<') {
            sense = take_markup(&x);
        } else if (*x.at == '&') {
            take_entity(&x);
        } else {
            add_text(&x, x.at, 1);
            advance(&x, 1);
        }
    }
    if (!sense)
        leave_out(&x, "what comes from here on: a DOCTYPE, or no XML", x.line);
    free(x.stack);
}
