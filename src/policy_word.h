/* policy_word.h: the parsers of the forms of a word, between policy_word.c, policy_url.c and
 * policy_address.c. Each fills what the form has of an endpoint that is all zero, or returns
 * -EINVAL and the reason in e; what it has allocated by then is freed by the caller with
 * policy_free_endpoint(). len is at most POLICY_WORD_MAX, and the word has no white space and no
 * control character. */
#ifndef CIJAIL_POLICY_WORD_H
#define CIJAIL_POLICY_WORD_H

#include <stdbool.h>
#include <stddef.h>

#include "src/error.h"
#include "src/policy.h"

/* Refuses a byte order mark of UTF-8, or of UTF-16 in either order, at the start of a word (and of
 * a text): editors show none of them. IDNA maps the first to nothing, so the rest would be a name;
 * but any word may begin a text that is put together of several (policy_to_text, learn_text). */
int policy_word_check_start(const char *word, size_t len, struct error *e);

/* [METHOD,...:]SCHEME://HOST[:PORT][/PREFIX]. The word holds "://". */
int policy_word_url(const char *word, size_t len, struct endpoint *ep, struct error *e);

/* Does the word look like a URL whose "://" is misspelt? */
bool policy_word_is_broken_url(const char *word, size_t len);

/* ADDRESS[/LEN]:PORT */
int policy_word_ipv4(const char *word, size_t len, struct endpoint *ep, struct error *e);

/* [ADDRESS6]:PORT, [ADDRESS6/LEN]:PORT, [ADDRESS6]/LEN:PORT. The word begins with '['. */
int policy_word_ipv6(const char *word, size_t len, struct endpoint *ep, struct error *e);

#endif
