/*
 * pick.c: see pick.h.
 */
#include "learn/pick.h"

static struct zone *zone_at(const struct timers *rechecks, size_t at)
{
    return CONTAINER_OF(rechecks->heap[at], struct zone, recheck);
}

static msec_t used(struct zone *zone) { return atomic_load_explicit(&zone->last_used, memory_order_relaxed); }

/* What is due hangs together at the top of the heap: a walk down from there, taking either child first by chance,
 * meets all of it or PICK_DUE of it. */
struct zone *pick_due(const struct timers *rechecks, struct rng *rng, msec_t now)
{
    size_t       waiting[PICK_DUE + 1];
    unsigned     count = 0, seen = 0;
    struct zone *found = NULL;
    if (timers_next(rechecks) <= now)
        waiting[count++] = 0;
    while (count > 0 && seen < PICK_DUE) {
        size_t       at   = waiting[--count];
        struct zone *zone = zone_at(rechecks, at);
        seen++;
        if (!found || used(zone) > used(found))
            found = zone;
        size_t first = 2 * at + 1 + (rng_u32(rng) & 1), other = 4 * at + 3 - first;
        if (other < rechecks->count && rechecks->heap[other]->due <= now)
            waiting[count++] = other;
        if (first < rechecks->count && rechecks->heap[first]->due <= now)
            waiting[count++] = first;
    }
    return found;
}

struct zone *pick_victim(const struct timers *rechecks, struct rng *rng)
{
    struct zone *found = NULL;
    size_t       at    = rechecks->count ? rng_below(rng, (uint32_t) rechecks->count) : 0;
    for (size_t i = 0, seen = 0; i < rechecks->count && seen < PICK_VICTIM; i++) {
        struct zone *zone = zone_at(rechecks, (at + i) % rechecks->count);
        if (zone->pin != PIN_NONE)
            continue;
        seen++;
        if (!found || used(zone) < used(found))
            found = zone;
    }
    return found;
}
