/* secret.h: the values of --secret (src/secret.h) in heads: put into requests, kept out of answers.
 */
#ifndef CIJAIL_HTTPPROXY_SECRET_H
#define CIJAIL_HTTPPROXY_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "httpproxy/buf.h"
#include "httpproxy/head.h"
#include "src/error.h"
#include "src/msg.h"

/* Where new texts of fields stand until their head is written. */
struct secret_text {
    size_t len;
    char data[2 * HEAD_MAX];
};

struct secrets;

struct secrets *secrets_new(void);

/* Wipes the values. */
void secrets_free(struct secrets *s);

/* One option (MSG_SECRET), which is copied. -EINVAL and the reason, or -ENOSPC. */
int secrets_add(struct secrets *s, const struct msg_secret *m, struct error *e);

/* Puts values in the place of placeholders in the fields of r, a request that may be made to url:
 * in those that the option has, of requests to its places, in plain text or inside of Base64
 * (RFC 7617). The fields then point into text. Returns how many fields that were, or:
 * -EACCES  a field that is there for credentials holds a placeholder whose value it may not get
 * -EPERM   the answer to this request would hold the value (TRACE)
 * -ENOSPC  the head would be too long
 * and the reason. After -EACCES the other fields have their values, as far as they may. */
int secrets_put(const struct secrets *s, struct head_request *r, const struct url *url,
                struct secret_text *text, struct error *e);

/* Puts placeholders in the place of values in the fields of r, an answer to an https request to
 * that authority, if it can have got them. A field that holds a value inside of Base64 becomes the
 * placeholder. 0, or -ENOSPC. */
int secrets_hide(const struct secrets *s, const struct url_authority *a, struct head_response *r,
                 struct secret_text *text);

/* The same in trailers of such an answer (head_filter_trailers), which may become longer. */
int secrets_hide_trailers(const struct secrets *s, const struct url_authority *a,
                          struct buf *trailers, struct secret_text *text);

#endif
