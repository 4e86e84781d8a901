/*
 * told.c: see learner.h and learner_internal.h.
 */
#include "learn/learner_internal.h"

#include "base/limits.h"
#include "dns/name.h"

#include <stdlib.h>
#include <string.h>

static bool set_note(struct zone *zone, const char *note)
{
    char *copy = NULL;
    if (note && *note && !(copy = strndup(note, LIMIT_NOTE)))
        return false;
    free(zone->note);
    zone->note = copy;
    return true;
}

struct zone *learner_pin(struct learner *learner, struct view name, enum pin pin, msec_t until, const char *note,
                         msec_t now)
{
    const struct zone_id id   = {.name = name, .scope = SCOPE_ZONE};
    struct zone         *zone = table_get(learner->table, name, SCOPE_ZONE, 0);
    bool                 made = !zone;
    if (!zone && !(zone = learner_add(learner, &id, name, TYPE_SOA, now)))
        return NULL;
    if (!set_note(zone, note)) {
        if (made) {
            learner_count_zone(learner, zone, (size_t) -1);
            table_remove(learner->table, zone);
        }
        return NULL;
    }
    learner_count_zone(learner, zone, (size_t) -1);
    zone->pin       = pin;
    zone->pin_until = until;
    learner_publish(learner, zone, zone->condition.state, WHY_PINNED, now);
    epoch_turn(table_epoch(learner->table));
    return zone;
}

bool learner_unpin(struct learner *learner, struct view name, msec_t now)
{
    struct zone *zone = table_get(learner->table, name, SCOPE_ZONE, 0);
    if (!zone || zone->pin == PIN_NONE)
        return false;
    learner_unpin_zone(learner, zone, WHY_UNPINNED, now);
    return true;
}

struct forgetting {
    struct learner *learner;
    msec_t          until, now;
    size_t          count;
};

static void forget_one(void *context, struct zone *zone)
{
    struct forgetting *forgetting = context;
    if ((zone->condition.state == ZONE_CLEAR && !zone->proved) || zone->condition.last_failure > forgetting->until)
        return;
    forgetting->count++;
    learner_forget_zone(forgetting->learner, zone, WHY_FORGOTTEN, forgetting->now);
}

size_t learner_forget(struct learner *learner, struct view name, msec_t until, msec_t now)
{
    struct forgetting forgetting = {.learner = learner, .until = until, .now = now};
    recent_unmark(learner->former, name);
    table_each_of(learner->table, name, forget_one, &forgetting);
    epoch_turn(table_epoch(learner->table));
    return forgetting.count;
}

/* Nothing of it lies further off than if it had just been learned: the calendar may have been set back since, and the
 * settings changed. */
static struct condition in_bounds(const struct condition *condition, const struct zone_limits *limits, msec_t now)
{
    struct condition is = *condition;
    is.since            = msec_min(is.since, now);
    is.last_failure     = msec_min(is.last_failure, now);
    if (zone_state_diverts(is.state)) {
        is.interval = msec_clamp(is.interval, limits->recheck_first, limits->recheck_max);
        is.next     = msec_min(is.next, now + is.interval + is.interval / 10);
    } else if (is.state == ZONE_CLEAR) {
        is.next = MSEC_NEVER;
    } else {
        is.next = msec_min(is.next, now + (is.state == ZONE_BROKEN ? ZONE_BROKEN_LIFE : ZONE_SUSPECT_LIFE));
    }
    return is;
}

struct zone *learner_restore(struct learner *learner, const struct learned *learned, msec_t now)
{
    const struct zone_id *id   = &learned->id;
    struct zone          *zone = table_get(learner->table, id->name, id->scope, id->type);
    if (!zone && !(zone = learner_add(learner, id, learned->asked, learned->asked_type, now)))
        return NULL;
    struct condition is = in_bounds(&learned->condition, &learner->limits.zone, now);
    /* without room it is kept all the same: a pin must not be lost for it, and only pins fill the table for good */
    if (zone_state_diverts(is.state) && !zone_diverts(zone))
        learner_make_room(learner, true, EVIDENCE_CONFIRMED);
    enum zone_state from = zone->condition.state;
    learner_count_zone(learner, zone, (size_t) -1);
    zone->condition = is;
    zone->source    = learned->source;
    if (learned->pin != PIN_NONE && set_note(zone, learned->note)) {
        zone->pin       = learned->pin;
        zone->pin_until = learned->pin_until;
    }
    atomic_store(&zone->last_used, msec_clamp(learned->last_used, now - ZONE_IDLE + ZONE_IDLE_LEFT, now));
    epoch_turn(table_epoch(learner->table));
    return learner_publish(learner, zone, from, WHY_RESTORED, now) ? zone : NULL;
}

/* The recheck that its last failure calls for, wherever it failed. */
static struct condition heard_condition(struct learner *learner, const struct zone *zone, const struct hearsay *heard,
                                        msec_t now)
{
    const struct zone_limits *limits = &learner->limits.zone;
    struct condition          is     = zone->condition;
    msec_t                    failed = msec_min(heard->failed, now);
    if (is.state != ZONE_BLOCKED)
        is.since = zone_diverts(zone) ? now : failed;
    is.state   = ZONE_BLOCKED;
    is.strikes = is.good = 0;
    is.reason            = heard->reason;
    is.last_failure      = failed;
    is.interval          = msec_clamp(heard->interval, limits->recheck_first, limits->recheck_max);
    msec_t tenth         = is.interval / 10;
    is.next = msec_max(now, failed + is.interval - tenth + rng_below(&learner->rng, (uint32_t) (2 * tenth) + 1));
    is.failures++;
    return is;
}

struct zone *learner_hear(struct learner *learner, const struct hearsay *heard, msec_t now)
{
    const struct zone_id *id   = &heard->id;
    struct zone          *zone = table_get(learner->table, id->name, id->scope, id->type);
    if (zone && zone_diverts(zone) && heard->failed <= zone->condition.last_failure)
        return zone;
    if (!(zone && zone_diverts(zone)) && learner_is_full(learner, id))
        return NULL;
    if (!zone && !(zone = learner_add(learner, id, heard->asked, heard->asked_type, now)))
        return NULL;
    enum zone_state from = zone->condition.state;
    learner_count_zone(learner, zone, (size_t) -1);
    if (!zone_diverts(zone))
        zone->source = heard->source;
    zone->condition  = heard_condition(learner, zone, heard, now);
    zone->waited_out = false;
    return learner_publish(learner, zone, from, WHY_HEARD, now) ? zone : NULL;
}

struct dropping {
    struct learner *learner;
    msec_t          since, now;
};

static void drop_if_suspect(void *context, struct zone *zone)
{
    struct dropping *dropping = context;
    if (zone->condition.state == ZONE_SUSPECT && zone->condition.last_failure >= dropping->since)
        learner_forget_zone(dropping->learner, zone, WHY_OUTAGE, dropping->now);
}

void learner_drop_suspicions(struct learner *learner, msec_t since, msec_t now)
{
    struct dropping dropping = {.learner = learner, .since = since, .now = now};
    if (learner->counts.states[ZONE_SUSPECT] > 0)
        table_each(learner->table, drop_if_suspect, &dropping);
}
