/* log.c: what became of each request; see log.h. Nothing is printed here: the supervisor writes the
 * log, and escapes what the jail chose.
 *
 * Each message wakes the supervisor up. What was allowed and answered, which is most of it, is
 * therefore gathered for a moment (src/msg_batch.c); denials and failures are reported as they
 * happen, and nothing overtakes anything. */
#include "httpproxy/log.h"

#include <errno.h>
#include <string.h>

#include "httpproxy/limits.h"
#include "src/msg_batch.h"
#include "src/util.h"

static void send_message(struct proxy *p, const void *m)
{
    if (channel_send(p->channel, m, -1) == -ENOBUFS)
        warn_text("a line of the log is lost: the supervisor does not read");
}

void log_flush(struct proxy *p)
{
    if (p->gathered.used == 0)
        return;
    (void)event_del(&p->flush);
    send_message(p, &p->gathered);
    msg_batch_init(&p->gathered);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    log_flush(arg);
}

void log_init(struct proxy *p)
{
    msg_batch_init(&p->gathered);
    (void)evtimer_assign(&p->flush, p->base, on_flush, p);
}

void log_end(struct proxy *p)
{
    (void)event_del(&p->flush);
}

static void gather(struct proxy *p, const struct log_entry *l)
{
    static const struct timeval wait = {.tv_usec = LIMIT_LOG_MS * 1000};
    const struct msg_batch_entry e = {.endpoint = policy_index(&p->policy, l->endpoint),
                                      .status = l->status,
                                      .bytes_sent = l->sent,
                                      .bytes_received = l->received,
                                      .method = l->method,
                                      .url = l->url};

    if (!msg_batch_add(&p->gathered, &e)) {
        log_flush(p);
        (void)msg_batch_add(&p->gathered, &e); /* one fits in any case */
    }
    if (!event_pending(&p->flush, EV_TIMEOUT, NULL))
        (void)event_add(&p->flush, &wait);
}

static bool is_ordinary(const struct log_entry *l)
{
    return l->decision == MSG_ALLOW && l->endpoint && l->status > 0 &&
           (!l->reason || !l->reason[0]);
}

void log_request(struct proxy *p, const struct log_entry *l)
{
    struct msg_log_request m;

    if (is_ordinary(l)) {
        gather(p, l);
        return;
    }
    log_flush(p);
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
    send_message(p, &m);
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
