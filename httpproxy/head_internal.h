/* head_internal.h: what the readers of requests and responses share; see head.h. */
#ifndef CIJAIL_HEAD_INTERNAL_H
#define CIJAIL_HEAD_INTERNAL_H

#include "httpproxy/head.h"

/* RFC 9110, 5.6.2. */
bool head_is_tchar(unsigned char c);

/* The line that begins at buf: its length without CRLF, at most len; *next is the length with it.
 * Negative if there is a CR or LF that is not part of a CRLF, or no end. */
long head_take_line(const char *buf, size_t len, size_t *next);

/* The field lines up to and with the empty line that ends the head, which must be the end of buf.
 * -400 or -431. */
int head_parse_fields(const char *buf, size_t len, struct head_field *fields, size_t *count,
                      struct error *e);

bool head_field_is(const struct head_field *f, const char *name);

/* The one field of that name, or NULL; *many is set if there are several. */
const struct head_field *head_find_field(const struct head_field *fields, size_t count,
                                         const char *name, bool *many);

/* Does the value, a list of tokens, hold this one (RFC 9110, 5.6.1)? */
bool head_has_token(const struct head_field *f, const char *token);

/* What Connection (and on requests Proxy-Connection) says. */
struct head_connection {
    bool close, keep_alive, upgrade;
};

/* Marks the hop-by-hop fields, those that Connection names among them. -400 if it names one that
 * frames or routes. */
int head_mark_hops(struct head_field *fields, size_t count, struct head_connection *out,
                   struct error *e);

/* Content-Length and Transfer-Encoding. *body is BODY_NONE if there is neither. -400 and the reason
 * if they are ambiguous. */
int head_parse_framing(const struct head_field *fields, size_t count, int minor,
                       enum head_body *body, uint64_t *content_length, struct error *e);

/* Compares bytes with a lower-case word, without regard to case. */
bool head_equal_word(const char *text, size_t len, const char *word);

#endif
