/*
 * world_journal.c: what the keeper would have written to disk, and that reading it again gives the table that is there.
 * Takes no memory while the world runs.
 */
#include "base/bytes.h"
#include "dns/text.h"
#include "learn/record.h"
#include "lib/check.h"
#include "lib/world_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROUNDED = 2000 /* ms: whole seconds, twice */
};

static const wall_t began = 1700000000; /* s */

static struct clocks clocks_of(const struct world *world)
{
    return (struct clocks){.now = world->now, .wall_ms = began * 1000 + world->now};
}

static bool is_kept(const struct zone *zone)
{
    return zone->pin != PIN_NONE || zone->condition.state == ZONE_BLOCKED || zone->condition.state == ZONE_RECOVERING ||
           zone->condition.state == ZONE_BROKEN;
}

void world_journal_note(struct world *world, struct zone *zone, bool removed)
{
    struct journal *journal = &world->journal;
    bool            keep    = !removed && is_kept(zone);
    if (keep || zone->stored) {
        const struct clocks clocks = clocks_of(world);
        if (journal->len + 2 + RECORD_MAX > sizeof(journal->bytes))
            fail_msg("too much is written");
        size_t len = record_write(zone, !keep, &clocks, journal->bytes + journal->len + 2);
        put_u16(journal->bytes + journal->len, (uint16_t) len);
        journal->len += 2 + len;
    }
    zone->stored = keep;
}

struct reading {
    const struct world *world;
    struct table       *table; /* of the other one */
    size_t              kept;
};

static void compare(void *context, struct zone *zone)
{
    struct reading         *reading = context;
    const struct condition *is      = &zone->condition;
    char                    text[NAME_TEXT_MAX];
    if (!is_kept(zone))
        return;
    reading->kept++;
    name_format(zone_name(zone), text);
    const struct zone *read = table_get(reading->table, zone_name(zone), zone->scope, zone->type);
    if (!read)
        fail_msg("%s is not in the journal", text);
    const struct condition *was = &read->condition;
    if (was->state != is->state || was->reason != is->reason || was->strikes != is->strikes || was->good != is->good ||
        was->failures != is->failures || was->interval != is->interval)
        fail_msg("the condition of %s is another one in the journal", text);
    /* the next recheck may have been brought forward since, for its kin's sake, without a word */
    if (llabs(was->since - is->since) > ROUNDED || llabs(was->last_failure - is->last_failure) > ROUNDED)
        fail_msg("the times of %s are other ones in the journal", text);
    if (read->pin != zone->pin || strcmp(read->note ? read->note : "", zone->note ? zone->note : "") != 0 ||
        (zone->pin_until == MSEC_NEVER) != (read->pin_until == MSEC_NEVER))
        fail_msg("the pin of %s is another one in the journal", text);
    if (read->source != zone->source || read->asked_type != zone->asked_type ||
        !name_equal(zone_asked(read), zone_asked(zone)))
        fail_msg("the question of %s is another one in the journal", text);
}

static void count_kept(void *context, struct zone *zone) { *(size_t *) context += is_kept(zone); }

static void ignore(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed)
{
    (void) context, (void) zone, (void) from, (void) why, (void) removed;
}

void world_journal_check(struct world *world)
{
    static const uint8_t        seed[RNG_SEED_BYTES] = {9};
    const struct hash_key       key                  = {9, 9};
    const struct learner_hooks  hooks                = {.changed = ignore};
    const struct learner_limits limits               = world_learner_limits(world);
    const struct clocks         clocks               = clocks_of(world);
    struct reading              reading              = {.world = world, .table = table_create(1024, key)};
    struct learner             *learner              = learner_create(reading.table, &limits, &hooks, seed);
    assert_true(reading.table && learner);
    for (size_t at = 0; at < world->journal.len;) {
        size_t len = get_u16(world->journal.bytes + at);
        if (!record_apply((struct view){world->journal.bytes + at + 2, len}, &clocks, learner))
            fail_msg("what was written is no record");
        at += 2 + len;
    }
    table_each(world->shared.table, compare, &reading);
    size_t kept = 0;
    table_each(reading.table, count_kept, &kept);
    if (kept != reading.kept)
        fail_msg("the journal has %zu zones, the table %zu", kept, reading.kept);
    learner_reclaim(learner);
    learner_destroy(learner);
    table_destroy(reading.table);
}
