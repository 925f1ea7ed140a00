/* msg.c: what a well-formed message is.
 *
 * A receiver trusts nothing of a message but what msg_check has seen: that the type is known, that
 * the length is the one that the type has, that each string ends inside its array, that each
 * enumeration and each count is in range. What the words mean (is that name in the policy?) is the
 * receiver's business.
 *
 * Padding is neither checked nor cleared here: senders build messages in zeroed structs, so that no
 * memory of theirs leaks. */
#include "src/msg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "src/msg_batch.h"
#include "src/url.h"

static bool ends(const char *s, size_t size)
{
    return memchr(s, '\0', size) != NULL;
}

static bool ends_nonempty(const char *s, size_t size)
{
    return s[0] != '\0' && ends(s, size);
}

static bool decision_known(uint32_t decision)
{
    return decision == MSG_ALLOW || decision == MSG_DENY || decision == MSG_WOULD_DENY;
}

static bool check_ca(const struct msg_ca *m)
{
    return m->pem_len > 0 && ends_nonempty(m->pem, sizeof(m->pem)) && strlen(m->pem) == m->pem_len;
}

/* A canonical name or address holds nothing else; the rest of its form is checked where it is used.
 */
static bool is_host_text(const char *s, size_t size)
{
    if (!ends_nonempty(s, size))
        return false;
    return s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.:")] == '\0';
}

static bool check_dial(const struct msg_dial *m)
{
    bool raw = m->scheme == MSG_DIAL_RAW;

    return (m->scheme == URL_HTTP || m->scheme == URL_HTTPS || raw) && m->port > 0 &&
           m->port <= 65535 && m->client_port <= (raw ? 65535 : 0) &&
           is_host_text(m->host, sizeof(m->host));
}

static bool check_dialed(const struct msg_dialed *m)
{
    return m->error >= 0 && m->via < (m->error ? 1 : MSG_VIA_END) && ends(m->text, sizeof(m->text));
}

/* What is put into a head as it is. */
static bool is_authorization(const char *s, size_t size)
{
    if (!ends(s, size))
        return false;
    return s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= ")] ==
           '\0';
}

static bool check_parent(const struct msg_parent *m)
{
    return m->use < MSG_PARENTS && m->port > 0 && m->port <= 65535 &&
           is_host_text(m->host, sizeof(m->host)) &&
           is_authorization(m->authorization, sizeof(m->authorization));
}

static bool check_secret(const struct msg_secret *m)
{
    return ends(m->name, sizeof(m->name)) && ends(m->field, sizeof(m->field)) &&
           ends(m->placeholder, sizeof(m->placeholder)) && ends(m->places, sizeof(m->places)) &&
           ends(m->value, sizeof(m->value)) && m->name[0] && m->places[0] &&
           strlen(m->placeholder) == SECRET_PLACEHOLDER_LEN &&
           secret_check_value(m->name, m->value, NULL) == 0;
}

static bool check_server(const struct msg_server *s)
{
    return s->family == 0 || s->family == AF_INET || s->family == AF_INET6;
}

static bool check_query(const struct msg_query *m)
{
    return m->qtype != 0 && check_server(&m->server) &&
           (m->transport == MSG_UDP || m->transport == MSG_TCP) && m->lookup <= 1 &&
           is_host_text(m->name, sizeof(m->name));
}

static bool check_reply(const struct msg_reply *m, size_t len)
{
    return len >= offsetof(struct msg_reply, data) && m->error >= 0 &&
           len == offsetof(struct msg_reply, data) + m->data_len &&
           (m->error == 0 || (m->data_len == 0 && m->over_tls == 0)) && m->hosts_below <= 1 &&
           m->over_tls <= MSG_TLS_SERVERS;
}

static bool check_lookup(const struct msg_lookup *m)
{
    return is_host_text(m->name, sizeof(m->name));
}

static bool check_addresses(const struct msg_addresses *m)
{
    if (m->error < 0 || m->count > MSG_ADDRESSES_MAX || (m->error != 0) != (m->count == 0))
        return false;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->address[i].family != AF_INET && m->address[i].family != AF_INET6)
            return false;
    return true;
}

static bool check_tls_dial(const struct msg_tls_dial *m)
{
    return m->server < MSG_TLS_SERVERS;
}

static bool check_tls_dialed(const struct msg_tls_dialed *m)
{
    return m->error >= 0 && is_host_text(m->address, sizeof(m->address)) &&
           (m->name[0] == '\0' || is_host_text(m->name, sizeof(m->name)));
}

static bool check_tls_failed(const struct msg_tls_failed *m)
{
    return m->server < MSG_TLS_SERVERS && ends_nonempty(m->text, sizeof(m->text));
}

static bool check_log_request(const struct msg_log_request *m)
{
    return decision_known(m->decision) && m->status >= 0 && m->status <= 999 &&
           ends(m->method, sizeof(m->method)) && ends(m->url, sizeof(m->url)) &&
           ends(m->reason, sizeof(m->reason));
}

static bool check_log_resolve(const struct msg_log_resolve *m)
{
    return decision_known(m->decision) && m->count > 0 && ends(m->name, sizeof(m->name)) &&
           ends(m->reason, sizeof(m->reason));
}

static bool check_log_connect(const struct msg_log_connect *m)
{
    return decision_known(m->decision) && m->count > 0 &&
           (m->family == AF_INET || m->family == AF_INET6);
}

