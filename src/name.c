/* name.c: host names to one canonical form, and patterns of them.
 *
 * Two spellings of one name must not get two answers, so everything that names a host passes
 * through here once, before it is compared: the policy's words, QNAMEs, Host fields, SNI, CONNECT
 * targets.
 *
 * ASCII text is only lower-cased and checked. An A-label that is already there ("xn--...") is what
 * goes over the wire and is compared as such: RFC 5891, 5.3 leaves its validation to applications
 * that show it. Text with other characters is UTF-8 and goes through libidn2 as a whole (the Bidi
 * rule spans labels), whose output is then checked like any other ASCII text: the mapping of UTS
 * #46 can make '/', '@', '.' or digits out of full-width ones. Output is ASCII, so the canonical
 * form of a canonical form is itself.
 *
 * Underscores are taken, since names in the DNS have them (_dmarc, _acme-challenge). A name whose
 * last label is a number is refused: resolvers read such text as an IPv4 address. */
#include "src/name.h"

#include <errno.h>
#include <idn2.h>
#include <stdint.h>
#include <string.h>

#define NAME_TEXT_MAX 1024 /* bytes of UTF-8: what 253 characters can come from */
#define LABEL_MAX 63

struct builder {
    char text[NAME_SIZE]; /* room for a trailing dot */
    size_t len;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

static bool is_ascii(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] >= 0x80)
            return false;
    return true;
}

static int too_long(struct error *e)
{
    return error_set(e, EINVAL, "the name is longer than %d characters", NAME_MAX_LEN);
}

static int add_ascii(struct builder *b, const char *s, size_t len, struct error *e)
{
    if (len > NAME_MAX_LEN + 1 - b->len) /* one more than allowed: the trailing dot */
        return too_long(e);
    for (size_t i = 0; i < len; i++)
        b->text[b->len++] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
    return 0;
}

/* UTF-8 to A-labels. libidn2 reads up to a NUL, so a NUL in the text is refused first. */
static int add_idna(struct builder *b, const char *s, size_t len, struct error *e)
{
    uint8_t text[NAME_TEXT_MAX + 1];
    uint8_t *ascii = NULL;
    int r;

    if (len > NAME_TEXT_MAX)
        return too_long(e);
    if (memchr(s, '\0', len))
        return error_set(e, EINVAL, "a NUL byte in the name");
    memcpy(text, s, len);
    text[len] = '\0';
    r = idn2_lookup_u8(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (r == IDN2_MALLOC)
        return error_set(e, ENOMEM, "out of memory");
    if (r == IDN2_ENCODING_ERROR)
        return error_set(e, EINVAL, "the name is not UTF-8");
    if (r != IDN2_OK)
        return error_set(e, EINVAL, "not a valid internationalised name (IDNA2008): %s",
                         idn2_strerror(r));
    r = add_ascii(b, (const char *)ascii, strlen((const char *)ascii), e);
    idn2_free(ascii);
    return r;
}

static int add_text(struct builder *b, const char *s, size_t len, struct error *e)
{
    return is_ascii(s, len) ? add_ascii(b, s, len, e) : add_idna(b, s, len, e);
}

static int check_char(char c, bool star, struct error *e)
{
    unsigned char u = (unsigned char)c;

    if (is_name_char(c) || (star && c == '*'))
        return 0;
    if (u > 0x20 && u < 0x7f && c != '\\')
        return error_set(e, EINVAL, "'%c' may not stand in a name", c);
    return error_set(e, EINVAL, "the byte \\x%02x may not stand in a name", (unsigned)u);
}

static int check_labels(const char *s, size_t len, bool star, struct error *e)
{
    size_t label = 0;

    for (size_t i = 0; i <= len; i++) {
        if (i < len && s[i] != '.') {
            int r = check_char(s[i], star, e);
            if (r < 0)
                return r;
            label++;
            continue;
        }
        if (label == 0)
            return error_set(e, EINVAL, "the name has an empty label");
        if (label > LABEL_MAX)
            return error_set(e, EINVAL, "the name has a label of more than %d characters",
                             LABEL_MAX);
        label = 0;
    }
    return 0;
}

/* Drops one trailing dot, checks what is there, copies it out. */
static int finish(struct builder *b, bool star, char out[NAME_SIZE], struct error *e)
{
    int r;

    if (b->len > 0 && b->text[b->len - 1] == '.')
        b->len--;
    if (b->len == 0)
        return error_set(e, EINVAL, "the name is empty");
    if (b->len > NAME_MAX_LEN)
        return too_long(e);
    r = check_labels(b->text, b->len, star, e);
    if (r < 0)
        return r;
    if (name_ends_in_number(b->text, b->len))
        return error_set(e, EINVAL,
                         "a name that ends in a number is an IPv4 address, and it is "
                         "not one in plain form");
    memcpy(out, b->text, b->len);
    out[b->len] = '\0';
    return 0;
}

int name_canon(const char *text, size_t len, char out[NAME_SIZE], struct error *e)
{
    struct builder b = {.len = 0};
    int r = add_text(&b, text, len, e);

    return r < 0 ? r : finish(&b, false, out, e);
}

static int add_pattern_label(struct builder *b, const char *s, size_t len, struct error *e)
{
    if (!memchr(s, '*', len))
        return add_text(b, s, len, e);
    if (!is_ascii(s, len))
        return error_set(e, EINVAL, "a label with '*' must otherwise be ASCII");
    return add_ascii(b, s, len, e);
}

int name_canon_pattern(const char *text, size_t len, char out[NAME_SIZE], struct error *e)
{
    struct builder b = {.len = 0};
    size_t start = 0;

    if (len == 0 || !memchr(text, '*', len))
        return name_canon(text, len, out, e);
    if (len > NAME_TEXT_MAX)
        return too_long(e);
    for (size_t i = 0; i <= len; i++) {
        int r;
        if (i < len && text[i] != '.')
            continue;
        r = add_pattern_label(&b, text + start, i - start, e);
        if (r == 0 && i < len)
            r = add_ascii(&b, ".", 1, e);
        if (r < 0)
            return r;
        start = i + 1;
    }
    return finish(&b, true, out, e);
}

bool name_match(const char *pattern, const char *name)
{
    const char *star = NULL; /* after the last '*' seen, and where in name its match ends so far */
    const char *resume = NULL;

    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool name_ends_in_number(const char *text, size_t len)
{
    size_t start, i;

    if (len > 0 && text[len - 1] == '.')
        len--;
    for (start = len; start > 0 && text[start - 1] != '.';)
        start--;
    if (start == len)
        return false;
    for (i = start; i < len && is_digit(text[i]);)
        i++;
    if (i == len)
        return true;
    if (len - start < 2 || text[start] != '0' || (text[start + 1] | 0x20) != 'x')
        return false;
    for (i = start + 2; i < len && is_hex_digit(text[i]);)
        i++;
    return i == len;
}
