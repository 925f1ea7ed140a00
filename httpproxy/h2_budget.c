/* h2_budget.c: what an HTTP/2 peer may cost.
 *
 * A request costs its client a request, and what a window holds it has to read. But HTTP/2 also has
 * frames that cost the sender next to nothing and make the receiver work: SETTINGS and PING (each
 * answered), PRIORITY, WINDOW_UPDATE, empty DATA, CONTINUATION, frames of unknown types (RFC 9113,
 * 10.5; CVE-2019-9511 to 9518); and streams that are reset as soon as they are begun, so that no
 * limit on concurrent ones ever counts them (CVE-2023-44487), by either side (CVE-2025-8671).
 *
 * Each peer has a budget of such frames and one of such streams. They grow with time, and with what
 * was done with the peer: content entitles to window updates and to a PING (gRPC measures its path
 * with each message), so no transfer runs out of it; but content that was cut to pieces by the
 * peer's window earns only by its length, so windows of single bytes do run out. Who has nothing
 * left gets GOAWAY with ENHANCE_YOUR_CALM. */
#include "httpproxy/h2.h"
#include "httpproxy/limits.h"
#include "src/util.h"

void h2_budget_init(struct h2_budget *b)
{
    *b = (struct h2_budget){
        .frames = LIMIT_H2_FRAMES, .resets = LIMIT_H2_RESETS, .refilled = now_ms()};
}

static long add(long have, long more, long max)
{
    return more >= max - have ? max : have + more;
}

/* The time since the last refill. The clock is read only when a budget is used up. */
static void refill(struct h2_budget *b)
{
    uint64_t now = now_ms();
    uint64_t passed = now - b->refilled;

    if (passed > LIMIT_H2_REFILL_MS)
        passed = LIMIT_H2_REFILL_MS;
    b->frames =
        add(b->frames, (long)(passed * LIMIT_H2_FRAMES / LIMIT_H2_REFILL_MS), LIMIT_H2_FRAMES);
    b->resets =
        add(b->resets, (long)(passed * LIMIT_H2_RESETS / LIMIT_H2_REFILL_MS), LIMIT_H2_RESETS);
    b->refilled = now;
}

bool h2_budget_frame(struct h2_budget *b, const nghttp2_frame_hd *hd)
{
    if (hd->type == NGHTTP2_DATA && hd->length > 0)
        b->frames = add(b->frames, LIMIT_H2_PER_DATA, LIMIT_H2_FRAMES);
    if (hd->type == NGHTTP2_HEADERS ||
        (hd->type == NGHTTP2_DATA && (hd->length > 0 || (hd->flags & NGHTTP2_FLAG_END_STREAM))))
        return true;
    if (--b->frames <= 0)
        refill(b);
    return b->frames > 0;
}

bool h2_budget_reset(struct h2_budget *b)
{
    if (--b->resets <= 0)
        refill(b);
    return b->resets > 0;
}

void h2_budget_sent(struct h2_budget *b, size_t len, bool cut)
{
    long more = (long)(len / LIMIT_H2_UPDATE) + (cut ? 0 : LIMIT_H2_PER_DATA);

    b->frames = add(b->frames, more, LIMIT_H2_FRAMES);
}

void h2_budget_done(struct h2_budget *b)
{
    b->resets = add(b->resets, 1, LIMIT_H2_RESETS);
    b->frames = add(b->frames, 4, LIMIT_H2_FRAMES);
}
