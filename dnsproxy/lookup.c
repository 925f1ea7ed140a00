/* lookup.c: names that the supervisor has to know itself (LOOKUP), since it parses no DNS: the
 * hosts that are dialled, with --upstream.
 *
 * Each is two questions, for A and AAAA, which go the way of the jail's (QUERY, and by TLS
 * secure.c), but not into the cache: the supervisor keeps the answer for some seconds (resolver.c).
 * All addresses are told, IPv6 first (RFC 6724): where they may lead is judged by who connects
 * (dialer.c). */
#include <errno.h>
#include <ldns/ldns.h>
#include <string.h>

#include "dnsproxy/dnsproxy.h"
#include "src/util.h"

#define SLOTS 1024 /* a power of two */
#define FAMILIES 2
#define EACH_MAX (MSG_ADDRESSES_MAX / FAMILIES)

struct part {
    uint64_t id; /* of the question; 0: it has been answered */
    bool tcp;
    int error;
    unsigned count;
    struct answer_address address[EACH_MAX];
};

struct lookup {
    uint64_t id; /* of LOOKUP */
    bool busy;
    char name[NAME_SIZE];
    struct part parts[FAMILIES];
};

struct lookups {
    struct dnsproxy *p;
    uint64_t generation;
    struct lookup slots[SLOTS];
};

static const uint16_t types[FAMILIES] = {LDNS_RR_TYPE_AAAA, LDNS_RR_TYPE_A};

struct lookups *lookups_new(struct dnsproxy *p)
{
    struct lookups *l = xcalloc(1, sizeof(*l));

    l->p = p;
    return l;
}

void lookups_free(struct lookups *l)
{
    free(l);
}

/* IDs: LOOKUP_ID, a count, the slot, the family. */
static int send_part(struct lookups *l, struct lookup *k, unsigned family)
{
    uint64_t slot = (uint64_t)(k - l->slots);
    struct part *part = &k->parts[family];
    struct msg_query m = {
        .qtype = types[family], .transport = part->tcp ? MSG_TCP : MSG_UDP, .lookup = 1};

    m.id = part->id = LOOKUP_ID | ((++l->generation * SLOTS + slot) * FAMILIES + family);
    msg_init(&m, MSG_QUERY, sizeof(m));
    copy_string(m.name, sizeof(m.name), k->name);
    return channel_send_soon(l->p->channel, &m);
}

static void tell(struct lookups *l, struct lookup *k)
{
    struct msg_addresses m = {.id = k->id};

    for (unsigned f = 0; f < FAMILIES; f++) {
        const struct part *part = &k->parts[f];
        if (part->error)
            m.error = part->error;
        for (unsigned i = 0; i < part->count; i++) {
            m.address[m.count].family = part->address[i].family;
            memcpy(m.address[m.count++].address, part->address[i].address, 16);
        }
    }
    if (m.count > 0)
        m.error = 0;
    else if (m.error == 0)
        m.error = ENOENT;
    msg_init(&m, MSG_ADDRESSES, sizeof(m));
    k->busy = false;
    (void)channel_send_soon(l->p->channel, &m);
}

static void finish_part(struct lookups *l, struct lookup *k, unsigned family, int error)
{
    k->parts[family].error = error;
    k->parts[family].id = 0;
    if (k->parts[0].id == 0 && k->parts[1].id == 0)
        tell(l, k);
}

void lookup_begin(struct lookups *l, const struct msg_lookup *m)
{
    struct msg_addresses busy = {.id = m->id, .error = EAGAIN};
    struct lookup *k = l->slots;

    while (k < l->slots + SLOTS && k->busy)
        k++;
    if (k == l->slots + SLOTS) {
        msg_init(&busy, MSG_ADDRESSES, sizeof(busy));
        (void)channel_send_soon(l->p->channel, &busy);
        return;
    }
    *k = (struct lookup){.id = m->id, .busy = true};
    memcpy(k->name, m->name, sizeof(k->name));
    for (unsigned f = 0; f < FAMILIES; f++)
        if (send_part(l, k, f) < 0)
            k->parts[f].error = EAGAIN; /* the channel is gone, or stuck, and all with it */
}

void lookup_reply(struct lookups *l, const struct outcome *r)
{
    unsigned family = r->id % FAMILIES;
    struct lookup *k = &l->slots[(r->id & ~LOOKUP_ID) / FAMILIES % SLOTS];
    struct part *part = &k->parts[family];
    struct asked asked = {.dns_id = r->dns_id,
                          .qtype = types[family],
                          .tcp = r->tcp || part->tcp,
                          .unjudged = true,
                          .name = k->name};
    struct answer *a = &l->p->answer;
    enum answer_status status;

    if (!k->busy || part->id != r->id || l->p->draining)
        return;
    status = r->error ? ANSWER_BAD : answer_build(&l->p->policy, &asked, r->data, r->len, a);
    if (status == ANSWER_TRUNCATED) {
        part->tcp = true;
        if (send_part(l, k, family) == 0)
            return;
    }
    if (status != ANSWER_GOOD) {
        finish_part(l, k, family, EAGAIN);
        return;
    }
    part->count = a->address_count < EACH_MAX ? a->address_count : EACH_MAX;
    memcpy(part->address, a->address, part->count * sizeof(part->address[0]));
    finish_part(l, k, family, 0);
}
