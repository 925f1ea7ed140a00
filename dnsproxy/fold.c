/* fold.c: what the jail does in a loop must not become a loop of the log.
 *
 * A message that is new is sent at once with a count of 1. The same one within FOLD_WINDOW_MS only
 * counts up, and when the window is over the count goes out as one message. A token bucket bounds
 * what is sent; a message that finds no token stays in its slot with its count until a later tick.
 * When all slots are taken, further messages are only counted, and the sum is sent once a second as
 * the message `others`. So the supervisor learns of every event, if not always of its name, and
 * memory, messages a second and work an event are all bounded. */
#include "dnsproxy/fold.h"

#include <string.h>
#include <sys/random.h>

#include "dnsproxy/rate.h"
#include "src/util.h"

#define TICK_MS 200
#define BUCKETS 1024 /* a power of two */
#define NONE UINT32_MAX

struct slot {
    uint64_t since_ms; /* when it was sent the last time, or first seen */
    uint32_t unsent;   /* events that no message has told yet */
    uint32_t hash;
    uint32_t next; /* in its bucket, or among the free ones */
    bool used, sent;
};

struct fold {
    size_t size, count_at;
    fold_hash_cb *hash;
    fold_send_cb *send;
    void *arg;
    struct event *tick;
    struct rate rate;
    uint32_t seed, free, used;
    uint32_t others_count;
    uint64_t others_ms;
    unsigned char *others, *messages; /* FOLD_SLOTS of size bytes each */
    struct slot slots[FOLD_SLOTS];
    uint32_t buckets[BUCKETS];
};

static unsigned char *message(const struct fold *f, uint32_t i)
{
    return f->messages + (size_t)i * f->size;
}

static void send_with_count(const struct fold *f, unsigned char *msg, uint32_t count)
{
    memcpy(msg + f->count_at, &count, sizeof(count));
    f->send(f->arg, msg);
    memset(msg + f->count_at, 0, sizeof(count));
}

/* But for the count. */
static bool same(const struct fold *f, const unsigned char *a, const unsigned char *b)
{
    size_t behind = f->count_at + sizeof(uint32_t);
    return memcmp(a, b, f->count_at) == 0 && memcmp(a + behind, b + behind, f->size - behind) == 0;
}

static void count_up(uint32_t *count, uint32_t n)
{
    *count = n < UINT32_MAX - *count ? *count + n : UINT32_MAX;
}

static uint32_t find(const struct fold *f, const unsigned char *msg, uint32_t h)
{
    for (uint32_t i = f->buckets[h % BUCKETS]; i != NONE; i = f->slots[i].next)
        if (f->slots[i].hash == h && same(f, message(f, i), msg))
            return i;
    return NONE;
}

static void start_tick(struct fold *f)
{
    if (!event_pending(f->tick, EV_TIMEOUT, NULL))
        (void)event_add(f->tick, &(struct timeval){.tv_usec = TICK_MS * 1000});
}

static void insert(struct fold *f, const unsigned char *msg, uint32_t h, uint32_t count)
{
    uint32_t i = f->free;
    struct slot *s = &f->slots[i];
    f->free = s->next;
    f->used++;
    *s = (struct slot){.since_ms = now_ms(),
                       .unsent = count,
                       .hash = h,
                       .next = f->buckets[h % BUCKETS],
                       .used = true};
    f->buckets[h % BUCKETS] = i;
    memcpy(message(f, i), msg, f->size);
    memset(message(f, i) + f->count_at, 0, sizeof(count));
    if (rate_take(&f->rate, now_us())) {
        s->unsent = 0;
        s->sent = true;
        send_with_count(f, message(f, i), count);
    }
    start_tick(f);
}

void fold_add(struct fold *f, const void *msg, uint32_t count)
{
    uint32_t h = f->hash(f->seed, msg);
    uint32_t i = find(f, msg, h);
    if (i != NONE) {
        count_up(&f->slots[i].unsent, count);
    } else if (f->free != NONE) {
        insert(f, msg, h, count);
    } else {
        count_up(&f->others_count, count);
        start_tick(f);
    }
}

static void release(struct fold *f, uint32_t i)
{
    uint32_t *link = &f->buckets[f->slots[i].hash % BUCKETS];
    while (*link != i)
        link = &f->slots[*link].next;
    *link = f->slots[i].next;
    f->slots[i] = (struct slot){.next = f->free};
    f->free = i;
    f->used--;
}

static void visit(struct fold *f, uint32_t i, uint64_t now)
{
    struct slot *s = &f->slots[i];
    bool over = now - s->since_ms >= FOLD_WINDOW_MS;
    if (s->unsent == 0) {
        if (over)
            release(f, i);
    } else if ((over || !s->sent) && rate_take(&f->rate, now_us())) {
        uint32_t count = s->unsent;
        s->unsent = 0;
        s->sent = true;
        s->since_ms = now;
        send_with_count(f, message(f, i), count);
    }
}

static void send_others(struct fold *f, uint64_t now)
{
    uint32_t count = f->others_count;
    f->others_count = 0;
    f->others_ms = now;
    send_with_count(f, f->others, count);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct fold *f = arg;
    uint64_t now = now_ms();
    for (uint32_t i = 0; i < FOLD_SLOTS; i++)
        if (f->slots[i].used)
            visit(f, i, now);
    if (f->others_count > 0 && now - f->others_ms >= FOLD_WINDOW_MS)
        send_others(f, now);
    if (f->used > 0 || f->others_count > 0)
        start_tick(f);
}

void fold_flush(struct fold *f)
{
    for (uint32_t i = 0; i < FOLD_SLOTS; i++) {
        struct slot *s = &f->slots[i];
        uint32_t count = s->unsent;
        s->unsent = 0;
        if (s->used && count > 0)
            send_with_count(f, message(f, i), count);
    }
    if (f->others_count > 0)
        send_others(f, now_ms());
}

struct fold *fold_new(struct event_base *base, size_t size, size_t count_at, const void *others,
                      fold_hash_cb *hash, fold_send_cb *send, void *arg)
{
    struct fold *f = xcalloc(1, sizeof(*f));
    f->size = size;
    f->count_at = count_at;
    f->hash = hash;
    f->send = send;
    f->arg = arg;
    f->rate = rate_init(FOLD_PER_SECOND, now_us());
    f->messages = xcalloc(FOLD_SLOTS, size);
    f->others = xcalloc(1, size);
    memcpy(f->others, others, size);
    for (uint32_t i = 0; i < BUCKETS; i++)
        f->buckets[i] = NONE;
    for (uint32_t i = 0; i < FOLD_SLOTS; i++)
        f->slots[i].next = i + 1 < FOLD_SLOTS ? i + 1 : NONE;
    if (getrandom(&f->seed, sizeof(f->seed), 0) != sizeof(f->seed))
        die("getrandom failed");
    f->tick = event_new(base, -1, 0, on_tick, f);
    if (!f->tick)
        die("cannot make a timer");
    return f;
}

void fold_free(struct fold *f)
{
    if (!f)
        return;
    event_free(f->tick);
    free(f->messages);
    free(f->others);
    free(f);
}
