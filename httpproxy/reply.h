/* reply.h: the proxy's own answers: 403, 400, 502 and their like, with a body that helps. */
#ifndef CIJAIL_HTTPPROXY_REPLY_H
#define CIJAIL_HTTPPROXY_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "httpproxy/buf.h"
#include "src/url.h"

/* Adds a whole response to out: text/plain, UTF-8. head: the request's method was HEAD, no body
 * goes along. close: "Connection: close". */
void reply_put(struct buf *out, int status, const char *text, bool head, bool close);

/* Text of a 403 for a request, and for a CONNECT: names what was denied and the endpoint word that
 * would allow it. Always NUL-terminated. url: canonical text (reply_denied escapes it). */
void reply_denied(char *text, size_t size, const char *method, const struct url *u);
void reply_denied_connect(char *text, size_t size, const struct url_authority *a);

/* Text of any other failure: "cijail: REASON" and, if there are any, the method and the URL,
 * escaped. */
void reply_failed(char *text, size_t size, const char *reason, const char *method, const char *url);

/* The endpoint word that allows this request and what lies beside it in the same directory. */
void reply_endpoint(char *word, size_t size, const char *method, const struct url *u);

#endif
