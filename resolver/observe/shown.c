/*
 * shown.c: see shown.h. `zones` is a heap whose first is the next to give way: a hundred thousand zones that come in the
 * worst order cost eight copies each.
 */
#include "observe/shown.h"

#include <stdio.h>
#include <stdlib.h>

/* It is shown rather than the other. */
static int compare(const void *left, const void *right)
{
    const struct shown_zone *a = left, *b = right;
    if (a->condition.since != b->condition.since)
        return a->condition.since > b->condition.since ? -1 : 1;
    int order = name_compare(name_view(&a->name), name_view(&b->name));
    return order ? order : (int) a->scope - (int) b->scope ? (int) a->scope - (int) b->scope : a->type - b->type;
}

static void copy(struct shown_zone *to, const struct zone *zone)
{
    *to = (struct shown_zone){.scope     = zone->scope,
                              .type      = zone->type,
                              .source    = zone->source,
                              .pin       = zone->pin,
                              .pin_until = zone->pin_until,
                              .condition = zone->condition,
                              .answered  = atomic_load_explicit(&zone->answered, memory_order_relaxed)};
    name_set(&to->name, zone_name(zone));
    snprintf(to->note, sizeof(to->note), "%s", zone->note ? zone->note : "");
}

static void swap(struct shown *shown, unsigned a, unsigned b)
{
    struct shown_zone held = shown->zones[a];
    shown->zones[a]        = shown->zones[b];
    shown->zones[b]        = held;
}

static bool gives_way(const struct shown *shown, unsigned a, unsigned b)
{
    return compare(&shown->zones[a], &shown->zones[b]) > 0;
}

static void sift_up(struct shown *shown, unsigned at)
{
    for (; at > 0 && gives_way(shown, at, (at - 1) / 2); at = (at - 1) / 2)
        swap(shown, at, (at - 1) / 2);
}

static void sift_down(struct shown *shown, unsigned at)
{
    for (;;) {
        unsigned next = 2 * at + 1;
        if (next + 1 < shown->count && gives_way(shown, next + 1, next))
            next++;
        if (next >= shown->count || !gives_way(shown, next, at))
            return;
        swap(shown, at, next);
        at = next;
    }
}

void shown_take(struct shown *shown, const struct zone *zone)
{
    shown->found++;
    if (shown->count < SHOWN_ZONES) {
        copy(&shown->zones[shown->count], zone);
        sift_up(shown, shown->count++);
    } else if (zone->condition.since > shown->zones[0].condition.since) {
        copy(&shown->zones[0], zone);
        sift_down(shown, 0);
    }
}

void shown_sort(struct shown *shown) { qsort(shown->zones, shown->count, sizeof(shown->zones[0]), compare); }
