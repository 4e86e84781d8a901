/*
 * batch.c: see batch.h.
 */
#include "learn/batch.h"

static struct batch *batch_of(struct batches *batches, const struct zone *zone)
{
    for (struct batch *batch = batches->list; zone->batch && batch < batches->list + BATCHES; batch++)
        if (batch->number == zone->batch)
            return batch;
    return NULL;
}

static int sentinel_place(const struct batch *batch, const struct zone *zone)
{
    for (int i = 0; i < BATCH_SENTINELS; i++)
        if (batch->sentinels[i] == zone)
            return i;
    return -1;
}

static void add(struct batch *batch, struct zone *zone)
{
    zone->batch = batch->number;
    batch->zones++;
    for (unsigned i = 0; i < BATCH_SENTINELS; i++)
        if (!batch->sentinels[i] && !(batch->open & 1u << i)) {
            batch->sentinels[i] = zone;
            return;
        }
}

/* The batch that is growing, or a new one if the ring is full of zones of the last BATCH_WINDOW; NULL: no burst. */
static struct batch *growing(struct batches *batches, msec_t now, bool *new)
{
    struct batch *oldest = &batches->list[0];
    for (struct batch *batch = batches->list; batch < batches->list + BATCHES; batch++) {
        if (batch->number && now - batch->last <= BATCH_WINDOW)
            return batch;
        if (oldest->number && (!batch->number || batch->last < oldest->last))
            oldest = batch;
    }
    if (!batches->recent[batches->next] || now - batches->recent_at[batches->next] > BATCH_WINDOW)
        return NULL;
    *new = true;
    if (++batches->newest == 0)
        batches->newest = 1;
    *oldest = (struct batch){.number = batches->newest, .began = batches->recent_at[batches->next]};
    return oldest;
}

const struct batch *batches_on_blocked(struct batches *batches, struct zone *zone, msec_t now)
{
    batches->recent[batches->next]    = zone;
    batches->recent_at[batches->next] = now;
    batches->next                     = (batches->next + 1) % BATCH_BURST;
    bool new                          = false;
    struct batch *batch               = growing(batches, now, &new);
    if (!batch)
        return NULL;
    batch->last = now;
    if (!new) {
        add(batch, zone);
        return batch;
    }
    for (unsigned i = 0; i < BATCH_BURST; i++)
        if (batches->recent[i])
            add(batch, batches->recent[i]);
    return batch;
}

bool batches_on_recheck(struct batches *batches, const struct zone *zone, bool good)
{
    struct batch *batch = batch_of(batches, zone);
    int           place = batch ? sentinel_place(batch, zone) : -1;
    if (place < 0)
        return false;
    batch->open = good ? batch->open | 1u << place : batch->open & ~(1u << place);
    if (__builtin_popcount(batch->open) < BATCH_OPEN)
        return false;
    *batch = (struct batch){0};
    return true;
}

void batches_on_gone(struct batches *batches, struct zone *zone)
{
    struct batch *batch = batch_of(batches, zone);
    int           place = batch ? sentinel_place(batch, zone) : -1;
    if (place >= 0)
        batch->sentinels[place] = NULL;
    for (unsigned i = 0; i < BATCH_BURST; i++)
        if (batches->recent[i] == zone)
            batches->recent[i] = NULL;
    zone->batch = 0;
}

msec_t batches_interval(struct batches *batches, const struct zone *zone, msec_t now)
{
    const struct batch *batch = batch_of(batches, zone);
    if (!batch || sentinel_place(batch, zone) < 0)
        return MSEC_NEVER;
    return msec_clamp((now - batch->began) / 20, BATCH_FIRST, BATCH_MAX);
}

struct zone *batches_due(const struct batches *batches, msec_t now)
{
    struct zone *due = NULL;
    for (const struct batch *batch = batches->list; batch < batches->list + BATCHES; batch++)
        for (unsigned i = 0; i < BATCH_SENTINELS; i++) {
            struct zone *zone = batch->sentinels[i];
            if (zone && zone->recheck.place && zone->recheck.due <= now &&
                (!due || zone->recheck.due < due->recheck.due))
                due = zone;
        }
    return due;
}
