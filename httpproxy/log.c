/* log.c: what became of each request; see log.h. Nothing is printed here: the supervisor writes the
 * log, and escapes what the jail chose. */
#include "httpproxy/log.h"

#include <errno.h>
#include <string.h>

#include "src/util.h"

void log_request(struct proxy *p, const struct log_entry *l)
{
    struct msg_log_request m;

    memset(&m, 0, sizeof(m));
    msg_init(&m, MSG_LOG_REQUEST, sizeof(m));
    m.decision = l->decision;
    m.endpoint = l->endpoint ? policy_index(&p->policy, l->endpoint) : POLICY_INDEX_NONE;
    m.status = l->status;
    m.bytes_sent = l->sent;
    m.bytes_received = l->received;
    copy_string(m.method, sizeof(m.method), l->method);
    copy_string(m.url, sizeof(m.url), l->url);
    copy_string(m.reason, sizeof(m.reason), l->reason ? l->reason : "");
    if (channel_send(p->channel, &m, -1) == -ENOBUFS)
        warn_text("a line of the log is lost: the supervisor does not read");
}

void log_deny(struct proxy *p, const char *method, const char *url, const char *reason)
{
    struct log_entry l = {.decision = MSG_DENY, .method = method, .url = url, .reason = reason};

    log_request(p, &l);
}

/* The next word of a line of text, cut to size. Returns what follows it. */
static const char *take_word(const char *p, const char *end, char *word, size_t size)
{
    size_t n = 0;

    while (p<end && * p> ' ' && *p < 0x7f) {
        if (n + 1 < size)
            word[n++] = *p;
        p++;
    }
    word[n] = '\0';
    return p < end && *p == ' ' ? p + 1 : end;
}

void log_deny_head(struct proxy *p, const char *head, size_t len, const char *reason)
{
    char method[MSG_METHOD_SIZE];
    char url[MSG_URL_SIZE];
    const char *end = head + len;

    head = take_word(head, end, method, sizeof(method));
    (void)take_word(head, end, url, sizeof(url));
    log_deny(p, method[0] ? method : "-", url[0] ? url : "-", reason);
}
