/* set.c: sets, by libnftnl.
 *
 * A set of ports has them as its keys. A set of addresses is made of intervals, of which each edge
 * is an element: where it begins, and the first address after it, which has a flag; before the
 * first interval stands an end at address 0, if that is not in the set (so does nft(8)). The
 * elements go in several messages, since an attribute of netlink holds 64 KiB at most. */
#include "nft/set.h"

#include <arpa/inet.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "nft/rule.h"

#define ELEMENTS_MAX 1000 /* in one message: 44 bytes each at most */

/* nft(8)'s numbers of the types, for those who list the set. */
#define NFT_TYPE_IPADDR 7
#define NFT_TYPE_IP6ADDR 8
#define NFT_TYPE_INET_SERVICE 13

struct writer {
    struct transaction *t;
    const struct set_name *name;
    size_t key_len;
    struct nftnl_set *set; /* the elements of the message at hand */
    size_t count;
};

static struct nftnl_set *new_set(const struct set_name *n)
{
    struct nftnl_set *set = or_die(nftnl_set_alloc());

    or_die_int(nftnl_set_set_str(set, NFTNL_SET_TABLE, n->table));
    or_die_int(nftnl_set_set_str(set, NFTNL_SET_NAME, n->name));
    nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
    nftnl_set_set_u32(set, NFTNL_SET_ID, n->id);
    return set;
}

static void declare(struct writer *w, uint32_t type, uint32_t flags, const char *modules)
{
    struct nftnl_set *set = new_set(w->name);

    nftnl_set_set_u32(set, NFTNL_SET_FLAGS, NFT_SET_CONSTANT | flags);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, type);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, (uint32_t)w->key_len);
    nftnl_set_nlmsg_build_payload(transaction_message(w->t, NFT_MSG_NEWSET, NFPROTO_INET,
                                                      NLM_F_CREATE, w->name->what, modules),
                                  set);
    transaction_next(w->t);
    nftnl_set_free(set);
}

static void flush(struct writer *w)
{
    if (!w->set)
        return;
    nftnl_set_elems_nlmsg_build_payload(transaction_message(w->t, NFT_MSG_NEWSETELEM, NFPROTO_INET,
                                                            NLM_F_CREATE, w->name->what, NULL),
                                        w->set);
    transaction_next(w->t);
    nftnl_set_free(w->set);
    w->set = NULL;
    w->count = 0;
}

static void put(struct writer *w, const void *key, uint32_t flags)
{
    struct nftnl_set_elem *elem = or_die(nftnl_set_elem_alloc());

    if (w->count == ELEMENTS_MAX)
        flush(w);
    if (!w->set)
        w->set = new_set(w->name);
    or_die_int(nftnl_set_elem_set(elem, NFTNL_SET_ELEM_KEY, key, (uint32_t)w->key_len));
    if (flags)
        nftnl_set_elem_set_u32(elem, NFTNL_SET_ELEM_FLAGS, flags);
    nftnl_set_elem_add(w->set, elem); /* the set owns it */
    w->count++;
}

void set_add_ports(struct transaction *t, const struct set_name *n, const uint16_t *ports,
                   size_t count)
{
    struct writer w = {.t = t, .name = n, .key_len = sizeof(uint16_t)};

    declare(&w, NFT_TYPE_INET_SERVICE, 0, "nf_tables nft_set_hash");
    for (size_t i = 0; i < count; i++) {
        uint16_t key = htons(ports[i]);
        put(&w, &key, 0);
    }
    flush(&w);
}

static bool is_zero(const uint8_t *key, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (key[i])
            return false;
    return true;
}

/* The address after that one; false if there is none. */
static bool successor(const uint8_t *key, size_t len, uint8_t out[16])
{
    memcpy(out, key, len);
    for (size_t i = len; i > 0; i--)
        if (++out[i - 1] != 0)
            return true;
    return false;
}

void set_add_ranges(struct transaction *t, const struct set_name *n, int family,
                    const struct ruleset_ranges *ranges)
{
    struct writer w = {.t = t, .name = n, .key_len = family == AF_INET ? 4 : 16};
    uint8_t end[16] = {0};

    declare(&w, family == AF_INET ? NFT_TYPE_IPADDR : NFT_TYPE_IP6ADDR, NFT_SET_INTERVAL,
            "nf_tables nft_set_rbtree");
    if (ranges->count > 0 && !is_zero(ranges->list[0].first, w.key_len))
        put(&w, end, NFT_SET_ELEM_INTERVAL_END);
    for (size_t i = 0; i < ranges->count; i++) {
        put(&w, ranges->list[i].first, 0);
        if (successor(ranges->list[i].last, w.key_len, end))
            put(&w, end, NFT_SET_ELEM_INTERVAL_END);
    }
    flush(&w);
}
