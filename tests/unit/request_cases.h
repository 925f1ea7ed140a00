/* request_cases.h: request heads as test cases. To be included after cmocka.h. */
#ifndef CIJAIL_TESTS_REQUEST_CASES_H
#define CIJAIL_TESTS_REQUEST_CASES_H

#include <string.h>

#include "httpproxy/head.h"
#include "src/util.h"

#define TEXT(literal) (literal), sizeof(literal) - 1

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: h\r\n"
#define GET LINE HOST
#define POST "POST / HTTP/1.1\r\n" HOST

/* A parsed head and the copy that its fields point into. */
struct request_case {
    struct head_request request;
    char *copy;
};

/* The copy has the exact length, so that ASan sees a read past the end. */
static inline int case_parse(struct request_case *c, const char *head, size_t len, struct error *e)
{
    free(c->copy);
    c->copy = xmalloc(len);
    memcpy(c->copy, head, len);
    e->text[0] = '\0';
    return head_parse_request(c->copy, len, &c->request, e);
}

static inline void case_refused(struct request_case *c, const char *head, size_t len, int status,
                                const char *word)
{
    struct error e;
    int r = case_parse(c, head, len, &e);

    if (r != -status || !strstr(e.text, word))
        fail_msg("%.*s\n%d %s; expected %d %s", (int)len, head, -r, e.text, status, word);
}

static inline void case_taken(struct request_case *c, const char *head, size_t len)
{
    struct error e;
    int r = case_parse(c, head, len, &e);

    if (r != 0)
        fail_msg("%.*s\nrefused: %d %s", (int)len, head, -r, e.text);
}

static inline void case_free(struct request_case *c)
{
    free(c->copy);
    c->copy = NULL;
}

#endif