static bool check_tuple(const struct msg_tuple *t)
{
    return (t->family == AF_INET || t->family == AF_INET6) && t->port != 0;
}

static bool check_opened(const struct msg_opened *m)
{
    if (m->error != 0)
        return m->error > 0 && m->to == 0;
    return m->to == MSG_TO_RELAY || m->to == MSG_TO_INTERCEPT;
}

static bool check_unreachable(const struct msg_unreachable *m)
{
    return check_tuple(&m->tuple) && m->error > 0;
}

static bool check_learn(const struct msg_learn *m)
{
    return (m->family == AF_INET || m->family == AF_INET6) && m->count > 0 &&
           m->count <= MSG_LEARN_MAX && is_host_text(m->name, sizeof(m->name));
}

static bool check_log_tunnel(const struct msg_log_tunnel *m)
{
    return (m->family == AF_INET || m->family == AF_INET6) && m->port > 0 &&
           ends(m->name, sizeof(m->name)) && ends(m->reason, sizeof(m->reason));
}

static bool check_log_unix(const struct msg_log_unix *m)
{
    return decision_known(m->decision) && ends(m->path, sizeof(m->path)) &&
           ends(m->real, sizeof(m->real));
}

/* The exact length of a type, or 0 for one whose length varies or that is unknown. */
static size_t fixed_length(uint32_t type)
{
    switch (type) {
    case MSG_READY:
        return sizeof(struct msg_ready);
    case MSG_CA:
        return sizeof(struct msg_ca);
    case MSG_DIAL:
        return sizeof(struct msg_dial);
    case MSG_DIALED:
        return sizeof(struct msg_dialed);
    case MSG_QUERY:
        return sizeof(struct msg_query);
    case MSG_LOG_REQUEST:
        return sizeof(struct msg_log_request);
    case MSG_LOG_RESOLVE:
        return sizeof(struct msg_log_resolve);
    case MSG_LOG_CONNECT:
        return sizeof(struct msg_log_connect);
    case MSG_FINISH:
        return sizeof(struct msg_finish);
    case MSG_OPEN:
        return sizeof(struct msg_open);
    case MSG_OPENED:
        return sizeof(struct msg_opened);
    case MSG_UNREACHABLE:
        return sizeof(struct msg_unreachable);
    case MSG_LEARN:
        return sizeof(struct msg_learn);
    case MSG_LOG_TUNNEL:
        return sizeof(struct msg_log_tunnel);
    case MSG_LOG_UNIX:
        return sizeof(struct msg_log_unix);
    case MSG_PARENT:
        return sizeof(struct msg_parent);
    case MSG_SECRET:
        return sizeof(struct msg_secret);
    case MSG_LOOKUP:
        return sizeof(struct msg_lookup);
    case MSG_ADDRESSES:
        return sizeof(struct msg_addresses);
    case MSG_TLS_DIAL:
        return sizeof(struct msg_tls_dial);
    case MSG_TLS_DIALED:
        return sizeof(struct msg_tls_dialed);
    case MSG_TLS_FAILED:
        return sizeof(struct msg_tls_failed);
    default:
        return 0;
    }
}

/* The fields of a message whose length is right. */
static bool check_fields(const void *m, uint32_t type)
{
    switch (type) {
    case MSG_READY:
    case MSG_FINISH:
        return true;
    case MSG_CA:
        return check_ca(m);
    case MSG_DIAL:
        return check_dial(m);
    case MSG_DIALED:
        return check_dialed(m);
    case MSG_QUERY:
        return check_query(m);
    case MSG_LOG_REQUEST:
        return check_log_request(m);
    case MSG_LOG_RESOLVE:
        return check_log_resolve(m);
    case MSG_LOG_CONNECT:
        return check_log_connect(m);
    case MSG_OPEN:
        return check_tuple(&((const struct msg_open *)m)->tuple);
    case MSG_OPENED:
        return check_opened(m);
    case MSG_UNREACHABLE:
        return check_unreachable(m);
    case MSG_LEARN:
        return check_learn(m);
    case MSG_LOG_TUNNEL:
        return check_log_tunnel(m);
    case MSG_LOG_UNIX:
        return check_log_unix(m);
    case MSG_PARENT:
        return check_parent(m);
    case MSG_SECRET:
        return check_secret(m);
    case MSG_LOOKUP:
        return check_lookup(m);
    case MSG_ADDRESSES:
        return check_addresses(m);
    case MSG_TLS_DIAL:
        return check_tls_dial(m);
    case MSG_TLS_DIALED:
        return check_tls_dialed(m);
    case MSG_TLS_FAILED:
        return check_tls_failed(m);
    default:
        return false;
    }
}

int msg_check(const void *buf, size_t len)
{
    const struct msg_head *head = buf;
    if (len < sizeof(*head) || len > MSG_MAX || head->length != len)
        return -EPROTO;
    if (head->type == MSG_REPLY)
        return check_reply(buf, len) ? 0 : -EPROTO;
    if (head->type == MSG_LOG_BATCH)
        return msg_batch_check(buf, len) ? 0 : -EPROTO;
    if (fixed_length(head->type) != len || !check_fields(buf, head->type))
        return -EPROTO;
    return 0;
}

void msg_init(void *m, enum msg_type type, size_t length)
{
    struct msg_head *head = m;
    head->type = type;
    head->length = (uint32_t)length;
}

size_t msg_length(const void *m)
{
    return ((const struct msg_head *)m)->length;
}
