/*
 * listing.c: see listing.h.
 *
 * What is told must be on disk before. The end of the reply waits for that: without it there is no line, and nothing
 * was told.
 */
#include "methods/listing.h"

#include "methods/present.h"
#include "server/clock.h"
#include "server/durable.h"
#include "server/keeper.h"

#include <stdlib.h>

enum {
    LISTING_STEP = 64, /* zones in one turn of the loop: some 10 µs each, 40 KB */
};

struct listing {
    struct daemon        *daemon;
    struct listing_filter filter;
    size_t                at; /* in the table */
    struct clocks         clocks;
    json_t               *elements;
};

static void list_one(void *context, struct zone *zone)
{
    struct listing              *listing = context;
    const struct listing_filter *filter  = &listing->filter;
    if (filter->under.len && !name_is_at_or_below(zone_name(zone), name_view(&filter->under)))
        return;
    if (filter->state >= 0 && (int) zone->condition.state != filter->state)
        return;
    json_array_append_new(listing->elements, present_zone(listing->daemon, zone, &listing->clocks));
}

static bool list_more(void *context, json_t *elements)
{
    struct listing *listing = context;
    keeper_begin(listing->daemon);
    listing->clocks   = clock_both();
    listing->elements = elements;
    return table_walk(listing->daemon->shared.table, &listing->at, LISTING_STEP, list_one, listing);
}

static void list_last(void *context, struct control_call *call)
{
    struct listing *listing = context;
    struct daemon  *daemon  = listing->daemon;
    free(listing);
    durable_end_series(daemon, call);
}

void listing_reply(struct daemon *daemon, struct control_call *call, json_t *result,
                   const struct listing_filter *filter)
{
    struct listing *listing = malloc(sizeof(*listing));
    if (!listing) {
        json_decref(result);
        control_reply(call, NULL);
        return;
    }
    *listing                           = (struct listing){.daemon = daemon, .filter = *filter};
    const struct control_series series = {listing, list_more, list_last};
    control_reply_series(call, result, &series);
}
