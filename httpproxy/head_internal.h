/* head_internal.h: what the readers of requests and responses share; see head.h. */
#ifndef CIJAIL_HEAD_INTERNAL_H
#define CIJAIL_HEAD_INTERNAL_H

#include "httpproxy/head.h"

#define HEAD_OPTIONS_MAX 64 /* elements of all Connection fields together */

/* RFC 9110, 5.6.2. */
bool head_is_tchar(unsigned char c);

/* One character or more, all of them tchar. */
bool head_is_token(const char *p, size_t len);

/* What may stand in a field value or a reason phrase: visible characters, obs-text, space and tab
 * (RFC 9110, 5.5). May be empty. */
bool head_is_text(const char *p, size_t len);

/* The length of the empty lines (CRLF) before a request line that are passed over: two at most
 * (RFC 9112, 2.2). */
size_t head_empty_lines(const char *buf, size_t len);

/* The line that begins at buf: its length without CRLF, at most len; *next is the length with it.
 * Negative if there is a CR or LF that is not part of a CRLF, or no end. */
long head_take_line(const char *buf, size_t len, size_t *next);

/* The field lines up to and with the empty line that ends the head, which must be the end of buf.
 * len is at most HEAD_MAX. -400 or -431. */
int head_parse_fields(const char *buf, size_t len, struct head_field *fields, size_t *count,
                      struct error *e);

/* One field line of len bytes, without its CRLF. -400. */
int head_parse_field(const char *line, size_t len, struct head_field *f, struct error *e);

/* The name (with '-') if this is a field by which some servers take another method, path or host
 * than the request's; else NULL. */
const char *head_is_override(const struct head_field *f);

bool head_field_is(const struct head_field *f, const char *name);

/* The same, '_' in place of any '-' included. */
bool head_field_like(const struct head_field *f, const char *name);

/* Fields that never go past this hop, whether Connection names them or not (RFC 9110, 7.6.1). */
bool head_is_hop(const struct head_field *f);

/* The one field of that name, or NULL; *many is set if there are several. */
const struct head_field *head_find_field(const struct head_field *fields, size_t count,
                                         const char *name, bool *many);

/* What Connection (and on requests Proxy-Connection) says. */
struct head_connection {
    bool request; /* set by the caller */
    bool close, keep_alive, upgrade;
    size_t options; /* how many elements there were */
};

/* Marks the hop-by-hop fields, those that Connection names among them. -400 if it names one that
 * frames or routes (or Expect: whether the body comes at all), or holds anything but tokens; -431
 * over HEAD_OPTIONS_MAX. A response may name Transfer-Encoding, which is hop-by-hop: some servers
 * do. */
int head_mark_hops(struct head_field *fields, size_t count, struct head_connection *c,
                   struct error *e);

/* Content-Length and Transfer-Encoding. *body is BODY_NONE if there is neither. -400 and the reason
 * if they are ambiguous. */
int head_parse_framing(const struct head_field *fields, size_t count, int minor,
                       enum head_body *body, uint64_t *content_length, struct error *e);

/* The next element of a comma-separated list; false at its end. Empty elements are passed over. *at
 * moves on. */
bool head_next_element(const char **at, const char *end, const char **token, size_t *len);

/* The protocols of all Upgrade fields, separated by ", "; empty if there are none. request: without
 * those that would carry HTTP past the judge (h2c and its like). -400 if one is no protocol, or
 * they are too long. */
int head_parse_upgrade(const struct head_field *fields, size_t count, bool request,
                       char out[HEAD_UPGRADE_SIZE], struct error *e);

/* Compares bytes with a lower-case word, without regard to case. */
bool head_equal_word(const char *text, size_t len, const char *word);

#endif
