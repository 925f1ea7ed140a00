/* reply.c: the proxy's own answers; see reply.h. What the client wrote stands in them only in
 * canonical or escaped form: these texts end up in terminals and build logs. */
#include "httpproxy/reply.h"

#include <stdio.h>
#include <string.h>

#include "httpproxy/head.h"
#include "src/policy.h"
#include "src/util.h"

#define PREFIX_MAX 1024 /* of a suggested endpoint's path; a longer one is not suggested */
#define SHOWN_MAX 4096  /* of a URL in a text */

void reply_put(struct buf *out, int status, const char *text, bool head, bool close)
{
    char line[256];
    int n =
        snprintf(line, sizeof(line),
                 "HTTP/1.1 %d %s\r\n"
                 "Content-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: %zu\r\n"
                 "Cache-Control: no-store\r\n"
                 "%s\r\n",
                 status, head_phrase(status), strlen(text), close ? "Connection: close\r\n" : "");

    buf_append(out, line, (size_t)n);
    if (!head)
        buf_append(out, text, strlen(text));
}

/* The path up to and including its last slash, without the query. */
static size_t directory_len(const struct url *u)
{
    size_t path = strcspn(u->target, "?");

    while (path > 1 && u->target[path - 1] != '/')
        path--;
    return path;
}

void reply_endpoint(char *word, size_t size, const char *method, const struct url *u)
{
    char host[URL_HOST_SIZE + 16];
    size_t len = directory_len(u);
    const char *list =
        strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ? "GET,HEAD" : method;
    bool plain = strlen(list) < POLICY_METHOD_SIZE;

    for (const char *p = list; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            plain = false; /* the policy language has no such method */
    if (url_format_host(&u->authority, u->scheme, host, sizeof(host)) < 0)
        host[0] = '\0';
    if (len > PREFIX_MAX)
        len = 1;
    (void)snprintf(word, size, "%s%s%s://%s%.*s", plain ? list : "", plain ? ":" : "",
                   url_scheme_name(u->scheme), host, (int)len, u->target);
}

/* Cut, if it must be, rather than left out. */
static void show(char *shown, const char *text)
{
    (void)escape_text(shown, SHOWN_MAX, text, strlen(text));
}

void reply_denied(char *text, size_t size, const char *method, const struct url *u)
{
    char shown[SHOWN_MAX];
    char word[PREFIX_MAX + URL_HOST_SIZE + 64];
    cleanup_free char *url = xmalloc(URL_TEXT_SIZE);

    if (url_format(u, url, URL_TEXT_SIZE) < 0)
        url[0] = '\0';
    show(shown, url);
    reply_endpoint(word, sizeof(word), method, u);
    (void)snprintf(text, size,
                   "cijail: this request is not allowed by the policy.\n\n"
                   "  %s %s\n\n"
                   "To allow it, add this endpoint:\n\n"
                   "  %s\n",
                   method, shown, word);
}

void reply_denied_connect(char *text, size_t size, const struct url_authority *a)
{
    enum url_scheme scheme = a->port == 80 ? URL_HTTP : URL_HTTPS;
    bool v6 = a->kind == URL_HOST_IPV6;
    char host[URL_HOST_SIZE + 16];

    if (url_format_host(a, scheme, host, sizeof(host)) < 0)
        host[0] = '\0';
    (void)snprintf(text, size,
                   "cijail: this connection is not allowed by the policy.\n\n"
                   "  CONNECT %s port %u\n\n"
                   "To allow it, add an endpoint that begins with:\n\n"
                   "  %s://%s/\n\n"
                   "or, if it is not HTTP that is said there, or is not to be read:\n\n"
                   "  %s%s%s:%u\n",
                   a->host, a->port, url_scheme_name(scheme), host, v6 ? "[" : "", a->host,
                   v6 ? "]" : "", a->port);
}

void reply_failed(char *text, size_t size, const char *reason, const char *method, const char *url)
{
    char why[1024];
    char shown[SHOWN_MAX];

    (void)escape_text(why, sizeof(why), reason, strlen(reason));
    show(shown, url ? url : "");
    if (method && url)
        (void)snprintf(text, size, "cijail: %s\n\n  %s %s\n", why, method, shown);
    else
        (void)snprintf(text, size, "cijail: %s\n", why);
}
